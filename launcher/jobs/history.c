/* SPDX-License-Identifier: Apache-2.0 */
#include "history.h"

#include <stdio.h>
#include <string.h>

#include "lib/json.h"

enum { SCHEMA_VERSION = 1 };

static const char schema[] =
    "CREATE TABLE run (id INTEGER PRIMARY KEY, domain TEXT NOT NULL, job TEXT NOT NULL,"
    "  schedule_ms INTEGER NOT NULL, serial INTEGER NOT NULL, manual INTEGER NOT NULL,"
    "  started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL DEFAULT 0,"
    "  outcome INTEGER NOT NULL DEFAULT 0, error TEXT NOT NULL DEFAULT '',"
    "  UNIQUE (domain, job, schedule_ms)) STRICT;"
    "CREATE TABLE attempt (id INTEGER PRIMARY KEY,"
    "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, number INTEGER NOT NULL,"
    "  request_id TEXT NOT NULL, method TEXT NOT NULL, uri TEXT NOT NULL,"
    "  started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL DEFAULT 0,"
    "  outcome INTEGER NOT NULL DEFAULT 0, status INTEGER NOT NULL DEFAULT 0,"
    "  operation TEXT NOT NULL DEFAULT '', error TEXT NOT NULL DEFAULT '', body BLOB,"
    "  UNIQUE (run, number)) STRICT;"
    "CREATE TABLE paused (domain TEXT NOT NULL, job TEXT NOT NULL, since_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (domain, job)) STRICT;"
    /* from when on a job's times can be missed, where no run says so */
    "CREATE TABLE watched (domain TEXT NOT NULL, job TEXT NOT NULL, from_ms INTEGER NOT NULL,"
    "  PRIMARY KEY (domain, job)) STRICT;"
    "PRAGMA user_version = 1;";

#define RUN_COLUMNS "id, schedule_ms, serial, started_ms, ended_ms, manual, outcome, error"
#define ATTEMPT_COLUMNS                                                                      \
    "id, number, request_id, method, uri, started_ms, ended_ms, outcome, status, operation," \
    " error"

const char *launch_outcome_name(enum launch_outcome outcome)
{
    static const char *const names[] = {"open",     "succeeded", "failed",
                                        "in doubt", "refused",   "missed"};
    size_t n = sizeof(names) / sizeof(*names);
    return (size_t)outcome < n ? names[outcome] : "unknown";
}

int launch_history_open(const char *dir, struct launch_history **ret, struct vmcp_error *err)
{
    auto_history struct launch_history *h = calloc(1, sizeof(*h));
    char *path = NULL;
    if (!h || asprintf(&path, "%s/history.db", dir) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a history");
    int rc = launch_database_open(&h->db, path, schema, SCHEMA_VERSION, err);
    if (rc == 0)
        *ret = steal(&h);
    return rc;
}

void launch_history_close(struct launch_history *history)
{
    if (!history)
        return;
    launch_database_close(&history->db);
    free(history);
}

static void copy(char *to, size_t size, sqlite3_stmt *row, int column)
{
    const unsigned char *text = sqlite3_column_text(row, column);
    snprintf(to, size, "%s", text ? (const char *)text : "");
}

struct one_run {
    bool found;
    struct launch_run_row row;
};

static int read_run(void *arg, sqlite3_stmt *row)
{
    struct one_run *one = arg;
    struct launch_run_row *r = &one->row;
    one->found = true;
    r->id = sqlite3_column_int64(row, 0);
    r->schedule_ms = sqlite3_column_int64(row, 1);
    r->serial = sqlite3_column_int64(row, 2);
    r->started_ms = sqlite3_column_int64(row, 3);
    r->ended_ms = sqlite3_column_int64(row, 4);
    r->manual = sqlite3_column_int(row, 5) != 0;
    r->outcome = (enum launch_outcome)sqlite3_column_int(row, 6);
    copy(r->error, sizeof(r->error), row, 7);
    return 0;
}

int launch_history_run(struct launch_history *history, const struct launch_job_name *name,
                       const struct launch_run_row *wanted, bool *ret_made,
                       struct launch_run_row *ret, struct vmcp_error *err)
{
    struct one_run one = {0};
    int rc =
        launch_database_run(&history->db, NULL, NULL, err,
                            "INSERT INTO run (domain, job, schedule_ms, serial, manual, started_ms,"
                            " outcome, ended_ms, error)"
                            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                            "ssiiiiiis", name->domain, name->job, wanted->schedule_ms,
                            wanted->serial, (int64_t)wanted->manual, wanted->started_ms,
                            (int64_t)wanted->outcome, wanted->ended_ms, wanted->error);
    *ret_made = rc == 0 && sqlite3_changes(history->db.db) == 1;
    if (rc == 0)
        rc = launch_database_run(&history->db, read_run, &one, err,
                                 "SELECT " RUN_COLUMNS
                                 " FROM run WHERE domain = ? AND job = ? AND schedule_ms = ?",
                                 "ssi", name->domain, name->job, wanted->schedule_ms);
    if (rc == 0)
        *ret = one.row;
    return rc;
}

static int forget_old(struct launch_history *h, int64_t id, struct vmcp_error *err)
{
    return launch_database_run(
        &h->db, NULL, NULL, err,
        "DELETE FROM run WHERE (domain, job) = (SELECT domain, job FROM run WHERE id = ?1)"
        " AND outcome <> 0 AND id <= (SELECT id FROM run WHERE (domain, job) ="
        " (SELECT domain, job FROM run WHERE id = ?1) ORDER BY id DESC LIMIT 1 OFFSET ?2)"
        /* what ${vmcp.previous} looks at stays */
        " AND id <> ifnull((SELECT max(id) FROM run WHERE (domain, job) ="
        " (SELECT domain, job FROM run WHERE id = ?1) AND outcome = 1), -1)",
        "ii", id, (int64_t)LAUNCH_RUNS_KEPT);
}

int launch_history_end_run(struct launch_history *history, int64_t id, enum launch_outcome outcome,
                           int64_t now_ms, const char *error, struct vmcp_error *err)
{
    int rc = launch_database_run(&history->db, NULL, NULL, err,
                                 "UPDATE run SET outcome = ?, ended_ms = ?, error = ? WHERE id = ?",
                                 "iisi", (int64_t)outcome, now_ms, error, id);
    return rc < 0 ? rc : forget_old(history, id, err);
}

int launch_history_last_run(struct launch_history *history, const struct launch_job_name *name,
                            bool scheduled, bool open, bool *ret_found, struct launch_run_row *ret,
                            struct vmcp_error *err)
{
    struct one_run one = {0};
    int rc =
        launch_database_run(&history->db, read_run, &one, err,
                            "SELECT " RUN_COLUMNS " FROM run WHERE domain = ? AND job = ?"
                            " AND (manual = 0 OR ? = 0) AND (outcome = 0 OR ? = 0)"
                            " ORDER BY schedule_ms DESC LIMIT 1",
                            "ssii", name->domain, name->job, (int64_t)scheduled, (int64_t)open);
    *ret_found = rc == 0 && one.found;
    if (*ret_found)
        *ret = one.row;
    return rc;
}

int launch_history_begin(struct launch_history *history, int64_t run_id,
                         struct launch_attempt_row *attempt, struct vmcp_error *err)
{
    int rc =
        launch_database_run(&history->db, NULL, NULL, err,
                            "INSERT INTO attempt (run, number, request_id, method, uri, started_ms)"
                            " VALUES (?, ?, ?, ?, ?, ?)",
                            "iisssi", run_id, (int64_t)attempt->number, attempt->request_id,
                            attempt->method, attempt->uri, attempt->started_ms);
    attempt->id = rc == 0 ? sqlite3_last_insert_rowid(history->db.db) : 0;
    /* maxRetryDuration knows no number of attempts. */
    if (rc == 0 && attempt->number > LAUNCH_RUNS_KEPT)
        rc = launch_database_run(&history->db, NULL, NULL, err,
                                 "DELETE FROM attempt WHERE run = ? AND number <= ?", "ii", run_id,
                                 (int64_t)attempt->number - LAUNCH_RUNS_KEPT);
    return rc;
}

int launch_history_follow(struct launch_history *history, int64_t attempt, int status,
                          const char *operation, struct vmcp_error *err)
{
    return launch_database_run(&history->db, NULL, NULL, err,
                               "UPDATE attempt SET status = ?, operation = ? WHERE id = ?", "isi",
                               (int64_t)status, operation, attempt);
}

int launch_history_end(struct launch_history *history, const struct launch_attempt_row *attempt,
                       const char *body, size_t body_len, struct vmcp_error *err)
{
    size_t kept = body_len < LAUNCH_RESPONSE_MAX ? body_len : LAUNCH_RESPONSE_MAX, last = kept;
    /* Not through the middle of a UTF-8 character, which is of four bytes at most. */
    while (last < body_len && last > 0 && kept - last < 4 && ((uint8_t)body[last] & 0xc0) == 0x80)
        last--;
    kept = kept - last < 4 ? last : kept;
    return launch_database_run(
        &history->db, NULL, NULL, err,
        "UPDATE attempt SET outcome = ?, ended_ms = ?, status = ?, error = ?, body = ?"
        " WHERE id = ?",
        "iiisbi", (int64_t)attempt->outcome, attempt->ended_ms, (int64_t)attempt->status,
        attempt->error, body, body ? kept : 0, attempt->id);
}

struct one_attempt {
    bool found;
    struct launch_attempt_row *row;
};

static int read_attempt(void *arg, sqlite3_stmt *row)
{
    struct one_attempt *one = arg;
    struct launch_attempt_row *a = one->row;
    one->found = true;
    a->id = sqlite3_column_int64(row, 0);
    a->number = sqlite3_column_int(row, 1);
    copy(a->request_id, sizeof(a->request_id), row, 2);
    copy(a->method, sizeof(a->method), row, 3);
    copy(a->uri, sizeof(a->uri), row, 4);
    a->started_ms = sqlite3_column_int64(row, 5);
    a->ended_ms = sqlite3_column_int64(row, 6);
    a->outcome = (enum launch_outcome)sqlite3_column_int(row, 7);
    a->status = sqlite3_column_int(row, 8);
    copy(a->operation, sizeof(a->operation), row, 9);
    copy(a->error, sizeof(a->error), row, 10);
    return 0;
}

int launch_history_last_attempt(struct launch_history *history, int64_t run_id, bool *ret_found,
                                struct launch_attempt_row *ret, struct vmcp_error *err)
{
    struct one_attempt one = {.row = ret};
    int rc = launch_database_run(&history->db, read_attempt, &one, err,
                                 "SELECT " ATTEMPT_COLUMNS
                                 " FROM attempt WHERE run = ? ORDER BY number DESC LIMIT 1",
                                 "i", run_id);
    *ret_found = rc == 0 && one.found;
    return rc;
}

static int read_json(void *arg, sqlite3_stmt *row)
{
    const char *text = sqlite3_column_blob(row, 0);
    int len = sqlite3_column_bytes(row, 0);
    /* What was cut at its limit, or never was JSON, has no fields. */
    if (text && vmcp_json_parse(text, (size_t)len, arg, NULL) < 0)
        *(json_t **)arg = NULL;
    return 0;
}

int launch_history_previous(struct launch_history *history, const struct launch_job_name *name,
                            json_t **ret, struct vmcp_error *err)
{
    *ret = NULL;
    return launch_database_run(&history->db, read_json, ret, err,
                               "SELECT attempt.body FROM attempt JOIN run ON run.id = attempt.run"
                               " WHERE run.domain = ? AND run.job = ? AND attempt.outcome = 1"
                               " ORDER BY attempt.id DESC LIMIT 1",
                               "ss", name->domain, name->job);
}

int launch_history_pause(struct launch_history *history, const struct launch_job_name *name,
                         bool paused, int64_t now_ms, struct vmcp_error *err)
{
    if (!paused)
        return launch_database_run(&history->db, NULL, NULL, err,
                                   "DELETE FROM paused WHERE domain = ? AND job = ?", "ss",
                                   name->domain, name->job);
    return launch_database_run(&history->db, NULL, NULL, err,
                               "INSERT INTO paused VALUES (?, ?, ?) ON CONFLICT DO NOTHING", "ssi",
                               name->domain, name->job, now_ms);
}

int launch_history_is_paused(struct launch_history *history, const struct launch_job_name *name,
                             bool *ret, struct vmcp_error *err)
{
    int64_t count = 0;
    int rc = launch_database_run(&history->db, launch_database_int, &count, err,
                                 "SELECT count(*) FROM paused WHERE domain = ? AND job = ?", "ss",
                                 name->domain, name->job);
    *ret = count > 0;
    return rc;
}
