/* SPDX-License-Identifier: Apache-2.0 */
#include "buf.h"

#include <openssl/crypto.h>
#include <stdarg.h>
#include <string.h>

void vmcp_buf_clear(struct vmcp_buf *b)
{
    free(b->data);
    *b = (struct vmcp_buf)VMCP_BUF(b->max);
}

void vmcp_buf_wipe(struct vmcp_buf *b)
{
    if (b->data)
        OPENSSL_cleanse(b->data, b->cap);
    vmcp_buf_clear(b);
}

void vmcp_buf_reset(struct vmcp_buf *b)
{
    b->len = 0;
    b->failed = VMCP_OK;
    if (b->data)
        b->data[0] = '\0';
}

/* The old memory is wiped when it moves: a buffer that grew must leave no copy of a secret behind.
 */
static bool move(struct vmcp_buf *b, size_t cap)
{
    char *data = malloc(cap);
    if (!data)
        return false;
    if (b->data) {
        memcpy(data, b->data, b->len + 1);
        OPENSSL_cleanse(b->data, b->cap);
        free(b->data);
    }
    b->data = data;
    b->cap = cap;
    return true;
}

void vmcp_buf_fit(struct vmcp_buf *b)
{
    if (b->data && b->cap > b->len + 1)
        (void)move(b, b->len + 1);
}

/* Room for `more` bytes and the NUL. */
static bool reserve(struct vmcp_buf *b, size_t more)
{
    if (b->failed)
        return false;
    if (more > b->max || b->len > b->max - more) {
        b->failed = VMCP_E_LIMIT;
        return false;
    }
    size_t need = b->len + more + 1;
    if (need <= b->cap)
        return true;
    size_t cap = b->cap ? b->cap * 2 : 64;
    if (cap < need)
        cap = need;
    if (!move(b, cap))
        b->failed = VMCP_E_NO_MEMORY;
    return !b->failed;
}

void vmcp_buf_add(struct vmcp_buf *b, const void *data, size_t len)
{
    if (!reserve(b, len))
        return;
    if (len)
        memcpy(b->data + b->len, data, len);
    b->len += len;
    b->data[b->len] = '\0';
}

void vmcp_buf_reserve(struct vmcp_buf *b, size_t len)
{
    (void)reserve(b, len < b->max - b->len ? len : b->max - b->len);
}

char *vmcp_buf_extend(struct vmcp_buf *b, size_t len)
{
    if (!reserve(b, len))
        return NULL;
    char *at = b->data + b->len;
    b->len += len;
    b->data[b->len] = '\0';
    return at;
}

void vmcp_buf_cut(struct vmcp_buf *b, size_t len)
{
    b->len -= len < b->len ? len : b->len;
    if (b->data)
        b->data[b->len] = '\0';
}

void vmcp_buf_adds(struct vmcp_buf *b, const char *s)
{
    vmcp_buf_add(b, s, strlen(s));
}

void vmcp_buf_addc(struct vmcp_buf *b, char c)
{
    vmcp_buf_add(b, &c, 1);
}

/* What fits into the room that is there is printed once; only what does not is measured first. */
void vmcp_buf_addf(struct vmcp_buf *b, const char *fmt, ...)
{
    va_list args, again;
    va_start(args, fmt);
    va_copy(again, args);
    size_t room = b->failed || !b->data ? 0 : b->cap - b->len;
    int len = vsnprintf(room ? b->data + b->len : NULL, room, fmt, args);
    va_end(args);
    if (len >= 0 && reserve(b, (size_t)len)) {
        if ((size_t)len >= room)
            vsnprintf(b->data + b->len, (size_t)len + 1, fmt, again);
        b->len += (size_t)len;
    } else if (room) {
        b->data[b->len] = '\0';
    }
    va_end(again);
}

int vmcp_buf_check(const struct vmcp_buf *b, const char *what, struct vmcp_error *err)
{
    if (b->failed == VMCP_E_LIMIT)
        return vmcp_fail(err, VMCP_E_LIMIT, "%s is over %zu bytes", what, b->max);
    if (b->failed)
        return vmcp_fail(err, b->failed, "no memory for %s", what);
    return 0;
}

char *vmcp_buf_steal(struct vmcp_buf *b, size_t *ret_len)
{
    if (!b->failed && !b->data)
        vmcp_buf_add(b, "", 0); /* an empty buffer still yields a string */
    if (ret_len)
        *ret_len = b->len;
    char *data = b->failed ? NULL : steal(&b->data);
    vmcp_buf_clear(b);
    return data;
}
