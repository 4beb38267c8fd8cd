/* SPDX-License-Identifier: Apache-2.0 */
/* metadata.h - the metadata server of the machine that we run on.
 *
 * It is asked only where it is Google's: on Compute Engine (by the DMI product name) or where
 * GCE_METADATA_HOST is set. On a laptop 169.254.169.254 belongs to whoever runs the network.
 */
#ifndef LAUNCH_METADATA_H
#define LAUNCH_METADATA_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "http/client.h"
#include "lib/buf.h"
#include "lib/error.h"

struct launch_metadata {
    struct http_client *http; /* borrowed */
    int64_t end;              /* launch_uptime_ms() at which a question has to be over; 0: none */
    char base[320];           /* http://HOST/computeMetadata/v1/; "": there is no server */
};

/* Find out whether there is one. No request is sent. VMCP_E_USAGE for a GCE_METADATA_HOST that is
 * no host[:port]. */
VMCP_MUST_CHECK int launch_metadata_find(struct http_client *http, struct launch_metadata *ret,
                                         struct vmcp_error *err);
bool launch_metadata_is_there(const struct launch_metadata *metadata);

/* GET a path below computeMetadata/v1/ into `out`. A 404 is *ret_found = false. Tried again for a
 * few seconds on no answer, 429 and 5xx. Errors: VMCP_E_NETWORK and http_client_do()'s. */
VMCP_MUST_CHECK int launch_metadata_get(const struct launch_metadata *metadata, const char *path,
                                        struct vmcp_buf *out, bool *ret_found,
                                        struct vmcp_error *err);

/* The instance's own attributes (never the project's: VM-2 can read those too) as an object of
 * strings; empty where there are none. *ret is a new reference; it may hold a key: wipe it. */
VMCP_MUST_CHECK int launch_metadata_attributes(const struct launch_metadata *metadata, json_t **ret,
                                               struct vmcp_error *err);

/* The last part of a one-line value (`projects/1/zones/Z` gives `Z`). New string, free(); NULL
 * where there is no server or no such value. */
VMCP_MUST_CHECK int launch_metadata_word(const struct launch_metadata *metadata, const char *path,
                                         char **ret, struct vmcp_error *err);

#endif
