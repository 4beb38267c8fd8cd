/* SPDX-License-Identifier: Apache-2.0 */
/* reload.h - loading at start and again: what went wrong is logged, and told to who asked. */
#ifndef SRV_RELOAD_H
#define SRV_RELOAD_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/error.h"
#include "service.h"
#include "settings.h"
#include "snapshot.h"

/* Load the first snapshot. */
VMCP_MUST_CHECK int srv_load(const struct srv_settings *settings, struct srv_snapshot **ret,
                             struct vmcp_error *err);

/* Load another and serve it; if anything in it is wrong, the old one stays. `why` is for the log.
 * With `unasked`, files changed and nobody has said that they are all there: the only machine of a
 * set does not become the default one (srv_catalogue_keep_default()). It is logged either way, so
 * the outcome may be ignored. *ret_findings (NULL: not wanted) is a new array of the lines that
 * were logged about files. */
int srv_reload(struct srv_service *service, const char *why, bool unasked, json_t **ret_findings,
               struct vmcp_error *err);

#endif
