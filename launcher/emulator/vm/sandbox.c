/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "env.h"
#include "guest_calls.h"
#include "http/clock.h"
#include "rootfs.h"
#include "spawn.h"
#include "userns.h"

#define INIT "/run/gce-emulator/init"

enum {
    ARGS_MAX = 64 * 1024,
    WORDS_MAX = 512,
    FIRST_FD = 3, /* what a child's first further descriptor is called there */
    START_TIMEOUT_MS = 10000,
};

/* A VM on its way up: bubblewrap's arguments and the descriptors that they speak of. */
struct launch {
    const struct emu_sandbox *sandbox;
    const struct emu_vm *vm;
    struct vmcp_buf args;
    int fds[EMU_SPAWN_FDS_MAX];
    size_t count;
    char **env;
    int output, lifeline;         /* the guest's ends */
    int procs[EMU_CGROUP_PLACES]; /* of its control groups */
    size_t proc_count;
    int userns;
    pid_t pid;
};

static void launch_clear(struct launch *launch)
{
    while (launch->count)
        close(launch->fds[--launch->count]);
    if (launch->output >= 0)
        close(launch->output);
    if (launch->lifeline >= 0)
        close(launch->lifeline);
    while (launch->proc_count)
        close(launch->procs[--launch->proc_count]);
    if (launch->userns >= 0)
        close(launch->userns);
    launch->output = launch->lifeline = launch->userns = -1;
    emu_env_free(launch->env);
    launch->env = NULL;
    vmcp_buf_clear(&launch->args);
}
#define auto_launch VMCP_AUTO(launch_clear)

static void add(struct vmcp_buf *args, const char *const *words)
{
    for (; *words; words++)
        emu_rootfs_arg(args, *words);
}

/* What bubblewrap does for every guest. The guest's root keeps what a web application needs to
 * install and drop to its own user, and nothing that reaches past its own files and processes. */
static void add_common(const struct emu_sandbox *sandbox, struct vmcp_buf *args)
{
    static const char *const flags[] = {"--unshare-pid",
                                        "--unshare-uts",
                                        "--unshare-ipc",
                                        "--unshare-cgroup-try",
                                        "--as-pid-1",
                                        "--die-with-parent",
                                        "--new-session",
                                        "--chdir",
                                        "/",
                                        NULL};
    static const char *const kept[] = {"CHOWN",  "DAC_OVERRIDE",     "FOWNER", "FSETID", "KILL",
                                       "SETGID", "NET_BIND_SERVICE", "SETUID", "SETPCAP"};
    add(args, flags);
    add(args, (const char *const[]){"--cap-drop", "ALL", NULL});
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++) {
        char name[32];
        snprintf(name, sizeof(name), "CAP_%s", kept[i]);
        add(args, (const char *const[]){"--cap-add", name, NULL});
    }
    emu_rootfs_args(&sandbox->hidden, args);
}

/* Give `fd` to the child (taken over). Returns the number that it has there, as text. */
static const char *pass(struct launch *launch, int fd, char text[static 12])
{
    snprintf(text, 12, "%zu", FIRST_FD + launch->count);
    launch->fds[launch->count++] = fd;
    return text;
}

/* A file of the guest's own with that content; `how` is --file or --ro-bind-data. */
static int add_file(struct launch *launch, const char *how, const char *path, const char *mode,
                    const char *text, struct vmcp_error *err)
{
    char number[12];
    int fd = -1;
    int rc = emu_memfd(text, strlen(text), &fd, err);
    if (rc < 0)
        return rc;
    add(&launch->args,
        (const char *const[]){"--perms", mode, how, pass(launch, fd, number), path, NULL});
    return 0;
}

/* What makes this guest itself: names, addresses, and the firmware's word that it is on Compute
 * Engine, which clients read before they trust a metadata server. */
static int add_identity(struct launch *launch, struct vmcp_error *err)
{
    const struct emu_vm *vm = launch->vm;
    char ip[INET_ADDRSTRLEN];
    char text[1024];
    inet_ntop(AF_INET, &vm->ip, ip, sizeof(ip));
    add(&launch->args, (const char *const[]){"--hostname", vm->name, NULL});
    snprintf(text, sizeof(text),
             "127.0.0.1 localhost\n::1 localhost ip6-localhost ip6-loopback\n%s %s %s\n"
             "169.254.169.254 metadata.google.internal metadata\n",
             ip, vm->hostname, vm->name);
    int rc = add_file(launch, "--ro-bind-data", "/etc/hosts", "0644", text, err);
    snprintf(text, sizeof(text), "%s\n", vm->name);
    if (rc == 0)
        rc = add_file(launch, "--ro-bind-data", "/etc/hostname", "0644", text, err);
    snprintf(text, sizeof(text), "%016" PRIx64 "%016" PRIx64 "\n", vm->id, ~vm->id);
    if (rc == 0)
        rc = add_file(launch, "--ro-bind-data", "/etc/machine-id", "0444", text, err);
    if (rc == 0)
        rc = add_file(launch, "--file", "/sys/class/dmi/id/product_name", "0444",
                      "Google Compute Engine\n", err);
    if (rc == 0)
        rc = add_file(launch, "--file", "/sys/class/dmi/id/sys_vendor", "0444", "Google\n", err);
    snprintf(text, sizeof(text), "GoogleCloud-%016" PRIX64 "\n", vm->id);
    if (rc == 0)
        rc = add_file(launch, "--file", "/sys/class/dmi/id/product_serial", "0400", text, err);
    return rc;
}

/* All of bubblewrap's arguments. *ret_info and *ret_block are our ends of the pipes on which it
 * names the guest's first process and waits for leave to start it. */
static int prepare(struct launch *launch, int *ret_info, int *ret_block, struct vmcp_error *err)
{
    char number[12];
    int ends[2];
    add_common(launch->sandbox, &launch->args);
    int rc = add_identity(launch, err);
    if (rc == 0)
        rc = add_file(launch, "--file", INIT, "0755", emu_guest_init, err);
    if (rc < 0)
        return rc;
    /* Consoles, for scripts that write to the serial port as one does on Compute Engine. */
    add(&launch->args, (const char *const[]){"--symlink", "/proc/1/fd/1", "/dev/ttyS0", "--symlink",
                                             "/proc/1/fd/1", "/dev/console", NULL});
    emu_rootfs_seal(&launch->args);
    int filter = -1;
    rc = emu_guest_calls(&filter, err);
    if (rc < 0)
        return rc;
    add(&launch->args, (const char *const[]){"--seccomp", pass(launch, filter, number), NULL});
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    *ret_info = ends[0];
    add(&launch->args, (const char *const[]){"--info-fd", pass(launch, ends[1], number), NULL});
    /* A socket, because writing to a pipe that the other side left would raise a signal. */
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a socket: %m");
    *ret_block = ends[1];
    add(&launch->args, (const char *const[]){"--block-fd", pass(launch, ends[0], number), NULL});
    return vmcp_buf_check(&launch->args, "bubblewrap's arguments", err);
}

/* Start bubblewrap. On the loop's thread: in its mount namespace, and tied to its life. */
static int start(void *arg, struct vmcp_error *err)
{
    struct launch *launch = arg;
    char number[12];
    int fd = -1;
    int rc = emu_memfd(launch->args.data, launch->args.len, &fd, err);
    if (rc < 0)
        return rc;
    const char *const argv[] = {
        launch->sandbox->bwrap, "--args", pass(launch, fd, number), "/bin/bash", INIT, NULL};
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.argv = argv;
    spawn.envp = launch->env;
    spawn.in = launch->lifeline;
    spawn.out = launch->output;
    spawn.fds = launch->fds;
    spawn.fd_count = launch->count;
    spawn.userns = launch->userns;
    spawn.cgroups = launch->procs;
    spawn.cgroup_count = launch->proc_count;
    spawn.limits = &launch->vm->limits;
    spawn.limited = launch->vm->room->cgroups.controllers;
    spawn.new_netns = true; /* bubblewrap's own would set up `lo` while we do */
    spawn.death_signal = SIGKILL;
    return emu_spawn(&spawn, &launch->pid, err);
}

/* The guest's ends of its console and its power cord, and the room's. */
static int make_ends(struct launch *launch, int *ret_console, int *ret_cord, struct vmcp_error *err)
{
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    *ret_console = ends[0];
    launch->output = ends[1];
    /* A guest's root opens its console by name (/dev/ttyS0), for which it must own it. */
    if (fchown(ends[1], launch->sandbox->owner, (gid_t)launch->sandbox->owner) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot give the guest its console: %m");
    fcntl(ends[0], F_SETFL, O_NONBLOCK);
    if (pipe2(ends, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    launch->lifeline = ends[0];
    *ret_cord = ends[1];
    return 0;
}

int emu_sandbox_start(const struct emu_sandbox *sandbox, struct emu_vm *vm, const char *metadata,
                      const char *api, int *ret_info, int *ret_go, struct vmcp_error *err)
{
    auto_launch struct launch launch = {.sandbox = sandbox,
                                        .vm = vm,
                                        .args = VMCP_BUF(ARGS_MAX),
                                        .output = -1,
                                        .lifeline = -1,
                                        .userns = -1};
    auto_close int info = -1;
    auto_close int go = -1;
    auto_close int console = -1;
    auto_close int cord = -1;
    int rc = prepare(&launch, &info, &go, err);
    if (rc == 0)
        rc = emu_guest_env(vm, metadata, api, "/root", "/tmp", &launch.env, err);
    if (rc == 0)
        rc = emu_cgroups_make(&vm->room->cgroups, vm->number, &vm->limits, launch.procs,
                              &launch.proc_count, err);
    uid_t owner = 0;
    if (rc == 0) /* its own: the kernel counts a user's processes in each by itself */
        rc = emu_userns_new(&launch.userns, &owner, err);
    if (rc == 0)
        rc = make_ends(&launch, &console, &cord, err);
    if (rc == 0)
        rc = emu_loop_call(vm->room->loop, start, &launch, err);
    if (rc < 0)
        return rc;
    rc = emu_vm_watch(vm, launch.pid, console, cord, err);
    console = cord = -1;   /* the room's now */
    launch_clear(&launch); /* while we hold the guest's ends, their closing would not show */
    if (rc < 0)
        return rc;
    *ret_info = info;
    *ret_go = go;
    info = go = -1;
    return 0;
}

/* bubblewrap writes {"child-pid": N}. */
int emu_sandbox_init(int info, pid_t *ret, struct vmcp_error *err)
{
    char text[256] = "";
    size_t len = 0;
    int64_t end = http_now_ms() + START_TIMEOUT_MS;
    while (!strchr(text, '}')) {
        struct pollfd p = {.fd = info, .events = POLLIN};
        int64_t left = end - http_now_ms();
        if (left <= 0 || poll(&p, 1, (int)left) == 0)
            return vmcp_fail(err, VMCP_E_TIMEOUT, "bubblewrap did not start within 10 s");
        ssize_t n = read(info, text + len, sizeof(text) - 1 - len);
        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return vmcp_fail(err, VMCP_E_INTERNAL,
                             "bubblewrap ended early; the VM's serial port log says why");
        len += (size_t)n;
    }
    const char *number = strstr(text, "\"child-pid\":");
    int pid = 0;
    if (!number || sscanf(number, "\"child-pid\": %d", &pid) != 1 || pid <= 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "bubblewrap says no child-pid");
    *ret = pid;
    return 0;
}

/* On the loop's thread, as guests are started. */
static int run_empty(void *arg, struct vmcp_error *err)
{
    const struct emu_sandbox *sandbox = arg;
    auto_buf struct vmcp_buf args = VMCP_BUF(ARGS_MAX);
    const char *argv[WORDS_MAX] = {sandbox->bwrap};
    size_t count = 1;
    add_common(sandbox, &args);
    emu_rootfs_seal(&args);
    emu_rootfs_arg(&args, "/bin/true");
    int rc = vmcp_buf_check(&args, "bubblewrap's arguments", err);
    for (const char *word = args.data; rc == 0 && word < args.data + args.len;
         word += strlen(word) + 1) {
        if (count + 1 == WORDS_MAX)
            return vmcp_fail(err, VMCP_E_LIMIT, "too many arguments for bubblewrap");
        argv[count++] = word;
    }
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.argv = argv;
    spawn.userns = sandbox->userns;
    spawn.new_netns = true;
    return rc < 0 ? rc : emu_run(&spawn, NULL, NULL, err);
}

int emu_sandbox_probe(const struct emu_sandbox *sandbox, struct emu_room *room,
                      struct vmcp_error *err)
{
    struct emu_sandbox probed = *sandbox;
    return emu_loop_call(room->loop, run_empty, &probed, err);
}

static int enter(void *arg, struct vmcp_error *err)
{
    const struct emu_sandbox *sandbox = arg;
    return emu_rootfs_enter(&sandbox->hidden, sandbox->owner, err);
}

static int find_programs(struct emu_sandbox *sandbox, struct vmcp_error *err)
{
    static const char *const needed[] = {"bash", "curl"};
    sandbox->bwrap = emu_find_program("bwrap");
    if (!sandbox->bwrap)
        return vmcp_fail(err, VMCP_E_FILE, "`bwrap` is not installed (Debian: package bubblewrap)");
    for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
        auto_free char *path = emu_find_program(needed[i]);
        if (!path)
            return vmcp_fail(err, VMCP_E_FILE, "`%s`, which guests need, is not installed",
                             needed[i]);
    }
    return 0;
}

int emu_sandbox_setup(struct emu_sandbox *sandbox, struct emu_room *room, struct vmcp_error *err)
{
    int rc = find_programs(sandbox, err);
    if (rc == 0)
        rc = emu_hidden_collect(&sandbox->hidden, room->folder, room->options.hide, err);
    if (rc == 0)
        rc = emu_userns_new(&sandbox->userns, &sandbox->owner, err);
    return rc < 0 ? rc : emu_loop_call(room->loop, enter, sandbox, err);
}

void emu_sandbox_clear(struct emu_sandbox *sandbox)
{
    emu_hidden_clear(&sandbox->hidden);
    if (sandbox->userns >= 0)
        close(sandbox->userns);
    free(sandbox->bwrap);
    *sandbox = (struct emu_sandbox)EMU_SANDBOX;
}
