/* SPDX-License-Identifier: Apache-2.0 */
/* methods.h - the methods of the Compute API: the table of all, and who answers them. */
#ifndef EMU_METHODS_H
#define EMU_METHODS_H

#include "call.h"
#include "resources/instance.h"
#include "resources/resource.h"

/* In the order of the table; NULL past the end. */
const struct emu_method *emu_method_at(size_t index);

/* What most collections have in common: api_resources.c and api_lists.c. */
emu_run_fn emu_get, emu_insert, emu_delete, emu_list, emu_list_all;

emu_run_fn emu_projects_get, emu_zones_get, emu_zones_list, emu_regions_get, emu_regions_list,
    emu_machine_types_get;                                                     /* api_catalogue.c */
emu_run_fn emu_instances_insert, emu_instances_get, emu_instances_serial_port; /* api_instances.c */
emu_run_fn emu_instances_guest_attributes; /* api_guest_attributes.c */
emu_run_fn emu_instances_bulk_insert;      /* api_bulk.c */
emu_run_fn emu_instances_delete, emu_instances_start, emu_instances_stop, emu_instances_reset,
    emu_instances_suspend, emu_instances_resume; /* api_power.c */
emu_run_fn emu_instances_set_metadata, emu_instances_set_tags, emu_instances_set_labels,
    emu_instances_set_machine_type, emu_instances_set_protection; /* api_update.c */
emu_run_fn emu_instances_attach_disk, emu_instances_detach_disk, emu_instances_set_auto_delete,
    emu_instances_set_scheduling, emu_instances_set_account;                /* api_attach.c */
emu_run_fn emu_operations_get, emu_operations_wait, emu_operations_delete;  /* api_operations.c */
emu_run_fn emu_disks_resize, emu_disk_types_get, emu_accelerator_types_get; /* api_disks.c */
emu_run_fn emu_images_get, emu_images_get_from_family, emu_family_views_get,
    emu_images_deprecate;   /* api_images.c */
emu_run_fn emu_list_images; /* api_lists.c */
emu_run_fn emu_policies_get_rule, emu_policies_patch, emu_policies_add_rule,
    emu_policies_patch_rule, emu_policies_remove_rule;                   /* api_policies.c */
emu_run_fn emu_groups_resize, emu_groups_set_template, emu_groups_patch; /* api_groups.c */
emu_run_fn emu_groups_list_managed, emu_groups_list_errors, emu_groups_create_instances,
    emu_groups_delete_instances, emu_groups_recreate_instances, emu_groups_abandon_instances,
    emu_instance_groups_list; /* api_members.c */

/* The resource, or instance, that the path names; 404 where there is none. *ret is to be cleared.
 */
VMCP_MUST_CHECK int emu_resource_named(struct emu_call *call, const char *collection,
                                       struct emu_resource *ret, struct emu_refusal *why);
VMCP_MUST_CHECK int emu_instance_named(struct emu_call *call, struct emu_instance *ret,
                                       struct emu_refusal *why);

#endif
