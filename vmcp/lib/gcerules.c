/* SPDX-License-Identifier: Apache-2.0 */
#include "gcerules.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "json.h"

enum {
    NAME_MAX_CHARS = 63,
    LABELS_MAX = 64 - 3, /* three are the launcher's own */
};

#define LOWER  "abcdefghijklmnopqrstuvwxyz"
#define DIGITS "0123456789"

bool vmcp_gce_is_name(const char *s)
{
    size_t len = strlen(s);
    return len >= 1 && len <= NAME_MAX_CHARS && strchr(LOWER, s[0]) && s[len - 1] != '-' &&
           strspn(s, LOWER DIGITS "-") == len;
}

static bool is_label_text(const char *s)
{
    size_t len = strlen(s);
    return len <= NAME_MAX_CHARS && strspn(s, LOWER DIGITS "_-") == len;
}

/* Those that the launcher sets whatever the file says. */
static bool is_own(const char *key)
{
    static const char *const own[] = {"vmcp-domain", "vmcp-machine", "vmcp-by"};
    for (size_t i = 0; i < sizeof(own) / sizeof(*own); i++)
        if (strcmp(key, own[i]) == 0)
            return true;
    return false;
}

static void check_label(const char *key, const json_t *value, struct vmcp_diags *diags)
{
    char pointer[sizeof(((struct vmcp_diag *)0)->pointer)] = "/gce/labels";
    const char *text = json_string_value(value);
    vmcp_json_pointer_add(pointer, sizeof(pointer), key);
    if (!key[0] || !strchr(LOWER, key[0]) || !is_label_text(key))
        vmcp_diag_warning(diags, pointer, true,
                          "Compute Engine refuses the label `%.64s`: 1 to 63 of a-z 0-9 _ -, a "
                          "letter first",
                          key);
    else if (!text || (!strstr(text, "${vmcp.") && !is_label_text(text)))
        vmcp_diag_warning(diags, pointer, false,
                          "Compute Engine refuses this value of the label `%s`: a string of 0 to "
                          "63 of a-z 0-9 _ - is wanted",
                          key);
}

static void check_labels(const json_t *labels, struct vmcp_diags *diags)
{
    const char *key;
    json_t *value;
    size_t count = 0;
    json_object_foreach((json_t *)(uintptr_t)labels, key, value)
    {
        if (is_own(key))
            continue;
        count++;
        check_label(key, value, diags);
    }
    if (count > LABELS_MAX)
        vmcp_diag_warning(diags, "/gce/labels", false,
                          "Compute Engine refuses more than 64 labels, of which the launcher sets "
                          "three");
}

void vmcp_gce_check_names(const json_t *gce, struct vmcp_diags *diags)
{
    const char *type = json_string_value(json_object_get(gce, "machineType"));
    const char *slash = type ? strrchr(type, '/') : NULL;
    if (type && !strstr(type, "${vmcp.") && !vmcp_gce_is_name(slash ? slash + 1 : type))
        vmcp_diag_warning(diags, "/gce/machineType", false,
                          "Compute Engine refuses this machine type: its name is 1 to 63 of a-z "
                          "0-9 -, as e2-small");
    check_labels(json_object_get(gce, "labels"), diags);
}
