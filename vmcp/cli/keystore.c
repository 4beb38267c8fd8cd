/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/keylist.h"
#include "lib/keyname.h"
#include "lib/name.h"

struct args {
    const char *root, *out, *passphrase;
    bool json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"root", "KEY", VMCP_OPT_STRING, AT(root), 0, 0,
     "the root key: private for sign, public for verify"},
    {"out", "DIR", VMCP_OPT_STRING, AT(out), 0, 0, "where sign puts the list and its signature"},
    CMD_PASSPHRASE(AT(passphrase)),
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp keystore",
    .operands = "sign DOMAIN=PUB…|verify DIR",
    .summary = "make and check the version 1 key list",
    .options = options,
    .min_operands = 2,
    .max_operands = VMCP_LIST_MAX,
    .details = "`sign` writes " VMCP_KEYLIST_FILE " and " VMCP_KEYLIST_SIG_FILE
               " into --out DIR, one line for each\n"
               "DOMAIN with its RSA public key PUB; what was there is replaced. The root key\n"
               "signs lists and nothing else: it may not be one of the listed keys. `verify`\n"
               "checks DIR and prints its domains.\n" CMD_KEY_NAMES,
    .example =
        "  mkdir -p keystore\n"
        "  vmcp keystore sign --root root.key --out keystore cfg.example.org=cfg.rsa.key.pub\n"
        "  vmcp keystore verify --root root.key.pub keystore\n",
};

static int path_in(const char *folder, const char *name, char **ret, struct vmcp_error *err)
{
    if (asprintf(ret, "%s/%s", folder, name) >= 0)
        return 0;
    *ret = NULL;
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
}

/* DOMAIN=PUB. Messages name the domain: a PIN may be in PUB. */
static int add_operand(struct vmcp_keylist *list, const char *operand, struct vmcp_passphrase *pass,
                       struct vmcp_error *err)
{
    const char *equals = strchr(operand, '=');
    auto_free char *domain = equals ? strndup(operand, (size_t)(equals - operand)) : NULL;
    auto_key struct vmcp_key *key = NULL;
    if (!domain)
        return vmcp_fail(err, VMCP_E_USAGE, "DOMAIN=PUB is wanted");
    int rc = vmcp_domain_check(domain, strlen(domain), err);
    if (rc == 0)
        rc = vmcp_key_open_any(equals + 1, pass, &key, err);
    if (rc == 0)
        rc = vmcp_keylist_add(list, domain, key, err);
    return rc < 0 ? vmcp_error_locate(err, domain) : 0;
}

/* The signature first: a reader who sees the new list finds its signature there. Both are replaced,
 * never half written; between the two a reader sees a pair that does not verify and asks again. */
static int write_pair(const char *folder, const char *text, const uint8_t *sig, size_t sig_len,
                      struct vmcp_error *err)
{
    auto_free char *list_path = NULL, *sig_path = NULL;
    int rc = path_in(folder, VMCP_KEYLIST_FILE, &list_path, err);
    if (rc == 0)
        rc = path_in(folder, VMCP_KEYLIST_SIG_FILE, &sig_path, err);
    if (rc == 0)
        rc = vmcp_file_replace(sig_path, 0644, sig, sig_len, err);
    if (rc == 0)
        rc = vmcp_file_replace(list_path, 0644, text, strlen(text), err);
    return rc;
}

static int sign(const struct args *a, const struct vmcp_list *operands, struct vmcp_keylist *list,
                struct vmcp_error *err)
{
    auto_passphrase struct vmcp_passphrase pass = {0};
    auto_key struct vmcp_key *root = NULL;
    auto_free char *text = NULL;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t sig_len = 0;
    if (!a->out)
        return vmcp_fail(err, VMCP_E_USAGE, "--out DIR is wanted: where the list goes");
    if (access(a->out, F_OK) < 0) /* before the root key's passphrase is asked for */
        return vmcp_fail_at(err, VMCP_E_FILE, a->out, "%s; make it with: mkdir -p %s",
                            strerror(errno), a->out);
    int rc = vmcp_passphrase_init(&pass, a->passphrase, true, err);
    if (rc == 0)
        rc = vmcp_key_open(a->root, &pass, &root, err);
    for (size_t i = 1; rc == 0 && i < operands->count; i++)
        rc = add_operand(list, operands->items[i], &pass, err);
    if (rc == 0)
        rc = vmcp_keylist_sign(list, root, &text, sig, &sig_len, err);
    return rc < 0 ? rc : write_pair(a->out, text, sig, sig_len, err);
}

static int read_pair(const char *folder, struct vmcp_buf *list, struct vmcp_buf *sig,
                     struct vmcp_error *err)
{
    auto_free char *list_path = NULL, *sig_path = NULL;
    int rc = path_in(folder, VMCP_KEYLIST_FILE, &list_path, err);
    if (rc == 0)
        rc = path_in(folder, VMCP_KEYLIST_SIG_FILE, &sig_path, err);
    if (rc == 0)
        rc = vmcp_file_read(list_path, VMCP_FILE_PUBLIC, list, err);
    if (rc == 0)
        rc = vmcp_file_read(sig_path, VMCP_FILE_PUBLIC, sig, err);
    return rc;
}

static int verify(const struct args *a, const struct vmcp_list *operands, struct vmcp_keylist *list,
                  struct vmcp_error *err)
{
    auto_passphrase struct vmcp_passphrase pass = {0};
    auto_key struct vmcp_key *root = NULL;
    auto_buf struct vmcp_buf text = VMCP_BUF(VMCP_KEYLIST_BYTES_MAX);
    auto_buf struct vmcp_buf sig = VMCP_BUF(VMCP_SIGNATURE_MAX);
    if (operands->count != 2)
        return vmcp_fail(err, VMCP_E_USAGE, "verify takes one folder");
    int rc = vmcp_passphrase_init(&pass, a->passphrase, true, err);
    if (rc == 0)
        rc = vmcp_key_open_any(a->root, &pass, &root, err);
    if (rc == 0)
        rc = read_pair(operands->items[1], &text, &sig, err);
    if (rc < 0)
        return rc;
    rc = vmcp_keylist_read(text.data ? text.data : "", text.len,
                           (const uint8_t *)(sig.data ? sig.data : ""), sig.len, root, list, err);
    if (rc == -VMCP_E_SIGNATURE)
        return vmcp_fail_at(err, VMCP_E_SIGNATURE, operands->items[1],
                            "the signature does not fit: the list was changed, or another root key "
                            "signed it");
    return rc < 0 ? vmcp_error_locate(err, operands->items[1]) : 0;
}

static void print_list(const struct vmcp_keylist *list, bool json)
{
    json_auto_t *domains = json_object();
    for (size_t i = 0; i < list->count; i++) {
        const struct vmcp_keylist_entry *entry = &list->entries[i];
        json_object_set_new(domains, entry->domain, json_string(vmcp_key_thumbprint(entry->key)));
        if (!json)
            printf("%s %s\n", vmcp_key_thumbprint(entry->key), entry->domain);
    }
    json_auto_t *report = json_pack("{s:s, s:O}", "code", "ok", "domains", domains);
    if (json)
        cmd_print_json(report);
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_keylist struct vmcp_keylist list = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    if (!a.root)
        return vmcp_fail(err, VMCP_E_USAGE, "--root KEY is wanted");
    size_t uses = cmd_is_stdin(a.root) + cmd_is_stdin(a.passphrase);
    for (size_t i = 1; i < operands.count; i++) {
        const char *equals = strchr(operands.items[i], '=');
        uses += equals && cmd_is_stdin(equals + 1);
    }
    rc = cmd_stdin_once(uses, err);
    if (rc < 0)
        return rc;
    if (strcmp(operands.items[0], "sign") == 0)
        rc = sign(&a, &operands, &list, err);
    else if (strcmp(operands.items[0], "verify") == 0)
        rc = verify(&a, &operands, &list, err);
    else
        rc = vmcp_fail(err, VMCP_E_USAGE, "vmcp keystore %s: sign or verify is wanted",
                       operands.items[0]);
    if (rc == 0)
        print_list(&list, a.json);
    return rc;
}

const struct cmd_verb cmd_keystore = {"keystore", &command, run};
