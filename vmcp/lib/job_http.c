/* SPDX-License-Identifier: Apache-2.0 */
#include "job_http.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base64.h"
#include "jobmacro.h"
#include "json.h"

#define CLOUD_PLATFORM "https://www.googleapis.com/auth/cloud-platform"

/* Note the macros of a text, found at `f`'s own pointer; those of `previous` must fit what stands
 * in for it. `raw`: the text stands there as it is, so that its column can be told. */
static void scan(const struct vmcp_fields *f, const char *text, size_t len, bool raw,
                 struct vmcp_job *job)
{
    struct vmcp_jobmacro m = {.kind = VMCP_JOBMACRO_UUID};
    struct vmcp_error err = {0};
    for (size_t at = 0; m.kind != VMCP_JOBMACRO_END;) {
        const json_t *value = NULL;
        if (vmcp_jobmacro_next(text, len, &at, &m, &err) < 0) {
            vmcp_diag_error(f->diags, VMCP_E_MACRO, f->pointer, false, "%s", err.text);
            if (raw)
                vmcp_diag_into(f->diags, at);
            return;
        }
        job->macros |= (unsigned)m.kind;
        if (m.kind == VMCP_JOBMACRO_PREVIOUS)
            value = vmcp_jobmacro_lookup(job->previous_default, m.field);
        if (value && (json_is_object(value) || json_is_array(value) || json_is_null(value) ||
                      json_string_length(value) > VMCP_JOB_PREVIOUS_MAX))
            vmcp_diag_error(f->diags, VMCP_E_JOB, f->pointer, false,
                            "previousDefault's `%s` is to be a string of at most %d bytes, a "
                            "number, true or false",
                            m.field, VMCP_JOB_PREVIOUS_MAX);
    }
}

/* The same for every string in a value; keys hold none. */
static void scan_json(const struct vmcp_fields *f, const json_t *value, struct vmcp_job *job)
{
    struct vmcp_fields deeper = {.code = f->code, .diags = f->diags};
    const char *key;
    json_t *member;
    size_t i;
    if (json_is_string(value))
        scan(f, json_string_value(value), json_string_length(value), true, job);
    json_object_foreach((json_t *)(uintptr_t)value, key, member)
    {
        vmcp_fields_pointer(f, key, deeper.pointer);
        if (strstr(key, VMCP_JOBMACRO_OPENING))
            vmcp_fields_fail(f, key, true, "a macro may stand in a value only, not in a key");
        scan_json(&deeper, member, job);
    }
    json_array_foreach(value, i, member)
    {
        char index[24];
        snprintf(index, sizeof(index), "%zu", i);
        vmcp_fields_pointer(f, index, deeper.pointer);
        scan_json(&deeper, member, job);
    }
}

static void read_uri(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_error err = {0};
    size_t at = 0;
    char pointer[sizeof(f->pointer)];
    struct vmcp_fields here = *f;
    vmcp_fields_string(f, "uri", VMCP_JOB_URI_MAX, &job->uri);
    if (!json_object_get(f->object, "uri"))
        vmcp_fields_fail(f, NULL, false, "the target has no `uri`");
    if (!job->uri)
        return;
    memcpy(here.pointer, vmcp_fields_pointer(f, "uri", pointer), sizeof(pointer));
    if (vmcp_joburi_parse(job->uri, &job->target, &at, &err) < 0) {
        vmcp_fields_fail(f, "uri", false, "%s", err.text);
        vmcp_diag_into(f->diags, at);
        return;
    }
    scan(&here, job->uri, strlen(job->uri), true, job);
}

/* Why a header may not be set, or NULL. */
static const char *refused_header(const char *name, const struct vmcp_job *job)
{
    static const char *const framing[] = {
        "Host",    "Content-Length", "Connection", "Keep-Alive",          "Transfer-Encoding", "TE",
        "Trailer", "Upgrade",        "Expect",     "Proxy-Authorization", "Proxy-Connection"};
    static const char *const internal[] = {"X-Google-", "X-AppEngine-", "X-CloudScheduler"};
    for (size_t i = 0; i < sizeof(framing) / sizeof(*framing); i++)
        if (strcasecmp(name, framing[i]) == 0)
            return "it belongs to the connection, and who sends the request sets it";
    for (size_t i = 0; i < sizeof(internal) / sizeof(*internal); i++)
        if (strncasecmp(name, internal[i], strlen(internal[i])) == 0)
            return "headers of this name are set by who runs the job";
    if (strcasecmp(name, "Authorization") == 0 && job->token != VMCP_JOB_TOKEN_NONE)
        return "the token sets it";
    return NULL;
}

/* A token of RFC 9110, section 5.6.2. */
static bool is_token(const char *s)
{
    static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "!#$%&'*+-.^_`|~";
    size_t len = strlen(s);
    return len > 0 && strspn(s, chars) == len;
}

static bool has_control(const char *s)
{
    for (; *s; s++)
        if (((unsigned char)*s < ' ' && *s != '\t') || *s == 0x7f)
            return true;
    return false;
}

static void check_header(const struct vmcp_fields *f, const char *name, const json_t *value,
                         struct vmcp_job *job)
{
    const char *refused = refused_header(name, job), *other;
    struct vmcp_fields here = {.code = f->code, .diags = f->diags};
    json_t *unused;
    if (strstr(name, VMCP_JOBMACRO_OPENING))
        vmcp_fields_fail(f, name, true, "a macro may not stand in a header's name");
    else if (!is_token(name))
        vmcp_fields_fail(f, name, true, "this is no header's name");
    else if (refused)
        vmcp_fields_fail(f, name, true, "`%.64s`: %s", name, refused);
    else if (!json_is_string(value))
        vmcp_fields_fail(f, name, false, "a header is a string");
    else if (has_control(json_string_value(value)))
        vmcp_fields_fail(f, name, false, "a header holds no control characters");
    json_object_foreach((json_t *)(uintptr_t)f->object, other, unused)
    {
        if (strcmp(other, name) < 0 && strcasecmp(other, name) == 0)
            vmcp_fields_fail(f, name, true, "`%s` and `%s` are one header", other, name);
    }
    vmcp_fields_pointer(f, name, here.pointer);
    if (strcasecmp(name, "Authorization") == 0 && !refused)
        vmcp_diag_warning(f->diags, here.pointer, true,
                          "whoever can reach the responder can read this; a token would not stand "
                          "in the job");
    if (json_is_string(value))
        scan(&here, json_string_value(value), json_string_length(value), true, job);
}

static void read_headers(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_fields headers;
    const char *name;
    json_t *value;
    size_t bytes = 0;
    if (!vmcp_fields_object(f, "headers", &headers))
        return;
    if (json_object_size(headers.object) > VMCP_JOB_HEADERS_MAX) {
        vmcp_fields_fail(f, "headers", false, "%zu headers; %d at most",
                         json_object_size(headers.object), VMCP_JOB_HEADERS_MAX);
        return;
    }
    json_object_foreach((json_t *)(uintptr_t)headers.object, name, value)
    {
        check_header(&headers, name, value, job);
        bytes += strlen(name) + json_string_length(value);
    }
    if (bytes > VMCP_JOB_HEADERS_BYTES_MAX)
        vmcp_fields_fail(f, "headers", false, "%zu bytes of headers; %d at most", bytes,
                         VMCP_JOB_HEADERS_BYTES_MAX);
    job->headers = headers.object;
}

static void read_body(const struct vmcp_fields *f, struct vmcp_job *job)
{
    const json_t *text = json_object_get(f->object, "body");
    size_t chars = json_string_length(text);
    struct vmcp_fields here = *f;
    struct vmcp_error err = {0};
    char pointer[sizeof(f->pointer)];
    if (!text)
        return;
    if (!json_is_string(text)) {
        vmcp_fields_fail(f, "body", false,
                         "`body` is to be a string of base64; JSON that can be "
                         "read is written as `bodyJson`");
        return;
    }
    job->body = malloc(VMCP_BASE64_BYTES(chars) + 1);
    if (!job->body || vmcp_base64_decode(VMCP_BASE64_PADDED, json_string_value(text), chars,
                                         job->body, &job->body_len, &err) < 0) {
        vmcp_fields_fail(f, "body", false,
                         "`body` is to be base64, with its padding; JSON that can "
                         "be read is written as `bodyJson`");
        return;
    }
    memcpy(here.pointer, vmcp_fields_pointer(f, "body", pointer), sizeof(pointer));
    scan(&here, (const char *)job->body, job->body_len, false, job);
}

static void read_bodies(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_fields here = *f;
    char pointer[sizeof(f->pointer)];
    job->body_json = json_object_get(f->object, "bodyJson");
    read_body(f, job);
    if (job->body_json) {
        memcpy(here.pointer, vmcp_fields_pointer(f, "bodyJson", pointer), sizeof(pointer));
        scan_json(&here, job->body_json, job);
    }
    bool body = json_object_get(f->object, "body");
    if (body && job->body_json)
        vmcp_fields_fail(f, "bodyJson", true, "`body` and `bodyJson` are the same; give one");
    if ((body || job->body_json) && strcmp(job->method, "POST") != 0 &&
        strcmp(job->method, "PUT") != 0 && strcmp(job->method, "PATCH") != 0)
        vmcp_fields_fail(f, body ? "body" : "bodyJson", true,
                         "%s has no body; POST, PUT and PATCH have", job->method);
}

/* A text of a token holds no macro: who calls, and for what, is what was signed. */
static void check_plain(const struct vmcp_fields *f, const char *key, const char *text)
{
    if (text && strstr(text, VMCP_JOBMACRO_OPENING))
        vmcp_fields_fail(f, key, false, "a macro may not stand in a token");
}

static void read_account(const struct vmcp_fields *f, struct vmcp_job *job)
{
    vmcp_fields_string(f, "serviceAccountEmail", VMCP_JOB_TEXT_MAX, &job->account);
    const char *at = job->account ? strchr(job->account, '@') : NULL;
    check_plain(f, "serviceAccountEmail", job->account);
    if (job->account && (!at || at == job->account || !at[1] || strchr(at + 1, '@') ||
                         strpbrk(job->account, " /\\\"<>")))
        vmcp_fields_fail(f, "serviceAccountEmail", false,
                         "a service account is named NAME@PROJECT.iam.gserviceaccount.com");
}

static void read_oauth(const struct vmcp_fields *f, struct vmcp_job *job)
{
    static const struct vmcp_field_name names[] = {
        {"serviceAccountEmail", NULL},
        {"scope", NULL},
        {"audience", "it is oidcToken's; an access token has a `scope`"},
    };
    vmcp_fields_known(f, names, sizeof(names) / sizeof(*names));
    job->token = VMCP_JOB_TOKEN_OAUTH;
    job->scope = CLOUD_PLATFORM;
    read_account(f, job);
    vmcp_fields_string(f, "scope", VMCP_JOB_TEXT_MAX, &job->scope);
    check_plain(f, "scope", job->scope);
}

static void read_oidc(const struct vmcp_fields *f, struct vmcp_job *job)
{
    static const struct vmcp_field_name names[] = {
        {"serviceAccountEmail", NULL},
        {"audience", NULL},
        {"scope", "it is oauthToken's; an identity token has an `audience`"},
    };
    vmcp_fields_known(f, names, sizeof(names) / sizeof(*names));
    job->token = VMCP_JOB_TOKEN_OIDC;
    read_account(f, job);
    vmcp_fields_string(f, "audience", VMCP_JOB_TEXT_MAX, &job->audience);
    check_plain(f, "audience", job->audience);
}

static void read_token(const struct vmcp_fields *f, struct vmcp_job *job)
{
    struct vmcp_fields oauth, oidc;
    bool has_oauth = vmcp_fields_object(f, "oauthToken", &oauth);
    bool has_oidc = vmcp_fields_object(f, "oidcToken", &oidc);
    if (has_oauth)
        read_oauth(&oauth, job);
    if (has_oidc)
        read_oidc(&oidc, job);
    if (has_oauth && has_oidc)
        vmcp_fields_fail(f, "oidcToken", true, "`oauthToken` and `oidcToken` exclude each other");
    if (job->token != VMCP_JOB_TOKEN_NONE && job->target.origin_len && !job->target.https)
        vmcp_fields_fail(f, has_oidc ? "oidcToken" : "oauthToken", true,
                         "a token is only ever sent over https");
    else if (f->diags->universe && job->token == VMCP_JOB_TOKEN_OAUTH && job->target.origin_len &&
             !vmcp_joburi_in_universe(&job->target, f->diags->universe))
        vmcp_fields_fail(f, "uri", false,
                         "an access token goes to %s and hosts under it only; `oidcToken` is for "
                         "other hosts",
                         f->diags->universe);
}

void vmcp_job_http_read(const struct vmcp_fields *f, struct vmcp_job *job)
{
    static const struct vmcp_field_name names[] = {
        {"uri", NULL},
        {"httpMethod", NULL},
        {"headers", NULL},
        {"body", NULL},
        {"bodyJson", NULL},
        {"oauthToken", NULL},
        {"oidcToken", NULL},
        {"waitForOperation", "it stands beside `httpTarget`, not in it"},
        {"attemptDeadline", "it stands beside `httpTarget`, not in it"},
        {"retryConfig", "it stands beside `httpTarget`, not in it"},
        {"previousDefault", "it stands beside `httpTarget`, not in it"},
    };
    static const char *const methods[] = {"POST",   "GET",   "HEAD",   "PUT",
                                          "DELETE", "PATCH", "OPTIONS"};
    size_t method = 0;
    vmcp_fields_known(f, names, sizeof(names) / sizeof(*names));
    vmcp_fields_word(f, "httpMethod", methods, sizeof(methods) / sizeof(*methods), &method);
    job->method = methods[method];
    read_uri(f, job);
    read_token(f, job);
    read_headers(f, job);
    read_bodies(f, job);
}
