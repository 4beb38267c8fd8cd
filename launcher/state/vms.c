/* SPDX-License-Identifier: Apache-2.0 */
/* The VMs of a state. The oldest stand first. */
#include <string.h>

#include "saver.h"
#include "state.h"

static json_t *list_of(const struct launch_state *state)
{
    return json_object_get(state->document, "vms");
}

static bool says(const json_t *vm, const char *member, const char *value)
{
    const char *text = json_string_value(json_object_get(vm, member));
    return text && strcmp(text, value) == 0;
}

/* Where a VM stands in the list; its length where it is not. */
static size_t find_vm(const struct launch_state *state, const char *id, const char *api)
{
    const json_t *vms = list_of(state);
    size_t i = 0;
    for (; i < json_array_size(vms); i++)
        if (says(json_array_get(vms, i), "id", id) && says(json_array_get(vms, i), "api", api))
            break;
    return i;
}

bool launch_state_knows_vm(const struct launch_state *state, const char *id, const char *api)
{
    launch_saver_lock(state->saver);
    bool known = find_vm(state, id, api) < json_array_size(list_of(state));
    launch_saver_unlock(state->saver);
    return known;
}

/* A name is one VM's at a time: those that had this one's before are gone. */
static void forget_namesakes(struct launch_state *state, const struct launch_vm *vm)
{
    json_t *vms = list_of(state);
    for (size_t i = json_array_size(vms); i-- > 0;) {
        const json_t *other = json_array_get(vms, i);
        if (says(other, "name", vm->name) && says(other, "zone", vm->zone) &&
            says(other, "project", vm->project) && says(other, "api", vm->api))
            json_array_remove(vms, i);
    }
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
    forget_namesakes(state, vm);
    int failed = json_array_append_new(list_of(state), row);
    launch_saver_unlock(state->saver);
    return failed ? vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the state")
                  : launch_state_save(state, err);
}

int launch_state_drop_vm(struct launch_state *state, const char *id, const char *api,
                         struct vmcp_error *err)
{
    launch_saver_lock(state->saver);
    int missing = json_array_remove(list_of(state), find_vm(state, id, api));
    launch_saver_unlock(state->saver);
    return missing ? 0 : launch_state_save(state, err);
}

bool launch_state_forget_oldest(const struct launch_state *state)
{
    launch_saver_lock(state->saver);
    json_t *vms = list_of(state);
    size_t count = json_array_size(vms), part = count / 4;
    for (size_t i = part ? part : count; i-- > 0;)
        json_array_remove(vms, 0);
    launch_saver_unlock(state->saver);
    return count > 0;
}
