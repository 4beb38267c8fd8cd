/* SPDX-License-Identifier: Apache-2.0 */
/* node.h - walking the metadata tree by path, and writing what is found.
 *
 * The tree is JSON with camelCase names; paths use the kebab-case of them ("machineType" is at
 * machine-type). What people named themselves (attributes, accounts) is the same in both.
 */
#ifndef EMU_NODE_H
#define EMU_NODE_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/buf.h"

enum emu_node_kind {
    EMU_NODE_DIRECTORY,
    EMU_NODE_LEAF,     /* one value */
    EMU_NODE_LINES,    /* several values, one in a line */
    EMU_NODE_DOCUMENT, /* always JSON: the tags */
};

struct emu_node {
    const json_t *value; /* borrowed from the tree */
    enum emu_node_kind kind;
    int verbatim; /* directories: for so many levels the names below are people's own */
    bool account; /* a service account's directory: has token and identity besides */
};

enum { EMU_ETAG_LEN = 16 };

/* Find `path`, which has no slash at either end ("" is the root), below `root`. */
bool emu_node_find(const json_t *root, const char *path, struct emu_node *ret);

/* One name a line, directories with a slash at the end. */
void emu_node_list(const struct emu_node *node, struct vmcp_buf *out);
/* A leaf's or lines' text; leaves have no newline at the end, lines each have one. */
void emu_node_text(const struct emu_node *node, struct vmcp_buf *out);
/* The whole subtree as "path/to/leaf value" lines. */
void emu_node_flatten(const struct emu_node *node, struct vmcp_buf *out);

/* A tag of the content: 16 hex digits of SHA-256 over its canonical JSON. */
void emu_node_etag(const struct emu_node *node, char ret[static EMU_ETAG_LEN + 1]);

#endif
