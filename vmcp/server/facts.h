/* SPDX-License-Identifier: Apache-2.0 */
/* facts.h - what anybody may know of this server. */
#ifndef SRV_FACTS_H
#define SRV_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "settings.h"
#include "snapshot.h"

/* Is a key still published at `now` (seconds since 1970)? Retired ones are for a while. */
bool srv_facts_publishes(const struct srv_snapshot *snapshot,
                         const struct vmcp_keyring_entry *entry, int64_t now);

/* Of a large catalogue so many names are listed, in order, and how many there are beside them. */
enum { SRV_NAMES_SHOWN = 1000 };

/* Domain, version, keys, catalogue; the machines' and jobs' names where the settings list them. A
 * new reference; NULL without memory. */
json_t *srv_facts(const struct srv_settings *settings, const struct srv_snapshot *snapshot,
                  int64_t now);

#endif
