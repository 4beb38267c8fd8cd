/* SPDX-License-Identifier: Apache-2.0 */
#include "saver.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "lib/json.h"

struct launch_saver {
    pthread_mutex_t lock; /* over the document and all below */
    pthread_cond_t done;
    bool writing;
    uint64_t wanted, written; /* saves that were asked for; that the last write held */
    int rc;                   /* of the last write */
    struct vmcp_error why;
};

int launch_saver_new(struct launch_saver **ret, struct vmcp_error *err)
{
    struct launch_saver *saver = calloc(1, sizeof(*saver));
    if (!saver)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the state");
    pthread_mutex_init(&saver->lock, NULL);
    pthread_cond_init(&saver->done, NULL);
    *ret = saver;
    return 0;
}

void launch_saver_free(struct launch_saver *saver)
{
    if (!saver)
        return;
    pthread_mutex_destroy(&saver->lock);
    pthread_cond_destroy(&saver->done);
    free(saver);
}

void launch_saver_lock(struct launch_saver *saver)
{
    if (saver)
        pthread_mutex_lock(&saver->lock);
}

void launch_saver_unlock(struct launch_saver *saver)
{
    if (saver)
        pthread_mutex_unlock(&saver->lock);
}

char *launch_saver_text(struct launch_saver *saver, const json_t *document, size_t *ret_len)
{
    launch_saver_lock(saver);
    char *text = vmcp_json_text(document, ret_len);
    launch_saver_unlock(saver);
    return text;
}

/* Write what is wanted by now. The lock is held, but not during the write. */
static void write_now(struct launch_saver *saver, int (*write)(void *arg, struct vmcp_error *err),
                      void *arg)
{
    struct vmcp_error why = {0};
    uint64_t upto = saver->wanted;
    saver->writing = true;
    pthread_mutex_unlock(&saver->lock);
    int rc = write(arg, &why);
    pthread_mutex_lock(&saver->lock);
    saver->writing = false;
    saver->written = upto;
    saver->rc = rc;
    saver->why = why;
    pthread_cond_broadcast(&saver->done);
}

int launch_saver_save(struct launch_saver *saver, int (*write)(void *arg, struct vmcp_error *err),
                      void *arg, struct vmcp_error *err)
{
    pthread_mutex_lock(&saver->lock);
    uint64_t mine = ++saver->wanted;
    while (saver->written < mine) {
        if (saver->writing)
            pthread_cond_wait(&saver->done, &saver->lock);
        else
            write_now(saver, write, arg);
    }
    int rc = saver->rc;
    if (rc < 0 && err)
        *err = saver->why;
    pthread_mutex_unlock(&saver->lock);
    return rc;
}
