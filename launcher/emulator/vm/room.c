/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#include "driver.h"
#include "lib/auto.h"

enum { DESCRIPTORS_WANTED = 16384 };

/* netns where it works and was not ruled out, else what was asked for. */
static int choose(struct emu_room *room, const char *name, struct vmcp_error *err)
{
    bool automatic = strcmp(name, "auto") == 0;
    if (automatic || strcmp(name, "netns") == 0) {
        struct vmcp_error reason = {0};
        room->driver = &emu_driver_netns;
        int rc = room->driver->setup(room, &reason);
        if (rc == 0)
            return 0;
        room->driver = NULL;
        if (!automatic)
            return vmcp_fail(err, reason.code, "VM driver netns: %s", reason.text);
        snprintf(room->why, sizeof(room->why), "%s", reason.text);
        /* netns may have moved the loop's thread into namespaces: take another. */
        emu_loop_free(room->loop);
        room->loop = NULL;
        rc = emu_loop_new(&room->loop, err);
        if (rc < 0)
            return rc;
    } else {
        snprintf(room->why, sizeof(room->why), "driver %s was asked for", name);
    }
    if (strcmp(name, "none") == 0)
        return 0;
    if (!automatic && strcmp(name, "process") != 0)
        return vmcp_fail(err, VMCP_E_USAGE, "VM driver %s: one of auto, netns, process, none",
                         name);
    room->driver = &emu_driver_process;
    int rc = room->driver->setup(room, err);
    if (rc < 0)
        room->driver = NULL;
    return rc;
}

/* A VM costs seven descriptors and each of its connections one: the usual 1024 end at 100 VMs. */
static void make_room_for_descriptors(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) < 0 || limit.rlim_cur >= DESCRIPTORS_WANTED)
        return;
    limit.rlim_cur = limit.rlim_max < DESCRIPTORS_WANTED ? limit.rlim_max : DESCRIPTORS_WANTED;
    setrlimit(RLIMIT_NOFILE, &limit);
}

int emu_room_new(const struct emu_room_options *options, struct emu_room **ret,
                 struct vmcp_error *err)
{
    struct emu_room *room = calloc(1, sizeof(*room));
    if (!room)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the machine room");
    room->options = *options;
    pthread_mutex_init(&room->lock, NULL);
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&room->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    int rc = 0;
    make_room_for_descriptors();
    snprintf(room->guest_api, sizeof(room->guest_api), "http://%s", options->api_addr_port);
    room->folder = realpath(options->folder, NULL);
    if (!room->folder)
        rc = vmcp_fail_at(err, VMCP_E_FILE, options->folder, "no folder for the VMs' logs: %m");
    if (rc == 0)
        rc = emu_loop_new(&room->loop, err);
    if (rc == 0)
        rc = choose(room, options->driver, err);
    if (rc == 0 && room->driver) {
        emu_cgroups_open(&room->cgroups);
        emu_limits_tell(&room->cgroups, room->limits, sizeof(room->limits));
    }
    if (rc < 0) {
        emu_room_free(room);
        return rc;
    }
    *ret = room;
    return 0;
}

void emu_room_free(struct emu_room *room)
{
    if (!room)
        return;
    pthread_mutex_lock(&room->lock);
    for (struct emu_vm *vm = room->vms; vm; vm = vm->next)
        if (vm->alive) /* all at once: they take a while to die, and need not wait for each other */
            room->driver->kill(vm, false);
    pthread_mutex_unlock(&room->lock);
    for (struct emu_vm *vm = room->vms; vm; vm = vm->next)
        emu_room_halt(room, vm->id);
    if (room->driver)
        room->driver->teardown(room);
    emu_cgroups_close(&room->cgroups);
    emu_loop_free(room->loop);
    while (room->vms) {
        struct emu_vm *vm = room->vms;
        room->vms = vm->next;
        emu_serial_free(vm->serial);
        free(vm);
    }
    pthread_cond_destroy(&room->changed);
    pthread_mutex_destroy(&room->lock);
    free(room->folder);
    free(room);
}

const char *emu_room_driver(const struct emu_room *room)
{
    return room->driver ? room->driver->name : "none";
}

const char *emu_room_limits(const struct emu_room *room)
{
    return room->limits;
}

const char *emu_room_why(const struct emu_room *room)
{
    return room->why;
}

uint32_t emu_room_subnet(const struct emu_room *room)
{
    bool is_process = strcmp(emu_room_driver(room), "process") == 0;
    return is_process ? EMU_ROOM_SUBNET_LOOPBACK : EMU_ROOM_SUBNET;
}

const char *emu_room_guest_api(const struct emu_room *room)
{
    return room->guest_api;
}
