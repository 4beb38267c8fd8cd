/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.h - the fingerprints of the Compute API: 8 bytes in base64, which change when what
 * they stand beside does. */
#ifndef EMU_FINGERPRINT_H
#define EMU_FINGERPRINT_H

#include <jansson.h>
#include <stdbool.h>

/* A string for the content of `value` (NULL: nothing). New reference; NULL without memory. */
json_t *emu_fingerprint(const json_t *value);

/* Is a fingerprint that a client sent the current one? Some clients (gcloud) decode it and encode
 * it again in the other alphabet of RFC 4648. */
bool emu_fingerprint_is(const json_t *given, const json_t *current);

#endif
