/* SPDX-License-Identifier: Apache-2.0 */
/* fingerprint.h - the fingerprints of the Compute API: 8 bytes in base64, which change when what
 * they stand beside does. */
#ifndef EMU_FINGERPRINT_H
#define EMU_FINGERPRINT_H

#include <jansson.h>

/* A string for the content of `value` (NULL: nothing). New reference; NULL without memory. */
json_t *emu_fingerprint(const json_t *value);

#endif
