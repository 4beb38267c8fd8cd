/* SPDX-License-Identifier: Apache-2.0 */
#include "server.h"

#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/json.h"
#include "server_internal.h"

void http_reply_clear(struct http_reply *reply)
{
    free(reply->body);
    for (size_t i = 0; i < reply->header_count; i++) {
        free(reply->headers[i].name);
        free(reply->headers[i].value);
    }
    *reply = (struct http_reply){0};
}

void http_reply_take(struct http_reply *reply, int status, const char *content_type, char *body,
                     size_t len)
{
    free(reply->body);
    reply->status = status;
    reply->content_type = content_type;
    reply->body = body;
    reply->body_len = body ? len : 0;
}

void http_reply_text(struct http_reply *reply, int status, const char *content_type,
                     const char *body)
{
    http_reply_take(reply, status, content_type, strdup(body), strlen(body));
}

void http_reply_json(struct http_reply *reply, int status, const json_t *value)
{
    size_t len = 0;
    auto_free char *text = vmcp_json_text(value, &len);
    char *line = text ? realloc(text, len + 2) : NULL;
    if (!line) {
        http_reply_take(reply, 500, "text/plain", NULL, 0);
        return;
    }
    text = NULL;
    memcpy(line + len, "\n", 2);
    http_reply_take(reply, status, "application/json", line, len + 1);
}

void http_reply_problem(struct http_reply *reply, int status, enum vmcp_code code,
                        const char *detail)
{
    json_auto_t *problem = json_pack("{s:s, s:s, s:i, s:s, s:s}", "type", "about:blank", "title",
                                     vmcp_code_meaning(code), "status", status, "detail", detail,
                                     "code", vmcp_code_name(code));
    http_reply_json(reply, status, problem);
    reply->content_type = "application/problem+json";
    reply->code = code;
}

void http_reply_header(struct http_reply *reply, const char *name, const char *value)
{
    for (const char *v = value; *v; v++)
        if ((unsigned char)*v < ' ' || *v == 127)
            return; /* nothing may end a header early */
    if (reply->header_count == HTTP_REPLY_HEADERS_MAX)
        return;
    char *name_copy = strdup(name), *value_copy = strdup(value);
    if (!name_copy || !value_copy) {
        free(name_copy);
        free(value_copy);
        return;
    }
    reply->headers[reply->header_count].name = name_copy;
    reply->headers[reply->header_count++].value = value_copy;
}
