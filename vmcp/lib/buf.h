/* SPDX-License-Identifier: Apache-2.0 */
/* buf.h - a growing buffer with a maximum from its birth.
 *
 * A write that fails (no memory, over the maximum) marks the buffer; later writes then do nothing,
 * and vmcp_buf_check() reports it once, at the end. The content always ends in a NUL that is not
 * counted in `len`.
 *
 *     auto_buf struct vmcp_buf b = VMCP_BUF(4096);
 *     vmcp_buf_addf(&b, "%s=%d\n", key, value);
 *     int rc = vmcp_buf_check(&b, "a parameter", err);
 *     if (rc < 0)
 *         return rc;
 */
#ifndef VMCP_BUF_H
#define VMCP_BUF_H

#include <stdbool.h>
#include <stddef.h>

#include "auto.h"
#include "error.h"

struct vmcp_buf {
    char *data; /* NULL while empty; NUL after data[len-1] */
    size_t len;
    size_t cap;
    size_t max; /* len never exceeds this */
    enum vmcp_code failed;
};

#define VMCP_BUF(maximum) \
    {                     \
        .max = (maximum)  \
    }

void vmcp_buf_clear(struct vmcp_buf *b); /* frees; the buffer is empty and usable again */
void vmcp_buf_wipe(struct vmcp_buf *b);  /* the same for what held a secret: wiped first */
void vmcp_buf_reset(struct vmcp_buf *b); /* empties, keeps the memory */
void vmcp_buf_fit(struct vmcp_buf *b);   /* gives memory back that the content does not need */

void vmcp_buf_add(struct vmcp_buf *b, const void *data, size_t len);
/* Make room for `len` more bytes at once: what is added next moves nothing. Asking for
 * more than the maximum is no failure yet. */
void vmcp_buf_reserve(struct vmcp_buf *b, size_t len);
/* Append `len` bytes that the caller fills in now; NULL where there is no room for them. The NUL
 * after them is there already, and may be written again. */
char *vmcp_buf_extend(struct vmcp_buf *b, size_t len);
/* Take the last `len` bytes away again. */
void vmcp_buf_cut(struct vmcp_buf *b, size_t len);
void vmcp_buf_adds(struct vmcp_buf *b, const char *s);
void vmcp_buf_addc(struct vmcp_buf *b, char c);
void vmcp_buf_addf(struct vmcp_buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* 0, or the first failure since the buffer was made or cleared: VMCP_E_LIMIT, VMCP_E_NO_MEMORY.
 * `what` names the content in the message. */
VMCP_MUST_CHECK int vmcp_buf_check(const struct vmcp_buf *b, const char *what,
                                   struct vmcp_error *err);

/* Hand over the content: a new string of *ret_len bytes (NULL: not wanted) and a NUL, free().
 * Never NULL for a buffer that vmcp_buf_check() found good. The buffer is empty afterwards. */
char *vmcp_buf_steal(struct vmcp_buf *b, size_t *ret_len);

#define auto_buf        VMCP_AUTO(vmcp_buf_clear)
#define auto_secret_buf VMCP_AUTO(vmcp_buf_wipe)

#endif
