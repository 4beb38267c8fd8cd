/* SPDX-License-Identifier: Apache-2.0 */
#include "sandbox.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "landlock.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/keyname.h"
#include "message.h"
#include "privileges.h"
#include "seccomp.h"

static bool has_device(const struct vmcp_keyring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        if (vmcp_key_device(ring->entries[i].key))
            return true;
    return false;
}

/* What a file in a folder that is not its own costs. */
static void warn_of_place(const char *path, enum srv_access access, enum srv_width width)
{
    const char *slash = strrchr(path, '/');
    int len = slash ? (int)(slash - path) + (slash == path) : 1;
    static const char *const costs[] = {
        [SRV_ACCESS_READ] = "once replaced, it cannot be read before a restart",
        [SRV_ACCESS_WRITE] = "no new one can be made after a rotation",
        [SRV_ACCESS_REMOVE] = "it cannot be removed at the end",
    };
    srv_message(SRV_WARNING,
                "vmcpd: warning: sandbox: %s lies directly in %.*s, where others keep things too: "
                "%s; give it a folder of its own",
                path, len, slash ? path : ".",
                width == SRV_WIDTH_COMMON ? "all that is there can be read" : costs[access]);
}

static void allow_file(const struct srv_landlock *landlock, const char *path,
                       enum srv_access access)
{
    enum srv_width width = srv_landlock_allow_file(landlock, path, access);
    if (width != SRV_WIDTH_OWN)
        warn_of_place(path, access, width);
}

static void allow_folder(const struct srv_landlock *landlock, const char *path)
{
    if (srv_landlock_allow_folder(landlock, path) != SRV_WIDTH_OWN)
        srv_message(
            SRV_WARNING,
            "vmcpd: warning: sandbox: all that is in %s can be read, and others keep things "
            "there too; take a folder of its own",
            path);
}

static void allow_keys(const struct srv_landlock *landlock, const struct srv_settings *s)
{
    for (size_t i = 0; i < s->keys.count; i++) {
        auto_free char *path = NULL;
        struct vmcp_error ignored; /* the key was loaded by that name */
        if (vmcp_key_name_path(s->keys.items[i], &path, &ignored) == 0)
            allow_file(landlock, path, SRV_ACCESS_READ);
    }
    allow_folder(landlock, s->keys_dir);
}

/* The socket of "unix:PATH" is removed at the end. */
static void allow_place(const struct srv_landlock *landlock, const char *place)
{
    static const char unix_socket[] = "unix:";
    if (place && strncmp(place, unix_socket, strlen(unix_socket)) == 0)
        allow_file(landlock, place + strlen(unix_socket), SRV_ACCESS_REMOVE);
}

static void allow_transport(const struct srv_landlock *landlock,
                            const struct srv_transport_settings *t)
{
    allow_file(landlock, t->tls_cert, SRV_ACCESS_READ);
    allow_file(landlock, t->tls_key, SRV_ACCESS_READ);
    allow_file(landlock, t->client_ca, SRV_ACCESS_READ);
    for (size_t i = 0; i < t->listen.count; i++)
        allow_place(landlock, t->listen.items[i]);
}

/* The folder of jobs may be a link to elsewhere; one that comes later lies below. */
static void allow_jobs(const struct srv_landlock *landlock, const char *configs)
{
    auto_free char *path = NULL;
    struct vmcp_error ignored;
    if (vmcp_file_path(configs, VMCP_JOBS_FOLDER, &path, &ignored) == 0 && access(path, F_OK) == 0)
        allow_folder(landlock, path);
}

/* What a reload, a log's rotation and the end need. */
static void allow_files(const struct srv_landlock *landlock, const struct srv_settings *s,
                        const char *control)
{
    static const char passphrase_file[] = "file:";
    /* What GnuTLS looks into again, and the C library for the number of processors. */
    static const char *const system_files[] = {"/etc/gnutls", "/sys/devices/system/cpu"};
    allow_keys(landlock, s);
    allow_folder(landlock, s->configs);
    allow_jobs(landlock, s->configs);
    allow_folder(landlock, s->keystore_dir);
    srv_landlock_allow_fixed(landlock, getenv("CREDENTIALS_DIRECTORY"));
    allow_file(landlock, s->secret, SRV_ACCESS_READ);
    if (s->passphrase && strncmp(s->passphrase, passphrase_file, strlen(passphrase_file)) == 0)
        allow_file(landlock, s->passphrase + strlen(passphrase_file), SRV_ACCESS_READ);
    for (size_t i = 0; i < sizeof(system_files) / sizeof(*system_files); i++)
        srv_landlock_allow_fixed(landlock, system_files[i]);
    allow_transport(landlock, &s->transport);
    allow_place(landlock, s->metrics);
    if (s->access_log && strcmp(s->access_log, "off") != 0 && strcmp(s->access_log, "-") != 0)
        allow_file(landlock, s->access_log, SRV_ACCESS_WRITE);
    allow_file(landlock, control, SRV_ACCESS_REMOVE);
}

static void describe(int abi, char *ret, size_t size)
{
    snprintf(ret, size, "no Landlock here");
    if (abi)
        snprintf(ret, size, "Landlock %d (files%s%s)", abi, abi >= 4 ? ", TCP" : "",
                 abi >= 6 ? ", signals" : "");
}

static void say(const struct srv_landlock *landlock)
{
    char files[96];
    describe(landlock->abi, files, sizeof(files));
    srv_message(SRV_INFO, "vmcpd: sandbox: user %u, no new privileges, seccomp, %s",
                (unsigned)geteuid(), files);
}

static int enter(const struct srv_settings *settings, const char *control, int notify,
                 struct srv_sandbox *ret, struct vmcp_error *err)
{
    auto_landlock struct srv_landlock landlock = SRV_LANDLOCK_OFF;
    tzset(); /* reads /etc/localtime, once */
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "PR_SET_NO_NEW_PRIVS: %s", strerror(errno));
    int rc = srv_landlock_begin(&landlock, err);
    if (rc < 0)
        return rc;
    allow_files(&landlock, settings, control);
    rc = srv_landlock_enter(&landlock, err);
    if (rc == 0)
        rc = srv_seccomp_enter(notify, err);
    if (rc < 0)
        return rc;
    *ret = (struct srv_sandbox){.seccomp = true, .landlock = landlock.abi};
    say(&landlock);
    return 0;
}

static bool is_wanted(const struct srv_settings *settings, const struct vmcp_keyring *ring)
{
    bool wanted = strcmp(settings->sandbox, "on") == 0, device = wanted && has_device(ring);
    if (device)
        srv_message(SRV_WARNING,
                    "vmcpd: warning: sandbox: off: a key is in a token or a TPM, whose "
                    "libraries need more than it allows");
    return wanted && !device;
}

int srv_sandbox_enter(const struct srv_settings *settings, const struct vmcp_keyring *ring,
                      const char *control, int notify, struct srv_sandbox *ret,
                      struct vmcp_error *err)
{
    int rc = srv_privileges_drop(err);
    if (rc < 0)
        return rc;
    if (geteuid() == 0)
        srv_message(SRV_WARNING,
                    "vmcpd: warning: it runs as root; give it a user of its own with --user NAME");
    *ret = (struct srv_sandbox){0};
    if (is_wanted(settings, ring))
        return enter(settings, control, notify, ret, err);
    srv_message(SRV_INFO, "vmcpd: sandbox: off");
    return 0;
}

int srv_sandbox_check(const struct srv_settings *settings, const struct vmcp_keyring *ring,
                      const char *control, struct vmcp_error *err)
{
    auto_landlock struct srv_landlock landlock = SRV_LANDLOCK_OFF;
    char files[96];
    if (!is_wanted(settings, ring)) {
        printf("vmcpd: sandbox: off\n");
        return 0;
    }
    int rc = srv_landlock_begin(&landlock, err);
    if (rc < 0)
        return rc;
    allow_files(&landlock, settings, control);
    describe(landlock.abi, files, sizeof(files));
    printf("vmcpd: sandbox: seccomp, %s\n", files);
    return 0;
}
