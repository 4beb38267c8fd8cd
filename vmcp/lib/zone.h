/* SPDX-License-Identifier: Apache-2.0 */
/* zone.h - a time zone of the IANA database, by name: which offset from UTC held when.
 *
 * The compiled files (TZif, RFC 8536) are read here, because the C library knows one zone for a
 * whole process. A zone is immutable: threads share it.
 *
 *     auto_zone struct vmcp_zone *zone = NULL;
 *     int rc = vmcp_zone_load("Europe/Berlin", &zone, err);
 */
#ifndef VMCP_ZONE_H
#define VMCP_ZONE_H

#include <stddef.h>
#include <stdint.h>

#include "auto.h"
#include "error.h"

#define VMCP_ZONE_DIR "/usr/share/zoneinfo"

struct vmcp_zone;

/* Is this a name as the database has them (`Europe/Berlin`, `Etc/GMT+3`)? Nothing else could leave
 * the folder. VMCP_E_USAGE. */
VMCP_MUST_CHECK int vmcp_zone_name_check(const char *name, struct vmcp_error *err);

/* Read a zone. `UTC` and `Etc/UTC` need no file. *ret is new, vmcp_zone_free(). Errors:
 * VMCP_E_USAGE for a name that is none, VMCP_E_FILE. */
VMCP_MUST_CHECK int vmcp_zone_load(const char *name, struct vmcp_zone **ret,
                                   struct vmcp_error *err);

/* The same of the bytes of a file. Its rules about leap seconds (the names below `right/`) and a
 * file of version 1, which ends in 2037, are refused. Errors: VMCP_E_FILE. */
VMCP_MUST_CHECK int vmcp_zone_parse(const void *data, size_t len, struct vmcp_zone **ret,
                                    struct vmcp_error *err);
void vmcp_zone_free(struct vmcp_zone *zone);

#define VMCP_ZONE_ALWAYS INT64_MAX

/* A time in which one offset holds: from `from` (-VMCP_ZONE_ALWAYS: since ever) until before `to`
 * (VMCP_ZONE_ALWAYS: for ever), seconds since 1970. Its neighbours may have the same offset. */
struct vmcp_zone_span {
    int64_t from, to;
    int32_t offset; /* seconds east of UTC */
};

/* The one that `at` is in. */
struct vmcp_zone_span vmcp_zone_span(const struct vmcp_zone *zone, int64_t at);

enum { VMCP_ZONE_TEXT_CHARS = 40 };

/* "2026-03-29T03:00:00+02:00" (RFC 3339). Beyond the years 0 to 9999, "@SECONDS". */
void vmcp_zone_text(const struct vmcp_zone *zone, int64_t at,
                    char ret[VMCP_AT_LEAST(VMCP_ZONE_TEXT_CHARS)]);

#define auto_zone VMCP_AUTO(vmcp_zone_auto_)
VMCP_DEFINE_AUTO(vmcp_zone_auto_, struct vmcp_zone *, vmcp_zone_free)

#endif
