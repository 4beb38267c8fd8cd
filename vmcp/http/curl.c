/* SPDX-License-Identifier: Apache-2.0 */
#include "curl.h"

#include <dlfcn.h>
#include <pthread.h>
#include <stddef.h>
#include <string.h>

#define LIBRARY "libcurl.so.4"

struct http_curl http_curl;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct vmcp_error failure; /* of the one try; code 0: it worked */

static const struct {
    const char *name;
    size_t offset;
} functions[] = {
#define FUNCTION(name) {"curl_" #name, offsetof(struct http_curl, name)},
    HTTP_CURL_FUNCTIONS(FUNCTION)
#undef FUNCTION
};

static int load(struct http_curl *ret, struct vmcp_error *err)
{
    void *library = dlopen(LIBRARY, RTLD_LAZY | RTLD_LOCAL); /* never closed: it keeps threads */
    if (!library)
        return vmcp_fail(err, VMCP_E_FILE,
                         "asking a server needs libcurl; install it (Debian: libcurl4): %s",
                         dlerror());
    for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
        void *function = dlsym(library, functions[i].name);
        if (!function)
            return vmcp_fail(err, VMCP_E_FILE,
                             LIBRARY " is too old, it has no %s; 7.85 or newer is wanted",
                             functions[i].name);
        /* POSIX lets an object pointer hold a function's address; C has no cast for it. */
        memcpy((char *)ret + functions[i].offset, &function, sizeof(function));
    }
    if (ret->global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return vmcp_fail(err, VMCP_E_NETWORK, "libcurl cannot be initialised");
    return 0;
}

static void load_once(void)
{
    struct http_curl loaded = {0};
    if (load(&loaded, &failure) == 0)
        http_curl = loaded;
}

int http_curl_load(struct vmcp_error *err)
{
    pthread_once(&once, load_once);
    return failure.code ? vmcp_fail(err, failure.code, "%s", failure.text) : 0;
}
