/* SPDX-License-Identifier: Apache-2.0 */
/* expect.h - what `verify` and `explain` take: an answer, and what it is held against. */
#ifndef CMD_EXPECT_H
#define CMD_EXPECT_H

#include "cmd.h"
#include "lib/answer.h"

struct cmd_expect {
    struct vmcp_list trust, thumbprints;
    const char *domain, *salt, *hostid, *machine, *job, *expect_name, *format, *jwks;
    const char *at; /* the time to judge as of; NULL: now */
    int64_t min_serial, max_skew;
    bool complete, json;
};

#define CMD_EXPECT_DEFAULTS           \
    {                                 \
        .max_skew = VMCP_SKEW_DEFAULT \
    }

/* The option tables of both verbs, for a struct cmd_expect: explain has one row more, the first. */
extern const struct vmcp_option cmd_explain_options[];
#define CMD_VERIFY_OPTIONS (cmd_explain_options + 1)

/* Read the answer (a path, or NULL or "-" for standard input) and decide. Each check is told to
 * `on_check` (NULL: nobody). */
VMCP_MUST_CHECK int cmd_expect_verify(const struct cmd_expect *args, const char *path,
                                      vmcp_on_check on_check, void *arg, struct vmcp_answer *ret,
                                      struct vmcp_error *err);

#endif
