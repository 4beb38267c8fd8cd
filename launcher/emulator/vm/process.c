/* SPDX-License-Identifier: Apache-2.0 */
#include <arpa/inet.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "driver.h"
#include "env.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "spawn.h"

enum { PATHS_MAX = 4096, OPEN_FOLDERS = 16 };

/* A VM's own folder, FOLDER/vm-ID, with `below` appended: new string or NULL. */
static char *own_path(const struct emu_vm *vm, const char *below)
{
    char *path = NULL;
    if (asprintf(&path, "%s/vm-%" PRIu64 "%s", vm->room->folder, vm->id, below) < 0)
        return NULL;
    return path;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    remove(path); /* what resists is left: the folder above it resists then too */
    return 0;
}

static void remove_tree(const char *path)
{
    nftw(path, remove_one, OPEN_FOLDERS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
}

static void clean(struct emu_vm *vm)
{
    auto_free char *folder = own_path(vm, "");
    if (folder)
        remove_tree(folder);
}

struct start {
    struct emu_spawn spawn;
    pid_t pid;
};

/* On the loop's thread, whose end is then the guest's. */
static int start(void *arg, struct vmcp_error *err)
{
    struct start *start = arg;
    return emu_spawn(&start->spawn, &start->pid, err);
}

/* The folder with home, temporary files and the init script. */
static int make_folder(const struct emu_vm *vm, char **ret_home, char **ret_tmp, char **ret_init,
                       struct vmcp_error *err)
{
    auto_free char *folder = own_path(vm, "");
    auto_free char *home = own_path(vm, "/home");
    auto_free char *tmp = own_path(vm, "/tmp");
    auto_free char *init = own_path(vm, "/init");
    if (!folder || !home || !tmp || !init)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a VM's folder");
    remove_tree(folder);
    if (mkdir(folder, 0700) < 0 || mkdir(home, 0700) < 0 || mkdir(tmp, 0700) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot make a VM's folder: %m");
    int rc = vmcp_file_create(init, 0700, emu_guest_init, strlen(emu_guest_init), err);
    if (rc < 0)
        return rc;
    *ret_home = steal(&home);
    *ret_tmp = steal(&tmp);
    *ret_init = steal(&init);
    return 0;
}

/* A metadata server of the VM's own on a loopback port; its ADDR:PORT into `where`. */
static int serve(struct emu_vm *vm, char *where, size_t size, struct vmcp_error *err)
{
    int fd = -1;
    int rc = emu_listen(-1, (struct in_addr){.s_addr = htonl(INADDR_LOOPBACK)}, 0, &fd, err);
    if (rc < 0)
        return rc;
    snprintf(where, size, "127.0.0.1:%u", emu_listen_port(fd));
    return emu_listener_start(&vm->metadata, vm->room->loop, fd, vm->room->options.metadata, vm->ip,
                              err);
}

static int boot(struct emu_vm *vm, struct vmcp_error *err)
{
    auto_free char *home = NULL;
    auto_free char *tmp = NULL;
    auto_free char *init = NULL;
    auto_env char **env = NULL;
    char metadata[32];
    int output[2];
    int lifeline[2];
    int rc = make_folder(vm, &home, &tmp, &init, err);
    if (rc == 0)
        rc = serve(vm, metadata, sizeof(metadata), err);
    if (rc == 0)
        rc = emu_guest_env(vm, metadata, vm->room->guest_api, home, tmp, &env, err);
    if (rc < 0)
        return rc;
    if (pipe2(output, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int console = output[0];
    auto_close int guest_console = output[1];
    if (pipe2(lifeline, O_CLOEXEC) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a pipe: %m");
    auto_close int guest_cord = lifeline[0];
    auto_close int cord = lifeline[1];
    fcntl(console, F_SETFL, O_NONBLOCK);
    struct start it = {.spawn = EMU_SPAWN};
    it.spawn.argv = (const char *const[]){"/bin/bash", init, NULL};
    it.spawn.envp = env;
    it.spawn.in = guest_cord;
    it.spawn.out = guest_console;
    it.spawn.death_signal = SIGTERM;
    it.spawn.subreaper = true;
    int procs[EMU_CGROUP_PLACES];
    rc = emu_cgroups_make(&vm->room->cgroups, vm->number, &vm->limits, procs,
                          &it.spawn.cgroup_count, err);
    if (rc < 0)
        return rc;
    it.spawn.cgroups = procs;
    it.spawn.limits = &vm->limits;
    it.spawn.limited = vm->room->cgroups.controllers;
    rc = emu_loop_call(vm->room->loop, start, &it, err);
    while (it.spawn.cgroup_count)
        close(procs[--it.spawn.cgroup_count]);
    if (rc < 0)
        return rc;
    rc = emu_vm_watch(vm, it.pid, console, cord, err);
    console = cord = -1; /* the room's now */
    return rc;
}

/* The init script kills what it started, also what left its process group, before it ends. */
static void kill_guest(struct emu_vm *vm, bool hard)
{
    kill(hard ? -vm->pid : vm->pid, hard ? SIGKILL : SIGTERM);
}

static void ask(struct emu_vm *vm)
{
    kill(vm->pid, SIGPWR);
}

static int setup(struct emu_room *room, struct vmcp_error *err)
{
    /* What an emulator that was killed left here. */
    DIR *dir = opendir(room->folder);
    if (!dir)
        return vmcp_fail_at(err, VMCP_E_FILE, room->folder, "cannot read the VMs' folder: %m");
    const struct dirent *entry;
    while ((entry = readdir(dir))) {
        size_t digits =
            strncmp(entry->d_name, "vm-", 3) == 0 ? strspn(entry->d_name + 3, "0123456789") : 0;
        auto_free char *path = NULL;
        if (digits == 0 || entry->d_name[3 + digits] != '\0')
            continue;
        if (asprintf(&path, "%s/%s", room->folder, entry->d_name) < 0)
            path = NULL; /* asprintf leaves it undefined */
        else
            remove_tree(path);
    }
    closedir(dir);
    return 0;
}

static void teardown(struct emu_room *room)
{
    (void)room; /* everything belongs to a VM */
}

const struct emu_driver emu_driver_process = {
    .name = "process",
    .setup = setup,
    .teardown = teardown,
    .boot = boot,
    .ask = ask,
    .kill = kill_guest,
    .clean = clean,
};
