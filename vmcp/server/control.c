/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/file.h"
#include "lib/json.h"

enum { CLIENT_TIMEOUT_S = 2 };
static const char request[] = "reload\n";

int srv_control_path(const char *path, char **ret, struct vmcp_error *err)
{
    const char *runtime = getenv("RUNTIME_DIRECTORY");
    *ret = NULL;
    if (!path && (!runtime || runtime[0] != '/'))
        return 0;
    if (!path)
        return vmcp_file_path(runtime, "control", ret, err);
    *ret = strdup(path);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
}

static int set_address(const char *path, struct sockaddr_un *ret, struct vmcp_error *err)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof(ret->sun_path))
        return vmcp_fail_at(err, VMCP_E_USAGE, path, "a socket's path has at most %zu bytes",
                            sizeof(ret->sun_path) - 1);
    memcpy(ret->sun_path, path, strlen(path) + 1);
    return 0;
}

int srv_control_listen(const char *path, struct http_listener *ret, struct vmcp_error *err)
{
    auto_free char *place = NULL;
    if (asprintf(&place, "unix:%s", path) < 0) {
        place = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    return http_listener_open(place, 0600, ret, err);
}

static bool may_ask(int fd)
{
    struct ucred peer;
    socklen_t len = sizeof(peer);
    return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &len) == 0 &&
           (peer.uid == 0 || peer.uid == geteuid());
}

static void set_timeout(int fd, int seconds)
{
    const struct timeval t = {.tv_sec = seconds};
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t));
    (void)setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof(t));
}

void srv_control_accept(int listen_fd, int *ret_fd)
{
    char line[sizeof(request)] = "";
    auto_close int fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
    *ret_fd = -1;
    if (fd < 0 || !may_ask(fd))
        return;
    set_timeout(fd, CLIENT_TIMEOUT_S);
    ssize_t n = recv(fd, line, sizeof(request) - 1, MSG_WAITALL);
    if (n == (ssize_t)sizeof(request) - 1 && strcmp(line, request) == 0)
        *ret_fd = steal_fd(&fd);
}

/* Milliseconds of a clock that nobody sets. */
static int64_t now_ms(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* Wait until `fd` can do `events`. False once `deadline` is over: it counts for the whole of what
 * is sent or read, so that one who takes or gives a byte now and then is not waited for. */
static bool wait_until(int fd, short events, int64_t deadline)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int64_t left = deadline - now_ms();
        int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
        if (ready > 0)
            return true;
        if (ready == 0 || errno != EINTR)
            return false;
    }
}

static void send_all(int fd, const char *data, size_t len, int64_t deadline)
{
    while (len > 0 && wait_until(fd, POLLOUT, deadline)) {
        ssize_t n = send(fd, data, len, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n <= 0)
            return;
        data += n;
        len -= (size_t)n;
    }
}

void srv_control_answer(int fd, const struct srv_control_outcome *outcome, const json_t *findings)
{
    auto_close int owned = fd;
    json_auto_t *answer = json_pack(
        "{s:s, s:s, s:s, s:b, s:I, s:I, s:I, s:O}", "code", vmcp_code_name(outcome->err.code),
        "where", outcome->err.where, "detail", outcome->err.text, "loaded", outcome->loaded,
        "generation", (json_int_t)outcome->generation, "machines", (json_int_t)outcome->machines,
        "jobs", (json_int_t)outcome->jobs, "findings", findings);
    auto_free char *text = answer ? json_dumps(answer, JSON_COMPACT) : NULL;
    if (text)
        send_all(owned, text, strlen(text), now_ms() + CLIENT_TIMEOUT_S * 1000);
}

/* Read until the server closes, or the time is over. */
static int read_answer(int fd, int timeout_s, int64_t deadline, struct vmcp_buf *b,
                       struct vmcp_error *err)
{
    char chunk[8192];
    for (;;) {
        if (!wait_until(fd, POLLIN, deadline))
            return vmcp_fail(err, VMCP_E_TIMEOUT,
                             "no outcome after %d s; look into the server's log", timeout_s);
        ssize_t n = recv(fd, chunk, sizeof(chunk), 0);
        if (n < 0)
            return vmcp_fail(err, VMCP_E_NETWORK, "the server went away: %s", strerror(errno));
        if (n == 0)
            return vmcp_buf_check(b, "the outcome", err);
        vmcp_buf_add(b, chunk, (size_t)n);
    }
}

int srv_control_ask(const char *path, int timeout_s, json_t **ret, struct vmcp_error *err)
{
    struct sockaddr_un address;
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    auto_buf struct vmcp_buf b = VMCP_BUF(SRV_CONTROL_ANSWER_MAX);
    int64_t deadline = now_ms() + (int64_t)timeout_s * 1000;
    int rc = set_address(path, &address, err);
    if (rc < 0)
        return rc;
    bool connected = fd >= 0 && connect(fd, (struct sockaddr *)&address, sizeof(address)) == 0;
    if (!connected && errno == EACCES)
        return vmcp_fail_at(err, VMCP_E_NETWORK, path,
                            "only the server's own user and root may ask for a reload");
    if (!connected)
        return vmcp_fail_at(err, VMCP_E_NETWORK, path,
                            "no server answers here: %s; its --control PATH is to be given here "
                            "too",
                            strerror(errno));
    send_all(fd, request, sizeof(request) - 1, deadline);
    rc = read_answer(fd, timeout_s, deadline, &b, err);
    if (rc == 0 && vmcp_json_parse_object(b.data ? b.data : "", b.len, ret, NULL) < 0)
        rc = vmcp_fail(err, VMCP_E_NETWORK,
                       "the server gave no outcome; are you its user, or root?");
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}
