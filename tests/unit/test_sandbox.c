/* SPDX-License-Identifier: Apache-2.0 */
/* What fails inside vmcpd's sandbox, and what goes on working. Each attempt is made by a child that
 * has just entered it. */
#include "server/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>

#include "server/commons.h"
#include "server/landlock.h"
#include "unit.h"

/* The child works in the scratch folder: SERVED is what the settings name. */
#define SERVED  "deep/served/"
#define OUTSIDE "deep/outside"

static int outcome(long rc)
{
    return rc < 0 ? errno : 0;
}

static int opened(const char *path, int flags)
{
    int fd = open(path, flags | O_CLOEXEC, 0600);
    return outcome(fd);
}

static int run_program(void)
{
    char *const argv[] = {(char[]){"true"}, NULL};
    return outcome(execv("/bin/true", argv));
}

static int trace(void)
{
    return outcome(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int look_into_a_process(void)
{
    char here, there = 0;
    struct iovec local = {&here, 1}, remote = {&there, 1};
    return outcome(process_vm_readv(getppid(), &local, 1, &remote, 1, 0));
}

static int fork_off(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return outcome(pid);
}

static int netlink_socket(void)
{
    return outcome(socket(AF_NETLINK, SOCK_RAW, 0));
}

static int tcp_socket(void)
{
    return outcome(socket(AF_INET, SOCK_STREAM, 0));
}

static int connect_out(void)
{
    const struct sockaddr_in address = {.sin_family = AF_INET};
    return outcome(connect(0, (const struct sockaddr *)&address, sizeof(address)));
}

static int kill_another(void)
{
    return outcome(kill(getppid(), 0));
}

static int become_root(void)
{
    return outcome(setuid(0));
}

static int change_mode(void)
{
    return outcome(chmod(SERVED "configs/a.json", 0777));
}

static int new_code(void)
{
    void *p =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return outcome(p == MAP_FAILED ? -1 : 0);
}

static int data_to_code(void)
{
    void *p = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return p == MAP_FAILED ? -1 : outcome(mprotect(p, 4096, PROT_READ | PROT_EXEC));
}

static int unknown_call(void)
{
    return outcome(syscall(SYS_io_uring_setup, 1, NULL));
}

static int read_outside(void)
{
    return opened(OUTSIDE, O_RDONLY);
}

static int read_passwords(void)
{
    return opened("/etc/passwd", O_RDONLY);
}

static int write_outside(void)
{
    return opened(OUTSIDE, O_WRONLY | O_APPEND);
}

static int create_outside(void)
{
    return opened("deep/new", O_WRONLY | O_CREAT);
}

static int write_machine(void)
{
    return opened(SERVED "configs/a.json", O_WRONLY);
}

static int create_machine(void)
{
    return opened(SERVED "configs/new.json", O_WRONLY | O_CREAT);
}

static int remove_machine(void)
{
    return outcome(unlink(SERVED "configs/a.json"));
}

static int read_machine(void)
{
    return opened(SERVED "configs/a.json", O_RDONLY);
}

/* As a mounted ConfigMap is changed; the change itself comes from outside. */
static int read_swapped(void)
{
    char byte = 0;
    int fd = open(SERVED "mounted/a.json", O_RDONLY | O_CLOEXEC);
    return fd < 0 ? errno : read(fd, &byte, 1) == 1 && byte == '2' ? 0 : -1;
}

static int read_replaced_folder(void)
{
    return opened(SERVED "replaced/a.json", O_RDONLY);
}

static int new_log(void)
{
    return opened("deep/logs/access.log", O_WRONLY | O_APPEND | O_CREAT);
}

static int remove_socket(void)
{
    return outcome(unlink("deep/run/control"));
}

static void *nothing(void *arg)
{
    return arg;
}

static int thread(void)
{
    pthread_t t;
    int rc = pthread_create(&t, NULL, nothing, NULL);
    return rc ? rc : pthread_join(t, NULL);
}

static int random_bytes(void)
{
    char bytes[32];
    return getrandom(bytes, sizeof(bytes), 0) == sizeof(bytes) ? 0 : errno;
}

static int unix_socket(void)
{
    return outcome(socket(AF_UNIX, SOCK_DGRAM, 0));
}

/* Connected to another one before the sandbox: what systemd is told through. */
static int notify = -1;
static struct sockaddr_un told = {.sun_family = AF_UNIX};

static void open_notify(const char *folder)
{
    snprintf(told.sun_path, sizeof(told.sun_path), "%s/told", folder);
    unlink(told.sun_path);
    int other = socket(AF_UNIX, SOCK_DGRAM, 0);
    notify = socket(AF_UNIX, SOCK_DGRAM, 0);
    if (other < 0 || notify < 0 || bind(other, (const struct sockaddr *)&told, sizeof(told)) < 0 ||
        connect(notify, (const struct sockaddr *)&told, sizeof(told)) < 0)
        _exit(103);
}

static int tell(void)
{
    return outcome(send(notify, "x", 1, MSG_NOSIGNAL));
}

static int tell_another(void)
{
    return outcome(sendto(notify, "x", 1, 0, (const struct sockaddr *)&told, sizeof(told)));
}

static int tell_another_by_message(void)
{
    struct iovec text = {(char[]){"x"}, 1};
    const struct msghdr message = {
        .msg_name = &told, .msg_namelen = sizeof(told), .msg_iov = &text, .msg_iovlen = 1};
    return outcome(sendmsg(notify, &message, 0));
}

static int second_number(void)
{
    return outcome(fcntl(notify, F_DUPFD, 0)) == ENOSYS && outcome(dup(notify)) == ENOSYS &&
                   outcome(dup2(notify, 99)) == ENOSYS &&
                   outcome(dup3(notify, 99, O_CLOEXEC)) == ENOSYS
               ? ENOSYS
               : -1;
}

static int replace_a_log(void)
{
    return outcome(dup3(STDERR_FILENO, 99, O_CLOEXEC));
}

static int own_a_descriptor(void)
{
    return outcome(fcntl(STDERR_FILENO, F_SETOWN, getppid()));
}

static int set_flags(void)
{
    return outcome(fcntl(STDERR_FILENO, F_SETFL, O_NONBLOCK));
}

static int filter_a_socket(void)
{
    int on = 1;
    return outcome(setsockopt(notify, SOL_SOCKET, SO_DETACH_FILTER, &on, sizeof(on)));
}

static int receive_descriptors(void)
{
    struct msghdr message = {0};
    return outcome(recvmsg(notify, &message, MSG_DONTWAIT));
}

static int socket_timeout(void)
{
    const struct timeval t = {.tv_sec = 1};
    return outcome(setsockopt(notify, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof(t)));
}

static int states(void)
{
    struct rlimit core;
    bool good = getrlimit(RLIMIT_CORE, &core) == 0 && core.rlim_max == 0;
    auto_close int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC); /* outside */
    return good && fd < 0 ? 0 : -1;
}

enum { KILLED = 1000, LANDLOCK = 2000 }; /* ended by SIGSYS; plus an errno: Landlock's work */

static const struct {
    const char *name;
    int (*attempt)(void);
    int want;
} attempts[] = {
    {"run a program", run_program, KILLED},
    {"ptrace", trace, KILLED},
    {"look into a process", look_into_a_process, KILLED},
    {"fork", fork_off, ENOSYS},
    {"netlink", netlink_socket, ENOSYS},
    {"TCP socket", tcp_socket, ENOSYS},
    {"connect", connect_out, ENOSYS},
    {"signal another", kill_another, ENOSYS},
    {"become root", become_root, ENOSYS},
    {"change a mode", change_mode, ENOSYS},
    {"new code", new_code, ENOSYS},
    {"data to code", data_to_code, ENOSYS},
    {"a call that nobody needs", unknown_call, ENOSYS},
    {"read outside", read_outside, LANDLOCK + EACCES},
    {"read /etc/passwd", read_passwords, LANDLOCK + EACCES},
    {"write outside", write_outside, LANDLOCK + EACCES},
    {"create outside", create_outside, LANDLOCK + EACCES},
    {"write a machine", write_machine, LANDLOCK + EACCES},
    {"create a machine", create_machine, LANDLOCK + EACCES},
    {"remove a machine", remove_machine, LANDLOCK + EACCES},
    {"states", states, LANDLOCK},
    {"read a machine", read_machine, 0},
    {"read through a link that was changed", read_swapped, 0},
    {"read in a folder that was replaced", read_replaced_folder, 0},
    {"a new log", new_log, 0},
    {"remove the socket", remove_socket, 0},
    {"thread", thread, 0},
    {"random", random_bytes, 0},
    {"unix socket", unix_socket, ENOSYS},
    {"tell systemd", tell, 0},
    {"tell another", tell_another, ENOSYS},
    {"tell another by a message", tell_another_by_message, ENOSYS},
    {"a second number for that socket", second_number, ENOSYS},
    {"replace a log", replace_a_log, 0},
    {"signals of a descriptor", own_a_descriptor, ENOSYS},
    {"flags of a descriptor", set_flags, 0},
    {"a socket's filter", filter_a_socket, ENOSYS},
    {"descriptors from others", receive_descriptors, ENOSYS},
    {"a socket's time-out", socket_timeout, 0},
};

static int make_files(void **state)
{
    static const char *const folders[] = {"deep",
                                          SERVED,
                                          SERVED "configs",
                                          SERVED "mounted",
                                          SERVED "mounted/..1",
                                          SERVED "mounted/..2",
                                          SERVED "replaced",
                                          SERVED "replacement",
                                          "deep/logs",
                                          "deep/run"};
    static const char *const files[] = {SERVED "configs/a.json",
                                        SERVED "mounted/..1/a.json",
                                        SERVED "replaced/a.json",
                                        SERVED "replacement/a.json",
                                        OUTSIDE,
                                        "deep/run/control"};
    if (unit_folder_make(state) < 0)
        return -1;
    for (size_t i = 0; i < UNIT_COUNT(folders); i++)
        if (mkdir(unit_path(*state, folders[i]), 0700) < 0)
            return -1;
    for (size_t i = 0; i < UNIT_COUNT(files); i++)
        unit_write(unit_path(*state, files[i]), 0600, "1", 1);
    unit_write(unit_path(*state, SERVED "mounted/..2/a.json"), 0600, "2", 1);
    return symlink("..1", unit_path(*state, SERVED "mounted/..data")) < 0 ||
                   symlink("..data/a.json", unit_path(*state, SERVED "mounted/a.json")) < 0
               ? -1
               : 0;
}

static void child_enters(const char *folder)
{
    const struct srv_settings settings = {.sandbox = "on",
                                          .configs = SERVED "configs",
                                          .keys_dir = SERVED "replaced",
                                          .secret = SERVED "mounted/a.json",
                                          .access_log = "deep/logs/access.log"};
    const struct vmcp_keyring ring = {0};
    struct srv_sandbox sandbox;
    struct vmcp_error err = {0};
    int null = open("/dev/null", O_WRONLY | O_CLOEXEC);
    if (chdir(folder) < 0 || null < 0 || dup2(null, STDERR_FILENO) < 0 ||
        prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0}) < 0)
        _exit(100);
    open_notify(folder);
    if (srv_sandbox_enter(&settings, &ring, "deep/run/control", notify, &sandbox, &err) < 0)
        _exit(101);
}

/* What the child's attempt came to: 0, an errno, KILLED. */
static int attempt_in_child(const char *folder, int (*attempt)(void))
{
    int ready[2], go[2], status = 0;
    char byte = 0;
    assert_int_equal(pipe2(ready, O_CLOEXEC) | pipe2(go, O_CLOEXEC), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        child_enters(folder);
        _exit(write(ready[1], "", 1) == 1 && read(go[0], &byte, 1) == 1 ? attempt() : 102);
    }
    close(ready[1]);
    bool in = read(ready[0], &byte, 1) == 1;
    /* What others do to the files meanwhile. */
    unlink(unit_path(folder, SERVED "mounted/..new"));
    assert_int_equal(symlink("..2", unit_path(folder, SERVED "mounted/..new")), 0);
    rename(unit_path(folder, SERVED "mounted/..new"), unit_path(folder, SERVED "mounted/..data"));
    rename(unit_path(folder, SERVED "replaced"), unit_path(folder, SERVED "old"));
    rename(unit_path(folder, SERVED "replacement"), unit_path(folder, SERVED "replaced"));
    if (in)
        assert_int_equal(write(go[1], "", 1), 1);
    assert_int_equal(waitpid(pid, &status, 0), pid);
    close(ready[0]);
    close(go[0]);
    close(go[1]);
    /* And back again. */
    rename(unit_path(folder, SERVED "replaced"), unit_path(folder, SERVED "replacement"));
    rename(unit_path(folder, SERVED "old"), unit_path(folder, SERVED "replaced"));
    unlink(unit_path(folder, SERVED "mounted/..data"));
    assert_int_equal(symlink("..1", unit_path(folder, SERVED "mounted/..data")), 0);
    if (WIFSIGNALED(status))
        return WTERMSIG(status) == SIGSYS ? KILLED : -1;
    return WEXITSTATUS(status);
}

static bool has_landlock(void)
{
    struct vmcp_error err;
    auto_landlock struct srv_landlock landlock = SRV_LANDLOCK_OFF;
    assert_good("", srv_landlock_begin(&landlock, &err), err);
    return landlock.abi > 0;
}

static void test_system_calls(void **state)
{
    for (size_t i = 0; i < UNIT_COUNT(attempts); i++)
        if (attempts[i].want < LANDLOCK) {
            int got = attempt_in_child(*state, attempts[i].attempt);
            if (got != attempts[i].want)
                print_error("%s gave %d\n", attempts[i].name, got);
            assert_int_equal(got, attempts[i].want);
        }
}

static void test_files(void **state)
{
    if (!has_landlock()) {
        print_message("skipped: this kernel has no Landlock\n");
        skip();
    }
    for (size_t i = 0; i < UNIT_COUNT(attempts); i++)
        if (attempts[i].want >= LANDLOCK) {
            int got = attempt_in_child(*state, attempts[i].attempt);
            if (got != attempts[i].want - LANDLOCK)
                print_error("%s gave %d\n", attempts[i].name, got);
            assert_int_equal(got, attempts[i].want - LANDLOCK);
        }
}

/* The same attempts outside: that they fail inside is the sandbox's work. */
static void test_off(void **state)
{
    (void)state;
    assert_int_equal(read_passwords(), 0);
    assert_int_equal(netlink_socket(), 0);
    assert_int_equal(fork_off(), 0);
    assert_int_equal(new_code(), 0);
    assert_int_equal(kill_another(), 0);
}

/* Which folders are opened whole for the sake of one file in them. */
static void test_commons(void **state)
{
    static const char *const common[] = {"/", "/etc", "/tmp", "/usr/../var/log", "/dev/shm"};
    static const char *const own[] = {"/etc/nothing-of-that-name", "/proc/self/fd", SERVED, "deep"};
    for (size_t i = 0; i < UNIT_COUNT(common); i++)
        if (access(common[i], F_OK) == 0)
            assert_true(srv_folder_is_common(common[i]));
    assert_int_equal(chdir(*state), 0);
    assert_int_equal(symlink("/etc", "link"), 0);
    assert_true(srv_folder_is_common("link"));
    for (size_t i = 0; i < UNIT_COUNT(own); i++)
        assert_false(srv_folder_is_common(own[i]));
    assert_true(srv_folder_is_root("/etc/.."));
    assert_false(srv_folder_is_root("/etc"));
    assert_int_equal(unlink("link"), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_system_calls),
        cmocka_unit_test(test_files),
        cmocka_unit_test(test_off),
        cmocka_unit_test(test_commons),
    };
    return cmocka_run_group_tests(tests, make_files, unit_folder_remove);
}
