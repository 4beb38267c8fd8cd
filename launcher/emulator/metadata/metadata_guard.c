/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_guard.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud.h"
#include "metadata_guest.h"
#include "page.h"

/* Debian's guest agent asks for `/computeMetadata/v1//`: slashes that repeat count as one. */
char *emu_metadata_path(const char *path, bool *ret_slash)
{
    char *out = malloc(strlen(path) + 1);
    size_t n = 0;
    if (!out)
        return NULL;
    for (; *path; path++)
        if (*path != '/' || (n > 0 && out[n - 1] != '/'))
            out[n++] = *path;
    *ret_slash = n == 0 || out[n - 1] == '/';
    if (n > 0 && out[n - 1] == '/')
        n--;
    out[n] = '\0';
    return out;
}

static bool is_ours(const struct emu_cloud *cloud, const char *host)
{
    bool ours = emu_hosts_metadata("", host);
    for (size_t i = 0; !ours && i < cloud->metadata_host_count; i++)
        ours = emu_hosts_metadata(cloud->metadata_hosts[i], host);
    return ours;
}

/* Why the request may not come in, or NULL. The root is open: it is how clients look for a metadata
 * server. */
static const char *refuse(const struct emu_cloud *cloud, const struct http_request *req)
{
    const char *host = http_request_host(req);
    const char *flavor = http_request_header(req, "Metadata-Flavor");
    const char *legacy = http_request_header(req, "X-Google-Metadata-Request");
    if (http_request_header(req, "Origin"))
        return "Requests with an Origin header, which browsers send, are not answered.";
    if (host && !is_ours(cloud, host))
        return "The Host header is not the metadata server's: metadata.google.internal is, and "
               "what "
               "--metadata-host names.";
    if (strcmp(req->path, "/") == 0)
        return NULL;
    if (http_request_header(req, "X-Forwarded-For"))
        return "Requests with an X-Forwarded-For header, which proxies send, are not answered.";
    if (!(flavor && strcmp(flavor, "Google") == 0) && !(legacy && strcasecmp(legacy, "True") == 0))
        return "Missing required header \"Metadata-Flavor\": \"Google\"";
    return NULL;
}

/* GET and HEAD everywhere; a guest's attributes are written too. */
static bool takes_method(const struct http_request *req, const char **ret_allow)
{
    static const char v1[] = "computeMetadata/v1/";
    bool slash = false;
    if (strcmp(req->method, "GET") == 0 || strcmp(req->method, "HEAD") == 0)
        return true;
    auto_free char *path = emu_metadata_path(req->path, &slash);
    bool guest = path && strncmp(path, v1, sizeof(v1) - 1) == 0 &&
                 emu_metadata_is_guest(path + sizeof(v1) - 1);
    *ret_allow = guest ? "GET, HEAD, PUT, DELETE" : "GET, HEAD";
    return guest && (strcmp(req->method, "PUT") == 0 || strcmp(req->method, "DELETE") == 0);
}

bool emu_metadata_guard(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_cloud *cloud = app;
    const char *allow = NULL;
    if (!atomic_load(&cloud->ready)) {
        emu_page_reply(reply, 503, "The emulator is starting.");
        return true;
    }
    if (emu_hosts_twice(req)) {
        emu_page_reply(reply, 400, "A request has one Host header.");
        http_reply_header(reply, "Connection", "close");
        return true;
    }
    const char *why = refuse(cloud, req);
    if (why) {
        emu_page_reply(reply, 403, why);
        http_reply_header(reply, "Connection", "close");
        return true;
    }
    if (takes_method(req, &allow))
        return false;
    emu_page_reply(reply, 405, "This path does not take this method.");
    http_reply_header(reply, "Allow", allow);
    return true;
}
