/* SPDX-License-Identifier: Apache-2.0 */
#include "rules.h"

#include <stdbool.h>
#include <string.h>

#include "cloud/resource.h"
#include "machinetype.h"
#include "rules_parts.h"
#include "rules_text.h"

enum { TAGS_MAX = 64, DESCRIPTION_MAX = 2048, HOSTNAME_MAX = 253 };

static bool has_text(const json_t *object, const char *member)
{
    return *launch_rules_text(object, member);
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

static int check_tags(const json_t *body, struct vmcp_error *err)
{
    const json_t *items = json_object_get(json_object_get(body, "tags"), "items");
    if (json_array_size(items) > TAGS_MAX)
        return vmcp_fail_at(err, VMCP_E_PLAN, "tags.items", "more than %d tags", TAGS_MAX);
    for (size_t i = 0; i < json_array_size(items); i++) {
        const char *tag = json_string_value(json_array_get(items, i));
        char clean[80];
        launch_clean(tag, clean, sizeof(clean));
        if (!launch_is_label(tag))
            return vmcp_fail_at(err, VMCP_E_PLAN, "tags.items",
                                "`%s` is no tag: 1 to 63 of a-z 0-9 -, a letter first and no - "
                                "last",
                                clean);
    }
    return 0;
}

static int check_accounts(const json_t *body, struct vmcp_error *err)
{
    static const char prefix[] = "https://www.googleapis.com/auth/";
    const json_t *accounts = json_object_get(body, "serviceAccounts");
    const json_t *account = json_array_get(accounts, 0);
    const json_t *scopes = json_object_get(account, "scopes");
    if (json_array_size(accounts) > 1)
        return vmcp_fail_at(err, VMCP_E_PLAN, "serviceAccounts", "a VM has one service account");
    if (account && !launch_is_account(launch_rules_text(account, "email")))
        return vmcp_fail_at(err, VMCP_E_PLAN, "serviceAccounts[0].email",
                            "an e-mail address, or `default`, is wanted");
    for (size_t i = 0; i < json_array_size(scopes); i++)
        if (strncmp(json_string_value(json_array_get(scopes, i)), prefix, strlen(prefix)) != 0)
            return vmcp_fail_at(err, VMCP_E_PLAN, "serviceAccounts[0].scopes", "a scope is %s…",
                                prefix);
    return 0;
}

/* RFC 1035, fully qualified: labels of 1 to 63, at least two. */
static bool is_hostname(const char *s)
{
    size_t labels = 0;
    if (strlen(s) > HOSTNAME_MAX)
        return false;
    for (;; labels++, s++) {
        char label[LAUNCH_LABEL_MAX + 1];
        size_t len = strcspn(s, ".");
        if (len >= sizeof(label))
            return false;
        memcpy(label, s, len);
        label[len] = '\0';
        if (!launch_is_label(label))
            return false;
        s += len;
        if (!*s)
            return labels > 0;
    }
}

static int check_reservation(const json_t *affinity, struct vmcp_error *err)
{
    bool specific =
        strcmp(launch_rules_text(affinity, "consumeReservationType"), "SPECIFIC_RESERVATION") == 0;
    bool named = has_text(affinity, "key") && json_array_size(json_object_get(affinity, "values"));
    if (affinity && specific != named)
        return vmcp_fail_at(err, VMCP_E_PLAN, "reservationAffinity",
                            "SPECIFIC_RESERVATION has a key and values, and nothing else has them");
    return 0;
}

static int check_rest(const json_t *body, struct vmcp_error *err)
{
    const json_t *hostname = json_object_get(body, "hostname");
    if (hostname && !is_hostname(json_string_value(hostname)))
        return vmcp_fail_at(err, VMCP_E_PLAN, "hostname",
                            "a whole host name is wanted, like web.example.org");
    if (json_array_size(json_object_get(body, "resourcePolicies")) > 1)
        return vmcp_fail_at(err, VMCP_E_PLAN, "resourcePolicies", "a VM has at most one");
    if (strlen(launch_rules_text(body, "description")) > DESCRIPTION_MAX)
        return vmcp_fail_at(err, VMCP_E_PLAN, "description", "over %d bytes", DESCRIPTION_MAX);
    return check_reservation(json_object_get(body, "reservationAffinity"), err);
}

int launch_rules_check(const json_t *body, int64_t image_gb, struct vmcp_error *err)
{
    int rc = check_required(body, err);
    if (rc == 0)
        rc = launch_shape_check(launch_last_part(launch_rules_text(body, "machineType")), err);
    if (rc < 0)
        return err && err->where[0] ? rc : vmcp_error_locate(err, "machineType");
    rc = launch_rules_labels(json_object_get(body, "labels"), "labels", err);
    if (rc == 0)
        rc = check_tags(body, err);
    if (rc == 0)
        rc = check_accounts(body, err);
    if (rc == 0)
        rc = launch_rules_disks(json_object_get(body, "disks"), image_gb, err);
    if (rc == 0)
        rc = launch_rules_network(json_object_get(body, "networkInterfaces"), err);
    if (rc == 0)
        rc = launch_rules_running(body, err);
    return rc < 0 ? rc : check_rest(body, err);
}
