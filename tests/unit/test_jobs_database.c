/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <sys/wait.h>

#include "jobs/history.h"

static char folder[] = "/tmp/vmcp-history-XXXXXX";

/* Another process, which looks and goes when it is told to: made before this one has any
 * connection, whose state it would inherit. */
struct other {
    pid_t pid;
    int go;
};

static struct other make_other(void)
{
    int ends[2];
    char byte;
    assert_int_equal(pipe(ends), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct launch_history *h = NULL;
        int rc = read(ends[0], &byte, 1) == 1 ? launch_history_open(folder, &h, NULL) : -1;
        launch_history_close(h);
        _exit(rc < 0);
    }
    close(ends[0]);
    return (struct other){pid, ends[1]};
}

static void look_and_go(struct other other)
{
    int status = -1;
    assert_int_equal(write(other.go, "", 1), 1);
    assert_int_equal(waitpid(other.pid, &status, 0), other.pid);
    assert_int_equal(status, 0);
    close(other.go);
}

/* A second connection of this process must not cost the first one its locks: what it writes would
 * go to a file that another process has removed. */
static void connections_keep_their_locks(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct launch_history *a = NULL, *b = NULL, *c = NULL;
    struct launch_job_name name = {"a.example", "j"};
    struct launch_run_row row = {.schedule_ms = 1000, .started_ms = 1001}, got = {0};
    bool made = false, found = false;
    struct other first = make_other(), second = make_other();
    assert_good("", launch_history_open(folder, &a, &err), err);
    assert_good("", launch_history_open(folder, &b, &err), err);
    look_and_go(first);
    assert_good("", launch_history_run(a, &name, &row, &made, &got, &err), err);
    assert_true(made);
    look_and_go(second);
    char path[64];
    struct stat wal;
    snprintf(path, sizeof(path), "%s/history.db-wal", folder);
    assert_int_equal(stat(path, &wal), 0); /* else the row is in a file that nobody will read */
    assert_true(wal.st_size > 0);
    assert_good("", launch_history_open(folder, &c, &err), err);
    assert_good("", launch_history_last_run(c, &name, true, true, &found, &got, &err), err);
    assert_true(found);
    launch_history_close(a);
    launch_history_close(b);
    launch_history_close(c);
}

static void only_ours(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct launch_history *h = NULL;
    char path[64];
    snprintf(path, sizeof(path), "%s/history.db", folder);
    assert_int_equal(chmod(path, 0644), 0);
    assert_code("mode", launch_history_open(folder, &h, &err), err, VMCP_E_FILE_MODE);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(symlink("/dev/null", path), 0);
    assert_code("link", launch_history_open(folder, &h, &err), err, VMCP_E_FILE);
    assert_int_equal(unlink(path), 0);
}

static int make_folder(void **state)
{
    (void)state;
    return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
    (void)state;
    static const char *const names[] = {"history.db", "history.db-wal", "history.db-shm"};
    for (size_t i = 0; i < UNIT_COUNT(names); i++) {
        char path[64];
        snprintf(path, sizeof(path), "%s/%s", folder, names[i]);
        unlink(path);
    }
    return rmdir(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(connections_keep_their_locks),
        cmocka_unit_test(only_ours),
    };
    return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
