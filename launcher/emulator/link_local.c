/* SPDX-License-Identifier: Apache-2.0 */
#include "link_local.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "vm/spawn.h"

#define CIDR EMU_LINK_LOCAL "/32"

static const char cidr[] = CIDR;

static int batch(const struct emu_link_local *link, const char *lines, struct vmcp_error *err)
{
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.argv = (const char *const[]){link->ip, "-batch", "-", NULL};
    return emu_run(&spawn, lines, NULL, err);
}

/* Is it there? */
static bool present(const struct emu_link_local *link)
{
    struct emu_spawn spawn = EMU_SPAWN;
    auto_buf struct vmcp_buf out = VMCP_BUF(16384);
    struct vmcp_error none = {0};
    spawn.argv = (const char *const[]){link->ip, "-o", "-4", "addr", "show", "to", cidr, NULL};
    return emu_run(&spawn, NULL, &out, &none) == 0 && out.len > 0;
}

static int add(struct emu_link_local *link, struct vmcp_error *err)
{
    if (present(link))
        return 0;
    int rc = batch(link, "link set lo up\naddr add " CIDR " dev lo\n", err);
    if (rc < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "--link-local: " EMU_LINK_LOCAL " cannot be added here (no "
                         "CAP_NET_ADMIN?); start as root or inside `unshare -Urn`");
    link->added = true;
    return 0;
}

int emu_link_local_up(struct emu_link_local *link, struct http_listener *ret_listener,
                      struct vmcp_error *err)
{
    static const char lo[] = "lo";
    link->ip = emu_find_program("ip");
    if (!link->ip)
        return vmcp_fail(err, VMCP_E_FILE, "`ip` is not installed (Debian: package iproute2)");
    int rc = add(link, err);
    if (rc == 0)
        rc = http_listener_open(EMU_LINK_LOCAL ":80", 0, ret_listener, err);
    if (rc < 0)
        return rc;
    /* The kernel answers for every address that it has on every network that it is in. */
    if (setsockopt(ret_listener->fd, SOL_SOCKET, SO_BINDTODEVICE, lo, sizeof(lo)) < 0) {
        http_listener_close(ret_listener);
        return vmcp_fail(err, VMCP_E_NETWORK, "--link-local: cannot keep to this machine: %m");
    }
    return 0;
}

void emu_link_local_down(struct emu_link_local *link)
{
    struct vmcp_error ignored = {0};
    if (link->added) {
        int rc = batch(link, "addr del " CIDR " dev lo\n", &ignored);
        (void)rc;
    }
    free(link->ip);
    *link = (struct emu_link_local){0};
}
