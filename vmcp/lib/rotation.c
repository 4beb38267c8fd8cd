/* SPDX-License-Identifier: Apache-2.0 */
#include "rotation.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "auto.h"
#include "file.h"
#include "instant.h"
#include "journal.h"

/* New keys are made under this name and get theirs when all else is prepared. */
#define NEW_PREFIX ".new-"

VMCP_DEFINE_AUTO(dir_auto, DIR *, closedir)
#define auto_dir VMCP_AUTO(dir_auto)

/* One run. */
struct plan {
    const char *dir;
    const struct vmcp_rotation_options *options;
    struct vmcp_keyring ring;
    struct vmcp_rotation *out;
    int fd; /* of dir */
};

static bool exists(int dirfd, const char *folder, const char *name)
{
    char path[VMCP_ROTATION_PATH_MAX + 8];
    struct stat st;
    snprintf(path, sizeof(path), "%s/%s", folder, name);
    bool there = fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
    snprintf(path, sizeof(path), "%s/%s.pub", folder, name);
    return there || fstatat(dirfd, path, &st, AT_SYMLINK_NOFOLLOW) == 0;
}

/* A name for a key in another folder: its own, or, where that is taken, its thumbprint. */
static void name_in(const struct plan *p, const char *folder, const char *name,
                    const char *thumbprint, char path[static VMCP_ROTATION_PATH_MAX + 1])
{
    if (exists(p->fd, folder, name))
        snprintf(path, VMCP_ROTATION_PATH_MAX + 1, "%s/%s.key", folder, thumbprint);
    else
        snprintf(path, VMCP_ROTATION_PATH_MAX + 1, "%s/%s", folder, name);
}

static struct vmcp_rotation_step *add_step(struct plan *p, enum vmcp_rotation_kind kind,
                                           const char *thumbprint)
{
    struct vmcp_rotation_step *s = &p->out->steps[p->out->count++];
    *s = (struct vmcp_rotation_step){.kind = kind};
    snprintf(s->thumbprint, sizeof(s->thumbprint), "%s", thumbprint);
    return s;
}

static void add_move(struct plan *p, enum vmcp_rotation_kind kind,
                     const struct vmcp_keyring_entry *e, const char *to)
{
    const char *thumbprint = vmcp_key_thumbprint(e->key);
    struct vmcp_rotation_step *s = add_step(p, kind, thumbprint);
    snprintf(s->from, sizeof(s->from), "%s/%s", vmcp_key_state_name(e->state), e->name);
    if (to)
        name_in(p, to, e->name, thumbprint, s->to);
}

static bool has(const struct vmcp_keyring *ring, enum vmcp_key_state state, int type)
{
    for (size_t i = 0; i < ring->count; i++)
        if (ring->entries[i].state == state &&
            (type < 0 || (int)vmcp_key_type(ring->entries[i].key) == type))
            return true;
    return false;
}

static int check_age(const struct plan *p, const struct vmcp_keyring_entry *e,
                     struct vmcp_error *err)
{
    int64_t now = p->options->now, ripe = e->since + p->options->min_published;
    char where[VMCP_ROTATION_PATH_MAX + 8], at[VMCP_INSTANT_CHARS], left[VMCP_SPAN_CHARS],
        wanted[VMCP_SPAN_CHARS];
    if (now >= ripe)
        return 0;
    snprintf(where, sizeof(where), "%s/%s", vmcp_key_state_name(e->state), e->name);
    vmcp_instant_text(ripe, at);
    vmcp_span_text(ripe - now, left);
    vmcp_span_text(p->options->min_published, wanted);
    return vmcp_fail_at(err, VMCP_E_TOO_EARLY, where,
                        "clients get %s to learn of it (--min-published): it can become active "
                        "from %s on, in %s; wait, or say --now",
                        wanted, at, left);
}

/* First all promotions: at any moment there is an active key of each type. */
static int plan_moves(struct plan *p, struct vmcp_error *err)
{
    const struct vmcp_keyring *ring = &p->ring;
    for (size_t i = 0; i < ring->count; i++) {
        const struct vmcp_keyring_entry *e = &ring->entries[i];
        if (e->state != VMCP_KEY_NEXT)
            continue;
        int rc = check_age(p, e, err);
        if (rc < 0)
            return rc;
        add_move(p, VMCP_ROTATION_PROMOTE, e, "active");
    }
    for (size_t i = 0; i < ring->count; i++) {
        const struct vmcp_keyring_entry *e = &ring->entries[i];
        if (e->state == VMCP_KEY_ACTIVE && has(ring, VMCP_KEY_NEXT, (int)vmcp_key_type(e->key)))
            add_move(p, VMCP_ROTATION_RETIRE, e, "retired");
        if (e->state == VMCP_KEY_RETIRED && e->since < p->options->now - p->options->retire_after)
            add_move(p, VMCP_ROTATION_REMOVE, e, NULL);
    }
    return 0;
}

/* The kind that a new key is made of. RSA keys of other sizes are followed by the nearest. */
static const char *kind_of(const struct vmcp_key *key)
{
    if (vmcp_key_type(key) == VMCP_KEY_ED25519)
        return "ed25519";
    if (vmcp_key_type(key) == VMCP_KEY_P256)
        return "p-256";
    int bits = vmcp_key_bits(key);
    return bits <= 2048 ? "rsa-2048" : bits <= 3072 ? "rsa-3072" : "rsa-4096";
}

static int private_pem(struct vmcp_passphrase *pass, const struct vmcp_key *key, char **ret,
                       size_t *ret_len, struct vmcp_error *err)
{
    if (!pass || !(pass->source || pass->have))
        return vmcp_key_private_pem(key, ret, ret_len, err);
    int rc = vmcp_passphrase_get_new(pass, "a passphrase for the new key", err);
    return rc < 0 ? rc : vmcp_key_encrypted_pem(key, pass->text, pass->len, ret, ret_len, err);
}

/* Write `key` as the hidden file next/.new-NAME. */
static int write_new(const struct plan *p, const struct vmcp_key *key, const char *hidden,
                     struct vmcp_error *err)
{
    auto_free char *path = NULL, *pub_path = NULL, *private = NULL, *public = NULL;
    char hidden_pub[VMCP_ROTATION_PATH_MAX + 8];
    size_t len = 0;
    snprintf(hidden_pub, sizeof(hidden_pub), "%s.pub", hidden);
    int rc = vmcp_file_path(p->dir, hidden, &path, err);
    if (rc == 0)
        rc = vmcp_file_path(p->dir, hidden_pub, &pub_path, err);
    if (rc == 0)
        rc = vmcp_key_public_pem(key, &public, err);
    if (rc == 0)
        rc = vmcp_file_create(pub_path, 0644, public, strlen(public), err);
    if (rc == 0)
        rc = private_pem(p->options->pass, key, &private, &len, err);
    if (rc == 0)
        rc = vmcp_file_create(path, 0600, private, len, err);
    if (private)
        OPENSSL_cleanse(private, len);
    return rc;
}

static int make_key(struct plan *p, const struct vmcp_key *like, struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    const char *kind = kind_of(like);
    char name[VMCP_KEYFILE_NAME_MAX + 1], date[16];
    time_t now = (time_t)p->options->now;
    struct tm tm;
    if (p->options->dry_run) {
        struct vmcp_rotation_step *s = add_step(p, VMCP_ROTATION_MAKE, "");
        snprintf(s->to, sizeof(s->to), "next/%s-…", kind);
        return 0;
    }
    int rc = vmcp_key_generate(kind, &key, err);
    if (rc < 0)
        return rc;
    strftime(date, sizeof(date), "%Y%m%d", gmtime_r(&now, &tm));
    snprintf(name, sizeof(name), "%s-%s-%.8s.key", kind, date, vmcp_key_thumbprint(key));
    struct vmcp_rotation_step *s = add_step(p, VMCP_ROTATION_MAKE, vmcp_key_thumbprint(key));
    snprintf(s->from, sizeof(s->from), "next/" NEW_PREFIX "%s", name);
    name_in(p, "next", name, vmcp_key_thumbprint(key), s->to);
    return write_new(p, key, s->from, err);
}

/* What was kept in hardware is not to be followed by a key that lies in a file. */
static bool has_successor(const struct vmcp_keyring_entry *e, enum vmcp_key_state model)
{
    return e->state == model && !vmcp_key_device(e->key);
}

/* One new key after each that becomes active; where next/ was empty, one for each active key. */
static int plan_new_keys(struct plan *p, struct vmcp_error *err)
{
    enum vmcp_key_state model = has(&p->ring, VMCP_KEY_NEXT, -1) ? VMCP_KEY_NEXT : VMCP_KEY_ACTIVE;
    size_t made = 0;
    int rc = 0;
    for (size_t i = 0; i < p->ring.count; i++)
        made += has_successor(&p->ring.entries[i], model);
    if (p->ring.count + made > VMCP_KEYRING_MAX)
        return vmcp_fail_at(err, VMCP_E_LIMIT, p->dir,
                            "there would be more than %d keys; remove retired ones",
                            VMCP_KEYRING_MAX);
    for (size_t i = 0; rc == 0 && i < p->ring.count; i++)
        if (has_successor(&p->ring.entries[i], model))
            rc = make_key(p, p->ring.entries[i].key, err);
    if (rc == 0 && p->out->count == 0)
        rc = vmcp_fail_at(err, VMCP_E_KEY_DEVICE, p->dir,
                          "its keys stay in hardware, and new ones are made in files only; put the "
                          "next key into next/ yourself");
    return rc;
}

static int remove_with_prefix(const char *folder, const char *prefix, struct vmcp_error *err)
{
    auto_dir DIR *dir = opendir(folder);
    if (!dir)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be opened: %s", strerror(errno));
    for (struct dirent *e; (e = readdir(dir)) != NULL;)
        if (strncmp(e->d_name, prefix, strlen(prefix)) == 0 &&
            unlinkat(dirfd(dir), e->d_name, 0) < 0)
            return vmcp_fail_at(err, VMCP_E_FILE, e->d_name, "cannot be removed: %s",
                                strerror(errno));
    return 0;
}

/* Keys that an interrupted run made and no journal names, and journals that were not finished. */
static int remove_leftovers(const struct plan *p, struct vmcp_error *err)
{
    auto_free char *next = NULL;
    int rc = vmcp_file_path(p->dir, "next", &next, err);
    if (rc == 0)
        rc = remove_with_prefix(next, NEW_PREFIX, err);
    return rc < 0 ? rc : remove_with_prefix(p->dir, VMCP_KEYRING_JOURNAL ".", err);
}

/* The folders that keys move between are ours and no links: whoever could exchange them could make
 * this run, perhaps root's, write elsewhere. */
static int check_folder(int fd, const char *name, struct vmcp_error *err)
{
    struct stat st;
    int rc = name[0] ? fstatat(fd, name, &st, AT_SYMLINK_NOFOLLOW) : fstat(fd, &st);
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, name, "cannot be opened: %s", strerror(errno));
    if (!S_ISDIR(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, name, "is no folder; links are not followed here");
    if (st.st_uid != geteuid())
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, name,
                            "belongs to user %u, and this runs as user %u; one user owns a keys "
                            "folder and all that is in it",
                            (unsigned)st.st_uid, (unsigned)geteuid());
    return 0;
}

/* next/ and retired/, with the mode of active/. */
static int make_folders(const struct plan *p, struct vmcp_error *err)
{
    struct stat st;
    int rc = fstatat(p->fd, "active", &st, AT_SYMLINK_NOFOLLOW);
    for (int i = VMCP_KEY_NEXT; rc == 0 && i <= VMCP_KEY_RETIRED; i++)
        if (mkdirat(p->fd, vmcp_key_state_name((enum vmcp_key_state)i), st.st_mode & 0777) < 0 &&
            errno != EEXIST)
            rc = -1;
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, p->dir, "its folders cannot be made: %s",
                            strerror(errno));
    return 0;
}

/* How a keys folder begins. */
static int fail_unmade(const char *dir, const char *name, struct vmcp_error *err)
{
    auto_free char *path = NULL;
    int rc = vmcp_file_path(dir, name, &path, err);
    if (rc < 0)
        return rc;
    return vmcp_fail_at(err, VMCP_E_FILE, *name ? path : dir,
                        "is not there; a keys folder is made with: mkdir -p %s/active && vmcp "
                        "keygen --alg ed25519 --out %s/active/1.key",
                        dir, dir);
}

/* Those that are there; active/ has to be. */
static int check_folders(const struct plan *p, struct vmcp_error *err)
{
    struct stat st;
    int rc = check_folder(p->fd, "", err);
    if (rc < 0)
        return vmcp_error_locate(err, p->dir);
    for (int i = 0; rc == 0 && i < VMCP_KEY_STATES; i++) {
        const char *name = vmcp_key_state_name((enum vmcp_key_state)i);
        bool there = fstatat(p->fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
        if (there)
            rc = check_folder(p->fd, name, err);
        else if (i == VMCP_KEY_ACTIVE)
            rc = fail_unmade(p->dir, name, err);
    }
    return rc;
}

static int rotate(struct plan *p, struct vmcp_error *err)
{
    int rc = vmcp_keyring_load(&p->ring, p->dir, p->options->pass, false, err);
    if (rc == 0 && !has(&p->ring, VMCP_KEY_ACTIVE, -1) && !has(&p->ring, VMCP_KEY_NEXT, -1))
        rc = vmcp_fail_at(err, VMCP_E_KEY, p->dir,
                          "there is no key to rotate; make the first with: vmcp keygen --alg "
                          "ed25519 --out %s/active/1.key",
                          p->dir);
    if (rc == 0)
        rc = plan_moves(p, err);
    if (rc == 0 && !p->options->dry_run)
        rc = make_folders(p, err);
    if (rc == 0 && !p->options->dry_run)
        rc = remove_leftovers(p, err);
    if (rc == 0)
        rc = plan_new_keys(p, err);
    if (rc < 0 || p->options->dry_run)
        return rc;
    rc = vmcp_journal_write(p->dir, p->out, err);
    return rc < 0 ? rc : vmcp_journal_perform(p->dir, p->out, err);
}

/* With the rotations' lock held. */
static int resume_or_rotate(struct plan *p, struct vmcp_error *err)
{
    bool found = false;
    int rc = vmcp_journal_read(p->dir, p->out, &found, err);
    if (rc < 0 || !found)
        return rc < 0 ? rc : rotate(p, err);
    return p->options->dry_run ? 0 : vmcp_journal_perform(p->dir, p->out, err);
}

int vmcp_rotation_run(const char *dir, const struct vmcp_rotation_options *options,
                      struct vmcp_rotation *ret, struct vmcp_error *err)
{
    auto_close int lock = -1, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_free char *active = NULL;
    struct vmcp_rotation out = {0};
    if (fd < 0 && errno == ENOENT)
        return fail_unmade(dir, "", err);
    if (fd < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, dir, "cannot be opened as a folder: %s",
                            strerror(errno));
    struct plan p = {.dir = dir, .options = options, .out = &out, .fd = fd};
    int rc = check_folders(&p, err);
    if (rc == 0)
        rc = vmcp_file_path(dir, "active", &active, err);
    if (rc == 0)
        rc = vmcp_keyring_lock(active, VMCP_LOCK_TRY, &lock, err);
    if (rc == 0)
        rc = resume_or_rotate(&p, err);
    vmcp_keyring_clear(&p.ring);
    if (rc == 0)
        *ret = out;
    return rc;
}
