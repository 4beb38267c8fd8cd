/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include "cloud/resource.h"

static bool has_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text && *text;
}

/* A signed `gce` part can take away what the draft had; without these there is no VM. */
static int check_required(const json_t *body, struct vmcp_error *err)
{
    const json_t *boot = json_array_get(json_object_get(body, "disks"), 0);
    const json_t *params = json_object_get(boot, "initializeParams");
    if (!has_text(body, "name"))
        return vmcp_fail_at(err, VMCP_E_PLAN, "name", "the body has no name");
    if (!has_text(body, "machineType"))
        return vmcp_fail_at(err, VMCP_E_PLAN, "machineType",
                            "the body has no machine type: gce takes it away");
    if (!json_array_size(json_object_get(body, "networkInterfaces")))
        return vmcp_fail_at(err, VMCP_E_PLAN, "networkInterfaces",
                            "the body has no network interface: gce takes it away");
    if (!json_is_true(json_object_get(boot, "boot")))
        return vmcp_fail_at(err, VMCP_E_PLAN, "disks[0].boot",
                            "the first disk is the boot disk: `true` is wanted");
    if (!has_text(boot, "source") && !has_text(params, "sourceImage") &&
        !has_text(params, "sourceSnapshot"))
        return vmcp_fail_at(err, VMCP_E_PLAN, "disks[0].initializeParams",
                            "the boot disk has nothing to boot: sourceImage, sourceSnapshot or a "
                            "source is wanted, and gce takes it away");
    return 0;
}

int launch_rules_check(const json_t *body, struct vmcp_error *err)
{
    return check_required(body, err);
}
