/* SPDX-License-Identifier: Apache-2.0 */
#include "list.h"

#include <stdlib.h>
#include <string.h>

#include "filter.h"
#include "lib/auto.h"
#include "ref.h"

enum { PAGE_MAX = 500 };

int emu_list_filter(const struct emu_call *call, const json_t *items, json_t **ret,
                    struct emu_refusal *why)
{
    const char *filter = http_request_param(call->req, "filter");
    json_auto_t *kept = json_array();
    size_t i = 0;
    json_t *item = NULL;
    json_array_foreach(items, i, item)
    {
        bool fits = false;
        int rc = emu_filter_fits(filter, item, &fits, why);
        if (rc < 0)
            return rc;
        if (fits)
            json_array_append(kept, item);
    }
    *ret = steal(&kept);
    return 0;
}

/* A number of the query in 0..max; `unset` where it is not given. */
static int number(const struct emu_call *call, const char *key, long max, long unset, long *ret,
                  struct emu_refusal *why)
{
    const char *text = http_request_param(call->req, key);
    char *end = NULL;
    *ret = unset;
    if (!text || !*text)
        return 0;
    *ret = strtol(text, &end, 10);
    if (*end || *ret < 0 || *ret > max)
        return emu_refuse_field(why, key, text, "Must be a number from 0 to %ld.", max);
    return 0;
}

int emu_list_answer(const struct emu_call *call, const char *kind, const json_t *items,
                    json_t **ret, struct emu_refusal *why)
{
    json_auto_t *kept = NULL;
    json_auto_t *page = json_array();
    long max = 0, from = 0;
    int rc = number(call, "maxResults", PAGE_MAX, PAGE_MAX, &max, why);
    if (rc == 0)
        rc = number(call, "pageToken", 1000000, 0, &from, why);
    if (rc == 0)
        rc = emu_list_filter(call, items, &kept, why);
    if (rc < 0)
        return rc;
    size_t size = max == 0 ? (size_t)PAGE_MAX : (size_t)max, begin = (size_t)from;
    size_t count = json_array_size(kept);
    for (size_t i = begin; i < count && i < begin + size; i++)
        json_array_append(page, json_array_get(kept, i));
    const char *path = call->req->path + sizeof("/compute/v1/") - 1;
    json_t *answer = json_pack("{s:s, s:s, s:o}", "kind", kind, "id", path, "selfLink",
                               json_sprintf(EMU_COMPUTE_BASE "/%s", path));
    if (answer && json_array_size(page) > 0) /* absent when empty */
        json_object_set(answer, "items", page);
    if (answer && begin + size < count)
        json_object_set_new(answer, "nextPageToken", json_sprintf("%zu", begin + size));
    *ret = answer;
    return 0;
}
