/* SPDX-License-Identifier: Apache-2.0 */
/* places.h - where the metadata server listens: TCP, Unix sockets, 169.254.169.254, mutual TLS. */
#ifndef EMU_PLACES_H
#define EMU_PLACES_H

#include "cloud.h"
#include "link_local.h"
#include "serve.h"

enum { EMU_PLACE_LEN = 168, EMU_PLACES_MAX = HTTP_LISTENERS_MAX };

struct emu_places {
    char urls[EMU_PLACES_MAX][EMU_PLACE_LEN]; /* "http://127.0.0.1:80", "unix:/run/x" */
    size_t count;
    bool exposed; /* one of them can be reached from other machines */
    struct emu_link_local link_local;
};

/* Start the cloud's metadata servers at the places that `args` asks for, the first one being
 * --metadata. On failure, too, emu_places_close() ends it, after the servers were stopped. */
VMCP_MUST_CHECK int emu_places_open(struct emu_places *places, struct emu_cloud *cloud,
                                    const struct emu_serve_args *args, struct vmcp_error *err);
void emu_places_close(struct emu_places *places);

#endif
