/* SPDX-License-Identifier: Apache-2.0 */
/* `key:FILE`: real tokens for a service-account key, by the JWT bearer grant at its token_uri
 * (RFC 7523, section 2.1). */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "http/client.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/json.h"
#include "lib/jws.h"
#include "token_source.h"

enum { KEYFILE_MAX = 16 * 1024, ANSWER_MAX = 64 * 1024, LIFE = 3600, TIMEOUT_MS = 10000 };

static const char default_uri[] = "https://oauth2.googleapis.com/token";

struct key_source {
    struct vmcp_key *key;
    char *email, *kid, *token_uri;
    struct http_client *client;
};

static void close_key(void *state)
{
    struct key_source *source = state;
    vmcp_key_unref(source->key);
    http_client_free(source->client);
    free(source->email);
    free(source->kid);
    free(source->token_uri);
    free(source);
}

/* Over plain http the assertion, and the token, would be anybody's: on this machine only. What
 * begins with "127." need not be an address. */
static bool uri_is_safe(const char *uri)
{
    static const char *const local[] = {"localhost", "[::1]"};
    char host[sizeof("255.255.255.255")];
    struct in_addr address;
    if (strncmp(uri, "https://", 8) == 0)
        return true;
    if (strncmp(uri, "http://", 7) != 0)
        return false;
    const char *authority = uri + 7;
    size_t len = strcspn(authority, "/?#");
    size_t name = len;
    while (name > 0 && authority[name - 1] >= '0' && authority[name - 1] <= '9')
        name--;
    len = name > 0 && authority[name - 1] == ':' ? name - 1 : len;
    for (size_t i = 0; i < sizeof(local) / sizeof(local[0]); i++)
        if (strlen(local[i]) == len && strncmp(local[i], authority, len) == 0)
            return true;
    if (len >= sizeof(host))
        return false;
    memcpy(host, authority, len);
    host[len] = '\0';
    return inet_pton(AF_INET, host, &address) == 1 && ntohl(address.s_addr) >> 24 == 127;
}

static char *copy_of(const json_t *file, const char *member, const char *fallback)
{
    const char *text = json_string_value(json_object_get(file, member));
    if (!text)
        text = fallback;
    return text ? strdup(text) : NULL;
}

static int read_members(struct key_source *source, const json_t *file,
                        struct emu_persona *ret_persona, struct vmcp_error *err)
{
    const char *type = json_string_value(json_object_get(file, "type"));
    const char *pem = json_string_value(json_object_get(file, "private_key"));
    const char *project = json_string_value(json_object_get(file, "project_id"));
    source->email = copy_of(file, "client_email", NULL);
    source->kid = copy_of(file, "private_key_id", NULL);
    source->token_uri = copy_of(file, "token_uri", default_uri);
    if (!type || strcmp(type, "service_account") != 0 || !pem || !source->email ||
        strlen(source->email) > EMU_EMAIL_MAX)
        return vmcp_fail(err, VMCP_E_KEY,
                         "not a service-account key: `type` service_account, client_email and "
                         "private_key are wanted");
    if (!source->token_uri || !uri_is_safe(source->token_uri))
        return vmcp_fail(err, VMCP_E_PLAIN_HTTP,
                         "its token_uri is not https, nor http on this machine");
    snprintf(ret_persona->email, sizeof(ret_persona->email), "%s", source->email);
    if (project && strlen(project) <= EMU_PROJECT_MAX)
        snprintf(ret_persona->project, sizeof(ret_persona->project), "%s", project);
    return vmcp_key_parse_private(pem, strlen(pem), &source->key, err);
}

static int open_key(const char *spec, void **ret_state, struct emu_persona *ret_persona,
                    struct vmcp_error *err)
{
    const char *path = strchr(spec, ':');
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(KEYFILE_MAX);
    json_t *file = NULL;
    if (!path || !path[1])
        return vmcp_fail_at(err, VMCP_E_USAGE, spec, "key:FILE wants a file");
    struct key_source *source = calloc(1, sizeof(*source));
    if (!source)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a source of tokens");
    *ret_state = source;
    int rc = vmcp_file_read(++path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    rc = vmcp_json_parse_object(text.data ? text.data : "", text.len, &file, err);
    if (rc == 0)
        rc = read_members(source, file, ret_persona, err);
    if (file)
        vmcp_json_wipe(file);
    json_decref(file);
    if (rc < 0)
        return vmcp_error_locate(err, path);
    return http_client_new(&source->client, err);
}

/* The signed assertion: with `scope` or, for an identity token, `target_audience`. */
static int make_assertion(const struct key_source *source, enum emu_want want, const char *what,
                          char **ret, struct vmcp_error *err)
{
    json_int_t now = time(NULL);
    size_t len = 0;
    json_auto_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:I}", "iss", source->email,
                                    want == EMU_WANT_ACCESS ? "scope" : "target_audience", what,
                                    "aud", source->token_uri, "iat", now, "exp", now + LIFE);
    auto_free char *text = claims ? vmcp_json_text(claims, &len) : NULL;
    if (!text)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an assertion");
    return vmcp_jws_sign(source->key, vmcp_alg_find("RS256"), "JWT", source->kid, text, len, ret,
                         err);
}

static int read_answer(const struct http_response *answer, enum emu_want want,
                       struct emu_fetched *ret, struct vmcp_error *err)
{
    json_auto_t *body = NULL;
    if (vmcp_json_parse_object(answer->body.data ? answer->body.data : "", answer->body.len, &body,
                               NULL) < 0)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "the token endpoint answered %ld, not in JSON",
                         answer->status);
    const char *error = json_string_value(json_object_get(body, "error"));
    const char *why = json_string_value(json_object_get(body, "error_description"));
    const char *token = json_string_value(
        json_object_get(body, want == EMU_WANT_ACCESS ? "access_token" : "id_token"));
    json_int_t left = json_integer_value(json_object_get(body, "expires_in"));
    if (answer->status != 200 || !token)
        return vmcp_fail(err, VMCP_E_CREDENTIALS, "the token endpoint answered %ld: %.40s %.150s",
                         answer->status, error ? error : "no token in it", why ? why : "");
    ret->token = strdup(token);
    ret->expires = want == EMU_WANT_ACCESS ? time(NULL) + left : emu_token_expiry(token);
    vmcp_json_wipe(body);
    return ret->token ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a token");
}

static int fetch_key(void *state, enum emu_want want, const char *what, struct emu_fetched *ret,
                     struct vmcp_error *err)
{
    struct key_source *source = state;
    char *assertion = NULL;
    auto_secret_buf struct vmcp_buf form = VMCP_BUF(ANSWER_MAX);
    auto_response struct http_response answer = {0};
    int rc = make_assertion(source, want, what, &assertion, err);
    if (rc < 0)
        return rc;
    vmcp_buf_adds(&form, "grant_type=urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
                         "&assertion=");
    vmcp_buf_adds(&form, assertion); /* base64url and dots: nothing to escape */
    emu_token_wipe(assertion);
    rc = vmcp_buf_check(&form, "a request for a token", err);
    if (rc < 0)
        return rc;
    const struct http_exchange ask = {.method = "POST",
                                      .url = source->token_uri,
                                      .accept = "application/json",
                                      .content_type = "application/x-www-form-urlencoded",
                                      .body = form.data,
                                      .body_len = form.len,
                                      .max_body = ANSWER_MAX,
                                      .total_timeout_ms = TIMEOUT_MS};
    rc = http_client_do(source->client, &ask, &answer, err);
    return rc < 0 ? rc : read_answer(&answer, want, ret, err);
}

const struct emu_token_kind emu_token_key = {.name = "key",
                                             .margin = 240, /* as ours, see tokens.h */
                                             .open = open_key,
                                             .fetch = fetch_key,
                                             .close = close_key};
