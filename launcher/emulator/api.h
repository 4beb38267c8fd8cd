/* SPDX-License-Identifier: Apache-2.0 */
/* api.h - the API listener: the Compute API below /compute/v1/, and the token endpoint.
 *
 * Requests with an Origin header, or a Host that is not one of the emulator's own, are answered 403
 * and nothing else.
 */
#ifndef EMU_API_H
#define EMU_API_H

#include "cloud.h"
#include "http/server.h"

/* What the API is started with: routes, guard, errors, log. */
struct http_server_options emu_api_options(struct emu_cloud *cloud);

typedef void emu_handler_fn(void *app, const struct http_request *req, struct http_reply *reply);

/* The handlers, by file. `app` is a struct emu_cloud. */
emu_handler_fn emu_api_insert_instance, emu_api_get_instance, emu_api_list_instances,
    emu_api_aggregate_instances, emu_api_get_serial_port; /* api_instances.c */
emu_handler_fn emu_api_delete_instance, emu_api_start_instance, emu_api_stop_instance,
    emu_api_reset_instance;                                                /* api_power.c */
emu_handler_fn emu_api_set_metadata, emu_api_set_tags, emu_api_set_labels; /* api_update.c */
emu_handler_fn emu_api_get_operation, emu_api_list_operations,
    emu_api_wait_operation; /* api_operations.c */
emu_handler_fn emu_api_get_project, emu_api_get_zone, emu_api_list_zones, emu_api_get_machine_type,
    emu_api_list_machine_types, emu_api_get_image, emu_api_get_image_of_family, emu_api_list_images,
    emu_api_get_family_view;  /* api_catalogue.c */
emu_handler_fn emu_api_token; /* oauth.c */

#endif
