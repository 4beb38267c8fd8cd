/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "certificates.h"
#include "curl.h"

struct http_client {
    CURL *curl;
};

enum { CONNECT_TIMEOUT_MS = 10000, TOTAL_TIMEOUT_MS = 30000, STALLED_S = 15 };
enum { DEFAULT_MAX_BODY = 1024 * 1024, URL_MAX_LEN = 8192, RETRY_AFTER_MAX = 86400 };

/* No proxy ever sees what is asked of this machine, of its link or of the metadata server. */
static const char direct_hosts[] = "localhost,127.0.0.0/8,::1,169.254.0.0/16,metadata,"
                                   "metadata.google.internal";

VMCP_DEFINE_AUTO(slist_auto, struct curl_slist *, http_curl.slist_free_all)
#define auto_slist VMCP_AUTO(slist_auto)

int http_client_new(struct http_client **ret, struct vmcp_error *err)
{
    int rc = http_curl_load(err);
    if (rc < 0)
        return rc;
    struct http_client *client = calloc(1, sizeof(*client));
    if (client)
        client->curl = http_curl.easy_init();
    if (!client || !client->curl) {
        free(client);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an HTTP client");
    }
    *ret = client;
    return 0;
}

void http_client_free(struct http_client *client)
{
    if (!client)
        return;
    http_curl.easy_cleanup(client->curl);
    free(client);
}

void http_response_clear(struct http_response *response)
{
    vmcp_buf_wipe(&response->body);
    *response = (struct http_response){0};
}

/* A short count makes libcurl give the transfer up: no more than the limit is ever kept. */
static size_t take_body(char *data, size_t size, size_t count, void *arg)
{
    struct http_response *response = arg;
    vmcp_buf_add(&response->body, data, size * count);
    return response->body.failed ? 0 : size * count;
}

/* An address of the link (fe80::/64, RFC 4291, section 2.5.6). libcurl 7.88 knows no ranges of IPv6
 * addresses in the list above. */
static bool is_on_link(const char *url)
{
    static const char address[] = "[fe80:";
    const char *host = strstr(url, "://");
    return host && strncasecmp(host + 3, address, strlen(address)) == 0;
}

/* The proxy variables keep their meaning; our own hosts are added to no_proxy. */
static char *no_proxy_list(void)
{
    const char *theirs = getenv("no_proxy");
    char *list = NULL;
    if (!theirs)
        theirs = getenv("NO_PROXY");
    if (theirs && strcmp(theirs, "*") == 0)
        return strdup("*");
    if (asprintf(&list, "%s%s%s", direct_hosts, theirs ? "," : "", theirs ? theirs : "") < 0)
        return NULL;
    return list;
}

static struct curl_slist *add_header(struct curl_slist *list, const char *name, const char *value)
{
    auto_free char *line = NULL;
    if (asprintf(&line, "%s: %s", name, value) < 0) {
        line = NULL;
        return list;
    }
    struct curl_slist *longer = http_curl.slist_append(list, line);
    explicit_bzero(line, strlen(line));
    return longer ? longer : list;
}

static struct curl_slist *make_headers(const struct http_exchange *ex)
{
    /* An empty value takes a header away that libcurl would add by itself. */
    struct curl_slist *list = http_curl.slist_append(NULL, "Expect:");
    list = ex->accept ? add_header(list, "Accept", ex->accept)
                      : http_curl.slist_append(list, "Accept:");
    if (ex->content_type)
        list = add_header(list, "Content-Type", ex->content_type);
    for (size_t i = 0; ex->headers && ex->headers[i]; i++)
        list = http_curl.slist_append(list, ex->headers[i]);
    return list;
}

static void set_method(CURL *curl, const struct http_exchange *ex)
{
    const char *method = ex->method ? ex->method : "GET";
    /* Without a body too, these say how long it is (RFC 9110, section 8.6). */
    if (ex->body || strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
        strcmp(method, "PATCH") == 0) {
        http_curl.easy_setopt(curl, CURLOPT_POST, 1L);
        http_curl.easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)ex->body_len);
        http_curl.easy_setopt(curl, CURLOPT_POSTFIELDS, ex->body ? ex->body : "");
    } else {
        http_curl.easy_setopt(curl, CURLOPT_HTTPGET, 1L);
    }
    if (strcmp(method, "HEAD") == 0)
        http_curl.easy_setopt(curl, CURLOPT_NOBODY, 1L);
    else if (strcmp(method, "GET") != 0 && strcmp(method, "POST") != 0)
        http_curl.easy_setopt(curl, CURLOPT_CUSTOMREQUEST, method);
}

static void set_bounds(CURL *curl, const struct http_exchange *ex)
{
    int connect = ex->connect_timeout_ms ? ex->connect_timeout_ms : CONNECT_TIMEOUT_MS;
    int total = ex->total_timeout_ms ? ex->total_timeout_ms : TOTAL_TIMEOUT_MS;
    http_curl.easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
    http_curl.easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
    http_curl.easy_setopt(curl, CURLOPT_CONNECTTIMEOUT_MS, (long)connect);
    http_curl.easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)total);
    http_curl.easy_setopt(curl, CURLOPT_LOW_SPEED_LIMIT, 1L);
    http_curl.easy_setopt(curl, CURLOPT_LOW_SPEED_TIME,
                          (long)(ex->stall_timeout_s ? ex->stall_timeout_s : STALLED_S));
    http_curl.easy_setopt(curl, CURLOPT_NOSIGNAL, 1L); /* threads: no SIGALRM for name resolution */
    http_curl.easy_setopt(curl, CURLOPT_NETRC, (long)CURL_NETRC_IGNORED);
    http_curl.easy_setopt(curl, CURLOPT_SSLVERSION, (long)CURL_SSLVERSION_TLSv1_2);
    http_curl.easy_setopt(curl, CURLOPT_USERAGENT, "vmcp/" VMCP_VERSION);
}

/* The CAs of a file take the place of the system's, which libcurl knows as a file and as a folder.
 */
static void set_authorities(CURL *curl, const char *file)
{
    if (!file || !*file)
        return;
    http_curl.easy_setopt(curl, CURLOPT_CAINFO, file);
    http_curl.easy_setopt(curl, CURLOPT_CAPATH, NULL);
}

static void set_up(struct http_client *client, const struct http_exchange *ex,
                   struct http_response *response, const char *no_proxy, struct curl_slist *headers,
                   char *message)
{
    CURL *curl = client->curl;
    http_curl.easy_reset(curl); /* keeps the connections */
    set_bounds(curl, ex);
    set_method(curl, ex);
    http_curl.easy_setopt(curl, CURLOPT_URL, ex->url);
    bool direct = ex->direct || ex->unix_socket || is_on_link(ex->url);
    http_curl.easy_setopt(curl, CURLOPT_NOPROXY, direct ? "*" : no_proxy);
    http_curl.easy_setopt(curl, CURLOPT_UNIX_SOCKET_PATH, ex->unix_socket);
    http_curl.easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
    http_curl.easy_setopt(curl, CURLOPT_ERRORBUFFER, message);
    http_curl.easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
    http_curl.easy_setopt(curl, CURLOPT_WRITEDATA, response);
    if (ex->send_once)
        http_curl.easy_setopt(curl, CURLOPT_FRESH_CONNECT, 1L);
    http_curl.easy_setopt(curl, CURLOPT_CERTINFO, 1L); /* for messages */
    set_authorities(curl, ex->ca_file ? ex->ca_file : getenv("SSL_CERT_FILE"));
    if (ex->cert_file) {
        http_curl.easy_setopt(curl, CURLOPT_SSLCERT, ex->cert_file);
        http_curl.easy_setopt(curl, CURLOPT_SSLKEY, ex->key_file);
    }
    if (ex->bearer) {
        http_curl.easy_setopt(curl, CURLOPT_HTTPAUTH, (long)CURLAUTH_BEARER);
        http_curl.easy_setopt(curl, CURLOPT_XOAUTH2_BEARER, ex->bearer);
    }
}

/* "Application/JOSE; charset=x" to "application/jose". */
static void take_content_type(CURL *curl, struct http_response *response)
{
    char *type = NULL;
    http_curl.easy_getinfo(curl, CURLINFO_CONTENT_TYPE, &type);
    size_t n = 0;
    for (; type && type[n] && !strchr("; \t", type[n]) && n + 1 < sizeof(response->content_type);
         n++) {
        char c = type[n];
        response->content_type[n] = c >= 'A' && c <= 'Z' ? (char)(c - 'A' + 'a') : c;
    }
    response->content_type[n] = '\0';
}

/* An HTTP-date (RFC 9110, section 5.6.7) in a header, in seconds since 1970; 0: there is none. */
static int64_t take_date(CURL *curl, const char *name)
{
    struct curl_header *header = NULL;
    struct tm date = {0};
    if (http_curl.easy_header(curl, name, 0, CURLH_HEADER, -1, &header) != CURLHE_OK ||
        !strptime(header->value, "%a, %d %b %Y %H:%M:%S GMT", &date))
        return 0;
    return timegm(&date);
}

/* Retry-After in seconds: a number, or a date by the other side's own clock. */
static int take_retry_after(CURL *curl, int64_t now)
{
    struct curl_header *header = NULL;
    if (http_curl.easy_header(curl, "Retry-After", 0, CURLH_HEADER, -1, &header) != CURLHE_OK)
        return -1;
    bool number = header->value[0] >= '0' && header->value[0] <= '9';
    int64_t date = number ? 0 : take_date(curl, "Retry-After");
    int64_t after = number        ? strtoll(header->value, NULL, 10)
                    : date && now ? date - now
                    : date        ? date - time(NULL)
                                  : -1;
    if (after > RETRY_AFTER_MAX)
        return RETRY_AFTER_MAX;
    return after < -1 ? 0 : (int)after;
}

static void take_facts(CURL *curl, struct http_response *response)
{
    http_curl.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    take_content_type(curl, response);
    response->date = take_date(curl, "Date");
    response->retry_after = take_retry_after(curl, response->date);
}

/* The origin of a URL, for messages: what is behind it may hold what is not for a log. */
static void origin_of(const char *url, char *out, size_t size)
{
    const char *host = strstr(url, "://");
    size_t len = host ? (size_t)(host - url) + 3 + strcspn(host + 3, "/?#") : strlen(url);
    snprintf(out, size, "%.*s", (int)(len < size ? len : size - 1), url);
}

/* More than libcurl says, where there is more to say; else "". */
static void explain(const struct http_exchange *ex, CURL *curl, CURLcode code, const char *text,
                    const char *origin, char *ret, size_t size)
{
    static const char https[] = "https://";
    const struct http_certificates files = {ex->ca_file, ex->cert_file, ex->key_file};
    bool is_tls = strncasecmp(origin, https, strlen(https)) == 0;
    long system_error = 0;
    ret[0] = '\0';
    http_curl.easy_getinfo(curl, CURLINFO_OS_ERRNO, &system_error);
    if (code == CURLE_COULDNT_CONNECT && ex->unix_socket && system_error)
        snprintf(ret, size, "nobody answers at this socket: %s", strerror((int)system_error));
    else if (is_tls)
        http_certificates_explain(curl, code, text, origin + strlen(https),
                                  ex->files_given ? &files : NULL, ret, size);
    else if (ex->files_given && (code == CURLE_GOT_NOTHING || code == CURLE_RECV_ERROR))
        snprintf(ret, size, "%s; if TLS is spoken there, https:// is wanted", text);
}

static int transfer_failed(const struct http_exchange *ex, CURL *curl, CURLcode code,
                           const char *message, struct http_response *response,
                           struct vmcp_error *err)
{
    char origin[96], why[256];
    long sent = 0;
    origin_of(ex->url, origin, sizeof(origin));
    http_curl.easy_getinfo(curl, CURLINFO_REQUEST_SIZE, &sent);
    response->maybe_sent = sent > 0;
    const char *text = message[0] ? message : http_curl.easy_strerror(code);
    http_curl.easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &response->status);
    if (response->body.failed == VMCP_E_LIMIT)
        return vmcp_fail_at(err, VMCP_E_ANSWER_TOO_LARGE, origin,
                            "the answer is over %zu bytes; no more was read", response->body.max);
    if (code == CURLE_SSL_CACERT_BADFILE) /* of SSL_CERT_FILE: ours were looked at before */
        return vmcp_fail_at(err, VMCP_E_FILE, "the file of CAs", "%s", text);
    if (code == CURLE_OPERATION_TIMEDOUT)
        return vmcp_fail_at(err, VMCP_E_TIMEOUT, origin, "%s", text);
    /* After the request was sent it is the answer that is not HTTP. */
    if (!response->maybe_sent &&
        (code == CURLE_URL_MALFORMAT || code == CURLE_UNSUPPORTED_PROTOCOL))
        return vmcp_fail_at(err, VMCP_E_URL_MALFORMED, origin, "%s", text);
    explain(ex, curl, code, text, origin, why, sizeof(why));
    return vmcp_fail_at(err, VMCP_E_NETWORK, ex->unix_socket ? ex->unix_socket : origin, "%s",
                        why[0] ? why : text);
}

int http_client_do(struct http_client *client, const struct http_exchange *exchange,
                   struct http_response *ret, struct vmcp_error *err)
{
    char message[CURL_ERROR_SIZE] = "";
    if (strlen(exchange->url) > URL_MAX_LEN)
        return vmcp_fail(err, VMCP_E_URL_MALFORMED, "a URL of over %d bytes", URL_MAX_LEN);
    auto_free char *no_proxy = no_proxy_list();
    auto_slist struct curl_slist *headers = make_headers(exchange);
    if (!no_proxy || !headers)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an HTTP request");
    http_response_clear(ret);
    ret->body.max = exchange->max_body ? exchange->max_body : DEFAULT_MAX_BODY;
    set_up(client, exchange, ret, no_proxy, headers, message);
    CURLcode code = http_curl.easy_perform(client->curl);
    if (code != CURLE_OK)
        return transfer_failed(exchange, client->curl, code, message, ret, err);
    take_facts(client->curl, ret);
    ret->maybe_sent = true;
    if (ret->status >= 300 && ret->status < 400) {
        char origin[96];
        origin_of(exchange->url, origin, sizeof(origin));
        return vmcp_fail_at(err, VMCP_E_REDIRECT, origin,
                            "answered %ld, a redirect; give the URL that it leads to", ret->status);
    }
    return 0;
}

char *http_escape(const char *value)
{
    static const char digits[] = "0123456789ABCDEF";
    static const char plain[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
    char *out = malloc(3 * strlen(value) + 1), *o = out;
    for (; out && *value; value++) {
        unsigned char c = (unsigned char)*value;
        if (strchr(plain, *value)) {
            *o++ = *value;
        } else {
            *o++ = '%';
            *o++ = digits[c >> 4];
            *o++ = digits[c & 15];
        }
    }
    if (out)
        *o = '\0';
    return out;
}
