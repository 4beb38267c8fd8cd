/* SPDX-License-Identifier: Apache-2.0 */
#include "instance.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "lib/limits.h"
#include "lib/name.h"
#include "operation.h"
#include "resource.h"

static const char *text(const json_t *value)
{
    const char *s = json_string_value(value);
    return s ? s : "";
}

int launch_instance_get(const struct launch_compute *compute, const char *zone, const char *name,
                        json_t **ret, struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX];
    json_auto_t *instance = NULL;
    snprintf(path, sizeof(path), "projects/%s/zones/%s/instances/%s", compute->project, zone, name);
    int rc = launch_compute_get(compute, path, &instance, err);
    if (rc < 0)
        return vmcp_error_locate(err, path);
    if (instance &&
        (!launch_is_id(launch_instance_id(instance)) || !*launch_instance_status(instance)))
        return vmcp_fail_at(err, VMCP_E_API, path, "the answer is not an instance");
    *ret = steal(&instance);
    return 0;
}

/* One write to an instance, and the operation that it starts. */
static int change(const struct launch_compute *compute, const char *method, const char *zone,
                  const char *id, const char *what, int timeout, bool *ret_gone,
                  struct vmcp_error *err)
{
    char path[LAUNCH_PATH_MAX], request[VMCP_JTI_LEN + 1];
    auto_reply struct launch_reply reply = {0};
    int rc = vmcp_uuid_make(request, err);
    if (rc < 0)
        return rc;
    snprintf(path, sizeof(path), "projects/%s/zones/%s/instances/%s%s%s?requestId=%s",
             compute->project, zone, id, *what ? "/" : "", what, request);
    rc = launch_compute_call(compute, method, path, NULL, 0, 0, &reply, err);
    *ret_gone = rc == 0 && launch_reply_is_absence(&reply);
    if (rc == 0)
        rc = launch_reply_check(compute, &reply, err);
    if (rc < 0)
        return rc;
    return launch_operation_follow(compute, zone, reply.json, timeout, NULL, err);
}

int launch_instance_act(const struct launch_compute *compute, const char *zone, const char *id,
                        const char *what, int timeout, struct vmcp_error *err)
{
    bool gone = false;
    return change(compute, "POST", zone, id, what, timeout, &gone, err);
}

int launch_instance_delete(const struct launch_compute *compute, const char *zone, const char *id,
                           int timeout, struct vmcp_error *err)
{
    bool gone = false;
    int rc = change(compute, "DELETE", zone, id, "", timeout, &gone, err);
    return gone ? 0 : rc;
}

const char *launch_instance_id(const json_t *instance)
{
    return text(json_object_get(instance, "id"));
}

const char *launch_instance_status(const json_t *instance)
{
    return text(json_object_get(instance, "status"));
}

/* An address literal and nothing else: it is printed, and connected to. */
static const char *address(const json_t *value)
{
    unsigned char bytes[16];
    const char *s = text(value);
    return inet_pton(AF_INET, s, bytes) == 1 || inet_pton(AF_INET6, s, bytes) == 1 ? s : "";
}

static const json_t *first_interface(const json_t *instance)
{
    return json_array_get(json_object_get(instance, "networkInterfaces"), 0);
}

const char *launch_instance_internal_ip(const json_t *instance)
{
    return address(json_object_get(first_interface(instance), "networkIP"));
}

const char *launch_instance_external_ip(const json_t *instance)
{
    const json_t *configs = json_object_get(first_interface(instance), "accessConfigs");
    return address(json_object_get(json_array_get(configs, 0), "natIP"));
}
