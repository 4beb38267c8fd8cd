/* SPDX-License-Identifier: Apache-2.0 */
/* cloud.h - one emulated cloud: the parts that request handlers share. */
#ifndef EMU_CLOUD_H
#define EMU_CLOUD_H

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/persona.h"
#include "hosts.h"
#include "http/server.h"
#include "metadata/view.h"
#include "resources/quota.h"
#include "resources/store.h"
#include "tokens/accounts.h"
#include "tokens/token_source.h"
#include "tokens/tokens.h"
#include "vm/vm.h"

struct emu_faults;
struct emu_reqlog;
struct emu_worker;

enum { EMU_NUMBER_LEN = 12, EMU_GUEST_RATES = 1024, EMU_METADATA_HOSTS_MAX = 32 };

/* How much an instance wrote into its guest attributes in one second. */
struct emu_guest_rate {
    uint64_t instance;
    int64_t second;
    unsigned writes;
};

struct emu_cloud {
    /* Set before the servers start, never changed. */
    const char *project;                     /* its id; borrowed */
    char number[EMU_PROJECT_NUMBER_MAX + 1]; /* the project's number, always the same for an id */
    const char *zone;                        /* the default zone; borrowed */
    char default_account[EMU_EMAIL_MAX + 1]; /* NUMBER-compute@developer.gserviceaccount.com */
    int operation_delay_ms;
    struct emu_quotas quotas;
    struct emu_store *store;
    struct emu_tokens *tokens;
    struct emu_token_source *token_source; /* of whoever is no VM; NULL: `tokens` too */
    struct emu_views *views;
    struct emu_faults *faults;
    struct emu_reqlog *log; /* NULL: none */
    /* What the metadata server is called besides its own names: the addresses that it listens on,
     * and what --metadata-host says. */
    char metadata_hosts[EMU_METADATA_HOSTS_MAX][EMU_HOST_LEN];
    size_t metadata_host_count;
    pthread_mutex_t wake_lock;  /* `metadata_tls` ends while `metadata` still answers */
    pthread_mutex_t guest_lock; /* of the next */
    struct emu_guest_rate guest_rates[EMU_GUEST_RATES];
    /* Set before `ready`, which handlers look at first. */
    struct emu_hosts hosts; /* of the API and token endpoint */
    struct http_server *metadata, *api;
    struct http_server *metadata_tls; /* the same over mutual TLS; NULL: none; see wake_lock */
    struct emu_room *room;
    struct emu_worker *worker;
    atomic_bool ready;
    atomic_bool groups_due; /* an instance of a managed group, or a group, has changed */
};

/* Call every request that waits at the metadata servers again. */
void emu_cloud_wake(struct emu_cloud *cloud);
/* Stop both metadata servers. */
void emu_cloud_stop_metadata(struct emu_cloud *cloud, int grace_ms);
/* Rebuild what the metadata server says for an instance, and wake who waits for a change. */
void emu_cloud_refresh(struct emu_cloud *cloud, const struct emu_instance *instance);
/* The instance is gone: forget its view. */
void emu_cloud_forget(struct emu_cloud *cloud, const struct emu_instance *instance);

/* True if `name` is this project: its id or its number. */
bool emu_cloud_is_project(const struct emu_cloud *cloud, const char *name);

/* Fill project, number (NULL or "": made from the id) and default account; prepare the lock. */
void emu_cloud_name(struct emu_cloud *cloud, const char *project, const char *number);

#endif
