/* SPDX-License-Identifier: Apache-2.0 */
/* database.h - a private SQLite file: opened, its tables made once, statements run.
 *
 *     rc = launch_database_run(db, NULL, NULL, err, "DELETE FROM run WHERE id = ?", "i", id);
 */
#ifndef LAUNCH_DATABASE_H
#define LAUNCH_DATABASE_H

#include <sqlite3.h>
#include <stdint.h>

#include "lib/auto.h"
#include "lib/error.h"

struct launch_database {
    sqlite3 *db;
    char *path; /* owned */
};

/* Open `path` (owned from here on in every case), made with mode 0600 where it is missing. `schema`
 * makes the tables of a new file and sets its user_version to `version`. What is committed is on
 * the disk. Errors: VMCP_E_FILE, VMCP_E_FILE_MODE, VMCP_E_STATE for a file that is none of ours. */
VMCP_MUST_CHECK int launch_database_open(struct launch_database *db, char *path, const char *schema,
                                         int version, struct vmcp_error *err);
void launch_database_close(struct launch_database *db);

/* Gets one row; negative: no memory. */
typedef int launch_row_fn(void *arg, sqlite3_stmt *row);

/* Run one statement; `row` (NULL: none is wanted) gets each of its rows. `types` has a letter for
 * each parameter: i an int64_t, s a string, b bytes (NULL: SQL's) and their size_t. Errors:
 * VMCP_E_STATE_BUSY, VMCP_E_FILE for a full disk, VMCP_E_STATE, VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int launch_database_run(struct launch_database *db, launch_row_fn *row, void *arg,
                                        struct vmcp_error *err, const char *sql, const char *types,
                                        ...);

/* A row function for one integer; arg is an int64_t *. */
int launch_database_int(void *arg, sqlite3_stmt *row);

#endif
