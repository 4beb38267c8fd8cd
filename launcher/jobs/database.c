/* SPDX-License-Identifier: Apache-2.0 */
#include "database.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { BUSY_MS = 10000 };

static int fault(struct launch_database *db, struct vmcp_error *err)
{
    int code = sqlite3_errcode(db->db);
    if (code == SQLITE_BUSY)
        return vmcp_fail_at(err, VMCP_E_STATE_BUSY, db->path, "another process is writing to it");
    return vmcp_fail_at(err,
                        code == SQLITE_FULL || code == SQLITE_IOERR ? VMCP_E_FILE : VMCP_E_STATE,
                        db->path, "%s", sqlite3_errmsg(db->db));
}

/* Bind what the letters of `types` say: i an int64_t, s a string, b bytes and their size_t. */
static void bind_all(sqlite3_stmt *stmt, const char *types, va_list args)
{
    for (int i = 1; *types; types++, i++) {
        if (*types == 'i') {
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        } else if (*types == 's') {
            sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_TRANSIENT);
        } else {
            const void *data = va_arg(args, const void *);
            sqlite3_bind_blob64(stmt, i, data, va_arg(args, size_t), SQLITE_TRANSIENT);
        }
    }
}

int launch_database_run(struct launch_database *db, launch_row_fn *row, void *arg,
                        struct vmcp_error *err, const char *sql, const char *types, ...)
{
    sqlite3_stmt *stmt = NULL;
    int code = sqlite3_prepare_v2(db->db, sql, -1, &stmt, NULL);
    if (code == SQLITE_OK) {
        va_list args;
        va_start(args, types);
        bind_all(stmt, types, args);
        va_end(args);
        while ((code = sqlite3_step(stmt)) == SQLITE_ROW)
            if (row && row(arg, stmt) < 0) {
                sqlite3_finalize(stmt);
                return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for rows");
            }
    }
    int rc = code == SQLITE_DONE ? 0 : fault(db, err);
    sqlite3_finalize(stmt);
    return rc;
}

static int exec(struct launch_database *db, const char *sql, struct vmcp_error *err)
{
    return sqlite3_exec(db->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : fault(db, err);
}

int launch_database_int(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

/* Two that begin at once: the second waits for the first, and finds its tables. */
static int prepare_schema(struct launch_database *db, const char *schema, int wanted,
                          struct vmcp_error *err)
{
    int64_t version = 0;
    int rc = exec(db, "BEGIN IMMEDIATE", err);
    if (rc == 0)
        rc = launch_database_run(db, launch_database_int, &version, err, "PRAGMA user_version", "");
    if (rc == 0 && version == 0)
        rc = exec(db, schema, err);
    else if (rc == 0 && version != wanted)
        rc = vmcp_fail_at(err, VMCP_E_STATE, db->path,
                          "its version is %lld; this program knows version %d", (long long)version,
                          wanted);
    if (rc == 0)
        return exec(db, "COMMIT", err);
    sqlite3_exec(db->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}

/* Made before SQLite makes it, so that others can never read it. One that is there is looked at and
 * not opened: closing it would take away the locks that other connections of this process have on
 * it (fcntl(2)), and another process would then take the file for its own. */
static int prepare_file(const char *path, struct vmcp_error *err)
{
    auto_close int fd = -1;
    struct stat st;
    if (lstat(path, &st) < 0 && errno == ENOENT)
        fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (lstat(path, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, path, "not a regular file");
    if (st.st_mode & 077)
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, path, "others can read it: chmod 600");
    return 0;
}

int launch_database_open(struct launch_database *db, char *path, const char *schema, int version,
                         struct vmcp_error *err)
{
    db->path = path;
    int rc = prepare_file(path, err);
    if (rc < 0)
        return rc;
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_NOFOLLOW;
    if (sqlite3_open_v2(path, &db->db, flags, NULL) != SQLITE_OK)
        return fault(db, err);
    sqlite3_busy_timeout(db->db, BUSY_MS);
    /* FULL: what was committed survives a power cut; WAL: with one fsync. */
    rc = exec(db,
              "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
              "PRAGMA trusted_schema = OFF",
              err);
    return rc < 0 ? rc : prepare_schema(db, schema, version, err);
}

void launch_database_close(struct launch_database *db)
{
    sqlite3_close(db->db);
    free(db->path);
    *db = (struct launch_database){0};
}
