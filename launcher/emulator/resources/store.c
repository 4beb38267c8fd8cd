/* SPDX-License-Identifier: Apache-2.0 */
#include "store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>
#include <sys/stat.h>

enum { STATEMENTS_MAX = 256, SCHEMA_VERSION = 2 };

struct emu_store {
    sqlite3 *db;
    pthread_mutex_t lock; /* recursive: begin holds it over the runs inside */
    struct {
        const char *sql; /* a literal, compared by address */
        sqlite3_stmt *stmt;
    } statements[STATEMENTS_MAX];
    size_t count;
};

static const char schema[] =
    "CREATE TABLE instance (id INTEGER PRIMARY KEY, zone TEXT NOT NULL, name TEXT NOT NULL,"
    "  ip INTEGER NOT NULL UNIQUE, status TEXT NOT NULL, image TEXT NOT NULL,"
    "  cpus INTEGER NOT NULL, manager INTEGER NOT NULL,"
    "  resource TEXT NOT NULL, UNIQUE (zone, name)) STRICT;"
    "CREATE INDEX instance_manager ON instance (manager) WHERE manager <> 0;"
    /* All else that can be made and deleted: disks, templates, groups. */
    "CREATE TABLE resource (id INTEGER PRIMARY KEY, collection TEXT NOT NULL, scope TEXT NOT NULL,"
    "  name TEXT NOT NULL, body TEXT NOT NULL, UNIQUE (collection, scope, name)) STRICT;"
    /* The instances that managed groups are to have; `action` is what a member waits for. */
    "CREATE TABLE member (manager INTEGER NOT NULL, zone TEXT NOT NULL, name TEXT NOT NULL,"
    "  action TEXT NOT NULL, error TEXT NOT NULL, PRIMARY KEY (manager, zone, name)) STRICT;"
    "CREATE TABLE operation (seq INTEGER PRIMARY KEY, id INTEGER NOT NULL UNIQUE,"
    "  name TEXT NOT NULL UNIQUE,"
    "  scope TEXT NOT NULL, method TEXT NOT NULL, request_id TEXT, target INTEGER NOT NULL,"
    "  collection TEXT NOT NULL, batch INTEGER NOT NULL, fault TEXT NOT NULL,"
    "  status TEXT NOT NULL, resource TEXT NOT NULL, UNIQUE (scope, method, request_id)) STRICT;"
    "CREATE INDEX operation_batch ON operation (batch) WHERE batch <> 0;"
    "CREATE INDEX operation_open ON operation (seq) WHERE status <> 'DONE';"
    "CREATE TABLE account (email TEXT PRIMARY KEY, unique_id TEXT NOT NULL) STRICT;"
    "CREATE TABLE role (email TEXT NOT NULL, role TEXT NOT NULL,"
    "  PRIMARY KEY (email, role)) STRICT;"
    "CREATE TABLE key (kid TEXT PRIMARY KEY, email TEXT NOT NULL, public_pem TEXT NOT NULL) STRICT;"
    "CREATE INDEX key_email ON key (email);"
    "CREATE TABLE token (digest TEXT PRIMARY KEY, email TEXT NOT NULL, scopes TEXT NOT NULL,"
    "  expires INTEGER NOT NULL) STRICT;"
    "CREATE INDEX token_expires ON token (expires);"
    "CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;"
    "PRAGMA user_version = 2;";

/* What came after the first state files: made where it is missing. */
static const char additions[] =
    "CREATE TABLE IF NOT EXISTS signer (owner TEXT PRIMARY KEY, kid TEXT NOT NULL,"
    "  private_pem TEXT NOT NULL, certificate TEXT NOT NULL) STRICT;"
    "CREATE TABLE IF NOT EXISTS guest_attribute (instance INTEGER NOT NULL,"
    "  namespace TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL,"
    "  PRIMARY KEY (instance, namespace, key)) STRICT;";

static int fault(struct emu_store *store, struct vmcp_error *err)
{
    int code = sqlite3_errcode(store->db);
    if (code == SQLITE_BUSY)
        return vmcp_fail(err, VMCP_E_STATE_BUSY, "another gce-emulator uses this state");
    return vmcp_fail(err, VMCP_E_STATE, "the state cannot be used: %s", sqlite3_errmsg(store->db));
}

static int exec(struct emu_store *store, const char *sql, struct vmcp_error *err)
{
    if (sqlite3_exec(store->db, sql, NULL, NULL, NULL) != SQLITE_OK)
        return fault(store, err);
    return 0;
}

static int read_int(void *arg, sqlite3_stmt *row)
{
    *(int64_t *)arg = sqlite3_column_int64(row, 0);
    return 0;
}

static int prepare_schema(struct emu_store *store, struct vmcp_error *err)
{
    int64_t version = 0;
    int rc = emu_store_run(store, read_int, &version, err, "PRAGMA user_version", "");
    if (rc < 0)
        return rc;
    if (version == SCHEMA_VERSION)
        return 0;
    int64_t tables = 0;
    rc = emu_store_run(store, read_int, &tables, err, "SELECT count(*) FROM sqlite_schema", "");
    if (rc < 0)
        return rc;
    if (version != 0 || tables != 0)
        return vmcp_fail(err, VMCP_E_STATE,
                         "not a state of this gce-emulator (version %lld, wanted %d); name another "
                         "file",
                         (long long)version, SCHEMA_VERSION);
    rc = emu_store_begin(store, err);
    if (rc < 0)
        return rc;
    return emu_store_end(store, exec(store, schema, err), err);
}

/* Make the file before SQLite does, so that it is never readable by others. */
static int prepare_file(const char *path, struct vmcp_error *err)
{
    auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    struct stat st;
    if (fd < 0 || fstat(fd, &st) < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, path, "cannot be opened: %s", strerror(errno));
    if (!S_ISREG(st.st_mode))
        return vmcp_fail_at(err, VMCP_E_FILE, path, "not a regular file");
    if (st.st_mode & 077)
        return vmcp_fail_at(err, VMCP_E_FILE_MODE, path,
                            "others can read the state, which holds the VMs' metadata: chmod 600");
    return 0;
}

static int open_database(struct emu_store *store, const char *path, struct vmcp_error *err)
{
    int flags = SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX;
    if (sqlite3_open_v2(path ? path : ":memory:", &store->db, flags, NULL) != SQLITE_OK)
        return fault(store, err);
    /* Exclusive: one emulator at a time, and WAL then needs no shared memory file. */
    int rc = exec(store,
                  "PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = WAL;"
                  "PRAGMA synchronous = FULL; BEGIN EXCLUSIVE; COMMIT;",
                  err);
    if (rc == 0)
        rc = prepare_schema(store, err);
    return rc < 0 ? rc : exec(store, additions, err);
}

int emu_store_open(const char *path, struct emu_store **ret, struct vmcp_error *err)
{
    int rc = path ? prepare_file(path, err) : 0;
    if (rc < 0)
        return rc;
    auto_store struct emu_store *store = calloc(1, sizeof(*store));
    if (!store)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the state");
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
    pthread_mutex_init(&store->lock, &attr);
    pthread_mutexattr_destroy(&attr);
    rc = open_database(store, path, err);
    if (rc < 0)
        return vmcp_error_locate(err, path ? path : "");
    *ret = steal(&store);
    return 0;
}

void emu_store_free(struct emu_store *store)
{
    if (!store)
        return;
    for (size_t i = 0; i < store->count; i++)
        sqlite3_finalize(store->statements[i].stmt);
    sqlite3_close(store->db);
    pthread_mutex_destroy(&store->lock);
    free(store);
}

static sqlite3_stmt *prepare(struct emu_store *store, const char *sql)
{
    for (size_t i = 0; i < store->count; i++)
        if (store->statements[i].sql == sql)
            return store->statements[i].stmt;
    sqlite3_stmt *stmt = NULL;
    if (store->count == STATEMENTS_MAX ||
        sqlite3_prepare_v3(store->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &stmt, NULL) != SQLITE_OK)
        return NULL;
    store->statements[store->count].sql = sql;
    store->statements[store->count++].stmt = stmt;
    return stmt;
}

static void bind(sqlite3_stmt *stmt, const char *types, va_list args)
{
    for (int i = 1; types[i - 1]; i++) {
        if (types[i - 1] == 'i')
            sqlite3_bind_int64(stmt, i, va_arg(args, int64_t));
        else
            sqlite3_bind_text(stmt, i, va_arg(args, const char *), -1, SQLITE_STATIC);
    }
}

int emu_store_run(struct emu_store *store, emu_store_row row, void *arg, struct vmcp_error *err,
                  const char *sql, const char *types, ...)
{
    pthread_mutex_lock(&store->lock);
    sqlite3_stmt *stmt = prepare(store, sql);
    int rc = stmt ? 0 : fault(store, err);
    if (stmt) {
        va_list args;
        va_start(args, types);
        bind(stmt, types, args);
        va_end(args);
        int step = SQLITE_DONE;
        while (rc == 0 && (step = sqlite3_step(stmt)) == SQLITE_ROW)
            rc = row ? row(arg, stmt) : 0;
        if (rc == 0 && step != SQLITE_DONE)
            rc = fault(store, err);
        sqlite3_reset(stmt);
        sqlite3_clear_bindings(stmt);
    }
    pthread_mutex_unlock(&store->lock);
    return rc;
}

int emu_store_begin(struct emu_store *store, struct vmcp_error *err)
{
    pthread_mutex_lock(&store->lock);
    int rc = exec(store, "BEGIN IMMEDIATE", err);
    if (rc < 0)
        pthread_mutex_unlock(&store->lock);
    return rc;
}

int emu_store_end(struct emu_store *store, int rc, struct vmcp_error *err)
{
    if (rc == 0)
        rc = exec(store, "COMMIT", err);
    if (rc < 0)
        sqlite3_exec(store->db, "ROLLBACK", NULL, NULL, NULL);
    pthread_mutex_unlock(&store->lock);
    return rc;
}

int emu_store_savepoint(struct emu_store *store, struct vmcp_error *err)
{
    return exec(store, "SAVEPOINT part", err);
}

int emu_store_release(struct emu_store *store, bool keep, struct vmcp_error *err)
{
    return exec(store, keep ? "RELEASE part" : "ROLLBACK TO part; RELEASE part", err);
}
