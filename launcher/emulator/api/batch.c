/* SPDX-License-Identifier: Apache-2.0 */
/* POST /batch/compute/v1: several calls in one request, multipart/mixed with a part of
 * application/http for each (RFC 2046, section 5.1). gcloud sends what names more than one instance
 * so. The calls are answered one after the other, with the token of the whole; one that would wait
 * says how things are.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "api.h"
#include "base/refusal.h"
#include "lib/auto.h"
#include "lib/buf.h"

#define ANSWER_BOUNDARY "batch_gce-emulator"

enum { PARTS_MAX = 1000, ANSWER_MAX = 16 * 1024 * 1024, BOUNDARY_MAX = 70, ID_MAX = 200 };

/* What is still to be read of some text. */
struct text {
    char *p;
    size_t len;
};

/* One line without its end; false at the end of the text. The line is terminated in place. */
static bool take_line(struct text *text, char **ret)
{
    if (text->len == 0)
        return false;
    char *end = memchr(text->p, '\n', text->len);
    if (!end)
        return false; /* every line that is asked for here has an end */
    *ret = text->p;
    text->len -= (size_t)(end + 1 - text->p);
    text->p = end + 1;
    *end = '\0';
    if (end > *ret && end[-1] == '\r')
        end[-1] = '\0';
    return true;
}

/* Header lines up to the blank one; the value of `name` is kept (NULL: of none). False if there is
 * no blank line. */
static bool take_headers(struct text *text, const char *name, const char **ret)
{
    char *line = NULL;
    size_t len = name ? strlen(name) : 0;
    while (take_line(text, &line)) {
        if (!*line)
            return true;
        if (name && strncasecmp(line, name, len) == 0 && line[len] == ':')
            *ret = line + len + 1 + strspn(line + len + 1, " \t");
    }
    return false;
}

/* The boundary that the Content-Type says: "multipart/mixed; boundary=X", X in quotes or not. */
static bool read_boundary(const struct http_request *req, char ret[static BOUNDARY_MAX + 3])
{
    const char *type = http_request_header(req, "Content-Type");
    const char *at = type && strncasecmp(type, "multipart/mixed", 15) == 0
                         ? strcasestr(type, "boundary=")
                         : NULL;
    if (!at)
        return false;
    at += strlen("boundary=");
    bool quoted = *at == '"';
    size_t len = strcspn(at + quoted, quoted ? "\"" : "; \t");
    if (len < 1 || len > BOUNDARY_MAX)
        return false;
    snprintf(ret, BOUNDARY_MAX + 3, "--%.*s", (int)len, at + quoted);
    return true;
}

/* The next part: what is between two boundaries, each at the beginning of a line. */
static bool take_part(struct text *text, const char *boundary, struct text *ret)
{
    size_t len = strlen(boundary);
    char *line = NULL, *begin = text->p;
    while (text->len > 0) {
        char *here = text->p;
        bool is_boundary = text->len >= len && memcmp(here, boundary, len) == 0;
        bool last = is_boundary && text->len >= len + 2 && memcmp(here + len, "--", 2) == 0;
        if (!is_boundary) {
            char *end = memchr(here, '\n', text->len);
            size_t step = end ? (size_t)(end + 1 - here) : text->len;
            text->p += step;
            text->len -= step;
            continue;
        }
        *ret = (struct text){begin, (size_t)(here - begin)};
        if (last)
            text->len = 0;
        else if (!take_line(text, &line))
            return false;
        return true;
    }
    return false;
}

/* Without the line end that belongs to the boundary behind it. */
static void trim_end(struct text *text)
{
    if (text->len > 0 && text->p[text->len - 1] == '\n')
        text->len--;
    if (text->len > 0 && text->p[text->len - 1] == '\r')
        text->len--;
}

/* "POST /path HTTP/1.1" and what follows, as a request like the one that it came in. */
static bool read_request(struct text *part, const struct http_request *outer,
                         struct http_request *ret, struct vmcp_error *err)
{
    char *line = NULL;
    *ret = *outer;
    if (!take_line(part, &line))
        return false;
    char *target = strchr(line, ' ');
    if (!target)
        return false;
    *target++ = '\0';
    target[strcspn(target, " ")] = '\0';
    if (!take_headers(part, NULL, NULL) && part->len > 0)
        return false;
    ret->method = line;
    ret->target = "";
    ret->host = NULL;
    ret->param_count = 0;
    ret->timed_out = true;
    ret->body = part->len ? part->p : NULL;
    ret->body_len = part->len;
    return http_request_split(ret, target, err) == 0;
}

static void add_answer(struct vmcp_buf *out, const char *id, const struct http_reply *reply)
{
    const char *type = reply->content_type ? reply->content_type : "application/json";
    vmcp_buf_addf(out, "--" ANSWER_BOUNDARY "\r\nContent-Type: application/http\r\n");
    if (*id)
        vmcp_buf_addf(out, "Content-ID: <response-%s\r\n", *id == '<' ? id + 1 : id);
    vmcp_buf_addf(out, "\r\nHTTP/1.1 %d %s\r\nContent-Type: %s\r\nContent-Length: %zu\r\n\r\n",
                  reply->status, reply->status < 300 ? "OK" : "Error", type, reply->body_len);
    vmcp_buf_add(out, reply->body, reply->body_len);
    vmcp_buf_adds(out, "\r\n");
}

/* Answer one part into `out`. False: the connection is to be closed. */
static bool run_part(struct emu_cloud *cloud, const struct http_request *outer, struct text part,
                     struct http_request *inner, struct vmcp_buf *out)
{
    VMCP_AUTO(http_reply_clear) struct http_reply reply = {0};
    struct vmcp_error err = {0};
    char memo[HTTP_MEMO_MAX] = "", id[ID_MAX + 1];
    const char *said = "";
    trim_end(&part);
    bool good = take_headers(&part, "Content-ID", &said);
    snprintf(id, sizeof(id), "%.*s", ID_MAX, said);
    if (good && read_request(&part, outer, inner, &err)) {
        inner->memo = memo;
        emu_api_answer(cloud, inner, &reply);
    } else {
        struct emu_refusal why = {0};
        emu_refuse(&why, 400, "badRequest", "The part is no request of application/http.%s%s",
                   err.text[0] ? " " : "", err.text);
        emu_refusal_reply(&why, &reply);
    }
    add_answer(out, id, &reply);
    return !reply.drop;
}

static int run(struct emu_cloud *cloud, const struct http_request *req, struct http_reply *reply,
               struct emu_refusal *why)
{
    char boundary[BOUNDARY_MAX + 3];
    auto_free char *copy = malloc(req->body_len + 1);
    auto_free struct http_request *inner = calloc(1, sizeof(*inner));
    auto_buf struct vmcp_buf out = VMCP_BUF(ANSWER_MAX);
    struct text part;
    int count = 0;
    if (!copy || !inner)
        return emu_refuse(why, 500, "backendError", "No memory for a batch.");
    if (!read_boundary(req, boundary))
        return emu_refuse(why, 400, "badRequest",
                          "A batch is multipart/mixed, and its Content-Type says the boundary.");
    if (req->body_len)
        memcpy(copy, req->body, req->body_len);
    copy[req->body_len] = '\0';
    struct text text = {copy, req->body_len};
    bool good = take_part(&text, boundary, &part); /* what is before the first is no part */
    while (good && take_part(&text, boundary, &part)) {
        if (++count > PARTS_MAX)
            return emu_refuse(why, 400, "badRequest", "At most %d calls in a batch.", PARTS_MAX);
        if (!run_part(cloud, req, part, inner, &out))
            reply->drop = true;
    }
    if (count == 0)
        return emu_refuse(why, 400, "badRequest", "The batch has no part that is whole.");
    vmcp_buf_adds(&out, "--" ANSWER_BOUNDARY "--\r\n");
    if (vmcp_buf_check(&out, "a batch's answer", NULL) < 0)
        return emu_refuse(why, 500, "backendError", "The answer of the batch is too large.");
    size_t len = 0;
    char *body = vmcp_buf_steal(&out, &len);
    http_reply_take(reply, 200, "multipart/mixed; boundary=" ANSWER_BOUNDARY, body, len);
    return 0;
}

void emu_api_batch(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_refusal why = {0};
    if (run(app, req, reply, &why) < 0)
        emu_refusal_reply(&why, reply);
}
