/* SPDX-License-Identifier: Apache-2.0 */
/* The command line of `bootstrap`. */
#include <stddef.h>

#include "vm1.h"

#define AT(field) offsetof(struct launch_vm1, field)

static const struct vmcp_option options[] = {
    {"name", "NAME", VMCP_OPT_STRING, AT(name), 0, 0, "name of VM-1 (vm-1)"},
    {"endpoint", "URL", VMCP_OPT_STRING, AT(settings.endpoint), 0, 0, "the responder VM-1 asks"},
    {"verify-endpoint", "URL", VMCP_OPT_STRING, AT(verify_endpoint), 0, 0,
     "the same responder as this machine reaches it (--endpoint)"},
    {"machine", "NAME", VMCP_OPT_STRING, AT(settings.machine), 0, 0, "the machine VM-1 launches"},
    {"trust", "FILE", VMCP_OPT_LIST, AT(settings.trust), 0, 0,
     "keys to trust, a local file: PEM or JWK set"},
    {"domain", "D", VMCP_OPT_STRING, AT(settings.domain), 0, 0,
     "whose keys count (the endpoint's host)"},
    {"allow-http", NULL, VMCP_OPT_FLAG, AT(settings.allow_http), 0, 0, "VM-1 asks over plain http"},
    {"cacert", "FILE", VMCP_OPT_STRING, AT(settings.cacert), 0, 0,
     "PEM of the responder's CAs, for the check from here"},
    {"client-cert", "FILE", VMCP_OPT_STRING, AT(settings.client_cert), 0, 0,
     "PEM of our certificate, for the check from here"},
    {"client-key", "FILE", VMCP_OPT_STRING, AT(settings.client_key), 0, 0,
     "PEM of its private key"},
    {"min-serial", "N", VMCP_OPT_INT, AT(settings.min_serial), 0, VMCP_SERIAL_MAX,
     "refuse an older serial than this"},
    {"max-skew", "TIME", VMCP_OPT_TIME, AT(settings.max_skew), 0, VMCP_SKEW_MAX,
     "how far clocks may differ (300s)"},
    {"boot-timeout", "TIME", VMCP_OPT_TIME, AT(settings.boot_timeout), 0, 86400,
     "how long to try for an answer (5m)"},
    {"launcher-url", "URL", VMCP_OPT_STRING, AT(launcher_url), 0, 0,
     "where VM-1 gets vmcp-launch if it is not installed"},
    {"launcher-sha256", "HEX", VMCP_OPT_STRING, AT(launcher_sha256), 0, 0, "and its SHA-256"},
    {"service-account", "EMAIL", VMCP_OPT_STRING, AT(service_account), 0, 0,
     "VM-1's service account, which may create instances"},
    {"scopes", "S", VMCP_OPT_LIST, AT(scopes), 0, 0, "its scopes (compute)"},
    {"vm-credentials", "FILE", VMCP_OPT_STRING, AT(vm_credentials), 0, 0,
     "put this key file into VM-1's metadata (whoever is on VM-1 can read it)"},
    {"project", "P", VMCP_OPT_STRING, AT(settings.project), 0, 0, "project of VM-1"},
    {"zone", "Z", VMCP_OPT_LIST, AT(settings.zones), 0, 0, "zone of VM-1; given once"},
    {"machine-type", "T", VMCP_OPT_STRING, AT(machine_type), 0, 0, "of VM-1 (e2-small)"},
    {"image", "IMAGE", VMCP_OPT_STRING, AT(settings.image), 0, 0,
     "of VM-1 (projects/debian-cloud/global/images/family/debian-12)"},
    {"network", "N", VMCP_OPT_STRING, AT(network), 0, 0, "of VM-1 (global/networks/default)"},
    {"subnetwork", "S", VMCP_OPT_STRING, AT(subnetwork), 0, 0, "of VM-1"},
    {"external-ip", NULL, VMCP_OPT_FLAG, AT(external_ip), 0, 0, "VM-1 gets an external address"},
    {"allow-service-account", "EMAIL", VMCP_OPT_LIST, AT(settings.allow_service_accounts), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-external-ip", NULL, VMCP_OPT_FLAG, AT(settings.allow_external_ip), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-image-project", "P", VMCP_OPT_LIST, AT(settings.allow_image_projects), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-resource-project", "P", VMCP_OPT_LIST, AT(settings.allow_resource_projects), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-disk-delete", NULL, VMCP_OPT_FLAG, AT(settings.allow_disk_delete), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-machine-type", "PATTERN", VMCP_OPT_LIST, AT(settings.allow_machine_types), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"allow-private-key", "KEY", VMCP_OPT_LIST, AT(settings.allow_private_keys), 0, 0,
     "bound for VM-1's machines, as in `launch`"},
    {"credentials", "FILE", VMCP_OPT_STRING, AT(settings.credentials), 0, 0,
     "a key or other credential file for this insert (else gcloud's)"},
    {"access-token-file", "FILE", VMCP_OPT_STRING, AT(settings.access_token_file), 0, 0,
     "a file with an access token, which somebody else renews"},
    {"impersonate-service-account", "EMAIL", VMCP_OPT_STRING, AT(settings.impersonate), 0, 0,
     "act as this account; DELEGATE,…,EMAIL by way of others"},
    {"self-signed-jwt", NULL, VMCP_OPT_FLAG, AT(settings.self_signed), 0, 0,
     "sign tokens with the key file, ask no token endpoint"},
    {"api-endpoint", "URL", VMCP_OPT_STRING, AT(settings.api_endpoint), 0, 0,
     "Compute API, ending in compute/v1/"},
    {"insecure-api", NULL, VMCP_OPT_FLAG, AT(settings.insecure_api), 0, 0,
     "send tokens over plain http to the endpoints that options name"},
    {"token-endpoint", "URL", VMCP_OPT_STRING, AT(settings.token_endpoint), 0, 0,
     "trade the key for tokens here"},
    {"timeout", "TIME", VMCP_OPT_TIME, AT(settings.timeout), 1, 86400, "for the operation (10m)"},
    {"state-dir", "DIR", VMCP_OPT_STRING, AT(settings.state_dir), 0, 0, "where to keep state"},
    {"dry-run", NULL, VMCP_OPT_FLAG, AT(settings.dry_run), 0, 0, "send no write; print the body"},
    {"json", NULL, VMCP_OPT_FLAG, AT(settings.json), 0, 0, "print one JSON object on stdout"},
    {0},
};

static const char details[] =
    "Verifies one answer, then inserts VM-1 with a constant startup script; every setting travels\n"
    "as a metadata attribute. At boot VM-1 runs `vmcp-launch launch --wait-api --json`, and says\n"
    "how it went on its serial port.\n"
    "\n"
    "The trusted keys in VM-1's metadata protect it against the network, the responder's host "
    "name\n"
    "and storage, and other machines. They do not protect against whoever may set VM-1's "
    "metadata:\n"
    "they can run code as root there already. VM-1's role is the blast radius: give it a project "
    "of\n"
    "its own, and a role that can do no more than it must.\n";

const struct vmcp_command launch_vm1_command = {
    .name = "vmcp-launch bootstrap",
    .operands = "",
    .summary = "make VM-1, the VM that launches",
    .options = options,
    .details = details,
    .example = "  vmcp-launch bootstrap --endpoint https://cfg.example.org --machine flask-app \\\n"
               "      --trust cfg.example.org.pub --project web-1234 --zone us-central1-a \\\n"
               "      --service-account vm1-launcher@web-1234.iam.gserviceaccount.com \\\n"
               "      --launcher-url https://dl.example.org/vmcp-launch --launcher-sha256 HEX\n",
};
