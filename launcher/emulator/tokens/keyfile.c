/* SPDX-License-Identifier: Apache-2.0 */
#include "keyfile.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include "accounts.h"
#include "lib/base64.h"
#include "lib/file.h"
#include "lib/json.h"

enum { KEYFILE_MAX = 16 * 1024 };

/* True if `path` is a key file of the account, with a key that the state knows and the same
 * token_uri. */
static bool is_known(struct emu_store *store, const struct emu_keyfile *file)
{
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(KEYFILE_MAX);
    json_auto_t *json = NULL;
    if (vmcp_file_read(file->path, VMCP_FILE_PRIVATE, &text, NULL) < 0 ||
        vmcp_json_parse_object(text.data, text.len, &json, NULL) < 0)
        return false;
    const char *email = json_string_value(json_object_get(json, "client_email"));
    const char *kid = json_string_value(json_object_get(json, "private_key_id"));
    const char *uri = json_string_value(json_object_get(json, "token_uri"));
    bool known = false;
    if (email && kid && uri && strcmp(email, file->email) == 0 &&
        strcmp(uri, file->token_uri) == 0) {
        struct vmcp_key *keys[EMU_ACCOUNT_KEYS_MAX];
        size_t count = 0;
        if (emu_account_keys(store, email, kid, keys, &count, NULL) == 0)
            known = count == 1;
        while (count > 0)
            vmcp_key_unref(keys[--count]);
    }
    vmcp_json_wipe(json);
    return known;
}

static json_t *document(const struct emu_keyfile *file, const char *kid, const char *pem)
{
    char id[EMU_ACCOUNT_ID_LEN + 1];
    emu_account_unique_id(file->email, id);
    const char *at = strchr(file->email, '@');
    return json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s}", "type",
                     "service_account", "project_id", file->project, "private_key_id", kid,
                     "private_key", pem, "client_email", file->email, "client_id", id, "auth_uri",
                     "https://accounts.google.com/o/oauth2/auth", "token_uri", file->token_uri,
                     "auth_provider_x509_cert_url", "https://www.googleapis.com/oauth2/v1/certs",
                     "client_x509_cert_url",
                     json_sprintf("https://www.googleapis.com/robot/v1/metadata/x509/%.*s%%40%s",
                                  (int)(at - file->email), file->email, at + 1),
                     "universe_domain", "googleapis.com");
}

static int write_file(const struct emu_keyfile *file, const struct vmcp_key *key, const char *kid,
                      struct vmcp_error *err)
{
    char *pem = NULL;
    size_t pem_len = 0;
    int rc = vmcp_key_private_pem(key, &pem, &pem_len, err);
    if (rc < 0)
        return rc;
    json_auto_t *json = document(file, kid, pem);
    OPENSSL_cleanse(pem, pem_len);
    free(pem);
    char *text = json ? json_dumps(json, JSON_INDENT(2)) : NULL;
    if (json)
        vmcp_json_wipe(json);
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a key file");
    size_t len = strlen(text);
    text[len] = '\n'; /* in place of the NUL: the length is given */
    rc = vmcp_file_create(file->path, 0600, text, len + 1, err);
    OPENSSL_cleanse(text, len);
    free(text);
    return rc;
}

int emu_keyfile_ensure(struct emu_store *store, const struct emu_keyfile *file,
                       struct vmcp_error *err)
{
    if (access(file->path, F_OK) == 0 && is_known(store, file))
        return 0;
    auto_key struct vmcp_key *key = NULL;
    int rc = vmcp_key_generate("rsa-2048", &key, err);
    if (rc < 0)
        return rc;
    uint8_t random[EMU_KID_LEN / 2];
    char kid[EMU_KID_LEN + 1];
    if (RAND_bytes(random, sizeof(random)) != 1)
        return vmcp_fail(err, VMCP_E_CRYPTO, "no random bytes for a key id");
    vmcp_hex_encode(random, sizeof(random), kid);
    rc = emu_store_begin(store, err);
    if (rc < 0)
        return rc;
    /* Known before it is written, committed after: neither is ever there without the other. */
    rc = emu_account_add_key(store, file->email, kid, key, err);
    if (rc == 0)
        rc = write_file(file, key, kid, err);
    return emu_store_end(store, rc, err);
}
