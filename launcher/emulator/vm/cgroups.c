/* SPDX-License-Identifier: Apache-2.0 */
#include "cgroups.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "cgroup_mounts.h"
#include "lib/auto.h"

#define PREFIX "gce-emulator-"

enum { PERIOD_US = 100000, GONE_TRIES = 100, GONE_WAIT_MS = 10 };

static const struct controller {
    unsigned bit;
    const char *name;
} controllers[] = {
    {EMU_CGROUP_MEMORY, "memory"}, {EMU_CGROUP_PIDS, "pids"}, {EMU_CGROUP_CPU, "cpu"}};

enum { CONTROLLERS = sizeof(controllers) / sizeof(controllers[0]) };

static int write_file(const char *folder, const char *name, const char *text)
{
    char path[EMU_CGROUP_PATH_MAX + 64];
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    return fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text) ? 0 : -1;
}

/* The controllers that a v2 group has for its children. */
static unsigned handed_on(const char *folder)
{
    char path[EMU_CGROUP_PATH_MAX + 64];
    char word[32];
    unsigned found = 0;
    snprintf(path, sizeof(path), "%s/cgroup.subtree_control", folder);
    auto_fclose FILE *file = fopen(path, "re");
    while (file && fscanf(file, "%31s", word) == 1)
        for (size_t i = 0; i < CONTROLLERS; i++)
            if (strcmp(word, controllers[i].name) == 0)
                found |= controllers[i].bit;
    return found;
}

/* Ask for each by itself: one that is not there fails the whole write. */
static void hand_on(const char *folder)
{
    char text[16];
    for (size_t i = 0; i < CONTROLLERS; i++) {
        snprintf(text, sizeof(text), "+%s", controllers[i].name);
        (void)!write_file(folder, "cgroup.subtree_control", text); /* handed_on() shows it */
    }
}

/* The groups below, which have none below them, and the group itself. */
static void remove_group(const char *path)
{
    DIR *dir = opendir(path);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char below[EMU_CGROUP_PATH_MAX + 256];
        snprintf(below, sizeof(below), "%s/%s", path, entry->d_name);
        if (entry->d_name[0] != '.')
            (void)!rmdir(below); /* not a file, nor a group with something alive in it */
    }
    if (dir)
        closedir(dir);
    (void)!rmdir(path); /* the next start tries again */
}

/* A folder of ours that nobody has locked is that of an emulator which is no more. */
static void remove_leftovers(const char *parent)
{
    DIR *dir = opendir(parent);
    const struct dirent *entry;
    while (dir && (entry = readdir(dir))) {
        char path[EMU_CGROUP_PATH_MAX + 256];
        if (strncmp(entry->d_name, PREFIX, sizeof(PREFIX) - 1) != 0)
            continue;
        snprintf(path, sizeof(path), "%s/%s", parent, entry->d_name);
        auto_close int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (fd >= 0 && flock(fd, LOCK_EX | LOCK_NB) == 0)
            remove_group(path);
    }
    if (dir)
        closedir(dir);
}

/* Our folder below `parent`, locked. Another emulator that starts now may take it for a leftover
 * before it is locked: then it is gone, and is made again. */
static bool make_place(struct emu_cgroups *cgroups, const char *parent, unsigned wanted, bool v2)
{
    struct emu_cgroup_place *place = &cgroups->places[cgroups->count];
    int len = snprintf(place->path, sizeof(place->path), "%s/" PREFIX "%d", parent, (int)getpid());
    if (len >= (int)sizeof(place->path) - 32)
        return false;
    remove_leftovers(parent);
    for (int i = 0; i < 3; i++) {
        struct stat st;
        if (mkdir(place->path, 0755) < 0 && errno != EEXIST)
            return false;
        place->lock = open(place->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
        if (place->lock < 0)
            continue;
        if (flock(place->lock, LOCK_EX | LOCK_NB) == 0 && fstat(place->lock, &st) == 0 &&
            access(place->path, W_OK) == 0) {
            if (v2)
                hand_on(place->path);
            place->controllers = v2 ? handed_on(place->path) & wanted : wanted;
            place->v2 = v2;
            cgroups->controllers |= place->controllers;
            cgroups->count++;
            return true;
        }
        close(place->lock);
    }
    return false;
}

/* v2: from our own group upwards, the first that hands on what is needed. Its own group is one with
 * processes in it, which hands nothing on, but for the root (cgroups(7), "no internal processes").
 */
static void open_unified(struct emu_cgroups *cgroups)
{
    char path[EMU_CGROUP_PATH_MAX];
    const unsigned needed = EMU_CGROUP_MEMORY | EMU_CGROUP_PIDS;
    size_t top = emu_cgroup_unified(path);
    if (!top)
        return;
    hand_on(path);
    for (;;) {
        if ((handed_on(path) & needed) == needed && make_place(cgroups, path, EMU_CGROUP_ALL, true))
            return;
        char *slash = strrchr(path, '/');
        if (!slash || (size_t)(slash - path) < top)
            return;
        *slash = '\0';
    }
}

void emu_cgroups_open(struct emu_cgroups *cgroups)
{
    *cgroups = (struct emu_cgroups){0};
    open_unified(cgroups);
    for (size_t i = 0; i < CONTROLLERS && cgroups->count < EMU_CGROUP_PLACES; i++) {
        char path[EMU_CGROUP_PATH_MAX];
        if (cgroups->controllers & controllers[i].bit ||
            !emu_cgroup_legacy(controllers[i].name, path))
            continue;
        (void)!make_place(cgroups, path, controllers[i].bit, false); /* no right to, perhaps */
    }
}

void emu_cgroups_close(struct emu_cgroups *cgroups)
{
    for (size_t i = 0; i < cgroups->count; i++) {
        remove_group(cgroups->places[i].path);
        close(cgroups->places[i].lock);
    }
    *cgroups = (struct emu_cgroups){0};
}

static int set_limits(const struct emu_cgroup_place *place, const char *path,
                      const struct emu_limits *limits)
{
    char text[64];
    int bad = 0;
    if (place->controllers & EMU_CGROUP_MEMORY) {
        snprintf(text, sizeof(text), "%lld", (long long)limits->memory_mb << 20);
        bad |= write_file(path, place->v2 ? "memory.max" : "memory.limit_in_bytes", text);
        if (place->v2) /* not there where the kernel does not count swap */
            (void)!write_file(path, "memory.swap.max", "0");
    }
    if (place->controllers & EMU_CGROUP_PIDS) {
        snprintf(text, sizeof(text), "%d", limits->processes);
        bad |= write_file(path, "pids.max", text);
    }
    if (place->controllers & EMU_CGROUP_CPU) {
        if (place->v2)
            snprintf(text, sizeof(text), "%d %d", limits->cpus * PERIOD_US, PERIOD_US);
        else
            snprintf(text, sizeof(text), "%d", limits->cpus * PERIOD_US);
        bad |= write_file(path, place->v2 ? "cpu.max" : "cpu.cfs_quota_us", text);
    }
    return bad;
}

int emu_cgroups_make(const struct emu_cgroups *cgroups, unsigned number,
                     const struct emu_limits *limits, int ret_procs[static EMU_CGROUP_PLACES],
                     size_t *ret_count, struct vmcp_error *err)
{
    size_t count = 0;
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < cgroups->count; i++) {
        const struct emu_cgroup_place *place = &cgroups->places[i];
        char path[EMU_CGROUP_PATH_MAX + 32];
        char procs[EMU_CGROUP_PATH_MAX + 64];
        snprintf(path, sizeof(path), "%s/vm-%u", place->path, number);
        snprintf(procs, sizeof(procs), "%s/cgroup.procs", path);
        if ((mkdir(path, 0755) < 0 && errno != EEXIST) || set_limits(place, path, limits) < 0 ||
            (ret_procs[count] = open(procs, O_WRONLY | O_CLOEXEC)) < 0)
            rc = vmcp_fail_at(err, VMCP_E_INTERNAL, path, "cannot limit a VM: %m");
        else
            count++;
    }
    while (rc < 0 && count)
        close(ret_procs[--count]);
    *ret_count = count;
    return rc;
}

/* The last ones may still be on their way out. */
void emu_cgroups_remove(const struct emu_cgroups *cgroups, unsigned number)
{
    for (size_t i = 0; i < cgroups->count; i++) {
        char path[EMU_CGROUP_PATH_MAX + 32];
        snprintf(path, sizeof(path), "%s/vm-%u", cgroups->places[i].path, number);
        if (cgroups->places[i].v2)
            (void)!write_file(path, "cgroup.kill", "1"); /* since Linux 5.14; they are dead */
        for (int try = 0; try < GONE_TRIES && rmdir(path) < 0 && errno == EBUSY; try++)
            nanosleep(&(struct timespec){.tv_nsec = GONE_WAIT_MS * 1000000L}, NULL);
    }
}
