/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of disks. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/resource.h"
#include "rules_parts.h"
#include "rules_text.h"

enum { DISKS_MAX = 128, GB_MIN = 10, HYPERDISK_GB_MIN = 4, GB_MAX = 65536 };

static int refuse(size_t i, const char *member, const char *what, struct vmcp_error *err)
{
    char where[80];
    snprintf(where, sizeof(where), "disks[%zu]%s%s", i, *member ? "." : "", member);
    return vmcp_fail_at(err, VMCP_E_PLAN, where, "%s", what);
}

static int check_size(const json_t *disk, size_t i, int64_t image_gb, struct vmcp_error *err)
{
    const json_t *params = json_object_get(disk, "initializeParams");
    const char *type = launch_last_part(launch_rules_text(params, "diskType"));
    const char *size = launch_rules_text(params, "diskSizeGb");
    const char *outer = launch_rules_text(disk, "diskSizeGb");
    char what[120];
    bool scratch = strcmp(launch_rules_text(disk, "type"), "SCRATCH") == 0;
    int64_t least = strncmp(type, "hyperdisk-", 10) == 0 ? HYPERDISK_GB_MIN : GB_MIN;
    if (i == 0 && image_gb > least)
        least = image_gb;
    /* The API takes a size at either place; two that differ are nobody's to choose from. */
    if (*outer && *size && strcmp(outer, size) != 0)
        return refuse(i, "diskSizeGb",
                      "it differs from initializeParams.diskSizeGb; say it there alone", err);
    bool inner = *size;
    if (!inner)
        size = outer;
    if (!*size || scratch)
        return 0;
    long long gb = strtoll(size, NULL, 10);
    if (gb >= least && gb <= GB_MAX)
        return 0;
    snprintf(what, sizeof(what), "%s GB; %lld%s to %d are wanted", size, (long long)least,
             least == image_gb ? " (the image's size)" : "", GB_MAX);
    return refuse(i, inner ? "initializeParams.diskSizeGb" : "diskSizeGb", what, err);
}

static bool is_device_name(const char *s)
{
    size_t len = strlen(s);
    return len <= LAUNCH_LABEL_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == len;
}

static int check_names(const json_t *disk, size_t i, struct vmcp_error *err)
{
    const json_t *params = json_object_get(disk, "initializeParams");
    const char *name = launch_rules_text(params, "diskName");
    char where[80];
    if (*name && !launch_is_label(name))
        return refuse(i, "initializeParams.diskName",
                      "1 to 63 of a-z 0-9 -, a letter first and no - last, is wanted", err);
    if (!is_device_name(launch_rules_text(disk, "deviceName")))
        return refuse(i, "deviceName", "1 to 63 of A-Z a-z 0-9 _ - . is wanted", err);
    snprintf(where, sizeof(where), "disks[%zu].initializeParams.labels", i);
    return launch_rules_labels(json_object_get(params, "labels"), where, err);
}

static int check_source(const json_t *disk, size_t i, struct vmcp_error *err)
{
    const json_t *params = json_object_get(disk, "initializeParams");
    bool scratch = strcmp(launch_rules_text(disk, "type"), "SCRATCH") == 0;
    bool source = *launch_rules_text(disk, "source");
    bool image = *launch_rules_text(params, "sourceImage");
    bool snapshot = *launch_rules_text(params, "sourceSnapshot");
    if (source && params)
        return refuse(i, "", "a source that exists and initializeParams exclude each other", err);
    if (image && snapshot)
        return refuse(i, "initializeParams", "sourceImage and sourceSnapshot exclude each other",
                      err);
    if (scratch && (i == 0 || source || image || snapshot))
        return refuse(i, "type", "a SCRATCH disk is empty, and never the boot disk", err);
    if (!scratch && !source && !params)
        return refuse(i, "", "a source or initializeParams is wanted", err);
    if (i > 0 && json_is_true(json_object_get(disk, "boot")))
        return refuse(i, "boot", "only the first disk is the boot disk", err);
    bool read_only = strcmp(launch_rules_text(disk, "mode"), "READ_ONLY") == 0;
    if (read_only && (i == 0 || !source))
        return refuse(i, "mode", "READ_ONLY is for a further disk that exists already", err);
    return 0;
}

/* Two disks of one name or one device. */
static int check_unique(const json_t *disks, size_t i, struct vmcp_error *err)
{
    const json_t *a = json_array_get(disks, i);
    const char *name = launch_rules_text(json_object_get(a, "initializeParams"), "diskName");
    const char *device = launch_rules_text(a, "deviceName");
    for (size_t k = 0; k < i; k++) {
        const json_t *b = json_array_get(disks, k);
        if (*name && strcmp(name, launch_rules_text(json_object_get(b, "initializeParams"),
                                                    "diskName")) == 0)
            return refuse(i, "initializeParams.diskName", "another disk has it already", err);
        if (*device && strcmp(device, launch_rules_text(b, "deviceName")) == 0)
            return refuse(i, "deviceName", "another disk has it already", err);
    }
    return 0;
}

int launch_rules_disks(const json_t *disks, int64_t image_gb, struct vmcp_error *err)
{
    int rc = 0;
    if (json_array_size(disks) > DISKS_MAX)
        return vmcp_fail_at(err, VMCP_E_PLAN, "disks", "more than %d disks", DISKS_MAX);
    for (size_t i = 0; rc == 0 && i < json_array_size(disks); i++) {
        const json_t *disk = json_array_get(disks, i);
        rc = check_source(disk, i, err);
        if (rc == 0)
            rc = check_size(disk, i, image_gb, err);
        if (rc == 0)
            rc = check_names(disk, i, err);
        if (rc == 0)
            rc = check_unique(disks, i, err);
    }
    return rc;
}
