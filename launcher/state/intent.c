/* SPDX-License-Identifier: Apache-2.0 */
#include "intent.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "lib/file.h"
#include "lib/json.h"
#include "lib/name.h"

enum { INTENT_MAX = 4 * 1024 * 1024, FORMAT = 1 };

static int no_memory(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an intent");
}

static int intent_path(const struct launch_state *state, const char *request_id, char **ret,
                       struct vmcp_error *err)
{
    if (asprintf(ret, "%s/intents/%s.json", state->folder, request_id) >= 0)
        return 0;
    *ret = NULL;
    return no_memory(err);
}

static int write_intent(const struct launch_state *state, const struct launch_intent *intent,
                        struct vmcp_error *err)
{
    auto_free char *path = NULL, *text = NULL;
    size_t len = 0;
    /* The body is kept as a string: the same bytes are sent again, not the same document. */
    json_t *document =
        json_pack("{s:i, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s}", "format", FORMAT, "requestId",
                  intent->request_id, "role", intent->role, "project", intent->project, "zone",
                  intent->zone, "name", intent->name, "api", intent->api, "created",
                  (json_int_t)intent->created, "body", intent->body);
    text = document ? vmcp_json_text(document, &len) : NULL;
    vmcp_json_wipe(document);
    json_decref(document);
    if (!text)
        return no_memory(err);
    int rc = intent_path(state, intent->request_id, &path, err);
    if (rc == 0)
        rc = vmcp_file_replace(path, 0600, text, len, err);
    OPENSSL_cleanse(text, len);
    return rc;
}

int launch_intent_open(const struct launch_state *state, const struct launch_compute *compute,
                       const char *role, const char *zone, const char *name, const json_t *body,
                       struct launch_intent *ret, struct vmcp_error *err)
{
    auto_intent struct launch_intent intent = {.created = time(NULL)};
    if (state->lock < 0)
        return vmcp_fail(err, VMCP_E_INTERNAL, "an intent is written without the lock");
    int rc = vmcp_uuid_make(intent.request_id, err);
    if (rc < 0)
        return rc;
    snprintf(intent.role, sizeof(intent.role), "%s", role);
    snprintf(intent.project, sizeof(intent.project), "%s", compute->project);
    snprintf(intent.zone, sizeof(intent.zone), "%s", zone);
    snprintf(intent.name, sizeof(intent.name), "%s", name);
    memcpy(intent.api, compute->base, sizeof(intent.api));
    intent.body = vmcp_json_text(body, NULL);
    if (!intent.body)
        return no_memory(err);
    rc = write_intent(state, &intent, err);
    if (rc < 0)
        return rc;
    *ret = intent;
    intent = (struct launch_intent){0};
    return 0;
}

/* Copy a member that must be a string that fits. */
static bool take(const json_t *document, const char *member, char *ret, size_t size)
{
    const char *s = json_string_value(json_object_get(document, member));
    if (!s || !*s || strlen(s) >= size)
        return false;
    memcpy(ret, s, strlen(s) + 1);
    return true;
}

static bool parse_intent(const json_t *d, struct launch_intent *intent)
{
    const char *body = json_string_value(json_object_get(d, "body"));
    intent->created = json_integer_value(json_object_get(d, "created"));
    intent->found = true;
    intent->body = body ? strdup(body) : NULL;
    return json_integer_value(json_object_get(d, "format")) == FORMAT && intent->body &&
           take(d, "requestId", intent->request_id, sizeof(intent->request_id)) &&
           take(d, "role", intent->role, sizeof(intent->role)) &&
           take(d, "project", intent->project, sizeof(intent->project)) &&
           take(d, "zone", intent->zone, sizeof(intent->zone)) &&
           take(d, "name", intent->name, sizeof(intent->name)) &&
           take(d, "api", intent->api, sizeof(intent->api)) && launch_is_project(intent->project) &&
           launch_is_label(intent->zone) && launch_is_label(intent->name) && intent->created > 0;
}

static int read_intent(const struct launch_state *state, const char *request_id,
                       struct launch_intent *ret, struct vmcp_error *err)
{
    auto_free char *path = NULL;
    auto_secret_buf struct vmcp_buf text = VMCP_BUF(INTENT_MAX);
    json_t *document = NULL;
    int rc = intent_path(state, request_id, &path, err);
    if (rc == 0)
        rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &text, err);
    if (rc < 0)
        return rc;
    bool good =
        vmcp_json_parse_object(text.data ? text.data : "", text.len, &document, NULL) == 0 &&
        parse_intent(document, ret) && strcmp(ret->request_id, request_id) == 0;
    vmcp_json_wipe(document);
    json_decref(document);
    if (good)
        return 0;
    return vmcp_fail_at(err, VMCP_E_STATE, path,
                        "is damaged: an insert may have been sent that cannot be settled now; look "
                        "at the project's instances, then remove the file");
}

/* "UUID.json" to the UUID. A file that was begun and never renamed has another name. */
static bool is_intent_name(const char *file, char ret[static VMCP_JTI_LEN + 1])
{
    if (strlen(file) != VMCP_JTI_LEN + 5 || strcmp(file + VMCP_JTI_LEN, ".json") != 0 ||
        strspn(file, "0123456789abcdef-") != VMCP_JTI_LEN)
        return false;
    memcpy(ret, file, VMCP_JTI_LEN);
    ret[VMCP_JTI_LEN] = '\0';
    return true;
}

/* What a killed run began to write and never renamed. It was not sent, and may hold VM-1's key. */
static void sweep(const struct launch_state *state, const char *folder, const char *file)
{
    char id[VMCP_JTI_LEN + 1], name[VMCP_JTI_LEN + 6];
    auto_free char *path = NULL;
    if (state->lock < 0 || strlen(file) != VMCP_JTI_LEN + 5 + 7 || file[VMCP_JTI_LEN + 5] != '.')
        return;
    memcpy(name, file, VMCP_JTI_LEN + 5);
    name[VMCP_JTI_LEN + 5] = '\0';
    if (!is_intent_name(name, id))
        return;
    if (asprintf(&path, "%s/%s", folder, file) < 0)
        path = NULL;
    else
        unlink(path);
}

int launch_intent_each(const struct launch_state *state,
                       int (*each)(void *arg, struct launch_intent *intent, struct vmcp_error *err),
                       void *arg, struct vmcp_error *err)
{
    auto_free char *folder = NULL;
    struct dirent **names = NULL;
    if (asprintf(&folder, "%s/intents", state->folder) < 0) {
        folder = NULL;
        return no_memory(err);
    }
    int count = scandir(folder, &names, NULL, alphasort);
    if (count < 0 && errno == ENOENT)
        return 0;
    if (count < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be listed: %s", strerror(errno));
    int rc = 0;
    for (int i = 0; i < count; i++) {
        auto_intent struct launch_intent intent = {0};
        char id[VMCP_JTI_LEN + 1];
        sweep(state, folder, names[i]->d_name);
        if (rc == 0 && is_intent_name(names[i]->d_name, id)) {
            rc = read_intent(state, id, &intent, err);
            if (rc == 0)
                rc = each(arg, &intent, err);
        }
        free(names[i]);
    }
    free(names);
    return rc;
}

int launch_intent_close(const struct launch_state *state, const struct launch_intent *intent,
                        struct vmcp_error *err)
{
    auto_free char *path = NULL, *folder = NULL;
    int rc = intent_path(state, intent->request_id, &path, err);
    if (rc < 0)
        return rc;
    if (asprintf(&folder, "%s/intents", state->folder) < 0) {
        folder = NULL;
        return no_memory(err);
    }
    if (unlink(path) < 0 && errno != ENOENT)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be removed: %s", strerror(errno));
    auto_close int fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || (fsync(fd) < 0 && errno != EINVAL))
        return vmcp_fail_at(err, VMCP_E_FILE, folder, "cannot be written to the disk: %s",
                            strerror(errno));
    return 0;
}

void launch_intent_clear(struct launch_intent *intent)
{
    if (intent->body)
        OPENSSL_cleanse(intent->body, strlen(intent->body));
    free(intent->body);
    *intent = (struct launch_intent){0};
}
