/* SPDX-License-Identifier: Apache-2.0 */
/* secretscan.h - a net for private keys that are on their way into metadata.
 *
 * It finds a PEM label that ends in PRIVATE KEY, and a JSON member private_key, refresh_token or
 * client_secret with a value, in the text itself and below one layer of JSON escaping, base64 or
 * gzip (two, where they are combined). It is a net for accidents, not a proof of absence.
 */
#ifndef LAUNCH_SECRETSCAN_H
#define LAUNCH_SECRETSCAN_H

#include <stddef.h>

/* What was found ("a PEM private key", …), or NULL. Never the secret. */
const char *launch_secret_find(const char *text, size_t len);

#endif
