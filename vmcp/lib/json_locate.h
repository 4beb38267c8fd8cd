/* SPDX-License-Identifier: Apache-2.0 */
/* json_locate.h - where values stand in the text of a JSON document.
 *
 * jansson knows no position of a value that is well-formed and wrong, so the text is walked again
 * to the value's JSON Pointer (RFC 6901). All pointers are found in one walk: its time grows with
 * the text and hardly with their number.
 */
#ifndef VMCP_JSON_LOCATE_H
#define VMCP_JSON_LOCATE_H

#include <stdbool.h>
#include <stddef.h>

struct vmcp_json_pos {
    size_t line;   /* from 1 */
    size_t column; /* bytes, from 1 */
};

/* A place that is asked for, and the answer. */
struct vmcp_json_place {
    const char *pointer;      /* borrowed; "" is the whole document */
    bool at_key;              /* where its key stands, if it is a member of an object */
    void *arg;                /* the caller's, left alone */
    size_t offset;            /* found: bytes from the beginning */
    struct vmcp_json_pos pos; /* found: the same as line and column */
    const char *rest;         /* used while searching */
};

/* Find each place in a text that vmcp_json_parse() accepted. A pointer that leads nowhere gives the
 * last place on the way that exists. The places come back in the order of the text. */
void vmcp_json_locate_all(const char *text, size_t len, struct vmcp_json_place *places,
                          size_t count);

/* The same for one. */
struct vmcp_json_pos vmcp_json_locate(const char *text, size_t len, const char *pointer,
                                      bool at_key);

/* Line and column of a byte of any text. */
struct vmcp_json_pos vmcp_json_position(const char *text, size_t offset);

#endif
