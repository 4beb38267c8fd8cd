/* SPDX-License-Identifier: Apache-2.0 */
#include "state.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>

#include "cloud/resource.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/name.h"
#include "saver.h"

enum { STATE_MAX = 4 * 1024 * 1024, FORMAT = 1 };

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

/* A file's name is durable only when those of its folders are. */
static void sync_parent(const char *path)
{
    auto_free char *parent = strdup(path);
    char *slash = parent ? strrchr(parent, '/') : NULL;
    if (!slash)
        return;
    slash[slash == parent ? 1 : 0] = '\0';
    auto_close int fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0)
        (void)fsync(fd); /* a file system that cannot says EINVAL, and there is no more to do */
}

/* mkdir -p, with 0700 for what is new. */
static int make_folders(const char *path, struct vmcp_error *err)
{
    auto_free char *p = strdup(path);
    if (!p)
        return no_memory(err);
    for (char *slash = p + 1;; slash++) {
        slash += strcspn(slash, "/");
        char was = *slash;
        *slash = '\0';
        bool made = mkdir(p, 0700) == 0;
        if (!made && errno != EEXIST)
            return vmcp_fail_at(err, VMCP_E_FILE, p, "cannot be made: %s", strerror(errno));
        if (made)
            sync_parent(p);
        *slash = was;
        if (!was)
            return 0;
    }
}

static int choose_dir(const char *given, char **ret, struct vmcp_error *err)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    if (given)
        *ret = strdup(given);
    else if (geteuid() == 0)
        *ret = strdup("/var/lib/vmcp-launch");
    else if (xdg && xdg[0] == '/')
        return join(ret, xdg, "vmcp-launch", err);
    else if (home && home[0] == '/')
        return join(ret, home, ".local/state/vmcp-launch", err);
    else
        return vmcp_fail(err, VMCP_E_FILE, "no place for state: HOME is not set; give --state-dir");
    return *ret ? 0 : no_memory(err);
}

int launch_state_dir(const char *given, char **ret_dir, struct vmcp_error *err)
{
    auto_free char *dir = NULL;
    struct stat st;
    int rc = choose_dir(given, &dir, err);
    if (rc == 0)
        rc = make_folders(dir, err);
    if (rc < 0)
        return rc;
    if (stat(dir, &st) < 0 || !S_ISDIR(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "is not a folder");
    if (st.st_uid != geteuid() || (st.st_mode & 077))
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, dir,
                            "others can reach the state; mend it with: chown %u %s; chmod 700 %s",
                            (unsigned)geteuid(), dir, dir);
    *ret_dir = steal(&dir);
    return 0;
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

static int check_document(const json_t *d, const char *path, const char *domain,
                          const char *machine, struct vmcp_error *err)
{
    const char *its_domain = json_string_value(json_object_get(d, "domain"));
    const char *its_machine = json_string_value(json_object_get(d, "machine"));
    const json_t *serial = json_object_get(d, "serial");
    if (json_integer_value(json_object_get(d, "format")) != FORMAT)
        return damaged(path, "its format is not 1", err);
    if (!its_domain || !its_machine || strcmp(its_domain, domain) != 0 ||
        strcmp(its_machine, machine) != 0)
        return damaged(path, "it is another machine's", err);
    if (!json_is_integer(serial) || json_integer_value(serial) < -1)
        return damaged(path, "no serial", err);
    if (!vms_are_good(json_object_get(d, "vms")))
        return damaged(path, "its list of VMs", err);
    return 0;
}

static int load(struct launch_state *state, const char *domain, const char *machine,
                struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_buf struct vmcp_buf text = VMCP_BUF(STATE_MAX);
    int rc = join(&path, state->folder, "state.json", err);
    if (rc < 0)
        return rc;
    if (!is_there(path)) {
        state->document = json_pack("{s:i, s:s, s:s, s:i, s:[]}", "format", FORMAT, "domain",
                                    domain, "machine", machine, "serial", -1, "vms");
        return state->document ? 0 : no_memory(err);
    }
    rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    if (vmcp_json_parse_object(text.data ? text.data : "", text.len, &state->document, NULL) < 0)
        return damaged(path, "not JSON", err);
    return check_document(state->document, path, domain, machine, err);
}

static int find_folder(const char *dir, const char *domain, const char *machine,
                       struct launch_state *state, struct vmcp_error *err)
{
    if (asprintf(&state->folder, "%s/machines/%s/%s", dir, domain, machine) >= 0)
        return 0;
    state->folder = NULL;
    return no_memory(err);
}

int launch_state_lock(const char *dir, const char *domain, const char *machine,
                      struct launch_state *ret, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    auto_free char *intents = NULL;
    int rc = find_folder(dir, domain, machine, &state, err);
    if (rc == 0)
        rc = join(&intents, state.folder, "intents", err);
    if (rc == 0)
        rc = make_folders(intents, err);
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

int launch_state_open(const char *dir, const char *domain, const char *machine, bool lock,
                      struct launch_state *ret, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    int rc = lock ? launch_state_lock(dir, domain, machine, &state, err)
                  : find_folder(dir, domain, machine, &state, err);
    if (rc == 0)
        rc = load(&state, domain, machine, err);
    if (rc < 0)
        return rc;
    *ret = state;
    state = (struct launch_state)LAUNCH_STATE;
    return 0;
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
    if (!text)
        return no_memory(err);
    int rc = join(&path, state->folder, "state.json", err);
    return rc < 0 ? rc : vmcp_file_replace(path, 0600, text, len, err);
}

static int save(struct launch_state *state, struct vmcp_error *err)
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
    return save(state, err);
}

/* Where a VM stands in the list; its length where it is not. */
static size_t find_vm(const struct launch_state *state, const char *id, const char *api)
{
    const json_t *vms = json_object_get(state->document, "vms");
    size_t i = 0;
    for (; i < json_array_size(vms); i++) {
        const json_t *vm = json_array_get(vms, i);
        if (strcmp(json_string_value(json_object_get(vm, "id")), id) == 0 &&
            strcmp(json_string_value(json_object_get(vm, "api")), api) == 0)
            break;
    }
    return i;
}

bool launch_state_knows_vm(const struct launch_state *state, const char *id, const char *api)
{
    launch_saver_lock(state->saver);
    bool known = find_vm(state, id, api) < json_array_size(json_object_get(state->document, "vms"));
    launch_saver_unlock(state->saver);
    return known;
}

int launch_state_add_vm(struct launch_state *state, const struct launch_vm *vm,
                        struct vmcp_error *err)
{
    if (launch_state_knows_vm(state, vm->id, vm->api))
        return 0;
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s}", "role", vm->role, "id", vm->id, "name",
                  vm->name, "project", vm->project, "zone", vm->zone, "api", vm->api);
    launch_saver_lock(state->saver);
    int failed = json_array_append_new(json_object_get(state->document, "vms"), row);
    launch_saver_unlock(state->saver);
    return failed ? no_memory(err) : save(state, err);
}

int launch_state_drop_vm(struct launch_state *state, const char *id, const char *api,
                         struct vmcp_error *err)
{
    launch_saver_lock(state->saver);
    int missing =
        json_array_remove(json_object_get(state->document, "vms"), find_vm(state, id, api));
    launch_saver_unlock(state->saver);
    return missing ? 0 : save(state, err);
}
