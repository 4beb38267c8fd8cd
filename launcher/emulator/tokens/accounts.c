/* SPDX-License-Identifier: Apache-2.0 */
#include "accounts.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "roles.h"

static const char lower_digits_dash[] = "abcdefghijklmnopqrstuvwxyz0123456789-";

int emu_account_email(const char *name, const char *project, char ret[static EMU_EMAIL_MAX + 1],
                      struct vmcp_error *err)
{
    const char *at = strchr(name, '@');
    size_t local = at ? (size_t)(at - name) : strlen(name);
    size_t host = at ? strlen(at + 1) : 1;
    if (local == 0 || local > 63 || strspn(name, lower_digits_dash) != local || host == 0 ||
        (at && strspn(at + 1, "abcdefghijklmnopqrstuvwxyz0123456789-.") != host))
        return vmcp_fail_at(err, VMCP_E_USAGE, name,
                            "not a service account: NAME of a-z 0-9 -, or NAME@HOST");
    int len = at ? snprintf(ret, EMU_EMAIL_MAX + 1, "%s", name)
                 : snprintf(ret, EMU_EMAIL_MAX + 1, "%s@%s.iam.gserviceaccount.com", name, project);
    if (len < 0 || len > EMU_EMAIL_MAX)
        return vmcp_fail_at(err, VMCP_E_USAGE, name, "an address of over %d characters",
                            EMU_EMAIL_MAX);
    return 0;
}

void emu_account_unique_id(const char *email, char ret[static EMU_ACCOUNT_ID_LEN + 1])
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)email, strlen(email), digest);
    ret[0] = '1'; /* Google's begin so */
    for (int i = 1; i < EMU_ACCOUNT_ID_LEN; i++)
        ret[i] = (char)('0' + digest[i] % 10);
    ret[EMU_ACCOUNT_ID_LEN] = '\0';
}

int emu_account_add(struct emu_store *store, const char *email, struct vmcp_error *err)
{
    char id[EMU_ACCOUNT_ID_LEN + 1];
    emu_account_unique_id(email, id);
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO account (email, unique_id) VALUES (?1, ?2)"
                         " ON CONFLICT (email) DO NOTHING",
                         "tt", email, id);
}

static int note_true(void *arg, sqlite3_stmt *row)
{
    (void)row;
    *(bool *)arg = true;
    return 0;
}

int emu_account_exists(struct emu_store *store, const char *email, bool *ret,
                       struct vmcp_error *err)
{
    *ret = false;
    return emu_store_run(store, note_true, ret, err, "SELECT 1 FROM account WHERE email = ?1", "t",
                         email);
}

struct finding {
    bool *found;
    char *email;
};

static int read_email(void *arg, sqlite3_stmt *row)
{
    struct finding *finding = arg;
    snprintf(finding->email, EMU_EMAIL_MAX + 1, "%s", emu_store_text(row, 0));
    *finding->found = true;
    return 0;
}

int emu_account_find(struct emu_store *store, const char *name, bool *ret_found,
                     char ret_email[static EMU_EMAIL_MAX + 1], struct vmcp_error *err)
{
    struct finding finding = {ret_found, ret_email};
    *ret_found = false;
    return emu_store_run(store, read_email, &finding, err,
                         "SELECT email FROM account WHERE email = ?1 OR unique_id = ?1", "t", name);
}

int emu_account_grant(struct emu_store *store, const char *email, const char *role,
                      struct vmcp_error *err)
{
    if (!emu_role_exists(role)) {
        const char *near = emu_role_suggest(role);
        return vmcp_fail_at(err, VMCP_E_USAGE, role, "there is no such role here%s%s%s",
                            near ? "; did you mean " : "", near ? near : "", near ? "?" : "");
    }
    bool exists = false;
    int rc = emu_account_exists(store, email, &exists, err);
    if (rc < 0)
        return rc;
    if (!exists)
        return vmcp_fail_at(err, VMCP_E_USAGE, email,
                            "there is no such service account; make it with --service-account");
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO role (email, role) VALUES (?1, ?2)"
                         " ON CONFLICT (email, role) DO NOTHING",
                         "tt", email, role);
}

struct question {
    const char *permission;
    bool allowed;
};

static int ask_role(void *arg, sqlite3_stmt *row)
{
    struct question *q = arg;
    if (emu_role_allows(emu_store_text(row, 0), q->permission))
        q->allowed = true;
    return 0;
}

int emu_account_may(struct emu_store *store, const char *email, const char *permission, bool *ret,
                    struct vmcp_error *err)
{
    struct question q = {.permission = permission};
    int rc = emu_store_run(store, ask_role, &q, err, "SELECT role FROM role WHERE email = ?1", "t",
                           email);
    *ret = rc == 0 && q.allowed;
    return rc;
}

int emu_account_add_key(struct emu_store *store, const char *email, const char *kid,
                        const struct vmcp_key *key, struct vmcp_error *err)
{
    auto_free char *pem = NULL;
    int rc = vmcp_key_public_pem(key, &pem, err);
    if (rc < 0)
        return rc;
    return emu_store_run(store, NULL, NULL, err,
                         "INSERT INTO key (kid, email, public_pem) VALUES (?1, ?2, ?3)", "ttt", kid,
                         email, pem);
}

struct keys {
    struct vmcp_key **keys;
    size_t count;
    struct vmcp_error *err;
};

static int read_key(void *arg, sqlite3_stmt *row)
{
    struct keys *list = arg;
    const char *pem = emu_store_text(row, 0);
    int rc = vmcp_key_parse_public(pem, strlen(pem), &list->keys[list->count], list->err);
    if (rc == 0)
        list->count++;
    return rc;
}

int emu_account_keys(struct emu_store *store, const char *email, const char *kid,
                     struct vmcp_key *ret[static EMU_ACCOUNT_KEYS_MAX], size_t *ret_count,
                     struct vmcp_error *err)
{
    struct keys list = {.keys = ret, .err = err};
    _Static_assert(EMU_ACCOUNT_KEYS_MAX == 16, "the LIMIT below");
    int rc = emu_store_run(store, read_key, &list, err,
                           "SELECT public_pem FROM key WHERE email = ?1 AND"
                           " (?2 IS NULL OR kid = ?2) ORDER BY rowid DESC LIMIT 16",
                           "tt", email, kid);
    if (rc < 0)
        while (list.count > 0)
            vmcp_key_unref(list.keys[--list.count]);
    *ret_count = list.count;
    return rc;
}
