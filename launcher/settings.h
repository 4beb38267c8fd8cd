/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - what a verb was told: flags, then the environment, then VM-1's own metadata
 * attributes, then defaults (launcher.md, "Settings").
 *
 * The table in settings.c is the whole list: nothing else is taken from the environment or from
 * metadata. For a list, the first source that names any value is the whole list.
 */
#ifndef LAUNCH_SETTINGS_H
#define LAUNCH_SETTINGS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/metadata.h"
#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/limits.h"
#include "lib/options.h"

struct launch_settings {
    /* the machine, and whom to believe */
    const char *endpoint, *machine, *domain, *format, *expect_name;
    struct vmcp_list trust, thumbprints; /* flags */
    const char *trust_env;               /* a path */
    const char *trust_attribute;         /* content */
    bool require_local_trust, allow_http;
    int64_t min_serial, max_skew;
    const char *cacert, *client_cert, *client_key;
    /* the cloud */
    const char *project;
    struct vmcp_list zones;
    const char *credentials;           /* a path */
    const char *credentials_attribute; /* content */
    const char *access_token_file, *impersonate;
    bool self_signed;
    const char *api_endpoint, *token_endpoint, *iam_endpoint, *universe;
    bool insecure_api;
    /* the plan */
    const char *image, *series, *name_suffix;
    int64_t count;    /* 0: what the machine says */
    int64_t parallel; /* VMs at once */
    /* bounds */
    struct vmcp_list allow_service_accounts, allow_image_projects, allow_resource_projects,
        allow_machine_types, allow_private_keys;
    bool allow_external_ip, allow_disk_delete;
    int64_t max_count;
    /* how */
    const char *wait_guest; /* NULL: not */
    const char *wait_api;   /* NULL: not; "": the internal address; "external" */
    bool accept_drift, dry_run, offline, json;
    int64_t boot_timeout, timeout, api_timeout; /* seconds */
    const char *state_dir;

    json_t *attributes; /* owned; what the strings above may point into */
    char **owned;       /* copies of list values and of words from the metadata server */
    size_t owned_count;
};

#define LAUNCH_SETTINGS                                                                   \
    {                                                                                     \
        .min_serial = -1, .max_skew = VMCP_SKEW_DEFAULT, .max_count = 16, .parallel = 16, \
        .boot_timeout = 300, .timeout = 600, .api_timeout = 300, .universe = NULL         \
    }

/* The options of `launch` and `plan`, ending in {0}. */
extern const struct vmcp_option launch_settings_options[];

/* Fill what no flag said: from the environment and, with `attributes`, from the metadata server
 * where there is one. VMCP_E_USAGE for a value of the wrong kind, which names its source. */
VMCP_MUST_CHECK int launch_settings_resolve(struct launch_settings *settings,
                                            const struct launch_metadata *metadata, bool attributes,
                                            struct vmcp_error *err);

/* Project and zones, where nobody named them: those of the machine that we run on. VMCP_E_USAGE
 * where it has none, unless they are `optional`. */
VMCP_MUST_CHECK int launch_settings_place(struct launch_settings *settings,
                                          const struct launch_metadata *metadata, bool optional,
                                          struct vmcp_error *err);

bool launch_list_has(const struct vmcp_list *list, const char *value);

void launch_settings_clear(struct launch_settings *settings);
#define auto_settings VMCP_AUTO(launch_settings_clear)

#endif
