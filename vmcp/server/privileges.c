/* SPDX-License-Identifier: Apache-2.0 */
#include "privileges.h"

#include <errno.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define BIT(capability) (UINT64_C(1) << (capability))
#define BIND            BIT(CAP_NET_BIND_SERVICE)
/* Who runs as root without --user may have keys that belong to others. */
#define FILES (BIT(CAP_DAC_OVERRIDE) | BIT(CAP_DAC_READ_SEARCH))

static int refused(struct vmcp_error *err, const char *what)
{
    return vmcp_fail(err, VMCP_E_INTERNAL, "the kernel refuses %s: %s", what, strerror(errno));
}

/* Keep of the permitted capabilities those in `mask`, and no others, in effect. */
static int keep_only(uint64_t mask, struct vmcp_error *err)
{
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3];
    if (syscall(SYS_capget, &header, data) < 0)
        return refused(err, "to tell the capabilities");
    bool changed = false; /* who has none already may be in a sandbox without capset(2) */
    for (int i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
        const struct __user_cap_data_struct old = data[i];
        data[i].permitted &= (uint32_t)(mask >> (32 * i));
        data[i].effective = data[i].permitted;
        data[i].inheritable = 0;
        changed = changed || old.permitted != data[i].permitted ||
                  old.effective != data[i].effective || old.inheritable;
    }
    (void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
    if (!changed)
        return 0;
    return syscall(SYS_capset, &header, data) < 0 ? refused(err, "to drop capabilities") : 0;
}

/* What no program started from here could get back; possible only while CAP_SETPCAP is held, and
 * for the bits that this kernel knows. */
static void empty_bounding_set(void)
{
    for (unsigned long i = 0; prctl(PR_CAPBSET_READ, i, 0, 0, 0) >= 0; i++)
        (void)prctl(PR_CAPBSET_DROP, i, 0, 0, 0);
}

/* The keys' memory goes to no file, and no other process of this user looks into it. */
static int forbid_core_dumps(struct vmcp_error *err)
{
    const struct rlimit none = {0, 0};
    if (setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
        return refused(err, "to do without core dumps");
    return 0;
}

static int become(const struct passwd *user, struct vmcp_error *err)
{
    uid_t real, effective, saved;
    if (initgroups(user->pw_name, user->pw_gid) < 0 ||
        setresgid(user->pw_gid, user->pw_gid, user->pw_gid) < 0 ||
        prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0 ||
        setresuid(user->pw_uid, user->pw_uid, user->pw_uid) < 0)
        return refused(err, "another user");
    if (getresuid(&real, &effective, &saved) < 0 || real != user->pw_uid ||
        effective != user->pw_uid || saved != user->pw_uid || getegid() != user->pw_gid)
        return vmcp_fail(err, VMCP_E_INTERNAL, "the user %s was not taken wholly", user->pw_name);
    return 0;
}

static int find_user(const char *name, const struct passwd **ret, struct vmcp_error *err)
{
    errno = 0;
    *ret = getpwnam(name);
    if (!*ret)
        return vmcp_fail(err, VMCP_E_USAGE, "--user %s: there is no such user here", name);
    if ((*ret)->pw_uid != geteuid() && geteuid() != 0)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--user %s: only root can become another user; start it as root, or as "
                         "%s without --user",
                         name, name);
    return 0;
}

int srv_privileges_lower(const char *user, struct vmcp_error *err)
{
    const struct passwd *account = NULL;
    int rc = user ? find_user(user, &account, err) : 0;
    if (rc < 0)
        return rc;
    if (geteuid() == 0) {
        empty_bounding_set();
        if (account && account->pw_uid != 0)
            rc = become(account, err);
        if (rc == 0)
            rc = keep_only(geteuid() == 0 ? BIND | FILES : BIND, err);
    }
    return rc < 0 ? rc : forbid_core_dumps(err); /* last: a change of user would undo it */
}

int srv_privileges_drop(struct vmcp_error *err)
{
    int rc = keep_only(geteuid() == 0 ? FILES : 0, err);
    if (rc == 0 && geteuid() != 0 && setuid(0) == 0)
        rc = vmcp_fail(err, VMCP_E_INTERNAL, "root could be had back");
    return rc;
}

void srv_privileges_explain(const char *user, struct vmcp_error *err)
{
    struct vmcp_error plain = *err;
    if (user && strstr(plain.text, strerror(EACCES)))
        vmcp_fail_at(err, plain.code, plain.where,
                     "%s; it is opened as user %s, now and at reloads, and must belong to them",
                     plain.text, user);
}
