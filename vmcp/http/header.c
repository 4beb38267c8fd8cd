/* SPDX-License-Identifier: Apache-2.0 */
/* What a request's headers say where there may be more than one of a name, or another place that
 * says it better: http_request_header_list() and http_request_host() of server.h. */
#include <microhttpd.h>
#include <strings.h>

#include "server.h"

struct header_list {
    const char *name;
    struct vmcp_buf text;
};

static enum MHD_Result add_line(void *arg, enum MHD_ValueKind kind, const char *key,
                                const char *value)
{
    struct header_list *list = arg;
    (void)kind;
    if (strcasecmp(key, list->name) == 0)
        vmcp_buf_addf(&list->text, "%s%s", list->text.len ? "," : "", value ? value : "");
    return MHD_YES;
}

char *http_request_header_list(const struct http_request *req, const char *name)
{
    struct header_list list = {.name = name, .text = VMCP_BUF(HTTP_HEADER_MAX)};
    MHD_get_connection_values(req->connection, MHD_HEADER_KIND, add_line, &list);
    auto_buf struct vmcp_buf text = list.text;
    return text.failed || !text.data ? NULL : vmcp_buf_steal(&text, NULL);
}

const char *http_request_host(const struct http_request *req)
{
    return req->host ? req->host : http_request_header(req, MHD_HTTP_HEADER_HOST);
}
