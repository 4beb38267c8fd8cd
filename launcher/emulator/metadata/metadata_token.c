/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_token.h"

#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>

#include "http/clock.h"
#include "metadata_account.h"
#include "page.h"
#include "reqlog.h"

enum { FOREIGN_WAIT_MS = 65000 };

/* The VM's scopes, separated by spaces. */
static void join_scopes(const json_t *scopes, struct vmcp_buf *out)
{
    size_t i = 0;
    json_t *scope = NULL;
    json_array_foreach(scopes, i, scope)
    {
        if (i)
            vmcp_buf_addc(out, ' ');
        vmcp_buf_adds(out, json_string_value(scope));
    }
}

/* Narrow to what was asked for, a comma-separated list. False if a scope is not the VM's to have:
 * with cloud-platform it has all, else only its own. */
static bool narrow(const char *granted, const char *asked, struct vmcp_buf *out)
{
    bool all = emu_scopes_have(granted, EMU_SCOPE "cloud-platform");
    char scope[256];
    for (const char *p = asked; *p;) {
        size_t len = strcspn(p, ", ");
        if (len >= sizeof(scope))
            return false;
        snprintf(scope, sizeof(scope), "%.*s", (int)len, p);
        bool known = all && strncmp(scope, EMU_SCOPE, strlen(EMU_SCOPE)) == 0;
        if (len > 0 && !known && !emu_scopes_have(granted, scope))
            return false;
        if (len > 0)
            vmcp_buf_addf(out, "%s%s", out->len ? " " : "", scope);
        p += len + (p[len] != '\0');
    }
    return true;
}

static void send_token(const char *token, int64_t left, const char *email, struct http_reply *reply)
{
    json_auto_t *body = json_pack("{s:s, s:I, s:s}", "access_token", token, "expires_in",
                                  (json_int_t)left, "token_type", "Bearer");
    if (body)
        http_reply_json(reply, 200, body);
    emu_reqlog_note(reply, email, NULL);
}

/* One that is minted here. */
static void send_ours(struct emu_cloud *cloud, const char *email, const char *scopes,
                      struct http_reply *reply)
{
    char token[EMU_TOKEN_MAX + 1] = "";
    int64_t left = 0;
    struct vmcp_error err = {0};
    if (emu_tokens_get(cloud->tokens, email, scopes, token, &left, &err) < 0)
        emu_page_reply(reply, 500, err.text);
    else
        send_token(token, left, email, reply);
    OPENSSL_cleanse(token, sizeof(token));
}

char *emu_metadata_foreign(struct emu_cloud *cloud, enum emu_want want, const char *what,
                           const struct http_request *req, int64_t *ret_left,
                           struct http_reply *reply)
{
    struct vmcp_error err = {0};
    char *token = NULL;
    enum emu_token_state state =
        emu_token_source_get(cloud->token_source, want, what, &token, ret_left, &err);
    if (state == EMU_TOKEN_FAILED)
        emu_page_reply(reply, 500, err.text);
    else if (state == EMU_TOKEN_PENDING && req->timed_out)
        emu_page_reply(reply, 503, "The source of tokens did not answer in time.");
    else if (state == EMU_TOKEN_PENDING)
        reply->wait_until = http_now_ms() + FOREIGN_WAIT_MS;
    return token;
}

/* Guests get ours in any case: a real token is for this machine's user. */
static void answer_token(struct emu_cloud *cloud, const struct emu_view *view,
                         const struct http_request *req, const char *email, const char *scopes,
                         struct http_reply *reply)
{
    int64_t left = 0;
    if (!cloud->token_source || view->ip) {
        send_ours(cloud, email, scopes, reply);
        return;
    }
    char *token = emu_metadata_foreign(cloud, EMU_WANT_ACCESS, scopes, req, &left, reply);
    if (token)
        send_token(token, left, email, reply);
    emu_token_wipe(token);
}

bool emu_metadata_token(struct emu_cloud *cloud, const struct emu_view *view,
                        const struct http_request *req, const char *path, struct http_reply *reply)
{
    struct emu_node account;
    bool found = false;
    if (!emu_metadata_account(view, path, "token", &found, &account))
        return false;
    if (!found) {
        emu_page_reply(reply, 404, "This VM has no such service account.");
        return true;
    }
    const char *email = json_string_value(json_object_get(account.value, "email"));
    const char *asked = http_request_param(req, "scopes");
    auto_buf struct vmcp_buf granted = VMCP_BUF(EMU_SCOPES_MAX);
    auto_buf struct vmcp_buf scopes = VMCP_BUF(EMU_SCOPES_MAX);
    join_scopes(json_object_get(account.value, "scopes"), &granted);
    bool fits = !asked || !*asked || narrow(granted.data ? granted.data : "", asked, &scopes);
    if (!fits || vmcp_buf_check(&granted, "scopes", NULL) < 0 ||
        vmcp_buf_check(&scopes, "scopes", NULL) < 0) {
        http_reply_text(reply, 400, "application/text",
                        "The scopes asked for are not among those of this VM.\n");
        return true;
    }
    const struct vmcp_buf *used = scopes.len ? &scopes : &granted;
    answer_token(cloud, view, req, email, used->data ? used->data : "", reply);
    return true;
}
