/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_file.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "guest_attributes.h"
#include "http/clock.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/json.h"
#include "metadata_schema.h"

enum { FILE_MAX = 4 * 1024 * 1024, LOOK_MS = 200 };

struct emu_metadata_file {
    struct emu_cloud *cloud;
    const char *path;
    const struct emu_persona *forced;
    int64_t created;
    struct stat seen;
    pthread_mutex_t lock;
    pthread_cond_t changed;
    pthread_t thread;
    bool stopping;
};

static void copy_text(const json_t *value, char *ret, size_t size)
{
    const char *text = json_string_value(value);
    if (text && strlen(text) < size)
        snprintf(ret, size, "%s", text);
}

static void read_persona(const json_t *tree, struct emu_persona *ret)
{
    const json_t *project = json_object_get(tree, "project");
    const json_t *accounts = json_object_get(json_object_get(tree, "instance"), "serviceAccounts");
    json_int_t number = json_integer_value(json_object_get(project, "numericProjectId"));
    copy_text(json_object_get(project, "projectId"), ret->project, sizeof(ret->project));
    copy_text(json_object_get(json_object_get(accounts, "default"), "email"), ret->email,
              sizeof(ret->email));
    if (number > 0)
        snprintf(ret->number, sizeof(ret->number), "%" JSON_INTEGER_FORMAT, number);
}

/* PATH, or PATH:LINE:COLUMN. */
static int put_path(struct vmcp_error *err, const char *path)
{
    char at[sizeof(err->where)];
    snprintf(at, sizeof(at), "%s", err->where);
    snprintf(err->where, sizeof(err->where), "%.47s%s%.40s", path, at[0] ? ":" : "", at);
    return -(int)err->code;
}

int emu_metadata_file_read(const char *path, json_t **ret_tree, struct emu_persona *ret_persona,
                           struct vmcp_error *err)
{
    auto_buf struct vmcp_buf text = VMCP_BUF(FILE_MAX);
    json_auto_t *document = NULL;
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &text, err);
    if (rc < 0)
        return rc;
    rc = vmcp_json_parse_object(text.data ? text.data : "", text.len, &document, err);
    if (rc == 0)
        rc = emu_metadata_schema_tree(document, ret_tree, err);
    if (rc < 0)
        return put_path(err, path);
    if (ret_persona)
        read_persona(*ret_tree, ret_persona);
    return 0;
}

/* What the source of tokens knows better than the file: whose they are. */
static void force(json_t *tree, const struct emu_persona *forced)
{
    json_t *project = json_object_get(tree, "project");
    json_t *instance = json_object_get(tree, "instance");
    json_t *account = json_object_get(json_object_get(instance, "serviceAccounts"), "default");
    if (forced->project[0])
        json_object_set_new(project, "projectId", json_string(forced->project));
    if (forced->number[0])
        json_object_set_new(project, "numericProjectId",
                            json_integer(strtoll(forced->number, NULL, 10)));
    if (!forced->email[0])
        return;
    json_t *copy = account ? json_deep_copy(account)
                           : json_pack("{s:[s], s:[s]}", "aliases", "default", "scopes",
                                       EMU_SCOPE "cloud-platform");
    json_object_set_new(copy, "email", json_string(forced->email));
    json_object_set_new(instance, "serviceAccounts",
                        json_pack("{s:o, s:O}", forced->email, copy, "default", copy));
}

/* The guest attributes are what guests wrote, whatever the file says. */
static int add_guest(struct emu_cloud *cloud, json_t *tree, struct vmcp_error *err)
{
    json_t *instance = json_object_get(tree, "instance");
    json_t *guest = NULL;
    uint64_t id = (uint64_t)json_integer_value(json_object_get(instance, "id"));
    int rc = emu_guest_attributes_enabled(tree)
                 ? emu_guest_attributes_load(cloud->store, id, &guest, err)
                 : 0;
    if (rc == 0)
        json_object_set_new(instance, "guestAttributes", guest ? guest : json_object());
    return rc;
}

static int show(struct emu_metadata_file *file, struct vmcp_error *err)
{
    json_auto_t *tree = NULL;
    int rc = emu_metadata_file_read(file->path, &tree, NULL, err);
    if (rc < 0)
        return rc;
    force(tree, file->forced);
    /* In one transaction: a guest that writes at this moment is in it, or comes after. */
    rc = emu_store_begin(file->cloud->store, err);
    if (rc < 0)
        return rc;
    rc = add_guest(file->cloud, tree, err);
    if (rc == 0)
        rc = emu_views_put_default(file->cloud->views, tree, file->created, err);
    if (rc == 0)
        tree = NULL; /* the view's now */
    return emu_store_end(file->cloud->store, rc, err);
}

static bool has_changed(struct emu_metadata_file *file)
{
    struct stat now = {0};
    if (stat(file->path, &now) < 0) /* being replaced, or gone: what was read stays */
        return false;
    bool same = now.st_mtim.tv_sec == file->seen.st_mtim.tv_sec &&
                now.st_mtim.tv_nsec == file->seen.st_mtim.tv_nsec &&
                now.st_size == file->seen.st_size && now.st_ino == file->seen.st_ino &&
                now.st_dev == file->seen.st_dev;
    file->seen = now;
    return !same;
}

static void look(struct emu_metadata_file *file)
{
    struct vmcp_error err = {0};
    if (!has_changed(file))
        return;
    if (show(file, &err) < 0)
        fprintf(stderr, "gce-emulator: %s: %s; what was read before stays\n", err.where, err.text);
    else
        emu_cloud_wake(file->cloud);
}

static void *run(void *arg)
{
    struct emu_metadata_file *file = arg;
    pthread_mutex_lock(&file->lock);
    while (!file->stopping) {
        int64_t at = http_now_ms() + LOOK_MS;
        struct timespec until = {at / 1000, (at % 1000) * 1000000};
        pthread_cond_timedwait(&file->changed, &file->lock, &until);
        if (!file->stopping)
            look(file);
    }
    pthread_mutex_unlock(&file->lock);
    return NULL;
}

static void prepare(struct emu_metadata_file *file)
{
    pthread_condattr_t monotonic;
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_mutex_init(&file->lock, NULL);
    pthread_cond_init(&file->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
}

int emu_metadata_file_start(struct emu_cloud *cloud, const char *path,
                            const struct emu_persona *forced, struct emu_metadata_file **ret,
                            struct vmcp_error *err)
{
    auto_free struct emu_metadata_file *file = calloc(1, sizeof(*file));
    if (!file)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a file of metadata");
    *file = (struct emu_metadata_file){
        .cloud = cloud, .path = path, .forced = forced, .created = time(NULL)};
    (void)has_changed(file); /* before it is read: a change while it is read is seen later */
    int rc = show(file, err);
    if (rc < 0)
        return rc;
    prepare(file);
    if (pthread_create(&file->thread, NULL, run, file) != 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no thread to watch %s", path);
    *ret = steal(&file);
    return 0;
}

void emu_metadata_file_stop(struct emu_metadata_file *file)
{
    if (!file)
        return;
    pthread_mutex_lock(&file->lock);
    file->stopping = true;
    pthread_cond_signal(&file->changed);
    pthread_mutex_unlock(&file->lock);
    pthread_join(file->thread, NULL);
    pthread_cond_destroy(&file->changed);
    pthread_mutex_destroy(&file->lock);
    free(file);
}
