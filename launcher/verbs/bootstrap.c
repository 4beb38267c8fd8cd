/* SPDX-License-Identifier: Apache-2.0 */
/* The verb `bootstrap`: VM-1 from a laptop. */
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "cloud/instance.h"
#include "cloud/resource.h"
#include "launch.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/options.h"
#include "plan/merge.h"
#include "run.h"
#include "script.h"
#include "state/intent.h"
#include "state/settle.h"
#include "vm1.h"

/* What was read and made for one bootstrap. */
struct bootstrap {
    struct launch_vm1 *vm1;
    struct launch_run *run;
    const char *endpoint; /* VM-1's */
    struct vmcp_buf credentials;
    struct launch_image image;
    json_t *body; /* may hold a private key */
};

static void bootstrap_clear(struct bootstrap *b)
{
    vmcp_buf_wipe(&b->credentials);
    vmcp_json_wipe(b->body);
    json_decref(b->body);
}

/* Everything that can be said about the command line before anyone is asked. */
static int check_arguments(struct launch_vm1 *vm1, struct vmcp_error *err)
{
    auto_free char *script = NULL;
    if (!vm1->name)
        vm1->name = "vm-1";
    if (!launch_is_label(vm1->name))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--name: 1 to 63 of a-z 0-9 -, a letter first and no - last, is wanted");
    if (vm1->settings.zones.count > 1)
        return vmcp_fail(err, VMCP_E_USAGE, "--zone is given once: there is one VM-1");
    if (vm1->scopes.count && !vm1->service_account)
        return vmcp_fail(err, VMCP_E_USAGE, "--scopes belong to a --service-account");
    return launch_script_make(vm1->launcher_url, vm1->launcher_sha256, &script, err);
}

/* The domain is that of VM-1's endpoint, even where this machine asks at another one. */
static int split_endpoints(struct bootstrap *b, char domain[static VMCP_DOMAIN_MAX + 1],
                           struct vmcp_error *err)
{
    struct launch_settings *s = &b->vm1->settings;
    auto_endpoint struct http_endpoint endpoint = {0};
    b->endpoint = s->endpoint;
    if (!s->endpoint)
        return vmcp_fail(err, VMCP_E_USAGE, "no responder: give --endpoint or set VMCP_ENDPOINT");
    int rc = http_endpoint_parse(s->endpoint, s->machine, s->allow_http, &endpoint, err);
    if (rc < 0)
        return vmcp_error_locate(err, "--endpoint");
    snprintf(domain, VMCP_DOMAIN_MAX + 1, "%s", s->domain ? s->domain : endpoint.host);
    s->domain = domain;
    if (b->vm1->verify_endpoint)
        s->endpoint = b->vm1->verify_endpoint;
    return 0;
}

static int check_trust(const struct launch_run *run, struct vmcp_error *err)
{
    if (!vmcp_trust_needs_keys(run->trust))
        return 0;
    return vmcp_fail_at(err, VMCP_E_TRUST, run->trust_source,
                        "holds thumbprints, and keys are never fetched for VM-1; a file with the "
                        "public keys themselves is wanted");
}

static int read_credentials(struct bootstrap *b, struct vmcp_error *err)
{
    auto_keyfile struct launch_keyfile key = {0};
    const char *path = b->vm1->vm_credentials;
    if (!path)
        return 0;
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &b->credentials, err);
    if (rc == 0)
        rc = launch_keyfile_parse(path, b->credentials.data ? b->credentials.data : "",
                                  b->credentials.len, &key, err);
    if (rc == 0 && key.universe && strcmp(key.universe, LAUNCH_UNIVERSE) != 0)
        rc = vmcp_fail_at(err, VMCP_E_CREDENTIALS, path,
                          "its universe_domain is not " LAUNCH_UNIVERSE
                          ": VM-1 would refuse it, and "
                          "no attribute names another");
    if (rc < 0)
        return rc;
    launch_warn(b->run->report,
                "the key of %s goes into VM-1's metadata: whoever is on VM-1, or may read the "
                "instance, can read it; --service-account needs no key",
                key.email);
    return 0;
}

static int look_up_image(struct bootstrap *b, struct vmcp_error *err)
{
    const struct launch_settings *s = &b->vm1->settings;
    struct launch_image_ref ref;
    int rc = launch_image_parse(s->image ? s->image : LAUNCH_IMAGE_DEFAULT, "images", s->project,
                                &ref, err);
    return rc < 0 ? rc : launch_image_resolve(&b->run->compute, &ref, &b->image, err);
}

static int make_body(struct bootstrap *b, struct vmcp_error *err)
{
    auto_free char *pem = NULL, *script = NULL;
    char mark[VMCP_JTI_LEN + 1];
    int rc = vmcp_trust_pem(b->run->trust, &pem, err);
    if (rc == 0)
        rc = launch_script_make(b->vm1->launcher_url, b->vm1->launcher_sha256, &script, err);
    if (rc == 0)
        rc = vmcp_uuid_make(mark, err);
    if (rc < 0)
        return rc;
    struct launch_vm1_facts facts = {
        .endpoint = b->endpoint,
        .domain = b->run->domain,
        .machine = b->run->machine,
        .trust_pem = pem,
        .serial = b->run->answer.serial,
        .credentials = b->credentials.data,
        .script = script,
        .mark = mark,
        .image = &b->image,
    };
    return launch_vm1_body(b->vm1, &facts, &b->body, err);
}

static void tell_consequences(struct bootstrap *b)
{
    if (!b->vm1->service_account && !b->vm1->vm_credentials)
        launch_warn(b->run->report, "VM-1 has no credentials: it can launch nothing without "
                                    "--service-account or --vm-credentials");
    if (!b->vm1->external_ip)
        launch_say(b->run->report, "VM-1 has no external address: it reaches the responder and "
                                   "Google's APIs over its network only (--external-ip)");
}

/* The body as it may be shown. */
static void show(struct bootstrap *b)
{
    json_t *items = json_object_get(json_object_get(b->body, "metadata"), "items");
    for (size_t i = 0; i < json_array_size(items); i++) {
        json_t *item = json_array_get(items, i);
        if (strcmp(json_string_value(json_object_get(item, "key")), "service-credentials") == 0)
            json_string_set(json_object_get(item, "value"), "(a key file, not shown)");
    }
    if (b->vm1->settings.json) {
        /* A copy: the body itself is wiped before the report is printed. */
        json_array_append_new(launch_report_array(b->run->report, "bodies"),
                              json_deep_copy(b->body));
        return;
    }
    launch_print_json(b->body, JSON_INDENT(2));
}

static bool same(const char *a, const char *b)
{
    return a && b ? strcmp(a, b) == 0 : !a && !b;
}

static int differs(const struct bootstrap *b, const char *what, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_SESSION, b->vm1->name,
                        "VM-1 is there already and its %s differs; delete it, or choose another "
                        "--name",
                        what);
}

/* Every attribute that we would write, and every setting of the launcher that is there. Only the
 * mark and the serial's floor are each run's own. */
static int compare_metadata(const struct bootstrap *b, const json_t *from, const json_t *instance,
                            struct vmcp_error *err)
{
    size_t i;
    json_t *item;
    json_array_foreach(json_object_get(json_object_get(from, "metadata"), "items"), i, item)
    {
        const char *key = json_string_value(json_object_get(item, "key"));
        bool ours = key && (from == b->body || strncmp(key, "vmcp-", 5) == 0 ||
                            strcmp(key, "service-credentials") == 0);
        if (!ours || strcmp(key, "vmcp-bootstrap") == 0 || strcmp(key, "vmcp-min-serial") == 0)
            continue;
        if (!same(launch_metadata_item(instance, key), launch_metadata_item(b->body, key)))
            return differs(b, key, err);
    }
    return 0;
}

static const char *account_of(const json_t *instance)
{
    const json_t *account = json_array_get(json_object_get(instance, "serviceAccounts"), 0);
    return json_string_value(json_object_get(account, "email"));
}

static const char *last_part(const json_t *value)
{
    const char *text = json_string_value(value);
    const char *slash = text ? strrchr(text, '/') : NULL;
    return slash ? slash + 1 : text;
}

/* The name is taken: by the VM-1 that this state made, unchanged, and running? */
static int recognise(struct bootstrap *b, const json_t *instance, struct vmcp_error *err)
{
    const char *id = launch_instance_id(instance), *status = launch_instance_status(instance);
    const char *account = account_of(b->body);
    if (!launch_state_knows_vm(&b->run->state, id, b->run->compute.base))
        return vmcp_fail_at(err, VMCP_E_SESSION, b->vm1->name,
                            "the name is taken by a VM that was not made from here; choose another "
                            "--name");
    int rc = compare_metadata(b, b->body, instance, err);
    if (rc == 0)
        rc = compare_metadata(b, instance, instance, err);
    if (rc < 0)
        return rc;
    bool any_account = account && strcmp(account, "default") == 0 && account_of(instance);
    if (!any_account && !same(account, account_of(instance)))
        return differs(b, "service account", err);
    if (!same(last_part(json_object_get(b->body, "machineType")),
              last_part(json_object_get(instance, "machineType"))))
        return differs(b, "machine type", err);
    if (strcmp(status, "RUNNING") != 0 && strcmp(status, "PROVISIONING") != 0 &&
        strcmp(status, "STAGING") != 0)
        return vmcp_fail_at(err, VMCP_E_SESSION, b->vm1->name,
                            "VM-1 is there already and is %s; start it, or delete it and run "
                            "this again",
                            status);
    return 0;
}

static void report_vm(struct bootstrap *b, const json_t *instance, const char *outcome)
{
    const struct launch_settings *s = &b->vm1->settings;
    launch_say(b->run->report, "%s is %s in %s at %s (%s)", b->vm1->name,
               launch_instance_status(instance), s->zones.items[0],
               launch_instance_internal_ip(instance), outcome);
    json_array_append_new(launch_report_array(b->run->report, "instances"),
                          json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "name", b->vm1->name,
                                    "project", s->project, "zone", s->zones.items[0], "outcome",
                                    outcome, "id", launch_instance_id(instance), "status",
                                    launch_instance_status(instance), "internalIp",
                                    launch_instance_internal_ip(instance)));
}

static int insert(struct bootstrap *b, struct vmcp_error *err)
{
    struct launch_run *run = b->run;
    const char *zone = b->vm1->settings.zones.items[0];
    auto_intent struct launch_intent intent = {0};
    auto_outcome struct launch_outcome outcome = {0};
    int rc = launch_intent_open(&run->state, &run->compute, "launcher", zone, b->vm1->name, b->body,
                                &intent, err);
    if (rc < 0)
        return rc;
    launch_say(run->report, "inserting %s in %s", b->vm1->name, zone);
    rc = launch_settle(&run->compute, &run->state, &intent, (int)b->vm1->settings.timeout, &outcome,
                       err);
    if (rc < 0)
        return rc;
    if (!outcome.instance)
        return vmcp_fail_at(err, VMCP_E_SESSION, b->vm1->name,
                            "the name was taken in the meantime; choose another --name");
    report_vm(b, outcome.instance, "created");
    return 0;
}

static int act(struct bootstrap *b, struct vmcp_error *err)
{
    json_auto_t *instance = NULL;
    int rc = launch_instance_get(&b->run->compute, b->vm1->settings.zones.items[0], b->vm1->name,
                                 &instance, err);
    if (rc == 0 && instance)
        rc = recognise(b, instance, err);
    if (rc < 0)
        return rc;
    if (b->vm1->settings.dry_run) {
        show(b);
        return 0;
    }
    if (!instance)
        return insert(b, err);
    report_vm(b, instance, "running");
    return 0;
}

static int run_verb(struct launch_vm1 *vm1, struct launch_report *report, struct vmcp_error *err)
{
    auto_run struct launch_run run = LAUNCH_RUN(&vm1->settings, report);
    VMCP_AUTO(bootstrap_clear)
    struct bootstrap b = {.vm1 = vm1, .run = &run, .credentials = VMCP_BUF(VMCP_KEY_FILE_MAX)};
    char domain[VMCP_DOMAIN_MAX + 1];
    int rc = check_arguments(vm1, err);
    if (rc == 0)
        rc = launch_run_begin(&run, err);
    if (rc == 0) /* a laptop has no attributes, and one that is a VM is not VM-1 */
        rc = launch_settings_resolve(&vm1->settings, &run.metadata, false, err);
    vm1->settings.format = NULL; /* VM-1 asks for version 2: metadata never says otherwise */
    if (rc == 0)
        rc = split_endpoints(&b, domain, err);
    if (rc == 0)
        rc = launch_run_set_up(&run, err);
    if (rc == 0)
        rc = check_trust(&run, err);
    if (rc == 0)
        rc = read_credentials(&b, err);
    if (rc == 0)
        rc = launch_run_cloud(&run, err);
    if (rc == 0)
        rc = launch_run_ask(&run, err);
    if (rc == 0)
        rc = look_up_image(&b, err);
    if (rc == 0)
        rc = make_body(&b, err);
    if (rc < 0)
        return rc;
    tell_consequences(&b);
    return act(&b, err);
}

int launch_bootstrap_main(int argc, char **argv)
{
    struct launch_vm1 vm1 = {.settings = LAUNCH_SETTINGS};
    auto_report struct launch_report report =
        LAUNCH_REPORT("bootstrap", launch_wants_json(argc, argv));
    struct vmcp_list operands = {0};
    struct vmcp_error err = {0};
    bool help = false;
    int rc = vmcp_options_parse(&launch_vm1_command, argc, argv, &vm1, &operands, &help, &err);
    if (rc == 0 && help)
        return launch_help(&launch_vm1_command);
    if (vm1.settings.dry_run)
        launch_report_set(&report, "dryRun", json_true());
    if (rc == 0)
        rc = run_verb(&vm1, &report, &err);
    launch_settings_clear(&vm1.settings);
    return launch_report_end(&report, rc, &err);
}
