/* SPDX-License-Identifier: Apache-2.0 */
#include "rules_text.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "cloud/resource.h"

enum { LABELS_MAX = 64 };

const char *launch_rules_text(const json_t *object, const char *member)
{
    const char *text = json_string_value(json_object_get(object, member));
    return text ? text : "";
}

static bool is_label_text(const char *s, size_t min)
{
    size_t len = strlen(s);
    return len >= min && len <= LAUNCH_LABEL_MAX &&
           strspn(s, "abcdefghijklmnopqrstuvwxyz0123456789_-") == len;
}

int launch_rules_labels(const json_t *labels, const char *where, struct vmcp_error *err)
{
    json_t *object = (json_t *)(uintptr_t)labels; /* jansson's iterators want it so */
    if (json_object_size(labels) > LABELS_MAX)
        return vmcp_fail_at(err, VMCP_E_PLAN, where, "more than %d labels", LABELS_MAX);
    for (void *i = json_object_iter(object); i; i = json_object_iter_next(object, i)) {
        const char *key = json_object_iter_key(i);
        char clean[80];
        launch_clean(key, clean, sizeof(clean));
        if (!is_label_text(key, 1) || key[0] < 'a' || key[0] > 'z')
            return vmcp_fail_at(err, VMCP_E_PLAN, where,
                                "`%s` is no label: 1 to 63 of a-z 0-9 _ -, a letter first", clean);
        if (!is_label_text(json_string_value(json_object_iter_value(i)), 0))
            return vmcp_fail_at(err, VMCP_E_PLAN, where,
                                "the value of `%s` is not 0 to 63 of a-z 0-9 _ -", clean);
    }
    return 0;
}
