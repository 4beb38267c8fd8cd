/* SPDX-License-Identifier: Apache-2.0 */
/* networks.h - networks and subnetworks. `default` is there from the start, in every region.
 *
 * All VMs share one real network, whatever they are said to be in: addresses come from
 * emu_room_subnet().
 */
#ifndef EMU_NETWORKS_H
#define EMU_NETWORKS_H

#include <stdbool.h>

#include "base/refusal.h"
#include "cloud.h"

/* Make the default network and its subnetworks if they are not there yet. */
VMCP_MUST_CHECK int emu_networks_seed(struct emu_cloud *cloud, struct vmcp_error *err);

/* The selfLinks of the network and subnetwork that an interface in `region` names (either may be
 * NULL), each 512 bytes. What is not there is 404, what does not belong together 400. */
VMCP_MUST_CHECK int emu_networks_resolve(struct emu_cloud *cloud, const char *region,
                                         const char *network, const char *subnetwork,
                                         char *ret_network, char *ret_subnetwork,
                                         struct emu_refusal *why);

#endif
