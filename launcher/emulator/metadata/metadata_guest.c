/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_guest.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "guest_attributes.h"
#include "page.h"

static const char folder[] = "instance/guest-attributes", text_type[] = "application/text";

bool emu_metadata_is_guest(const char *path)
{
    const size_t len = sizeof(folder) - 1;
    return strncmp(path, folder, len) == 0 && (path[len] == '/' || path[len] == '\0');
}

/* NAMESPACE/KEY, exactly two names. */
static bool split(const char *path, char space[static EMU_GUEST_NAME_MAX + 1],
                  char key[static EMU_GUEST_NAME_MAX + 1])
{
    const char *rest = path + sizeof(folder) - 1;
    const char *slash = *rest ? strchr(++rest, '/') : NULL;
    if (!slash || slash - rest > EMU_GUEST_NAME_MAX || strlen(slash + 1) > EMU_GUEST_NAME_MAX)
        return false;
    snprintf(space, EMU_GUEST_NAME_MAX + 1, "%.*s", (int)(slash - rest), rest);
    snprintf(key, EMU_GUEST_NAME_MAX + 1, "%s", slash + 1);
    return emu_guest_attribute_name(space) && emu_guest_attribute_name(key);
}

/* The body as text; NULL for what is no UTF-8 or has a NUL, and without memory. */
static char *read_value(const struct http_request *req)
{
    json_auto_t *checked = json_stringn(req->body ? req->body : "", req->body_len);
    if (!checked || (req->body_len && memchr(req->body, '\0', req->body_len)))
        return NULL;
    return strdup(json_string_value(checked));
}

/* Ten writes a second, counted by the second. */
static bool too_many(struct emu_cloud *cloud, uint64_t instance)
{
    struct emu_guest_rate *rate = &cloud->guest_rates[instance % EMU_GUEST_RATES];
    int64_t now = time(NULL);
    pthread_mutex_lock(&cloud->guest_lock);
    if (rate->instance != instance || rate->second != now)
        *rate = (struct emu_guest_rate){.instance = instance, .second = now};
    bool over = ++rate->writes > EMU_GUEST_WRITES_MAX;
    pthread_mutex_unlock(&cloud->guest_lock);
    return over;
}

/* One transaction, so that two writers leave the view as the state is. `value` NULL: delete. */
static int write_one(struct emu_cloud *cloud, const struct emu_view *view, const char *space,
                     const char *key, const char *value, bool *ret_found, struct vmcp_error *err)
{
    json_t *all = NULL;
    int rc = value ? emu_guest_attribute_put(cloud->store, view->id, space, key, value, err)
                   : emu_guest_attribute_delete(cloud->store, view->id, space, key, ret_found, err);
    if (rc == 0)
        rc = emu_guest_attributes_load(cloud->store, view->id, &all, err);
    return rc == 0 ? emu_views_set_guest(cloud->views, view, all, err) : rc;
}

static void change(struct emu_cloud *cloud, const struct emu_view *view, const char *space,
                   const char *key, const char *value, struct http_reply *reply)
{
    struct vmcp_error err = {0};
    bool found = true;
    int rc = emu_store_begin(cloud->store, &err);
    if (rc == 0)
        rc = emu_store_end(cloud->store, write_one(cloud, view, space, key, value, &found, &err),
                           &err);
    if (rc < 0) {
        emu_page_reply(reply, err.code == VMCP_E_LIMIT ? 413 : 500, err.text);
    } else if (!found) {
        emu_page_reply(reply, 404, "There is no such guest attribute.");
    } else {
        emu_cloud_wake(cloud);
        http_reply_text(reply, 200, text_type, "");
    }
}

static void put(struct emu_cloud *cloud, const struct emu_view *view,
                const struct http_request *req, const char *space, const char *key,
                struct http_reply *reply)
{
    auto_free char *value = req->body_len <= EMU_GUEST_VALUE_MAX ? read_value(req) : NULL;
    if (req->body_len > EMU_GUEST_VALUE_MAX)
        emu_page_reply(reply, 413, "The value of a guest attribute has at most 262144 bytes.");
    else if (!value)
        http_reply_text(reply, 400, text_type, "a value is UTF-8 text without NUL bytes\n");
    else
        change(cloud, view, space, key, value, reply);
}

bool emu_metadata_guest(struct emu_cloud *cloud, const struct emu_view *view,
                        const struct http_request *req, const char *path, struct http_reply *reply)
{
    char space[EMU_GUEST_NAME_MAX + 1], key[EMU_GUEST_NAME_MAX + 1];
    bool is_put = strcmp(req->method, "PUT") == 0, is_delete = strcmp(req->method, "DELETE") == 0;
    if (!emu_metadata_is_guest(path))
        return false;
    if (!emu_guest_attributes_enabled(view->tree))
        http_reply_text(reply, 403, text_type, "Guest attributes endpoint access is disabled.");
    else if (!is_put && !is_delete)
        return false;
    else if (!split(path, space, key))
        http_reply_text(reply, 400, text_type,
                        "the path is guest-attributes/NAMESPACE/KEY, names of 1 to 128 letters, "
                        "digits, dots, dashes and underscores\n");
    else if (too_many(cloud, view->id))
        emu_page_reply(reply, 429, "A VM writes at most 10 guest attributes a second.");
    else if (is_put)
        put(cloud, view, req, space, key, reply);
    else
        change(cloud, view, space, key, NULL, reply);
    return true;
}
