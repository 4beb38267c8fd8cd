/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "assertion.h"
#include "reqlog.h"
#include "zones.h"

static int unauthorized(struct emu_refusal *why, const char *reason, const char *message)
{
    int rc = emu_refuse(why, 401, reason, "%s", message);
    why->location = "Authorization";
    return rc;
}

/* Whose token is it: one of ours, or a JWT that an account's key signed. */
static int identify(struct emu_call *call, const char *token,
                    char scopes[static EMU_SCOPES_MAX + 1], struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    bool found = false;
    if (strncmp(token, "ey", 2) == 0 && strchr(token, '.')) {
        const struct emu_assertion_context context = {
            .store = call->cloud->store, .hosts = &call->cloud->hosts, .now = time(NULL)};
        struct emu_assertion assertion = {0};
        struct emu_oauth_error refused = {0};
        if (emu_assertion_check(&context, EMU_ASSERTION_BEARER, token, &assertion, &refused) == 0) {
            memcpy(call->email, assertion.email, sizeof(call->email));
            memcpy(scopes, assertion.scopes, sizeof(assertion.scopes));
            found = true;
        }
    } else if (emu_tokens_check(call->cloud->tokens, token, &found, call->email, scopes, &err) <
               0) {
        return emu_refuse_fault(why, &err);
    }
    if (found)
        return 0;
    call->email[0] = '\0';
    return unauthorized(why, "authError",
                        "Request had invalid authentication credentials. Expected OAuth 2 access "
                        "token, login cookie or other valid authentication credential.");
}

static int check_scopes(const char *scopes, enum emu_access access, struct emu_refusal *why)
{
    if (emu_scopes_have(scopes, EMU_SCOPE "cloud-platform") ||
        emu_scopes_have(scopes, EMU_SCOPE "compute") ||
        (access == EMU_READS && emu_scopes_have(scopes, EMU_SCOPE "compute.readonly")))
        return 0;
    return emu_refuse(why, 403, "insufficientPermissions",
                      "Request had insufficient authentication scopes.");
}

static int authenticate(struct emu_call *call, enum emu_access access, struct emu_refusal *why)
{
    const char *header = http_request_header(call->req, "Authorization");
    char scopes[EMU_SCOPES_MAX + 1] = "";
    if (!header || strncasecmp(header, "Bearer ", 7) != 0)
        return unauthorized(why, "required",
                            "Request is missing required authentication credential. Expected OAuth "
                            "2 access token, login cookie or other valid authentication "
                            "credential.");
    int rc = identify(call, header + 7 + strspn(header + 7, " "), scopes, why);
    return rc < 0 ? rc : check_scopes(scopes, access, why);
}

int emu_call_permit(const struct emu_call *call, const char *permission, const char *resource,
                    struct emu_refusal *why)
{
    struct vmcp_error err = {0};
    bool allowed = false;
    if (emu_account_may(call->cloud->store, call->email, permission, &allowed, &err) < 0)
        return emu_refuse_fault(why, &err);
    if (allowed)
        return 0;
    return emu_refuse(why, 403, "forbidden", "Required '%s' permission for '%.400s'", permission,
                      resource);
}

int emu_call_not_found(struct emu_refusal *why, const char *fmt, ...)
{
    char path[480];
    va_list args;
    va_start(args, fmt);
    vsnprintf(path, sizeof(path), fmt, args);
    va_end(args);
    return emu_refuse(why, 404, "notFound", "The resource '%s' was not found", path);
}

/* The project and zone of the path must be there. */
static int place(struct emu_call *call, const struct emu_method *method, struct emu_refusal *why)
{
    bool own = emu_cloud_is_project(call->cloud, call->req->segments[0]);
    call->project = own ? call->cloud->project : call->req->segments[0];
    if (!own && !method->any_project)
        return emu_call_not_found(why, "projects/%.100s", call->project);
    if (!method->zonal)
        return 0;
    call->zone = call->req->segments[1];
    if (!emu_zone_exists(call->zone))
        return emu_refuse_field(why, "zone", call->zone, "Unknown zone.");
    return 0;
}

/* What a permission is asked on: projects/P/zones/Z/COLLECTION/NAME without the verb behind it, or
 * the project where the path names nothing further. */
static int permit_path(const struct emu_call *call, const char *permission, struct emu_refusal *why)
{
    const char *path = call->req->path + sizeof("/compute/v1/") - 1;
    char resource[256];
    size_t len = 0;
    int parts = 1;
    for (; path[len] && (path[len] != '/' || parts < 6); len++)
        parts += path[len] == '/';
    if (parts == 6)
        snprintf(resource, sizeof(resource), "%.*s", (int)len, path);
    else
        snprintf(resource, sizeof(resource), "projects/%s", call->project);
    return emu_call_permit(call, permission, resource, why);
}

static int run(struct emu_call *call, const struct emu_method *method, json_t **ret,
               struct emu_refusal *why)
{
    int rc = authenticate(call, method->access, why);
    if (rc == 0)
        rc = place(call, method, why);
    bool own = rc == 0 && strcmp(call->project, call->cloud->project) == 0;
    if (own && method->permission)
        rc = permit_path(call, method->permission, why);
    return rc < 0 ? rc : method->run(call, ret, why);
}

void emu_call_run(struct emu_cloud *cloud, const struct http_request *req, struct http_reply *reply,
                  const struct emu_method *method)
{
    struct emu_call call = {.cloud = cloud, .req = req};
    struct emu_refusal why = {0};
    json_auto_t *answer = NULL;
    int rc = run(&call, method, &answer, &why);
    if (rc == 0 && call.wait_until) {
        reply->wait_until = call.wait_until;
        return;
    }
    if (rc == 0 && !answer)
        rc = emu_refuse(&why, 500, "backendError", "No memory for the answer.");
    if (rc < 0) {
        emu_refusal_reply(&why, reply);
    } else {
        http_reply_json(reply, 200, answer);
        reply->content_type = "application/json; charset=UTF-8";
    }
    if (call.email[0])
        emu_reqlog_note(reply, call.email, call.operation[0] ? call.operation : NULL);
}
