/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/keyctl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "http/clock.h"
#include "lib/auto.h"

enum {
    RUN_TIMEOUT_MS = 10000,
    RUN_OUTPUT_MAX = 64 * 1024,
    HIGH_FD = 64, /* above every number that a child asks for */
};

enum stage {
    JOIN,
    ENTER_USER,
    ENTER_NET,
    BECOME_ROOT,
    MAKE_NET,
    LEAVE_KEYS,
    DESCRIPTORS,
    ORPHANED,
    EXEC
};
static const char *const stage_names[] = {
    [JOIN] = "limit",
    [ENTER_USER] = "enter the user namespace for",
    [ENTER_NET] = "enter the network namespace for",
    [MAKE_NET] = "make a network namespace for",
    [BECOME_ROOT] = "become root of the guest for",
    [LEAVE_KEYS] = "make a keyring for",
    [DESCRIPTORS] = "arrange descriptors for",
    [ORPHANED] = "keep the parent of",
    [EXEC] = "run",
};

/* What the child says when it cannot go on. */
struct report {
    enum stage stage;
    int error;
};

static int enter_namespaces(const struct emu_spawn *spawn, struct report *report)
{
    report->stage = ENTER_NET;
    if (spawn->netns >= 0 && setns(spawn->netns, CLONE_NEWNET) < 0)
        return -1;
    if (spawn->userns >= 0) {
        report->stage = ENTER_USER;
        if (setns(spawn->userns, CLONE_NEWUSER) < 0)
            return -1;
        report->stage = BECOME_ROOT;
        /* In a user's own namespace groups cannot be dropped (user_namespaces(7), "setgroups"). */
        if ((setgroups(0, NULL) < 0 && errno != EPERM) || setresgid(0, 0, 0) < 0 ||
            setresuid(0, 0, 0) < 0)
            return -1;
    }
    report->stage = MAKE_NET;
    return spawn->new_netns ? unshare(CLONE_NEWNET) : 0;
}

/* An empty session keyring in place of the one that was inherited, with the keys of whoever started
 * the emulator in it (session-keyring(7)). No keyrings in this kernel: nothing to leave. */
static int leave_keys(void)
{
    if (syscall(SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, NULL) >= 0 || errno == ENOSYS)
        return 0;
    /* The kernel has no such answer, but a system call filter has, in containers; and it stays, for
     * the child too. It must refuse the whole call. */
    int error = errno;
    if (error == EPERM &&
        syscall(SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) < 0 &&
        errno == EPERM)
        return 0;
    errno = error;
    return -1;
}

/* Put the descriptors where the program expects them. They are lifted out of the way first, since
 * one may sit on a number that another one is to get. The report's end stays the last one open. */
static int arrange(const struct emu_spawn *spawn, int *report_fd)
{
    int lifted[EMU_SPAWN_FDS_MAX + 3];
    int null_fd = open("/dev/null", O_RDWR | O_CLOEXEC);
    int out = spawn->out < 0 ? null_fd : spawn->out;
    int wanted[3] = {spawn->in < 0 ? null_fd : spawn->in, out, spawn->err < 0 ? out : spawn->err};
    size_t count = 3 + spawn->fd_count;
    for (size_t i = 0; i < count; i++) {
        int fd = i < 3 ? wanted[i] : spawn->fds[i - 3];
        lifted[i] = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
        if (lifted[i] < 0)
            return -1;
    }
    int report = fcntl(*report_fd, F_DUPFD_CLOEXEC, HIGH_FD);
    if (report < 0)
        return -1;
    for (size_t i = 0; i < count; i++)
        if (dup2(lifted[i], (int)i) < 0)
            return -1;
    *report_fd = dup3(report, (int)count, O_CLOEXEC);
    if (*report_fd < 0)
        return -1;
    return close_range((unsigned)count + 1, ~0U, 0);
}

/* First of all: what the child does counts already. */
static int join(const struct emu_spawn *spawn)
{
    for (size_t i = 0; i < spawn->cgroup_count; i++)
        if (write(spawn->cgroups[i], "0", 1) != 1)
            return -1;
    return spawn->limits ? emu_limits_enter(spawn->limits, spawn->limited) : 0;
}

/* The child, from fork to exec. */
static void __attribute__((noreturn))
become(const struct emu_spawn *spawn, int report_fd, pid_t parent)
{
    static char path[] = "PATH=/usr/sbin:/usr/bin:/sbin:/bin";
    static char *const no_env[] = {path, NULL};
    for (int sig = 1; sig < NSIG; sig++)
        signal(sig, SIG_DFL);
    setsid();
    umask(022); /* a machine's, not that of whoever started the emulator */
    struct report report = {.stage = JOIN};
    bool good = join(spawn) == 0 && enter_namespaces(spawn, &report) == 0;
    if (good) {
        /* After the change of user, which would take it back (prctl(2)). */
        report.stage = ORPHANED;
        good = prctl(PR_SET_PDEATHSIG, spawn->death_signal) == 0 &&
               (!spawn->death_signal || getppid() == parent) &&
               (!spawn->subreaper || prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    }
    if (good) {
        report.stage = LEAVE_KEYS;
        good = leave_keys() == 0;
    }
    if (good) {
        report.stage = DESCRIPTORS;
        good = arrange(spawn, &report_fd) == 0;
    }
    if (good) {
        report.stage = EXEC;
        sigset_t none;
        sigemptyset(&none);
        sigprocmask(SIG_SETMASK, &none, NULL);
        /* POSIX: execve() leaves the arguments alone, but is not declared to (rationale). */
        union {
            const char *const *given;
            char *const *taken;
        } argv = {.given = spawn->argv};
        execve(spawn->argv[0], argv.taken, spawn->envp ? spawn->envp : no_env);
    }
    report.error = errno;
    ssize_t written = write(report_fd, &report, sizeof(report));
    _exit(written < 0 ? 126 : 127);
}

int emu_spawn(const struct emu_spawn *spawn, pid_t *ret, struct vmcp_error *err)
{
    int ends[2];
    if (spawn->fd_count > EMU_SPAWN_FDS_MAX)
        return vmcp_fail(err, VMCP_E_INTERNAL, "too many descriptors for %s", spawn->argv[0]);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int from = ends[0];
    auto_close int to = ends[1];
    pid_t parent = getpid();
    sigset_t all, before;
    sigfillset(&all);
    /* No handler of ours may run in the child. */
    pthread_sigmask(SIG_SETMASK, &all, &before);
    pid_t pid = fork();
    if (pid == 0)
        become(spawn, to, parent);
    int error = errno;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    errno = error;
    if (pid < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot start %s: %m", spawn->argv[0]);
    close(to);
    to = -1;
    struct report report;
    ssize_t got = TEMP_FAILURE_RETRY(read(from, &report, sizeof(report)));
    if (got == (ssize_t)sizeof(report)) {
        waitpid(pid, NULL, 0);
        errno = report.error;
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot %s %s: %m", stage_names[report.stage],
                         spawn->argv[0]);
    }
    *ret = pid;
    return 0;
}

/* Collect what a child prints until it closes its output. False: it took too long. */
static bool collect(int fd, struct vmcp_buf *out)
{
    int64_t end = http_now_ms() + RUN_TIMEOUT_MS;
    for (;;) {
        int64_t left = end - http_now_ms();
        struct pollfd p = {.fd = fd, .events = POLLIN};
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return false;
        char chunk[4096];
        ssize_t got = read(fd, chunk, sizeof(chunk));
        if (got == 0 || (got < 0 && errno != EINTR))
            return true;
        if (got > 0)
            vmcp_buf_add(out, chunk, (size_t)got);
    }
}

int emu_run(const struct emu_spawn *spawn, const char *input, struct vmcp_buf *out,
            struct vmcp_error *err)
{
    const char *program = spawn->argv[0];
    auto_buf struct vmcp_buf own = VMCP_BUF(RUN_OUTPUT_MAX);
    struct vmcp_buf *printed = out ? out : &own;
    auto_close int in = -1;
    int ends[2];
    if (input) {
        int rc = emu_memfd(input, strlen(input), &in, err);
        if (rc < 0)
            return rc;
    }
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int from = ends[0];
    auto_close int to = ends[1];
    struct emu_spawn run = *spawn;
    run.in = in;
    run.out = to;
    run.err = -1;
    pid_t pid = 0;
    int rc = emu_spawn(&run, &pid, err);
    if (rc < 0)
        return rc;
    close(to);
    to = -1;
    bool ended = collect(from, printed);
    if (!ended)
        kill(pid, SIGKILL);
    int status = 0;
    if (TEMP_FAILURE_RETRY(waitpid(pid, &status, 0)) < 0 || !ended)
        return vmcp_fail(err, VMCP_E_INTERNAL, "%s did not end within %d s", program,
                         RUN_TIMEOUT_MS / 1000);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return vmcp_buf_check(printed, program, err);
    const char *text = printed->data ? printed->data : "";
    return vmcp_fail(err, VMCP_E_INTERNAL, "%s: %.*s", program, (int)strcspn(text, "\n"), text);
}

char *emu_find_program(const char *name)
{
    static const char *const folders[] = {"/usr/sbin", "/usr/bin", "/sbin", "/bin",
                                          "/usr/local/bin"};
    for (size_t i = 0; i < sizeof(folders) / sizeof(folders[0]); i++) {
        auto_free char *path = NULL;
        if (asprintf(&path, "%s/%s", folders[i], name) < 0) {
            path = NULL; /* asprintf leaves it undefined */
            return NULL;
        }
        if (access(path, X_OK) == 0)
            return steal(&path);
    }
    return NULL;
}

int emu_memfd(const void *data, size_t len, int *ret_fd, struct vmcp_error *err)
{
    auto_close int fd = memfd_create("gce-emulator", MFD_CLOEXEC);
    if (fd < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a file in memory: %m");
    const char *from = data;
    for (size_t done = 0; done < len;) {
        ssize_t n = TEMP_FAILURE_RETRY(write(fd, from + done, len - done));
        if (n <= 0)
            return vmcp_fail(err, VMCP_E_INTERNAL, "cannot write to memory: %m");
        done += (size_t)n;
    }
    lseek(fd, 0, SEEK_SET);
    *ret_fd = fd;
    fd = -1;
    return 0;
}

bool emu_path_below(const char *path, const char *folder)
{
    size_t len = strlen(folder);
    if (len == 1 && folder[0] == '/')
        return path[0] == '/';
    return strncmp(path, folder, len) == 0 && (path[len] == '\0' || path[len] == '/');
}
