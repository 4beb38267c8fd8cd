/* SPDX-License-Identifier: Apache-2.0 */
#include "cloud.h"

#include <openssl/sha.h>
#include <stdio.h>
#include <string.h>

#include "metadata/guest_attributes.h"

void emu_cloud_name(struct emu_cloud *cloud, const char *project, const char *number)
{
    unsigned char digest[SHA256_DIGEST_LENGTH];
    SHA256((const unsigned char *)project, strlen(project), digest);
    cloud->project = project;
    pthread_mutex_init(&cloud->wake_lock, NULL);
    pthread_mutex_init(&cloud->guest_lock, NULL);
    if (number && *number)
        snprintf(cloud->number, sizeof(cloud->number), "%s", number);
    for (int i = 0; i < EMU_NUMBER_LEN && !(number && *number); i++)
        cloud->number[i] = (char)(i == 0 ? '1' + digest[i] % 9 : '0' + digest[i] % 10);
    snprintf(cloud->default_account, sizeof(cloud->default_account),
             "%s-compute@developer.gserviceaccount.com", cloud->number);
}

bool emu_cloud_is_project(const struct emu_cloud *cloud, const char *name)
{
    return strcmp(name, cloud->project) == 0 || strcmp(name, cloud->number) == 0;
}

void emu_cloud_wake(struct emu_cloud *cloud)
{
    http_server_wake(cloud->metadata);
    pthread_mutex_lock(&cloud->wake_lock);
    if (cloud->metadata_tls)
        http_server_wake(cloud->metadata_tls);
    pthread_mutex_unlock(&cloud->wake_lock);
}

void emu_cloud_stop_metadata(struct emu_cloud *cloud, int grace_ms)
{
    pthread_mutex_lock(&cloud->wake_lock);
    struct http_server *tls = cloud->metadata_tls;
    cloud->metadata_tls = NULL;
    pthread_mutex_unlock(&cloud->wake_lock);
    http_server_stop(tls, grace_ms);
    http_server_stop(cloud->metadata, grace_ms);
}

void emu_cloud_refresh(struct emu_cloud *cloud, const struct emu_instance *instance)
{
    const struct emu_tree_project project = {.id = cloud->project, .number = cloud->number};
    struct vmcp_error err = {0};
    json_auto_t *guest = NULL;
    /* Without memory the VM keeps its old view. */
    if (emu_guest_attributes_load(cloud->store, instance->id, &guest, &err) == 0 &&
        emu_views_put(cloud->views, &project, instance, guest, false, &err) == 0)
        emu_cloud_wake(cloud);
}

void emu_cloud_forget(struct emu_cloud *cloud, const struct emu_instance *instance)
{
    struct vmcp_error err = {0};
    emu_views_drop(cloud->views, instance->ip);
    /* What stays behind in the state has an id that no instance will have again. */
    int rc = emu_guest_attributes_drop(cloud->store, instance->id, &err);
    (void)rc;
    emu_cloud_wake(cloud);
}
