/* SPDX-License-Identifier: Apache-2.0 */
/* commons.h - folders that are nobody's alone: /etc, /var/log, a person's home.
 *
 * A rule of Landlock is about a folder with all that is below it; one for the sake of a single file
 * must not open what others keep there.
 */
#ifndef SRV_COMMONS_H
#define SRV_COMMONS_H

#include <stdbool.h>

/* Is that folder, links followed, known to hold what belongs to others? The root folder and those
 * directly in it are, homes, and where systems keep logs, spools and certificates. A folder that is
 * not there is not. */
bool srv_folder_is_common(const char *folder);

/* Is it the root folder? */
bool srv_folder_is_root(const char *folder);

#endif
