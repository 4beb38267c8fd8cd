/* SPDX-License-Identifier: Apache-2.0 */
#include "limits.h"

#include <stdio.h>
#include <sys/resource.h>

struct emu_limits emu_limits_of(int cpus, int memory_mb)
{
    int n = cpus < 1 ? 1 : cpus;
    int processes = n < EMU_PROCESSES_MAX / EMU_PROCESSES_PER_CPU ? n * EMU_PROCESSES_PER_CPU
                                                                  : EMU_PROCESSES_MAX;
    return (struct emu_limits){
        .cpus = n, .memory_mb = memory_mb < 256 ? 256 : memory_mb, .processes = processes};
}

static int limit(__rlimit_resource_t what, rlim_t most)
{
    struct rlimit now;
    if (getrlimit(what, &now) < 0)
        return -1;
    if (now.rlim_max != RLIM_INFINITY && now.rlim_max < most)
        most = now.rlim_max; /* it is narrower already */
    return setrlimit(what, &(struct rlimit){.rlim_cur = most, .rlim_max = most});
}

/* RLIMIT_DATA, not RLIMIT_AS: runtimes reserve far more addresses than they use. */
int emu_limits_enter(const struct emu_limits *limits, unsigned controllers)
{
    static const struct rlimit none = {0};
    if (setrlimit(RLIMIT_CORE, &none) < 0)
        return -1;
    if (!(controllers & EMU_CGROUP_MEMORY) &&
        limit(RLIMIT_DATA, (rlim_t)limits->memory_mb << 20) < 0)
        return -1;
    if (!(controllers & EMU_CGROUP_PIDS) && limit(RLIMIT_NPROC, (rlim_t)limits->processes) < 0)
        return -1;
    return 0;
}

void emu_limits_tell(const struct emu_cgroups *cgroups, char *text, size_t size)
{
    unsigned got = cgroups->controllers;
    const char *how = cgroups->count && cgroups->places[0].v2 ? "cgroups v2" : "cgroups v1";
    if (got == EMU_CGROUP_ALL)
        snprintf(text, size, "CPU, memory and processes of each VM, by %s", how);
    else if (!got)
        snprintf(text, size,
                 "processes of each of a VM's users and memory of each process, by rlimits; CPU "
                 "and a VM's memory as a whole are not limited (no right to make cgroups here)");
    else
        snprintf(text, size, "by %s: %s%s%s; by rlimits: %s%s; %s", how,
                 got & EMU_CGROUP_MEMORY ? "memory " : "",
                 got & EMU_CGROUP_PIDS ? "processes " : "", got & EMU_CGROUP_CPU ? "CPU" : "",
                 got & EMU_CGROUP_MEMORY ? "" : "memory of each process ",
                 got & EMU_CGROUP_PIDS ? "" : "processes of each user",
                 got & EMU_CGROUP_CPU ? "CPU is limited" : "CPU is not limited");
}
