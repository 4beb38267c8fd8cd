/* SPDX-License-Identifier: Apache-2.0 */
#include "signer.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <string.h>

#include "certificate.h"
#include "lib/base64.h"
#include "lib/jwk.h"

void emu_signer_clear(struct emu_signer *signer)
{
    vmcp_key_unref(signer->key);
    *signer = (struct emu_signer){0};
}

/* A row of the state. */
struct row {
    struct emu_signer signer;
    char *certificate;
    struct vmcp_error *err;
};

static void clear_row(struct row *row)
{
    emu_signer_clear(&row->signer);
    free(row->certificate);
}
#define auto_row VMCP_AUTO(clear_row)

static int read_row(void *arg, sqlite3_stmt *stmt)
{
    struct row *row = arg;
    const char *pem = emu_store_text(stmt, 1);
    snprintf(row->signer.kid, sizeof(row->signer.kid), "%s", emu_store_text(stmt, 0));
    row->certificate = strdup(emu_store_text(stmt, 2));
    if (!row->certificate)
        return vmcp_fail(row->err, VMCP_E_NO_MEMORY, "no memory for a certificate");
    return vmcp_key_parse_private(pem, strlen(pem), &row->signer.key, row->err);
}

static int look_up(struct emu_store *store, const char *owner, struct row *row,
                   struct vmcp_error *err)
{
    row->err = err;
    return emu_store_run(store, read_row, row, err,
                         "SELECT kid, private_pem, certificate FROM signer WHERE owner = ?1", "t",
                         owner);
}

static int insert(struct emu_store *store, const char *owner, const char *kid,
                  const struct vmcp_key *key, struct vmcp_error *err)
{
    auto_free char *certificate = NULL;
    char *pem = NULL;
    size_t len = 0;
    int rc = emu_certificate_make(key, owner, &certificate, err);
    if (rc == 0)
        rc = vmcp_key_private_pem(key, &pem, &len, err);
    if (rc < 0)
        return rc;
    rc = emu_store_run(store, NULL, NULL, err,
                       "INSERT INTO signer (owner, kid, private_pem, certificate)"
                       " VALUES (?1, ?2, ?3, ?4)",
                       "tttt", owner, kid, pem, certificate);
    OPENSSL_cleanse(pem, len);
    free(pem);
    if (rc == 0 && strcmp(owner, EMU_SIGNER_GOOGLE) != 0)
        rc = emu_account_add_key(store, owner, kid, key, err);
    return rc;
}

/* Of two that make one at once, the first one's counts. */
static int make(struct emu_store *store, const char *owner, struct row *row, struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    uint8_t random[EMU_KID_LEN / 2];
    char kid[EMU_KID_LEN + 1];
    int rc = vmcp_key_generate("rsa-2048", &key, err);
    if (rc < 0)
        return rc;
    if (RAND_bytes(random, sizeof(random)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random bytes for a key id");
    vmcp_hex_encode(random, sizeof(random), kid);
    rc = emu_store_begin(store, err);
    if (rc < 0)
        return rc;
    rc = look_up(store, owner, row, err);
    if (rc == 0 && !row->signer.key)
        rc = insert(store, owner, kid, key, err);
    rc = emu_store_end(store, rc, err);
    return rc == 0 && !row->signer.key ? look_up(store, owner, row, err) : rc;
}

static int get_row(struct emu_store *store, const char *owner, struct row *row,
                   struct vmcp_error *err)
{
    int rc = look_up(store, owner, row, err);
    return rc == 0 && !row->signer.key ? make(store, owner, row, err) : rc;
}

int emu_signer_get(struct emu_store *store, const char *owner, struct emu_signer *ret,
                   struct vmcp_error *err)
{
    auto_row struct row row = {0};
    int rc = get_row(store, owner, &row, err);
    if (rc < 0)
        return rc;
    *ret = row.signer;
    row.signer = (struct emu_signer){0};
    return 0;
}

int emu_signer_certificates(struct emu_store *store, const char *owner, json_t **ret,
                            struct vmcp_error *err)
{
    auto_row struct row row = {0};
    int rc = get_row(store, owner, &row, err);
    if (rc < 0)
        return rc;
    *ret = json_pack("{s:s}", row.signer.kid, row.certificate);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for certificates");
}

int emu_signer_jwks(struct emu_store *store, const char *owner, json_t **ret,
                    struct vmcp_error *err)
{
    auto_row struct row row = {0};
    json_auto_t *jwk = NULL;
    int rc = get_row(store, owner, &row, err);
    if (rc == 0)
        rc = vmcp_jwk_export(row.signer.key, &jwk, err);
    if (rc < 0)
        return rc;
    json_object_set_new(jwk, "kid", json_string(row.signer.kid));
    json_object_set_new(jwk, "alg", json_string("RS256"));
    *ret = json_pack("{s:[O]}", "keys", jwk);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key set");
}
