/* SPDX-License-Identifier: Apache-2.0 */
#include "machinetype.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>

/* What Compute Engine allows for custom shapes without extended memory. */
static const struct series {
    const char *name;
    const char *prefix;
    int64_t cpus_max;
    int64_t min_per_cpu, max_per_cpu, memory_max; /* MB */
} series_table[] = {
    {"e2", "e2-custom", 32, 512, 8192, 128 * 1024},
    {"n1", "custom", 96, 922, 6656, 624 * 1024},
    {"n2", "n2-custom", 128, 512, 8192, 640 * 1024},
    {"n2d", "n2d-custom", 96, 512, 8192, 768 * 1024},
};

static bool has_cpus(const struct series *s, int64_t cpus)
{
    if (strcmp(s->name, "n1") == 0)
        return cpus == 1 || cpus % 2 == 0;
    if (strcmp(s->name, "n2") == 0)
        return cpus <= 32 ? cpus % 2 == 0 : cpus % 4 == 0;
    if (strcmp(s->name, "n2d") == 0)
        return cpus == 2 || cpus == 4 || cpus == 8 || cpus % 16 == 0;
    return cpus % 2 == 0;
}

/* Memory is a multiple of 256 MB. */
static int64_t round_up(int64_t mb)
{
    return (mb + 255) / 256 * 256;
}

int launch_shape_find(const char *series, int64_t cpus, int64_t memory, struct launch_shape *ret,
                      struct vmcp_error *err)
{
    const struct series *s = NULL;
    for (size_t i = 0; i < sizeof(series_table) / sizeof(*series_table); i++)
        if (strcmp(series_table[i].name, series) == 0)
            s = &series_table[i];
    if (!s)
        return vmcp_fail(
            err, VMCP_E_PLAN,
            "no custom shapes are known for series `%.16s` (e2, n1, n2, n2d are); name "
            "one with gce.machineType",
            series);
    if (cpus < 1 || memory < 1)
        return vmcp_fail(err, VMCP_E_PLAN, "cpus and memory are at least 1");
    for (int64_t n = cpus; n <= s->cpus_max; n++) {
        int64_t most = n * s->max_per_cpu < s->memory_max ? n * s->max_per_cpu : s->memory_max;
        int64_t least = round_up(n * s->min_per_cpu);
        int64_t mb = memory > least ? round_up(memory) : least;
        if (!has_cpus(s, n) || mb > most)
            continue;
        *ret = (struct launch_shape){.cpus = n, .memory = mb};
        snprintf(ret->name, sizeof(ret->name), "%s-%lld-%lld", s->prefix, (long long)n,
                 (long long)mb);
        return 0;
    }
    return vmcp_fail(err, VMCP_E_PLAN,
                     "no custom shape of series %s has %lld CPUs and %lld MB of memory; another "
                     "--series or gce.machineType may",
                     s->name, (long long)cpus, (long long)memory);
}
