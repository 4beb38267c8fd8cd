/* SPDX-License-Identifier: Apache-2.0 */
/* The history as JSON, for `vmcp-launch jobs`. */
#include <string.h>

#include "history.h"

/* Members by the columns' names: NULL stays away, `outcome` is a name, times end in `Ms`. */
static json_t *row_object(sqlite3_stmt *row)
{
    json_t *object = json_object();
    for (int i = 0; i < sqlite3_column_count(row); i++) {
        const char *name = sqlite3_column_name(row, i);
        json_t *value = NULL;
        if (sqlite3_column_type(row, i) == SQLITE_NULL)
            continue;
        if (strcmp(name, "outcome") == 0)
            value =
                json_string(launch_outcome_name((enum launch_outcome)sqlite3_column_int(row, i)));
        else if (strcmp(name, "manual") == 0 || strcmp(name, "paused") == 0)
            value = json_boolean(sqlite3_column_int(row, i));
        else if (sqlite3_column_type(row, i) == SQLITE_INTEGER)
            value = json_integer(sqlite3_column_int64(row, i));
        else
            /* An answer may be of any bytes: what is not UTF-8 is left away. */
            value = json_stringn(sqlite3_column_blob(row, i), (size_t)sqlite3_column_bytes(row, i));
        if (value && json_object_set_new(object, name, value) < 0) {
            json_decref(object);
            return NULL;
        }
    }
    return object;
}

static int append(void *arg, sqlite3_stmt *row)
{
    return json_array_append_new(arg, row_object(row));
}

int launch_history_jobs(struct launch_history *history, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *jobs = json_array();
    int rc = launch_database_run(
        &history->db, append, jobs, err,
        "SELECT n.domain AS domain, n.job AS job,"
        " EXISTS (SELECT 1 FROM paused AS p WHERE (p.domain, p.job) = (n.domain, n.job)) AS paused,"
        " (SELECT count(*) FROM run AS r WHERE (r.domain, r.job) = (n.domain, n.job)) AS runs,"
        " l.schedule_ms AS scheduleMs, l.started_ms AS startedMs,"
        " nullif(l.ended_ms, 0) AS endedMs, l.outcome AS outcome, l.serial AS serial,"
        " nullif(l.error, '') AS error FROM"
        " (SELECT domain, job FROM run UNION SELECT domain, job FROM paused"
        " UNION SELECT domain, job FROM watched) AS n"
        " LEFT JOIN run AS l ON l.id = (SELECT id FROM run AS r WHERE (r.domain, r.job) ="
        " (n.domain, n.job) ORDER BY schedule_ms DESC LIMIT 1) ORDER BY n.domain, n.job",
        "");
    if (rc == 0)
        *ret = steal(&jobs);
    return rc;
}

static int add_attempts(struct launch_history *h, json_t *run, bool bodies, struct vmcp_error *err)
{
    json_t *attempts = json_array();
    if (json_object_set_new(run, "attempts", attempts) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a history");
    return launch_database_run(
        &h->db, append, attempts, err,
        "SELECT number, request_id AS requestId, method, uri, started_ms AS startedMs,"
        " nullif(ended_ms, 0) AS endedMs, outcome, nullif(status, 0) AS status,"
        " nullif(operation, '') AS operation, nullif(error, '') AS error,"
        " CASE WHEN ? THEN body END AS body FROM attempt WHERE run = ? ORDER BY number",
        "ii", (int64_t)bodies, (int64_t)json_integer_value(json_object_get(run, "id")));
}

int launch_history_runs(struct launch_history *history, const struct launch_job_name *name,
                        int limit, bool bodies, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *runs = json_array();
    int rc = launch_database_run(
        &history->db, append, runs, err,
        "SELECT id, schedule_ms AS scheduleMs, serial, manual, started_ms AS startedMs,"
        " nullif(ended_ms, 0) AS endedMs, outcome, nullif(error, '') AS error"
        " FROM run WHERE domain = ? AND job = ? ORDER BY schedule_ms DESC LIMIT ?",
        "ssi", name->domain, name->job, (int64_t)limit);
    for (size_t i = 0; rc == 0 && i < json_array_size(runs); i++)
        rc = add_attempts(history, json_array_get(runs, i), bodies, err);
    if (rc == 0)
        *ret = steal(&runs);
    return rc;
}
