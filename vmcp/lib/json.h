/* SPDX-License-Identifier: Apache-2.0 */
/* json.h - strict JSON (RFC 8259) on jansson.
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

/* Append one reference token to a JSON Pointer in a buffer of `size` bytes, escaped as RFC 6901
 * section 3 says; cut if it does not fit. */
void vmcp_json_pointer_add(char *pointer, size_t size, const char *token);

/* Compact UTF-8 text of `value` in its own key order, a new string, free(); NULL without memory. */
char *vmcp_json_text(const json_t *value, size_t *ret_len);

/* Overwrite each string in the tree (values, not keys) before it is dropped: for documents that
 * held secrets. */
void vmcp_json_wipe(json_t *value);

#endif
