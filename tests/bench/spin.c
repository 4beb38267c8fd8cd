/* SPDX-License-Identifier: Apache-2.0 */
/* spin - for LD_PRELOAD: a load generator that never sleeps.
 *
 * A client that waits in epoll_wait() has to be woken by each answer, and on a virtual machine the
 * interrupt that does so costs the server's thread some microseconds: idleness of the load
 * generator, charged to the server, and the more the slower the server answers. Here it asks again
 * and again instead, so that what is measured is the server.
 */
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <unistd.h>

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
    long n = 0;
    for (int i = 0; n == 0 && (timeout < 0 || i < 1000 * timeout + 1); i++)
        n = syscall(SYS_epoll_pwait, fd, events, max, 0, NULL, 8);
    return (int)n;
}
