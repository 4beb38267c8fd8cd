/* SPDX-License-Identifier: Apache-2.0 */
/* The rules of how a VM runs: spot, host maintenance, GPUs, processors, shielding. */
#include <stdlib.h>
#include <string.h>

#include "cloud/resource.h"
#include "rules_parts.h"
#include "rules_text.h"

enum { RUN_MIN_S = 30, RUN_MAX_S = 120 * 86400 };

static bool says(const json_t *object, const char *member, const char *value)
{
    return strcmp(launch_rules_text(object, member), value) == 0;
}

static bool is_spot(const json_t *scheduling)
{
    return says(scheduling, "provisioningModel", "SPOT") ||
           json_is_true(json_object_get(scheduling, "preemptible"));
}

static int check_spot(const json_t *s, struct vmcp_error *err)
{
    const char *model = launch_rules_text(s, "provisioningModel");
    if (json_is_true(json_object_get(s, "preemptible")) && *model && strcmp(model, "SPOT") != 0)
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.preemptible",
                            "a preemptible VM has the provisioningModel SPOT");
    if (is_spot(s) && json_is_true(json_object_get(s, "automaticRestart")))
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.automaticRestart",
                            "a spot VM is not restarted: false is wanted");
    if (is_spot(s) && says(s, "onHostMaintenance", "MIGRATE"))
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.onHostMaintenance",
                            "a spot VM is not migrated: TERMINATE is wanted");
    return 0;
}

static int check_end(const json_t *s, struct vmcp_error *err)
{
    const json_t *duration = json_object_get(s, "maxRunDuration");
    const char *time = launch_rules_text(s, "terminationTime");
    long long seconds = strtoll(launch_rules_text(duration, "seconds"), NULL, 10);
    if (*launch_rules_text(s, "instanceTerminationAction") && !is_spot(s) && !duration && !*time)
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.instanceTerminationAction",
                            "it belongs to SPOT, maxRunDuration or terminationTime");
    if (duration && *time)
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling",
                            "maxRunDuration and terminationTime exclude each other");
    if (duration && (seconds < RUN_MIN_S || seconds > RUN_MAX_S))
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.maxRunDuration",
                            "30 seconds to 120 days are wanted");
    return 0;
}

static int check_accelerators(const json_t *body, struct vmcp_error *err)
{
    const json_t *gpus = json_object_get(body, "guestAccelerators");
    const json_t *s = json_object_get(body, "scheduling");
    const char *type = launch_last_part(launch_rules_text(body, "machineType"));
    if (!json_array_size(gpus))
        return 0;
    for (size_t i = 0; i < json_array_size(gpus); i++) {
        json_int_t n =
            json_integer_value(json_object_get(json_array_get(gpus, i), "acceleratorCount"));
        if (!*launch_rules_text(json_array_get(gpus, i), "acceleratorType"))
            return vmcp_fail_at(err, VMCP_E_PLAN, "guestAccelerators", "each has a type");
        if (n < 1 || n > 16 || (n & (n - 1)))
            return vmcp_fail_at(err, VMCP_E_PLAN, "guestAccelerators",
                                "acceleratorCount is 1, 2, 4, 8 or 16");
    }
    if (strncmp(type, "e2-", 3) == 0)
        return vmcp_fail_at(err, VMCP_E_PLAN, "guestAccelerators",
                            "series e2 takes none; name another with --series or gce.machineType");
    if (!says(s, "onHostMaintenance", "TERMINATE") && !is_spot(s))
        return vmcp_fail_at(err, VMCP_E_PLAN, "scheduling.onHostMaintenance",
                            "a VM with accelerators is not migrated: TERMINATE is wanted");
    return 0;
}

static int check_features(const json_t *body, struct vmcp_error *err)
{
    const json_t *features = json_object_get(body, "advancedMachineFeatures");
    const json_t *threads = json_object_get(features, "threadsPerCore");
    const json_t *cores = json_object_get(features, "visibleCoreCount");
    const json_t *shield = json_object_get(body, "shieldedInstanceConfig");
    if (threads && json_integer_value(threads) != 1 && json_integer_value(threads) != 2)
        return vmcp_fail_at(err, VMCP_E_PLAN, "advancedMachineFeatures.threadsPerCore",
                            "1 or 2 is wanted");
    if (cores && json_integer_value(cores) < 1)
        return vmcp_fail_at(err, VMCP_E_PLAN, "advancedMachineFeatures.visibleCoreCount",
                            "1 or more is wanted");
    if (json_is_true(json_object_get(shield, "enableIntegrityMonitoring")) &&
        json_is_false(json_object_get(shield, "enableVtpm")))
        return vmcp_fail_at(err, VMCP_E_PLAN, "shieldedInstanceConfig",
                            "enableIntegrityMonitoring needs enableVtpm");
    return 0;
}

int launch_rules_running(const json_t *body, struct vmcp_error *err)
{
    const json_t *scheduling = json_object_get(body, "scheduling");
    int rc = check_spot(scheduling, err);
    if (rc == 0)
        rc = check_end(scheduling, err);
    if (rc == 0)
        rc = check_accelerators(body, err);
    return rc < 0 ? rc : check_features(body, err);
}
