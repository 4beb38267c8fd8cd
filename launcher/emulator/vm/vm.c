/* SPDX-License-Identifier: Apache-2.0 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "driver.h"
#include "http/clock.h"
#include "lib/auto.h"

enum {
    KILL_TIMEOUT_S = 5,
    PATH_BYTES_MAX = 4096,
    LAST_WORDS_MAX = 1024 * 1024, /* what is still read of a dead guest's output */
};

static void read_output(struct emu_source *source)
{
    struct emu_vm *vm = (struct emu_vm *)(void *)((char *)source - offsetof(struct emu_vm, output));
    char chunk[16 * 1024];
    ssize_t n = read(source->fd, chunk, sizeof(chunk));
    if (n > 0)
        emu_serial_write(vm->serial, chunk, (size_t)n);
    else if (n == 0 || (errno != EAGAIN && errno != EINTR))
        emu_loop_drop(vm->room->loop, source);
}

static int drop_sources(void *arg, struct vmcp_error *err)
{
    struct emu_vm *vm = arg;
    struct emu_loop *loop = vm->room->loop;
    (void)err;
    emu_loop_drop(loop, &vm->metadata.source);
    emu_loop_drop(loop, &vm->api.source);
    for (size_t i = 0; i < EMU_REACH_MAX; i++)
        emu_loop_drop(loop, &vm->ways[i].source);
    emu_loop_drop(loop, &vm->output);
    return 0;
}

/* The child has ended: nothing of the guest runs any more. */
static void child_exited(struct emu_source *source)
{
    struct emu_vm *vm = (struct emu_vm *)(void *)((char *)source - offsetof(struct emu_vm, exited));
    struct emu_room *room = vm->room;
    for (size_t i = 0; vm->output.fd >= 0 && i < LAST_WORDS_MAX; i += 16 * 1024) {
        errno = 0;
        read_output(&vm->output);
        if (errno == EAGAIN)
            break;
    }
    emu_loop_drop(room->loop, source);
    pthread_mutex_lock(&room->lock);
    waitpid(vm->pid, NULL, 0);
    vm->alive = false;
    bool idle = !vm->busy;
    if (idle && !vm->deadline && room->options.ended)
        room->options.ended(room->options.arg, vm->id);
    pthread_cond_broadcast(&room->changed);
    pthread_mutex_unlock(&room->lock);
    if (idle) {
        int rc = drop_sources(vm, NULL);
        (void)rc; /* cannot fail */
    }
}

int emu_vm_watch(struct emu_vm *vm, pid_t pid, int output, int lifeline, struct vmcp_error *err)
{
    struct emu_room *room = vm->room;
    vm->lifeline = lifeline;
    vm->output = (struct emu_source){.fd = output, .ready = read_output};
    vm->exited = (struct emu_source){.fd = pidfd_open(pid, 0), .ready = child_exited};
    if (vm->exited.fd < 0) {
        int rc = vmcp_fail(err, VMCP_E_INTERNAL, "cannot watch a process: %m");
        kill(pid, SIGKILL);
        waitpid(pid, NULL, 0);
        return rc;
    }
    pthread_mutex_lock(&room->lock);
    vm->pid = pid;
    vm->alive = true;
    pthread_mutex_unlock(&room->lock);
    int rc = emu_loop_add(room->loop, &vm->output, err);
    int also = emu_loop_add(room->loop, &vm->exited, err);
    return rc < 0 ? rc : also;
}

int emu_vm_pidfd(struct emu_vm *vm, struct vmcp_error *err)
{
    pthread_mutex_lock(&vm->room->lock); /* it is waited for under the lock: the number is ours */
    int fd = vm->alive ? pidfd_open(vm->pid, 0) : -1;
    pthread_mutex_unlock(&vm->room->lock);
    return fd < 0 ? vmcp_fail(err, VMCP_E_INTERNAL, "the guest ended early") : fd;
}

bool emu_vm_zone(const struct emu_vm *vm, char *out, size_t size)
{
    size_t name = strlen(vm->name);
    if (strncmp(vm->hostname, vm->name, name) != 0 || vm->hostname[name] != '.')
        return false;
    const char *zone = vm->hostname + name + 1;
    size_t len = strcspn(zone, ".");
    if (strncmp(zone + len, ".c.", 3) != 0 || len >= size)
        return false;
    memcpy(out, zone, len);
    out[len] = '\0';
    return true;
}

/* Wait until the child is gone; false if it still is not at the end of the time. Locked. */
static bool wait_gone(struct emu_vm *vm)
{
    struct timespec end;
    clock_gettime(CLOCK_MONOTONIC, &end);
    end.tv_sec += KILL_TIMEOUT_S;
    while (vm->alive)
        if (pthread_cond_timedwait(&vm->room->changed, &vm->room->lock, &end) == ETIMEDOUT)
            return !vm->alive;
    return true;
}

/* End the VM's processes and remove what it had. Only for whoever made it busy. */
static void power_off(struct emu_vm *vm)
{
    struct emu_room *room = vm->room;
    for (int round = 0; round < 2; round++) {
        pthread_mutex_lock(&room->lock);
        if (vm->alive)
            room->driver->kill(vm, round > 0);
        bool gone = wait_gone(vm);
        pthread_mutex_unlock(&room->lock);
        if (gone)
            break;
    }
    if (!vm->dirty)
        return;
    int rc = emu_loop_call(room->loop, drop_sources, vm, NULL);
    (void)rc; /* cannot fail */
    if (vm->lifeline >= 0)
        close(vm->lifeline);
    if (vm->init >= 0)
        close(vm->init);
    vm->lifeline = vm->init = -1;
    room->driver->clean(vm);
    emu_cgroups_remove(&room->cgroups, vm->number);
    emu_serial_rest(vm->serial);
    vm->dirty = false;
}

static struct emu_vm *find(struct emu_room *room, uint64_t id)
{
    struct emu_vm *vm = room->vms;
    while (vm && vm->id != id)
        vm = vm->next;
    return vm;
}

static struct emu_vm *find_or_add(struct emu_room *room, uint64_t id)
{
    struct emu_vm *vm = find(room, id);
    if (vm || !(vm = calloc(1, sizeof(*vm))))
        return vm;
    vm->room = room;
    vm->id = id;
    vm->number = ++room->count;
    vm->lifeline = vm->init = -1;
    vm->exited.fd = vm->output.fd = vm->metadata.source.fd = vm->api.source.fd = -1;
    for (size_t i = 0; i < EMU_REACH_MAX; i++)
        vm->ways[i].source.fd = -1;
    vm->next = room->vms;
    room->vms = vm;
    return vm;
}

/* A name becomes a host name and part of a file's: RFC 1035 labels as Compute Engine has them. */
static bool good_name(const char *name)
{
    size_t len = strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-");
    return len > 0 && len <= EMU_VM_NAME_MAX && name[len] == '\0' && name[0] != '-';
}

static bool good_hostname(const char *name)
{
    size_t len = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-.");
    return len > 0 && len <= EMU_VM_HOSTNAME_MAX && name[len] == '\0' && isalnum((int)name[0]);
}

/* Make the VM ours, or say why it cannot be booted now. */
static int claim(struct emu_room *room, const struct emu_vm_spec *spec, struct emu_vm **ret,
                 struct vmcp_error *err)
{
    if (!good_name(spec->name) || !good_hostname(spec->hostname))
        return vmcp_fail(err, VMCP_E_USAGE, "a VM is named [a-z0-9][a-z0-9-]{0,62}");
    int rc = 0;
    pthread_mutex_lock(&room->lock);
    struct emu_vm *vm = find_or_add(room, spec->id);
    if (!vm) {
        rc = vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a VM");
    } else if (vm->busy || vm->alive) {
        rc = vmcp_fail(err, VMCP_E_STATE_BUSY, "VM %s is running already", spec->name);
    } else {
        vm->busy = true;
        *ret = vm;
    }
    pthread_mutex_unlock(&room->lock);
    return rc;
}

/* `booted`: its end, which may have come already, is news. */
static void unclaim(struct emu_vm *vm, bool booted)
{
    struct emu_room *room = vm->room;
    pthread_mutex_lock(&room->lock);
    vm->busy = false;
    if (booted && !vm->alive && room->options.ended)
        room->options.ended(room->options.arg, vm->id);
    pthread_cond_broadcast(&vm->room->changed);
    pthread_mutex_unlock(&vm->room->lock);
}

static int open_serial(struct emu_vm *vm, struct vmcp_error *err)
{
    int rc = 0;
    if (!vm->serial) {
        auto_buf struct vmcp_buf path = VMCP_BUF(PATH_BYTES_MAX);
        struct emu_serial *serial = NULL;
        vmcp_buf_addf(&path, "%s/%s-%" PRIu64 ".serial.log", vm->room->folder, vm->name, vm->id);
        rc = vmcp_buf_check(&path, "a serial port log's path", err);
        if (rc == 0)
            rc = emu_serial_new(path.data, &serial, err);
        pthread_mutex_lock(&vm->room->lock); /* others look for it there */
        vm->serial = serial;
        pthread_mutex_unlock(&vm->room->lock);
    }
    return rc < 0 ? rc : emu_serial_open(vm->serial, err);
}

int emu_room_boot(struct emu_room *room, const struct emu_vm_spec *spec, struct vmcp_error *err)
{
    if (!room->driver)
        return 0;
    struct emu_vm *vm = NULL;
    int rc = claim(room, spec, &vm, err);
    if (rc < 0)
        return rc;
    power_off(vm); /* a guest that ended by itself leaves its network behind */
    snprintf(vm->name, sizeof(vm->name), "%s", spec->name);
    snprintf(vm->hostname, sizeof(vm->hostname), "%s", spec->hostname);
    vm->ip = spec->ip;
    vm->deadline = 0;
    vm->limits = emu_limits_of(spec->cpus, spec->memory_mb);
    rc = open_serial(vm, err);
    if (rc == 0) {
        vm->dirty = true;
        rc = room->driver->boot(vm, err);
    }
    if (rc < 0)
        power_off(vm);
    unclaim(vm, rc == 0);
    return rc;
}

void emu_room_mute(struct emu_room *room)
{
    pthread_mutex_lock(&room->lock);
    room->options.ended = NULL;
    pthread_mutex_unlock(&room->lock);
}

bool emu_room_ending(struct emu_room *room, uint64_t id, bool ask, int limit_ms)
{
    if (!room->driver)
        return false;
    pthread_mutex_lock(&room->lock);
    struct emu_vm *vm = find(room, id);
    bool alive = vm && vm->alive && !vm->busy;
    if (alive && !vm->deadline) {
        vm->deadline = http_now_ms() + limit_ms;
        if (ask)
            room->driver->ask(vm);
    }
    bool waiting = alive && http_now_ms() < vm->deadline;
    pthread_mutex_unlock(&room->lock);
    return waiting;
}

void emu_room_halt(struct emu_room *room, uint64_t id)
{
    pthread_mutex_lock(&room->lock);
    struct emu_vm *vm = find(room, id);
    while (vm && vm->busy)
        pthread_cond_wait(&room->changed, &room->lock);
    if (vm)
        vm->busy = true;
    pthread_mutex_unlock(&room->lock);
    if (!vm)
        return;
    power_off(vm);
    unclaim(vm, false);
}

bool emu_room_running(struct emu_room *room, uint64_t id)
{
    if (!room->driver)
        return true;
    pthread_mutex_lock(&room->lock);
    const struct emu_vm *vm = find(room, id);
    bool alive = vm && vm->alive;
    pthread_mutex_unlock(&room->lock);
    return alive;
}

int emu_room_serial(struct emu_room *room, uint64_t id, uint64_t start, struct vmcp_buf *out,
                    uint64_t *ret_next, struct vmcp_error *err)
{
    pthread_mutex_lock(&room->lock);
    const struct emu_vm *vm = find(room, id);
    struct emu_serial *serial = vm ? vm->serial : NULL; /* lives as long as the room */
    pthread_mutex_unlock(&room->lock);
    if (serial)
        return emu_serial_read(serial, start, out, ret_next, err);
    *ret_next = 0;
    return 0;
}
