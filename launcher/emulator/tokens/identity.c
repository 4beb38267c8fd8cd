/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <string.h>
#include <time.h>

#include "accounts.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "signer.h"

static json_t *claims(const struct emu_identity *identity)
{
    char id[EMU_ACCOUNT_ID_LEN + 1];
    json_int_t now = time(NULL);
    emu_account_unique_id(identity->email, id);
    json_t *object = json_pack("{s:s, s:s}", "aud", identity->audience, "azp",
                               identity->azp ? identity->azp : id);
    if (!object)
        return NULL;
    if (identity->with_email) {
        json_object_set_new(object, "email", json_string(identity->email));
        json_object_set_new(object, "email_verified", json_true());
    }
    json_object_set_new(object, "exp", json_integer(now + EMU_IDENTITY_LIFE));
    if (identity->compute_engine)
        json_object_set_new(
            object, "google",
            json_pack("{s:o}", "compute_engine", json_deep_copy(identity->compute_engine)));
    json_object_set_new(object, "iat", json_integer(now));
    json_object_set_new(object, "iss", json_string("https://accounts.google.com"));
    json_object_set_new(object, "sub", json_string(id));
    return object;
}

int emu_identity_sign(struct emu_store *store, const struct emu_identity *identity, char **ret_jwt,
                      struct vmcp_error *err)
{
    json_auto_t *object = claims(identity);
    size_t len = 0;
    auto_free char *text = object ? vmcp_json_text(object, &len) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an identity token");
    auto_signer struct emu_signer signer = {0};
    int rc = emu_signer_get(store, EMU_SIGNER_GOOGLE, &signer, err);
    if (rc < 0)
        return rc;
    return vmcp_jws_sign(signer.key, vmcp_alg_find("RS256"), "JWT", signer.kid, text, len, ret_jwt,
                         err);
}
