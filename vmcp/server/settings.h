/* SPDX-License-Identifier: Apache-2.0 */
/* settings.h - vmcpd's command line. */
#ifndef SRV_SETTINGS_H
#define SRV_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/error.h"
#include "lib/options.h"
#include "lib/passphrase.h"
#include "lib/sign.h"
#include "transport.h"

/* All strings are borrowed from argv. */
struct srv_settings {
    /* what is signed, and with what: read again at each reload */
    const char *domain, *configs, *fallback, *alg, *secret, *keys_dir, *keystore_dir, *passphrase,
        *universe;
    struct vmcp_list keys;
    int64_t ttl, retire_after;
    struct vmcp_passphrase *pass;   /* of --passphrase: read when first needed, kept for reloads */
    const struct vmcp_alg *rsa_alg; /* of --alg; NULL: the default */
    /* how it is served: read once */
    struct srv_transport_settings transport; /* its certificate is read at each reload too */
    const char *access_log, *log_format, *metrics, *control;
    const char *user;    /* NULL: who started it */
    const char *sandbox; /* "on" or "off" */
    bool watch, check, version;
    bool log_json; /* of --log-format */
    bool list_machines;
};

extern const struct vmcp_command srv_command;

/* Parse and check the command line. *ret_help: --help was asked for, nothing else was checked.
 * Errors: VMCP_E_USAGE, VMCP_E_DOMAIN_MALFORMED. */
VMCP_MUST_CHECK int srv_settings_parse(int argc, char **argv, struct srv_settings *ret,
                                       bool *ret_help, struct vmcp_error *err);

#endif
