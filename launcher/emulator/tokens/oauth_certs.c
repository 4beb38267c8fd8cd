/* SPDX-License-Identifier: Apache-2.0 */
/* The public keys: of identity tokens at /oauth2/v1/certs (X.509) and /oauth2/v3/certs (JWK), of
 * what an account's own key signed at /robot/v1/metadata/x509/EMAIL and
 * /service_accounts/v1/jwk/EMAIL. */
#include <string.h>

#include "api/api.h"
#include "base/refusal.h"
#include "signer.h"

typedef int (*publish_fn)(struct emu_store *store, const char *owner, json_t **ret,
                          struct vmcp_error *err);

static void publish(struct emu_cloud *cloud, const char *owner, publish_fn make,
                    struct http_reply *reply)
{
    struct vmcp_error err = {0};
    struct emu_refusal why = {0};
    json_auto_t *body = NULL;
    bool exists = strcmp(owner, EMU_SIGNER_GOOGLE) == 0;
    int rc = exists ? 0 : emu_account_exists(cloud->store, owner, &exists, &err);
    if (rc == 0 && exists)
        rc = make(cloud->store, owner, &body, &err);
    if (body) {
        http_reply_json(reply, 200, body);
        reply->content_type = "application/json; charset=UTF-8";
        http_reply_header(reply, "Cache-Control", "public, max-age=3600, must-revalidate");
        return;
    }
    if (rc < 0)
        emu_refuse_fault(&why, &err);
    else
        emu_refuse(&why, 404, "notFound", "There is no such service account.");
    emu_refusal_reply(&why, reply);
}

void emu_api_certs_x509(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)req;
    publish(app, EMU_SIGNER_GOOGLE, emu_signer_certificates, reply);
}

void emu_api_certs_jwk(void *app, const struct http_request *req, struct http_reply *reply)
{
    (void)req;
    publish(app, EMU_SIGNER_GOOGLE, emu_signer_jwks, reply);
}

void emu_api_account_x509(void *app, const struct http_request *req, struct http_reply *reply)
{
    publish(app, req->segments[0], emu_signer_certificates, reply);
}

void emu_api_account_jwk(void *app, const struct http_request *req, struct http_reply *reply)
{
    publish(app, req->segments[0], emu_signer_jwks, reply);
}
