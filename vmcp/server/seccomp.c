/* SPDX-License-Identifier: Apache-2.0 */
#include "seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/auto.h"

/* By name: which of them an architecture has differs. */
static const char *const allowed[] = {
    /* descriptors */
    "read",
    "readv",
    "pread64",
    "write",
    "writev",
    "pwrite64",
    "close",
    "lseek",
    "flock",
    "fsync",
    "fdatasync",
    /* files: which ones is Landlock's matter, and that of their modes */
    "openat",
    "fstat",
    "newfstatat",
    "statx",
    "stat",
    "lstat",
    "fstatfs",
    "access",
    "faccessat",
    "faccessat2",
    "readlink",
    "readlinkat",
    "getdents64",
    "getcwd",
    "unlink",
    "unlinkat",
    /* waiting */
    "poll",
    "ppoll",
    "select",
    "pselect6",
    "epoll_create1",
    "epoll_ctl",
    "epoll_wait",
    "epoll_pwait",
    "epoll_pwait2",
    "eventfd2",
    "pipe2",
    "signalfd4",
    "timerfd_create",
    "timerfd_settime",
    "inotify_init1",
    "inotify_add_watch",
    "inotify_rm_watch",
    "nanosleep",
    "clock_nanosleep",
    "restart_syscall",
    /* connections that others made: neither socket() nor connect() nor bind() nor listen() */
    "accept",
    "accept4",
    "recvfrom",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    /* memory and threads */
    "brk",
    "munmap",
    "mremap",
    "madvise",
    "futex",
    "set_robust_list",
    "rseq",
    "membarrier",
    "sched_yield",
    "setpriority",
    "sched_getaffinity",
    "sched_setaffinity",
    "getcpu",
    "gettid",
    "getpid",
    "exit",
    "exit_group",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sigaltstack",
    /* what there is and who we are */
    "clock_gettime",
    "clock_getres",
    "gettimeofday",
    "time",
    "getrandom",
    "uname",
    "sysinfo",
    "getrusage",
    "times",
    "getuid",
    "geteuid",
    "getgid",
    "getegid",
    "getppid",
};

static const char *const fatal[] = {
    "execve",
    "execveat",
    "ptrace",
    "process_vm_readv",
    "process_vm_writev",
    "kexec_load",
    "kexec_file_load",
    "init_module",
    "finit_module",
    "bpf",
    "userfaultfd",
    "mount",
    "pivot_root",
    "setns",
    "unshare",
    "add_key",
    "request_key",
    "keyctl",
    "perf_event_open",
};

/* A call that is allowed where its arguments are so. Most arguments are ints: the upper half of
 * their registers is nobody's. */
struct condition {
    const char *call;
    unsigned count;
    struct scmp_arg_cmp arguments[2];
};

#define BITS(index, mask, value)                                                        \
    {                                                                                   \
        .arg = (index), .op = SCMP_CMP_MASKED_EQ, .datum_a = (mask), .datum_b = (value) \
    }
#define IS(index, value)  BITS(index, UINT32_MAX, value)
#define NO_ADDRESS(index) BITS(index, UINT64_MAX, 0)

static const struct condition conditions[] = {
    {"clone", 1, {BITS(0, CLONE_THREAD, CLONE_THREAD)}}, /* threads, no processes */
    {"mmap", 1, {BITS(2, PROT_EXEC, 0)}},                /* no new code: nothing is loaded now */
    {"mprotect", 1, {BITS(2, PROT_EXEC, 0)}},
    {"prctl", 1, {IS(0, PR_SET_NAME)}},
    {"prlimit64", 1, {IS(0, 0)}},
    {"ioctl", 1, {IS(1, TCGETS)}}, /* stdio, of a terminal */
    {"ioctl", 1, {IS(1, FIONBIO)}},
    {"ioctl", 1, {IS(1, FIONREAD)}},
    {"fcntl", 1, {IS(1, F_GETFD)}}, /* no second number for a descriptor, no lock, no owner */
    {"fcntl", 1, {IS(1, F_SETFD)}},
    {"fcntl", 1, {IS(1, F_GETFL)}},
    {"fcntl", 1, {IS(1, F_SETFL)}},
    {"setsockopt", 2, {IS(1, IPPROTO_TCP), IS(2, TCP_NODELAY)}},
    {"setsockopt", 2, {IS(1, IPPROTO_TCP), IS(2, TCP_CORK)}},
    {"setsockopt", 2, {IS(1, SOL_SOCKET), IS(2, SO_RCVTIMEO)}},
    {"setsockopt", 2, {IS(1, SOL_SOCKET), IS(2, SO_SNDTIMEO)}},
    {"sendto", 1, {NO_ADDRESS(4)}}, /* to the other side of a connection only */
};

static int add(scmp_filter_ctx filter, uint32_t action, const char *call,
               const struct condition *condition)
{
    int number = seccomp_syscall_resolve_name(call), rc;
    if (number < 0)
        return 0; /* not on this architecture, or too new for this libseccomp */
    if (condition)
        rc = seccomp_rule_add_array(filter, action, number, condition->count, condition->arguments);
    else
        rc = seccomp_rule_add(filter, action, number, 0);
    return rc == -EDOM ? 0 : rc;
}

/* What depends on this process. sendmsg() could name another receiver, and where that stands no
 * filter can see: not on the one socket without a connection, and that has no second number. */
static int fill_own(scmp_filter_ctx filter, int datagrams)
{
    const struct condition self = {"tgkill", 1, {IS(0, (uint64_t)getpid())}}; /* abort() */
    const struct scmp_arg_cmp another = {
        .arg = 0, .op = SCMP_CMP_NE, .datum_a = (uint64_t)(unsigned)datagrams};
    const struct condition send = {"sendmsg", datagrams >= 0, {another}};
    const struct condition replace = {"dup3", datagrams >= 0, {another}}; /* a log, by a new one */
    int rc = add(filter, SCMP_ACT_ALLOW, self.call, &self);
    if (rc == 0)
        rc = add(filter, SCMP_ACT_ALLOW, send.call, &send);
    return rc < 0 ? rc : add(filter, SCMP_ACT_ALLOW, replace.call, &replace);
}

static int fill(scmp_filter_ctx filter, int datagrams)
{
    int rc = fill_own(filter, datagrams);
    for (size_t i = 0; rc == 0 && i < sizeof(allowed) / sizeof(*allowed); i++)
        rc = add(filter, SCMP_ACT_ALLOW, allowed[i], NULL);
    for (size_t i = 0; rc == 0 && i < sizeof(conditions) / sizeof(*conditions); i++)
        rc = add(filter, SCMP_ACT_ALLOW, conditions[i].call, &conditions[i]);
    for (size_t i = 0; rc == 0 && i < sizeof(fatal) / sizeof(*fatal); i++)
        rc = add(filter, SCMP_ACT_KILL_PROCESS, fatal[i], NULL);
    return rc;
}

VMCP_DEFINE_AUTO(filter_auto, scmp_filter_ctx, seccomp_release)
#define auto_filter VMCP_AUTO(filter_auto)

int srv_seccomp_enter(int datagrams, struct vmcp_error *err)
{
    auto_filter scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the seccomp filter");
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
    /* Kernels before 5.16 would slow all code down against speculation by code from others in this
     * process, of which there is none. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    int rc = fill(filter, datagrams);
    if (rc == 0)
        rc = seccomp_load(filter);
    if (rc < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "the seccomp filter does not take effect: %s; --sandbox off does without",
                         strerror(-rc));
    return 0;
}
