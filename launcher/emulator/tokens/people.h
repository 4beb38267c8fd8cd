/* SPDX-License-Identifier: Apache-2.0 */
/* people.h - the service accounts that a command line asks for: made, granted, given keys. */
#ifndef EMU_PEOPLE_H
#define EMU_PEOPLE_H

#include "cloud.h"
#include "lib/options.h"

/* Make the accounts and grants. The project's default account is always there; `own` is whom the
 * metadata server shows already ("": nobody). Where no account is named, they may do all
 * (roles/editor). `ret_first` is `own`, or the first named one, or the default. */
VMCP_MUST_CHECK int emu_people_make(struct emu_cloud *cloud, const struct vmcp_list *accounts,
                                    const struct vmcp_list *grants, const char *own,
                                    char ret_first[static EMU_EMAIL_MAX + 1],
                                    struct vmcp_error *err);

/* Write the key files, EMAIL=FILE each, whose tokens come from `origin`/token. */
VMCP_MUST_CHECK int emu_people_write_keys(struct emu_cloud *cloud, const struct vmcp_list *keys,
                                          const char *origin, struct vmcp_error *err);

/* The file of an EMAIL=FILE, or NULL. */
const char *emu_people_key_file(const char *pair);

/* The laptop's view of the metadata server: an account and nothing else. */
VMCP_MUST_CHECK int emu_people_workstation(struct emu_cloud *cloud, const char *email,
                                           struct vmcp_error *err);

#endif
