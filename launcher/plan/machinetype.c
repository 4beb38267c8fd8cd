/* SPDX-License-Identifier: Apache-2.0 */
#include "machinetype.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
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

static const struct series *find_series(const char *name, size_t len)
{
    for (size_t i = 0; i < sizeof(series_table) / sizeof(*series_table); i++)
        if (strlen(series_table[i].name) == len && memcmp(series_table[i].name, name, len) == 0)
            return &series_table[i];
    return NULL;
}

/* Shared-core shapes: two CPUs are seen, and a part of their time is had. MB in all. */
static int check_shared(const char *name, struct vmcp_error *err)
{
    static const struct {
        const char *prefix;
        long long min, max;
    } shapes[] = {{"e2-custom-micro-", 1024, 2048},
                  {"e2-custom-small-", 2048, 4096},
                  {"e2-custom-medium-", 4096, 8192}};
    for (size_t i = 0; i < sizeof(shapes) / sizeof(*shapes); i++) {
        size_t len = strlen(shapes[i].prefix);
        if (strncmp(name, shapes[i].prefix, len) != 0)
            continue;
        char same[16];
        long long mb = strtoll(name + len, NULL, 10);
        snprintf(same, sizeof(same), "%lld", mb);
        if (strcmp(same, name + len) == 0 && mb >= shapes[i].min && mb <= shapes[i].max &&
            mb % 256 == 0)
            return 0;
        return vmcp_fail(err, VMCP_E_PLAN, "%.40s: %lld to %lld MB in steps of 256 are wanted",
                         name, shapes[i].min, shapes[i].max);
    }
    return vmcp_fail(err, VMCP_E_PLAN, "%.40s is no custom shape: SERIES-custom-CPUS-MB is one",
                     name);
}

static int check_shape(const struct series *s, const char *name, int64_t cpus, int64_t mb,
                       bool extended, struct vmcp_error *err)
{
    int64_t most = extended ? s->memory_max : cpus * s->max_per_cpu;
    if (most > s->memory_max)
        most = s->memory_max;
    if (cpus < 1 || cpus > s->cpus_max || !has_cpus(s, cpus))
        return vmcp_fail(err, VMCP_E_PLAN, "%.40s: series %s has no shape of %lld CPUs", name,
                         s->name, (long long)cpus);
    if (extended && strcmp(s->name, "e2") == 0)
        return vmcp_fail(err, VMCP_E_PLAN, "%.40s: series e2 has no extended memory", name);
    if (mb % 256 != 0 || mb < cpus * s->min_per_cpu || mb > most)
        return vmcp_fail(
            err, VMCP_E_PLAN, "%.40s: with %lld CPUs %lld to %lld MB in steps of 256 are wanted",
            name, (long long)cpus, (long long)round_up(cpus * s->min_per_cpu), (long long)most);
    return 0;
}

int launch_shape_check(const char *name, struct vmcp_error *err)
{
    const char *custom = strncmp(name, "custom-", 7) == 0 ? name : strstr(name, "-custom-");
    long long cpus = 0, mb = 0;
    char rest[8] = "";
    if (!custom)
        return 0;
    bool plain = custom == name; /* n1 has two spellings */
    const struct series *s =
        plain ? find_series("n1", 2) : find_series(name, (size_t)(custom - name));
    const char *numbers = custom + (plain ? 7 : 8);
    if (!s)
        return 0; /* a newer series: the API knows */
    int n = sscanf(numbers, "%9lld-%9lld%7s", &cpus, &mb, rest);
    if (n < 2 && strcmp(s->name, "e2") == 0)
        return check_shared(name, err);
    /* Its one spelling: no sign, no space, no zero first. */
    char same[40];
    snprintf(same, sizeof(same), "%lld-%lld%s", cpus, mb, rest);
    if (n < 2 || (n == 3 && strcmp(rest, "-ext") != 0) || strcmp(same, numbers) != 0)
        return vmcp_fail(err, VMCP_E_PLAN,
                         "%.40s is no custom shape: SERIES-custom-CPUS-MB is one, with -ext for "
                         "extended memory",
                         name);
    return check_shape(s, name, cpus, mb, n == 3, err);
}
