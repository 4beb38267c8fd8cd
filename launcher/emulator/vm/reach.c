/* SPDX-License-Identifier: Apache-2.0 */
#include "reach.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "bridge.h"
#include "listeners.h"
#include "relay.h"
#include "vm.h"

enum { BATCH = 16 };

static int bad(const char *text, const char *why, struct vmcp_error *err)
{
    return vmcp_fail_at(err, VMCP_E_USAGE, text, "--guest-may-reach: %s", why);
}

int emu_reach_add(struct emu_reach *reach, const char *text, struct vmcp_error *err)
{
    struct emu_place_out place = {0};
    char host[INET_ADDRSTRLEN];
    const char *colon = strrchr(text, ':');
    size_t len = colon ? (size_t)(colon - text) : sizeof(host);
    if (reach->count == EMU_REACH_MAX)
        return bad(text, "8 places are the most", err);
    if (len >= sizeof(host) || strlen(colon + 1) > 5 || !colon[1] ||
        colon[1 + strspn(colon + 1, "0123456789")])
        return bad(text, "an IPv4 address and a port are wanted, like 192.168.1.5:5432", err);
    memcpy(host, text, len);
    host[len] = '\0';
    unsigned long port = strtoul(colon + 1, NULL, 10);
    if (inet_pton(AF_INET, host, &place.addr) != 1 || port < 1 || port > 65535)
        return bad(text, "an IPv4 address and a port are wanted, like 192.168.1.5:5432", err);
    uint32_t addr = ntohl(place.addr.s_addr);
    if (addr == 0 || addr >> 28 >= 0xe)
        return bad(text, "not an address of one machine", err);
    if (addr - EMU_ROOM_SUBNET < 4096)
        return bad(text, "10.128.0.0/20 is the VMs' own network", err);
    if (addr == EMU_METADATA_ADDR || addr == EMU_API_ADDR)
        return bad(text, "the emulator itself is there", err);
    place.port = (uint16_t)port;
    snprintf(place.text, sizeof(place.text), "%s:%lu", host, port);
    reach->places[reach->count++] = place;
    return 0;
}

static void take(struct emu_source *source)
{
    struct emu_way_out *way =
        (struct emu_way_out *)(void *)((char *)source - offsetof(struct emu_way_out, source));
    for (int i = 0; i < BATCH; i++) {
        int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0)
            return;
        emu_relay_take(fd, way->target);
    }
}

int emu_reach_open(const struct emu_reach *reach, struct emu_loop *loop, int netns,
                   struct emu_way_out ways[static EMU_REACH_MAX], struct vmcp_error *err)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < reach->count; i++) {
        const struct emu_place_out *place = &reach->places[i];
        int fd = -1;
        rc = emu_listen(netns, place->addr, place->port, &fd, err);
        if (rc < 0)
            return rc;
        ways[i] = (struct emu_way_out){.source = {.fd = fd, .ready = take}, .target = place->text};
        rc = emu_loop_add(loop, &ways[i].source, err);
        if (rc < 0) {
            close(fd);
            ways[i].source.fd = -1;
        }
    }
    return rc;
}
