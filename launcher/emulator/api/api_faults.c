/* SPDX-License-Identifier: Apache-2.0 */
/* /emulator/faults: the faults that calls of the Compute API are to meet. */
#include <arpa/inet.h>
#include <netinet/in.h>

#include "api.h"
#include "base/json_values.h"
#include "faults.h"
#include "methods.h"
#include "schema.h"

static const struct emu_field fields[] = {
    {"after", 'i', NULL},
    {"count", 'i', NULL},
    {"fault", 's', NULL},
    {"latencyMs", 'i', NULL},
    {"method", 's', NULL},
    {"retryAfter", 'i', NULL},
    {0},
};

/* The VMs cannot ask for faults: they are whom it is tested on. */
static int check_peer(const struct emu_cloud *cloud, const struct http_request *req,
                      struct emu_refusal *why)
{
    const struct sockaddr_in *peer = (const struct sockaddr_in *)&req->peer;
    uint32_t subnet = emu_room_subnet(cloud->room);
    uint32_t address = peer->sin_family == AF_INET ? ntohl(peer->sin_addr.s_addr) : 0;
    if (address - subnet >= EMU_SUBNET_SIZE)
        return 0;
    return emu_refuse(why, 403, "forbidden", "Faults are not for the VMs to make.");
}

/* A fault that no call can meet makes a test pass that should not. */
static int check_method(const json_t *body, struct emu_refusal *why)
{
    const char *pattern = emu_text_at(body, "method");
    const struct emu_method *method = NULL;
    if (!pattern || !*pattern)
        return 0; /* told by emu_faults_add() */
    for (size_t i = 0; (method = emu_method_at(i)); i++)
        if (emu_faults_name(pattern, method->id))
            return 0;
    return emu_refuse_field(why, "method", pattern,
                            "There is no such method here; instances.insert is one, instances.* "
                            "and * name several.");
}

static int run(struct emu_cloud *cloud, const struct http_request *req, json_t **ret,
               struct emu_refusal *why)
{
    json_auto_t *body = NULL;
    int rc = check_peer(cloud, req, why);
    if (rc < 0)
        return rc;
    if (req->method[0] == 'P') {
        rc = emu_schema_read(req, fields, &body, why);
        if (rc == 0)
            rc = check_method(body, why);
        return rc < 0 ? rc : emu_faults_add(cloud->faults, body, ret, why);
    }
    if (req->method[0] == 'D') {
        const char *id = req->segments[0];
        if (!emu_faults_remove(cloud->faults, id))
            return emu_refuse(why, 404, "notFound", "There is no fault %s.", id);
        *ret = json_object();
        return 0;
    }
    json_t *items = emu_faults_list(cloud->faults);
    *ret = json_pack("{s:o}", "items", items);
    return 0;
}

void emu_api_faults(void *app, const struct http_request *req, struct http_reply *reply)
{
    struct emu_refusal why = {0};
    json_auto_t *answer = NULL;
    if (run(app, req, &answer, &why) < 0)
        emu_refusal_reply(&why, reply);
    else
        http_reply_json(reply, 200, answer);
}
