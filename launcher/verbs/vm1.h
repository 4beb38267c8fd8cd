/* SPDX-License-Identifier: Apache-2.0 */
/* vm1.h - the insert body of VM-1, the VM that launches. */
#ifndef LAUNCH_VM1_H
#define LAUNCH_VM1_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "cloud/image.h"
#include "lib/error.h"
#include "lib/options.h"
#include "settings.h"

/* What the operator said. All borrowed. */
struct launch_vm1 {
    struct launch_settings settings;
    const char *name, *verify_endpoint;
    const char *launcher_url, *launcher_sha256;
    const char *service_account, *vm_credentials;
    struct vmcp_list scopes;
    const char *machine_type, *network, *subnetwork;
    bool external_ip;
};

/* The command that fills it. */
extern const struct vmcp_command launch_vm1_command;

/* What was found out before the body is made. All borrowed. */
struct launch_vm1_facts {
    const char *endpoint; /* that VM-1 will ask */
    const char *domain, *machine;
    const char *trust_pem;   /* for the attribute vmcp-trust */
    int64_t serial;          /* for vmcp-min-serial */
    const char *credentials; /* content of --vm-credentials, or NULL */
    const char *script;
    const char *mark; /* a random value for vmcp-bootstrap, by which this VM is known again */
    const struct launch_image *image;
};

/* *ret is a new reference; it may hold a private key: wipe it. VMCP_E_USAGE for a name, account,
 * scope or type that Compute Engine would not take, VMCP_E_PLAN. */
VMCP_MUST_CHECK int launch_vm1_body(const struct launch_vm1 *vm1,
                                    const struct launch_vm1_facts *facts, json_t **ret,
                                    struct vmcp_error *err);

#endif
