/* SPDX-License-Identifier: Apache-2.0 */
#include "machine_types.h"

#include <openssl/sha.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/ref.h"
#include "custom_type.h"

enum { SIZES_MAX = 12 };

/* A line of predefined types: PREFIX-N for each N, or PREFIX alone where N is 0. */
static const struct line {
    const char *prefix;
    int tenth_mb_per_cpu; /* memory for each vCPU in tenths of a MB; in MB for a fixed type */
    int cpus;             /* a fixed type's vCPUs */
    bool shared;
    int sizes[SIZES_MAX]; /* ends in 0 */
} lines[] = {
    {"e2-micro", 1024, 2, true, {0}},
    {"e2-small", 2048, 2, true, {0}},
    {"e2-medium", 4096, 2, true, {0}},
    {"e2-standard", 40960, 0, false, {2, 4, 8, 16, 32}},
    {"e2-highmem", 81920, 0, false, {2, 4, 8, 16}},
    {"e2-highcpu", 10240, 0, false, {2, 4, 8, 16, 32}},
    {"f1-micro", 614, 1, true, {0}},
    {"g1-small", 1740, 1, true, {0}},
    {"n1-standard", 38400, 0, false, {1, 2, 4, 8, 16, 32, 64, 96}},
    {"n1-highmem", 66560, 0, false, {2, 4, 8, 16, 32, 64, 96}},
    {"n1-highcpu", 9216, 0, false, {2, 4, 8, 16, 32, 64, 96}},
    {"n2-standard", 40960, 0, false, {2, 4, 8, 16, 32, 48, 64, 80, 96, 128}},
    {"n2-highmem", 81920, 0, false, {2, 4, 8, 16, 32, 48, 64, 80, 96}},
    {"n2-highcpu", 10240, 0, false, {2, 4, 8, 16, 32, 48, 64, 80, 96}},
    {"n2d-standard", 40960, 0, false, {2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224}},
    {"n2d-highcpu", 10240, 0, false, {2, 4, 8, 16, 32, 48, 64, 80, 96, 128, 224}},
    {"t2d-standard", 40960, 0, false, {1, 2, 4, 8, 16, 32, 48, 60}},
};

enum { LINE_COUNT = sizeof(lines) / sizeof(lines[0]) };

static void fill(const struct line *line, size_t size, struct emu_machine_type *ret)
{
    int n = line->sizes[size];
    *ret = (struct emu_machine_type){.cpus = n, .shared = line->shared};
    if (line->cpus) {
        ret->cpus = line->cpus;
        ret->memory_mb = line->tenth_mb_per_cpu;
        snprintf(ret->name, sizeof(ret->name), "%s", line->prefix);
    } else {
        ret->memory_mb = line->tenth_mb_per_cpu * n / 10;
        snprintf(ret->name, sizeof(ret->name), "%s-%d", line->prefix, n);
    }
}

bool emu_machine_type_at(size_t index, struct emu_machine_type *ret)
{
    for (size_t i = 0; i < LINE_COUNT; i++) {
        size_t count = lines[i].cpus ? 1 : 0;
        while (!lines[i].cpus && count < SIZES_MAX && lines[i].sizes[count])
            count++;
        if (index < count) {
            fill(&lines[i], index, ret);
            return true;
        }
        index -= count;
    }
    return false;
}

bool emu_machine_type_find(const char *name, struct emu_machine_type *ret, char *why, size_t size)
{
    snprintf(why, size, "%s", "");
    for (size_t i = 0; emu_machine_type_at(i, ret); i++)
        if (strcmp(ret->name, name) == 0)
            return true;
    return emu_custom_type_parse(name, ret, why, size);
}

json_t *emu_machine_type_resource(const struct emu_machine_type *type, const char *project,
                                  const char *zone)
{
    /* A number that stays the same for the name, as Google's do. */
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)type->name, strlen(type->name), digest);
    unsigned id = (unsigned)digest[0] << 16 | (unsigned)digest[1] << 8 | digest[2];
    char about[64];
    snprintf(about, sizeof(about), "%d vCPU%s, %.4g GB RAM", type->cpus, type->cpus == 1 ? "" : "s",
             type->memory_mb / 1024.0);
    return json_pack("{s:s, s:o, s:s, s:s, s:s, s:i, s:i, s:i, s:i, s:s, s:s, s:o, s:b, s:s}",
                     "kind", "compute#machineType", "id", json_sprintf("%u", 1000 + id),
                     "creationTimestamp", "1969-12-31T16:00:00.000-08:00", "name", type->name,
                     "description", about, "guestCpus", type->cpus, "memoryMb", type->memory_mb,
                     "imageSpaceGb", 0, "maximumPersistentDisks", type->shared ? 16 : 128,
                     "maximumPersistentDisksSizeGb", type->shared ? "3072" : "263168", "zone", zone,
                     "selfLink",
                     json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/machineTypes/%s", project,
                                  zone, type->name),
                     "isSharedCpu", (int)type->shared, "architecture", "X86_64");
}
