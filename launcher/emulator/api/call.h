/* SPDX-License-Identifier: Apache-2.0 */
/* call.h - one call of the Compute API: who calls, whether they may, and the answer.
 *
 * A method is a row of the table in methods.c and a function that answers it:
 *
 *     {"GET", ZONE, EMU_READS, EMU_PROJECT, "compute.zones.get", "zones.get", emu_zones_get},
 *
 *     int emu_zones_get(struct emu_call *call, json_t **ret, struct emu_refusal *why) { … }
 */
#ifndef EMU_CALL_H
#define EMU_CALL_H

#include <jansson.h>

#include "base/refusal.h"
#include "cloud.h"

enum emu_access { EMU_READS, EMU_CHANGES, EMU_CREDENTIALS }; /* which scopes are enough */

/* Where a path leads: which part of it must name something that is there. */
enum emu_place {
    EMU_PROJECT,   /* projects/P/… */
    EMU_GLOBAL,    /* projects/P/global/COLLECTION… */
    EMU_ZONAL,     /* projects/P/zones/Z/COLLECTION… */
    EMU_REGIONAL,  /* projects/P/regions/R/COLLECTION… */
    EMU_ANYWHERE,  /* like EMU_PROJECT, and public projects too, without a permission there */
    EMU_ELSEWHERE, /* no path of the Compute API */
};

enum { EMU_SCOPE_PATH_MAX = 80, EMU_COLLECTION_MAX = 63, EMU_PATH_NAME_MAX = 127 };

struct emu_call {
    struct emu_cloud *cloud;
    const struct http_request *req;
    const struct emu_method *method;
    const char *project;                /* of the path; borrowed */
    const char *zone;                   /* of the path; NULL if the method has none; borrowed */
    const char *region;                 /* of the path; NULL if the method has none; borrowed */
    char scope[EMU_SCOPE_PATH_MAX + 1]; /* "zones/Z", "regions/R", "global"; "" without one */
    char collection[EMU_COLLECTION_MAX + 1]; /* behind the scope: "disks" */
    char name[EMU_PATH_NAME_MAX + 1];        /* behind the collection; "" if nothing follows */
    char email[EMU_EMAIL_MAX + 1];
    char operation[64]; /* set by the method: the operation that it made, for the log */
    int64_t wait_until; /* set by the method: call it again then, or on a wake; 0: answered */
    bool no_content;    /* set by the method: 204, without a body */
    bool stockout;      /* a fault: what the call starts is to fail for want of machines */
};

/* Answers a call: 0 and *ret, a new reference, or -1 and *why. */
typedef int emu_run_fn(struct emu_call *call, json_t **ret, struct emu_refusal *why);

struct emu_method {
    const char *http;
    const char *path; /* a pattern of http/server.h; the first {…} is the project */
    enum emu_access access;
    enum emu_place place;
    const char *permission; /* asked for on the path; NULL: the method asks by itself */
    const char *id;         /* "instances.insert" */
    emu_run_fn *run;
};

/* Authenticate, authorise, run, answer. */
void emu_call_run(struct emu_cloud *cloud, const struct http_request *req, struct http_reply *reply,
                  const struct emu_method *method);

/* 0 if the caller has the permission on `resource` ("projects/P/zones/Z/instances/I"), else -1. */
VMCP_MUST_CHECK int emu_call_permit(const struct emu_call *call, const char *permission,
                                    const char *resource, struct emu_refusal *why);

/* The permission to make `name` in the collection of the path, "compute.disks.create". */
VMCP_MUST_CHECK int emu_call_permit_new(const struct emu_call *call, const char *permission,
                                        const char *name, struct emu_refusal *why);

/* 404 in Google's words for a resource below /compute/v1/. Returns -1. */
int emu_call_not_found(struct emu_refusal *why, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
/* The same for what the path names. Returns -1. */
int emu_call_nothing_here(const struct emu_call *call, struct emu_refusal *why);

#endif
