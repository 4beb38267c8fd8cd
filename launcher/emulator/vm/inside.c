/* SPDX-License-Identifier: Apache-2.0 */
#include "inside.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/buf.h"
#include "lib/file.h"
#include "link_local.h"

enum { HOSTS_MAX = 256 * 1024, BACKLOG = 64 };

static const char names[] = EMU_LINK_LOCAL " metadata.google.internal metadata\n";

static int write_text(const char *path, const char *text, struct vmcp_error *err)
{
    auto_close int fd = open(path, O_WRONLY | O_CLOEXEC);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text))
        return vmcp_fail(err, VMCP_E_INTERNAL, "%s cannot be written: %m", path);
    return 0;
}

/* user_namespaces(7): one user, who stays who they are. */
static int map_self(uid_t uid, gid_t gid, struct vmcp_error *err)
{
    char text[64];
    int rc = write_text("/proc/self/setgroups", "deny", err);
    snprintf(text, sizeof(text), "%u %u 1", uid, uid);
    if (rc == 0)
        rc = write_text("/proc/self/uid_map", text, err);
    snprintf(text, sizeof(text), "%u %u 1", gid, gid);
    return rc < 0 ? rc : write_text("/proc/self/gid_map", text, err);
}

static int unshare_all(struct vmcp_error *err)
{
    uid_t uid = geteuid();
    gid_t gid = getegid();
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) == 0)
        return 0;
    if (unshare(CLONE_NEWUSER | CLONE_NEWNET | CLONE_NEWNS) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "no right to make namespaces: %m");
    return map_self(uid, gid, err);
}

/* The machine's own file, and the metadata server's names. */
static int replace_hosts(struct vmcp_error *err)
{
    char path[] = "/tmp/gce-emulator-hosts-XXXXXX";
    auto_buf struct vmcp_buf text = VMCP_BUF(HOSTS_MAX);
    struct vmcp_error ignored = {0};
    vmcp_buf_adds(&text, names);
    auto_buf struct vmcp_buf old = VMCP_BUF(HOSTS_MAX - 1024);
    if (vmcp_file_read("/etc/hosts", VMCP_FILE_PUBLIC, &old, &ignored) == 0 && old.len)
        vmcp_buf_add(&text, old.data, old.len);
    if (vmcp_buf_check(&text, "/etc/hosts", err) < 0 ||
        mount("", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "no mounts of its own: %m");
    auto_close int fd = mkostemp(path, O_CLOEXEC);
    bool good = fd >= 0 && fchmod(fd, 0644) == 0 &&
                write(fd, text.data, text.len) == (ssize_t)text.len &&
                mount(path, "/etc/hosts", NULL, MS_BIND, NULL) == 0;
    int error = errno;
    if (fd >= 0)
        unlink(path);
    errno = error;
    return good ? 0 : vmcp_fail(err, VMCP_E_INTERNAL, "/etc/hosts cannot be replaced: %m");
}

static int set_address(int fd, const char *interface, struct in_addr addr, struct vmcp_error *err)
{
    struct ifreq req = {0};
    struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr = addr};
    snprintf(req.ifr_name, sizeof(req.ifr_name), "%s", interface);
    memcpy(&req.ifr_addr, &in, sizeof(in));
    if (ioctl(fd, SIOCSIFADDR, &req) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "an address cannot be added: %m");
    in.sin_addr.s_addr = INADDR_NONE; /* all ones: this address alone */
    memcpy(&req.ifr_netmask, &in, sizeof(in));
    if (ioctl(fd, SIOCSIFNETMASK, &req) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "an address cannot be narrowed: %m");
    return 0;
}

static int raise_loopback(struct vmcp_error *err)
{
    struct ifreq req = {.ifr_name = "lo"};
    auto_close int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || ioctl(fd, SIOCGIFFLAGS, &req) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "no loopback: %m");
    req.ifr_flags = (short)(req.ifr_flags | IFF_UP | IFF_RUNNING);
    if (ioctl(fd, SIOCSIFFLAGS, &req) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "loopback cannot be brought up: %m");
    return 0;
}

int emu_inside_enter(struct vmcp_error *err)
{
    int rc = unshare_all(err);
    if (rc == 0)
        rc = raise_loopback(err);
    return rc < 0 ? rc : replace_hosts(err);
}

static int parse(const char *addr_port, struct sockaddr_in *ret, struct vmcp_error *err)
{
    const char *colon = strrchr(addr_port, ':');
    size_t len = colon ? (size_t)(colon - addr_port) : 0;
    char host[64], *end = NULL;
    unsigned long port = colon ? strtoul(colon + 1, &end, 10) : 0;
    *ret = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
    if (len == 0 || len >= sizeof(host) || port == 0 || port > 65535 || *end)
        return vmcp_fail_at(err, VMCP_E_USAGE, addr_port, "ADDR:PORT is wanted");
    snprintf(host, sizeof(host), "%.*s", (int)len, addr_port);
    if (inet_pton(AF_INET, strcmp(host, "localhost") == 0 ? "127.0.0.1" : host, &ret->sin_addr) !=
        1)
        return vmcp_fail_at(err, VMCP_E_USAGE, addr_port,
                            "an IPv4 address is wanted to be carried into a network of its own");
    return 0;
}

int emu_inside_listen(const char *addr_port, unsigned number, int *ret_fd, struct vmcp_error *err)
{
    struct sockaddr_in in;
    char alias[IFNAMSIZ];
    int on = 1;
    int rc = parse(addr_port, &in, err);
    if (rc < 0)
        return rc;
    auto_close int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(alias, sizeof(alias), "lo:%u", number);
    if (fd >= 0 && ntohl(in.sin_addr.s_addr) >> 24 != 127)
        rc = set_address(fd, alias, in.sin_addr, err);
    if (rc < 0)
        return rc;
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0 ||
        bind(fd, (struct sockaddr *)&in, sizeof(in)) < 0 || listen(fd, BACKLOG) < 0)
        return vmcp_fail_at(err, VMCP_E_NETWORK, addr_port, "cannot listen inside: %m");
    *ret_fd = steal_fd(&fd);
    return 0;
}
