/* SPDX-License-Identifier: Apache-2.0 */
/* instance.h - instances: read, start, resume, stop, delete. */
#ifndef LAUNCH_INSTANCE_H
#define LAUNCH_INSTANCE_H

#include <jansson.h>

#include "compute.h"
#include "lib/error.h"

/* GET an instance by name or id. *ret is a new reference; NULL with success where there is none.
 * An answer without a numeric id or status is VMCP_E_API. */
VMCP_MUST_CHECK int launch_instance_get(const struct launch_compute *compute, const char *zone,
                                        const char *name, json_t **ret, struct vmcp_error *err);

/* DELETE an instance, by id, and follow the operation. One that is gone is a success. */
VMCP_MUST_CHECK int launch_instance_delete(const struct launch_compute *compute, const char *zone,
                                           const char *id, int timeout, struct vmcp_error *err);

/* POST `what` ("start", "resume", "stop") to an instance, addressed by id, and follow the
 * operation. */
VMCP_MUST_CHECK int launch_instance_act(const struct launch_compute *compute, const char *zone,
                                        const char *id, const char *what, int timeout,
                                        struct vmcp_error *err);

/* Borrowed strings of an instance that launch_instance_get() gave; "" where absent. */
const char *launch_instance_id(const json_t *instance);
const char *launch_instance_status(const json_t *instance);
const char *launch_instance_internal_ip(const json_t *instance);
const char *launch_instance_external_ip(const json_t *instance);

#endif
