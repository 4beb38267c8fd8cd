/* SPDX-License-Identifier: Apache-2.0 */
/* The prompt needs a terminal of its own: tests/e2e/test_keys.py has one. */
#include "unit.h"

#include "lib/passphrase.h"

static int get(const char *source, char *ret, struct vmcp_error *err)
{
    auto_passphrase struct vmcp_passphrase pass = {0};
    int rc = vmcp_passphrase_init(&pass, source, false, err);
    if (rc == 0)
        rc = vmcp_passphrase_get(&pass, "the passphrase", err);
    if (rc == 0)
        assert_int_equal(strlen(pass.text), pass.len);
    strcpy(ret, rc == 0 ? pass.text : "");
    return rc;
}

/* One line; its end is cut, and nothing else is. */
static void lines(void **state)
{
    static char long_one[VMCP_PASSPHRASE_MAX + 4];
    memset(long_one, 'x', sizeof(long_one) - 1);
    const struct {
        const char *content;
        size_t len;
        const char *want; /* NULL: refused as `code` */
        enum vmcp_code code;
    } rows[] = {
        {"sesame", 6, "sesame", 0},
        {"sesame\n", 7, "sesame", 0},
        {"sesame\r\n", 8, "sesame", 0},
        {" sesame \n", 9, " sesame ", 0},
        {"p\xc3\xa4sse\n", 7, "p\xc3\xa4sse", 0},
        {long_one, VMCP_PASSPHRASE_MAX, long_one + 3, 0},
        {"", 0, NULL, VMCP_E_PASSPHRASE},
        {"\n", 1, NULL, VMCP_E_PASSPHRASE},
        {"one\ntwo\n", 8, NULL, VMCP_E_PASSPHRASE},
        {"ses\0ame", 7, NULL, VMCP_E_PASSPHRASE},
        {long_one, VMCP_PASSPHRASE_MAX + 1, NULL, VMCP_E_LIMIT},
        {long_one, VMCP_PASSPHRASE_MAX + 3, NULL, VMCP_E_LIMIT},
    };
    char got[VMCP_PASSPHRASE_MAX + 1], source[4200];
    struct vmcp_error err;
    const char *path = unit_path(*state, "pass");
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        unit_write(path, 0600, rows[i].content, rows[i].len);
        snprintf(source, sizeof(source), "file:%s", path);
        auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
        for (int by_fd = 0; by_fd < 2; by_fd++) {
            if (by_fd)
                snprintf(source, sizeof(source), "fd:%d", fd);
            if (!rows[i].want) {
                assert_code(source, get(source, got, &err), err, rows[i].code);
                continue;
            }
            assert_good(source, get(source, got, &err), err);
            assert_string_equal(got, rows[i].want);
        }
    }
}

static void a_file_is_private(void **state)
{
    char got[VMCP_PASSPHRASE_MAX + 1], source[4200];
    struct vmcp_error err;
    const char *path = unit_path(*state, "open");
    unit_write(path, 0640, "sesame", 6);
    snprintf(source, sizeof(source), "file:%s", path);
    assert_code("", get(source, got, &err), err, VMCP_E_FILE_MODE);
    assert_non_null(strstr(err.text, "chmod 600"));
    assert_null(strstr(err.text, "sesame"));
    assert_code("", get("file:/nowhere/at/all", got, &err), err, VMCP_E_FILE);
}

static void environment(void **state)
{
    (void)state;
    char got[VMCP_PASSPHRASE_MAX + 1];
    struct vmcp_error err;
    setenv("UNIT_PASS", "from here", 1);
    assert_good("", get("env:UNIT_PASS", got, &err), err);
    assert_string_equal(got, "from here");
    setenv("UNIT_PASS", "", 1);
    assert_code("", get("env:UNIT_PASS", got, &err), err, VMCP_E_PASSPHRASE);
    unsetenv("UNIT_PASS");
    assert_code("", get("env:UNIT_PASS", got, &err), err, VMCP_E_PASSPHRASE);
    assert_string_equal(err.where, "env:UNIT_PASS");
}

/* systemd's files are 0440, and in one folder. */
static void credentials(void **state)
{
    char got[VMCP_PASSPHRASE_MAX + 1];
    struct vmcp_error err;
    unsetenv("CREDENTIALS_DIRECTORY");
    unit_write(unit_path(*state, "pin"), 0440, "1234\n", 5);
    assert_code("", get("credential:pin", got, &err), err, VMCP_E_PASSPHRASE);
    setenv("CREDENTIALS_DIRECTORY", *state, 1);
    assert_good("", get("credential:pin", got, &err), err);
    assert_string_equal(got, "1234");
    assert_code("", get("credential:absent", got, &err), err, VMCP_E_FILE);
    assert_int_equal(chmod(unit_path(*state, "pin"), 0444), 0);
    assert_code("", get("credential:pin", got, &err), err, VMCP_E_FILE_MODE);
    unsetenv("CREDENTIALS_DIRECTORY");
}

/* Whoever gives the passphrase itself does not find it in the message. */
static void no_sources(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "",           "hunter2",     "File:hunter2", "fd:hunter2",           "fd:",
        "fd:-1",      "fd:01",       "fd:1 hunter2", "fd:99999999999",       "env:",
        "file:",      "credential:", "prompt ",      "credential:hunter2/x", "credential:..",
        "credential", "pass:hunter2"};
    struct vmcp_error err;
    struct vmcp_passphrase pass;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        assert_code(rows[i], vmcp_passphrase_init(&pass, rows[i], false, &err), err, VMCP_E_USAGE);
        assert_row(rows[i], !strstr(err.text, "hunter2") && !strstr(err.where, "hunter2"));
    }
}

static void none(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_passphrase pass;
    assert_good("", vmcp_passphrase_init(&pass, NULL, false, &err), err);
    assert_code("", vmcp_passphrase_get(&pass, "the PIN of x", &err), err, VMCP_E_PASSPHRASE);
    assert_non_null(strstr(err.text, "the PIN of x"));
    assert_non_null(strstr(err.text, "--passphrase"));
}

/* Read when it is needed, once; and gone after. */
static void read_once(void **state)
{
    char source[32];
    struct vmcp_error err;
    struct vmcp_passphrase pass;
    const char *path = unit_path(*state, "once");
    unit_write(path, 0600, "sesame", 6);
    auto_close int fd = open(path, O_RDONLY | O_CLOEXEC);
    snprintf(source, sizeof(source), "fd:%d", fd);
    assert_good("", vmcp_passphrase_init(&pass, source, false, &err), err);
    assert_int_equal(lseek(fd, 0, SEEK_CUR), 0); /* nothing was read yet */
    assert_good("", vmcp_passphrase_get(&pass, "", &err), err);
    assert_good("", vmcp_passphrase_get(&pass, "", &err), err);
    assert_string_equal(pass.text, "sesame");
    vmcp_passphrase_clear(&pass);
    static const char zeros[sizeof(pass.text)];
    assert_memory_equal(pass.text, zeros, sizeof(pass.text));
    assert_code("", vmcp_passphrase_get(&pass, "", &err), err, VMCP_E_PASSPHRASE); /* at its end */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lines),       cmocka_unit_test(a_file_is_private),
        cmocka_unit_test(environment), cmocka_unit_test(credentials),
        cmocka_unit_test(no_sources),  cmocka_unit_test(none),
        cmocka_unit_test(read_once),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
