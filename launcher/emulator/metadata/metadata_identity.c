/* SPDX-License-Identifier: Apache-2.0 */
#include "metadata_identity.h"

#include <string.h>
#include <strings.h>

#include "metadata_account.h"
#include "metadata_token.h"
#include "page.h"
#include "reqlog.h"
#include "tokens/identity.h"

/* The last part of projects/NUMBER/zones/ZONE. */
static const char *zone_of(const json_t *instance)
{
    const char *zone = json_string_value(json_object_get(instance, "zone"));
    const char *slash = zone ? strrchr(zone, '/') : NULL;
    return slash ? slash + 1 : "";
}

static json_t *license_ids(const json_t *instance)
{
    json_t *list = json_array();
    size_t i = 0;
    json_t *license = NULL;
    json_array_foreach(json_object_get(instance, "licenses"), i, license)
        json_array_append(list, json_object_get(license, "id"));
    return list;
}

/* The claim of format=full: which VM it is. */
static json_t *describe(const struct emu_view *view, bool licenses)
{
    const json_t *instance = json_object_get(view->tree, "instance");
    const json_t *project = json_object_get(view->tree, "project");
    json_int_t id = json_integer_value(json_object_get(instance, "id"));
    json_t *claim = json_pack(
        "{s:I, s:o, s:O?, s:O?, s:O?, s:s}", "instance_creation_timestamp",
        (json_int_t)view->created, "instance_id", json_sprintf("%" JSON_INTEGER_FORMAT, id),
        "instance_name", json_object_get(instance, "name"), "project_id",
        json_object_get(project, "projectId"), "project_number",
        json_object_get(project, "numericProjectId"), "zone", zone_of(instance));
    if (claim && licenses)
        json_object_set_new(claim, "license_id", license_ids(instance));
    return claim;
}

struct question {
    const char *audience;
    bool full, licenses;
};

/* NULL, or what is wrong with the query. */
static const char *read_question(const struct http_request *req, struct question *ret)
{
    const char *format = http_request_param(req, "format");
    const char *licenses = http_request_param(req, "licenses");
    ret->audience = http_request_param(req, "audience");
    ret->full = format && strcasecmp(format, "full") == 0;
    ret->licenses = licenses && strcasecmp(licenses, "true") == 0;
    if (!ret->audience || !*ret->audience)
        return "non-empty audience parameter required";
    if (strlen(ret->audience) > EMU_AUDIENCE_MAX)
        return "the audience is longer than 2048 bytes";
    if (format && !ret->full && strcasecmp(format, "standard") != 0)
        return "format is standard or full";
    return NULL;
}

/* One that is signed here. */
static char *sign(struct emu_cloud *cloud, const struct emu_view *view, const struct question *q,
                  const char *email, struct http_reply *reply)
{
    struct vmcp_error err = {0};
    char *jwt = NULL;
    json_auto_t *vm = q->full ? describe(view, q->licenses) : NULL;
    const struct emu_identity identity = {
        .email = email, .audience = q->audience, .with_email = q->full, .compute_engine = vm};
    if (emu_identity_sign(cloud->store, &identity, &jwt, &err) < 0)
        emu_page_reply(reply, 500, err.text);
    return jwt;
}

static void send_jwt(struct emu_cloud *cloud, const struct emu_view *view,
                     const struct http_request *req, const struct question *q, const char *email,
                     struct http_reply *reply)
{
    int64_t left = 0;
    char *jwt = cloud->token_source && !view->ip
                    ? emu_metadata_foreign(cloud, EMU_WANT_IDENTITY, q->audience, req, &left, reply)
                    : sign(cloud, view, q, email, reply);
    if (!jwt)
        return;
    http_reply_take(reply, 200, "text/html", jwt, strlen(jwt));
    emu_reqlog_note(reply, email, NULL);
}

bool emu_metadata_identity(struct emu_cloud *cloud, const struct emu_view *view,
                           const struct http_request *req, const char *path,
                           struct http_reply *reply)
{
    struct emu_node account;
    struct question q = {0};
    bool found = false;
    if (!emu_metadata_account(view, path, "identity", &found, &account))
        return false;
    const char *wrong = found ? read_question(req, &q) : NULL;
    if (!found)
        emu_page_reply(reply, 404, "This VM has no such service account.");
    else if (wrong)
        http_reply_text(reply, 400, "text/html", wrong);
    else
        send_jwt(cloud, view, req, &q, json_string_value(json_object_get(account.value, "email")),
                 reply);
    return true;
}
