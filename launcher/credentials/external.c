/* SPDX-License-Identifier: Apache-2.0 */
/* Workload identity federation: a token of somebody else's, from a file or a URL, traded at
 * Google's token service (RFC 8693). */
#include <stdio.h>
#include <string.h>

#include "exchange.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "lib/json.h"
#include "source.h"

enum {
    SUBJECT_MAX = 64 * 1024,
    FORM_MAX = 256 * 1024,
    HEADERS_MAX = 16,
    URL_MAX = 2048,
    SUBJECT_MS = 10000
};

struct external {
    struct launch_source base;
    struct launch_purpose purpose;
    json_t *document; /* owned */
    char *url;
};

static const char *member(const json_t *object, const char *name)
{
    return json_string_value(json_object_get(object, name));
}

static const json_t *source_of(const struct external *e)
{
    return json_object_get(e->document, "credential_source");
}

/* Over plain http only to this machine, this link or its metadata server: who reads the subject
 * token on its way, or answers with one, decides who we are. */
static int check_url(const struct external *e, struct vmcp_error *err)
{
    const char *url = member(source_of(e), "url"), *base = e->purpose.metadata;
    char plain[URL_MAX];
    struct launch_origin to, metadata;
    size_t len = strcspn(url, "?"); /* a query is no part of where it goes */
    if (len >= sizeof(plain) || strlen(url) >= sizeof(plain))
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "credential_source.url is too long");
    memcpy(plain, url, len);
    plain[len] = '\0';
    if (launch_origin_parse(plain, &to, NULL) < 0)
        return vmcp_fail(err, VMCP_E_CREDENTIALS,
                         "credential_source.url: https://host[:port]/path is wanted, without a "
                         "user or odd characters");
    bool is_metadata = strcmp(to.host, "metadata.google.internal") == 0 ||
                       (*base && launch_origin_parse(base, &metadata, NULL) == 0 &&
                        strcmp(to.host, metadata.host) == 0 && to.port == metadata.port);
    if (to.https || launch_origin_is_local(&to) || is_metadata)
        return 0;
    return vmcp_fail(err, VMCP_E_CREDENTIALS,
                     "credential_source.url would give a token over plain http, from %.100s; that "
                     "is done on loopback, link-local and from the metadata server only",
                     to.host);
}

/* GET the subject token; the headers are those that the file names. */
static int get_subject(const struct external *e, struct http_client *http, struct vmcp_buf *out,
                       struct vmcp_error *err)
{
    auto_response struct http_response response = {0};
    char *lines[HEADERS_MAX + 1] = {NULL};
    size_t count = 0;
    const char *key;
    json_t *value, *headers;
    headers = json_object_get(json_object_get(e->document, "credential_source"), "headers");
    json_object_foreach(headers, key, value)
    {
        const char *text = json_string_value(value);
        bool good = text && !key[strcspn(key, "\r\n:")] && !text[strcspn(text, "\r\n")];
        if (!good || count == HEADERS_MAX || asprintf(&lines[count], "%s: %s", key, text) < 0)
            break;
        count++;
    }
    struct http_exchange exchange = {.url = member(source_of(e), "url"),
                                     .headers = (const char *const *)lines,
                                     .max_body = SUBJECT_MAX,
                                     .total_timeout_ms = launch_time_left(e->base.end, SUBJECT_MS),
                                     /* plain http goes to places where no proxy is asked */
                                     .direct =
                                         strncmp(member(source_of(e), "url"), "https:", 6) != 0};
    int rc =
        count < json_object_size(headers)
            ? vmcp_fail(err, VMCP_E_CREDENTIALS,
                        "credential_source.headers: at most %d, each one line of text", HEADERS_MAX)
            : http_client_do(http, &exchange, &response, err);
    for (size_t i = 0; i < count; i++) {
        explicit_bzero(lines[i], strlen(lines[i]));
        free(lines[i]);
    }
    if (rc == -VMCP_E_NETWORK ||
        rc == -VMCP_E_TIMEOUT) /* of the credential, not of the operation */
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "credential_source.url gives no token: %s",
                         err->text);
    if (rc < 0)
        return rc;
    if (response.status != 200)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "credential_source.url answers %ld",
                         response.status);
    vmcp_buf_add(out, response.body.data, response.body.len);
    return vmcp_buf_check(out, "the subject token", err);
}

/* Text as it is, or one member of a JSON object. */
static int pick(const struct external *e, struct vmcp_buf *raw, struct vmcp_buf *out,
                struct vmcp_error *err)
{
    const json_t *format = json_object_get(source_of(e), "format");
    const char *type = member(format, "type"), *field = member(format, "subject_token_field_name");
    const char *data = raw->data ? raw->data : "";
    json_auto_t *document = NULL;
    if (!type || strcmp(type, "text") == 0) {
        vmcp_buf_add(out, data, strcspn(data, "\r\n"));
    } else if (vmcp_json_parse_object(data, raw->len, &document, NULL) == 0) {
        const char *token = member(document, field ? field : "");
        vmcp_buf_adds(out, token ? token : "");
        vmcp_json_wipe(document);
    }
    if (!out->len)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "credential_source gives no subject token%s%.64s",
                         field ? ": there is no member " : "", field ? field : "");
    return vmcp_buf_check(out, "the subject token", err);
}

static int read_subject(const struct external *e, struct http_client *http, struct vmcp_buf *out,
                        struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf raw = VMCP_BUF(SUBJECT_MAX);
    const char *file = member(source_of(e), "file");
    /* Whoever wrote it decides who may read it: it is often world-readable inside a container. */
    int rc =
        file ? vmcp_file_read(file, VMCP_FILE_PUBLIC, &raw, err) : get_subject(e, http, &raw, err);
    return rc < 0 ? rc : pick(e, &raw, out, err);
}

static int fetch(struct launch_source *source, struct http_client *http, struct launch_grant *ret,
                 struct vmcp_error *err)
{
    struct external *e = (struct external *)source;
    auto_secret_buf struct vmcp_buf subject = VMCP_BUF(SUBJECT_MAX);
    auto_secret_buf struct vmcp_buf form = VMCP_BUF(FORM_MAX);
    json_auto_t *answer = NULL;
    int64_t date = 0;
    int rc = read_subject(e, http, &subject, err);
    if (rc < 0)
        return rc;
    launch_form_add(&form, "grant_type", "urn:ietf:params:oauth:grant-type:token-exchange");
    launch_form_add(&form, "audience", member(e->document, "audience"));
    launch_form_add(&form, "scope", e->purpose.scope);
    launch_form_add(&form, "requested_token_type", "urn:ietf:params:oauth:token-type:access_token");
    launch_form_add(&form, "subject_token", subject.data);
    launch_form_add(&form, "subject_token_type", member(e->document, "subject_token_type"));
    rc = vmcp_buf_check(&form, "the subject token", err);
    struct launch_post post = {.url = e->url,
                               .content_type = "application/x-www-form-urlencoded",
                               .body = form.data,
                               .end = e->base.end};
    if (rc == 0)
        rc = launch_exchange(http, e->purpose.rules, &post, &answer, &date, err);
    if (rc == 0)
        rc = launch_grant_read(answer, ret, err);
    vmcp_json_wipe(answer);
    return rc;
}

static void drop(struct launch_source *source)
{
    struct external *e = (struct external *)source;
    vmcp_json_wipe(e->document);
    json_decref(e->document);
    free(e->url);
    free(e);
}

static int check(const char *where, const struct external *e, struct vmcp_error *err)
{
    static const char *const needed[] = {"audience", "subject_token_type", "token_url"};
    const json_t *source = source_of(e);
    for (size_t i = 0; i < sizeof(needed) / sizeof(*needed); i++)
        if (!member(e->document, needed[i]))
            return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where, "no `%s`", needed[i]);
    if (!member(source, "file") == !member(source, "url"))
        return vmcp_fail_at(err, VMCP_E_CREDENTIALS, where,
                            "its credential_source is neither a `file` nor a `url`: executables, "
                            "AWS and certificates are not done here");
    int rc = member(source, "url") ? check_url(e, err) : 0;
    if (rc < 0)
        return vmcp_error_locate(err, where);
    rc = launch_destination_check(e->purpose.rules, e->url, err);
    return rc < 0 ? vmcp_error_locate(err, "token_url") : 0;
}

int launch_source_external(const char *where, const json_t *document,
                           const struct launch_purpose *purpose, struct launch_source **ret,
                           struct vmcp_error *err)
{
    const char *url = purpose->rules->token_endpoint;
    struct external *e = calloc(1, sizeof(*e));
    if (!e)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an identity");
    auto_source struct launch_source *made = &e->base;
    e->base = (struct launch_source){.fetch = fetch, .free = drop};
    e->purpose = *purpose;
    e->document = json_deep_copy(document);
    if (!url)
        url = member(document, "token_url");
    e->url = strdup(url ? url : "");
    if (!e->document || !e->url)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an identity");
    snprintf(e->base.name, sizeof(e->base.name), "%s (workload identity)", where);
    int rc = check(where, e, err);
    if (rc == 0)
        *ret = steal(&made);
    return rc;
}
