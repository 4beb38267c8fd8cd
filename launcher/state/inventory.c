/* SPDX-License-Identifier: Apache-2.0 */
#include "inventory.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "intent.h"
#include "lib/auto.h"
#include "lib/name.h"
#include "state.h"

struct names {
    struct dirent **items;
    int count;
};

static void names_clear(struct names *names)
{
    for (int i = 0; i < names->count; i++)
        free(names->items[i]);
    free(names->items);
}
#define auto_names VMCP_AUTO(names_clear)

static int visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

/* What is in a folder; one that is not there is empty. */
static int list(const char *path, struct names *ret, struct vmcp_error *err)
{
    int count = scandir(path, &ret->items, visible, alphasort);
    if (count < 0 && errno != ENOENT)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be listed: %s", strerror(errno));
    ret->count = count < 0 ? 0 : count;
    return 0;
}

static int add_intent(void *arg, struct launch_intent *intent, struct vmcp_error *err)
{
    json_t *row =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I}", "role", intent->role, "name", intent->name,
                  "project", intent->project, "zone", intent->zone, "api", intent->api, "requestId",
                  intent->request_id, "created", (json_int_t)intent->created);
    return json_array_append_new(arg, row) < 0
               ? vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a list of intents")
               : 0;
}

static int describe(const char *dir, const char *domain, const char *machine, json_t *row,
                    struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    json_t *intents = json_array();
    int rc = launch_state_open(dir, domain, machine, false, &state, err);
    if (rc == 0)
        rc = launch_intent_each(&state, add_intent, intents, err);
    if (rc < 0) {
        json_decref(intents);
        return rc;
    }
    json_object_set_new(row, "serial", json_integer(launch_state_serial(&state)));
    json_object_set(row, "vms", json_object_get(state.document, "vms"));
    json_object_set_new(row, "intents", intents);
    return 0;
}

static void add_machine(const char *dir, const char *domain, const char *machine, json_t *rows,
                        struct vmcp_error *ret_damaged)
{
    struct vmcp_error why = {0};
    json_t *row = json_pack("{s:s, s:s}", "domain", domain, "machine", machine);
    if (describe(dir, domain, machine, row, &why) < 0) {
        json_object_set_new(row, "damaged", json_string(why.text));
        if (ret_damaged->code == VMCP_OK)
            *ret_damaged = why;
    }
    json_array_append_new(rows, row);
}

int launch_inventory(const char *dir, const char *domain, const char *machine, json_t **ret,
                     struct vmcp_error *ret_damaged, struct vmcp_error *err)
{
    json_auto_t *rows = json_array();
    auto_names struct names domains = {0};
    char path[4096];
    snprintf(path, sizeof(path), "%s/machines", dir);
    int rc = rows ? list(path, &domains, err)
                  : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a list of machines");
    for (int i = 0; rc == 0 && i < domains.count; i++) {
        auto_names struct names machines = {0};
        const char *d = domains.items[i]->d_name;
        if (vmcp_domain_check(d, strlen(d), NULL) < 0 || (domain && strcmp(d, domain) != 0))
            continue;
        snprintf(path, sizeof(path), "%s/machines/%s", dir, d);
        rc = list(path, &machines, err);
        for (int k = 0; rc == 0 && k < machines.count; k++) {
            const char *m = machines.items[k]->d_name;
            if (vmcp_machine_name_check(m, strlen(m), NULL) == 0 &&
                (!machine || strcmp(m, machine) == 0))
                add_machine(dir, d, m, rows, ret_damaged);
        }
    }
    if (rc == 0)
        *ret = steal(&rows);
    return rc;
}

static int remove_file(const char *path, bool dry_run, struct vmcp_error *err)
{
    if (dry_run || unlink(path) == 0 || errno == ENOENT)
        return 0;
    return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be removed: %s", strerror(errno));
}

/* The lock stays: another run may hold it open. */
static int forget(const struct launch_state *state, const struct names *intents, bool dry_run,
                  bool *ret_known, struct vmcp_error *err)
{
    auto_free char *document = NULL;
    struct stat st;
    if (asprintf(&document, "%s/state.json", state->folder) < 0) {
        document = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    *ret_known = intents->count || lstat(document, &st) == 0;
    int rc = remove_file(document, dry_run, err);
    for (int i = 0; rc == 0 && i < intents->count; i++) {
        char path[4096];
        snprintf(path, sizeof(path), "%s/intents/%s", state->folder, intents->items[i]->d_name);
        rc = remove_file(path, dry_run, err);
    }
    auto_close int fd = open(state->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (rc == 0 && fd >= 0 && fsync(fd) < 0 && errno != EINVAL)
        rc = vmcp_fail_at(err, VMCP_E_FILE, state->folder, "cannot be written to the disk: %s",
                          strerror(errno));
    return rc;
}

int launch_inventory_forget(const char *dir, const char *domain, const char *machine, bool force,
                            bool dry_run, bool *ret_known, struct vmcp_error *err)
{
    auto_state struct launch_state state = LAUNCH_STATE;
    auto_names struct names intents = {0};
    char path[4096];
    struct stat st;
    *ret_known = false;
    snprintf(path, sizeof(path), "%s/machines/%s/%s", dir, domain, machine);
    if (lstat(path, &st) < 0)
        return 0;
    int rc = launch_state_lock(dir, domain, machine, &state, err);
    snprintf(path, sizeof(path), "%s/machines/%s/%s/intents", dir, domain, machine);
    if (rc == 0)
        rc = list(path, &intents, err);
    if (rc < 0)
        return rc;
    if (intents.count && !force)
        return vmcp_fail_at(err, VMCP_E_STATE_BUSY, path,
                            "%d insert(s) may have been sent and are not settled: run `vmcp-launch "
                            "launch` to settle them, or say --force and look at the project's "
                            "instances yourself",
                            intents.count);
    return forget(&state, &intents, dry_run, ret_known, err);
}
