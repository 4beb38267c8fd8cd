/* SPDX-License-Identifier: Apache-2.0 */
#include "advice.h"

#include <stdio.h>
#include <string.h>

static const struct {
    const char *code, *message; /* how it begins; what the message holds (NULL: anything) */
    const char *advice;
} rows[] = {
    {"ZONE_RESOURCE_POOL_EXHAUSTED", NULL,
     "the zone has no room for such a VM now: name further zones (--zone may be repeated), another "
     "machine type, or try later"},
    {"QUOTA_EXCEEDED", NULL,
     "the project's quota is used up: ask for more (Cloud Console, IAM & Admin, Quotas), or use "
     "another region"},
    {"quotaExceeded", NULL,
     "the project's quota is used up: ask for more (Cloud Console, IAM & Admin, Quotas), or use "
     "another region"},
    {"insufficientPermissions", NULL,
     "the VM's access scopes do not hold compute: stop VM-1 and give it the scope "
     "https://www.googleapis.com/auth/compute"},
    {"", "insufficient authentication scopes",
     "the VM's access scopes do not hold compute: stop VM-1 and give it the scope "
     "https://www.googleapis.com/auth/compute"},
    {"accessNotConfigured", NULL,
     "the project does not use the Compute Engine API yet: gcloud services enable "
     "compute.googleapis.com"},
    {"SERVICE_DISABLED", NULL,
     "the project does not use the Compute Engine API yet: gcloud services enable "
     "compute.googleapis.com"},
    {"CONDITION_NOT_MET", NULL,
     "a policy of the organisation, or the state of a resource, forbids it: the message says "
     "which"},
    {"rateLimitExceeded", NULL,
     "too many requests in a minute: try later, or with less --parallel"},
    {"RATE_LIMIT_EXCEEDED", NULL,
     "too many requests in a minute: try later, or with less --parallel"},
    {"RESOURCE_OPERATION_RATE_EXCEEDED", NULL,
     "too many operations on one resource: try later, or with less --parallel"},
    {"RESOURCE_IN_USE", NULL, "another VM uses that resource; free it, or name another"},
    {"RESOURCE_ALREADY_EXISTS", NULL,
     "the name of a disk or address is taken: delete it, or use --name-suffix"},
    {"RESOURCE_NOT_FOUND", NULL, "what the message names is not there, or not to be seen"},
    {"INTERNAL_ERROR", NULL, "a fault of Google's: run the same command again"},
    {"notFound", NULL,
     "what the message names is not there, or these credentials may not see it: look at --project, "
     "--zone and the image"},
};

/* Permissions and the predefined role that has them. */
static const struct {
    const char *permission, *role;
} roles[] = {
    {"access to service account", "roles/iam.serviceAccountUser on that service account"},
    {"iam.serviceAccounts.actAs", "roles/iam.serviceAccountUser on that service account"},
    {"compute.subnetworks.use", "roles/compute.networkUser on the subnetwork"},
    {"compute.images.", "roles/compute.imageUser on the image's project"},
    {"compute.", "roles/compute.instanceAdmin.v1"},
    {"SERVICE_ACCOUNT_ACCESS_DENIED", "roles/iam.serviceAccountUser on that service account"},
};

static const char *role_for(const char *message)
{
    for (size_t i = 0; i < sizeof(roles) / sizeof(*roles); i++)
        if (strstr(message, roles[i].permission))
            return roles[i].role;
    return NULL;
}

static bool is_denied(const char *code)
{
    static const char *const codes[] = {"forbidden", "PERMISSION_DENIED", "PERMISSIONS_ERROR",
                                        "IAM_PERMISSION_DENIED", "SERVICE_ACCOUNT_ACCESS_DENIED"};
    for (size_t i = 0; i < sizeof(codes) / sizeof(*codes); i++)
        if (strcmp(code, codes[i]) == 0)
            return true;
    return false;
}

const char *launch_advice(const char *code, const char *message, const char *who, char *buffer,
                          int size)
{
    const char *role = is_denied(code) ? role_for(message) : NULL;
    if (role) {
        snprintf(buffer, (size_t)size,
                 "that permission is missing: grant %s %s, or a role made from `vmcp-launch "
                 "least-privilege`",
                 who, role);
        return buffer;
    }
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (strncmp(code, rows[i].code, strlen(rows[i].code)) == 0 &&
            (rows[i].message ? strstr(message, rows[i].message) != NULL : *rows[i].code))
            return rows[i].advice;
    return NULL;
}
