/* SPDX-License-Identifier: Apache-2.0 */
#include "lib/sign.h"

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/keyname.h"
#include "lib/keyring.h"
#include "lib/macro.h"
#include "lib/name.h"
#include "lib/question.h"
#include "lib/respond.h"

struct args {
    struct vmcp_list keys;
    const char *domain, *salt, *hostid, *machine, *job, *alg, *format, *secret, *passphrase;
    int64_t ttl;
    bool json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"key", "KEY", VMCP_OPT_LIST, AT(keys), 0, 0,
     "a private key; the best one for the format signs"},
    CMD_PASSPHRASE(AT(passphrase)),
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain that signs (version 2)"},
    {"salt", "S", VMCP_OPT_STRING, AT(salt), 0, 0, "the asker's salt"},
    {"hostid", "H", VMCP_OPT_STRING, AT(hostid), 0, 0, "the asker's host id (version 2)"},
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0,
     "the machine's name; by default the file's"},
    {"job", "NAME", VMCP_OPT_STRING, AT(job), 0, 0,
     "the job's name; by default the file's. The file has to be a job's"},
    {"alg", "EdDSA|ES256|PS256|RS256|RS512", VMCP_OPT_STRING, AT(alg), 0, 0,
     "the signature algorithm; by default the key's"},
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "the answer's version (v2)"},
    {"ttl", "TIME", VMCP_OPT_TIME, AT(ttl), VMCP_TTL_MIN, VMCP_TTL_MAX,
     "how long the answer is good (300s; 30s to 1h)"},
    {"secret", "FILE", VMCP_OPT_STRING, AT(secret), 0, 0,
     "the secret of ${vmcp.hmac.LABEL}, at least 32 bytes"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object with the answer in it"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp sign",
    .operands = "FILE.json",
    .summary = "sign a machine or job file, as vmcpd would",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details =
        "Prints the answer on standard output. FILE.json is a machine file, a bare VMCP object or\n"
        "a job file, which has a top-level job and no machine; - is standard input and needs\n"
        "--machine or --job.\n" CMD_KEY_NAMES,
    .example =
        "  vmcp sign --key cfg.key --domain cfg.example.org --salt abc --hostid h1 web.json\n",
};

static int read_question(const struct args *a, struct vmcp_question *q, struct vmcp_error *err)
{
    if (!a->salt || !a->keys.count)
        return vmcp_fail(err, VMCP_E_USAGE, "--key KEY and --salt S are wanted");
    int rc = a->format ? vmcp_format_parse(a->format, &q->format, err) : 0;
    if (rc == 0)
        rc = vmcp_salt_check(a->salt, strlen(a->salt), err);
    if (rc == 0 && a->hostid)
        rc = vmcp_hostid_check(a->hostid, strlen(a->hostid), err);
    if (rc == 0 && a->domain)
        rc = vmcp_domain_check(a->domain, strlen(a->domain), err);
    if (rc < 0)
        return rc;
    if (q->format == VMCP_FORMAT_V2 && (!a->domain || !a->hostid))
        return vmcp_fail(err, VMCP_E_USAGE, "version 2 needs --domain D and --hostid H");
    snprintf(q->salt, sizeof(q->salt), "%s", a->salt);
    snprintf(q->hostid, sizeof(q->hostid), "%s", a->hostid ? a->hostid : "");
    return 0;
}

/* The keys that may sign: all of them, or with --alg those that it fits. */
static int load_keys(const struct args *a, const struct vmcp_alg *alg, struct vmcp_keyring *ring,
                     struct vmcp_error *err)
{
    auto_passphrase struct vmcp_passphrase pass = {0};
    int rc = vmcp_passphrase_init(&pass, a->passphrase, true, err);
    for (size_t i = 0; rc == 0 && i < a->keys.count; i++) {
        auto_key struct vmcp_key *key = NULL;
        rc = vmcp_key_open(a->keys.items[i], &pass, &key, err);
        if (rc == 0 && (!alg || vmcp_alg_fits(alg, key)))
            rc = vmcp_keyring_add(ring, key, VMCP_KEY_ACTIVE, a->keys.items[i], err);
    }
    return rc;
}

/* As vmcpd would choose; borrowed from the ring. */
static int choose_key(const struct args *a, enum vmcp_format format, const struct vmcp_alg *alg,
                      struct vmcp_keyring *ring, const struct vmcp_key **ret,
                      struct vmcp_error *err)
{
    int rc = load_keys(a, alg, ring, err);
    if (rc < 0)
        return rc;
    *ret = vmcp_keyring_signing_key(ring, format == VMCP_FORMAT_V1);
    if (!*ret && format == VMCP_FORMAT_V1)
        return vmcp_fail(err, VMCP_E_NO_RSA_KEY, "version 1 is signed with RSA; give an RSA key");
    if (!*ret)
        return vmcp_fail(err, VMCP_E_KEY_UNSUPPORTED, "no key given fits the algorithm %s", a->alg);
    return 0;
}

static int find_alg(const struct args *a, enum vmcp_format format, const struct vmcp_alg **ret,
                    struct vmcp_error *err)
{
    *ret = a->alg ? vmcp_alg_find(a->alg) : NULL;
    if (a->alg && !*ret)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--alg %s: EdDSA, ES256, PS256, RS256 or RS512 is wanted", a->alg);
    if (a->alg && format == VMCP_FORMAT_V1 && strcmp(a->alg, "RS512") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "version 1 is always signed with RS512");
    return 0;
}

/* The file; standard input takes its name from --machine or --job. */
static int load_config(const struct args *a, const char *path, struct vmcp_config *ret,
                       struct vmcp_error *err)
{
    const char *name = a->machine ? a->machine : a->job;
    enum vmcp_config_want want = a->machine ? VMCP_WANT_MACHINE
                                 : a->job   ? VMCP_WANT_JOB
                                            : VMCP_WANT_EITHER;
    if (a->machine && a->job)
        return vmcp_fail(err, VMCP_E_USAGE, "--machine and --job: a file is one of them");
    if (strcmp(path, "-") != 0) {
        int rc = vmcp_config_load_as(want, path, ret, NULL, err);
        if (rc == 0 && name) {
            rc = vmcp_machine_name_check(name, strlen(name), err);
            snprintf(ret->name, sizeof(ret->name), "%s", name);
        }
        return rc;
    }
    if (!name)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "standard input has no name; give --machine NAME or --job NAME");
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_CONFIG_MAX);
    int rc = vmcp_file_read("-", VMCP_FILE_PUBLIC, &b, err);
    if (rc < 0)
        return rc;
    return vmcp_config_parse_as(want, name, b.data ? b.data : "", b.len, -1, ret, NULL, err);
}

static int sign(const struct args *a, const char *path, char **ret, struct vmcp_error *err)
{
    struct vmcp_question q = {.format = VMCP_FORMAT_V2};
    const struct vmcp_alg *alg = NULL;
    auto_keyring struct vmcp_keyring ring = {0};
    const struct vmcp_key *key = NULL;
    auto_config struct vmcp_config config = {0};
    auto_secret_buf struct vmcp_buf secret = VMCP_BUF(VMCP_SECRET_MAX);
    char jti[VMCP_JTI_LEN + 1];
    int rc = read_question(a, &q, err);
    if (rc == 0)
        rc = cmd_stdin_once(cmd_count_stdin(&a->keys) + cmd_is_stdin(path) +
                                cmd_is_stdin(a->secret) + cmd_is_stdin(a->passphrase),
                            err);
    if (rc == 0)
        rc = find_alg(a, q.format, &alg, err);
    if (rc == 0)
        rc = choose_key(a, q.format, alg, &ring, &key, err);
    if (rc == 0)
        rc = load_config(a, path, &config, err);
    if (rc == -VMCP_E_MACHINE ||
        rc == -VMCP_E_JOB) /* here it is a local file that is wrong, and no answer */
        rc = vmcp_fail_at(err, VMCP_E_CONFIG, err->where, "%s", err->text);
    if (rc == 0 && (config.macros & VMCP_MACRO_HMAC) && !a->domain)
        rc = vmcp_fail(err, VMCP_E_USAGE, "${vmcp.hmac.…} depends on the domain; give --domain D");
    if (rc == 0 && a->secret)
        rc = vmcp_macro_read_secret(a->secret, &secret, err);
    if (rc < 0)
        return rc;
    struct vmcp_responder responder = {.domain = a->domain ? a->domain : "",
                                       .ttl = (int)a->ttl,
                                       .secret = (const uint8_t *)secret.data,
                                       .secret_len = secret.len};
    struct vmcp_subject subject = {.config = &config};
    rc = vmcp_respond(&responder, &subject, &q, key, alg, time(NULL), ret, jti, err);
    if (rc == -VMCP_E_VERSION_2_ONLY && config.kind == VMCP_KIND_JOB)
        return vmcp_fail_at(err, VMCP_E_VERSION_2_ONLY, path, "version 1 carries machines only");
    if (rc == -VMCP_E_VERSION_2_ONLY) /* the server's words are for who asks over HTTP */
        return vmcp_fail_at(err, VMCP_E_VERSION_2_ONLY, path,
                            "version 1 can carry neither `gce` nor a `count` over 1; \"v1\": true "
                            "in the file serves it without its `gce`");
    return rc;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.ttl = VMCP_TTL_DEFAULT};
    struct vmcp_list operands = {0};
    auto_free char *answer = NULL;
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    rc = sign(&a, operands.items[0], &answer, err);
    if (rc < 0)
        return rc;
    json_auto_t *report = a.json ? json_pack("{s:s, s:s}", "code", "ok", "answer", answer) : NULL;
    if (a.json)
        cmd_print_json(report);
    else
        puts(answer);
    return 0;
}

const struct cmd_verb cmd_sign = {"sign", &command, run};
