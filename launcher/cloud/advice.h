/* SPDX-License-Identifier: Apache-2.0 */
/* advice.h - what to do about the errors that operators of Compute Engine usually meet. */
#ifndef LAUNCH_ADVICE_H
#define LAUNCH_ADVICE_H

#include <stdbool.h>

/* Words for an error's code or reason ("QUOTA_EXCEEDED", "forbidden") and its message, or NULL:
 * nothing is known that helps. For a missing permission the role that has it is named; `who`, the
 * credential that was tried, stands in it. `buffer` may hold the words. */
const char *launch_advice(const char *code, const char *message, const char *who, char *buffer,
                          int size);

#endif
