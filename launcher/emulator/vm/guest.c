/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "driver.h"
#include "env.h"
#include "lib/auto.h"

enum { OWN_VARIABLES = 6, ZONE_MAX = 63 };

int emu_guest_env(const struct emu_vm *vm, const char *metadata, const char *api, const char *home,
                  const char *tmp, char ***ret, struct vmcp_error *err)
{
    char zone[ZONE_MAX + 1];
    bool zoned = emu_vm_zone(vm, zone, sizeof(zone));
    auto_env char **cloud = NULL;
    int rc =
        emu_env_list(metadata, api, vm->room->options.project, zoned ? zone : NULL, &cloud, err);
    if (rc < 0)
        return rc;
    size_t count = 0;
    while (cloud[count])
        count++;
    auto_env char **env = calloc(count + OWN_VARIABLES + 1, sizeof(*env));
    if (!env)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the guest's environment");
    const char *const own[OWN_VARIABLES][2] = {
        {"PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"},
        {"HOME", home},
        {"TMPDIR", tmp},
        {"LANG", "C.UTF-8"},
        {"SHELL", "/bin/bash"},
        {"HOSTNAME", vm->name},
    };
    size_t at = 0;
    for (size_t i = 0; i < OWN_VARIABLES; i++)
        if (asprintf(&env[at++], "%s=%s", own[i][0], own[i][1]) < 0) {
            env[at - 1] = NULL; /* asprintf leaves it undefined */
            return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the guest's environment");
        }
    for (size_t i = 0; i < count; i++)
        env[at++] = steal(&cloud[i]);
    *ret = steal(&env);
    return 0;
}
