/* SPDX-License-Identifier: Apache-2.0 */
#include "stale.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"

/* 0: somebody accepts connections there; else why not. Does not wait: a full queue has an owner. */
static int ask(const struct sockaddr_un *address)
{
    auto_close int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)address, sizeof(*address)) < 0)
        return errno;
    return 0;
}

int http_stale_remove(const struct sockaddr_un *address, const char *place, struct vmcp_error *err)
{
    struct stat before, after;
    if (lstat(address->sun_path, &before) < 0)
        return 0; /* nothing there, or bind() says what is wrong */
    if (!S_ISSOCK(before.st_mode))
        return vmcp_fail_at(err, VMCP_E_NETWORK, place,
                            "something that is no socket lies there already");
    int why = ask(address);
    if (why == 0 || why == EAGAIN)
        return vmcp_fail_at(err, VMCP_E_NETWORK, place,
                            "another server answers there; stop it, or take another path");
    if (why != ECONNREFUSED)
        return vmcp_fail_at(err, VMCP_E_NETWORK, place,
                            "a socket lies there already, and whose it is cannot be told: %s",
                            strerror(why));
    if (before.st_uid != geteuid())
        return vmcp_fail_at(err, VMCP_E_NETWORK, place,
                            "a socket that user %u left lies there, and this is user %u; remove it",
                            (unsigned)before.st_uid, (unsigned)geteuid());
    if (lstat(address->sun_path, &after) < 0 || after.st_dev != before.st_dev ||
        after.st_ino != before.st_ino)
        return vmcp_fail_at(err, VMCP_E_NETWORK, place,
                            "another server has just begun there; take another path");
    if (unlink(address->sun_path) < 0)
        return vmcp_fail_at(err, VMCP_E_NETWORK, place, "a stale socket cannot be removed: %s",
                            strerror(errno));
    return 0;
}
