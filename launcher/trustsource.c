/* SPDX-License-Identifier: Apache-2.0 */
#include "trustsource.h"

#include <string.h>

static int from_flags(const struct launch_settings *s, struct vmcp_trust *trust,
                      struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < s->trust.count; i++)
        rc = vmcp_trust_add_file(trust, s->trust.items[i], err);
    for (size_t i = 0; rc == 0 && i < s->thumbprints.count; i++)
        rc = vmcp_trust_add_thumbprint(trust, s->thumbprints.items[i], err);
    return rc;
}

static int none(const struct launch_settings *s, const char *domain, struct vmcp_error *err)
{
    if (s->trust_attribute)
        return vmcp_fail(err, VMCP_E_TRUST,
                         "only the metadata attribute vmcp-trust has keys for %.120s, and "
                         "--require-local-trust refuses those",
                         domain);
    return vmcp_fail(err, VMCP_E_TRUST,
                     "no keys are trusted for %.120s: give --trust FILE, or put one into "
                     "" VMCP_TRUST_DIR,
                     domain);
}

/* Fill `trust` from the first source that is there; *ret_source is a static string, or NULL where
 * *ret_path (new) names a file. */
static int fill(const struct launch_settings *s, const char *domain, struct vmcp_trust *trust,
                const char **ret_source, char **ret_path, struct vmcp_error *err)
{
    *ret_source = "the keys of the command line";
    if (s->trust.count || s->thumbprints.count)
        return from_flags(s, trust, err);
    *ret_source = "the keys of VMCP_TRUST";
    if (s->trust_env)
        return vmcp_trust_add_file(trust, s->trust_env, err);
    *ret_source = NULL;
    int rc = vmcp_trust_add_dir(trust, VMCP_TRUST_DIR, ret_path, err);
    if (rc < 0 || *ret_path)
        return rc;
    *ret_source = "the keys of the metadata attribute vmcp-trust";
    if (s->trust_attribute && !s->require_local_trust)
        return vmcp_trust_add(trust, "the metadata attribute vmcp-trust", s->trust_attribute,
                              strlen(s->trust_attribute), err);
    return none(s, domain, err);
}

int launch_trust_find(const struct launch_settings *settings, const char *domain,
                      struct vmcp_trust **ret_trust, char **ret_source, struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = NULL;
    auto_free char *path = NULL;
    const char *source = NULL;
    int rc = vmcp_trust_new(domain, &trust, err);
    if (rc == 0)
        rc = fill(settings, domain, trust, &source, &path, err);
    if (rc < 0)
        return rc;
    char *name = source ? strdup(source) : steal(&path);
    if (!name)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    *ret_trust = steal(&trust);
    *ret_source = name;
    return 0;
}
