/* SPDX-License-Identifier: Apache-2.0 */
/* json_values.h - reading members of the API's JSON. */
#ifndef EMU_JSON_VALUES_H
#define EMU_JSON_VALUES_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* A member's text; NULL if it is absent or none. Borrowed. */
static inline const char *emu_text_at(const json_t *object, const char *key)
{
    return json_string_value(json_object_get(object, key));
}

/* An int64 of the API is a decimal string, or a number; 0 if it is absent. */
static inline int64_t emu_int64_at(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *text = json_string_value(value);
    return text ? strtoll(text, NULL, 10) : json_integer_value(value);
}

static inline bool emu_true_at(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

#endif
