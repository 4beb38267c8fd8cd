/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/un.h>

#include "cmd.h"
#include "http/ask.h"
#include "http/certificates.h"
#include "lib/auto.h"
#include "lib/name.h"

struct args {
    struct vmcp_list trust, thumbprints;
    const char *domain, *hostid, *machine, *job, *expect_name, *format, *cacert, *client_cert,
        *client_key, *unix_socket;
    int64_t min_serial, max_skew;
    bool allow_http, json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"trust", "FILE", VMCP_OPT_LIST, AT(trust), 0, 0,
     "trusted keys: PEM, a JWK set, or lines of thumbprints"},
    {"thumbprint", "T", VMCP_OPT_LIST, AT(thumbprints), 0, 0,
     "trust the key of this thumbprint, taken from the endpoint's key set"},
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0,
     "the machine to ask for; without it, the answer's own is reported"},
    {"job", "NAME", VMCP_OPT_STRING, AT(job), 0, 0,
     "the job to ask for; a URL that ends in /jobs/NAME says so too"},
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0,
     "the domain that must have signed; by default the URL's host"},
    {"hostid", "H", VMCP_OPT_STRING, AT(hostid), 0, 0,
     "the host id to send; by default one made for this run"},
    {"expect-name", "NAME", VMCP_OPT_STRING, AT(expect_name), 0, 0,
     "version 1: what `name` must be (default: --machine)"},
    {"min-serial", "N", VMCP_OPT_INT, AT(min_serial), 0, VMCP_SERIAL_MAX, "refuse a lower serial"},
    {"max-skew", "TIME", VMCP_OPT_TIME, AT(max_skew), 0, VMCP_SKEW_MAX,
     "how far clocks may differ (300s)"},
    {"allow-http", NULL, VMCP_OPT_FLAG, AT(allow_http), 0, 0,
     "plain http beyond loopback: the answer can be read on its way"},
    {"cacert", "FILE", VMCP_OPT_STRING, AT(cacert), 0, 0,
     "PEM of the certificate authorities to trust for https"},
    {"client-cert", "FILE", VMCP_OPT_STRING, AT(client_cert), 0, 0,
     "PEM of our certificate, for a responder that wants one (vmcpd --client-ca)"},
    {"client-key", "FILE", VMCP_OPT_STRING, AT(client_key), 0, 0,
     "PEM of its private key, mode 0600"},
    {"unix-socket", "PATH", VMCP_OPT_STRING, AT(unix_socket), 0, 0,
     "connect to this Unix socket; the URL still says scheme, host, path and machine"},
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "the answer's version (v2)"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object with all that was verified"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp fetch",
    .operands = "URL",
    .summary = "ask a responder and verify its answer",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "Makes a salt, asks, verifies, and prints the verified machine or job as JSON. Jobs are\n"
        "at /jobs/NAME beside /vmcp, and --job NAME finds them there. Where the\n"
        "URL's host is not the domain, as with a server on 127.0.0.1, say --domain.\n"
        "unix:PATH for the URL asks at a Unix socket, without TLS, and wants --domain; it is\n"
        "short for --unix-socket PATH http://D/vmcp.\n",
    .example = "  vmcp fetch https://cfg.example.org/vmcp/web --trust cfg.key.pub\n",
};

static int make_hostid(const struct args *a, const char *domain,
                       char hostid[static VMCP_SALT_MAX + 1], struct vmcp_error *err)
{
    char local_id[VMCP_SALT_LEN + 1];
    if (a->hostid) {
        int rc = vmcp_hostid_check(a->hostid, strlen(a->hostid), err);
        if (rc == 0)
            memcpy(hostid, a->hostid, strlen(a->hostid) + 1);
        return rc;
    }
    int rc = vmcp_salt_make(local_id, err);
    return rc < 0 ? rc : vmcp_hostid_make(local_id, domain, hostid, err);
}

/* Where to ask: the endpoint of `url`, or of "unix:PATH", and the Unix socket to do it at. */
static int find_endpoint(const struct args *a, const char *url, struct http_endpoint *ret,
                         const char **ret_socket, struct vmcp_error *err)
{
    static const char unix_place[] = "unix:";
    auto_free char *behind = NULL;
    *ret_socket = a->unix_socket;
    if (strncmp(url, unix_place, strlen(unix_place)) == 0) {
        if (a->unix_socket)
            return vmcp_fail(err, VMCP_E_USAGE,
                             "%s and --unix-socket %s: one of them is wanted, and a URL with the "
                             "second",
                             url, a->unix_socket);
        if (!a->domain)
            return vmcp_fail(err, VMCP_E_USAGE,
                             "%s has no host in it that could be the domain; say --domain D", url);
        if (asprintf(&behind, "http://%s/vmcp", a->domain) < 0) {
            behind = NULL;
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
        }
        *ret_socket = url + strlen(unix_place);
    }
    if (*ret_socket &&
        (!**ret_socket || strlen(*ret_socket) >= sizeof(((struct sockaddr_un *)0)->sun_path)))
        return vmcp_fail(err, VMCP_E_USAGE, "%s: a Unix socket's path has 1 to %zu bytes",
                         behind ? url : "--unix-socket",
                         sizeof(((struct sockaddr_un *)0)->sun_path) - 1);
    /* Nobody reads what goes over a Unix socket. */
    const bool allow_http = a->allow_http || *ret_socket;
    if (a->job || (!a->machine && http_url_is_job(url)))
        return http_endpoint_parse_job(behind ? behind : url, a->job, allow_http, ret, err);
    return http_endpoint_parse(behind ? behind : url, a->machine, allow_http, ret, err);
}

static int choose_format(const struct args *a, enum vmcp_format *ret, struct vmcp_error *err)
{
    *ret = VMCP_FORMAT_V2;
    if (a->machine && a->job)
        return vmcp_fail(err, VMCP_E_USAGE, "--machine and --job: one of them is asked for");
    return a->format ? vmcp_format_parse(a->format, ret, err) : 0;
}

static int make_trust(const struct args *a, const char *domain, struct vmcp_trust **ret,
                      struct vmcp_error *err)
{
    const struct http_certificates files = {a->cacert, a->client_cert, a->client_key};
    int rc = cmd_trust(domain, &a->trust, &a->thumbprints, NULL, ret, err);
    return rc < 0 ? rc : http_certificates_check(&files, err);
}

static int fetch(const struct args *a, const char *url, struct vmcp_answer *ret,
                 struct vmcp_error *err)
{
    auto_endpoint struct http_endpoint endpoint = {0};
    auto_trust struct vmcp_trust *trust = NULL;
    auto_client struct http_client *client = NULL;
    char hostid[VMCP_SALT_MAX + 1] = "";
    const char *socket = NULL;
    enum vmcp_format format;
    int rc = choose_format(a, &format, err);
    if (rc == 0)
        rc = cmd_stdin_once(cmd_count_stdin(&a->trust), err);
    if (rc == 0)
        rc = find_endpoint(a, url, &endpoint, &socket, err);
    if (rc == 0 && endpoint.kind == VMCP_KIND_JOB && format == VMCP_FORMAT_V1)
        rc = vmcp_fail(err, VMCP_E_USAGE, "--format v1: version 1 carries machines only");
    const char *domain = a->domain ? a->domain : endpoint.host;
    if (rc == 0)
        rc = make_trust(a, domain, &trust, err);
    if (rc == 0)
        rc = make_hostid(a, domain, hostid, err);
    if (rc == 0)
        rc = http_client_new(&client, err);
    if (rc < 0)
        return rc;
    struct http_ask ask = {.endpoint = &endpoint,
                           .trust = trust,
                           .format = format,
                           .domain = domain,
                           .hostid = hostid,
                           .name = a->expect_name        ? a->expect_name
                                   : endpoint.machine[0] ? endpoint.machine
                                                         : NULL,
                           .min_serial = a->min_serial,
                           .skew = (int)a->max_skew,
                           .ca_file = a->cacert,
                           .cert_file = a->client_cert,
                           .key_file = a->client_key,
                           .unix_socket = socket};
    rc = http_ask(client, &ask, ret, NULL, err);
    if (rc == -VMCP_E_DOMAIN_MISMATCH && !a->domain)
        return vmcp_fail_at(err, VMCP_E_DOMAIN_MISMATCH, "iss",
                            "the answer is of another domain than %s, the URL's host; --domain D "
                            "says which one is asked for",
                            domain);
    return rc;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.max_skew = VMCP_SKEW_DEFAULT};
    struct vmcp_list operands = {0};
    auto_answer struct vmcp_answer answer = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    rc = fetch(&a, operands.items[0], &answer, err);
    if (rc < 0)
        return rc;
    if (!a.machine && answer.machine[0] && answer.kind == VMCP_KIND_MACHINE)
        fprintf(stderr, "note: the answer is the machine %s\n", answer.machine);
    return cmd_print_answer(&answer, a.json, err);
}

const struct cmd_verb cmd_fetch = {"fetch", &command, run};
