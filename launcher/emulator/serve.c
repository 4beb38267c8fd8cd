/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api.h"
#include "cloud.h"
#include "faults.h"
#include "folder.h"
#include "lib/auto.h"
#include "metadata.h"
#include "networks.h"
#include "people.h"
#include "reqlog.h"
#include "steps.h"
#include "worker.h"
#include "zones.h"

enum { HIDDEN_MAX = VMCP_LIST_MAX + 4, GRACE_MS = 2000, ADDR_MAX = 96 };

/* All that is to be taken down again, in the reverse order. */
struct serving {
    struct emu_cloud cloud;
    struct emu_folder folder;
    char *hidden[HIDDEN_MAX + 1]; /* NULL-terminated */
    size_t hidden_count;
    char metadata[ADDR_MAX], api[ADDR_MAX]; /* ADDR:PORT with the real port */
};

static void take_down(struct serving *s)
{
    struct emu_cloud *cloud = &s->cloud;
    emu_worker_stop(cloud->worker);
    if (cloud->room)
        emu_room_free(cloud->room);
    http_server_stop(cloud->api, GRACE_MS);
    http_server_stop(cloud->metadata, GRACE_MS);
    emu_reqlog_free(cloud->log);
    emu_views_free(cloud->views);
    emu_tokens_free(cloud->tokens);
    emu_faults_free(cloud->faults);
    emu_store_free(cloud->store);
    for (size_t i = 0; i < s->hidden_count; i++)
        free(s->hidden[i]);
    emu_folder_clear(&s->folder);
}

static int check_names(const struct emu_serve_args *args, struct vmcp_error *err)
{
    size_t len = strlen(args->project);
    if (len < 1 || len > 63 || args->project[0] < 'a' || args->project[0] > 'z' ||
        strspn(args->project, "abcdefghijklmnopqrstuvwxyz0123456789-") != len ||
        args->project[len - 1] == '-')
        return vmcp_fail_at(err, VMCP_E_USAGE, args->project,
                            "not a project id: a-z 0-9 -, beginning with a letter");
    if (!emu_zone_exists(args->zone))
        return vmcp_fail_at(err, VMCP_E_USAGE, args->zone,
                            "there is no such zone here; us-central1-a is one");
    return 0;
}

/* The folder of a file that holds secrets or state: no guest may see it. The root folder cannot be
 * hidden. */
static void hide(struct serving *s, const char *file)
{
    char *folder = file && strcmp(file, "-") != 0 ? emu_folder_of(file) : NULL;
    if (folder && strcmp(folder, "/") != 0 && s->hidden_count < HIDDEN_MAX)
        s->hidden[s->hidden_count++] = folder;
    else
        free(folder);
}

static int hide_all(struct serving *s, const struct emu_serve_args *args, struct vmcp_error *err)
{
    hide(s, args->state);
    hide(s, args->request_log);
    for (size_t i = 0; i < args->keys.count; i++)
        hide(s, emu_people_key_file(args->keys.items[i]));
    char *copy = strdup(s->folder.path);
    if (!copy)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    s->hidden[s->hidden_count++] = copy;
    return 0;
}

/* What is there before anybody can ask: the state, the accounts, the log. */
static int open_parts(struct serving *s, const struct emu_serve_args *args, struct vmcp_error *err)
{
    struct emu_cloud *cloud = &s->cloud;
    char first[EMU_EMAIL_MAX + 1];
    int rc = emu_quotas_read(&args->quotas, &cloud->quotas, err);
    if (rc == 0)
        rc = emu_store_open(args->state, &cloud->store, err);
    if (rc == 0)
        rc = emu_faults_new(&cloud->faults, err);
    if (rc == 0)
        rc = emu_tokens_new(cloud->store, &cloud->tokens, err);
    if (rc == 0)
        rc = emu_views_new(&cloud->views, err);
    if (rc == 0)
        rc = emu_people_make(cloud, &args->accounts, &args->grants, first, err);
    if (rc == 0)
        rc = emu_people_workstation(cloud, first, err);
    if (rc == 0 && args->request_log)
        rc = emu_reqlog_open(args->request_log, &cloud->log, err);
    if (rc == 0)
        rc = emu_folder_open(args->folder, &s->folder, err);
    return rc < 0 ? rc : hide_all(s, args, err);
}

/* Listen and serve. `ret_addr` is ADDR:PORT with the port that the kernel chose. */
static int start_server(const struct http_server_options *options, const char *addr_port,
                        char ret_addr[static ADDR_MAX], uint16_t *ret_port,
                        struct http_server **ret, struct vmcp_error *err)
{
    auto_close int fd = -1;
    int rc = http_listen(addr_port, &fd, ret_port, err);
    if (rc < 0)
        return rc;
    int len = (int)(strrchr(addr_port, ':') - addr_port); /* http_listen() found one */
    snprintf(ret_addr, ADDR_MAX, "%.*s:%u", len > 64 ? 64 : len, addr_port, *ret_port);
    rc = http_server_start(options, fd, ret, err);
    if (rc == 0)
        fd = -1;
    return rc;
}

static int start_servers(struct serving *s, const struct emu_serve_args *args,
                         struct vmcp_error *err)
{
    struct emu_cloud *cloud = &s->cloud;
    const struct http_server_options metadata = emu_metadata_options(cloud);
    const struct http_server_options api = emu_api_options(cloud);
    uint16_t metadata_port = 0, api_port = 0;
    const char *colon = strrchr(args->metadata, ':'); /* without one it is refused below */
    snprintf(cloud->metadata_host, sizeof(cloud->metadata_host), "%.*s",
             colon ? (int)(colon - args->metadata) : 0, args->metadata);
    int rc =
        start_server(&metadata, args->metadata, s->metadata, &metadata_port, &cloud->metadata, err);
    if (rc == 0)
        rc = start_server(&api, args->api, s->api, &api_port, &cloud->api, err);
    if (rc < 0)
        return rc;
    emu_hosts_add_listener(&cloud->hosts, args->api, api_port);
    const struct emu_room_options room = {
        .driver = args->driver,
        .folder = s->folder.path,
        .metadata = cloud->metadata,
        .api = cloud->api,
        .api_port = api_port,
        .api_addr_port = s->api,
        .hide = (const char *const *)s->hidden,
        .project = cloud->project,
    };
    rc = emu_room_new(&room, &cloud->room, err);
    if (rc == 0)
        emu_hosts_add(&cloud->hosts, emu_room_guest_api(cloud->room));
    return rc;
}

static int start(struct serving *s, const struct emu_serve_args *args, struct vmcp_error *err)
{
    struct emu_cloud *cloud = &s->cloud;
    int rc = open_parts(s, args, err);
    if (rc == 0)
        rc = start_servers(s, args, err);
    if (rc == 0)
        rc = emu_people_write_keys(cloud, &args->keys, emu_room_guest_api(cloud->room), err);
    if (rc == 0)
        rc = emu_networks_seed(cloud, err);
    if (rc == 0)
        rc = emu_steps_recover(cloud, err);
    if (rc == 0)
        rc = emu_worker_start(cloud, &cloud->worker, err);
    if (rc < 0)
        return rc;
    atomic_store(&cloud->ready, true);
    return 0;
}

static void announce(const struct serving *s)
{
    const char *why = emu_room_why(s->cloud.room);
    fprintf(stderr, "gce-emulator: VM driver %s%s%s\n", emu_room_driver(s->cloud.room),
            why[0] ? ": " : "", why);
    printf("ready metadata http://%s\nready api http://%s\n", s->metadata, s->api);
    fflush(stdout);
}

int emu_serve(const struct emu_serve_args *args, struct vmcp_error *err)
{
    sigset_t stop;
    int signal_number = 0;
    int rc = check_names(args, err);
    if (rc < 0)
        return rc;
    umask(077); /* whatever is written is the owner's */
    signal(SIGPIPE, SIG_IGN);
    /* Blocked before any thread starts: all of them inherit it, and this one waits. */
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    struct serving *s = calloc(1, sizeof(*s));
    if (!s)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory to start");
    emu_cloud_name(&s->cloud, args->project);
    s->cloud.zone = args->zone;
    s->cloud.operation_delay_ms = (int)args->operation_delay;
    rc = start(s, args, err);
    if (rc == 0) {
        announce(s);
        sigwait(&stop, &signal_number);
    }
    take_down(s);
    free(s);
    return rc;
}
