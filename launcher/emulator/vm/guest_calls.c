/* SPDX-License-Identifier: Apache-2.0 */
#include "guest_calls.h"

#include <errno.h>
#include <seccomp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/socket.h>

#include "lib/auto.h"
#include "spawn.h"

VMCP_DEFINE_AUTO(filter_auto, scmp_filter_ctx, seccomp_release)
#define auto_filter VMCP_AUTO(filter_auto)

/* By name: which of them an architecture has differs. They are "not in this kernel", for which
 * programs are prepared. socketcall(2) hides its arguments from a filter. */
static const char *const absent[] = {
    "add_key",         "request_key",       "keyctl",     "io_uring_setup",
    "io_uring_enter",  "io_uring_register", "bpf",        "userfaultfd",
    "perf_event_open", "socketcall",        "kexec_load", "kexec_file_load"};

/* The families that a machine's programs use. Whatever else stands in the register, its upper half
 * too, is refused. */
static const int families[] = {AF_UNIX, AF_INET, AF_INET6, AF_NETLINK};

static int refuse(scmp_filter_ctx filter, int call, enum scmp_compare compare, int family)
{
    const struct scmp_arg_cmp when = {
        .arg = 0, .op = compare, .datum_a = (unsigned)family, .datum_b = 0};
    return seccomp_rule_add_array(filter, SCMP_ACT_ERRNO(EAFNOSUPPORT), call, 1, &when);
}

static int refuse_families(scmp_filter_ctx filter, const char *call)
{
    int number = seccomp_syscall_resolve_name(call);
    int rc = refuse(filter, number, SCMP_CMP_GT, AF_NETLINK);
    for (int family = 0; rc == 0 && family < AF_NETLINK; family++) {
        bool known = false;
        for (size_t i = 0; i < sizeof(families) / sizeof(*families); i++)
            known = known || families[i] == family;
        if (!known)
            rc = refuse(filter, number, SCMP_CMP_EQ, family);
    }
    return rc;
}

static int fill(scmp_filter_ctx filter)
{
    int rc = 0;
    for (size_t i = 0; rc == 0 && i < sizeof(absent) / sizeof(*absent); i++) {
        int number = seccomp_syscall_resolve_name(absent[i]);
        if (number >= 0)
            rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS), number, 0);
    }
    if (rc == 0)
        rc = refuse_families(filter, "socket");
    return rc < 0 ? rc : refuse_families(filter, "socketpair");
}

int emu_guest_calls(int *ret_fd, struct vmcp_error *err)
{
    auto_close int fd = -1;
    auto_filter scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
    if (!filter)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the guests' seccomp filter");
    /* Another architecture's numbers mean other calls. */
    int rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ERRNO(ENOSYS));
    if (rc == 0)
        rc = fill(filter);
    if (rc == 0 && emu_memfd("", 0, &fd, err) < 0)
        return -VMCP_E_INTERNAL;
    if (rc == 0)
        rc = seccomp_export_bpf(filter, fd);
    if (rc < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "no seccomp filter for the guests: %s",
                         strerror(-rc));
    lseek(fd, 0, SEEK_SET);
    *ret_fd = steal_fd(&fd);
    return 0;
}
