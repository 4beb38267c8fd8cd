/* SPDX-License-Identifier: Apache-2.0 */
/* What a scheduler wants to know of a job's past before it begins. */
#include <string.h>

#include "history.h"

static int read_marks(void *arg, sqlite3_stmt *row)
{
    struct launch_marks *m = arg;
    m->paused = sqlite3_column_int(row, 0) != 0;
    m->since_ms = sqlite3_column_int64(row, 1);
    m->open_ms = sqlite3_column_int64(row, 2);
    m->success_ms = sqlite3_column_int64(row, 3);
    return 0;
}

int launch_history_marks(struct launch_history *history, const struct launch_job_name *name,
                         struct launch_marks *ret, struct vmcp_error *err)
{
    *ret = (struct launch_marks){0};
    return launch_database_run(
        &history->db, read_marks, ret, err,
        "SELECT EXISTS (SELECT 1 FROM paused WHERE domain = ?1 AND job = ?2),"
        " max(ifnull((SELECT max(schedule_ms) FROM run WHERE domain = ?1 AND job = ?2"
        " AND manual = 0), 0),"
        " ifnull((SELECT from_ms FROM watched WHERE domain = ?1 AND job = ?2), 0)),"
        " ifnull((SELECT max(schedule_ms) FROM run WHERE domain = ?1 AND job = ?2"
        " AND manual = 0 AND outcome = 0), 0),"
        " ifnull((SELECT max(ended_ms) FROM run WHERE domain = ?1 AND job = ?2"
        " AND outcome = 1), 0)",
        "ss", name->domain, name->job);
}

int launch_history_watch(struct launch_history *history, const struct launch_job_name *name,
                         int64_t now_ms, struct vmcp_error *err)
{
    return launch_database_run(&history->db, NULL, NULL, err,
                               "INSERT INTO watched VALUES (?, ?, ?) ON CONFLICT DO UPDATE SET"
                               " from_ms = excluded.from_ms",
                               "ssi", name->domain, name->job, now_ms);
}

static int append_name(void *arg, sqlite3_stmt *row)
{
    enum launch_outcome outcome = (enum launch_outcome)sqlite3_column_int(row, 0);
    return json_array_append_new(arg, json_string(launch_outcome_name(outcome)));
}

int launch_history_timeline(struct launch_history *history, const struct launch_job_name *name,
                            int limit, json_t **ret, struct vmcp_error *err)
{
    json_auto_t *outcomes = json_array();
    int rc = launch_database_run(&history->db, append_name, outcomes, err,
                                 "SELECT outcome FROM (SELECT outcome, schedule_ms FROM run WHERE"
                                 " domain = ? AND job = ? ORDER BY schedule_ms DESC LIMIT ?)"
                                 " ORDER BY schedule_ms",
                                 "ssi", name->domain, name->job, (int64_t)limit);
    if (rc == 0)
        *ret = steal(&outcomes);
    return rc;
}
