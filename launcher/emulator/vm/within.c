/* SPDX-License-Identifier: Apache-2.0 */
#include "within.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "inside.h"
#include "lib/auto.h"
#include "link_local.h"
#include "relay.h"

enum { PLACES = 3, CANNOT_RUN = 127 };

/* What the child says when its network is there, or why it is not. */
struct word {
    int good;
    char why[200];
};

static int become_command(const struct emu_within *within, struct vmcp_error *err)
{
    execvp(within->argv[0], within->argv);
    return vmcp_fail_at(err, VMCP_E_FILE, within->argv[0], "cannot be run: %m");
}

/* With the descriptors (unix(7), SCM_RIGHTS) where it is good. */
static bool send_word(int to, const struct word *word, const int fds[static PLACES])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PLACES * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)word, .iov_len = sizeof(*word)};
    struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
    if (word->good) {
        msg.msg_control = control.bytes;
        msg.msg_controllen = sizeof(control.bytes);
        struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(PLACES * sizeof(int));
        memcpy(CMSG_DATA(c), fds, PLACES * sizeof(int));
    }
    return sendmsg(to, &msg, MSG_NOSIGNAL) == (ssize_t)sizeof(*word);
}

static bool receive_word(int from, struct word *ret, int fds[static PLACES])
{
    union {
        struct cmsghdr align;
        char bytes[CMSG_SPACE(PLACES * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = ret, .iov_len = sizeof(*ret)};
    struct msghdr msg = {.msg_iov = &iov,
                         .msg_iovlen = 1,
                         .msg_control = control.bytes,
                         .msg_controllen = sizeof(control.bytes)};
    if (TEMP_FAILURE_RETRY(recvmsg(from, &msg, MSG_CMSG_CLOEXEC)) != (ssize_t)sizeof(*ret))
        return false;
    const struct cmsghdr *c = CMSG_FIRSTHDR(&msg);
    if (!ret->good)
        return true;
    if (!c || c->cmsg_type != SCM_RIGHTS || c->cmsg_len != CMSG_LEN(PLACES * sizeof(int)))
        return false;
    memcpy(fds, CMSG_DATA(c), PLACES * sizeof(int));
    return true;
}

static int prepare(const struct emu_within *within, int fds[static PLACES], struct vmcp_error *err)
{
    int rc = emu_inside_enter(err);
    if (rc == 0)
        rc = emu_inside_listen(EMU_LINK_LOCAL ":80", 0, &fds[0], err);
    if (rc == 0)
        rc = emu_inside_listen(within->metadata, 1, &fds[1], err);
    return rc < 0 ? rc : emu_inside_listen(within->api, 2, &fds[2], err);
}

static void __attribute__((noreturn))
live_inside(const struct emu_within *within, int parent, const sigset_t *mask)
{
    struct vmcp_error err = {0};
    struct word word = {0};
    int fds[PLACES] = {-1, -1, -1};
    char go = 0;
    word.good = prepare(within, fds, &err) == 0;
    snprintf(word.why, sizeof(word.why), "%.199s", err.text);
    if (!send_word(parent, &word, fds) || !word.good || read(parent, &go, 1) != 1)
        _exit(0);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* without its relay it would have no network */
    sigprocmask(SIG_SETMASK, mask, NULL);
    int rc = become_command(within, &err);
    fprintf(stderr, "gce-emulator: %s: %s\n", err.where, err.text);
    (void)rc;
    _exit(CANNOT_RUN);
}

/* Signals that a person sends to us are the command's; those that a terminal sends it has already.
 */
static int wait_for(pid_t child, const sigset_t *signals)
{
    for (;;) {
        siginfo_t info = {0};
        int status = 0;
        int sig = sigwaitinfo(signals, &info);
        if (sig > 0 && sig != SIGCHLD && info.si_code <= 0)
            kill(child, sig);
        if (waitpid(child, &status, WNOHANG) == child)
            return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
    }
}

static int carry(const struct emu_within *within, const int fds[static PLACES],
                 struct vmcp_error *err)
{
    const struct emu_relay relays[PLACES] = {
        {fds[0], within->metadata}, {fds[1], within->metadata}, {fds[2], within->api}};
    if (!emu_relay_reaches(within->metadata)) /* it may come while the command runs */
        fprintf(stderr,
                "gce-emulator: nobody listens on %s: `gce-emulator` or `gce-emulator metadata` "
                "serves there, --metadata names another place\n",
                within->metadata);
    return emu_relay_start(relays, PLACES, err);
}

/* *ret_pid is the command's; 0 where no namespace can be had, which `word` explains. */
static int start_inside(const struct emu_within *within, const sigset_t *mask, pid_t *ret_pid,
                        struct word *word, struct vmcp_error *err)
{
    int ends[2], fds[PLACES];
    *ret_pid = 0;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pair of sockets: %m");
    auto_close int ours = ends[0];
    pid_t pid = fork();
    if (pid == 0) {
        close(ours);
        live_inside(within, ends[1], mask);
    }
    close(ends[1]);
    if (pid < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a process: %m");
    if (!receive_word(ours, word, fds) || !word->good) {
        waitpid(pid, NULL, 0);
        return 0;
    }
    int rc = carry(within, fds, err);
    if (rc < 0 || send(ours, "", 1, MSG_NOSIGNAL) != 1) {
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return rc;
    }
    *ret_pid = pid;
    return 0;
}

int emu_within_run(const struct emu_within *within, int *ret_code, struct vmcp_error *err)
{
    static const int passed_on[] = {SIGTERM, SIGHUP, SIGINT, SIGQUIT, SIGUSR1, SIGUSR2, SIGCHLD};
    sigset_t signals, before;
    struct word word = {0};
    pid_t pid = 0;
    if (within->here)
        return become_command(within, err);
    sigemptyset(&signals);
    for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
        sigaddset(&signals, passed_on[i]);
    sigprocmask(SIG_BLOCK, &signals, &before);
    int rc = start_inside(within, &before, &pid, &word, err);
    if (rc < 0)
        return rc;
    if (pid) {
        *ret_code = wait_for(pid, &signals);
        return 0;
    }
    fprintf(stderr,
            "gce-emulator: no network of its own for the command (%s); only the variables are "
            "set\n",
            word.why[0] ? word.why : "it could not be made");
    sigprocmask(SIG_SETMASK, &before, NULL);
    return become_command(within, err);
}
