/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/jwk.h"
#include "lib/key.h"
#include "lib/keyname.h"

struct args {
    const char *format, *passphrase;
    bool json;
};

static const struct vmcp_option options[] = {
    {"format", "pem|der|jwk|jwks", VMCP_OPT_STRING, offsetof(struct args, format), 0, 0,
     "how to write it (pem)"},
    CMD_PASSPHRASE(offsetof(struct args, passphrase)),
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0,
     "print a JSON object with the key as JWK"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp pubkey",
    .operands = "KEY",
    .summary = "print the public half of a key",
    .options = options,
    .min_operands = 1,
    .max_operands = 1,
    .details = "KEY is a private or a public key.\n" CMD_KEY_NAMES,
    .example = "  vmcp pubkey cfg.key > trust.pem\n"
               "  vmcp pubkey cfg.key --format jwks > trust.jwks\n",
};

static int print_pem(const struct vmcp_key *key, struct vmcp_error *err)
{
    auto_free char *pem = NULL;
    int rc = vmcp_key_public_pem(key, &pem, err);
    if (rc == 0)
        fputs(pem, stdout);
    return rc;
}

static int print_der(const struct vmcp_key *key, struct vmcp_error *err)
{
    auto_free unsigned char *der = NULL;
    size_t len = 0;
    int rc = vmcp_key_public_der(key, &der, &len, err);
    if (rc == 0 && fwrite(der, 1, len, stdout) != len)
        return vmcp_fail(err, VMCP_E_FILE, "standard output cannot be written");
    return rc;
}

static int print_jwk(const struct vmcp_key *key, const char *wrap, struct vmcp_error *err)
{
    json_auto_t *jwk = NULL;
    int rc = vmcp_jwk_export(key, &jwk, err);
    if (rc < 0)
        return rc;
    json_auto_t *wrapped = strcmp(wrap, "jwks") == 0 ? json_pack("{s:[O]}", "keys", jwk)
                           : strcmp(wrap, "json") == 0
                               ? json_pack("{s:s, s:O}", "code", "ok", "jwk", jwk)
                               : json_incref(jwk);
    cmd_print_json(wrapped);
    return 0;
}

static int check_format(const char *format, struct vmcp_error *err)
{
    static const char *const formats[] = {"pem", "der", "jwk", "jwks"};
    for (size_t i = 0; i < sizeof(formats) / sizeof(*formats); i++)
        if (strcmp(format, formats[i]) == 0)
            return 0;
    return vmcp_fail(err, VMCP_E_USAGE, "--format %s: pem, der, jwk or jwks is wanted", format);
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.format = NULL};
    struct vmcp_list operands = {0};
    auto_passphrase struct vmcp_passphrase pass = {0};
    auto_key struct vmcp_key *key = NULL;
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    const char *format = a.format ? a.format : "pem";
    rc = check_format(format, err);
    if (rc == 0)
        rc = cmd_stdin_once(cmd_count_stdin(&operands) + cmd_is_stdin(a.passphrase), err);
    if (rc == 0)
        rc = vmcp_passphrase_init(&pass, a.passphrase, true, err);
    if (rc == 0)
        rc = vmcp_key_open_any(operands.items[0], &pass, &key, err);
    if (rc < 0)
        return rc;
    if (a.json)
        return print_jwk(key, "json", err);
    if (strcmp(format, "pem") == 0)
        return print_pem(key, err);
    return strcmp(format, "der") == 0 ? print_der(key, err) : print_jwk(key, format, err);
}

const struct cmd_verb cmd_pubkey = {"pubkey", &command, run};
