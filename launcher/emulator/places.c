/* SPDX-License-Identifier: Apache-2.0 */
#include "places.h"

#include <stdio.h>
#include <string.h>

#include "http/tls.h"
#include "metadata/metadata.h"

enum { SOCKET_MODE = 0600 };

/* True for what only this machine can reach. */
static bool is_local(const char *text)
{
    return strncmp(text, "127.", 4) == 0 || strncmp(text, "[::1]:", 6) == 0 ||
           strncmp(text, "unix:", 5) == 0 || strncmp(text, EMU_LINK_LOCAL ":", 16) == 0;
}

static int note(struct emu_places *places, const char *scheme, const char *text,
                struct vmcp_error *err)
{
    if (places->count == EMU_PLACES_MAX)
        return vmcp_fail_at(err, VMCP_E_LIMIT, text, "at most %d places to listen at",
                            EMU_PLACES_MAX);
    bool is_unix = strncmp(text, "unix:", 5) == 0;
    snprintf(places->urls[places->count++], EMU_PLACE_LEN, "%s%s%s", is_unix ? "" : scheme,
             is_unix ? "" : "://", text);
    places->exposed = places->exposed || !is_local(text);
    return 0;
}

/* The name before the port, under which it is asked. */
static void note_host(struct emu_cloud *cloud, const char *place)
{
    const char *colon = strrchr(place, ':');
    if (strncmp(place, "unix:", 5) == 0 || !colon ||
        cloud->metadata_host_count == EMU_METADATA_HOSTS_MAX)
        return;
    snprintf(cloud->metadata_hosts[cloud->metadata_host_count++], EMU_HOST_LEN, "%.*s",
             (int)(colon - place), place);
}

/* What a person wrote for a host stays: "localhost:0" becomes "localhost:40123". */
static void describe(const char *place, const struct http_listener *listener, char *ret,
                     size_t size)
{
    const char *colon = strrchr(place, ':');
    if (strncmp(place, "unix:", 5) == 0)
        snprintf(ret, size, "%s", place);
    else
        snprintf(ret, size, "%.*s:%u", (int)(colon - place), place, listener->port);
}

static int listen_at(struct emu_places *places, struct emu_cloud *cloud, struct http_server *server,
                     const char *scheme, const char *place, struct vmcp_error *err)
{
    auto_listener struct http_listener listener = HTTP_LISTENER_NONE;
    char text[EMU_PLACE_LEN - 8];
    int rc = http_listener_open(place, SOCKET_MODE, &listener, err);
    if (rc < 0)
        return rc;
    describe(place, &listener, text, sizeof(text));
    note_host(cloud, place);
    rc = note(places, scheme, text, err);
    return rc < 0 ? rc : http_server_listen(server, &listener, err);
}

static int listen_link_local(struct emu_places *places, struct emu_cloud *cloud,
                             struct vmcp_error *err)
{
    auto_listener struct http_listener listener = HTTP_LISTENER_NONE;
    int rc = emu_link_local_up(&places->link_local, &listener, err);
    if (rc == 0)
        rc = note(places, "http", EMU_LINK_LOCAL ":80", err);
    return rc < 0 ? rc : http_server_listen(cloud->metadata, &listener, err);
}

static int start_tls(struct emu_places *places, struct emu_cloud *cloud,
                     const struct emu_serve_args *args, struct vmcp_error *err)
{
    struct http_server_options options = emu_metadata_options(cloud);
    const struct http_tls_files files = {
        .cert = args->tls_cert, .key = args->tls_key, .client_ca = args->client_ca};
    if (!args->tls_cert || !args->tls_key || !args->client_ca)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--metadata-tls wants --tls-cert, --tls-key and --client-ca too");
    int rc = http_tls_load(&files, &options.tls, err);
    if (rc < 0)
        return rc;
    rc = http_server_start(&options, -1, &cloud->metadata_tls, err);
    http_tls_unref(options.tls);
    return rc < 0 ? rc
                  : listen_at(places, cloud, cloud->metadata_tls, "https", args->metadata_tls, err);
}

static int check_names(struct emu_cloud *cloud, const struct emu_serve_args *args,
                       struct vmcp_error *err)
{
    for (size_t i = 0; i < args->metadata_hosts.count; i++) {
        const char *name = args->metadata_hosts.items[i];
        if (cloud->metadata_host_count == EMU_METADATA_HOSTS_MAX || strlen(name) >= EMU_HOST_LEN)
            return vmcp_fail_at(err, VMCP_E_LIMIT, name,
                                "at most %d names, of at most %d "
                                "characters",
                                EMU_METADATA_HOSTS_MAX, EMU_HOST_LEN - 1);
        snprintf(cloud->metadata_hosts[cloud->metadata_host_count++], EMU_HOST_LEN, "%s", name);
    }
    if (!args->metadata_tls && (args->tls_cert || args->tls_key || args->client_ca))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--tls-cert, --tls-key and --client-ca belong to --metadata-tls");
    return 0;
}

int emu_places_open(struct emu_places *places, struct emu_cloud *cloud,
                    const struct emu_serve_args *args, struct vmcp_error *err)
{
    const struct http_server_options options = emu_metadata_options(cloud);
    int rc = check_names(cloud, args, err);
    if (rc == 0)
        rc = http_server_start(&options, -1, &cloud->metadata, err);
    if (rc == 0)
        rc = listen_at(places, cloud, cloud->metadata, "http", args->metadata, err);
    for (size_t i = 0; rc == 0 && i < args->metadata_also.count; i++)
        rc = listen_at(places, cloud, cloud->metadata, "http", args->metadata_also.items[i], err);
    if (rc == 0 && args->metadata_tls)
        rc = start_tls(places, cloud, args, err);
    if (rc == 0 && args->link_local)
        rc = listen_link_local(places, cloud, err);
    return rc;
}

void emu_places_close(struct emu_places *places)
{
    emu_link_local_down(&places->link_local);
}
