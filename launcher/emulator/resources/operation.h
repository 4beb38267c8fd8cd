/* SPDX-License-Identifier: Apache-2.0 */
/* operation.h - operations: what was asked for and is being done. PENDING, RUNNING, DONE.
 *
 * DONE does not mean success: then `error` says what went wrong. The newest EMU_OPERATIONS_KEPT are
 * kept, and those that are not DONE.
 */
#ifndef EMU_OPERATION_H
#define EMU_OPERATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "store.h"

enum { EMU_OPERATION_NAME_MAX = 63, EMU_OPERATIONS_KEPT = 20000 };

/* The error of an operation for which a zone has no machines. */
#define EMU_STOCKOUT "ZONE_RESOURCE_POOL_EXHAUSTED"

struct emu_operation {
    uint64_t id; /* 0: none */
    char name[EMU_OPERATION_NAME_MAX + 1];
    uint64_t target;     /* the id of what it is about */
    char collection[64]; /* where that is: "instances" */
    char fault[64];      /* an error code that it is to end with; "" for none */
    json_t *resource;    /* owned: what zoneOperations.get answers */
};

void emu_operation_clear(struct emu_operation *operation);
#define auto_operation VMCP_AUTO(emu_operation_clear)

/* What a new operation is about. All borrowed. */
struct emu_operation_spec {
    const char *project;
    const char *scope;      /* "zones/Z", "regions/R", "global" */
    const char *collection; /* of the target */
    const char *method;     /* "instances.insert": a request id is one method's */
    const char *type;       /* "insert", "delete", "start" */
    const char *target;     /* the target's selfLink */
    const char *user;       /* who asked */
    const char *request_id; /* NULL: none */
    const char *fault;      /* an error code that it is to end with; NULL: none */
    uint64_t target_id;
    uint64_t batch; /* the id that it shares with others of one bulk insert; 0: none */
};

/* What went wrong, as an operation says it. */
struct emu_failure {
    int status;          /* of HTTP */
    const char *code;    /* "ZONE_RESOURCE_POOL_EXHAUSTED"; a literal */
    const char *summary; /* "SERVICE UNAVAILABLE"; a literal */
    char message[512];
};

/* Make one, PENDING, in the state. *ret is to be cleared. */
VMCP_MUST_CHECK int emu_operation_begin(struct emu_store *store,
                                        const struct emu_operation_spec *spec,
                                        struct emu_operation *ret, struct vmcp_error *err);

/* Look up by name or numeric id in a scope; the first of a request id; by id. The id of *ret is 0
 * if there is none. */
VMCP_MUST_CHECK int emu_operation_find(struct emu_store *store, const char *scope,
                                       const char *name_or_id, struct emu_operation *ret,
                                       struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_replay(struct emu_store *store, const char *scope,
                                         const char *method, const char *request_id,
                                         struct emu_operation *ret, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_by_id(struct emu_store *store, uint64_t id,
                                        struct emu_operation *ret, struct vmcp_error *err);

/* Carry one forward and write it: to RUNNING, and to DONE with `failure` (borrowed) or without
 * (NULL). */
VMCP_MUST_CHECK int emu_operation_run(struct emu_store *store, struct emu_operation *operation,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_finish(struct emu_store *store, struct emu_operation *operation,
                                         const struct emu_failure *failure, struct vmcp_error *err);

const char *emu_operation_type(const struct emu_operation *operation);
bool emu_operation_is(const struct emu_operation *operation, const char *status);

/* Forget one. */
VMCP_MUST_CHECK int emu_operation_delete(struct emu_store *store, uint64_t id,
                                         struct vmcp_error *err);

/* How many instances of a bulk insert are not DONE yet, and how many failed. */
VMCP_MUST_CHECK int emu_operation_count_batch(struct emu_store *store, uint64_t batch,
                                              int64_t *ret_open, int64_t *ret_failed,
                                              struct vmcp_error *err);

/* Call `each` for all that are not DONE or all of a scope (NULL: all), in the order they were made.
 */
typedef int (*emu_operation_each_fn)(void *arg, struct emu_operation *operation);
VMCP_MUST_CHECK int emu_operation_each_open(struct emu_store *store, emu_operation_each_fn each,
                                            void *arg, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_each(struct emu_store *store, const char *scope,
                                       emu_operation_each_fn each, void *arg,
                                       struct vmcp_error *err);

#endif
