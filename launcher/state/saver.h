/* SPDX-License-Identifier: Apache-2.0 */
/* saver.h - one document, changed by many threads, written as rarely as can be.
 *
 * A write to the disk takes milliseconds. Whoever changed the document waits until a write that
 * began after the change has ended; while one thread writes, all that others change goes into the
 * next write together.
 */
#ifndef LAUNCH_SAVER_H
#define LAUNCH_SAVER_H

#include <jansson.h>
#include <stddef.h>

#include "lib/error.h"

struct launch_saver;

VMCP_MUST_CHECK int launch_saver_new(struct launch_saver **ret, struct vmcp_error *err);
void launch_saver_free(struct launch_saver *saver); /* NULL is fine */

/* Around each look at the document, and each change. NULL is a document of one thread's. */
void launch_saver_lock(struct launch_saver *saver);
void launch_saver_unlock(struct launch_saver *saver);

/* The document's text as it is now. New string, free(); NULL without memory. */
char *launch_saver_text(struct launch_saver *saver, const json_t *document, size_t *ret_len);

/* Have what the caller changed written by `write`, in this thread or another. What a write failed
 * with is each waiting thread's error. */
VMCP_MUST_CHECK int launch_saver_save(struct launch_saver *saver,
                                      int (*write)(void *arg, struct vmcp_error *err), void *arg,
                                      struct vmcp_error *err);

#endif
