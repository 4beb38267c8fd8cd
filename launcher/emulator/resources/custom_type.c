/* SPDX-License-Identifier: Apache-2.0 */
#include "custom_type.h"

#include <stdio.h>
#include <string.h>

enum { GB = 1024, MEMORY_STEP = 256 };

/* What a series takes. All memory in MB. */
struct series {
    const char *prefix; /* of the name, up to the vCPUs */
    int cpus_min, cpus_max;
    int per_cpu_min, per_cpu_max;
    int total_max;    /* 0: vCPUs and the maximum for each of them decide */
    int extended_max; /* 0: no extended memory */
    bool (*cpus_fit)(int cpus);
};

static bool one_or_even(int cpus)
{
    return cpus == 1 || cpus % 2 == 0;
}

static bool even(int cpus)
{
    return cpus % 2 == 0;
}

static bool even_then_fours(int cpus)
{
    return cpus <= 32 ? cpus % 2 == 0 : cpus % 4 == 0;
}

static bool n2d_sizes(int cpus)
{
    return cpus == 2 || cpus == 4 || cpus == 8 || cpus % 16 == 0;
}

static const struct series all[] = {
    {"custom-", 1, 96, 922, 6656, 0, 624 * GB, one_or_even},
    {"n1-custom-", 1, 96, 922, 6656, 0, 624 * GB, one_or_even},
    {"n2-custom-", 2, 128, 512, 8192, 0, 640 * GB, even_then_fours},
    {"n2d-custom-", 2, 96, 512, 8192, 0, 768 * GB, n2d_sizes},
    {"e2-custom-", 2, 32, 512, 8192, 128 * GB, 0, even},
};

/* E2 with a share of a core: two vCPUs are seen, the memory is bounded in all. */
static const struct {
    const char *prefix;
    int min, max;
} shared[] = {
    {"e2-custom-micro-", 1 * GB, 2 * GB},
    {"e2-custom-small-", 2 * GB, 4 * GB},
    {"e2-custom-medium-", 4 * GB, 8 * GB},
};

/* A decimal of at most 7 digits without a leading zero; moves *text behind it. -1: none. */
static int number(const char **text)
{
    const char *p = *text;
    int n = 0, digits = 0;
    if (*p == '0')
        return -1;
    for (; *p >= '0' && *p <= '9' && digits < 8; p++, digits++)
        n = n * 10 + (*p - '0');
    if (digits == 0 || digits > 7)
        return -1;
    *text = p;
    return n;
}

static bool parse_shared(const char *name, struct emu_machine_type *ret, char *why, size_t size)
{
    for (size_t i = 0; i < sizeof(shared) / sizeof(shared[0]); i++) {
        size_t len = strlen(shared[i].prefix);
        if (strncmp(name, shared[i].prefix, len) != 0)
            continue;
        const char *rest = name + len;
        int mb = number(&rest);
        if (mb < 0 || *rest)
            return false;
        if (mb < shared[i].min || mb > shared[i].max || mb % MEMORY_STEP != 0) {
            snprintf(why, size, "Memory must be %d to %d MB in steps of %d MB.", shared[i].min,
                     shared[i].max, MEMORY_STEP);
            return false;
        }
        ret->cpus = 2;
        ret->memory_mb = mb;
        ret->shared = true;
        return true;
    }
    return false;
}

static bool check(const struct series *s, int cpus, int mb, bool extended, char *why, size_t size)
{
    if (cpus < s->cpus_min || cpus > s->cpus_max || !s->cpus_fit(cpus)) {
        snprintf(why, size, "Number of CPUs %d is not valid for this series.", cpus);
        return false;
    }
    if (mb % MEMORY_STEP != 0) {
        snprintf(why, size, "Memory size must be a multiple of %d MiB.", MEMORY_STEP);
        return false;
    }
    if (extended && s->extended_max == 0) {
        snprintf(why, size, "This series has no extended memory.");
        return false;
    }
    /* Real bounds are whole steps: 922 MB for each of 2 vCPUs becomes 1844, then 2048. */
    int min = s->per_cpu_min * cpus, max = s->per_cpu_max * cpus;
    if (s->total_max && max > s->total_max)
        max = s->total_max;
    if (extended)
        max = s->extended_max;
    if (mb < min || mb > max) {
        snprintf(why, size, "Memory size for %d vCPUs should be between %d MiB and %d MiB.", cpus,
                 min, max);
        return false;
    }
    return true;
}

bool emu_custom_type_parse(const char *name, struct emu_machine_type *ret, char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    *ret = (struct emu_machine_type){0};
    if (strlen(name) >= sizeof(ret->name))
        return false;
    snprintf(ret->name, sizeof(ret->name), "%s", name);
    if (parse_shared(name, ret, why, size))
        return true;
    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]) && !*why; i++) {
        size_t len = strlen(all[i].prefix);
        if (strncmp(name, all[i].prefix, len) != 0)
            continue;
        const char *rest = name + len;
        int cpus = number(&rest);
        if (cpus < 0 || *rest++ != '-')
            continue;
        int mb = number(&rest);
        bool extended = strcmp(rest, "-ext") == 0;
        if (mb < 0 || (*rest && !extended))
            continue;
        if (!check(&all[i], cpus, mb, extended, why, size))
            return false;
        ret->cpus = cpus;
        ret->memory_mb = mb;
        return true;
    }
    return false;
}
