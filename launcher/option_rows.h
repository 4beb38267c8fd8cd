/* SPDX-License-Identifier: Apache-2.0 */
/* option_rows.h - rows that the option tables of several verbs share. AT gives the offset of a
 * field of struct launch_settings in the verb's own struct. */
#ifndef LAUNCH_OPTION_ROWS_H
#define LAUNCH_OPTION_ROWS_H

#include "lib/options.h"

/* Tables read as tables. */
/* clang-format off */

/* whom to ask, and whom to believe */
#define LAUNCH_ASK_ROWS(AT) \
    {"endpoint", "URL", VMCP_OPT_STRING, AT(endpoint), 0, 0, "the responder to ask"}, \
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0, "the machine to ask for"}, \
    {"trust", "FILE", VMCP_OPT_LIST, AT(trust), 0, 0, "keys to trust: PEM, JWK set, thumbprints"}, \
    {"thumbprint", "T", VMCP_OPT_LIST, AT(thumbprints), 0, 0, "trust the key of this thumbprint"}, \
    {"require-local-trust", NULL, VMCP_OPT_FLAG, AT(require_local_trust), 0, 0, \
     "take no keys from metadata"}, \
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "whose keys count (the endpoint's host)"}, \
    {"allow-http", NULL, VMCP_OPT_FLAG, AT(allow_http), 0, 0, "ask over plain http"}, \
    {"cacert", "FILE", VMCP_OPT_STRING, AT(cacert), 0, 0, "PEM of the CAs of the responder"}, \
    {"client-cert", "FILE", VMCP_OPT_STRING, AT(client_cert), 0, 0, \
     "PEM of our certificate, for the responder"}, \
    {"client-key", "FILE", VMCP_OPT_STRING, AT(client_key), 0, 0, "PEM of its private key"}, \
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "version of the answer (v2)"}, \
    {"expect-name", "NAME", VMCP_OPT_STRING, AT(expect_name), 0, 0, \
     "version 1: what `name` must be (the machine)"}, \
    {"min-serial", "N", VMCP_OPT_INT, AT(min_serial), 0, VMCP_SERIAL_MAX, \
     "refuse an older serial than this"}, \
    {"max-skew", "TIME", VMCP_OPT_TIME, AT(max_skew), 0, VMCP_SKEW_MAX, \
     "how far clocks may differ (300s)"}, \
    {"boot-timeout", "TIME", VMCP_OPT_TIME, AT(boot_timeout), 0, 86400, \
     "how long to try for an answer (5m)"}

/* the cloud, and who we are to it */
#define LAUNCH_CLOUD_ROWS(AT) \
    {"project", "P", VMCP_OPT_STRING, AT(project), 0, 0, "project of the VM (our own)"}, \
    {"zone", "Z", VMCP_OPT_LIST, AT(zones), 0, 0, "zone of the VM (our own)"}, \
    {"credentials", "FILE", VMCP_OPT_STRING, AT(credentials), 0, 0, \
     "a key or other credential file (else gcloud's, the metadata server)"}, \
    {"access-token-file", "FILE", VMCP_OPT_STRING, AT(access_token_file), 0, 0, \
     "a file with an access token, which somebody else renews"}, \
    {"impersonate-service-account", "EMAIL", VMCP_OPT_STRING, AT(impersonate), 0, 0, \
     "act as this account; DELEGATE,…,EMAIL by way of others"}, \
    {"self-signed-jwt", NULL, VMCP_OPT_FLAG, AT(self_signed), 0, 0, \
     "sign tokens with the key file, ask no token endpoint"}, \
    {"api-endpoint", "URL", VMCP_OPT_STRING, AT(api_endpoint), 0, 0, \
     "Compute API, ending in compute/v1/"}, \
    {"insecure-api", NULL, VMCP_OPT_FLAG, AT(insecure_api), 0, 0, \
     "send tokens over plain http to the endpoints that options name"}, \
    {"token-endpoint", "URL", VMCP_OPT_STRING, AT(token_endpoint), 0, 0, \
     "trade the key for tokens here"}
/* clang-format on */

#endif
