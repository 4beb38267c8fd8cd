/* SPDX-License-Identifier: Apache-2.0 */
#include "settings.h"

#include <stddef.h>
#include <string.h>

#include "lib/job.h"
#include "lib/limits.h"
#include "lib/name.h"
#include "sandbox.h"

#define AT(field) offsetof(struct srv_settings, field)

enum { MANY = 1000000, LONG = 86400 };

static const struct vmcp_option options[] = {
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain that the keys speak for"},
    {"key", "KEY", VMCP_OPT_LIST, AT(keys), 0, 0,
     "an active private key: a file of mode 0600, or a URI of a token or TPM"},
    {"passphrase", "SOURCE", VMCP_OPT_STRING, AT(passphrase), 0, 0,
     "of encrypted keys, or a token's PIN: file:PATH, fd:N, env:NAME, credential:NAME or prompt"},
    {"keys", "DIR", VMCP_OPT_STRING, AT(keys_dir), 0, 0,
     "a keys folder: DIR/active signs, DIR/next and DIR/retired are published"},
    {"retire-after", "TIME", VMCP_OPT_TIME, AT(retire_after), 0, VMCP_ROTATION_TIME_MAX,
     "how long a retired key stays published (48h)"},
    {"configs", "DIR", VMCP_OPT_STRING, AT(configs), 0, 0,
     "the folder of machine files; the job files are in its subfolder jobs"},
    {"listen", "PLACE", VMCP_OPT_LIST, AT(transport.listen), 0, 0,
     "where to answer: ADDR:PORT or unix:PATH; port 0: one that is free"},
    {"listen-mode", "MODE", VMCP_OPT_STRING, AT(transport.listen_mode), 0, 0,
     "the mode of the Unix sockets of --listen (0660)"},
    {"tls-cert", "FILE", VMCP_OPT_STRING, AT(transport.tls_cert), 0, 0,
     "answer over TLS with this certificate, PEM, the ones that it was signed by behind it"},
    {"tls-key", "FILE", VMCP_OPT_STRING, AT(transport.tls_key), 0, 0,
     "its private key, PEM, mode 0600"},
    {"client-ca", "FILE", VMCP_OPT_STRING, AT(transport.client_ca), 0, 0,
     "answer only clients whose certificate verifies against one of these, PEM"},
    {"allow-http", NULL, VMCP_OPT_FLAG, AT(transport.allow_http), 0, 0,
     "plain HTTP beyond loopback is meant, as behind a proxy that has TLS: no warning"},
    {"host", "NAME", VMCP_OPT_LIST, AT(transport.hosts), 0, 0,
     "a name to answer for beside --domain, and then for no other; *: for any"},
    {"default", "NAME", VMCP_OPT_STRING, AT(fallback), 0, 0,
     "the machine of a question that names none"},
    {"ttl", "TIME", VMCP_OPT_TIME, AT(ttl), VMCP_TTL_MIN, VMCP_TTL_MAX,
     "how long an answer is good (300s; 30s to 1h)"},
    {"alg", "PS256|RS256|RS512", VMCP_OPT_STRING, AT(alg), 0, 0,
     "of an RSA key in version 2 (PS256)"},
    {"secret", "FILE", VMCP_OPT_STRING, AT(secret), 0, 0,
     "the secret of ${vmcp.hmac.LABEL}, at least 32 bytes"},
    {"keystore", "DIR", VMCP_OPT_STRING, AT(keystore_dir), 0, 0,
     "the version 1 key list that `vmcp keystore sign` made, to publish"},
    {"watch", NULL, VMCP_OPT_FLAG, AT(watch), 0, 0,
     "reload when machines, keys, the key list or certificates change on disk"},
    {"control", "PATH", VMCP_OPT_STRING, AT(control), 0, 0,
     "the socket of `vmcpd reload` (control in $RUNTIME_DIRECTORY, if that is set)"},
    {"access-log", "off|FILE|-", VMCP_OPT_STRING, AT(access_log), 0, 0,
     "a line for each request: appended to FILE, on standard error (-, the default), or none"},
    {"log-format", "text|json", VMCP_OPT_STRING, AT(log_format), 0, 0,
     "what those lines are (text)"},
    {"metrics", "ADDR:PORT", VMCP_OPT_STRING, AT(metrics), 0, 0,
     "where to answer GET /metrics, for Prometheus, and nothing else; or unix:PATH"},
    {"max-connections", "N", VMCP_OPT_INT, AT(transport.connections), 0, MANY,
     "connections in all (4096; 0: no limit but that of descriptors)"},
    {"max-connections-each", "N", VMCP_OPT_INT, AT(transport.connections_each), 0, MANY,
     "connections of one address (1500; 0: no limit)"},
    {"header-timeout", "TIME", VMCP_OPT_TIME, AT(transport.header_timeout), 0, LONG,
     "from accept, or the last answer, to the end of the headers (20s; 0: none)"},
    {"idle-timeout", "TIME", VMCP_OPT_TIME, AT(transport.idle_timeout), 0, LONG,
     "without a byte in either direction (30s; 0: none)"},
    {"rate", "N", VMCP_OPT_INT, AT(transport.rate), 0, MANY,
     "requests a second of one address, or of one /64 of IPv6 (500; 0: no limit)"},
    {"rate-burst", "N", VMCP_OPT_INT, AT(transport.rate_burst), 1, MANY, "of them at once (10000)"},
    {"connection-rate", "N", VMCP_OPT_INT, AT(transport.connection_rate), 0, MANY,
     "new connections a second of one address, 20 times as many at once (500; 0: no limit)"},
    {"trusted-proxy", "CIDR", VMCP_OPT_LIST, AT(transport.trusted_proxies), 0, 0,
     "believe X-Forwarded-For and Forwarded from there; unix: from Unix sockets"},
    {"grace", "TIME", VMCP_OPT_TIME, AT(transport.grace), 0, LONG,
     "how long a stop waits for what is in flight (10s)"},
    {"user", "NAME", VMCP_OPT_STRING, AT(user), 0, 0,
     "as whom to read files and to answer, when root starts it"},
    {"sandbox", "on|off", VMCP_OPT_STRING, AT(sandbox), 0, 0,
     "give up what answering does not need: system calls, files, privileges (on)"},
    {"universe-domain", "D", VMCP_OPT_STRING, AT(universe), 0, 0,
     "where the access tokens of jobs may go (googleapis.com)"},
    {"list-machines", NULL, VMCP_OPT_FLAG, AT(list_machines), 0, 0,
     "show the machines' and jobs' names on the page at /, to whoever asks"},
    {"check", NULL, VMCP_OPT_FLAG, AT(check), 0, 0,
     "load everything, make and verify one answer of each machine and job, try places and "
     "log, and exit"},
    {"version", NULL, VMCP_OPT_FLAG, AT(version), 0, 0, "print the version"},
    {0},
};

const struct vmcp_command srv_command = {
    .name = "vmcpd",
    .operands = "| vmcpd reload [options]",
    .summary = "answers configuration requests, signed over the caller's salt",
    .options = options,
    .max_operands = 0,
    .details =
        "Answers GET /vmcp, /vmcp/NAME, /vmcp?vm=NAME and /jobs/NAME, /.well-known/jwks.json,\n"
        "/healthz and /readyz. SIGHUP, or `vmcpd reload`, reads machines and keys again: all of\n"
        "them are good, or the old ones stay; the access log is opened again.\n"
        "SIGTERM and SIGINT stop it: what is in flight is finished first.\n",
    .example = "  vmcp keygen --alg ed25519 --out cfg.key\n"
               "  vmcpd --domain cfg.example.org --key cfg.key --configs configs "
               "--listen 127.0.0.1:8080\n",
};

static int check_alg(struct srv_settings *s, struct vmcp_error *err)
{
    if (!s->alg)
        return 0;
    if (strcmp(s->alg, "PS256") != 0 && strcmp(s->alg, "RS256") != 0 &&
        strcmp(s->alg, "RS512") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--alg %s: PS256, RS256 or RS512 is wanted", s->alg);
    s->rsa_alg = vmcp_alg_find(s->alg);
    return 0;
}

/* Of the places where it could answer, --metrics has one of its own. */
static int check_places(const struct srv_settings *s, struct vmcp_error *err)
{
    const struct vmcp_list *listen = &s->transport.listen;
    for (size_t i = 0; s->metrics && i < listen->count; i++)
        if (srv_transport_same_place(s->metrics, listen->items[i]))
            return vmcp_fail(err, VMCP_E_USAGE,
                             "--metrics %s: is a place of --listen; metrics are answered at "
                             "another, like 127.0.0.1:9465",
                             s->metrics);
    if (s->access_log && !*s->access_log)
        return vmcp_fail(err, VMCP_E_USAGE, "--access-log: off, - or the name of a file is wanted");
    return 0;
}

static int check(struct srv_settings *s, struct vmcp_error *err)
{
    if (!s->domain || !s->configs)
        return vmcp_fail(err, VMCP_E_USAGE, "--domain and --configs are wanted; see vmcpd --help");
    if (!s->keys.count && !s->keys_dir)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--key FILE or --keys DIR is wanted; make a key with: "
                         "vmcp keygen --alg ed25519 --out cfg.key");
    s->log_json = s->log_format && strcmp(s->log_format, "json") == 0;
    if (s->log_format && !s->log_json && strcmp(s->log_format, "text") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--log-format %s: text or json is wanted",
                         s->log_format);
    if (!s->sandbox)
        s->sandbox = SRV_SANDBOX_DEFAULT;
    if (strcmp(s->sandbox, "on") != 0 && strcmp(s->sandbox, "off") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--sandbox %s: on or off is wanted", s->sandbox);
    s->transport.domain = s->domain;
    if (vmcp_domain_check(s->domain, strlen(s->domain), err) < 0)
        return vmcp_error_option(err, "domain", s->domain);
    int rc = check_alg(s, err);
    if (rc == 0)
        rc = check_places(s, err);
    return rc < 0 ? rc : srv_transport_check(&s->transport, err);
}

int srv_settings_parse(int argc, char **argv, struct srv_settings *ret, bool *ret_help,
                       struct vmcp_error *err)
{
    struct vmcp_list operands = {0};
    *ret = (struct srv_settings){.ttl = VMCP_TTL_DEFAULT,
                                 .retire_after = VMCP_RETIRE_AFTER,
                                 .universe = VMCP_UNIVERSE_DEFAULT,
                                 .transport = SRV_TRANSPORT_DEFAULTS};
    int rc = vmcp_options_parse(&srv_command, argc, argv, ret, &operands, ret_help, err);
    return rc < 0 || *ret_help || ret->version ? rc : check(ret, err);
}
