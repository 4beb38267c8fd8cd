/* SPDX-License-Identifier: Apache-2.0 */
/* listeners.h - listening sockets inside a VM's network, served by the emulator's HTTP servers.
 *
 * A socket stays in the network namespace that it was made in, wherever its descriptor goes. All
 * VMs' sockets are watched by the one loop; a connection is handed to a server with the VM's
 * internal address as its peer.
 */
#ifndef EMU_LISTENERS_H
#define EMU_LISTENERS_H

#include <netinet/in.h>
#include <stdint.h>

#include "base/loop.h"
#include "http/server.h"
#include "lib/error.h"

struct emu_listener {
    struct emu_source source;
    struct http_server *server; /* gets the connections; borrowed */
    struct in_addr peer;        /* who is at the other end of all of them */
};

/* A listening TCP socket on addr:port (0: any) in the network namespace `netns`, a descriptor as
 * setns(2) takes it (-1: this one). */
VMCP_MUST_CHECK int emu_listen(int netns, struct in_addr addr, uint16_t port, int *ret_fd,
                               struct vmcp_error *err);

/* The port that a socket is bound to. */
uint16_t emu_listen_port(int fd);

/* Serve `fd` (taken over) from now on. */
VMCP_MUST_CHECK int emu_listener_start(struct emu_listener *listener, struct emu_loop *loop, int fd,
                                       struct http_server *server, struct in_addr peer,
                                       struct vmcp_error *err);

#endif
