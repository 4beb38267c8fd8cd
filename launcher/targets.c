/* SPDX-License-Identifier: Apache-2.0 */
#include "targets.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/instance.h"
#include "plan/draft.h"
#include "plan/session.h"

struct finder {
    struct launch_run *run;
    const struct launch_search *search;
    struct launch_targets *found;
    /* As flags or the environment named them: not what VM-1's own place fills in. */
    const char *project; /* NULL: not named */
    struct vmcp_list zones;
};

static bool has(const struct launch_targets *found, const char *id)
{
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(found->items[i].id, id) == 0)
            return true;
    return false;
}

/* Takes the instance (NULL: it is gone). */
static int add(struct finder *f, const char *project, const char *zone, const char *name,
               const char *id, json_t *instance, struct vmcp_error *err)
{
    struct launch_targets *t = f->found;
    struct launch_target *more = realloc(t->items, (t->count + 1) * sizeof(*more));
    if (!more) {
        json_decref(instance);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a list of VMs");
    }
    t->items = more;
    struct launch_target *new = &t->items[t->count++];
    *new = (struct launch_target){.instance = instance};
    snprintf(new->project, sizeof(new->project), "%s", project);
    snprintf(new->zone, sizeof(new->zone), "%s", zone);
    snprintf(new->name, sizeof(new->name), "%s", name);
    snprintf(new->id, sizeof(new->id), "%s", id);
    return 0;
}

static const char *name_of(const json_t *instance)
{
    const char *name = json_string_value(json_object_get(instance, "name"));
    return name && launch_is_label(name) ? name : "(no name)";
}

/* --force ID, in the zones that were given. */
static int find_forced(struct finder *f, const char *id, struct vmcp_error *err)
{
    const struct launch_settings *s = f->run->settings;
    if (!launch_is_id(id))
        return vmcp_fail(err, VMCP_E_USAGE, "--force: a VM's numeric id is wanted");
    if (!s->project || !s->zones.count)
        return vmcp_fail(err, VMCP_E_USAGE, "--force needs --project and --zone");
    for (size_t i = 0; i < s->zones.count; i++) {
        json_t *instance = NULL;
        int rc = launch_instance_get(&f->run->compute, s->zones.items[i], id, &instance, err);
        if (rc < 0)
            return rc;
        if (instance && strcmp(launch_instance_id(instance), id) == 0)
            return add(f, s->project, s->zones.items[i], name_of(instance), id, instance, err);
        json_decref(instance);
    }
    return vmcp_fail_at(err, VMCP_E_SESSION, id, "no VM of that id is in the zones given");
}

static bool is_wanted(const struct finder *f, const char *role, const char *name, const char *id)
{
    const struct vmcp_list *wanted = f->search->wanted;
    if (!wanted->count)
        return strcmp(role, "vm") == 0;
    return launch_list_has(wanted, name) || launch_list_has(wanted, id);
}

/* The N of NAME-N; 0: the name has none. */
static long number_of(const char *name, size_t *ret_stem)
{
    const char *dash = strrchr(name, '-');
    *ret_stem = strlen(name);
    if (!dash || !dash[1] || strlen(dash + 1) > 4 ||
        strspn(dash + 1, "0123456789") != strlen(dash + 1))
        return 0;
    *ret_stem = (size_t)(dash - name);
    return strtol(dash + 1, NULL, 10);
}

/* Whether a VM that the state knows is one of those that the options name. */
static bool is_selected(const struct finder *f, const char *name, const char *project,
                        const char *zone)
{
    const struct launch_settings *s = f->run->settings;
    size_t stem = 0, suffix = s->name_suffix ? strlen(s->name_suffix) : 0;
    long number = number_of(name, &stem);
    if ((f->project && strcmp(f->project, project) != 0) ||
        (f->zones.count && !launch_list_has(&f->zones, zone)))
        return false;
    if (s->count && (number ? number > s->count : s->count > 1))
        return false;
    if (!suffix)
        return true;
    size_t len = strlen(name); /* NAME-S, or NAME-S-N; S may itself end in a number */
    return (len > suffix && name[len - suffix - 1] == '-' &&
            strcmp(name + len - suffix, s->name_suffix) == 0) ||
           (number && stem > suffix && name[stem - suffix - 1] == '-' &&
            strncmp(name + stem - suffix, s->name_suffix, suffix) == 0);
}

/* What the state knows, as it is now. */
static int find_known(struct finder *f, struct vmcp_error *err)
{
    const json_t *vms = json_object_get(f->run->state.document, "vms");
    for (size_t i = 0; i < json_array_size(vms); i++) {
        const json_t *vm = json_array_get(vms, i);
        const char *name = json_string_value(json_object_get(vm, "name"));
        const char *id = json_string_value(json_object_get(vm, "id"));
        const char *project = json_string_value(json_object_get(vm, "project"));
        const char *zone = json_string_value(json_object_get(vm, "zone"));
        const char *api = json_string_value(json_object_get(vm, "api"));
        json_t *instance = NULL;
        if (strcmp(api, f->run->compute.base) != 0 || !launch_is_label(zone) ||
            !launch_is_project(project) ||
            !is_wanted(f, json_string_value(json_object_get(vm, "role")), name, id) ||
            !is_selected(f, name, project, zone))
            continue;
        struct launch_compute there = f->run->compute;
        there.project = project;
        int rc = launch_instance_get(&there, zone, id, &instance, err);
        if (rc == 0)
            rc = add(f, project, zone, name, id, instance, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* By the name that a good answer gives. */
static int find_named(struct finder *f, const char *name, struct vmcp_error *err)
{
    const struct launch_run *run = f->run;
    const struct launch_settings *s = run->settings;
    for (size_t i = 0; i < s->zones.count; i++) {
        json_t *instance = NULL;
        int rc = launch_instance_get(&run->compute, s->zones.items[i], name, &instance, err);
        if (rc < 0)
            return rc;
        const char *id = launch_instance_id(instance);
        if (!instance || has(f->found, id) || !is_wanted(f, "vm", name, id)) {
            json_decref(instance);
            continue;
        }
        rc = launch_session_check(instance, run->domain, run->machine,
                                  launch_parameter_string(&run->answer, "secret", ""), err);
        if (rc < 0) {
            json_decref(instance);
            return vmcp_error_locate(err, name);
        }
        char kept[24];
        snprintf(kept, sizeof(kept), "%s", id);
        rc = add(f, s->project, s->zones.items[i], name, kept, instance, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

static int find_answered(struct finder *f, struct vmcp_error *err)
{
    struct launch_run *run = f->run;
    const struct launch_settings *s = run->settings;
    int64_t count = s->count ? s->count : run->answer.count;
    if (!s->project || !s->zones.count)
        return vmcp_fail(err, VMCP_E_USAGE, "no project or zone: give --project and --zone");
    for (int64_t i = 1; i <= count; i++) {
        char name[LAUNCH_LABEL_MAX + 1], digits[24] = "";
        if (count > 1)
            snprintf(digits, sizeof(digits), "%lld", (long long)i);
        int rc = launch_vm_name(launch_parameter_string(&run->answer, "name", ""), s->name_suffix,
                                digits, name, err);
        if (rc == 0)
            rc = find_named(f, name, err);
        if (rc < 0)
            return rc;
    }
    return 0;
}

/* The first name or id that was asked for and is not there; NULL: all are. */
static const char *missing(const struct finder *f)
{
    const struct vmcp_list *wanted = f->search->wanted;
    for (size_t i = 0; i < wanted->count; i++) {
        bool found = false;
        for (size_t k = 0; k < f->found->count; k++)
            found |= strcmp(wanted->items[i], f->found->items[k].name) == 0 ||
                     strcmp(wanted->items[i], f->found->items[k].id) == 0;
        if (!found)
            return wanted->items[i];
    }
    return NULL;
}

static int ask(struct finder *f, bool state_is_open, struct vmcp_error *err)
{
    int rc = launch_run_trust(f->run, err);
    if (rc == 0)
        rc = launch_run_fetch(f->run, err);
    if (rc == 0 && !state_is_open) {
        rc = launch_run_settle(f->run, f->search->write, err);
        if (rc == 0)
            rc = find_known(f, err);
    }
    if (rc == 0)
        rc = launch_run_check_serial(f->run, err);
    return rc < 0 ? rc : find_answered(f, err);
}

static int find_own(struct finder *f, struct vmcp_error *err)
{
    struct launch_run *run = f->run;
    bool known = *run->machine;
    int rc = known ? launch_run_settle(run, f->search->write, err) : 0;
    if (rc == 0 && known)
        rc = find_known(f, err);
    bool enough = f->search->wanted->count ? !missing(f) : f->found->count > 0;
    if (rc < 0 || enough)
        return rc;
    if (run->settings->endpoint)
        rc = ask(f, known, err);
    else if (!known)
        return vmcp_fail(err, VMCP_E_USAGE, "which machine? give --machine or --endpoint");
    const char *name = rc == 0 ? missing(f) : NULL;
    if (name)
        return vmcp_fail_at(err, VMCP_E_SESSION, name,
                            "no VM of that name or id is known from here or fits the machine's "
                            "answer%s; --force ID takes any",
                            run->settings->endpoint ? "" : " (no --endpoint to ask for one)");
    return rc;
}

int launch_targets_find(struct launch_run *run, const struct launch_search *search,
                        struct launch_targets *ret, struct vmcp_error *err)
{
    struct finder f = {.run = run,
                       .search = search,
                       .found = ret,
                       .project = run->settings->project,
                       .zones = run->settings->zones};
    bool named = run->settings->endpoint || run->settings->domain;
    run->place_optional = true;
    int rc = named || !search->forced->count ? launch_run_name(run, err) : 0;
    if (rc == 0)
        rc = launch_run_cloud(run, err);
    for (size_t i = 0; rc == 0 && i < search->forced->count; i++)
        rc = find_forced(&f, search->forced->items[i], err);
    if (rc < 0)
        return rc;
    if (!search->forced->count)
        return find_own(&f, err);
    /* It may be in the state all the same, and is to be forgotten there. */
    return *run->machine ? launch_run_state(run, search->write, err) : 0;
}

json_t *launch_target_row(const struct launch_target *target)
{
    const json_t *i = target->instance;
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "name", target->name, "project",
                            target->project, "zone", target->zone, "id", target->id, "status",
                            i ? launch_instance_status(i) : "GONE");
    if (i)
        json_object_set_new(row, "internalIp", json_string(launch_instance_internal_ip(i)));
    if (i && *launch_instance_external_ip(i))
        json_object_set_new(row, "externalIp", json_string(launch_instance_external_ip(i)));
    return row;
}

void launch_targets_clear(struct launch_targets *targets)
{
    for (size_t i = 0; i < targets->count; i++)
        json_decref(targets->items[i].instance);
    free(targets->items);
    *targets = (struct launch_targets){0};
}
