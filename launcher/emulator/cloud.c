/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

void emu_cloud_name(struct emu_cloud *cloud, const char *project)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)project, strlen(project), digest);
    cloud->project = project;
    for (int i = 0; i < EMU_NUMBER_LEN; i++)
        cloud->number[i] = (char)(i == 0 ? '1' + digest[i] % 9 : '0' + digest[i] % 10);
    snprintf(cloud->default_account, sizeof(cloud->default_account),
             "%s-compute@developer.gserviceaccount.com", cloud->number);
}

bool emu_cloud_is_project(const struct emu_cloud *cloud, const char *name)
{
    return strcmp(name, cloud->project) == 0 || strcmp(name, cloud->number) == 0;
}

void emu_cloud_refresh(struct emu_cloud *cloud, const struct emu_instance *instance)
{
    const struct emu_tree_project project = {.id = cloud->project, .number = cloud->number};
    struct vmcp_error err = {0};
    /* Without memory the VM keeps its old view. */
    if (emu_views_put(cloud->views, &project, instance, false, &err) == 0)
        http_server_wake(cloud->metadata);
}

void emu_cloud_forget(struct emu_cloud *cloud, const struct emu_instance *instance)
{
    emu_views_drop(cloud->views, instance->ip);
    http_server_wake(cloud->metadata);
}
