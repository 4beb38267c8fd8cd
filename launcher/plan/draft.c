/* SPDX-License-Identifier: Apache-2.0 */
#include "draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/machine.h"
#include "machinetype.h"
#include "session.h"

/* VMCP's own defaults (its parameter table). */
enum { DEFAULT_CPUS = 1, DEFAULT_MEMORY = 256, DEFAULT_DISK = 1024, DISK_GB_MIN = 10 };

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a plan");
}

const char *launch_parameter_string(const struct vmcp_answer *answer, const char *name,
                                    const char *fallback)
{
    const char *value = json_string_value(json_object_get(answer->params, name));
    return value ? value : fallback;
}

json_int_t launch_parameter_integer(const struct vmcp_answer *answer, const char *name,
                                    json_int_t fallback)
{
    const json_t *value = json_object_get(answer->params, name);
    return json_is_integer(value) ? json_integer_value(value) : fallback;
}

void launch_plan_from(struct launch_plan *plan, const char *path, const char *fmt, ...)
{
    char text[256];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_object_set_new(plan->from, path, json_string(text));
}

void launch_plan_warn(struct launch_plan *plan, const char *fmt, ...)
{
    char text[400];
    va_list args;
    va_start(args, fmt);
    vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    json_array_append_new(plan->warnings, json_string(text));
}

static int set(struct launch_plan *plan, const char *member, json_t *value, struct vmcp_error *err)
{
    return json_object_set_new(plan->body, member, value) < 0 ? no_memory(err) : 0;
}

static int set_metadata(struct launch_plan *plan, const char *key, const char *value,
                        struct vmcp_error *err)
{
    json_t *metadata = json_object_get(plan->body, "metadata");
    return json_object_set_new(metadata, key, json_string(value)) < 0 ? no_memory(err) : 0;
}

static int draft_name(const struct launch_subject *s, int64_t number, struct launch_plan *plan,
                      struct vmcp_error *err)
{
    char digits[24] = "";
    const char *name = launch_parameter_string(s->answer, "name", "");
    if (number > 0)
        snprintf(digits, sizeof(digits), "%lld", (long long)number);
    int rc = launch_vm_name(name, s->settings->name_suffix, digits, plan->name, err);
    if (rc < 0)
        return rc;
    launch_plan_from(plan, "name",
                     s->settings->name_suffix ? "signed machine, --name-suffix" : "signed machine");
    return set(plan, "name", json_string(plan->name), err);
}

static int draft_shape(const struct launch_subject *s, struct launch_plan *plan,
                       struct vmcp_error *err)
{
    const char *series = s->settings->series ? s->settings->series : "e2";
    json_int_t cpus = launch_parameter_integer(s->answer, "cpus", DEFAULT_CPUS);
    json_int_t memory = launch_parameter_integer(
        s->answer, "memory", launch_parameter_integer(s->answer, "ram", DEFAULT_MEMORY));
    struct launch_shape shape;
    if (json_is_string(json_object_get(s->answer->gce, "machineType")))
        return 0; /* it wins, and what it replaces need not exist */
    int rc = launch_shape_find(series, cpus, memory, &shape, err);
    if (rc < 0)
        return rc;
    if (shape.cpus != cpus || shape.memory != memory)
        launch_plan_from(plan, "machineType",
                         "signed machine, rounded up: cpus %lld to %lld, memory %lld to %lld MB",
                         (long long)cpus, (long long)shape.cpus, (long long)memory,
                         (long long)shape.memory);
    else
        launch_plan_from(plan, "machineType", "signed machine");
    return set(plan, "machineType", json_string(shape.name), err);
}

static int draft_disk(const struct launch_subject *s, struct launch_plan *plan,
                      struct vmcp_error *err)
{
    json_int_t mb = launch_parameter_integer(s->answer, "disk", DEFAULT_DISK);
    json_int_t gb = (mb + 1023) / 1024;
    char size[24];
    if (gb < DISK_GB_MIN)
        gb = DISK_GB_MIN;
    if (gb < s->image->size_gb)
        gb = s->image->size_gb;
    snprintf(size, sizeof(size), "%lld", (long long)gb);
    json_t *params = json_pack("{s:s}", "diskSizeGb", size);
    if (s->image->known)
        json_object_set_new(params, "sourceImage", json_string(s->image->path));
    json_t *disk =
        json_pack("{s:b, s:b, s:o}", "boot", 1, "autoDelete", 1, "initializeParams", params);
    launch_plan_from(plan, "disks", "default");
    launch_plan_from(plan, "disks[0].initializeParams.diskSizeGb",
                     gb * 1024 == mb ? "signed machine: disk"
                                     : "signed machine: disk of %lld MB, rounded up",
                     (long long)mb);
    launch_plan_from(plan, "disks[0].initializeParams.sourceImage", "%s",
                     json_object_get(s->answer->params, "diskURL") ? "signed machine: diskURL"
                     : s->settings->image                          ? "--image"
                                                                   : "default");
    if (json_object_get(s->answer->params, "diskURL"))
        launch_plan_warn(plan, "diskChecksum cannot be checked against an image of Compute Engine");
    return set(plan, "disks", json_pack("[o]", disk), err);
}

static int draft_network(struct launch_plan *plan, struct vmcp_error *err)
{
    launch_plan_from(plan, "networkInterfaces", "default: no external address");
    return set(plan, "networkInterfaces",
               json_pack("[{s:s}]", "network", "global/networks/default"), err);
}

/* Images that are known to run cloud-init, which reads user-data. */
static bool has_cloud_init(const struct launch_image *image)
{
    static const char *const projects[] = {"ubuntu-os-cloud", "ubuntu-os-pro-cloud", "cos-cloud"};
    for (size_t i = 0; i < sizeof(projects) / sizeof(*projects); i++)
        if (strcmp(image->project, projects[i]) == 0)
            return true;
    return false;
}

static int draft_user_data(const struct launch_subject *s, struct launch_plan *plan,
                           struct vmcp_error *err)
{
    const char *text = launch_parameter_string(s->answer, "userData", "");
    if (!*text)
        return 0;
    if (strncmp(text, "#!", 2) == 0)
        return set_metadata(plan, "startup-script", text, err);
    if (!has_cloud_init(s->image))
        launch_plan_warn(plan,
                         "userData does not begin with #!, so cloud-init has to read it, and "
                         "images of %s are not known to have it (Google's Debian images do not)",
                         s->image->known ? s->image->project : "an unknown project");
    return set_metadata(plan, "user-data", text, err);
}

static int draft_metadata(const struct launch_subject *s, struct launch_plan *plan,
                          struct vmcp_error *err)
{
    char session[LAUNCH_SESSION_LEN + 1], serial[24];
    int rc = launch_session_make(s->domain, s->machine,
                                 launch_parameter_string(s->answer, "secret", ""), session, err);
    if (rc == 0)
        rc = set(plan, "metadata", json_object(), err);
    snprintf(serial, sizeof(serial), "%lld", (long long)s->answer->serial);
    const char *const pairs[][2] = {
        {"block-project-ssh-keys", "TRUE"},
        {"vmcp-domain", s->domain},
        {"vmcp-machine", s->machine},
        {"vmcp-name", launch_parameter_string(s->answer, "name", "")},
        {"vmcp-serial", serial},
        {"vmcp-session", session},
    };
    for (size_t i = 0; rc == 0 && i < sizeof(pairs) / sizeof(*pairs); i++)
        rc = set_metadata(plan, pairs[i][0], pairs[i][1], err);
    launch_plan_from(plan, "metadata", "the launcher's own");
    launch_plan_from(plan, "metadata.block-project-ssh-keys", "default");
    launch_plan_from(plan, "metadata.startup-script", "signed machine: userData");
    launch_plan_from(plan, "metadata.user-data", "signed machine: userData");
    launch_plan_from(plan, "metadata.serial-port-logging-enable", "signed machine: flags");
    if (rc == 0 && s->settings->wait_guest)
        rc = set_metadata(plan, "enable-guest-attributes", "TRUE", err);
    launch_plan_from(plan, "metadata.enable-guest-attributes", "--wait-guest");
    return rc < 0 ? rc : draft_user_data(s, plan, err);
}

static int draft_api_port(const struct launch_subject *s, struct launch_plan *plan,
                          struct vmcp_error *err)
{
    char tag[40];
    json_int_t port = launch_parameter_integer(s->answer, "apiPort", 0);
    if (!port)
        return 0;
    snprintf(tag, sizeof(tag), "vmcp-api-%lld", (long long)port);
    launch_plan_from(plan, "tags", "signed machine: apiPort");
    return set(plan, "tags", json_pack("{s:[s]}", "items", tag), err);
}

static void warn_flags(json_int_t flags, struct launch_plan *plan)
{
    static const struct {
        json_int_t bit;
        const char *what;
    } names[] = {
        {VMCP_FLAG_ONLINE_DISK, "boot from an online disk"},
        {VMCP_FLAG_GUEST_ADDITIONS, "guest additions"},
        {VMCP_FLAG_FLOPPY, "floppy contextualization"},
        {VMCP_FLAG_SECOND_NIC, "second network card"},
        {VMCP_FLAG_LOCAL_DISK, "boot from a local disk"},
        {VMCP_FLAG_IMPORT, "import an appliance"},
        {VMCP_FLAG_LOCAL_ISO, "local ISO"},
    };
    json_int_t rest = flags & ~(json_int_t)(VMCP_FLAG_64BIT | VMCP_FLAG_HEADFUL |
                                            VMCP_FLAG_GRAPHICAL | VMCP_FLAG_SERIAL_LOG);
    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        if (rest & names[i].bit)
            launch_plan_warn(plan, "flag %lld (%s) means nothing on Compute Engine",
                             (long long)names[i].bit, names[i].what);
        rest &= ~names[i].bit;
    }
    if (rest)
        launch_plan_warn(plan, "flags %lld mean nothing on Compute Engine", (long long)rest);
}

static int draft_flags(const struct launch_subject *s, struct launch_plan *plan,
                       struct vmcp_error *err)
{
    json_int_t flags = launch_parameter_integer(s->answer, "flags", 0);
    int rc = 0;
    warn_flags(flags, plan);
    if (flags & (VMCP_FLAG_HEADFUL | VMCP_FLAG_GRAPHICAL)) {
        launch_plan_from(plan, "displayDevice", "signed machine: flags");
        rc = set(plan, "displayDevice", json_pack("{s:b}", "enableDisplay", 1), err);
    }
    if (rc == 0 && (flags & VMCP_FLAG_SERIAL_LOG))
        rc = set_metadata(plan, "serial-port-logging-enable", "TRUE", err);
    return rc;
}

static int draft_shielded(const struct launch_subject *s, struct launch_plan *plan,
                          struct vmcp_error *err)
{
    if (!s->image->uefi) {
        launch_plan_warn(plan, "the boot disk is not known to be UEFI_COMPATIBLE: no secure boot, "
                               "no vTPM");
        return 0;
    }
    launch_plan_from(plan, "shieldedInstanceConfig", "default: the image can");
    return set(plan, "shieldedInstanceConfig",
               json_pack("{s:b, s:b, s:b}", "enableSecureBoot", 1, "enableVtpm", 1,
                         "enableIntegrityMonitoring", 1),
               err);
}

static void warn_ignored(const struct launch_subject *s, struct launch_plan *plan)
{
    static const char *const ignored[] = {"canOverride", "executionCap", "cernvmVersion",
                                          "cernvmFlavor"};
    const char *key;
    json_t *value;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        if (json_object_get(s->answer->params, ignored[i]))
            launch_plan_warn(plan, "%s means nothing on Compute Engine", ignored[i]);
    json_object_foreach(s->answer->params, key, value)
    {
        if (!vmcp_parameter_find(key))
            launch_plan_warn(plan, "`%.64s` is not a parameter of VMCP: ignored", key);
    }
}

int launch_draft(const struct launch_subject *subject, const char *zone, int64_t number,
                 struct launch_plan *plan, struct vmcp_error *err)
{
    plan->body = json_object();
    plan->from = json_object();
    plan->warnings = json_array();
    if (!plan->body || !plan->from || !plan->warnings)
        return no_memory(err);
    snprintf(plan->zone, sizeof(plan->zone), "%s", zone);
    int rc = draft_name(subject, number, plan, err);
    if (rc == 0)
        rc = draft_shape(subject, plan, err);
    if (rc == 0)
        rc = draft_disk(subject, plan, err);
    if (rc == 0)
        rc = draft_network(plan, err);
    if (rc == 0)
        rc = draft_metadata(subject, plan, err);
    if (rc == 0)
        rc = draft_api_port(subject, plan, err);
    if (rc == 0)
        rc = draft_flags(subject, plan, err);
    if (rc == 0)
        rc = draft_shielded(subject, plan, err);
    warn_ignored(subject, plan);
    return rc;
}

/* One of our own labels; NULL: there is none, whatever `gce` says. */
static int own_label(struct launch_plan *plan, json_t *labels, const char *key, const char *text,
                     struct vmcp_error *err)
{
    char value[LAUNCH_LABEL_MAX + 1];
    const char *signed_value = json_string_value(json_object_get(labels, key));
    launch_label_value(text ? text : "", value);
    if (signed_value && (!text || strcmp(signed_value, value) != 0))
        launch_plan_warn(plan, "gce cannot set the label %s: it is the launcher's own", key);
    if (!text) {
        json_object_del(labels, key);
        return 0;
    }
    return json_object_set_new(labels, key, json_string(value)) < 0 ? no_memory(err) : 0;
}

int launch_draft_labels(const struct launch_subject *subject, struct launch_plan *plan,
                        struct vmcp_error *err)
{
    json_t *labels = json_object_get(plan->body, "labels");
    int rc = labels ? 0 : set(plan, "labels", labels = json_object(), err);
    if (rc < 0 || !json_is_object(labels)) /* which the schema refuses */
        return rc;
    rc = own_label(plan, labels, "vmcp-domain", subject->domain, err);
    if (rc == 0)
        rc = own_label(plan, labels, "vmcp-machine", subject->machine, err);
    if (rc == 0)
        rc = own_label(plan, labels, "vmcp-by", subject->made_by, err);
    launch_plan_from(plan, "labels", "the launcher's own");
    return rc;
}
