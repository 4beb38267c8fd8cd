/* SPDX-License-Identifier: Apache-2.0 */
#include "accelerators.h"

#include <string.h>

#include "base/ref.h"

static const struct {
    const char *name, *about;
    int most; /* in one instance */
} types[] = {
    {"nvidia-l4", "NVIDIA L4", 8},
    {"nvidia-tesla-a100", "NVIDIA A100 40GB", 16},
    {"nvidia-tesla-p100", "NVIDIA Tesla P100", 4},
    {"nvidia-tesla-t4", "NVIDIA T4", 4},
    {"nvidia-tesla-v100", "NVIDIA V100", 8},
};

enum { TYPE_COUNT = sizeof(types) / sizeof(types[0]) };

const char *emu_accelerator_at(size_t index)
{
    return index < TYPE_COUNT ? types[index].name : NULL;
}

json_t *emu_accelerator_resource(const char *name, const char *project, const char *zone)
{
    size_t i = 0;
    while (i < TYPE_COUNT && strcmp(types[i].name, name) != 0)
        i++;
    if (i == TYPE_COUNT)
        return NULL;
    return json_pack(
        "{s:s, s:o, s:s, s:s, s:s, s:i, s:o, s:o}", "kind", "compute#acceleratorType", "id",
        json_sprintf("%zu", 10001 + i), "creationTimestamp", "1969-12-31T16:00:00.000-08:00",
        "name", name, "description", types[i].about, "maximumCardsPerInstance", types[i].most,
        "zone", json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s", project, zone), "selfLink",
        json_sprintf(EMU_COMPUTE_BASE "/projects/%s/zones/%s/acceleratorTypes/%s", project, zone,
                     name));
}
