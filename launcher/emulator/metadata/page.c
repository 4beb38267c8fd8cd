/* SPDX-License-Identifier: Apache-2.0 */
#include "page.h"

#include "lib/auto.h"

enum { PAGE_MAX = 4096 };

static const char *title(int status)
{
    switch (status) {
    case 400:
        return "Bad Request";
    case 403:
        return "Forbidden";
    case 404:
        return "Not Found";
    case 405:
        return "Method Not Allowed";
    case 429:
        return "Too Many Requests";
    case 413:
        return "Request Entity Too Large";
    case 503:
        return "Service Unavailable";
    default:
        return "Internal Server Error";
    }
}

static void add_escaped(struct vmcp_buf *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '<')
            vmcp_buf_adds(out, "&lt;");
        else if (*text == '&')
            vmcp_buf_adds(out, "&amp;");
        else
            vmcp_buf_addc(out, *text);
    }
}

void emu_page_reply(struct http_reply *reply, int status, const char *sentence)
{
    auto_buf struct vmcp_buf page = VMCP_BUF(PAGE_MAX);
    vmcp_buf_addf(&page,
                  "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\">"
                  "<title>Error %d (%s)!!1</title></head>\n<body>\n<p><b>%d.</b> ",
                  status, title(status), status);
    add_escaped(&page, sentence);
    vmcp_buf_adds(&page, "</p>\n</body>\n</html>\n");
    if (vmcp_buf_check(&page, "an error page", NULL) < 0) {
        http_reply_text(reply, status, "text/html; charset=UTF-8", "");
        return;
    }
    size_t len = 0;
    char *text = vmcp_buf_steal(&page, &len);
    http_reply_take(reply, status, "text/html; charset=UTF-8", text, len);
}
