/* SPDX-License-Identifier: Apache-2.0 */
#include "call.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "faults.h"
#include "http/clock.h"
#include "reqlog.h"
#include "resources/instance.h"
#include "resources/zones.h"
#include "tokens/assertion.h"

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
    bool iam = access == EMU_CREDENTIALS;
    if (emu_scopes_have(scopes, EMU_SCOPE "cloud-platform") ||
        emu_scopes_have(scopes, iam ? EMU_SCOPE "iam" : EMU_SCOPE "compute") ||
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

int emu_call_nothing_here(const struct emu_call *call, struct emu_refusal *why)
{
    return emu_call_not_found(why, "projects/%s/%s/%s/%s", call->project, call->scope,
                              call->collection, call->name);
}

/* One part of the path, up to the next slash; *path moves behind that. */
static void take_part(const char **path, char *ret, size_t size)
{
    size_t len = strcspn(*path, "/");
    snprintf(ret, size, "%.*s", (int)len, *path);
    *path += len + ((*path)[len] == '/');
}

/* projects/P/SCOPE/COLLECTION/NAME: what the path says behind the project. */
static void read_path(struct emu_call *call)
{
    const char *path = call->req->path + sizeof("/compute/v1/projects/") - 1;
    char kind[16] = "", place[EMU_INSTANCE_NAME_MAX + 1] = "", project[EMU_PATH_NAME_MAX + 1];
    take_part(&path, project, sizeof(project));
    take_part(&path, kind, sizeof(kind));
    if (strcmp(kind, "global") == 0 || strcmp(kind, "aggregated") == 0) {
        snprintf(call->scope, sizeof(call->scope), "%s", kind);
    } else {
        take_part(&path, place, sizeof(place));
        snprintf(call->scope, sizeof(call->scope), "%s/%s", kind, place);
    }
    take_part(&path, call->collection, sizeof(call->collection));
    take_part(&path, call->name, sizeof(call->name));
}

/* The project, and the zone or region, of the path must be there. */
static int place(struct emu_call *call, struct emu_refusal *why)
{
    enum emu_place place = call->method->place;
    bool own = emu_cloud_is_project(call->cloud, call->req->segments[0]);
    call->project = own ? call->cloud->project : call->req->segments[0];
    if (place == EMU_ELSEWHERE)
        return 0;
    if (!own && place != EMU_ANYWHERE)
        return emu_call_not_found(why, "projects/%.100s", call->project);
    read_path(call);
    if (place == EMU_ZONAL)
        call->zone = call->req->segments[1];
    if (place == EMU_REGIONAL)
        call->region = call->req->segments[1];
    if (call->zone && !emu_zone_exists(call->zone))
        return emu_refuse_field(why, "zone", call->zone, "Unknown zone.");
    if (call->region && !emu_region_exists(call->region))
        return emu_refuse_field(why, "region", call->region, "Unknown region.");
    return 0;
}

int emu_call_permit_new(const struct emu_call *call, const char *permission, const char *name,
                        struct emu_refusal *why)
{
    char resource[320];
    snprintf(resource, sizeof(resource), "projects/%s/%s/%s/%.63s", call->project, call->scope,
             call->collection, name ? name : "");
    return emu_call_permit(call, permission, resource, why);
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

/* What a call that waits remembers: which fault it met, so that it meets none twice. */
struct memo {
    int64_t until; /* of its latency; http_now_ms() clock */
    struct emu_fault_met met;
    bool asked;
};
_Static_assert(sizeof(struct memo) <= HTTP_MEMO_MAX, "a waiting request remembers so much");

/* The fault that the call meets. -1: a refusal; else 0, and *ret_kind, and wait_until where the
 * call is to come again later. */
static int meet_fault(struct emu_call *call, enum emu_fault *ret_kind, struct emu_refusal *why)
{
    struct memo memo;
    char region[EMU_ZONE_MAX + 1];
    memcpy(&memo, call->req->memo, sizeof(memo));
    if (!memo.asked) {
        memo.asked = true;
        memo.met = emu_faults_take(call->cloud->faults, call->method->id);
        memo.until = memo.met.latency_ms ? http_now_ms() + memo.met.latency_ms : 0;
        memcpy(call->req->memo, &memo, sizeof(memo));
    }
    *ret_kind = memo.met.kind;
    if (memo.until > http_now_ms() && !call->req->timed_out) {
        call->wait_until = memo.until;
        return 0;
    }
    call->stockout = memo.met.kind == EMU_FAULT_STOCKOUT;
    emu_zone_region(call->zone ? call->zone : call->cloud->zone, region);
    why->retry_after = memo.met.retry_after;
    int rc = emu_fault_refuse(memo.met.kind, call->cloud->number, region, why);
    why->retry_after = memo.met.retry_after;
    return rc;
}

static int run(struct emu_call *call, enum emu_fault *ret_fault, json_t **ret,
               struct emu_refusal *why)
{
    const struct emu_method *method = call->method;
    int rc = authenticate(call, method->access, why);
    if (rc == 0)
        rc = place(call, why);
    bool own = rc == 0 && strcmp(call->project, call->cloud->project) == 0;
    if (own && method->permission)
        rc = permit_path(call, method->permission, why);
    if (rc == 0)
        rc = meet_fault(call, ret_fault, why);
    if (rc < 0 || call->wait_until || *ret_fault == EMU_FAULT_DROP_REQUEST)
        return rc;
    return method->run(call, ret, why);
}

static void answer(const struct emu_call *call, const json_t *body, struct http_reply *reply)
{
    if (call->no_content || !body) {
        http_reply_text(reply, 204, "text/plain", "");
        return;
    }
    http_reply_json(reply, 200, body);
    reply->content_type = "application/json; charset=UTF-8";
}

void emu_call_run(struct emu_cloud *cloud, const struct http_request *req, struct http_reply *reply,
                  const struct emu_method *method)
{
    struct emu_call call = {.cloud = cloud, .req = req, .method = method};
    struct emu_refusal why = {0};
    json_auto_t *body = NULL;
    enum emu_fault fault = EMU_FAULT_NONE;
    int rc = run(&call, &fault, &body, &why);
    if (rc == 0 && call.wait_until) {
        reply->wait_until = call.wait_until;
        return;
    }
    reply->drop = fault == EMU_FAULT_DROP_REQUEST || fault == EMU_FAULT_DROP_ANSWER;
    if (rc == 0 && !body && !call.no_content && !reply->drop)
        rc = emu_refuse(&why, 500, "backendError", "No memory for the answer.");
    if (rc < 0)
        emu_refusal_reply(&why, reply);
    else
        answer(&call, body, reply);
    if (call.email[0])
        emu_reqlog_note(reply, call.email, call.operation[0] ? call.operation : NULL);
}
