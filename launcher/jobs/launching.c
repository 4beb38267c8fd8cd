/* SPDX-License-Identifier: Apache-2.0 */
#include "launching.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "clock.h"
#include "lib/json.h"

enum { WORDS_MAX = 512, GRACE_MS = 5000, POLL_MS = 1000 };

extern char **environ;

struct words {
    char *items[WORDS_MAX + 1];
    size_t count;
};

static void drop(struct words *w)
{
    for (size_t i = 0; i < w->count; i++)
        free(w->items[i]);
}

static int add(struct words *w, char *taken, struct vmcp_error *err)
{
    if (taken && w->count < WORDS_MAX) {
        w->items[w->count++] = taken;
        return 0;
    }
    free(taken);
    return vmcp_fail(err, taken ? VMCP_E_LIMIT : VMCP_E_NO_MEMORY, "too many settings to pass on");
}

static int add_value(struct words *w, const char *name, const char *value, struct vmcp_error *err)
{
    char *word = NULL;
    return asprintf(&word, "--%s=%s", name, value) < 0 ? add(w, NULL, err) : add(w, word, err);
}

static int add_option(struct words *w, const struct vmcp_option *o,
                      const struct launch_settings *settings, struct vmcp_error *err)
{
    static const struct launch_settings presets = LAUNCH_SETTINGS;
    const char *field = (const char *)settings + o->offset;
    const char *preset = (const char *)&presets + o->offset;
    const struct vmcp_list *list = (const void *)field;
    char number[24];
    int rc = 0;
    switch (o->kind) {
    case VMCP_OPT_FLAG: {
        char *word = NULL;
        if (!*(const bool *)(const void *)field)
            return 0;
        return asprintf(&word, "--%s", o->name) < 0 ? add(w, NULL, err) : add(w, word, err);
    }
    case VMCP_OPT_STRING:
    case VMCP_OPT_MAYBE: {
        const char *value = *(const char *const *)(const void *)field;
        return value ? add_value(w, o->name, value, err) : 0;
    }
    case VMCP_OPT_INT:
    case VMCP_OPT_TIME: {
        int64_t value = *(const int64_t *)(const void *)field;
        if (value == *(const int64_t *)(const void *)preset)
            return 0;
        snprintf(number, sizeof(number), "%lld", (long long)value);
        return add_value(w, o->name, number, err);
    }
    case VMCP_OPT_LIST:
        for (size_t i = 0; rc == 0 && i < list->count; i++)
            rc = add_value(w, o->name, list->items[i], err);
        return rc;
    }
    return 0;
}

/* All that is set, but what the job itself says. */
static int collect(const struct launch_settings *settings, const char *machine, struct words *w,
                   struct vmcp_error *err)
{
    static const char *const own[] = {"machine", "json", "dry-run", "offline"};
    int rc = add(w, strdup("vmcp-launch"), err);
    if (rc == 0)
        rc = add(w, strdup("launch"), err);
    for (const struct vmcp_option *o = launch_settings_options; rc == 0 && o->name; o++) {
        bool ours = false;
        for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
            ours |= strcmp(own[i], o->name) == 0;
        if (!ours)
            rc = add_option(w, o, settings, err);
    }
    if (rc == 0)
        rc = add_value(w, "machine", machine, err);
    return rc < 0 ? rc : add(w, strdup("--json"), err);
}

static int spawn(struct words *w, int *ret_pipe, pid_t *ret_pid, struct vmcp_error *err)
{
    int ends[2];
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t none;
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_FILE, "no pipe: %s", strerror(errno));
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    /* A thread of a service takes no signals; a program does, or it could not be stopped. */
    sigemptyset(&none);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK);
    int failed = posix_spawn(ret_pid, "/proc/self/exe", &actions, &attributes, w->items, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(ends[1]);
    *ret_pipe = ends[0];
    if (!failed)
        return 0;
    close(ends[0]);
    return vmcp_fail(err, VMCP_E_FILE, "vmcp-launch cannot be started: %s", strerror(failed));
}

/* Read until the end, or until the time is over; false: it is. What does not fit is left away. */
static bool read_all(int pipe, int64_t end, struct vmcp_buf *out)
{
    char part[4096];
    for (;;) {
        struct pollfd p = {.fd = pipe, .events = POLLIN};
        int64_t left = end - launch_uptime_ms();
        if (left <= 0)
            return false;
        if (poll(&p, 1, left < POLL_MS ? (int)left : POLL_MS) <= 0)
            continue;
        ssize_t n = read(pipe, part, sizeof(part));
        if (n == 0 || (n < 0 && errno != EINTR))
            return true;
        if (n > 0 && out->len + (size_t)n <= out->max)
            vmcp_buf_add(out, part, (size_t)n);
    }
}

/* Somebody else launches it: by hand, or as the child of one that was killed. */
static bool is_busy(const struct vmcp_buf *out)
{
    json_auto_t *report = NULL;
    if (!out->len || vmcp_json_parse_object(out->data, out->len, &report, NULL) < 0)
        return false;
    const char *code = json_string_value(json_object_get(report, "code"));
    return code && strcmp(code, vmcp_code_name(VMCP_E_STATE_BUSY)) == 0;
}

static int launch_once(struct words *w, int64_t end, int *ret_code, struct vmcp_buf *out,
                       struct vmcp_error *err)
{
    auto_close int pipe = -1;
    pid_t pid = 0;
    int status = 0;
    int rc = spawn(w, &pipe, &pid, err);
    if (rc < 0)
        return rc;
    bool ended = read_all(pipe, end, out);
    if (!ended) {
        /* Whatever it has sent is in its state: the next run settles it. */
        kill(pid, SIGTERM);
        if (!read_all(pipe, launch_uptime_ms() + GRACE_MS, out))
            kill(pid, SIGKILL);
    }
    while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
        continue;
    *ret_code = !ended || !WIFEXITED(status) ? -1 : WEXITSTATUS(status);
    return 0;
}

int launch_machine(const struct launch_jobs *jobs, const char *machine, int64_t deadline_ms,
                   int *ret_code, struct vmcp_buf *out, struct vmcp_error *err)
{
    VMCP_AUTO(drop) struct words w = {0};
    int64_t end = launch_uptime_ms() + deadline_ms;
    int rc = collect(jobs->run.settings, machine, &w, err);
    while (rc == 0) {
        vmcp_buf_reset(out);
        rc = launch_once(&w, end, ret_code, out, err);
        if (rc < 0 || !is_busy(out) || launch_uptime_ms() + POLL_MS > end)
            break;
        launch_sleep_ms(POLL_MS);
    }
    return rc;
}
