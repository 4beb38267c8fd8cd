/* SPDX-License-Identifier: Apache-2.0 */
#include "view.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "lib/instant.h"
#include "vm/vm.h"

struct emu_views {
    pthread_mutex_t lock;
    struct emu_view *others;
    struct emu_view *of_vm[EMU_SUBNET_SIZE]; /* by the address's place in its /20 */
};

int emu_views_new(struct emu_views **ret, struct vmcp_error *err)
{
    struct emu_views *views = calloc(1, sizeof(*views));
    if (!views)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the metadata of VMs");
    pthread_mutex_init(&views->lock, NULL);
    *ret = views;
    return 0;
}

/* With the lock held, or alone. */
static void unref(struct emu_view *view)
{
    if (!view || --view->refs > 0)
        return;
    json_decref(view->tree);
    free(view);
}

void emu_views_free(struct emu_views *views)
{
    if (!views)
        return;
    for (size_t i = 0; i < EMU_SUBNET_SIZE; i++)
        unref(views->of_vm[i]);
    unref(views->others);
    pthread_mutex_destroy(&views->lock);
    free(views);
}

enum { OFFSET_MASK = EMU_SUBNET_SIZE - 1 };

/* Where the view of an address is kept; NULL for one that no VM can have (see emu_room_subnet()).
 */
static struct emu_view **place(struct emu_views *views, uint32_t ip)
{
    uint32_t subnet = ip & ~(uint32_t)OFFSET_MASK;
    bool of_vms = subnet == EMU_ROOM_SUBNET || subnet == EMU_ROOM_SUBNET_LOOPBACK;
    return of_vms ? &views->of_vm[ip & OFFSET_MASK] : NULL;
}

/* Put a view in a place; the place takes its reference. */
static void replace(struct emu_views *views, struct emu_view **at, struct emu_view *view)
{
    pthread_mutex_lock(&views->lock);
    unref(*at);
    *at = view;
    pthread_mutex_unlock(&views->lock);
}

static int64_t seconds_of(const json_t *timestamp)
{
    int64_t at = 0;
    const char *text = json_string_value(timestamp);
    return text && vmcp_instant_parse(text, &at, NULL) == 0 ? at : 0;
}

int emu_views_put(struct emu_views *views, const struct emu_tree_project *project,
                  const struct emu_instance *instance, const json_t *guest, bool is_default,
                  struct vmcp_error *err)
{
    struct emu_view *view = calloc(1, sizeof(*view));
    struct emu_view **at = is_default ? &views->others : place(views, instance->ip);
    json_t *tree = emu_tree_make(project, instance, guest);
    if (!view || !tree || !at) {
        free(view);
        json_decref(tree);
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the metadata of a VM");
    }
    *view = (struct emu_view){.tree = tree, .refs = 1, .id = instance->id};
    view->ip = is_default ? 0 : instance->ip;
    view->created = seconds_of(json_object_get(instance->resource, "creationTimestamp"));
    if (!is_default)
        snprintf(view->name, sizeof(view->name), "%s", instance->name);
    replace(views, at, view);
    return 0;
}

int emu_views_put_default(struct emu_views *views, json_t *tree, int64_t created,
                          struct vmcp_error *err)
{
    struct emu_view *view = calloc(1, sizeof(*view));
    if (!view)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the metadata of a VM");
    const json_t *id = json_object_get(json_object_get(tree, "instance"), "id");
    *view = (struct emu_view){
        .tree = tree, .refs = 1, .id = (uint64_t)json_integer_value(id), .created = created};
    replace(views, &views->others, view);
    return 0;
}

/* A tree that differs in the guest attributes only; all else is shared. Takes `guest`. */
static json_t *with_guest(const json_t *tree, json_t *guest)
{
    json_t *made = json_copy((json_t *)(uintptr_t)tree);
    json_t *instance = json_copy(json_object_get(tree, "instance"));
    if (json_object_set_new(instance, "guestAttributes", guest) < 0 ||
        json_object_set(made, "instance", instance) < 0) {
        json_decref(made);
        made = NULL;
    }
    json_decref(instance);
    return made;
}

int emu_views_set_guest(struct emu_views *views, const struct emu_view *view, json_t *guest,
                        struct vmcp_error *err)
{
    auto_free struct emu_view *made = calloc(1, sizeof(*made));
    json_t *tree = NULL;
    pthread_mutex_lock(&views->lock);
    struct emu_view **at = view->ip ? place(views, view->ip) : &views->others;
    bool there = *at && (*at)->id == view->id;
    if (there && made)
        tree = with_guest((*at)->tree, json_incref(guest));
    if (tree) {
        *made = **at;
        made->tree = tree;
        made->refs = 1;
        unref(*at);
        *at = steal(&made);
    }
    pthread_mutex_unlock(&views->lock);
    json_decref(guest);
    return tree || !there ? 0
                          : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the metadata of a VM");
}

void emu_views_drop(struct emu_views *views, uint32_t ip)
{
    struct emu_view **at = place(views, ip);
    pthread_mutex_lock(&views->lock);
    if (at) {
        unref(*at);
        *at = NULL;
    }
    pthread_mutex_unlock(&views->lock);
}

/* The IPv4 address of a peer in host byte order; 0 if it has none. */
static uint32_t address_of(const struct sockaddr_storage *peer)
{
    if (peer->ss_family != AF_INET)
        return 0;
    struct sockaddr_in in;
    memcpy(&in, peer, sizeof(in));
    return ntohl(in.sin_addr.s_addr);
}

const struct emu_view *emu_views_get(struct emu_views *views, const struct sockaddr_storage *peer)
{
    pthread_mutex_lock(&views->lock);
    uint32_t ip = address_of(peer);
    struct emu_view **at = place(views, ip);
    /* An address of the subnetwork that is no VM's (any more) is nobody; the gateway is the host.
     */
    struct emu_view *view = at && (ip & OFFSET_MASK) > 1 ? *at : views->others;
    if (view && view != views->others && view->ip != ip)
        view = NULL;
    if (view)
        view->refs++;
    pthread_mutex_unlock(&views->lock);
    return view;
}

void emu_view_release(struct emu_views *views, const struct emu_view *view)
{
    pthread_mutex_lock(&views->lock);
    unref((struct emu_view *)(uintptr_t)view);
    pthread_mutex_unlock(&views->lock);
}
