/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - command lines as tables: parsing, --help and suggestions come from one place.
 *
 * A command names its options, each with the offset of the field it fills:
 *
 *     struct fetch_args { const char *domain; struct vmcp_list trust; bool json; };
 *     static const struct vmcp_option fetch_options[] = {
 *         {"domain", "D", VMCP_OPT_STRING, offsetof(struct fetch_args, domain), 0, 0, "…"},
 *         {"trust", "FILE", VMCP_OPT_LIST, offsetof(struct fetch_args, trust), 0, 0, "…"},
 *         {"json", NULL, VMCP_OPT_FLAG, offsetof(struct fetch_args, json), 0, 0, "…"},
 *         {0},
 *     };
 *
 * `--name VALUE` and `--name=VALUE` are the same; options and operands mix; `--` ends options; a
 * single `-` is an operand. All strings are borrowed from argv.
 */
#ifndef VMCP_OPTIONS_H
#define VMCP_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "buf.h"
#include "error.h"

enum { VMCP_LIST_MAX = 64 };

/* Values of a repeated option, and the operands. */
struct vmcp_list {
    const char *items[VMCP_LIST_MAX];
    size_t count;
};

enum vmcp_option_kind {
    VMCP_OPT_FLAG,   /* bool */
    VMCP_OPT_STRING, /* const char *; given twice is an error */
    VMCP_OPT_INT,    /* int64_t in min..max; given twice is an error */
    VMCP_OPT_TIME,   /* int64_t seconds in min..max: "90", "90s", "15m", "24h", "2d" */
    VMCP_OPT_LIST,   /* struct vmcp_list */
    VMCP_OPT_MAYBE,  /* const char *, `--name` alone gives "" and only `--name=VALUE` a value */
};

struct vmcp_option {
    const char *name;    /* without the dashes; NULL ends a table */
    const char *metavar; /* what the value is called; NULL for flags */
    enum vmcp_option_kind kind;
    size_t offset;
    int64_t min, max; /* VMCP_OPT_INT */
    const char *help; /* one line; NULL: not listed */
};

struct vmcp_command {
    const char *name;     /* "vmcp fetch" */
    const char *operands; /* "URL", "PATH…", "" */
    const char *summary;  /* one line */
    const struct vmcp_option *options;
    size_t min_operands, max_operands;
    const char *details; /* further paragraphs of --help; NULL: none */
    const char *example; /* lines, each ending in a newline; NULL: none */
};

/* Parse argv[1..argc-1] into the command's struct (zeroed or preset by the caller) and the
 * operands. *ret_help is set, and nothing checked further, when --help or -h is there. Errors:
 * VMCP_E_USAGE, with the nearest name for a mistyped option. */
VMCP_MUST_CHECK int vmcp_options_parse(const struct vmcp_command *command, int argc, char **argv,
                                       void *args, struct vmcp_list *ret_operands, bool *ret_help,
                                       struct vmcp_error *err);

/* The text of --help. */
void vmcp_command_help(const struct vmcp_command *command, struct vmcp_buf *out);

/* The nearest of `count` names (`stride` bytes apart, each beginning with a const char *) to a
 * mistyped one, or NULL if none is near. */
const char *vmcp_suggest(const char *word, const void *names, size_t count, size_t stride);

#endif
