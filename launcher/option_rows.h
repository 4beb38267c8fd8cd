/* SPDX-License-Identifier: Apache-2.0 */
/* option_rows.h - rows that the option tables of several verbs share. AT gives the offset of a
 * field of struct launch_settings in the verb's own struct. */
#ifndef LAUNCH_OPTION_ROWS_H
#define LAUNCH_OPTION_ROWS_H

#include "lib/options.h"

/* Tables read as tables. */
/* clang-format off */

/* whom to ask, and whom to believe */
#define LAUNCH_RESPONDER_ROWS(AT) \
    {"endpoint", "URL", VMCP_OPT_STRING, AT(endpoint), 0, 0, "the responder to ask"}, \
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
    {"min-serial", "N", VMCP_OPT_INT, AT(min_serial), 0, VMCP_SERIAL_MAX, \
     "refuse an older serial than this"}, \
    {"max-skew", "TIME", VMCP_OPT_TIME, AT(max_skew), 0, VMCP_SKEW_MAX, \
     "how far clocks may differ (300s)"}, \
    {"boot-timeout", "TIME", VMCP_OPT_TIME, AT(boot_timeout), 0, 86400, \
     "how long to try for an answer (5m)"}

/* for which machine */
#define LAUNCH_ASK_ROWS(AT) \
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0, "the machine to ask for"}, \
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "version of the answer (v2)"}, \
    {"expect-name", "NAME", VMCP_OPT_STRING, AT(expect_name), 0, 0, \
     "version 1: what `name` must be (the machine)"}, \
    LAUNCH_RESPONDER_ROWS(AT)

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

/* what a signed machine may ask for */
#define LAUNCH_BOUND_ROWS(AT) \
    {"allow-service-account", "EMAIL", VMCP_OPT_LIST, AT(allow_service_accounts), 0, 0, \
     "a service account that the VM may have (none)"}, \
    {"allow-external-ip", NULL, VMCP_OPT_FLAG, AT(allow_external_ip), 0, 0, \
     "the VM may have an external address"}, \
    {"allow-image-project", "P", VMCP_OPT_LIST, AT(allow_image_projects), 0, 0, \
     "images may come from here (debian-cloud, our own)"}, \
    {"allow-resource-project", "P", VMCP_OPT_LIST, AT(allow_resource_projects), 0, 0, \
     "networks, policies, pools and keys may be of here too (our own)"}, \
    {"allow-disk-delete", NULL, VMCP_OPT_FLAG, AT(allow_disk_delete), 0, 0, \
     "a disk that exists already may be deleted with the VM"}, \
    {"allow-machine-type", "PATTERN", VMCP_OPT_LIST, AT(allow_machine_types), 0, 0, \
     "machine types that may be used (all)"}, \
    {"allow-private-key", "KEY", VMCP_OPT_LIST, AT(allow_private_keys), 0, 0, \
     "a metadata key that may hold a private key"}, \
    {"max-count", "N", VMCP_OPT_INT, AT(max_count), 1, VMCP_COUNT_MAX, "most VMs at once (16)"}
/* clang-format on */

#endif
