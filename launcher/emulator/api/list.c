/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "base/ref.h"
#include "filter.h"
#include "lib/auto.h"
#include "lib/base64.h"

enum { PAGE_MAX = 500, KEY_MAX = 512 };

/* An item and what it is sorted by. */
struct entry {
    json_t *item; /* borrowed */
    const char *made, *link;
};

struct entries {
    struct entry *list;
    size_t count;
};

static void entries_clear(struct entries *entries)
{
    free(entries->list);
}

static int by_link(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    return strcmp(x->link, y->link);
}

/* The newest first. */
static int by_time(const void *a, const void *b)
{
    const struct entry *x = a, *y = b;
    int order = strcmp(y->made, x->made);
    return order ? order : strcmp(x->link, y->link);
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static int filter_items(const struct emu_call *call, const json_t *items, struct entries *ret,
                        struct emu_refusal *why)
{
    auto_filter struct emu_filter *filter = NULL;
    int rc = emu_filter_read(http_request_param(call->req, "filter"), &filter, why);
    if (rc < 0)
        return rc;
    size_t i = 0;
    json_t *item = NULL;
    ret->list = calloc(json_array_size(items) + 1, sizeof(*ret->list));
    if (!ret->list)
        return emu_refuse(why, 500, "backendError", "No memory for a list.");
    json_array_foreach(items, i, item)
    {
        if (!emu_filter_fits(filter, item))
            continue;
        const char *made = emu_text_at(item, "creationTimestamp");
        if (!made)
            made = emu_text_at(item, "insertTime");
        ret->list[ret->count++] =
            (struct entry){item, or_empty(made), or_empty(emu_text_at(item, "selfLink"))};
    }
    return 0;
}

static int read_order(const struct emu_call *call, bool *ret_by_time, struct emu_refusal *why)
{
    const char *order = http_request_param(call->req, "orderBy");
    *ret_by_time = order && strcmp(order, "creationTimestamp desc") == 0;
    if (!order || !*order || *ret_by_time || strcmp(order, "name") == 0 ||
        strcmp(order, "name asc") == 0)
        return 0;
    return emu_refuse_field(why, "orderBy", order, "Must be 'name' or 'creationTimestamp desc'.");
}

/* maxResults: from 0 to 500, both 0 and none at all standing for 500. */
static int read_max(const struct emu_call *call, size_t *ret, struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, "maxResults");
    char *end = NULL;
    long max = text && *text ? strtol(text, &end, 10) : 0;
    if (end && (*end || max < 0 || max > PAGE_MAX))
        return emu_refuse_field(why, "maxResults", text, "Must be a number from 0 to %d.",
                                PAGE_MAX);
    *ret = max == 0 ? PAGE_MAX : (size_t)max;
    return 0;
}

/* A token is the last item's time and link. */
static char *make_token(const struct entry *last)
{
    char key[KEY_MAX];
    int len = snprintf(key, sizeof(key), "%s\n%s", last->made, last->link);
    if (len < 0 || (size_t)len >= sizeof(key))
        return NULL;
    char *token = malloc(VMCP_BASE64_CHARS(KEY_MAX) + 1);
    if (token)
        vmcp_base64_encode(VMCP_BASE64_URL, (const unsigned char *)key, (size_t)len, token);
    return token;
}

/* Take a token apart into `key`, which *ret then points into. */
static int read_token(const char *token, char key[static KEY_MAX], struct entry *ret,
                      struct emu_refusal *why)
{
    size_t len = 0, chars = strlen(token);
    struct vmcp_error err = {0};
    bool good = VMCP_BASE64_BYTES(chars) < KEY_MAX &&
                vmcp_base64_decode(VMCP_BASE64_URL, token, chars, (uint8_t *)key, &len, &err) == 0;
    key[good ? len : 0] = '\0';
    char *newline = strchr(key, '\n');
    if (!good || !newline || strlen(key) != len)
        return emu_refuse_field(why, "pageToken", token, "The token is none of this list's.");
    *newline = '\0';
    *ret = (struct entry){.made = key, .link = newline + 1};
    return 0;
}

int emu_list_page(const struct emu_call *call, const json_t *items, json_t **ret, char **ret_next,
                  struct emu_refusal *why)
{
    VMCP_AUTO(entries_clear) struct entries entries = {0};
    bool time_counts = false;
    size_t max = 0, at = 0;
    char key[KEY_MAX];
    const char *token = http_request_param(call->req, "pageToken");
    struct entry last = {0};
    int rc = read_max(call, &max, why);
    if (rc == 0)
        rc = read_order(call, &time_counts, why);
    if (rc == 0 && token && *token)
        rc = read_token(token, key, &last, why);
    if (rc == 0)
        rc = filter_items(call, items, &entries, why);
    if (rc < 0)
        return rc;
    int (*order)(const void *, const void *) = time_counts ? by_time : by_link;
    qsort(entries.list, entries.count, sizeof(*entries.list), order);
    while (last.link && at < entries.count && order(&entries.list[at], &last) <= 0)
        at++;
    json_t *page = json_array();
    size_t end = at + max < entries.count ? at + max : entries.count;
    *ret_next = end < entries.count ? make_token(&entries.list[end - 1]) : NULL;
    for (; at < end; at++)
        json_array_append(page, entries.list[at].item);
    *ret = page;
    return 0;
}

int emu_list_answer(const struct emu_call *call, const char *kind, const json_t *items,
                    json_t **ret, struct emu_refusal *why)
{
    json_auto_t *page = NULL;
    auto_free char *next = NULL;
    int rc = emu_list_page(call, items, &page, &next, why);
    if (rc < 0)
        return rc;
    const char *path = call->req->path + sizeof("/compute/v1/") - 1;
    json_t *answer = json_pack("{s:s, s:s, s:o}", "kind", kind, "id", path, "selfLink",
                               json_sprintf(EMU_COMPUTE_BASE "/%s", path));
    if (answer && json_array_size(page) > 0) /* absent when empty */
        json_object_set(answer, "items", page);
    if (answer && next)
        json_object_set_new(answer, "nextPageToken", json_string(next));
    *ret = answer;
    return 0;
}
