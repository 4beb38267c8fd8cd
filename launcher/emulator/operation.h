/* SPDX-License-Identifier: Apache-2.0 */
/* operation.h - operations: what was asked for and is being done. PENDING, RUNNING, DONE.
 *
 * DONE does not mean success: then `error` says what went wrong. An operation is kept as long as
 * the state is.
 */
#ifndef EMU_OPERATION_H
#define EMU_OPERATION_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "store.h"

enum { EMU_OPERATION_NAME_MAX = 63 };

struct emu_operation {
    uint64_t id; /* 0: none */
    char name[EMU_OPERATION_NAME_MAX + 1];
    uint64_t target;  /* an instance's id */
    json_t *resource; /* owned: what zoneOperations.get answers */
};

void emu_operation_clear(struct emu_operation *operation);
#define auto_operation VMCP_AUTO(emu_operation_clear)

/* What a new operation is about. All borrowed. */
struct emu_operation_spec {
    const char *project;
    const char *zone;       /* its scope */
    const char *type;       /* "insert", "delete", "start" */
    const char *target;     /* the instance's selfLink */
    const char *user;       /* who asked */
    const char *request_id; /* NULL: none */
    uint64_t target_id;
};

/* Make one, PENDING, in the state. *ret is to be cleared. */
VMCP_MUST_CHECK int emu_operation_begin(struct emu_store *store,
                                        const struct emu_operation_spec *spec,
                                        struct emu_operation *ret, struct vmcp_error *err);

/* Look up by name or numeric id in a zone; the first of a request id; by id. The id of *ret is 0 if
 * there is none. */
VMCP_MUST_CHECK int emu_operation_find(struct emu_store *store, const char *zone,
                                       const char *name_or_id, struct emu_operation *ret,
                                       struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_replay(struct emu_store *store, const char *zone,
                                         const char *type, const char *request_id,
                                         struct emu_operation *ret, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_by_id(struct emu_store *store, uint64_t id,
                                        struct emu_operation *ret, struct vmcp_error *err);

/* Carry one forward and write it: to RUNNING, and to DONE with `error` (borrowed, {code, message},
 * with the HTTP status) or without (NULL). */
VMCP_MUST_CHECK int emu_operation_run(struct emu_store *store, struct emu_operation *operation,
                                      struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_finish(struct emu_store *store, struct emu_operation *operation,
                                         const struct vmcp_error *error, struct vmcp_error *err);

const char *emu_operation_type(const struct emu_operation *operation);
bool emu_operation_is(const struct emu_operation *operation, const char *status);

/* Call `each` for all that are not DONE (id) or all of a zone, in the order they were made. */
typedef int (*emu_operation_each_fn)(void *arg, struct emu_operation *operation);
VMCP_MUST_CHECK int emu_operation_each_open(struct emu_store *store, emu_operation_each_fn each,
                                            void *arg, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_operation_each(struct emu_store *store, const char *zone,
                                       emu_operation_each_fn each, void *arg,
                                       struct vmcp_error *err);

#endif
