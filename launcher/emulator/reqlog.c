/* SPDX-License-Identifier: Apache-2.0 */
#include "reqlog.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "lib/auto.h"

struct emu_reqlog {
    int fd;
    bool owned;
};

int emu_reqlog_open(const char *path, struct emu_reqlog **ret, struct vmcp_error *err)
{
    bool standard = strcmp(path, "-") == 0;
    auto_close int fd = standard ? -1 : open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    if (!standard && fd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "the request log cannot be opened: %s",
                            strerror(errno));
    struct emu_reqlog *log = calloc(1, sizeof(*log));
    if (!log)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the request log");
    *log = (struct emu_reqlog){.fd = standard ? STDOUT_FILENO : fd, .owned = !standard};
    fd = -1;
    *ret = log;
    return 0;
}

void emu_reqlog_free(struct emu_reqlog *log)
{
    if (log && log->owned)
        close(log->fd);
    free(log);
}

/* The note is "ACCOUNT OPERATION", either may be empty. */
void emu_reqlog_note(struct http_reply *reply, const char *account, const char *operation)
{
    char before[sizeof(reply->note)];
    memcpy(before, reply->note, sizeof(before));
    char *space = strchr(before, ' ');
    if (space)
        *space = '\0';
    const char *old_operation = space ? space + 1 : "";
    char line[2 * sizeof(before) + 1];
    snprintf(line, sizeof(line), "%s %s", account ? account : before,
             operation ? operation : old_operation);
    line[sizeof(reply->note) - 1] = '\0'; /* one that is too long is cut: it is for people */
    memcpy(reply->note, line, sizeof(reply->note));
}

static json_t *account_of(const struct http_reply *reply)
{
    size_t len = strcspn(reply->note, " ");
    return len ? json_stringn(reply->note, len) : NULL;
}

static json_t *operation_of(const struct http_reply *reply)
{
    const char *space = strchr(reply->note, ' ');
    return space && space[1] ? json_string(space + 1) : NULL;
}

static json_t *peer_of(const struct sockaddr_storage *peer)
{
    char text[INET6_ADDRSTRLEN] = "";
    if (peer->ss_family == AF_INET)
        inet_ntop(AF_INET, &((const struct sockaddr_in *)peer)->sin_addr, text, sizeof(text));
    else if (peer->ss_family == AF_INET6)
        inet_ntop(AF_INET6, &((const struct sockaddr_in6 *)peer)->sin6_addr, text, sizeof(text));
    return json_string(text);
}

/* A path that is not UTF-8 is written with its escapes, as it was sent, without its query. */
static json_t *path_of(const struct http_request *req)
{
    json_t *path = req->path ? json_string(req->path) : NULL;
    if (path || !req->target)
        return path;
    return json_stringn(req->target, strcspn(req->target, "?"));
}

void emu_reqlog_add(struct emu_cloud *cloud, const char *listener, const struct http_request *req,
                    const struct http_reply *reply, int64_t micros)
{
    if (!cloud->log)
        return;
    const struct emu_view *view = emu_views_get(cloud->views, &req->peer);
    const char *vm = view && view->name[0] ? view->name : NULL;
    char now[EMU_TIME_LEN + 1];
    emu_clock_text(emu_clock_ms(), now);
    json_auto_t *line = json_pack(
        "{s:s, s:s, s:s*, s:o*, s:s, s:o*, s:i, s:o*, s:o*, s:I}", "time", now, "listener",
        listener, "vm", vm, "peer", vm ? NULL : peer_of(&req->peer), "method", req->method, "path",
        path_of(req), "status", reply->status, "account", account_of(reply), "operation",
        operation_of(reply), "micros", (json_int_t)micros);
    if (view)
        emu_view_release(cloud->views, view);
    auto_free char *text = line ? json_dumps(line, JSON_COMPACT) : NULL;
    char *whole = NULL;
    int len = text ? asprintf(&whole, "%s\n", text) : -1;
    if (len > 0) {
        /* One write for each line: lines of several threads do not mix. A log that cannot be
         * written does not stop the emulator. */
        ssize_t written = write(cloud->log->fd, whole, (size_t)len);
        (void)written;
        free(whole);
    }
}
