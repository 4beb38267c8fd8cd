/* SPDX-License-Identifier: Apache-2.0 */
/* hosts.h - the names under which this emulator may be addressed.
 *
 * A web page whose name was rebound to 127.0.0.1 can send requests here, but only with its own name
 * in Host; one of another origin sends Origin. Nothing here answers either.
 */
#ifndef EMU_HOSTS_H
#define EMU_HOSTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "http/server.h"

enum { EMU_HOSTS_MAX = 8, EMU_HOST_LEN = 96 };

struct emu_hosts {
    char names[EMU_HOSTS_MAX][EMU_HOST_LEN]; /* HOST:PORT in lower case */
    size_t count;
};

/* Add "HOST", "HOST:PORT" or "http://HOST:PORT"; port 80 where none is said. One that does not fit
 * is left out. */
void emu_hosts_add(struct emu_hosts *hosts, const char *text);
/* Add what a listener on "ADDR:PORT" is called: ADDR, 127.0.0.1 and localhost, all with `port`. */
void emu_hosts_add_listener(struct emu_hosts *hosts, const char *addr_port, uint16_t port);

/* True if `host` (the value of a Host header, NULL: there was none) is one of the names. */
bool emu_hosts_have(const struct emu_hosts *hosts, const char *host);

/* True if `url` is http://, one of the names, and exactly `path`. */
bool emu_hosts_have_url(const struct emu_hosts *hosts, const char *url, const char *path);

/* True for a second Host, which is 400 whatever they say (RFC 9112, section 3.2). */
bool emu_hosts_twice(const struct http_request *req);

/* True if `host` (a Host header) is one of the metadata server's: its names and address on Compute
 * Engine, this machine's loopback ones, and `own`, which it listens on; with any port or none.
 * Where it listens on all addresses (0.0.0.0, [::]), any address: what is rebound is a name. */
bool emu_hosts_metadata(const char *own, const char *host);

/* Why a request may not come in: it has an Origin, or a Host that is not ours. NULL: it may. */
const char *emu_hosts_refuse(const struct emu_hosts *hosts, const struct http_request *req);

#endif
