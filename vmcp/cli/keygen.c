/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <openssl/crypto.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/key.h"

struct args {
    const char *alg, *out;
    bool json;
};

static const struct vmcp_option options[] = {
    {"alg", "KIND", VMCP_OPT_STRING, offsetof(struct args, alg), 0, 0,
     "ed25519, p-256, rsa-2048, rsa-3072 or rsa-4096"},
    {"out", "FILE", VMCP_OPT_STRING, offsetof(struct args, out), 0, 0,
     "the private key, mode 0600; the public one becomes FILE.pub"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp keygen",
    .operands = "",
    .summary = "make a key pair",
    .options = options,
    .details = "Prints the key's RFC 7638 thumbprint. A file that is there already is never\n"
               "overwritten. Version 1 clients need an RSA key; Ed25519 is best for all others.\n",
    .example = "  vmcp keygen --alg ed25519 --out cfg.example.org.key\n",
};

/* The public half first: if the second file fails, no private key is left without its name. */
static int write_pair(const struct vmcp_key *key, const char *out, struct vmcp_error *err)
{
    auto_free char *public = NULL, *private = NULL, *public_path = NULL;
    size_t private_len = 0;
    if (asprintf(&public_path, "%s.pub", out) < 0) {
        public_path = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    if (access(out, F_OK) == 0)
        return vmcp_fail_at(err, VMCP_E_FILE_EXISTS, out,
                            "is there already; a key is never overwritten");
    int rc = vmcp_key_public_pem(key, &public, err);
    if (rc == 0)
        rc = vmcp_key_private_pem(key, &private, &private_len, err);
    if (rc == 0)
        rc = vmcp_file_create(public_path, 0644, public, strlen(public), err);
    if (rc == 0) {
        rc = vmcp_file_create(out, 0600, private, private_len, err);
        if (rc < 0)
            unlink(public_path);
    }
    if (private)
        OPENSSL_cleanse(private, private_len);
    return rc;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_key struct vmcp_key *key = NULL;
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    if (!a.alg || !a.out)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--alg KIND and --out FILE are wanted, as in: vmcp "
                         "keygen --alg ed25519 --out cfg.key");
    rc = vmcp_key_generate(a.alg, &key, err);
    if (rc == 0)
        rc = write_pair(key, a.out, err);
    if (rc < 0)
        return rc;
    auto_free char *public = NULL;
    if (asprintf(&public, "%s.pub", a.out) < 0) {
        public = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    json_auto_t *report =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "code", "ok", "type", vmcp_key_type_name(key),
                  "thumbprint", vmcp_key_thumbprint(key), "private", cmd_json_string(a.out),
                  "public", cmd_json_string(public));
    fprintf(stderr, "made %s (private, keep it) and %s.pub (public, give it away)\n", a.out, a.out);
    if (a.json)
        cmd_print_json(report);
    else
        puts(vmcp_key_thumbprint(key));
    return 0;
}

const struct cmd_verb cmd_keygen = {"keygen", &command, run};
