/* SPDX-License-Identifier: Apache-2.0 */
/* verbs.h - what gce-emulator does, one function a verb. Each gets the arguments from its own name
 * on and returns the exit code. */
#ifndef EMU_VERBS_H
#define EMU_VERBS_H

#include <stddef.h>

#include "lib/error.h"
#include "lib/options.h"

#define EMU_METADATA_DEFAULT "127.0.0.1:18080"
#define EMU_API_DEFAULT      "127.0.0.1:18081"
#define EMU_ZONE_DEFAULT     "us-central1-a"

int emu_verb_serve(int argc, char **argv);    /* verb_serve.c: all of it */
int emu_verb_metadata(int argc, char **argv); /* verb_serve.c: the metadata server alone */
int emu_verb_env(int argc, char **argv);      /* verb_env.c */
int emu_verb_run(int argc, char **argv);      /* verb_env.c */

/* Print the help of a command, and an error; both return the exit code. */
int emu_verb_help(const struct vmcp_command *command);
int emu_verb_fail(const struct vmcp_error *err);

#endif
