/* SPDX-License-Identifier: Apache-2.0 */
#include "signals.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

static void block(const int *numbers, size_t count, sigset_t *ret)
{
    sigemptyset(ret);
    for (size_t i = 0; i < count; i++)
        sigaddset(ret, numbers[i]);
    sigprocmask(SIG_BLOCK, ret, NULL);
}

void srv_signals_hold(void)
{
    static const int held[] = {SIGHUP, SIGUSR1, SIGUSR2};
    static const int ignored[] = {
        SIGPIPE, SIGALRM, SIGVTALRM,
        SIGPROF, SIGIO,   SIGXFSZ /* a log that may not grow is a write that fails */};
    sigset_t set;
    for (size_t i = 0; i < sizeof(ignored) / sizeof(*ignored); i++)
        signal(ignored[i], SIG_IGN);
    block(held, sizeof(held) / sizeof(*held), &set);
}

int srv_signals_open(int *ret_fd, struct vmcp_error *err)
{
    static const int awaited[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1, SIGUSR2};
    sigset_t set;
    block(awaited, sizeof(awaited) / sizeof(*awaited), &set);
    *ret_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    return *ret_fd < 0 ? vmcp_fail(err, VMCP_E_INTERNAL, "signalfd: %s", strerror(errno)) : 0;
}

int srv_signals_next(int fd)
{
    struct signalfd_siginfo info;
    return read(fd, &info, sizeof(info)) == sizeof(info) ? (int)info.ssi_signo : 0;
}
