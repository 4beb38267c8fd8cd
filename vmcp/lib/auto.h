/* SPDX-License-Identifier: Apache-2.0 */
/* auto.h - owners that clean up after themselves.
 *
 * A local that owns something is declared with one of these and initialised; a function then has
 * early returns and nothing to unwind. Ownership is handed over with steal():
 *
 *     auto_free char *text = NULL;
 *     ...
 *     *ret_text = steal(&text);
 *
 * For JSON, jansson's own json_auto_t does the same. The compiler's cleanup attribute (GCC, Clang)
 * is needed.
 */
#ifndef VMCP_AUTO_H
#define VMCP_AUTO_H

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define VMCP_AUTO(func) __attribute__((cleanup(func)))

/* Take what *ptr owns and leave NULL behind. */
#define steal(ptr)                           \
    __extension__({                          \
        __typeof__(*(ptr)) stolen_ = *(ptr); \
        *(ptr) = NULL;                       \
        stolen_;                             \
    })

/* The same for a descriptor: -1 is left behind. */
static inline int steal_fd(int *fd)
{
    int stolen = *fd;
    *fd = -1;
    return stolen;
}

/* Define a cleanup function `name` for variables of type `type`, free with `func`, skip NULL. */
#define VMCP_DEFINE_AUTO(name, type, func) \
    static inline void name(type *p)       \
    {                                      \
        if (*p)                            \
            func(*p);                      \
    }

static inline void vmcp_auto_free_(void *p)
{
    free(*(void **)p);
}

static inline void vmcp_auto_close_(int *fd)
{
    if (*fd >= 0)
        close(*fd);
}

static inline void vmcp_auto_fclose_(FILE **f)
{
    if (*f)
        fclose(*f);
}

#define auto_free   VMCP_AUTO(vmcp_auto_free_)
#define auto_close  VMCP_AUTO(vmcp_auto_close_)
#define auto_fclose VMCP_AUTO(vmcp_auto_fclose_)

#endif
