/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - strict JSON (RFC 8259) on jansson, and where a value stands in its text.
 *
 * Strict means: UTF-8, no duplicate keys, no NUL in strings, nothing after the document, an object
 * or array at the top, depth at most VMCP_JSON_DEPTH.
 */
#ifndef VMCP_JSON_H
#define VMCP_JSON_H

#include <jansson.h>
#include <stddef.h>

#include "error.h"

/* Parse `len` bytes. *ret is a new reference, freed with json_decref(). Errors: VMCP_E_JSON, with
 * "LINE:COLUMN" in err->where (both from 1, columns in bytes). */
VMCP_MUST_CHECK int vmcp_json_parse(const char *text, size_t len, json_t **ret,
                                    struct vmcp_error *err);

/* The same, for a document that must be an object. */
VMCP_MUST_CHECK int vmcp_json_parse_object(const char *text, size_t len, json_t **ret,
                                           struct vmcp_error *err);

struct vmcp_json_pos {
    size_t line;   /* from 1 */
    size_t column; /* bytes, from 1 */
};

/* Where the value at `pointer` (RFC 6901; "" is the whole document) begins in a text that
 * vmcp_json_parse() accepted; its key instead, where `at_key` is set and it is a member of an
 * object. A pointer that leads nowhere gives the last place on the way that exists. */
struct vmcp_json_pos vmcp_json_locate(const char *text, size_t len, const char *pointer,
                                      int at_key);

/* Append one reference token to a JSON Pointer in a buffer of `size` bytes, escaped as RFC 6901
 * section 3 says; cut if it does not fit. */
void vmcp_json_pointer_add(char *pointer, size_t size, const char *token);

/* Compact UTF-8 text of `value` in its own key order, a new string, free(); NULL without memory. */
char *vmcp_json_text(const json_t *value, size_t *ret_len);

/* Overwrite each string in the tree (values, not keys) before it is dropped: for documents that
 * held secrets. */
void vmcp_json_wipe(json_t *value);

#endif
