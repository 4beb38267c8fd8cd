/* SPDX-License-Identifier: Apache-2.0 */
/* diag.h - errors and warnings about a document, each with the place it speaks of. */
#ifndef VMCP_DIAG_H
#define VMCP_DIAG_H

#include <stdbool.h>
#include <stddef.h>

#include "error.h"

struct vmcp_diag {
    bool is_error; /* else a warning */
    enum vmcp_code code;
    char pointer[160];   /* RFC 6901, into the document; "" is the whole */
    bool at_key;         /* about the key there, not the value */
    size_t into;         /* about this byte of the string there, from 1; 0: about all of it */
    size_t line, column; /* from 1, in bytes; 0: not known, see vmcp_diags_locate() */
    char text[256];
    size_t order; /* used while sorting */
};

struct vmcp_diags {
    struct vmcp_diag *items; /* owned */
    size_t count;
    size_t errors;        /* how many of them */
    bool want_gce;        /* set by the caller: vmcp_config_load() is to add what gcehint.h says,
                      and whether a job's time zone is known here */
    const char *universe; /* set by the caller, borrowed: where a job's access token may go; NULL:
                             that is not checked */
};

/* Add one; what does not fit in VMCP_DIAGS_MAX or memory is counted and not kept. */
void vmcp_diag_error(struct vmcp_diags *diags, enum vmcp_code code, const char *pointer,
                     bool at_key, const char *fmt, ...) __attribute__((format(printf, 5, 6)));
void vmcp_diag_warning(struct vmcp_diags *diags, const char *pointer, bool at_key, const char *fmt,
                       ...) __attribute__((format(printf, 4, 5)));

/* The last error is about one byte, from 0, of the string at its pointer. */
void vmcp_diag_into(struct vmcp_diags *diags, size_t offset);

/* Give line and column to those that have none, by their pointers into `text`, which
 * vmcp_json_parse() accepted. */
void vmcp_diags_locate(struct vmcp_diags *diags, const char *text, size_t len);

/* Put them in the order of the text; those of one place stay in the order in which they came. */
void vmcp_diags_sort(struct vmcp_diags *diags);

/* 0 if there are no errors, else the first one, with its line and column, or pointer, in
 * err->where. */
VMCP_MUST_CHECK int vmcp_diags_check(const struct vmcp_diags *diags, struct vmcp_error *err);

void vmcp_diags_clear(struct vmcp_diags *diags);
#define auto_diags __attribute__((cleanup(vmcp_diags_clear)))

#endif
