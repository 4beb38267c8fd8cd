/* SPDX-License-Identifier: Apache-2.0 */
#include "config.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "auto.h"
#include "buf.h"
#include "file.h"
#include "gcehint.h"
#include "job.h"
#include "json.h"
#include "machine.h"
#include "macro.h"
#include "name.h"
#include "options.h"

static void check_top(const json_t *root, enum vmcp_kind kind, struct vmcp_diags *diags)
{
    static const char *const of_machine[] = {"serial", "machine", "gce", "v1", "count"};
    static const char *const of_job[] = {"serial", "job"};
    const char *const *known = kind == VMCP_KIND_JOB ? of_job : of_machine;
    size_t count = kind == VMCP_KIND_JOB ? 2 : 5;
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)root, key, value)
    {
        bool found = false;
        for (size_t i = 0; i < count; i++)
            found = found || strcmp(known[i], key) == 0;
        char pointer[VMCP_PARAMETER_KEY_MAX] = "";
        vmcp_json_pointer_add(pointer, sizeof(pointer), key);
        const char *near = found ? NULL : vmcp_suggest(key, known, count, sizeof(*known));
        if (near)
            vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, true,
                            "`%.64s` is unknown here; did you mean `%s`?", key, near);
        else if (!found)
            vmcp_diag_error(
                diags, VMCP_E_CONFIG, pointer, true, "`%.64s` is unknown here; there are %s", key,
                kind == VMCP_KIND_JOB ? "serial and job" : "serial, machine, gce, v1 and count");
    }
}

static int64_t take_integer(const json_t *root, const char *key, int64_t min, int64_t max,
                            int64_t otherwise, struct vmcp_diags *diags)
{
    const json_t *value = json_object_get(root, key);
    char pointer[32];
    if (!value)
        return otherwise;
    snprintf(pointer, sizeof(pointer), "/%s", key);
    if (json_is_integer(value) && json_integer_value(value) >= min &&
        json_integer_value(value) <= max)
        return json_integer_value(value);
    vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, false,
                    "`%s` is to be a whole number from %lld to %lld", key, (long long)min,
                    (long long)max);
    return otherwise;
}

static void take_beside(const json_t *root, struct vmcp_config *c, struct vmcp_diags *diags)
{
    const json_t *v1 = json_object_get(root, "v1");
    json_t *gce = json_object_get(root, "gce");
    c->serial = take_integer(root, "serial", 0, VMCP_SERIAL_MAX, 0, diags);
    c->count = take_integer(root, "count", 1, VMCP_COUNT_MAX, 1, diags);
    if (v1 && !json_is_boolean(v1))
        vmcp_diag_error(diags, VMCP_E_CONFIG, "/v1", false, "`v1` is to be true or false");
    c->v1 = json_is_true(v1);
    if (gce && !json_is_object(gce))
        vmcp_diag_error(diags, VMCP_E_CONFIG, "/gce", false,
                        "`gce` is to be an object: fields of a Compute Engine instance");
    c->gce = json_incref(gce);
}

/* `userDataFile` becomes `userData`: a file of the same folder, whole. */
static void read_user_data(json_t *machine, const char *prefix, int dirfd, struct vmcp_diags *diags)
{
    const json_t *name = json_object_get(machine, "userDataFile");
    char pointer[64];
    snprintf(pointer, sizeof(pointer), "%s/userDataFile", prefix);
    if (!name)
        return;
    struct vmcp_error err = {0};
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_USER_DATA_MAX);
    if (!json_is_string(name) || json_object_get(machine, "userData"))
        vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, true,
                        "`userDataFile` is to be a file's name, and to stand without `userData`");
    else if (dirfd < 0)
        vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, true,
                        "`userDataFile` needs a folder: this text came from none");
    else if (vmcp_file_read_at(dirfd, json_string_value(name), &b, &err) < 0)
        vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, false, "%s: %s", err.where, err.text);
    else if (memchr(b.data ? b.data : "", '\0', b.len) ||
             json_object_set_new(machine, "userData", json_stringn(b.data ? b.data : "", b.len)) <
                 0)
        vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, false,
                        "the file is not UTF-8 text without NUL");
    json_object_del(machine, "userDataFile");
}

/* One value of `gce.metadata`: Compute Engine takes no longer one. */
static void check_metadata_value(const json_t *value, const char *pointer, struct vmcp_diags *diags)
{
    if (json_string_length(value) > VMCP_USER_DATA_MAX)
        vmcp_diag_error(diags, VMCP_E_CONFIG, pointer, false,
                        "%zu bytes; Compute Engine takes %d in one metadata value",
                        json_string_length(value), VMCP_USER_DATA_MAX);
}

/* `gce.metadata` is an object of key to value, or has `items` as the API writes it. */
static void check_metadata(const struct vmcp_config *c, struct vmcp_diags *diags)
{
    json_t *metadata = json_object_get(c->gce, "metadata"), *value;
    const char *key;
    char pointer[sizeof(((struct vmcp_diag *)0)->pointer)];
    size_t i;
    json_object_foreach(metadata, key, value)
    {
        snprintf(pointer, sizeof(pointer), "/gce/metadata");
        vmcp_json_pointer_add(pointer, sizeof(pointer), key);
        check_metadata_value(value, pointer, diags);
    }
    json_array_foreach(json_object_get(metadata, "items"), i, value)
    {
        snprintf(pointer, sizeof(pointer), "/gce/metadata/items/%zu/value", i);
        check_metadata_value(json_object_get(value, "value"), pointer, diags);
    }
}

/* A boolean becomes 1 or 0: version 1 has no other way to say it, and both versions say the same.
 */
static void booleans_to_numbers(json_t *machine)
{
    const char *key;
    json_t *value;
    void *tmp;
    json_object_foreach_safe(machine, tmp, key, value)
    {
        if (json_is_boolean(value))
            json_object_set_new(machine, key, json_integer(json_is_true(value)));
    }
}

static void check_macros(const json_t *value, const char *pointer, unsigned allowed, unsigned *used,
                         struct vmcp_diags *diags)
{
    struct vmcp_error err = {0};
    const char *key;
    size_t i;
    json_t *member;
    if (json_is_string(value) && vmcp_macro_scan(json_string_value(value), allowed, used, &err) < 0)
        vmcp_diag_error(diags, VMCP_E_MACRO, pointer, false, "%s", err.text);
    char deeper[sizeof(((struct vmcp_diag *)0)->pointer)];
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        snprintf(deeper, sizeof(deeper), "%s", pointer);
        vmcp_json_pointer_add(deeper, sizeof(deeper), key);
        check_macros(member, deeper, allowed, used, diags);
    }
    json_array_foreach(value, i, member)
    {
        snprintf(deeper, sizeof(deeper), "%s/%zu", pointer, i);
        check_macros(member, deeper, allowed, used, diags);
    }
}

/* `name` and `secret` say which machine it is: they must not change from fetch to fetch. */
static void check_all_macros(struct vmcp_config *c, const char *prefix, struct vmcp_diags *diags)
{
    const unsigned all =
        VMCP_MACRO_HOSTID | VMCP_MACRO_SALT | VMCP_MACRO_UUID | VMCP_MACRO_NOW | VMCP_MACRO_HMAC;
    const unsigned steady = VMCP_MACRO_HOSTID | VMCP_MACRO_HMAC;
    const char *key;
    json_t *value;
    json_object_foreach(c->machine, key, value)
    {
        char pointer[sizeof(((struct vmcp_diag *)0)->pointer)];
        snprintf(pointer, sizeof(pointer), "%s", prefix);
        vmcp_json_pointer_add(pointer, sizeof(pointer), key);
        bool identity = strcmp(key, "name") == 0 || strcmp(key, "secret") == 0;
        check_macros(value, pointer, identity ? steady : all, &c->macros, diags);
    }
    if (c->gce)
        check_macros(c->gce, "/gce", all, &c->macros, diags);
}

/* A job's file. What only Cloud Scheduler writes is not signed. */
static void check_job(const json_t *root, struct vmcp_config *c, struct vmcp_diags *diags)
{
    json_t *document = json_object_get(root, "job");
    auto_job struct vmcp_job job = {0};
    check_top(root, VMCP_KIND_JOB, diags);
    c->serial = take_integer(root, "serial", 0, VMCP_SERIAL_MAX, 0, diags);
    if (!document)
        vmcp_diag_error(diags, VMCP_E_CONFIG, "", false,
                        "a job file is {\"serial\": N, \"job\": {…}}, and this one has no `job`");
    else if (vmcp_job_read(document, "/job", diags, &job, NULL) == 0)
        vmcp_job_strip(document);
    c->job = json_incref(document);
}

static void check_machine(json_t *root, int dirfd, struct vmcp_config *c, struct vmcp_diags *diags)
{
    json_t *machine = json_object_get(root, "machine");
    const char *prefix = machine ? "/machine" : "";
    if (machine) {
        check_top(root, VMCP_KIND_MACHINE, diags);
        take_beside(root, c, diags);
        check_metadata(c, diags);
    } else {
        machine = root;
        c->count = 1;
        c->is_bare = true;
    }
    c->machine = json_incref(machine);
    if (json_is_object(machine)) {
        c->has_user_data_file = json_object_get(machine, "userDataFile");
        read_user_data(machine, prefix, dirfd, diags);
        booleans_to_numbers(machine);
    }
    vmcp_machine_check(machine, prefix, diags);
    check_all_macros(c, prefix, diags);
}

static void check_document(json_t *root, enum vmcp_config_want want, int dirfd,
                           struct vmcp_config *c, struct vmcp_diags *diags)
{
    bool is_job = json_is_object(json_object_get(root, "job")) && !json_object_get(root, "machine");
    bool is_machine = json_object_get(root, "machine") && !json_object_get(root, "job");
    if (want == VMCP_WANT_MACHINE && is_job) {
        vmcp_diag_error(diags, VMCP_E_CONFIG, "/job", true,
                        "a job: its file belongs into the folder `" VMCP_JOBS_FOLDER
                        "` beside the machine files");
    } else if (want == VMCP_WANT_JOB && is_machine) {
        vmcp_diag_error(diags, VMCP_E_CONFIG, "/machine", true,
                        "a machine: its file does not belong into the folder of jobs");
    } else if (want == VMCP_WANT_JOB || is_job) {
        c->kind = VMCP_KIND_JOB;
        check_job(root, c, diags);
    } else {
        check_machine(root, dirfd, c, diags);
    }
}

/* A time zone is known where the job runs, and perhaps not here: no more than a word of warning. */
static void hint_zone(const struct vmcp_config *c, struct vmcp_diags *diags)
{
    const char *name = json_string_value(json_object_get(c->job, "timeZone"));
    auto_zone struct vmcp_zone *zone = NULL;
    struct vmcp_error err;
    if (name && access(VMCP_ZONE_DIR "/Europe", F_OK) == 0 && vmcp_zone_load(name, &zone, &err) < 0)
        vmcp_diag_warning(diags, "/job/timeZone", false, "%s", err.text);
}

/* A fault of the JSON itself, as a diagnosis with its place. */
static void add_syntax_error(struct vmcp_diags *diags, const struct vmcp_error *err)
{
    vmcp_diag_error(diags, err->code, "", false, "%s", err->text);
    struct vmcp_diag *last = diags->count ? &diags->items[diags->count - 1] : NULL;
    if (last && sscanf(err->where, "%zu:%zu", &last->line, &last->column) != 2)
        last->line = last->column = 1;
}

int vmcp_config_parse_as(enum vmcp_config_want want, const char *name, const char *text, size_t len,
                         int dirfd, struct vmcp_config *ret, struct vmcp_diags *diags,
                         struct vmcp_error *err)
{
    auto_diags struct vmcp_diags own = {0};
    auto_config struct vmcp_config c = {0};
    json_auto_t *root = NULL;
    struct vmcp_error syntax = {0};
    int rc = vmcp_machine_name_check(name, strlen(name), err);
    if (rc < 0)
        return rc;
    if (!diags)
        diags = &own;
    size_t before = diags->errors;
    memcpy(c.name, name, strlen(name));
    if (vmcp_json_parse_object(text, len, &root, &syntax) < 0) {
        add_syntax_error(diags, &syntax);
    } else {
        check_document(root, want, dirfd, &c, diags);
        if (diags->want_gce && diags->errors == before && c.kind == VMCP_KIND_MACHINE)
            vmcp_gcehint_check(&c, diags);
        else if (diags->want_gce && diags->errors == before)
            hint_zone(&c, diags);
        vmcp_diags_locate(diags, text, len);
    }
    if (diags->errors > before) {
        rc = vmcp_diags_check(diags, err);
        return rc < 0 ? rc : vmcp_fail(err, VMCP_E_CONFIG, "the file is wrong");
    }
    *ret = c;
    c = (struct vmcp_config){0};
    return 0;
}

int vmcp_config_parse(const char *name, const char *text, size_t len, int dirfd,
                      struct vmcp_config *ret, struct vmcp_diags *diags, struct vmcp_error *err)
{
    return vmcp_config_parse_as(VMCP_WANT_MACHINE, name, text, len, dirfd, ret, diags, err);
}

bool vmcp_config_needs_v2(const struct vmcp_config *config)
{
    return config->kind == VMCP_KIND_JOB || (config->gce && !config->v1) || config->count > 1;
}

void vmcp_config_clear(struct vmcp_config *config)
{
    json_decref(config->machine);
    json_decref(config->gce);
    json_decref(config->job);
    *config = (struct vmcp_config){0};
}
