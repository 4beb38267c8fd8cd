/* SPDX-License-Identifier: Apache-2.0 */
/* fields.h - the members of a JSON object, read one by one, with a finding for each that is wrong.
 *
 * Each function leaves *ret alone where the member is not there or is wrong.
 */
#ifndef VMCP_FIELDS_H
#define VMCP_FIELDS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "diag.h"

/* An object, where it stands in its document, and where findings go. */
struct vmcp_fields {
    const json_t *object;
    char pointer[160]; /* RFC 6901 */
    enum vmcp_code code;
    struct vmcp_diags *diags;
};

/* The pointer of a member; good until the next call with the same `out`. */
const char *vmcp_fields_pointer(const struct vmcp_fields *f, const char *key,
                                char out[VMCP_AT_LEAST(160)]);

/* A finding about a member (`at_key`: about its name), or about the object where key is NULL. */
void vmcp_fields_fail(const struct vmcp_fields *f, const char *key, bool at_key, const char *fmt,
                      ...) __attribute__((format(printf, 4, 5)));

/* A word that may stand somewhere. */
struct vmcp_field_name {
    const char *name;
    const char *refused; /* why it may not stand here, or NULL: it may */
};

/* Each member is one of `names`, or there is a finding, with the nearest name that may stand here.
 */
void vmcp_fields_known(const struct vmcp_fields *f, const struct vmcp_field_name *names,
                       size_t count);

/* The member, where it is an object: with its own pointer in *ret. */
bool vmcp_fields_object(const struct vmcp_fields *f, const char *key, struct vmcp_fields *ret);
/* A string of 1 to `max` bytes; the text is borrowed. */
void vmcp_fields_string(const struct vmcp_fields *f, const char *key, size_t max, const char **ret);
/* One of `words`; *ret is its index. */
void vmcp_fields_word(const struct vmcp_fields *f, const char *key, const char *const *words,
                      size_t count, size_t *ret);
void vmcp_fields_bool(const struct vmcp_fields *f, const char *key, bool *ret);
void vmcp_fields_integer(const struct vmcp_fields *f, const char *key, int64_t min, int64_t max,
                         int64_t *ret);
/* "180s" (duration.h), in milliseconds, in a range of seconds. */
void vmcp_fields_duration(const struct vmcp_fields *f, const char *key, int64_t min_s,
                          int64_t max_s, int64_t *ret_ms);

#endif
