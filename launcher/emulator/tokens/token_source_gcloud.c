/* SPDX-License-Identifier: Apache-2.0 */
/* `gcloud`: the tokens of whoever is logged in with gcloud on this machine.
 *
 * gcloud does not say how long an access token lives, only sees to it that what it prints is good
 * for five minutes more. So that is what is said, and then it is asked again: it keeps its own
 * token until it expires. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "http/clock.h"
#include "lib/auto.h"
#include "token_source.h"
#include "vm/spawn.h"

enum { LIFE = 300, TIMEOUT_MS = 60000, LOOK_MS = 100, OUTPUT_MAX = 64 * 1024, WORD_MAX = 2200 };

extern char **environ;

struct gcloud {
    char *program;
    char **env;
    atomic_bool stopping;
};

/* An absolute path, looked for in PATH as a shell does. New; NULL if it is not there. */
static char *find_on_path(const char *name)
{
    const char *path = getenv("PATH");
    for (const char *p = path ? path : ""; *p;) {
        size_t len = strcspn(p, ":");
        char *file = NULL;
        if (len > 0 && *p == '/' && asprintf(&file, "%.*s/%s", (int)len, p, name) > 0 &&
            access(file, X_OK) == 0)
            return file;
        free(file);
        p += len + (p[len] == ':');
    }
    return NULL;
}

/* Our environment, without what would send gcloud back to us for its token. */
static char **clean_environment(void)
{
    static const char *const ours[] = {
        "GCE_METADATA_", "METADATA_SERVER_DETECTION=", "CLOUDSDK_API_ENDPOINT_OVERRIDES_"};
    size_t count = 0, kept = 0;
    while (environ[count])
        count++;
    char **env = calloc(count + 1, sizeof(*env));
    for (size_t i = 0; env && i < count; i++) {
        bool drop = false;
        for (size_t j = 0; j < sizeof(ours) / sizeof(ours[0]); j++)
            drop = drop || strncmp(environ[i], ours[j], strlen(ours[j])) == 0;
        if (!drop)
            env[kept++] = environ[i];
    }
    return env;
}

static void close_gcloud(void *state)
{
    struct gcloud *gcloud = state;
    free(gcloud->program);
    free(gcloud->env);
    free(gcloud);
}

static int open_gcloud(const char *spec, void **ret_state, struct emu_persona *ret_persona,
                       struct vmcp_error *err)
{
    (void)ret_persona;
    if (strcmp(spec, "gcloud") != 0)
        return vmcp_fail_at(err, VMCP_E_USAGE, spec, "`gcloud` takes nothing behind it");
    struct gcloud *gcloud = calloc(1, sizeof(*gcloud));
    if (!gcloud)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a source of tokens");
    *ret_state = gcloud;
    gcloud->program = find_on_path("gcloud");
    gcloud->env = clean_environment();
    if (!gcloud->program)
        return vmcp_fail(err, VMCP_E_USAGE, "--token-source gcloud: there is no gcloud on PATH");
    return gcloud->env ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an environment");
}

static void stop_gcloud(void *state)
{
    atomic_store(&((struct gcloud *)state)->stopping, true);
}

/* Everything that it prints until it closes its output. False: too long, or we end. */
static bool collect(struct gcloud *gcloud, int fd, struct vmcp_buf *out)
{
    int64_t end = http_now_ms() + TIMEOUT_MS;
    struct pollfd p = {.fd = fd, .events = POLLIN};
    while (http_now_ms() < end && !atomic_load(&gcloud->stopping)) {
        char bytes[4096];
        if (poll(&p, 1, LOOK_MS) <= 0)
            continue;
        ssize_t n = TEMP_FAILURE_RETRY(read(fd, bytes, sizeof(bytes)));
        if (n <= 0)
            return n == 0;
        vmcp_buf_add(out, bytes, (size_t)n);
    }
    return false;
}

/* Run it; on success `out` is its standard output. What it says on standard error is the reason of
 * a failure. */
static int run(struct gcloud *gcloud, const char *const *argv, struct vmcp_buf *out,
               struct vmcp_error *err)
{
    int ends[2], status = 0;
    auto_close int said = -1;
    char why[160] = "";
    pid_t pid = 0;
    struct emu_spawn spawn = EMU_SPAWN;
    int rc = emu_memfd("", 0, &said, err);
    if (rc < 0)
        return rc;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int from = ends[0];
    spawn.argv = argv;
    spawn.envp = gcloud->env;
    spawn.out = ends[1];
    spawn.err = said;
    rc = emu_spawn(&spawn, &pid, err);
    close(ends[1]);
    if (rc < 0)
        return rc;
    bool ended = collect(gcloud, from, out);
    if (!ended)
        kill(-pid, SIGKILL); /* it is the leader of its session */
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0 || !ended)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "gcloud gave no token within %d s",
                         TIMEOUT_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return vmcp_buf_check(out, "a token", err);
    if (pread(said, why, sizeof(why) - 1, 0) < 0)
        why[0] = '\0';
    return vmcp_fail(err, VMCP_E_CREDENTIALS, "gcloud %s %s: %.*s", argv[1], argv[2],
                     (int)strcspn(why, "\n"), why);
}

/* The first line that it printed, which is one word. */
static int take_token(struct vmcp_buf *out, char **ret, struct vmcp_error *err)
{
    size_t len = out->data ? strcspn(out->data, "\r\n") : 0;
    if (len == 0 || strcspn(out->data, " \t") < len)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "what gcloud printed is no token");
    *ret = strndup(out->data, len);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
}

static int fetch_gcloud(void *state, enum emu_want want, const char *what, struct emu_fetched *ret,
                        struct vmcp_error *err)
{
    struct gcloud *gcloud = state;
    auto_secret_buf struct vmcp_buf out = VMCP_BUF(OUTPUT_MAX);
    char audience[WORD_MAX];
    snprintf(audience, sizeof(audience), "--audiences=%s", what);
    const char *const access[] = {gcloud->program, "auth", "print-access-token", NULL};
    const char *const identity[] = {gcloud->program, "auth", "print-identity-token", audience,
                                    NULL};
    int rc = run(gcloud, want == EMU_WANT_ACCESS ? access : identity, &out, err);
    if (rc == 0)
        rc = take_token(&out, &ret->token, err);
    if (rc == 0)
        ret->expires = want == EMU_WANT_ACCESS ? time(NULL) + LIFE : emu_token_expiry(ret->token);
    return rc;
}

const struct emu_token_kind emu_token_gcloud = {.name = "gcloud",
                                                .margin = 10,
                                                .one_scope = true,
                                                .open = open_gcloud,
                                                .fetch = fetch_gcloud,
                                                .stop = stop_gcloud,
                                                .close = close_gcloud};
