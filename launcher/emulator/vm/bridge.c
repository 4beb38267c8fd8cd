/* SPDX-License-Identifier: Apache-2.0 */
#include "bridge.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "spawn.h"

#define BRIDGE  "gcebr0"
#define MARK    "gce-emulator" /* the interface's alias: it is one of ours */
#define NETWORK "10.128.0.0/20"
#define GATEWAY "10.128.0.1"
#define UP      "gateup" /* the gate's ends */
#define DOWN    "gatedown"

enum {
    TEXT_MAX = 64 * 1024,
    WORDS_MAX = 12,
    PREFIX = 20,
    MTU = 1460, /* as on Compute Engine */
};

static const uint32_t network = 0x0a800000; /* 10.128.0.0 */

/* `ip -o` with these words; what it prints goes into `out`. */
static int ask(const struct emu_bridge *bridge, const char *const *words, struct vmcp_buf *out,
               struct vmcp_error *err)
{
    const char *argv[WORDS_MAX] = {bridge->ip, "-o"};
    for (size_t i = 0; words[i] && i + 3 < WORDS_MAX; i++)
        argv[i + 2] = words[i];
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.argv = argv;
    return emu_run(&spawn, NULL, out, err);
}

/* Commands, one a line, in the network namespace `netns` (-1: this one). */
static int batch(const struct emu_bridge *bridge, int netns, const char *lines,
                 struct vmcp_error *err)
{
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.argv = (const char *const[]){bridge->ip, "-batch", "-", NULL};
    spawn.netns = netns;
    return emu_run(&spawn, lines, NULL, err);
}

/* The same for what may be gone already, which is no failure then. */
static void remove_all(const struct emu_bridge *bridge, int netns, const char *lines)
{
    struct emu_spawn spawn = EMU_SPAWN;
    spawn.netns = netns;
    spawn.argv = (const char *const[]){bridge->ip, "-force", "-batch", "-", NULL};
    struct vmcp_error ignored = {0};
    int rc = emu_run(&spawn, lines, NULL, &ignored);
    (void)rc;
}

/* An abstract Unix address belongs to the network namespace and ends with its owner, so it says
 * exactly what is asked: whether another emulator lives in this network (unix(7)). */
static int claim(struct emu_bridge *bridge, struct vmcp_error *err)
{
    static const char name[] = "gce-emulator/" BRIDGE;
    struct sockaddr_un addr = {.sun_family = AF_UNIX};
    memcpy(addr.sun_path + 1, name, sizeof(name) - 1);
    bridge->claim = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bridge->claim < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "cannot make a socket: %m");
    socklen_t len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + sizeof(name));
    if (bind(bridge->claim, (struct sockaddr *)&addr, len) == 0)
        return 0;
    if (errno == EADDRINUSE)
        return vmcp_fail(err, VMCP_E_STATE_BUSY,
                         "another gce-emulator has the network " NETWORK
                         " here; start this one inside its own `unshare -Urnm`");
    return vmcp_fail(err, VMCP_E_INTERNAL, "cannot claim the network: %m");
}

/* An interface of that name may be here already: ours is removed, another's is left alone. */
static int remove_leftover(const struct emu_bridge *bridge, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf found = VMCP_BUF(TEXT_MAX);
    static const char *const show[] = {"link", "show", "dev", BRIDGE, NULL};
    struct vmcp_error none = {0};
    if (ask(bridge, show, &found, &none) < 0)
        return 0; /* not there */
    if (!strstr(found.data, "alias " MARK))
        return vmcp_fail(err, VMCP_E_STATE_BUSY,
                         "a foreign interface is named " BRIDGE "; start inside `unshare -Urnm`");
    /* It may go at this very moment, with the namespace that its other end is in. */
    remove_all(bridge, -1, "link del " BRIDGE "\n");
    return 0;
}

/* The VMs' addresses must not be somebody else's, as they are on a real Compute Engine VM: a route
 * into the range or one around it that is not the default route. */
static int check_free(const struct emu_bridge *bridge, struct vmcp_error *err)
{
    static const char *const relations[] = {"root", "match"};
    for (size_t i = 0; i < 2; i++) {
        auto_buf struct vmcp_buf routes = VMCP_BUF(TEXT_MAX);
        const char *const show[] = {"-4",  "route",      "show",  "table",
                                    "all", relations[i], NETWORK, NULL};
        int rc = ask(bridge, show, &routes, err);
        if (rc < 0)
            return rc;
        for (const char *line = routes.data; line && *line; line = strchr(line, '\n')) {
            line += *line == '\n';
            if (*line && strncmp(line, "default", 7) != 0)
                return vmcp_fail(err, VMCP_E_STATE_BUSY,
                                 NETWORK " is routed here already (%.*s); start inside a network "
                                         "of its own: `unshare -Urnm`",
                                 (int)strcspn(line, "\n"), line);
        }
    }
    return 0;
}

/* A thread of its own, as it does not come back from there. */
static void *open_netns(void *arg)
{
    int *ret_fd = arg;
    if (unshare(CLONE_NEWNET) == 0)
        *ret_fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);
    return NULL;
}

static int make_netns(int *ret_fd, struct vmcp_error *err)
{
    pthread_t thread;
    errno = pthread_create(&thread, NULL, open_netns, ret_fd);
    if (errno == 0)
        errno = pthread_join(thread, NULL);
    return *ret_fd >= 0 ? 0
                        : vmcp_fail(err, VMCP_E_INTERNAL,
                                    "no network namespace for the VMs; start inside "
                                    "`unshare -Urnm`");
}

/* The bridge; a cable from it to the gate, and one from the gate to this machine, where its end is
 * the interface that has the gateway's address. */
static int lay(struct emu_bridge *bridge, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf there = VMCP_BUF(TEXT_MAX);
    auto_buf struct vmcp_buf here = VMCP_BUF(TEXT_MAX);
    vmcp_buf_addf(&there,
                  "link add br0 mtu %d type bridge forward_delay 0 mcast_snooping 0\n"
                  "link set br0 addrgenmode none up\n"
                  "link add " DOWN " mtu %d type veth peer name gateport mtu %d\n"
                  "link set gateport addrgenmode none master br0 up\n"
                  "link set " DOWN " addrgenmode none up\n"
                  "link add " UP " mtu %d type veth peer name " BRIDGE " mtu %d "
                  "address 42:01:0a:80:00:01 netns %d\n"
                  "link set " UP " addrgenmode none up\n",
                  MTU, MTU, MTU, MTU, MTU, (int)getpid());
    vmcp_buf_addf(&here,
                  "link set " BRIDGE " alias " MARK " addrgenmode none\n"
                  "addr add " GATEWAY "/%d dev " BRIDGE "\n"
                  "link set " BRIDGE " up\n",
                  PREFIX);
    int rc = vmcp_buf_check(&there, "the bridge's set-up", err);
    if (rc == 0)
        rc = vmcp_buf_check(&here, "the bridge's set-up", err);
    bridge->made = rc == 0;
    if (rc == 0)
        rc = batch(bridge, bridge->netns, there.data, err);
    return rc < 0 ? rc : batch(bridge, -1, here.data, err);
}

static int make(struct emu_bridge *bridge, struct vmcp_error *err)
{
    int rc = claim(bridge, err);
    if (rc == 0) /* no right to do it shows here first */
        rc = batch(bridge, -1, "link set lo up\n", err);
    if (rc < 0 && strstr(err->text, "not permitted"))
        return vmcp_fail(err, VMCP_E_INTERNAL,
                         "no right to make networks here (no CAP_NET_ADMIN); start inside "
                         "`unshare -Urnm`");
    if (rc == 0)
        rc = remove_leftover(bridge, err);
    if (rc == 0)
        rc = check_free(bridge, err);
    if (rc < 0)
        return rc;
    rc = make_netns(&bridge->netns, err);
    return rc < 0 ? rc : lay(bridge, err);
}

int emu_bridge_up(struct emu_bridge *bridge, struct emu_loop *loop, struct vmcp_error *err)
{
    bridge->ip = emu_find_program("ip");
    if (!bridge->ip)
        return vmcp_fail(err, VMCP_E_FILE, "`ip` is not installed (Debian: package iproute2)");
    int rc = make(bridge, err);
    if (rc == 0)
        rc = emu_gate_open(&bridge->gate, loop, bridge->netns, UP, DOWN, err);
    if (rc < 0)
        emu_bridge_down(bridge);
    return rc;
}

void emu_bridge_down(struct emu_bridge *bridge)
{
    emu_gate_close(&bridge->gate);
    if (bridge->made)
        remove_all(bridge, -1, "link del " BRIDGE "\n");
    if (bridge->netns >= 0)
        close(bridge->netns);
    if (bridge->claim >= 0)
        close(bridge->claim);
    free(bridge->ip);
    *bridge = (struct emu_bridge)EMU_BRIDGE;
}

int emu_bridge_plug(const struct emu_bridge *bridge, unsigned number, pid_t pid, int netns,
                    struct in_addr addr, const struct emu_reach *reach, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf host = VMCP_BUF(TEXT_MAX);
    auto_buf struct vmcp_buf guest = VMCP_BUF(TEXT_MAX);
    char ip[INET_ADDRSTRLEN];
    uint8_t octet[4];
    memcpy(octet, &addr.s_addr, sizeof(octet));
    inet_ntop(AF_INET, &addr, ip, sizeof(ip));
    vmcp_buf_addf(&host,
                  "link add gcev%u mtu %d type veth peer name eth0 mtu %d "
                  "address 42:01:%02x:%02x:%02x:%02x netns %d\n"
                  "link set gcev%u addrgenmode none master br0 up\n",
                  number, MTU, MTU, octet[0], octet[1], octet[2], octet[3], (int)pid, number);
    vmcp_buf_addf(&guest,
                  "link set lo up\n"
                  "addr add 169.254.169.254/32 dev lo\n"
                  "addr add 169.254.169.252/32 dev lo\n"
                  "addr add %s/%d dev eth0\n"
                  "link set eth0 addrgenmode none up\n"
                  "route add default via " GATEWAY "\n",
                  ip, PREFIX);
    for (size_t i = 0; i < reach->count; i++) {
        char also[INET_ADDRSTRLEN];
        inet_ntop(AF_INET, &reach->places[i].addr, also, sizeof(also));
        if (ntohl(reach->places[i].addr.s_addr) >> 24 != 127) /* that is there already */
            vmcp_buf_addf(&guest, "addr replace %s/32 dev lo\n", also);
    }
    int rc = vmcp_buf_check(&host, "a VM's network", err);
    if (rc == 0)
        rc = vmcp_buf_check(&guest, "a VM's network", err);
    if (rc == 0)
        rc = batch(bridge, bridge->netns, host.data, err);
    return rc < 0 ? rc : batch(bridge, netns, guest.data, err);
}

void emu_bridge_unplug(const struct emu_bridge *bridge, unsigned number)
{
    char line[64];
    snprintf(line, sizeof(line), "link del gcev%u\n", number);
    remove_all(bridge, bridge->netns, line); /* it may have gone with the VM's network already */
}

bool emu_bridge_fits(struct in_addr addr)
{
    uint32_t host = ntohl(addr.s_addr) - network;
    return host > 1 && host < (1U << (32 - PREFIX)) - 1;
}
