/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "curl.h"
#include "lib/json.h"
#include "lib/name.h"

enum { JWKS_MAX = 256 * 1024 };

VMCP_DEFINE_AUTO(url_auto, CURLU *, http_curl.url_cleanup)
#define auto_url VMCP_AUTO(url_auto)
VMCP_DEFINE_AUTO(curl_string_auto, char *, http_curl.free)
#define auto_curl_string VMCP_AUTO(curl_string_auto)

void http_endpoint_clear(struct http_endpoint *endpoint)
{
    free(endpoint->url);
    free(endpoint->origin);
    *endpoint = (struct http_endpoint){0};
}

static int no_url(struct vmcp_error *err, const char *why)
{
    return vmcp_fail(err, VMCP_E_URL_MALFORMED,
                     "%s; an endpoint is like https://cfg.example.org/vmcp", why);
}

/* Lower case, without brackets and trailing dot: the default domain. */
static int take_host(CURLU *u, struct http_endpoint *e, struct vmcp_error *err)
{
    auto_curl_string char *host = NULL;
    if (http_curl.url_get(u, CURLUPART_HOST, &host, 0) != CURLUE_OK)
        return no_url(err, "the endpoint has no host");
    const char *from = host;
    size_t len = strlen(host);
    if (len > 2 && host[0] == '[' && host[len - 1] == ']') {
        from++;
        len -= 2;
    } else if (len > 1 && host[len - 1] == '.') {
        len--;
    }
    if (len >= sizeof(e->host))
        return no_url(err, "the endpoint's host is too long");
    for (size_t i = 0; i < len; i++)
        e->host[i] = from[i] >= 'A' && from[i] <= 'Z' ? (char)(from[i] - 'A' + 'a') : from[i];
    e->host[len] = '\0';
    return vmcp_domain_check(e->host, len, err);
}

static bool is_loopback(const char *host)
{
    struct in_addr v4;
    struct in6_addr v6;
    if (inet_pton(AF_INET, host, &v4) == 1)
        return ntohl(v4.s_addr) >> 24 == 127;
    if (inet_pton(AF_INET6, host, &v6) == 1)
        return IN6_IS_ADDR_LOOPBACK(&v6);
    return strcmp(host, "localhost") == 0;
}

static int check_scheme(CURLU *u, const struct http_endpoint *e, bool allow_http,
                        struct vmcp_error *err)
{
    auto_curl_string char *scheme = NULL;
    if (http_curl.url_get(u, CURLUPART_SCHEME, &scheme, 0) != CURLUE_OK)
        return no_url(err, "the endpoint has no scheme");
    if (strcmp(scheme, "https") == 0)
        return 0;
    if (strcmp(scheme, "http") != 0)
        return no_url(err, "the endpoint's scheme is neither http nor https");
    if (allow_http || is_loopback(e->host))
        return 0;
    return vmcp_fail(err, VMCP_E_PLAIN_HTTP,
                     "%s over plain http: the answer cannot be forged, but anyone on the way can "
                     "read it; use https, or say --allow-http",
                     e->host);
}

/* The machine that the URL names: `vm=` in the query, else /vmcp/NAME. */
static int take_machine(CURLU *u, struct http_endpoint *e, struct vmcp_error *err)
{
    auto_curl_string char *path = NULL, *query = NULL;
    const char *name = NULL;
    size_t len = 0;
    if (http_curl.url_get(u, CURLUPART_QUERY, &query, 0) == CURLUE_OK)
        for (const char *p = query; p && *p; p = strchr(p, '&') ? strchr(p, '&') + 1 : NULL)
            if (strncmp(p, "vm=", 3) == 0) {
                name = p + 3;
                len = strcspn(name, "&");
            }
    if (!name && http_curl.url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK &&
        strncmp(path, "/vmcp/", 6) == 0 && path[6]) {
        name = path + 6;
        len = strlen(name);
    }
    if (!name)
        return 0;
    int rc = vmcp_machine_name_check(name, len, err);
    if (rc == 0)
        memcpy(e->machine, name, len);
    return rc;
}

static int take_parts(CURLU *u, const char *machine, bool allow_http, struct http_endpoint *e,
                      struct vmcp_error *err)
{
    auto_curl_string char *user = NULL, *password = NULL;
    if (http_curl.url_get(u, CURLUPART_USER, &user, 0) == CURLUE_OK ||
        http_curl.url_get(u, CURLUPART_PASSWORD, &password, 0) == CURLUE_OK)
        return no_url(err, "the endpoint has a user or password in it");
    int rc = take_host(u, e, err);
    if (rc == 0)
        rc = check_scheme(u, e, allow_http, err);
    if (rc == 0)
        rc = take_machine(u, e, err);
    if (rc < 0 || !machine)
        return rc;
    rc = vmcp_machine_name_check(machine, strlen(machine), err);
    if (rc == 0 && e->machine[0] && strcmp(e->machine, machine) != 0)
        return vmcp_fail(err, VMCP_E_NAME_CONFLICT,
                         "the endpoint names the machine %s, and %s is "
                         "asked for",
                         e->machine, machine);
    if (rc == 0)
        memcpy(e->machine, machine, strlen(machine) + 1);
    return rc;
}

/* Copy what libcurl allocated into memory of our own. */
static char *take_url(CURLU *u)
{
    auto_curl_string char *url = NULL;
    return http_curl.url_get(u, CURLUPART_URL, &url, 0) == CURLUE_OK ? strdup(url) : NULL;
}

int http_endpoint_parse(const char *url, const char *machine, bool allow_http,
                        struct http_endpoint *ret, struct vmcp_error *err)
{
    auto_endpoint struct http_endpoint e = {0};
    int rc = http_curl_load(err);
    if (rc < 0)
        return rc;
    if (strchr(url, '#')) /* libcurl overlooks an empty one */
        return no_url(err, "the endpoint has a fragment");
    auto_url CURLU *u = http_curl.url();
    if (!u || http_curl.url_set(u, CURLUPART_URL, url, 0) != CURLUE_OK)
        return no_url(err, "the endpoint is not a URL");
    rc = take_parts(u, machine, allow_http, &e, err);
    if (rc < 0)
        return rc;
    auto_curl_string char *path = NULL;
    if (http_curl.url_get(u, CURLUPART_PATH, &path, 0) == CURLUE_OK && strcmp(path, "/") == 0)
        http_curl.url_set(u, CURLUPART_PATH, "/vmcp", 0);
    e.url = take_url(u);
    http_curl.url_set(u, CURLUPART_PATH, "/", 0);
    http_curl.url_set(u, CURLUPART_QUERY, NULL, 0);
    e.origin = take_url(u);
    if (!e.url || !e.origin)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    e.origin[strlen(e.origin) - 1] = '\0'; /* the slash */
    *ret = e;
    e = (struct http_endpoint){0};
    return 0;
}

/* The job's name where the path of `url` ends in /jobs/NAME, else NULL; *ret_len is its length. */
static const char *job_in(const char *url, size_t *ret_len)
{
    static const char before[] = "/jobs/";
    size_t end = strcspn(url, "?#"), from = end;
    while (from > 0 && url[from - 1] != '/')
        from--;
    size_t n = strlen(before);
    *ret_len = end - from;
    return from >= n && end > from && memcmp(url + from - n, before, n) == 0 ? url + from : NULL;
}

bool http_url_is_job(const char *url)
{
    size_t len = 0;
    return job_in(url, &len) != NULL;
}

/* The name of the job: `job`, or the URL's own. */
static int take_job(const char *job, struct http_endpoint *e, struct vmcp_error *err)
{
    size_t len = 0;
    const char *in = job_in(e->url, &len);
    if (!job && !in)
        return vmcp_fail(err, VMCP_E_USAGE, "the endpoint names no job: --job NAME is wanted");
    int rc = vmcp_machine_name_check(job ? job : in, job ? strlen(job) : len, err);
    if (rc < 0)
        return rc;
    if (job && in && (strlen(job) != len || memcmp(job, in, len) != 0))
        return vmcp_fail(err, VMCP_E_NAME_CONFLICT,
                         "the endpoint names the job %.*s, and %s is asked for", (int)len, in, job);
    snprintf(e->machine, sizeof(e->machine), "%.*s", (int)(job ? strlen(job) : len),
             job ? job : in);
    return 0;
}

/* Jobs stand beside /vmcp. */
static int set_job_path(struct http_endpoint *e, struct vmcp_error *err)
{
    size_t path = strcspn(e->url, "?"), len = 0;
    if (job_in(e->url, &len))
        return 0;
    bool beside = path >= 5 && memcmp(e->url + path - 5, "/vmcp", 5) == 0;
    bool below = path >= 5 && memcmp(e->url + path - 5, "/jobs", 5) == 0;
    char *url = NULL;
    if (!beside && !below)
        return 0;
    if (asprintf(&url, "%.*s/jobs/%s%s", (int)path - 5, e->url, e->machine, e->url + path) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    free(e->url);
    e->url = url;
    return 0;
}

int http_endpoint_parse_job(const char *url, const char *job, bool allow_http,
                            struct http_endpoint *ret, struct vmcp_error *err)
{
    auto_endpoint struct http_endpoint e = {0};
    int rc = http_endpoint_parse(url, NULL, allow_http, &e, err);
    if (rc == 0 && e.machine[0])
        rc = vmcp_fail(err, VMCP_E_NAME_CONFLICT,
                       "the endpoint names the machine %s, and a job is asked for", e.machine);
    if (rc == 0)
        rc = take_job(job, &e, err);
    if (rc == 0)
        rc = set_job_path(&e, err);
    if (rc < 0)
        return rc;
    e.kind = VMCP_KIND_JOB;
    *ret = e;
    e = (struct http_endpoint){0};
    return 0;
}

int http_endpoint_question(const struct http_endpoint *endpoint, const char *salt,
                           const char *hostid, char **ret, struct vmcp_error *err)
{
    const char *url = endpoint->url;
    bool has_vm = strstr(url, "?vm=") || strstr(url, "&vm=");
    auto_buf struct vmcp_buf b = VMCP_BUF(8192);
    vmcp_buf_addf(&b, "%s%ccvm_salt=%s", url, strchr(url, '?') ? '&' : '?', salt);
    if (hostid)
        vmcp_buf_addf(&b, "&cvm_hostid=%s", hostid);
    if (endpoint->machine[0] && !has_vm && endpoint->kind == VMCP_KIND_MACHINE)
        vmcp_buf_addf(&b, "&vm=%s", endpoint->machine);
    int rc = vmcp_buf_check(&b, "the question", err);
    if (rc == 0)
        *ret = vmcp_buf_steal(&b, NULL);
    return rc;
}

/* A responder's problem body is quoted as it is a message for people, but only in printable ASCII:
 * it is not authenticated. */
static void quote(char *out, size_t size, const char *text)
{
    size_t n = 0;
    for (; text && *text && n + 1 < size; text++)
        out[n++] = *text >= ' ' && *text < 127 ? *text : '?';
    out[n] = '\0';
}

static int not_ok(const struct http_response *r, const char *origin, struct vmcp_error *err)
{
    json_auto_t *problem = NULL;
    char code[48] = "", detail[140] = "";
    if (r->body.data && vmcp_json_parse_object(r->body.data, r->body.len, &problem, NULL) == 0) {
        quote(code, sizeof(code), json_string_value(json_object_get(problem, "code")));
        quote(detail, sizeof(detail), json_string_value(json_object_get(problem, "detail")));
    }
    return vmcp_fail_at(err, VMCP_E_RESPONDER, origin, "answered %ld%s%s%s%s", r->status,
                        code[0] ? " " : "", code, detail[0] ? ": " : "", detail);
}

static int get(struct http_client *client, const struct http_ask *ask, const char *url,
               const char *accept, size_t max, struct http_response *r,
               struct http_retry *ret_retry, struct vmcp_error *err)
{
    struct http_exchange ex = {.url = url,
                               .accept = accept,
                               .max_body = max,
                               .ca_file = ask->ca_file,
                               .cert_file = ask->cert_file,
                               .key_file = ask->key_file,
                               .files_given = true,
                               .unix_socket = ask->unix_socket,
                               .connect_timeout_ms = ask->connect_timeout_ms,
                               .total_timeout_ms = ask->total_timeout_ms};
    int rc = http_client_do(client, &ex, r, err);
    *ret_retry = (struct http_retry){rc == -VMCP_E_NETWORK || rc == -VMCP_E_TIMEOUT, -1};
    if (rc < 0)
        return rc;
    *ret_retry = (struct http_retry){r->status == 429 || r->status >= 500, r->retry_after};
    return r->status == 200 ? 0 : not_ok(r, ask->endpoint->origin, err);
}

/* Thumbprints say which keys are trusted; the endpoint is asked for the keys themselves. */
static int resolve_trust(struct http_client *client, const struct http_ask *ask,
                         struct http_retry *ret_retry, struct vmcp_error *err)
{
    auto_response struct http_response r = {0};
    auto_free char *url = NULL;
    if (!vmcp_trust_needs_keys(ask->trust))
        return 0;
    if (asprintf(&url, "%s/.well-known/jwks.json", ask->endpoint->origin) < 0) {
        url = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a URL");
    }
    int rc = get(client, ask, url, "application/jwk-set+json", JWKS_MAX, &r, ret_retry, err);
    if (rc == 0 && strcmp(r.content_type, "application/jwk-set+json") != 0)
        rc = vmcp_fail_at(err, VMCP_E_CONTENT_TYPE, url,
                          "not a key set: application/jwk-set+json was asked for");
    if (rc < 0)
        return rc;
    struct vmcp_error inner = {0};
    if (vmcp_trust_resolve(ask->trust, r.body.data ? r.body.data : "", r.body.len, &inner) < 0)
        return vmcp_fail_at(err, VMCP_E_RESPONDER, url, "not a key set: %s", inner.text);
    return 0;
}

static int judge(const struct http_ask *ask, const char *salt, const struct http_response *r,
                 struct vmcp_answer *ret, struct vmcp_error *err)
{
    const char *type = vmcp_format_media_type(ask->format);
    if (strcmp(r->content_type, type) != 0)
        return vmcp_fail_at(err, VMCP_E_CONTENT_TYPE, ask->endpoint->origin,
                            "the answer is of type %.64s; %s was asked for",
                            r->content_type[0] ? r->content_type : "(none)", type);
    struct vmcp_expect expect = {
        .format = ask->format,
        .kind = ask->endpoint->kind,
        .trust = ask->trust,
        .domain = ask->domain,
        .machine = ask->endpoint->machine[0] ? ask->endpoint->machine : NULL,
        .hostid = ask->hostid,
        .salt = salt,
        .name = ask->name,
        .min_serial = ask->min_serial,
        .now = time(NULL), /* the last byte is here */
        .skew = ask->skew,
        .complete = true,
    };
    return vmcp_answer_verify(r->body.data ? r->body.data : "", r->body.len, &expect, ret, err);
}

int http_ask(struct http_client *client, const struct http_ask *ask, struct vmcp_answer *ret,
             struct http_retry *ret_retry, struct vmcp_error *err)
{
    struct http_retry retry = {false, -1};
    char salt[VMCP_SALT_LEN + 1];
    auto_free char *url = NULL;
    auto_response struct http_response r = {0};
    int rc = resolve_trust(client, ask, &retry, err);
    if (rc == 0)
        rc = vmcp_salt_make(salt, err);
    if (rc == 0)
        rc = http_endpoint_question(ask->endpoint, salt, ask->hostid, &url, err);
    if (rc == 0)
        rc = get(client, ask, url, vmcp_format_media_type(ask->format), VMCP_ANSWER_MAX, &r, &retry,
                 err);
    if (rc == 0)
        rc = judge(ask, salt, &r, ret, err);
    if (ret_retry)
        *ret_retry = (struct http_retry){rc < 0 && retry.can, retry.after};
    return rc;
}
