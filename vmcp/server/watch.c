/* SPDX-License-Identifier: Apache-2.0 */
#include "watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "http/clock.h"
#include "lib/auto.h"
#include "lib/config.h"
#include "lib/file.h"
#include "lib/keyname.h"
#include "lib/keyring.h"

enum {
    CHANGES = IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE | IN_ATTRIB |
              IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR,
};

void srv_watch_end(struct srv_watch *watch)
{
    for (int i = 0; i < watch->count; i++) {
        free(watch->folders[i].only);
        free(watch->folders[i].folder);
    }
    if (watch->fd >= 0)
        close(watch->fd);
    *watch = (struct srv_watch)SRV_WATCH_OFF;
}

/* Watch `folder`, or only the name `only` in it (taken over). The kernel has one watch for a folder
 * however often it is asked. */
static int add(struct srv_watch *watch, const char *folder, char *only, struct vmcp_error *err)
{
    auto_free char *name = only;
    int wd = inotify_add_watch(watch->fd, folder, CHANGES);
    if (wd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be watched: %s", strerror(errno));
    if (watch->count == SRV_WATCH_FOLDERS)
        return vmcp_fail_at(err, VMCP_E_LIMIT, folder, "more than %d folders to watch",
                            SRV_WATCH_FOLDERS);
    char *copy = strdup(folder);
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    watch->folders[watch->count].folder = copy;
    watch->folders[watch->count].wd = wd;
    watch->folders[watch->count++].only = steal(&name);
    return 0;
}

/* Watch for a change of the name `path` itself, in the folder that it stands in. */
static int add_name(struct srv_watch *watch, const char *path, struct vmcp_error *err)
{
    auto_free char *copy = strdup(path);
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    size_t len = strlen(copy);
    while (len > 1 && copy[len - 1] == '/')
        copy[--len] = '\0';
    char *slash = strrchr(copy, '/');
    const char *name = slash ? slash + 1 : copy;
    if (!*name || strcmp(name, ".") == 0 || strcmp(name, "..") == 0)
        return 0; /* it has no name that could be given to another */
    char *only = strdup(name);
    if (!only)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    if (slash)
        slash[slash == copy] = '\0';
    return add(watch, slash ? copy : ".", only, err);
}

/* A folder that is not there now is told by the load; its name is watched, so it is seen when it
 * comes. */
static int add_folder(struct srv_watch *watch, const char *path, struct vmcp_error *err)
{
    int rc = add_name(watch, path, err);
    return rc < 0 || access(path, F_OK) < 0 ? rc : add(watch, path, NULL, err);
}

/* What is in a token or a TPM does not change under us. */
static int add_key(struct srv_watch *watch, const char *name, struct vmcp_error *err)
{
    auto_free char *path = NULL;
    int rc = vmcp_key_name_path(name, &path, err);
    return rc == 0 && path ? add_name(watch, path, err) : rc;
}

static int add_keys(struct srv_watch *watch, const char *dir, struct vmcp_error *err)
{
    int rc = add_folder(watch, dir, err);
    if (access(dir, F_OK) < 0)
        return rc;
    for (int i = 0; rc == 0 && i < VMCP_KEY_STATES; i++) {
        auto_free char *path = NULL;
        rc = vmcp_file_path(dir, vmcp_key_state_name((enum vmcp_key_state)i), &path, err);
        if (rc == 0)
            rc = add_folder(watch, path, err);
    }
    return rc;
}

int srv_watch_begin(struct srv_watch *watch, const struct srv_settings *settings,
                    struct vmcp_error *err)
{
    srv_watch_end(watch);
    watch->fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    if (watch->fd < 0)
        return vmcp_fail(err, VMCP_E_FILE, "folders cannot be watched: %s", strerror(errno));
    auto_free char *jobs = NULL;
    int rc = add_folder(watch, settings->configs, err);
    if (rc == 0)
        rc = vmcp_file_path(settings->configs, VMCP_JOBS_FOLDER, &jobs, err);
    if (rc == 0 && access(settings->configs, F_OK) == 0)
        rc = add_folder(watch, jobs, err);
    if (rc == 0 && settings->keys_dir)
        rc = add_keys(watch, settings->keys_dir, err);
    if (rc == 0 && settings->keystore_dir)
        rc = add_folder(watch, settings->keystore_dir, err);
    for (size_t i = 0; rc == 0 && i < settings->keys.count; i++)
        rc = add_key(watch, settings->keys.items[i], err);
    const char *const tls[] = {settings->transport.tls_cert, settings->transport.tls_key,
                               settings->transport.client_ca};
    for (size_t i = 0; rc == 0 && i < sizeof(tls) / sizeof(*tls); i++)
        if (tls[i])
            rc = add_name(watch, tls[i], err);
    return rc;
}

/* A regular file that has just been made is empty: it counts when it was written and closed. Links,
 * second names and folders are whole at once. */
static bool is_begun(const char *folder, const struct inotify_event *event)
{
    auto_free char *path = NULL;
    struct stat st;
    return (event->mask & IN_CREATE) && event->len &&
           vmcp_file_path(folder, event->name, &path, NULL) == 0 && lstat(path, &st) == 0 &&
           S_ISREG(st.st_mode) && st.st_nlink == 1;
}

static bool counts(const struct srv_watch *watch, const struct inotify_event *event)
{
    if (event->mask & IN_Q_OVERFLOW)
        return true;
    if (event->mask & IN_IGNORED)
        return false; /* the kernel's own end of a watch; its cause came before */
    for (int i = 0; i < watch->count; i++)
        if (watch->folders[i].wd == event->wd &&
            (!watch->folders[i].only ||
             (event->len && strcmp(event->name, watch->folders[i].only) == 0)))
            return !is_begun(watch->folders[i].folder, event);
    return false;
}

void srv_watch_read(struct srv_watch *watch)
{
    char events[16384] __attribute__((aligned(__alignof__(struct inotify_event))));
    for (ssize_t n; (n = read(watch->fd, events, sizeof(events))) > 0;)
        for (char *at = events; at < events + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            if (counts(watch, event)) {
                watch->last_change = http_now_ms();
                if (!watch->first_change)
                    watch->first_change = watch->last_change;
            }
            at += sizeof(*event) + event->len;
        }
}

int srv_watch_due(const struct srv_watch *watch)
{
    if (!watch->first_change)
        return -1;
    int64_t settled = watch->last_change + SRV_WATCH_SETTLE_MS;
    int64_t latest = watch->first_change + SRV_WATCH_SETTLE_MAX_MS;
    int64_t left = (settled < latest ? settled : latest) - http_now_ms();
    return left > 0 ? (int)left : 0;
}
