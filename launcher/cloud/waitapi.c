/* SPDX-License-Identifier: Apache-2.0 */
#include "waitapi.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "clock.h"
#include "lib/auto.h"

enum { TRY_MS = 3000, PAUSE_MS = 500, TELL_S = 15 };

static bool make_address(const char *ip, int port, struct sockaddr_storage *ret, socklen_t *ret_len)
{
    struct sockaddr_in four = {.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    struct sockaddr_in6 six = {.sin6_family = AF_INET6, .sin6_port = htons((uint16_t)port)};
    if (inet_pton(AF_INET, ip, &four.sin_addr) == 1) {
        memcpy(ret, &four, *ret_len = sizeof(four));
        return true;
    }
    if (inet_pton(AF_INET6, ip, &six.sin6_addr) == 1) {
        memcpy(ret, &six, *ret_len = sizeof(six));
        return true;
    }
    return false;
}

/* 0, or the errno of the failure. */
static int try_once(const struct sockaddr_storage *address, socklen_t len)
{
    auto_close int fd = socket(address->ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return errno;
    if (connect(fd, (const struct sockaddr *)address, len) == 0)
        return 0;
    if (errno != EINPROGRESS)
        return errno;
    struct pollfd p = {.fd = fd, .events = POLLOUT};
    int ready = poll(&p, 1, TRY_MS);
    if (ready <= 0)
        return ready == 0 ? ETIMEDOUT : errno;
    int error = 0;
    socklen_t size = sizeof(error);
    return getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &size) < 0 ? errno : error;
}

int launch_wait_port(const struct launch_report *report, const char *ip, int port, int timeout,
                     struct vmcp_error *err)
{
    struct sockaddr_storage address = {0};
    socklen_t len = 0;
    if (!make_address(ip, port, &address, &len))
        return vmcp_fail(err, VMCP_E_API, "the VM has no such address to wait at");
    int64_t start = launch_uptime();
    launch_progress(report, "waiting for %s port %d", ip, port);
    for (int64_t told = 0;;) {
        int why = try_once(&address, len);
        if (why == 0)
            return 0;
        int64_t passed = launch_uptime() - start;
        if (passed >= timeout)
            return vmcp_fail(err, VMCP_E_TIMEOUT, "%s port %d does not answer after %d s: %s", ip,
                             port, timeout, strerror(why));
        if (passed - told >= TELL_S) {
            told = passed;
            launch_say(report, "still waiting for %s port %d: %s", ip, port, strerror(why));
        }
        launch_sleep_ms(PAUSE_MS);
    }
}
