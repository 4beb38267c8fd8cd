/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <signal.h>
#include <sys/resource.h>

static int read_into(const char *path, enum vmcp_file_kind kind, size_t max, char *out,
                     struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(max);
    int rc = vmcp_file_read(path, kind, &b, err);
    if (rc == 0)
        memcpy(out, b.data ? b.data : "", b.len + 1);
    return rc;
}

static mode_t mode_of(const char *path)
{
    struct stat st;
    assert_int_equal(lstat(path, &st), 0);
    return st.st_mode & 07777;
}

static void reads_up_to_the_limit(void **state)
{
    struct vmcp_error err;
    const char *path = unit_path(*state, "limit");
    char out[64];
    unit_write(path, 0644, "12345678", 8);
    assert_good("", read_into(path, VMCP_FILE_PUBLIC, 8, out, &err), err);
    assert_string_equal(out, "12345678");
    assert_code("", read_into(path, VMCP_FILE_PUBLIC, 7, out, &err), err, VMCP_E_LIMIT);
    assert_string_equal(err.where, path);
    unit_write(path, 0644, "", 0);
    assert_good("", read_into(path, VMCP_FILE_PUBLIC, 0, out, &err), err);
    assert_string_equal(out, "");
}

static void what_is_not_a_file(void **state)
{
    struct vmcp_error err;
    char out[64];
    const char *absent = unit_path(*state, "absent");
    assert_code("", read_into(absent, VMCP_FILE_PUBLIC, 64, out, &err), err, VMCP_E_FILE);
    assert_string_equal(err.where, absent);
    assert_non_null(strstr(err.text, "No such file"));
    assert_code("", read_into(*state, VMCP_FILE_PUBLIC, 64, out, &err), err, VMCP_E_FILE);
    assert_non_null(strstr(err.text, "folder"));
}

/* An endless file ends at the limit. */
static void an_endless_file(void **state)
{
    (void)state;
    struct vmcp_error err;
    char out[8];
    assert_code("", read_into("/dev/zero", VMCP_FILE_PUBLIC, 1000, out, &err), err, VMCP_E_LIMIT);
}

static void private_files(void **state)
{
    static const mode_t good[] = {0600, 0400, 0700, 0200};
    static const mode_t bad[] = {0644, 0640, 0604, 0660, 0610, 0620, 0601, 0602, 0666, 04604};
    struct vmcp_error err;
    char out[64];
    const char *path = unit_path(*state, "private");
    for (size_t i = 0; i < UNIT_COUNT(good); i++) {
        unit_write(path, good[i], "key", 3);
        if (good[i] & 0400 || geteuid() == 0)
            assert_good("", read_into(path, VMCP_FILE_PRIVATE, 64, out, &err), err);
        assert_int_equal(unlink(path), 0);
    }
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        unit_write(path, bad[i], "key", 3);
        assert_code("", read_into(path, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
        assert_string_equal(err.where, path);
        assert_non_null(strstr(err.text, "chmod 600 "));
        assert_good("", read_into(path, VMCP_FILE_PUBLIC, 64, out, &err), err);
    }
}

/* The mode of the file itself counts, not of a link to it. */
static void private_through_a_link(void **state)
{
    struct vmcp_error err;
    char out[64];
    const char *path = unit_path(*state, "open"), *link = unit_path(*state, "link");
    unit_write(path, 0644, "key", 3);
    assert_int_equal(symlink(path, link), 0);
    assert_code("", read_into(link, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
    assert_int_equal(chmod(path, 0600), 0);
    assert_good("", read_into(link, VMCP_FILE_PRIVATE, 64, out, &err), err);
}

/* systemd gives credentials as 0440 below a folder that only the service can enter. */
static void systemd_credentials(void **state)
{
    struct vmcp_error err;
    char out[64];
    const char *folder = unit_path(*state, "cred"), *path = unit_path(*state, "cred/key");
    const char *outside = unit_path(*state, "cred2"), *around = unit_path(*state, "cred/../cred2");
    assert_int_equal(mkdir(folder, 0700), 0);
    unit_write(path, 0440, "key", 3);
    unit_write(outside, 0440, "key", 3);
    assert_code("", read_into(path, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
    setenv("CREDENTIALS_DIRECTORY", folder, 1);
    assert_good("", read_into(path, VMCP_FILE_PRIVATE, 64, out, &err), err);
    assert_code("", read_into(outside, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
    assert_code("", read_into(around, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
    static const mode_t bad[] = {0444, 0460, 0450, 0644};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        assert_int_equal(chmod(path, bad[i]), 0);
        assert_code("", read_into(path, VMCP_FILE_PRIVATE, 64, out, &err), err, VMCP_E_FILE_MODE);
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

static int read_at(int dirfd, const char *name, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(64);
    return vmcp_file_read_at(dirfd, name, &b, err);
}

/* A name below a folder stays below it. */
static void names_below_a_folder(void **state)
{
    static const char *const bad[] = {"",   ".",       "..",         "/etc/passwd",  "a/b",
                                      "a/", "./plain", "../outside", "link-to-file", "dangling"};
    struct vmcp_error err;
    auto_close int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    unit_write(unit_path(*state, "plain"), 0644, "x", 1);
    assert_int_equal(symlink("plain", unit_path(*state, "link-to-file")), 0);
    assert_int_equal(symlink("nowhere", unit_path(*state, "dangling")), 0);
    assert_int_equal(mkdir(unit_path(*state, "folder"), 0755), 0);
    assert_good("", read_at(fd, "plain", &err), err);
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], read_at(fd, bad[i], &err), err, VMCP_E_FILE);
    assert_code("", read_at(fd, "folder", &err), err, VMCP_E_FILE);
    assert_code("", read_at(fd, "absent", &err), err, VMCP_E_FILE);
}

/* A pipe with nobody at its other end would hold whoever opens it for ever. */
static void a_pipe_below_a_folder(void **state)
{
    struct vmcp_error err;
    auto_close int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(mkfifo(unit_path(*state, "pipe"), 0644), 0);
    alarm(5); /* a hang is a failure */
    assert_code("", read_at(fd, "pipe", &err), err, VMCP_E_FILE);
    alarm(0);
}

static void create_is_exclusive(void **state)
{
    struct vmcp_error err;
    char out[64];
    const char *path = unit_path(*state, "new"), *link = unit_path(*state, "dangling-new");
    mode_t old = umask(0177);
    assert_good("", vmcp_file_create(path, 0644, "first", 5, &err), err);
    umask(0);
    assert_int_equal(mode_of(path), 0644); /* whatever umask is */
    assert_code("", vmcp_file_create(path, 0644, "second", 6, &err), err, VMCP_E_FILE_EXISTS);
    assert_good("", read_into(path, VMCP_FILE_PUBLIC, 64, out, &err), err);
    assert_string_equal(out, "first");
    assert_int_equal(symlink("target", link), 0);
    assert_code("", vmcp_file_create(link, 0600, "x", 1, &err), err, VMCP_E_FILE_EXISTS);
    assert_int_equal(access(unit_path(*state, "target"), F_OK), -1);
    const char *secret = unit_path(*state, "secret");
    assert_good("", vmcp_file_create(secret, 0600, "x", 1, &err), err);
    assert_int_equal(mode_of(secret), 0600);
    umask(old);
    assert_code("", vmcp_file_create(unit_path(*state, "no/folder"), 0600, "x", 1, &err), err,
                VMCP_E_FILE);
}

static size_t entries_like(const char *folder, const char *prefix)
{
    size_t count = 0;
    char command[4200];
    snprintf(command, sizeof(command), "ls -A '%s'", folder);
    FILE *list = popen(command, "re");
    char line[512];
    while (list && fgets(line, sizeof(line), list))
        count += strncmp(line, prefix, strlen(prefix)) == 0;
    if (list)
        pclose(list);
    return count;
}

/* What was begun and failed is not left behind: here no file may grow over four bytes. */
static void writes_that_fail_leave_nothing(void **state)
{
    struct vmcp_error err = {0};
    struct rlimit old;
    const char *path = unit_path(*state, "too-big");
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    const struct rlimit tiny = {.rlim_cur = 4, .rlim_max = old.rlim_max};
    signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &tiny), 0);
    int create = vmcp_file_create(path, 0600, "12345678", 8, &err);
    int replace = vmcp_file_replace(path, 0600, "12345678", 8, &err);
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_equal(create, -VMCP_E_FILE);
    assert_int_equal(replace, -VMCP_E_FILE);
    assert_int_equal(entries_like(*state, "too-big"), 0);
}

static void replace_swaps_whole_files(void **state)
{
    struct vmcp_error err;
    char out[64];
    const char *path = unit_path(*state, "state.json");
    assert_good("", vmcp_file_replace(path, 0600, "one", 3, &err), err);
    assert_int_equal(mode_of(path), 0600);
    auto_close int old = open(path, O_RDONLY | O_CLOEXEC);
    assert_good("", vmcp_file_replace(path, 0644, "two!", 4, &err), err);
    assert_int_equal(mode_of(path), 0644);
    assert_int_equal(read(old, out, sizeof(out)), 3); /* who had it open still reads the old one */
    assert_memory_equal(out, "one", 3);
    assert_good("", read_into(path, VMCP_FILE_PUBLIC, 64, out, &err), err);
    assert_string_equal(out, "two!");
    assert_int_equal(entries_like(*state, "state.json"), 1); /* no temporary file stays */
}

static void replace_that_fails_changes_nothing(void **state)
{
    struct vmcp_error err;
    const char *folder = unit_path(*state, "is-a-folder");
    assert_int_equal(mkdir(folder, 0755), 0);
    unit_write(unit_path(*state, "is-a-folder/x"), 0644, "x", 1);
    assert_code("", vmcp_file_replace(folder, 0600, "x", 1, &err), err, VMCP_E_FILE);
    assert_int_equal(entries_like(*state, "is-a-folder"), 1);
    assert_code("", vmcp_file_replace(unit_path(*state, "no/folder"), 0600, "x", 1, &err), err,
                VMCP_E_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reads_up_to_the_limit),
        cmocka_unit_test(what_is_not_a_file),
        cmocka_unit_test(an_endless_file),
        cmocka_unit_test(private_files),
        cmocka_unit_test(private_through_a_link),
        cmocka_unit_test(systemd_credentials),
        cmocka_unit_test(names_below_a_folder),
        cmocka_unit_test(a_pipe_below_a_folder),
        cmocka_unit_test(create_is_exclusive),
        cmocka_unit_test(writes_that_fail_leave_nothing),
        cmocka_unit_test(replace_swaps_whole_files),
        cmocka_unit_test(replace_that_fails_changes_nothing),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
