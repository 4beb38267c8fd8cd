/* SPDX-License-Identifier: Apache-2.0 */
/* The JSON reader: what it takes is bounded, and the same when it is written and read again. */
#include "fuzz.h"

#include "lib/json.h"
#include "lib/json_locate.h"
#include "lib/limits.h"

static size_t depth_of(json_t *value)
{
    size_t deepest = 0, i;
    const char *key;
    json_t *item;
    json_object_foreach(value, key, item) deepest =
        depth_of(item) > deepest ? depth_of(item) : deepest;
    json_array_foreach(value, i, item) deepest =
        depth_of(item) > deepest ? depth_of(item) : deepest;
    return deepest + (json_is_object(value) || json_is_array(value));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    json_auto_t *value = NULL, *again = NULL;
    auto_free char *copy = fuzz_string(data, size);
    auto_free char *text = malloc(size ? size : 1); /* exactly as long: reading on is seen */
    size_t len = 0;
    memcpy(text, copy, size);
    if (fuzz_told(vmcp_json_parse(text, size, &value, &err), &err) < 0) {
        fuzz_check(err.where[0] && !value);
        return 0;
    }
    fuzz_check(json_is_object(value) || json_is_array(value));
    struct vmcp_json_pos pos = vmcp_json_locate(text, size, "/machine/name", size % 2);
    fuzz_check(pos.line >= 1 && pos.column >= 1 && pos.line + pos.column <= size + 2);
    if (size < 4096) /* depth_of() walks each path of a small tree several times */
        fuzz_check(depth_of(value) <= VMCP_JSON_DEPTH);
    auto_free char *written = vmcp_json_text(value, &len);
    fuzz_check(written && vmcp_json_parse(written, len, &again, &err) == 0);
    fuzz_check(json_equal(value, again));
    vmcp_json_wipe(value);
    return 0;
}
