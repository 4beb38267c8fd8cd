/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one call of the Compute API: who calls, whether they may, and the answer.
 *
 * A handler names its method and leaves the rest to emu_call_run():
 *
 *     static int get_zone(struct emu_call *call, json_t **ret, struct emu_refusal *why) { … }
 *
 *     void emu_api_get_zone(void *app, const struct http_request *req, struct http_reply *reply)
 *     {
 *         emu_call_run(app, req, reply, &(struct emu_method){
 *             .access = EMU_READS, .permission = "compute.zones.get", .run = get_zone});
 *     }
 */
#ifndef EMU_CALL_H
#define EMU_CALL_H

#include <jansson.h>

#include "cloud.h"
#include "refusal.h"

enum emu_access { EMU_READS, EMU_CHANGES }; /* which scopes are enough */

struct emu_call {
    struct emu_cloud *cloud;
    const struct http_request *req;
    const char *project; /* of the path; borrowed */
    const char *zone;    /* of the path; NULL if the method has none; borrowed */
    char email[EMU_EMAIL_MAX + 1];
    char operation[64]; /* set by the method: the operation that it made, for the log */
    int64_t wait_until; /* set by the method: call it again then, or on a wake; 0: answered */
};

struct emu_method {
    enum emu_access access;
    const char *permission; /* asked for on the path; NULL: the method asks by itself */
    bool zonal;             /* the second {…} of the path is a zone */
    bool any_project;       /* works on public projects too, without a permission there */
    int (*run)(struct emu_call *call, json_t **ret, struct emu_refusal *why);
};

/* Authenticate, authorise, run, answer. */
void emu_call_run(struct emu_cloud *cloud, const struct http_request *req, struct http_reply *reply,
                  const struct emu_method *method);

/* 0 if the caller has the permission on `resource` ("projects/P/zones/Z/instances/I"), else -1. */
VMCP_MUST_CHECK int emu_call_permit(const struct emu_call *call, const char *permission,
                                    const char *resource, struct emu_refusal *why);

/* 404 in Google's words for a resource below /compute/v1/. Returns -1. */
int emu_call_not_found(struct emu_refusal *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
