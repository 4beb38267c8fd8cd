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
    const char *alg, *out, *passphrase;
    bool json;
};

static const struct vmcp_option options[] = {
    {"alg", "ed25519|p-256|rsa-2048|rsa-3072|rsa-4096", VMCP_OPT_STRING, offsetof(struct args, alg),
     0, 0, "the kind of key"},
    {"out", "FILE", VMCP_OPT_STRING, offsetof(struct args, out), 0, 0,
     "the private key, mode 0600; the public one becomes FILE.pub"},
    {"passphrase", "SOURCE", VMCP_OPT_STRING, offsetof(struct args, passphrase), 0, 0,
     "encrypt the private key: file:PATH, fd:N, env:NAME, credential:NAME or prompt"},
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp keygen",
    .operands = "",
    .summary = "make a key pair",
    .options = options,
    .details =
        "Prints the key's RFC 7638 thumbprint. A file that is there already is never\n"
        "overwritten. Version 1 clients need an RSA key; Ed25519 is best for all others. With\n"
        "--passphrase the private key is encrypted (PKCS#8, AES-256-CBC).\n",
    .example = "  vmcp keygen --alg ed25519 --out cfg.example.org.key\n"
               "  vmcp keygen --alg rsa-2048 --passphrase prompt --out root.key\n",
};

/* A run that was killed between the two files left the private one; a public one alone is what
 * somebody who moved the private one away left. Each is told apart. */
static int check_absent(const char *out, const char *public_path, struct vmcp_error *err)
{
    bool private = access(out, F_OK) == 0, public = access(public_path, F_OK) == 0;
    if (private && public)
        return vmcp_fail_at(err, VMCP_E_FILE_EXISTS, out,
                            "is there already; a key is never overwritten");
    if (private)
        return vmcp_fail_at(err, VMCP_E_FILE_EXISTS, out,
                            "is there already, without its public half, which this makes: vmcp "
                            "pubkey %s > %s",
                            out, public_path);
    if (public)
        return vmcp_fail_at(err, VMCP_E_FILE_EXISTS, public_path,
                            "is there already, without its private half; a key is never "
                            "overwritten: choose another name, or move it away first");
    return 0;
}

/* The private half first: the public one can be made of it again. */
static int write_pair(const struct vmcp_key *key, const char *out, const char *public_path,
                      struct vmcp_passphrase *pass, struct vmcp_error *err)
{
    auto_free char *public = NULL, *private = NULL;
    size_t len = 0;
    int rc = vmcp_key_public_pem(key, &public, err);
    if (rc == 0)
        rc = pass->source ? vmcp_key_encrypted_pem(key, pass->text, pass->len, &private, &len, err)
                          : vmcp_key_private_pem(key, &private, &len, err);
    if (rc == 0)
        rc = vmcp_file_create(out, 0600, private, len, err);
    if (private)
        OPENSSL_cleanse(private, len);
    if (rc < 0)
        return rc;
    rc = vmcp_file_create(public_path, 0644, public, strlen(public), err);
    if (rc < 0)
        unlink(out);
    return rc;
}

static int make_pair(const struct args *a, const char *public_path, struct vmcp_key **ret,
                     struct vmcp_error *err)
{
    auto_passphrase struct vmcp_passphrase pass = {0};
    auto_key struct vmcp_key *key = NULL;
    auto_free char *what = NULL;
    int rc = vmcp_passphrase_init(&pass, a->passphrase, false, err);
    if (rc == 0)
        rc = check_absent(a->out, public_path, err);
    if (rc == 0)
        rc = vmcp_key_generate(a->alg, &key, err);
    if (rc == 0 && asprintf(&what, "a passphrase for %s", a->out) < 0) {
        what = NULL;
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a prompt");
    }
    if (rc == 0)
        vmcp_text_clean(what);
    if (rc == 0 && pass.source)
        rc = vmcp_passphrase_get_new(&pass, what, err);
    if (rc == 0)
        rc = write_pair(key, a->out, public_path, &pass, err);
    if (rc == 0)
        *ret = steal(&key);
    return rc;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_key struct vmcp_key *key = NULL;
    auto_free char *public = NULL;
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    if (!a.alg || !a.out)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--alg KIND and --out FILE are wanted, as in: vmcp "
                         "keygen --alg ed25519 --out cfg.key");
    if (strcmp(a.out, "-") == 0)
        return vmcp_fail(err, VMCP_E_USAGE, "--out -: a key pair is two files; name the first");
    if (asprintf(&public, "%s.pub", a.out) < 0) {
        public = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    rc = make_pair(&a, public, &key, err);
    if (rc < 0)
        return rc;
    json_auto_t *report =
        json_pack("{s:s, s:s, s:s, s:o, s:o}", "code", "ok", "type", vmcp_key_type_name(key),
                  "thumbprint", vmcp_key_thumbprint(key), "private", cmd_json_string(a.out),
                  "public", cmd_json_string(public));
    fprintf(stderr, "made %s (private, keep it) and %s.pub (public, give it away); thumbprint:\n",
            a.out, a.out);
    if (a.json)
        cmd_print_json(report);
    else
        puts(vmcp_key_thumbprint(key));
    return 0;
}

const struct cmd_verb cmd_keygen = {"keygen", &command, run};
