/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cloud/resource.h"
#include "folder.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/name.h"
#include "saver.h"

enum {
    READ_MAX = 16 * 1024 * 1024, /* what is written stays far below it */
    WRITE_MAX = 4 * 1024 * 1024, /* 20,000 VMs and more */
    FORMAT = 1
};

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the state");
}

static int damaged(const char *path, const char *what, struct vmcp_error *err)
{
    return vmcp_fail_at(
        err, VMCP_E_STATE, path,
        "is damaged: %s; restore it, or start anew with `vmcp-launch state reset` (the "
        "serial floor is then --min-serial alone)",
        what);
}

static int join(char **ret, const char *folder, const char *name, struct vmcp_error *err)
{
    if (asprintf(ret, "%s/%s", folder, name) >= 0)
        return 0;
    *ret = NULL;
    return no_memory(err);
}

/* Open and lock; `wait` for as long as somebody else holds it. */
static int lock_file(const char *folder, const char *name, bool wait, int *ret,
                     struct vmcp_error *err)
{
    auto_free char *path = NULL;
    int rc = join(&path, folder, name, err);
    if (rc < 0)
        return rc;
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    do
        rc = flock(fd, wait ? LOCK_EX : LOCK_EX | LOCK_NB);
    while (rc < 0 && errno == EINTR);
    if (rc < 0 && errno == EWOULDBLOCK)
        return vmcp_fail_at(err, VMCP_E_STATE_BUSY, path,
                            "another vmcp-launch is at work on this machine; wait for it to end");
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be locked: %s", strerror(errno));
    *ret = fd;
    fd = -1;
    return 0;
}

static bool is_there(const char *path)
{
    struct stat st;
    return lstat(path, &st) == 0;
}

static int make_local_id(const char *path, struct vmcp_error *err)
{
    char id[VMCP_SALT_LEN + 2];
    int rc = vmcp_salt_make(id, err);
    if (rc < 0)
        return rc;
    memcpy(id + VMCP_SALT_LEN, "\n", 2);
    return vmcp_file_replace(path, 0600, id, VMCP_SALT_LEN + 1, err);
}

int launch_local_id(const char *dir, char ret[static VMCP_SALT_LEN + 1], struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_close int lock = -1;
    auto_buf struct vmcp_buf text = VMCP_BUF(256);
    int rc = join(&path, dir, "local-id", err);
    if (rc == 0)
        rc = lock_file(dir, "lock", true, &lock, err); /* two first runs make one id */
    if (rc == 0 && !is_there(path))
        rc = make_local_id(path, err);
    if (rc == 0)
        rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    if (text.len != VMCP_SALT_LEN + 1 || text.data[VMCP_SALT_LEN] != '\n' ||
        vmcp_salt_check(text.data, VMCP_SALT_LEN, NULL) < 0)
        return damaged(path, "not a local id of 64 characters", err);
    memcpy(ret, text.data, VMCP_SALT_LEN);
    ret[VMCP_SALT_LEN] = '\0';
    return 0;
}

static bool vms_are_good(const json_t *vms)
{
    static const char *const members[] = {"role", "id", "name", "project", "zone", "api"};
    for (size_t i = 0; i < json_array_size(vms); i++) {
        const json_t *vm = json_array_get(vms, i);
        for (size_t k = 0; k < sizeof(members) / sizeof(*members); k++)
            if (!json_is_string(json_object_get(vm, members[k])))
                return false;
        if (!launch_is_id(json_string_value(json_object_get(vm, "id"))))
            return false;
    }
    return json_is_array(vms);
}

static int check_document(const json_t *d, const char *path, enum vmcp_kind kind,
                          const char *domain, const char *name, struct vmcp_error *err)
{
    const char *its_domain = json_string_value(json_object_get(d, "domain"));
    const char *its_name = json_string_value(json_object_get(d, vmcp_kind_name(kind)));
    const json_t *serial = json_object_get(d, "serial");
    if (json_integer_value(json_object_get(d, "format")) != FORMAT)
        return damaged(path, "its format is not 1", err);
    if (!its_domain || !its_name || strcmp(its_domain, domain) != 0 || strcmp(its_name, name) != 0)
        return damaged(
            path, kind == VMCP_KIND_JOB ? "it is another job's" : "it is another machine's", err);
    if (!json_is_integer(serial) || json_integer_value(serial) < -1)
        return damaged(path, "no serial", err);
    if (!vms_are_good(json_object_get(d, "vms")))
        return damaged(path, "its list of VMs", err);
    return 0;
}

static int load(struct launch_state *state, enum vmcp_kind kind, const char *domain,
                const char *name, struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_buf struct vmcp_buf text = VMCP_BUF(READ_MAX);
    int rc = join(&path, state->folder, "state.json", err);
    if (rc < 0)
        return rc;
    if (!is_there(path)) {
        state->document = json_pack("{s:i, s:s, s:s, s:i, s:[]}", "format", FORMAT, "domain",
                                    domain, vmcp_kind_name(kind), name, "serial", -1, "vms");
        return state->document ? 0 : no_memory(err);
    }
    rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    if (vmcp_json_parse_object(text.data ? text.data : "", text.len, &state->document, NULL) < 0)
        return damaged(path, "not JSON", err);
    return check_document(state->document, path, kind, domain, name, err);
}

/* Names belong to a kind: the job `web` is not the machine `web`. */
static int find_folder(const char *dir, enum vmcp_kind kind, const char *domain, const char *name,
                       struct launch_state *state, struct vmcp_error *err)
{
    if (asprintf(&state->folder, "%s/%ss/%s/%s", dir, vmcp_kind_name(kind), domain, name) >= 0)
        return 0;
    state->folder = NULL;
    return no_memory(err);
}

static int lock_kind(const char *dir, enum vmcp_kind kind, const char *domain, const char *name,
                     struct launch_state *ret, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    auto_free char *intents = NULL;
    int rc = find_folder(dir, kind, domain, name, &state, err);
    if (rc == 0)
        rc = join(&intents, state.folder, "intents", err);
    if (rc == 0)
        rc = launch_folders_make(intents, err);
    if (rc == 0)
        rc = lock_file(state.folder, "lock", false, &state.lock, err);
    if (rc == 0)
        rc = launch_saver_new(&state.saver, err);
    if (rc < 0)
        return rc;
    *ret = state;
    state = (struct launch_state)LAUNCH_STATE;
    return 0;
}

int launch_state_lock(const char *dir, const char *domain, const char *machine,
                      struct launch_state *ret, struct vmcp_error *err)
{
    return lock_kind(dir, VMCP_KIND_MACHINE, domain, machine, ret, err);
}

static int open_kind(const char *dir, enum vmcp_kind kind, const char *domain, const char *name,
                     bool lock, struct launch_state *ret, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    int rc = lock ? lock_kind(dir, kind, domain, name, &state, err)
                  : find_folder(dir, kind, domain, name, &state, err);
    if (rc == 0)
        rc = load(&state, kind, domain, name, err);
    if (rc < 0)
        return rc;
    *ret = state;
    state = (struct launch_state)LAUNCH_STATE;
    return 0;
}

int launch_state_open(const char *dir, const char *domain, const char *machine, bool lock,
                      struct launch_state *ret, struct vmcp_error *err)
{
    return open_kind(dir, VMCP_KIND_MACHINE, domain, machine, lock, ret, err);
}

int launch_state_open_job(const char *dir, const char *domain, const char *job, bool lock,
                          struct launch_state *ret, struct vmcp_error *err)
{
    return open_kind(dir, VMCP_KIND_JOB, domain, job, lock, ret, err);
}

void launch_state_close(struct launch_state *state)
{
    free(state->folder);
    json_decref(state->document);
    launch_saver_free(state->saver);
    if (state->lock >= 0)
        close(state->lock);
    *state = (struct launch_state)LAUNCH_STATE;
}

static int write_document(void *arg, struct vmcp_error *err)
{
    const struct launch_state *state = arg;
    auto_free char *path = NULL;
    size_t len = 0;
    auto_free char *text = launch_saver_text(state->saver, state->document, &len);
    while (text && len > WRITE_MAX && launch_state_forget_oldest(state)) {
        free(text);
        text = launch_saver_text(state->saver, state->document, &len);
    }
    if (!text)
        return no_memory(err);
    int rc = join(&path, state->folder, "state.json", err);
    return rc < 0 ? rc : vmcp_file_replace(path, 0600, text, len, err);
}

int launch_state_save(struct launch_state *state, struct vmcp_error *err)
{
    if (state->lock < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "the state is written without its lock");
    return launch_saver_save(state->saver, write_document, state, err);
}

int64_t launch_state_serial(const struct launch_state *state)
{
    return json_integer_value(json_object_get(state->document, "serial"));
}

int launch_state_raise(struct launch_state *state, int64_t serial, struct vmcp_error *err)
{
    if (serial <= launch_state_serial(state))
        return 0;
    if (json_object_set_new(state->document, "serial", json_integer(serial)) < 0)
        return no_memory(err);
    return launch_state_save(state, err);
}
