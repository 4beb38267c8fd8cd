/* SPDX-License-Identifier: Apache-2.0 */
#include "serve.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "api/api.h"
#include "api/faults.h"
#include "base/folder.h"
#include "cloud.h"
#include "lib/auto.h"
#include "metadata/metadata_file.h"
#include "places.h"
#include "reqlog.h"
#include "resources/networks.h"
#include "resources/steps.h"
#include "resources/worker.h"
#include "resources/zones.h"
#include "tokens/people.h"

enum { HIDDEN_MAX = VMCP_LIST_MAX + 8, GRACE_MS = 2000, ADDR_MAX = 96 };

/* All that is to be taken down again, in the reverse order. */
struct serving {
    struct emu_cloud cloud;
    struct emu_folder folder;
    char *hidden[HIDDEN_MAX + 1]; /* NULL-terminated */
    size_t hidden_count;
    struct emu_reach reach;
    char api[ADDR_MAX]; /* ADDR:PORT with the real port; "": none */
    struct emu_places places;
    struct emu_persona persona; /* whom everybody but the VMs sees */
    struct emu_persona forced;  /* what the source of tokens says of it */
    struct emu_metadata_file *file;
};

static void take_down(struct serving *s)
{
    struct emu_cloud *cloud = &s->cloud;
    if (cloud->room)
        emu_room_mute(cloud->room);
    emu_worker_stop(cloud->worker);
    if (cloud->room)
        emu_room_free(cloud->room);
    emu_metadata_file_stop(s->file);
    emu_token_source_stop(cloud->token_source);
    http_server_stop(cloud->api, GRACE_MS);
    emu_cloud_stop_metadata(cloud, GRACE_MS);
    emu_token_source_free(cloud->token_source); /* requests that were waiting have asked it */
    emu_places_close(&s->places);
    emu_reqlog_free(cloud->log);
    emu_views_free(cloud->views);
    emu_tokens_free(cloud->tokens);
    emu_faults_free(cloud->faults);
    emu_store_free(cloud->store);
    for (size_t i = 0; i < s->hidden_count; i++)
        free(s->hidden[i]);
    emu_folder_clear(&s->folder);
}

static bool is_project_id(const char *project)
{
    size_t len = strlen(project);
    return len >= 1 && project[0] >= 'a' && project[0] <= 'z' &&
           strspn(project, "abcdefghijklmnopqrstuvwxyz0123456789-") == len &&
           project[len - 1] != '-';
}

static int check_names(const struct serving *s, const struct emu_serve_args *args,
                       struct vmcp_error *err)
{
    if (!is_project_id(s->persona.project))
        return vmcp_fail_at(err, VMCP_E_USAGE, s->persona.project,
                            "not a project id: a-z 0-9 -, beginning with a letter");
    if (!emu_zone_exists(args->zone))
        return vmcp_fail_at(err, VMCP_E_USAGE, args->zone,
                            "there is no such zone here; us-central1-a is one");
    if (!args->api && args->keys.count)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--key wants --api: a key's tokens come from the API's /token");
    return 0;
}

/* What is said by whom counts in this order: the source of tokens, the file, the command line's
 * --project, and for a project the default. */
static int choose_persona(struct serving *s, const struct emu_serve_args *args,
                          struct vmcp_error *err)
{
    json_auto_t *tree = NULL;
    int rc = emu_token_source_new(args->token_source, &s->cloud.token_source, &s->forced, err);
    if (rc == 0 && args->metadata_file)
        rc = emu_metadata_file_read(args->metadata_file, &tree, &s->persona, err);
    if (rc < 0)
        return rc;
    if (!is_project_id(s->persona.project)) /* a file may show what no project here can be */
        s->persona.project[0] = '\0';
    const char *project = args->project            ? args->project
                          : s->forced.project[0]   ? s->forced.project
                          : !s->persona.project[0] ? EMU_PROJECT_DEFAULT
                                                   : NULL;
    if (project && strlen(project) > EMU_PROJECT_MAX)
        return vmcp_fail_at(err, VMCP_E_USAGE, project, "a project id of over %d characters",
                            EMU_PROJECT_MAX);
    if (project)
        snprintf(s->persona.project, sizeof(s->persona.project), "%s", project);
    if (s->forced.number[0])
        memcpy(s->persona.number, s->forced.number, sizeof(s->persona.number));
    if (s->forced.email[0])
        memcpy(s->persona.email, s->forced.email, sizeof(s->persona.email));
    return check_names(s, args, err);
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
    hide(s, args->metadata_file);
    hide(s, args->tls_key);
    if (args->token_source && strncmp(args->token_source, "key:", 4) == 0)
        hide(s, args->token_source + 4);
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
    for (size_t i = 0; rc == 0 && i < args->reach.count; i++)
        rc = emu_reach_add(&s->reach, args->reach.items[i], err);
    if (rc == 0)
        rc = emu_store_open(args->state, &cloud->store, err);
    if (rc == 0)
        rc = emu_faults_new(&cloud->faults, err);
    if (rc == 0)
        rc = emu_tokens_new(cloud->store, &cloud->tokens, err);
    if (rc == 0)
        rc = emu_views_new(&cloud->views, err);
    if (rc == 0)
        rc = emu_people_make(cloud, &args->accounts, &args->grants, s->persona.email, first, err);
    if (rc == 0)
        rc = args->metadata_file
                 ? emu_metadata_file_start(cloud, args->metadata_file, &s->forced, &s->file, err)
                 : emu_people_workstation(cloud, first, err);
    if (rc == 0 && args->request_log)
        rc = emu_reqlog_open(args->request_log, &cloud->log, err);
    if (rc == 0)
        rc = emu_folder_open(args->folder, &s->folder, err);
    return rc < 0 ? rc : hide_all(s, args, err);
}

/* Listen and serve. */
static int start_api(struct serving *s, const char *addr_port, uint16_t *ret_port,
                     struct vmcp_error *err)
{
    const struct http_server_options options = emu_api_options(&s->cloud);
    auto_close int fd = -1;
    int rc = http_listen(addr_port, &fd, ret_port, err);
    if (rc < 0)
        return rc;
    int len = (int)(strrchr(addr_port, ':') - addr_port); /* http_listen() found one */
    snprintf(s->api, sizeof(s->api), "%.*s:%u", len > 64 ? 64 : len, addr_port, *ret_port);
    rc = http_server_start(&options, fd, &s->cloud.api, err);
    if (rc == 0)
        fd = -1;
    return rc;
}

static void wake(void *arg)
{
    emu_cloud_wake(arg);
}

static void ended(void *arg, uint64_t id)
{
    const struct emu_cloud *cloud = arg;
    emu_worker_ended(cloud->worker, id);
}

static int start_servers(struct serving *s, const struct emu_serve_args *args,
                         struct vmcp_error *err)
{
    struct emu_cloud *cloud = &s->cloud;
    uint16_t api_port = 0;
    int rc = emu_places_open(&s->places, cloud, args, err);
    if (rc == 0)
        rc = emu_token_source_start(cloud->token_source, wake, cloud, err);
    if (rc == 0 && args->api)
        rc = start_api(s, args->api, &api_port, err);
    if (rc < 0)
        return rc;
    if (args->api)
        emu_hosts_add_listener(&cloud->hosts, args->api, api_port);
    const struct emu_room_options room = {
        .driver = args->api ? args->driver : "none",
        .folder = s->folder.path,
        .metadata = cloud->metadata,
        .api = cloud->api,
        .api_port = api_port,
        .api_addr_port = s->api,
        .reach = &s->reach,
        .hide = (const char *const *)s->hidden,
        .project = cloud->project,
        .ended = ended,
        .arg = cloud,
    };
    rc = emu_room_new(&room, &cloud->room, err);
    if (rc == 0 && args->api)
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

/* Real tokens are worth something: whoever can ask gets them. */
static void warn(const struct serving *s, const struct emu_serve_args *args)
{
    if (!s->cloud.token_source)
        return;
    fprintf(stderr,
            "gce-emulator: WARNING: --token-source %.10s hands REAL tokens%s%s to every "
            "process of this machine that asks\n",
            args->token_source, s->persona.email[0] ? " of " : "", s->persona.email);
    if (s->places.exposed)
        fprintf(stderr,
                "gce-emulator: WARNING: OTHER MACHINES CAN TAKE THEM: the metadata server does not "
                "listen on loopback only. Whoever reaches it can act as that account.\n");
    if (strcmp(emu_room_driver(s->cloud.room), "process") == 0)
        fprintf(
            stderr,
            "gce-emulator: WARNING: VMs CAN TAKE THEM: with VM driver process they are processes "
            "of this machine\n");
}

static void announce(const struct serving *s, const struct emu_serve_args *args)
{
    const char *why = emu_room_why(s->cloud.room);
    if (args->api)
        fprintf(stderr, "gce-emulator: VM driver %s%s%s\n", emu_room_driver(s->cloud.room),
                why[0] ? ": " : "", why);
    if (args->api && emu_room_limits(s->cloud.room)[0])
        fprintf(stderr, "gce-emulator: limits: %s\n", emu_room_limits(s->cloud.room));
    warn(s, args);
    for (size_t i = 0; i < s->places.count; i++) {
        printf("ready metadata %s\n", s->places.urls[i]);
        if (i == 0 && args->api)
            printf("ready api http://%s\n", s->api);
    }
    fflush(stdout);
}

int emu_serve(const struct emu_serve_args *args, struct vmcp_error *err)
{
    sigset_t stop;
    int signal_number = 0;
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
    int rc = choose_persona(s, args, err);
    emu_cloud_name(&s->cloud, s->persona.project, s->persona.number);
    s->cloud.zone = args->zone;
    s->cloud.operation_delay_ms = (int)args->operation_delay;
    if (rc == 0)
        rc = start(s, args, err);
    if (rc == 0) {
        announce(s, args);
        sigwait(&stop, &signal_number);
    }
    take_down(s);
    free(s);
    return rc;
}
