/* SPDX-License-Identifier: Apache-2.0 */
#include "seccomp.h"

#include <errno.h>
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
    "fcntl",
    "flock",
    "dup",
    "dup2",
    "dup3",
    "sendfile",
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
    /* connections that others made: neither connect() nor bind() nor listen() */
    "accept",
    "accept4",
    "recvfrom",
    "recvmsg",
    "sendto",
    "sendmsg",
    "shutdown",
    "getsockname",
    "getpeername",
    "getsockopt",
    "setsockopt",
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

/* Allowed where argument number `index`, of which only the bits of `mask` count, is `value`. Most
 * arguments are ints: the upper half of their registers is nobody's. */
struct condition {
    const char *call;
    unsigned index;
    uint64_t mask, value;
};

static const struct condition conditions[] = {
    {"clone", 0, CLONE_THREAD, CLONE_THREAD}, /* threads, no processes */
    {"mmap", 2, PROT_EXEC, 0},                /* no new code: nothing is loaded now */
    {"mprotect", 2, PROT_EXEC, 0},
    {"socket", 0, UINT32_MAX, AF_UNIX}, /* sd_notify(3) */
    {"prctl", 0, UINT32_MAX, PR_SET_NAME},
    {"prlimit64", 0, UINT32_MAX, 0},
    {"ioctl", 1, UINT32_MAX, TCGETS}, /* stdio, of a terminal */
    {"ioctl", 1, UINT32_MAX, FIONBIO},
    {"ioctl", 1, UINT32_MAX, FIONREAD},
};

static int add(scmp_filter_ctx filter, uint32_t action, const char *call,
               const struct condition *condition)
{
    int number = seccomp_syscall_resolve_name(call), rc;
    if (number < 0)
        return 0; /* not on this architecture, or too new for this libseccomp */
    if (condition) {
        const struct scmp_arg_cmp argument = {.arg = condition->index,
                                              .op = SCMP_CMP_MASKED_EQ,
                                              .datum_a = condition->mask,
                                              .datum_b = condition->value};
        rc = seccomp_rule_add_array(filter, action, number, 1, &argument);
    } else {
        rc = seccomp_rule_add(filter, action, number, 0);
    }
    return rc == -EDOM ? 0 : rc;
}

static int fill(scmp_filter_ctx filter)
{
    /* abort(): a signal to oneself. */
    const struct condition self = {"tgkill", 0, UINT32_MAX, (uint64_t)getpid()};
    int rc = add(filter, SCMP_ACT_ALLOW, self.call, &self);
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

int srv_seccomp_enter(struct vmcp_error *err)
{
    auto_filter scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(ENOSYS));
    if (!filter)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the seccomp filter");
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_TSYNC, 1);
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, 2); /* a tree instead of a list */
    /* Kernels before 5.16 would slow all code down against speculation by code from others in this
     * process, of which there is none. */
    (void)seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);
    int rc = fill(filter);
    if (rc == 0)
        rc = seccomp_load(filter);
    if (rc < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "the seccomp filter does not take effect: %s; --sandbox off does without",
                         strerror(-rc));
    return 0;
}
