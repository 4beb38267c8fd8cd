/* SPDX-License-Identifier: Apache-2.0 */
/* vmcpd - the signed configuration responder. */
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "catalogue.h"
#include "http/server.h"
#include "lib/auto.h"
#include "lib/limits.h"
#include "lib/options.h"
#include "service.h"
#include "signer.h"

enum { GRACE_MS = 10000 };

struct args {
    const char *domain, *configs, *listen, *fallback, *alg, *secret, *access_log;
    struct vmcp_list keys;
    int64_t ttl;
    bool check, version;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain that the keys speak for"},
    {"key", "FILE", VMCP_OPT_LIST, AT(keys), 0, 0, "an active private key, PEM or DER, mode 0600"},
    {"configs", "DIR", VMCP_OPT_STRING, AT(configs), 0, 0, "the folder of machine files"},
    {"listen", "ADDR:PORT", VMCP_OPT_STRING, AT(listen), 0, 0,
     "where to answer; port 0: one that is free"},
    {"default", "NAME", VMCP_OPT_STRING, AT(fallback), 0, 0,
     "the machine of a question that names none"},
    {"ttl", "SECONDS", VMCP_OPT_INT, AT(ttl), VMCP_TTL_MIN, VMCP_TTL_MAX,
     "how long an answer is good (300; 30 to 3600)"},
    {"alg", "ALG", VMCP_OPT_STRING, AT(alg), 0, 0,
     "of an RSA key in version 2: PS256 (default), RS256, RS512"},
    {"secret", "FILE", VMCP_OPT_STRING, AT(secret), 0, 0,
     "the secret of ${vmcp.hmac.LABEL}, at least 32 bytes"},
    {"access-log", "off|-", VMCP_OPT_STRING, AT(access_log), 0, 0,
     "a line for each request on standard error (-, the default), or none"},
    {"check", NULL, VMCP_OPT_FLAG, AT(check), 0, 0,
     "load everything, make and verify one answer of each machine, and exit"},
    {"version", NULL, VMCP_OPT_FLAG, AT(version), 0, 0, "print the version"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcpd",
    .operands = "",
    .summary = "answers configuration requests, signed over the caller's salt",
    .options = options,
    .details = "Answers GET /vmcp, /vmcp/NAME and /vmcp?vm=NAME, /.well-known/jwks.json, /healthz\n"
               "and /readyz. SIGTERM and SIGINT stop it: what is in flight is finished first.\n",
    .example = "  vmcp keygen --alg ed25519 --out cfg.key\n"
               "  vmcpd --domain cfg.example.org --key cfg.key --configs configs "
               "--listen 127.0.0.1:8080\n",
};

static int complain(const struct vmcp_error *err)
{
    fprintf(stderr, "vmcpd: error: %s%s%s [%s]\n", err->where, err->where[0] ? ": " : "", err->text,
            vmcp_code_name(err->code));
    return vmcp_code_exit(err->code);
}

static void report(void *arg, const char *path, size_t line, size_t column, bool is_error,
                   const char *text)
{
    (void)arg;
    const char *kind = is_error ? "error" : "warning";
    if (line)
        fprintf(stderr, "%s:%zu:%zu: %s: %s\n", path, line, column, kind, text);
    else
        fprintf(stderr, "%s: %s: %s\n", path, kind, text);
}

/* Everything that is loaded before the first request. */
struct loaded {
    struct srv_signer *signer;
    struct srv_catalogue *catalogue;
    struct srv_service service;
};

static void unload(struct loaded *l)
{
    srv_service_clear(&l->service);
    srv_catalogue_free(l->catalogue);
    srv_signer_free(l->signer);
}

static int rsa_alg(const char *name, const struct vmcp_alg **ret, struct vmcp_error *err)
{
    if (name && strcmp(name, "PS256") != 0 && strcmp(name, "RS256") != 0 &&
        strcmp(name, "RS512") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--alg %s: PS256, RS256 or RS512 is wanted", name);
    *ret = name ? vmcp_alg_find(name) : NULL;
    return 0;
}

static int load(const struct args *a, struct loaded *l, struct vmcp_error *err)
{
    struct srv_signer_options o = {.domain = a->domain,
                                   .key_files = a->keys.items,
                                   .key_count = a->keys.count,
                                   .ttl = (int)a->ttl,
                                   .secret_file = a->secret};
    int rc = rsa_alg(a->alg, &o.rsa_alg, err);
    if (rc == 0)
        rc = srv_signer_new(&o, &l->signer, err);
    if (rc == 0)
        rc = srv_catalogue_load(a->configs, report, NULL, &l->catalogue, err);
    if (rc == 0 && a->fallback)
        rc = srv_catalogue_set_default(l->catalogue, a->fallback, err);
    for (size_t i = 0; rc == 0 && i < srv_catalogue_count(l->catalogue); i++)
        rc = srv_signer_self_check(l->signer, srv_catalogue_at(l->catalogue, i), err);
    if (rc == 0)
        rc = srv_service_init(&l->service, l->signer, l->catalogue, err);
    return rc;
}

static void print_loaded(const struct args *a, const struct loaded *l)
{
    for (size_t i = 0; i < srv_signer_key_count(l->signer); i++) {
        const struct vmcp_key *key = srv_signer_key(l->signer, i);
        printf("vmcpd: key %s %s\n", vmcp_key_thumbprint(key), vmcp_key_type_name(key));
    }
    printf("vmcpd: domain %s, %zu machine%s, catalogue %.12s\n", a->domain,
           srv_catalogue_count(l->catalogue), srv_catalogue_count(l->catalogue) == 1 ? "" : "s",
           srv_catalogue_digest(l->catalogue));
}

/* Serve until a signal comes. The signals are blocked before any thread is made. */
static int serve(const struct args *a, struct loaded *l, const sigset_t *signals,
                 struct vmcp_error *err)
{
    struct http_server *server = NULL;
    struct http_server_options o = srv_service_options(&l->service);
    int fd = -1, signal_number = 0;
    uint16_t port = 0;
    /* From here on a signal is waited for; before, it just ends the program. */
    sigprocmask(SIG_BLOCK, signals, NULL);
    int rc = http_listen(a->listen, &fd, &port, err);
    if (rc == 0)
        rc = http_server_start(&o, fd, &server, err);
    if (rc < 0)
        return rc;
    int host = (int)(strrchr(a->listen, ':') - a->listen);
    printf("vmcpd: ready on http://%.*s:%u/vmcp\n", host, a->listen, port);
    fflush(stdout);
    sigwait(signals, &signal_number);
    fprintf(stderr, "vmcpd: stopping on %s\n", signal_number == SIGINT ? "SIGINT" : "SIGTERM");
    http_server_stop(server, GRACE_MS);
    return 0;
}

static int run(const struct args *a, const sigset_t *signals, struct vmcp_error *err)
{
    if (!a->domain || !a->configs)
        return vmcp_fail(err, VMCP_E_USAGE, "--domain and --configs are wanted; see vmcpd --help");
    if (!a->listen && !a->check)
        return vmcp_fail(err, VMCP_E_USAGE, "--listen ADDR:PORT is wanted; see vmcpd --help");
    if (a->access_log && strcmp(a->access_log, "off") != 0 && strcmp(a->access_log, "-") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--access-log %s: off or - is wanted", a->access_log);
    struct loaded l = {0};
    int rc = load(a, &l, err);
    if (rc == 0) {
        l.service.access_log = !a->access_log || strcmp(a->access_log, "-") == 0;
        print_loaded(a, &l);
        if (a->check)
            printf("vmcpd: all good: an answer of each machine was made and verified\n");
        else
            rc = serve(a, &l, signals, err);
    }
    unload(&l);
    return rc;
}

int main(int argc, char **argv)
{
    struct vmcp_error err = {0};
    struct args a = {.ttl = VMCP_TTL_DEFAULT};
    struct vmcp_list operands = {0};
    bool help = false;
    sigset_t signals;
    sigemptyset(&signals);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGINT);
    signal(SIGPIPE, SIG_IGN);
    if (vmcp_options_parse(&command, argc, argv, &a, &operands, &help, &err) < 0)
        return complain(&err);
    if (help) {
        auto_buf struct vmcp_buf text = VMCP_BUF(16384);
        vmcp_command_help(&command, &text);
        fputs(text.data, stdout);
        return 0;
    }
    if (a.version) {
        puts("vmcpd " VMCP_VERSION);
        return 0;
    }
    return run(&a, &signals, &err) < 0 ? complain(&err) : 0;
}
