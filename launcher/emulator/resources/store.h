/* SPDX-License-Identifier: Apache-2.0 */
/* store.h - the emulator's state: one SQLite database, in a file or in memory.
 *
 * With a file, what was committed is on the disk when emu_store_end() returns (WAL, synchronous
 * FULL): an answer sent after it is true even if the process is killed at once. The file is
 * created 0600 and locked: a second emulator on it is refused. It holds no access token, only
 * their digests; it does hold the instances' metadata, whatever people put there, and the private
 * keys that this cloud signs with (signer.h).
 *
 * Statements are prepared once and kept. Calls are safe from any thread; between begin and end the
 * other threads wait.
 *
 *     int rc = emu_store_begin(store, &err);
 *     if (rc == 0) {
 *         rc = emu_store_run(store, NULL, NULL, &err,
 *                            "UPDATE instance SET status = ?1 WHERE id = ?2", "ti", "RUNNING", id);
 *         rc = emu_store_end(store, rc, &err);
 *     }
 */
#ifndef EMU_STORE_H
#define EMU_STORE_H

#include <sqlite3.h>
#include <stdbool.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"

struct emu_store;

/* Open or make the state in `path` (NULL: in memory). Errors: VMCP_E_FILE, VMCP_E_FILE_MODE (others
 * may read it), VMCP_E_STATE (not ours, or damaged), VMCP_E_STATE_BUSY. */
VMCP_MUST_CHECK int emu_store_open(const char *path, struct emu_store **ret,
                                   struct vmcp_error *err);
void emu_store_free(struct emu_store *store);

/* Called for each row of an answer. Below 0 ends the statement with that result. */
typedef int (*emu_store_row)(void *arg, sqlite3_stmt *row);

/* Text of a column; "" for a null, and where memory ran out. Lives until the next row. */
static inline const char *emu_store_text(sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    return text ? (const char *)text : "";
}

/* Run one statement. `sql` is a literal: its address names the prepared statement. `types` says
 * what follows for ?1, ?2…: 't' const char * (NULL: null), 'i' int64_t. Errors: VMCP_E_STATE. */
VMCP_MUST_CHECK int emu_store_run(struct emu_store *store, emu_store_row row, void *arg,
                                  struct vmcp_error *err, const char *sql, const char *types, ...);

/* A transaction: begin locks the store, end commits where `rc` is 0 and rolls back otherwise, and
 * unlocks it. They do not nest. end returns `rc`, or why the commit failed. */
VMCP_MUST_CHECK int emu_store_begin(struct emu_store *store, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_store_end(struct emu_store *store, int rc, struct vmcp_error *err);

/* Within a transaction: what is tried from here on can be taken back by itself (`keep` false). They
 * do not nest. */
VMCP_MUST_CHECK int emu_store_savepoint(struct emu_store *store, struct vmcp_error *err);
VMCP_MUST_CHECK int emu_store_release(struct emu_store *store, bool keep, struct vmcp_error *err);

#define auto_store VMCP_AUTO(emu_store_auto_)
VMCP_DEFINE_AUTO(emu_store_auto_, struct emu_store *, emu_store_free)

#endif
