/* SPDX-License-Identifier: Apache-2.0 */
#include "env.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { ENV_MAX = 12 };

/* A list that is being made; `failed` once memory ran out. */
struct list {
    char **items;
    size_t count;
    bool failed;
};

static void __attribute__((format(printf, 2, 3))) add(struct list *list, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    char *item = NULL;
    if (list->failed || list->count == ENV_MAX || vasprintf(&item, fmt, args) < 0)
        list->failed = true;
    else
        list->items[list->count++] = item;
    va_end(args);
}

int emu_env_list(const char *metadata_addr_port, const char *api_origin, const char *project,
                 const char *zone, char ***ret, struct vmcp_error *err)
{
    auto_env char **items = calloc(ENV_MAX + 1, sizeof(*items));
    if (!items)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the environment");
    struct list list = {.items = items};
    /* Each client knows another of the three: gcloud ROOT, google-auth HOST and IP, Go HOST. */
    add(&list, "GCE_METADATA_HOST=%s", metadata_addr_port);
    add(&list, "GCE_METADATA_ROOT=%s", metadata_addr_port);
    add(&list, "GCE_METADATA_IP=%s", metadata_addr_port);
    add(&list, "METADATA_SERVER_DETECTION=assume-present");
    add(&list, "CLOUDSDK_API_ENDPOINT_OVERRIDES_COMPUTE=%s/compute/v1/", api_origin);
    add(&list, "CLOUDSDK_API_ENDPOINT_OVERRIDES_IAMCREDENTIALS=%s/", api_origin);
    if (project)
        add(&list, "GOOGLE_CLOUD_PROJECT=%s", project);
    if (zone)
        add(&list, "CLOUDSDK_COMPUTE_ZONE=%s", zone);
    if (list.failed)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the environment");
    *ret = steal(&items);
    return 0;
}

void emu_env_free(char **env)
{
    if (!env)
        return;
    for (size_t i = 0; env[i]; i++)
        free(env[i]);
    free(env);
}

void emu_env_print(char *const *env, struct vmcp_buf *out)
{
    for (; *env; env++) {
        const char *equals = strchr(*env, '=');
        vmcp_buf_addf(out, "export %.*s='", (int)(equals - *env), *env);
        for (const char *p = equals + 1; *p; p++) {
            if (*p == '\'') /* a quote cannot stand inside quotes */
                vmcp_buf_adds(out, "'\\''");
            else
                vmcp_buf_addc(out, *p);
        }
        vmcp_buf_adds(out, "'\n");
    }
}
