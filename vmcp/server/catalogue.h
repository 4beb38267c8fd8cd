/* SPDX-License-Identifier: Apache-2.0 */
/* catalogue.h - the machines and jobs of a folder, as one immutable snapshot.
 *
 * All files of DIR that end in .json (hidden ones left out) are machines, and those of DIR/jobs,
 * where that is, are jobs; either every one is good and the snapshot exists, or it does not.
 * Handlers only read it.
 */
#ifndef SRV_CATALOGUE_H
#define SRV_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/config.h"
#include "lib/error.h"
#include "lib/v1.h"

/* A machine, or a job: what an answer is made of. */
struct srv_machine {
    struct vmcp_config config; /* without its `machine` or `job` where that is drafted */
    bool drafted; /* no macros that are ours: what does not depend on the question is made */
    struct vmcp_v1_draft
        v1; /* empty where version 1 cannot carry the machine, or nobody signs it */
    struct vmcp_buf v2;
};

struct srv_catalogue;

/* Called once for each error and warning; `line` and `column` are 0 where none is known. */
typedef void (*srv_report)(void *arg, const char *path, size_t line, size_t column, bool is_error,
                           const char *text);

struct srv_catalogue_options {
    const char *folder;
    bool with_v1;         /* prepare answers in version 1 too */
    const char *universe; /* where access tokens of jobs may go: "googleapis.com" */
};

/* Read a folder. Everything that is wrong in it is
 * reported, not only the first; then the error is VMCP_E_CONFIG. *ret is new, srv_catalogue_free().
 */
VMCP_MUST_CHECK int srv_catalogue_load(const struct srv_catalogue_options *options,
                                       srv_report report, void *arg, struct srv_catalogue **ret,
                                       struct vmcp_error *err);
void srv_catalogue_free(struct srv_catalogue *catalogue);

/* One of a kind by name; NULL name: the default machine, which is the only one there is unless
 * srv_catalogue_set_default() named another. NULL if there is none. Borrowed. */
const struct srv_machine *srv_catalogue_find(const struct srv_catalogue *catalogue,
                                             enum vmcp_kind kind, const char *name);
VMCP_MUST_CHECK int srv_catalogue_set_default(struct srv_catalogue *catalogue, const char *name,
                                              struct vmcp_error *err);

/* For a set that nobody has said is whole: of several files, one may be there before the others, or
 * after them. The only machine is the default one then if it was so in `old`, too. Returns false
 * where one was left without that. */
bool srv_catalogue_keep_default(struct srv_catalogue *catalogue, const struct srv_catalogue *old);

size_t srv_catalogue_count(const struct srv_catalogue *catalogue, enum vmcp_kind kind);
const struct srv_machine *srv_catalogue_at(const struct srv_catalogue *catalogue,
                                           enum vmcp_kind kind, size_t i);
enum { SRV_CATALOGUE_CHARS = 64 };
/* "3 machines, 1 job"; jobs are not spoken of where there are none. Returns `ret`. */
const char *srv_catalogue_text(const struct srv_catalogue *catalogue,
                               char ret[static SRV_CATALOGUE_CHARS]);
/* Hex SHA-256 over kinds, names, serials and contents: equal for equal catalogues. */
const char *srv_catalogue_digest(const struct srv_catalogue *catalogue);

#endif
