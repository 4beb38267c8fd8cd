/* SPDX-License-Identifier: Apache-2.0 */
#include "run.h"

#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "credentials/adc.h"
#include "http/certificates.h"
#include "state/folder.h"
#include "state/intent.h"
#include "state/settle.h"
#include "trustsource.h"

enum {
    ONE_TRY_MS = 30000, /* for one question and its answer */
    PATIENCE_S = 120,   /* for one call of the Compute API with its retries */
    PAUSE_MAX_S = 16,   /* between two of them */
};

int launch_run_begin(struct launch_run *run, struct vmcp_error *err)
{
    int rc = http_client_new(&run->http, err);
    return rc < 0 ? rc : launch_metadata_find(run->http, &run->metadata, err);
}

static int name_domain(struct launch_run *run, struct vmcp_error *err)
{
    const char *domain = run->settings->domain ? run->settings->domain : run->endpoint.host;
    int rc = vmcp_domain_check(domain, strlen(domain), err);
    if (rc == 0)
        snprintf(run->domain, sizeof(run->domain), "%s", domain);
    return rc;
}

int launch_run_name(struct launch_run *run, struct vmcp_error *err)
{
    const struct launch_settings *s = run->settings;
    int rc = s->format ? vmcp_format_parse(s->format, &run->format, err) : 0;
    if (rc == 0 && s->endpoint)
        rc = http_endpoint_parse(s->endpoint, s->machine, s->allow_http, &run->endpoint, err);
    else if (rc == 0 && s->machine)
        rc = vmcp_machine_name_check(s->machine, strlen(s->machine), err);
    if (rc == 0 && !s->endpoint && !s->domain)
        rc = vmcp_fail(err, VMCP_E_USAGE,
                       "whose machine? give --endpoint, or --domain and --machine of one that was "
                       "made from here");
    if (rc == 0)
        rc = name_domain(run, err);
    if (rc < 0)
        return rc;
    snprintf(run->machine, sizeof(run->machine), "%s",
             s->endpoint  ? run->endpoint.machine
             : s->machine ? s->machine
                          : "");
    return launch_state_dir(s->state_dir, &run->dir, err);
}

int launch_run_trust(struct launch_run *run, struct vmcp_error *err)
{
    char local_id[VMCP_SALT_LEN + 1];
    if (!run->settings->endpoint)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "no responder to ask: give --endpoint, set VMCP_ENDPOINT, or the metadata "
                         "attribute vmcp-endpoint");
    if (run->format == VMCP_FORMAT_V1 && !*run->machine)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "a version 1 answer does not say whose it is: --machine is needed");
    int rc = launch_trust_find(run->settings, run->domain, &run->trust, &run->trust_source, err);
    if (rc == 0)
        rc = launch_local_id(run->dir, local_id, err);
    return rc < 0 ? rc : vmcp_hostid_make(local_id, run->domain, run->hostid, err);
}

int launch_run_set_up(struct launch_run *run, struct vmcp_error *err)
{
    int rc = run->settings->endpoint ? launch_run_name(run, err) : 0;
    return rc < 0 ? rc : launch_run_trust(run, err);
}

int launch_run_state(struct launch_run *run, bool write, struct vmcp_error *err)
{
    return launch_state_open(run->dir, run->domain, run->machine, write, &run->state, err);
}

static int64_t floor_of(const struct launch_run *run)
{
    int64_t seen = run->state.document ? launch_state_serial(&run->state) : -1;
    return seen > run->settings->min_serial ? seen : run->settings->min_serial;
}

/* Ask until there is an answer, or none is to be had in time. What came and is not good is never
 * asked for again: it would only hide an attack. */
static int ask_patiently(struct launch_run *run, struct http_ask *ask, struct vmcp_error *err)
{
    int64_t end = launch_uptime_ms() + run->settings->boot_timeout * 1000;
    for (int n = 1;; n++) {
        struct http_retry retry = {0};
        int64_t left = end - launch_uptime_ms();
        /* One that says nothing must not hold the run longer than it may take. */
        ask->total_timeout_ms = left < ONE_TRY_MS ? (int)(left > 1000 ? left : 1000) : ONE_TRY_MS;
        int rc = http_ask(run->http, ask, &run->answer, &retry, err);
        if (rc == 0 || !retry.can)
            return rc;
        int64_t pause = launch_pause_ms(n, retry.after, PAUSE_MAX_S);
        left = end - launch_uptime_ms();
        if (left <= 0 || (retry.after > 0 && pause > left))
            /* a time-out of the network is the network's failure, not the launch's */
            return rc == -VMCP_E_TIMEOUT ? vmcp_fail(err, VMCP_E_NETWORK, "%s", err->text) : rc;
        launch_say(run->report, "no answer yet (%s); trying for %lld s more", err->text,
                   (long long)(left + 999) / 1000);
        launch_sleep_ms(pause < left ? pause : left);
    }
}

static void report_answer(struct launch_run *run)
{
    const struct vmcp_answer *a = &run->answer;
    struct launch_report *r = run->report;
    launch_say(r, "%s is good: machine %s of %s, serial %lld, signed by %s (%s)",
               run->format == VMCP_FORMAT_V1 ? "the version 1 answer" : "the answer", run->machine,
               run->domain, (long long)a->serial, a->thumbprint, a->alg);
    if (run->format == VMCP_FORMAT_V1)
        launch_warn(r, "version 1 says nothing of host, time or serial");
    launch_report_set(r, "domain", json_string(run->domain));
    launch_report_set(r, "machine", json_string(run->machine));
    launch_report_set(r, "format", json_string(run->format == VMCP_FORMAT_V1 ? "v1" : "v2"));
    if (run->format == VMCP_FORMAT_V2)
        launch_report_set(r, "serial", json_integer(a->serial));
    launch_report_set(r, "alg", json_string(a->alg));
    launch_report_set(r, "thumbprint", json_string(a->thumbprint));
}

int launch_run_check_serial(const struct launch_run *run, struct vmcp_error *err)
{
    int64_t seen = launch_state_serial(&run->state), serial = run->answer.serial;
    if (run->format == VMCP_FORMAT_V1 || serial >= seen)
        return 0;
    return vmcp_fail(err, VMCP_E_SERIAL, "the answer has serial %lld, and %lld was seen before",
                     (long long)serial, (long long)seen);
}

static int report_intent(void *arg, struct launch_intent *intent, struct vmcp_error *err)
{
    struct launch_run *run = arg;
    (void)err;
    launch_warn(run->report,
                "an earlier run may have inserted %s in %s, and its outcome is not known; the next "
                "run that may write settles it first",
                intent->name, intent->zone);
    return 0;
}

int launch_run_settle(struct launch_run *run, bool write, struct vmcp_error *err)
{
    int rc = launch_run_state(run, write, err);
    if (rc < 0)
        return rc;
    if (!write)
        return launch_intent_each(&run->state, report_intent, run, err);
    return launch_settle_all(&run->compute, &run->state, (int)run->settings->timeout, run->report,
                             &run->settled, err);
}

int launch_run_fetch(struct launch_run *run, struct vmcp_error *err)
{
    const struct launch_settings *s = run->settings;
    const char *name = s->expect_name ? s->expect_name : run->machine;
    struct http_ask ask = {
        .endpoint = &run->endpoint,
        .trust = run->trust,
        .format = run->format,
        .domain = run->domain,
        .hostid = run->hostid,
        .name = run->format == VMCP_FORMAT_V1 ? name : NULL,
        .min_serial = floor_of(run) > 0 ? floor_of(run) : 0,
        .skew = (int)s->max_skew,
        .ca_file = s->cacert,
        .cert_file = s->client_cert,
        .key_file = s->client_key,
    };
    launch_say(run->report, "asking %s for %s; trusting %s", run->endpoint.origin,
               *run->machine ? run->machine : "its default machine", run->trust_source);
    const struct http_certificates files = {s->cacert, s->client_cert, s->client_key};
    int rc = http_certificates_check(&files, err);
    if (rc == 0)
        rc = ask_patiently(run, &ask, err);
    if (rc == -VMCP_E_DOMAIN_MISMATCH && !s->domain)
        launch_advise(run->report,
                      "the domain is the endpoint's host, unless --domain names another");
    if (rc < 0)
        return rc;
    if (!*run->machine)
        snprintf(run->machine, sizeof(run->machine), "%s", run->answer.machine);
    report_answer(run);
    return 0;
}

static int keep_serial(struct launch_run *run, struct vmcp_error *err)
{
    int rc = launch_run_check_serial(run, err);
    if (rc < 0 || run->format == VMCP_FORMAT_V1 || run->settings->dry_run)
        return rc;
    return launch_state_raise(&run->state, run->answer.serial, err);
}

int launch_run_ask(struct launch_run *run, struct vmcp_error *err)
{
    bool known = *run->machine, write = !run->settings->dry_run;
    int rc = known ? launch_run_settle(run, write, err) : 0;
    if (rc == 0)
        rc = launch_run_fetch(run, err);
    if (rc == 0 && !known)
        rc = launch_run_settle(run, write, err);
    return rc < 0 ? rc : keep_serial(run, err);
}

/* The IAM Credentials API, for whoever acts as a service account. */
static int find_iam(struct launch_run *run, struct vmcp_error *err)
{
    const char *given = run->settings->iam_endpoint;
    size_t len = given ? strlen(given) : 0;
    int n = given ? asprintf(&run->iam, "%s%s", given, len && given[len - 1] == '/' ? "" : "/")
                  : asprintf(&run->iam, "https://iamcredentials.%s/", run->destinations.universe);
    if (n >= 0)
        return 0;
    run->iam = NULL;
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
}

/* scheme://host[:port]/ of the Compute API: for whom a self-signed token is. */
static int find_audience(struct launch_run *run, struct vmcp_error *err)
{
    const char *base = run->compute.base;
    const char *host = strstr(base, "://");
    size_t len = host ? (size_t)(host - base) + 3 + strcspn(host + 3, "/") : 0;
    if (asprintf(&run->audience, "%.*s/", (int)len, base) >= 0)
        return 0;
    run->audience = NULL;
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
}

static int choose_token(struct launch_run *run, const struct launch_adc *adc,
                        struct vmcp_error *err)
{
    struct launch_source *source = NULL;
    struct launch_purpose purpose = {.rules = &run->destinations,
                                     .scope = LAUNCH_SCOPE,
                                     .audience = run->audience,
                                     .self_signed = run->settings->self_signed,
                                     .metadata = run->metadata.base,
                                     .iam = run->iam};
    int rc = launch_adc_source(adc, run->settings, &purpose, &source, err);
    return rc < 0 ? rc : launch_token_new(source, &run->token, err);
}

/* A file does not choose it: it would choose where its own tokens go (launch_adc_source()). */
static int find_universe(struct launch_run *run, struct vmcp_error *err)
{
    const char *given = run->settings->universe;
    run->destinations.universe = given ? given : LAUNCH_UNIVERSE;
    int rc = launch_universe_check(run->destinations.universe, err);
    return rc < 0 ? vmcp_error_locate(err, "GOOGLE_CLOUD_UNIVERSE_DOMAIN") : 0;
}

int launch_run_place(struct launch_run *run, struct vmcp_error *err)
{
    int rc = launch_settings_place(run->settings, &run->metadata, run->place_optional, err);
    run->compute.project = run->settings->project;
    return rc;
}

int launch_run_api(struct launch_run *run, struct vmcp_error *err)
{
    struct launch_settings *s = run->settings;
    run->destinations = (struct launch_destinations){
        .api = s->api_endpoint,
        .token_endpoint = s->token_endpoint,
        .insecure_api = s->insecure_api,
    };
    run->compute =
        (struct launch_compute){.http = run->http,
                                .rules = &run->destinations,
                                .report = run->report,
                                .project = s->project,
                                .patience = s->timeout < PATIENCE_S ? (int)s->timeout : PATIENCE_S};
    int rc = launch_destinations_check(&run->destinations, err);
    if (rc == 0)
        rc = find_universe(run, err);
    if (rc == 0)
        rc = launch_compute_base(&run->compute, err);
    if (rc == 0)
        rc = find_iam(run, err);
    return rc < 0 ? rc : find_audience(run, err);
}

int launch_run_cloud(struct launch_run *run, struct vmcp_error *err)
{
    auto_adc struct launch_adc adc = {0};
    int rc = launch_run_api(run, err);
    if (rc == 0)
        rc = launch_run_place(run, err);
    if (rc == 0)
        rc = launch_adc_find(run->settings, &run->metadata, &adc, err);
    if (rc == 0)
        rc = choose_token(run, &adc, err);
    run->compute.token = run->token;
    return rc;
}

void launch_run_clear(struct launch_run *run)
{
    launch_token_free(run->token);
    launch_state_close(&run->state);
    vmcp_answer_clear(&run->answer);
    vmcp_trust_free(run->trust);
    http_endpoint_clear(&run->endpoint);
    http_client_free(run->http);
    json_decref(run->settled);
    free(run->trust_source);
    free(run->dir);
    free(run->iam);
    free(run->audience);
    *run = (struct launch_run)LAUNCH_RUN(NULL, NULL);
}
