/* SPDX-License-Identifier: Apache-2.0 */
/* schema.h - which members a request body may have, and of which type. */
#ifndef EMU_SCHEMA_H
#define EMU_SCHEMA_H

#include <jansson.h>

#include "base/refusal.h"

struct emu_field {
    const char *name; /* NULL ends a table */
    /* 's' string, 'b' boolean, 'i' int32, 'l' int64 (a decimal string or a number), 'm' map of
     * strings, 't' array of strings, 'o' object, 'a' array of objects, 'd' number. */
    char type;
    const struct emu_field *fields; /* of 'o' and 'a'; NULL: whatever it holds */
};

extern const struct emu_field emu_instance_fields[];
extern const struct emu_field emu_metadata_fields[];
extern const struct emu_field emu_tags_fields[];
extern const struct emu_field emu_labels_fields[];
extern const struct emu_field emu_attached_disk_fields[];
extern const struct emu_field emu_scheduling_fields[];
extern const struct emu_field emu_account_fields[];
extern const struct emu_field emu_template_fields[];
extern const struct emu_field emu_bulk_fields[];
extern const struct emu_field emu_disk_fields[];
extern const struct emu_field emu_image_fields[];
extern const struct emu_field emu_network_fields[];
extern const struct emu_field emu_subnetwork_fields[];
extern const struct emu_field emu_group_manager_fields[];
extern const struct emu_field emu_policy_fields[];
extern const struct emu_field emu_policy_rule_fields[];

/* Check `body`, an object, against a table. Members that are null count as absent and are taken
 * out, as proto3's JSON mapping has it. 0, or -1 and *why in Google's words. */
VMCP_MUST_CHECK int emu_schema_check(json_t *body, const struct emu_field *fields,
                                     struct emu_refusal *why);

/* The body of a request as an object that was checked. New reference in *ret. */
VMCP_MUST_CHECK int emu_schema_read(const struct http_request *req, const struct emu_field *fields,
                                    json_t **ret, struct emu_refusal *why);

#endif
