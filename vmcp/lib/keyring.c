/* SPDX-License-Identifier: Apache-2.0 */
#include "keyring.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>

#include "auto.h"
#include "file.h"
#include "jwk.h"
#include "keyname.h"
#include "sign.h"

enum { LOCK_PAUSE_MS = 20 };

const char *vmcp_key_state_name(enum vmcp_key_state state)
{
    static const char *const names[VMCP_KEY_STATES] = {"active", "next", "retired"};
    return names[state];
}

/* A private half that is another key's would make answers that every client refuses. */
static int check_pair(const struct vmcp_key *key, struct vmcp_error *err)
{
    static const char text[] = "vmcp";
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t len = 0;
    /* PKCS#1 is what version 1 needs; not every token can do PSS as well. */
    const struct vmcp_alg *alg =
        vmcp_key_type(key) == VMCP_KEY_RSA ? vmcp_alg_find("RS512") : vmcp_alg_default(key);
    int rc = vmcp_sign(key, alg, text, sizeof(text), sig, &len, err);
    if (rc == 0 && vmcp_sign_check(key, alg, text, sizeof(text), sig, len, err) < 0)
        rc = vmcp_fail(err, VMCP_E_KEY, "the private half does not fit the public one");
    return rc;
}

static int check_new(const struct vmcp_keyring *ring, const struct vmcp_key *key,
                     enum vmcp_key_state state, struct vmcp_error *err)
{
    if (ring->count == VMCP_KEYRING_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "more than %d keys", VMCP_KEYRING_MAX);
    for (size_t i = 0; i < ring->count; i++) {
        const struct vmcp_keyring_entry *e = &ring->entries[i];
        if (strcmp(vmcp_key_thumbprint(e->key), vmcp_key_thumbprint(key)) == 0)
            return vmcp_fail(err, VMCP_E_KEY, "the key is given twice: it is %s/%s already",
                             vmcp_key_state_name(e->state), e->name);
    }
    return state == VMCP_KEY_RETIRED ? 0 : check_pair(key, err);
}

int vmcp_keyring_add(struct vmcp_keyring *ring, struct vmcp_key *key, enum vmcp_key_state state,
                     const char *where, struct vmcp_error *err)
{
    auto_free char *shown = vmcp_key_name_show(where); /* a PIN may be in it */
    if (!shown)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a name");
    int rc = check_new(ring, key, state, err);
    if (rc < 0)
        return vmcp_error_locate(err, shown);
    size_t at = ring->count++; /* the enum of key types has the order of preference */
    for (; at > 0 && vmcp_key_type(ring->entries[at - 1].key) > vmcp_key_type(key); at--)
        ring->entries[at] = ring->entries[at - 1];
    struct vmcp_keyring_entry *e = &ring->entries[at];
    *e = (struct vmcp_keyring_entry){.key = vmcp_key_ref(key), .state = state};
    const char *slash = strrchr(shown, '/');
    snprintf(e->name, sizeof(e->name), "%s", slash ? slash + 1 : shown);
    return 0;
}

static int is_key_file(const struct dirent *entry)
{
    size_t len = strlen(entry->d_name);
    return entry->d_name[0] != '.' && !(len > 4 && strcmp(entry->d_name + len - 4, ".pub") == 0);
}

static int load_file(struct vmcp_keyring *ring, const char *path, enum vmcp_key_state state,
                     struct vmcp_passphrase *pass, struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    struct stat st;
    if (stat(path, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(st.st_mode)) /* a pipe would hold a server's reload for ever */
        return vmcp_fail_at(err, VMCP_E_FILE, path, "is not a regular file");
    enum vmcp_key_half half = state == VMCP_KEY_RETIRED ? VMCP_KEY_ANY : VMCP_KEY_PRIVATE;
    int rc = vmcp_key_open_file(path, half, pass, &key, err);
    if (rc == 0)
        rc = vmcp_keyring_add(ring, key, state, path, err);
    for (size_t i = 0; rc == 0 && i < ring->count; i++)
        if (ring->entries[i].key == key)
            ring->entries[i].since = st.st_ctim.tv_sec;
    return rc;
}

static int load_state(struct vmcp_keyring *ring, const char *dir, enum vmcp_key_state state,
                      struct vmcp_passphrase *pass, struct vmcp_error *err)
{
    auto_free char *folder = NULL;
    struct dirent **entries = NULL;
    int rc = vmcp_file_path(dir, vmcp_key_state_name(state), &folder, err);
    if (rc < 0)
        return rc;
    int count = scandir(folder, &entries, is_key_file, alphasort);
    if (count < 0 && errno == ENOENT && state != VMCP_KEY_ACTIVE)
        return 0;
    if (count < 0 && errno == ENOENT)
        return vmcp_fail_at(err, VMCP_E_FILE, dir,
                            "there is no folder `active` in it; a keys folder is the one that has "
                            "active, next and retired in it, and they have the keys");
    if (count < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be opened: %s", strerror(errno));
    for (int i = 0; i < count; i++) {
        auto_free char *path = NULL;
        if (rc == 0 && strlen(entries[i]->d_name) > VMCP_KEYFILE_NAME_MAX)
            rc = vmcp_fail_at(err, VMCP_E_LIMIT, entries[i]->d_name,
                              "a key file's name has at most %d bytes", VMCP_KEYFILE_NAME_MAX);
        if (rc == 0)
            rc = vmcp_file_path(folder, entries[i]->d_name, &path, err);
        if (rc == 0)
            rc = load_file(ring, path, state, pass, err);
        free(entries[i]);
    }
    free(entries);
    return rc;
}

int vmcp_keyring_load(struct vmcp_keyring *ring, const char *dir, struct vmcp_passphrase *pass,
                      bool locked, struct vmcp_error *err)
{
    auto_close int lock = -1;
    int rc = locked ? 0 : vmcp_keyring_lock(dir, VMCP_LOCK_SHARED, &lock, err);
    for (int state = 0; rc == 0 && state < VMCP_KEY_STATES; state++)
        rc = load_state(ring, dir, (enum vmcp_key_state)state, pass, err);
    return rc;
}

/* flock() without its own wait, which would have no end: whoever can open a folder can lock it. */
static int wait_for_lock(int fd, int operation, int seconds)
{
    const struct timespec pause = {.tv_nsec = 1000 * 1000 * LOCK_PAUSE_MS};
    for (int left = seconds * 1000;; left -= LOCK_PAUSE_MS) {
        if (flock(fd, operation | LOCK_NB) == 0)
            return 0;
        if ((errno != EWOULDBLOCK && errno != EINTR) || left <= 0)
            return -1;
        nanosleep(&pause, NULL);
    }
}

int vmcp_keyring_lock(const char *dir, enum vmcp_lock how, int *ret_fd, struct vmcp_error *err)
{
    bool waits = how != VMCP_LOCK_TRY;
    auto_close int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "cannot be opened as a folder: %s",
                            strerror(errno));
    int rc = wait_for_lock(fd, how == VMCP_LOCK_SHARED ? LOCK_SH : LOCK_EX,
                           waits ? VMCP_KEYRING_LOCK_WAIT : 0);
    if (rc < 0 && errno == EWOULDBLOCK && waits)
        return vmcp_fail_at(err, VMCP_E_STATE_BUSY, dir,
                            "another program has held the lock of this folder for %d s; with mode "
                            "0700 only its owner can",
                            VMCP_KEYRING_LOCK_WAIT);
    if (rc < 0 && errno == EWOULDBLOCK)
        return vmcp_fail_at(err, VMCP_E_STATE_BUSY, dir, "another rotation is at work here");
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "cannot be locked: %s", strerror(errno));
    *ret_fd = steal_fd(&fd);
    return 0;
}

const struct vmcp_key *vmcp_keyring_signing_key(const struct vmcp_keyring *ring, bool rsa_only)
{
    for (size_t i = 0; i < ring->count; i++) {
        const struct vmcp_keyring_entry *e = &ring->entries[i];
        if (e->state == VMCP_KEY_ACTIVE && (!rsa_only || vmcp_key_type(e->key) == VMCP_KEY_RSA))
            return e->key;
    }
    return NULL;
}

static int add_jwk(json_t *keys, const struct vmcp_keyring_entry *e, struct vmcp_error *err)
{
    json_auto_t *jwk = NULL;
    int rc = vmcp_jwk_export(e->key, &jwk, err);
    if (rc < 0)
        return rc;
    if (json_object_set_new(jwk, "status", json_string(vmcp_key_state_name(e->state))) < 0 ||
        json_array_append(keys, jwk) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the key set");
    return 0;
}

int vmcp_keyring_jwks(const struct vmcp_keyring *ring, int64_t retired_before, json_t **ret,
                      struct vmcp_error *err)
{
    json_auto_t *keys = json_array();
    int rc = keys ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the key set");
    for (size_t i = 0; rc == 0 && i < ring->count; i++) {
        const struct vmcp_keyring_entry *e = &ring->entries[i];
        if (e->state != VMCP_KEY_RETIRED || e->since >= retired_before)
            rc = add_jwk(keys, e, err);
    }
    if (rc < 0)
        return rc;
    *ret = json_pack("{s:O}", "keys", keys);
    return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the key set");
}

void vmcp_keyring_clear(struct vmcp_keyring *ring)
{
    for (size_t i = 0; i < ring->count; i++)
        vmcp_key_unref(ring->entries[i].key);
    *ring = (struct vmcp_keyring){0};
}
