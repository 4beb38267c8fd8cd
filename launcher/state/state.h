/* SPDX-License-Identifier: Apache-2.0 */
/* state.h - what a launcher must not forget.
 *
 *   DIR/local-id                            made once: the host id comes from it
 *   DIR/machines/DOMAIN/MACHINE/state.json  highest serial seen, ids of the VMs that were made
 *   DIR/machines/DOMAIN/MACHINE/intents/    inserts that may have been sent (intent.h)
 *   DIR/machines/DOMAIN/MACHINE/lock        held by the run that writes
 *   DIR/jobs/DOMAIN/JOB/…                   the same of a job, whose serials are its own
 *
 * DIR is --state-dir, /var/lib/vmcp-launch for root, else ${XDG_STATE_HOME:-~/.local/state}/
 * vmcp-launch, mode 0700. Each file is replaced as a whole and fsynced. A damaged one is an error,
 * never a silent reset: it would forget the serial floor. A document over 4 MiB loses its oldest
 * VMs when it is written, never the serial.
 */
#ifndef LAUNCH_STATE_H
#define LAUNCH_STATE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "lib/kind.h"
#include "lib/limits.h"

/* The local id, made if there is none yet. VMCP_E_STATE for a damaged one. */
VMCP_MUST_CHECK int launch_local_id(const char *dir, char ret[static VMCP_SALT_LEN + 1],
                                    struct vmcp_error *err);

struct launch_saver; /* what threads that write one state share */

struct launch_state {
    char *folder;               /* DIR/machines/DOMAIN/MACHINE, owned */
    int lock;                   /* file descriptor; -1: not locked, and then nothing is written */
    json_t *document;           /* owned; changed and read under the saver's lock */
    struct launch_saver *saver; /* owned; NULL where nothing is written */
};
#define LAUNCH_STATE \
    {                \
        .lock = -1   \
    }

/* Open the state of a machine of a domain (both checked by the caller). With `lock` the folder is
 * made and locked until launch_state_close(): VMCP_E_STATE_BUSY where another run holds it. A
 * machine that was never seen has an empty state. Errors: VMCP_E_STATE, VMCP_E_FILE. */
VMCP_MUST_CHECK int launch_state_open(const char *dir, const char *domain, const char *machine,
                                      bool lock, struct launch_state *ret, struct vmcp_error *err);
/* The same of a job. */
VMCP_MUST_CHECK int launch_state_open_job(const char *dir, const char *domain, const char *job,
                                          bool lock, struct launch_state *ret,
                                          struct vmcp_error *err);
/* Only lock a machine's, and read nothing: for what must work on a damaged state too. */
VMCP_MUST_CHECK int launch_state_lock(const char *dir, const char *domain, const char *machine,
                                      struct launch_state *ret, struct vmcp_error *err);
void launch_state_close(struct launch_state *state);
#define auto_state VMCP_AUTO(launch_state_close)

/* The highest serial seen; -1 before the first. */
int64_t launch_state_serial(const struct launch_state *state);
/* Remember a serial that was seen; a lower one than before changes nothing. */
VMCP_MUST_CHECK int launch_state_raise(struct launch_state *state, int64_t serial,
                                       struct vmcp_error *err);

/* Have the document written, as it is now or later. VMCP_E_INTERNAL without the lock. */
VMCP_MUST_CHECK int launch_state_save(struct launch_state *state, struct vmcp_error *err);

struct launch_vm {
    const char *role; /* "vm" or "launcher" */
    const char *id, *name, *project, *zone;
    const char *api; /* base URL of the API that knows it */
};

/* Remember a VM that was made; one that is there already is not added again, and those that had its
 * name before are forgotten. From any thread: what several remember at once is written once. */
VMCP_MUST_CHECK int launch_state_add_vm(struct launch_state *state, const struct launch_vm *vm,
                                        struct vmcp_error *err);
/* Forget a VM that is gone. */
VMCP_MUST_CHECK int launch_state_drop_vm(struct launch_state *state, const char *id,
                                         const char *api, struct vmcp_error *err);
/* Forget the oldest quarter: a document that grew for ever could not be read one day. What is
 * forgotten is still found by a fresh answer, or by its id. False: there was none to forget. */
bool launch_state_forget_oldest(const struct launch_state *state);
bool launch_state_knows_vm(const struct launch_state *state, const char *id, const char *api);

#endif
