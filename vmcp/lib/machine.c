/* SPDX-License-Identifier: Apache-2.0 */
#include "machine.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "json.h"
#include "limits.h"
#include "options.h"

/* The table of VMCP version 1. `memory` and `ram` are one parameter under two names. */
static const struct vmcp_parameter parameters[] = {
    {"name", false, true, 0, 0},           {"secret", false, true, 0, 0},
    {"cpus", true, false, 1, INT32_MAX},   {"memory", true, false, 1, INT32_MAX},
    {"ram", true, false, 1, INT32_MAX},    {"disk", true, false, 0, INT32_MAX},
    {"flags", true, false, 0, INT32_MAX},  {"userData", false, false, 0, 0},
    {"cernvmVersion", false, false, 0, 0}, {"cernvmFlavor", false, false, 0, 0},
    {"diskURL", false, false, 0, 0},       {"diskChecksum", false, false, 0, 0},
    {"executionCap", true, false, 1, 100}, {"apiPort", true, false, 1, 65535},
    {"canOverride", false, false, 0, 0},
};

enum { PARAMETERS = sizeof(parameters) / sizeof(*parameters) };

const struct vmcp_parameter *vmcp_parameter_find(const char *name)
{
    for (size_t i = 0; i < PARAMETERS; i++)
        if (strcmp(parameters[i].name, name) == 0)
            return &parameters[i];
    return NULL;
}

/* [A-Za-z][A-Za-z0-9_.-]*: a key with `=` or a newline would make two documents with one text. */
static bool key_is_plain(const char *key)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    static const char rest[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
    size_t len = strlen(key);
    return len >= 1 && len <= VMCP_PARAMETER_KEY_MAX && strchr(letters, key[0]) &&
           strspn(key, rest) == len;
}

static void check_key(const json_t *machine, const char *key, const char *pointer,
                      struct vmcp_diags *diags)
{
    if (!key_is_plain(key)) {
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, true,
                        "a parameter's name is a letter and then letters, digits, _ . or -, at "
                        "most %d in all",
                        VMCP_PARAMETER_KEY_MAX);
        return;
    }
    if (strcasecmp(key, "signature") == 0) {
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, true,
                        "`signature` is what the signer adds; it cannot be a parameter");
        return;
    }
    for (size_t i = 0; i < PARAMETERS; i++)
        if (strcasecmp(parameters[i].name, key) == 0 && strcmp(parameters[i].name, key) != 0)
            vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, true, "`%s` is written `%s`", key,
                            parameters[i].name);
    const char *other;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)machine, other, value)
    {
        if (strcmp(other, key) < 0 && strcasecmp(other, key) == 0)
            vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, true,
                            "`%s` and `%s` differ only in case", other, key);
    }
    if (vmcp_parameter_find(key))
        return;
    const char *near = vmcp_suggest(key, parameters, PARAMETERS, sizeof(*parameters));
    if (near)
        vmcp_diag_warning(diags, pointer, true,
                          "`%s` is not one of VMCP's parameters; did you mean `%s`?", key, near);
    else
        vmcp_diag_warning(diags, pointer, true,
                          "`%s` is not one of VMCP's parameters; it is signed, and nobody reads it",
                          key);
}

static void check_integer(const struct vmcp_parameter *p, const json_t *value, const char *pointer,
                          struct vmcp_diags *diags)
{
    json_int_t n = json_integer_value(value);
    int64_t min = p ? p->min : INT32_MIN, max = p ? p->max : INT32_MAX;
    if (n < min || n > max)
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, false,
                        "%lld is out of range: %lld to %lld is wanted", (long long)n,
                        (long long)min, (long long)max);
}

static void check_value(const char *key, const json_t *value, const char *pointer,
                        struct vmcp_diags *diags)
{
    const struct vmcp_parameter *p = vmcp_parameter_find(key);
    const char *want = !p ? "a string or an integer" : p->is_integer ? "an integer" : "a string";
    bool good = p ? (p->is_integer ? json_is_integer(value) : json_is_string(value))
                  : json_is_integer(value) || json_is_string(value);
    if (!good)
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, false, "`%s` is to be %s", key, want);
    else if (json_is_integer(value))
        check_integer(p, value, pointer, diags);
    else if (json_string_length(value) > VMCP_USER_DATA_MAX)
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, false,
                        "%zu bytes; Compute Engine takes %d in one metadata value",
                        json_string_length(value), VMCP_USER_DATA_MAX);
    else if (p && p->is_required && json_string_length(value) == 0)
        vmcp_diag_error(diags, VMCP_E_MACHINE, pointer, false, "`%s` is empty", key);
}

static void check_together(const json_t *machine, const char *prefix, struct vmcp_diags *diags)
{
    for (size_t i = 0; i < PARAMETERS; i++)
        if (parameters[i].is_required && !json_object_get(machine, parameters[i].name))
            vmcp_diag_error(diags, VMCP_E_MACHINE, prefix, false, "the machine has no `%s`",
                            parameters[i].name);
    if (json_object_get(machine, "memory") && json_object_get(machine, "ram"))
        vmcp_diag_error(diags, VMCP_E_MACHINE, prefix, false,
                        "`memory` and `ram` are the same; give one of them");
    if (!json_object_get(machine, "diskURL") != !json_object_get(machine, "diskChecksum"))
        vmcp_diag_error(diags, VMCP_E_MACHINE, prefix, false,
                        "`diskURL` and `diskChecksum` are given together or not at all");
}

void vmcp_machine_check(const json_t *machine, const char *prefix, struct vmcp_diags *diags)
{
    if (!json_is_object(machine)) {
        vmcp_diag_error(diags, VMCP_E_MACHINE, prefix, false, "a machine is a JSON object");
        return;
    }
    if (json_object_size(machine) > VMCP_PARAMETERS_MAX) {
        vmcp_diag_error(diags, VMCP_E_MACHINE, prefix, false, "%zu parameters; %d at most",
                        json_object_size(machine), VMCP_PARAMETERS_MAX);
        return;
    }
    const char *key;
    json_t *value;
    json_object_foreach((json_t *)(uintptr_t)machine, key, value)
    {
        char pointer[sizeof(((struct vmcp_diag *)0)->pointer)];
        snprintf(pointer, sizeof(pointer), "%s", prefix);
        vmcp_json_pointer_add(pointer, sizeof(pointer), key);
        check_key(machine, key, pointer, diags);
        check_value(key, value, pointer, diags);
    }
    check_together(machine, prefix, diags);
}
