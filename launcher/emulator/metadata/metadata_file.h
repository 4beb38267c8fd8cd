/* SPDX-License-Identifier: Apache-2.0 */
/* metadata_file.h - one fixed view of the metadata server, from a file: --metadata-file.
 *
 * The format is the configuration of salrashid123/gce_metadata_server: {"computeMetadata": {"v1":
 * TREE}}, where TREE is what a VM answers to /computeMetadata/v1/?recursive=true. What is missing
 * in it is empty. The file is read again when it changes; one that is broken then is told on
 * standard error and changes nothing.
 */
#ifndef EMU_METADATA_FILE_H
#define EMU_METADATA_FILE_H

#include <jansson.h>

#include "base/persona.h"
#include "cloud.h"

struct emu_metadata_file;

/* Read and check it. *ret_tree is a new reference; *ret_persona gets whom it shows. Errors:
 * VMCP_E_JSON, VMCP_E_CONFIG with the member's JSON Pointer, those of vmcp_file_read(). */
VMCP_MUST_CHECK int emu_metadata_file_read(const char *path, json_t **ret_tree,
                                           struct emu_persona *ret_persona, struct vmcp_error *err);

/* Show it to everybody but the VMs, and from now on what it changes to. What `forced` says stands
 * above what the file says. `path` and `forced` are borrowed. */
VMCP_MUST_CHECK int emu_metadata_file_start(struct emu_cloud *cloud, const char *path,
                                            const struct emu_persona *forced,
                                            struct emu_metadata_file **ret, struct vmcp_error *err);
void emu_metadata_file_stop(struct emu_metadata_file *file);

#endif
