/* SPDX-License-Identifier: Apache-2.0 */
/* origins.h - a body as a table: each value, and where it comes from. */
#ifndef LAUNCH_ORIGINS_H
#define LAUNCH_ORIGINS_H

#include <jansson.h>

#include "lib/error.h"

/* Rows of {"path", "value", "from"} for a merged draft (its metadata still an object): what the
 * signed `gce` part (NULL: none) says is its own, the rest is as `from` says of the nearest path
 * above. What `gce` took away has a row too. *ret is a new array. */
VMCP_MUST_CHECK int launch_origins_find(const json_t *body, const json_t *gce, const json_t *from,
                                        json_t **ret, struct vmcp_error *err);

/* Add words to the rows of a path and of all below it. */
void launch_origins_add(json_t *origins, const char *path, const char *words);

#endif
