/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <time.h>

#include "lib/config.h"
#include "lib/macro.h"

#define MACHINE "{\"name\":\"n\",\"secret\":\"a-long-enough-secret\"}"

static int parse(const char *text, int dirfd, struct vmcp_config *ret, struct vmcp_diags *diags,
                 struct vmcp_error *err)
{
    return vmcp_config_parse("web", text, strlen(text), dirfd, ret, diags, err);
}

static int parse_only(const char *text, struct vmcp_error *err)
{
    auto_config struct vmcp_config c = {0};
    return parse(text, -1, &c, NULL, err);
}

static void a_whole_file(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    assert_good("",
                parse("{\"serial\": 7, \"count\": 3, \"v1\": true, \"machine\": " MACHINE
                      ", \"gce\": {\"labels\": {\"a\": \"b\"}}}",
                      -1, &c, NULL, &err),
                err);
    assert_string_equal(c.name, "web");
    assert_int_equal(c.serial, 7);
    assert_int_equal(c.count, 3);
    assert_true(c.v1);
    assert_int_equal(json_object_size(c.machine), 2);
    assert_int_equal(json_object_size(c.gce), 1);
    assert_int_equal(c.macros, 0);
}

static void what_is_left_out(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    assert_good("", parse("{\"machine\": " MACHINE "}", -1, &c, NULL, &err), err);
    assert_int_equal(c.serial, 0);
    assert_int_equal(c.count, 1);
    assert_false(c.v1);
    assert_null(c.gce);
    assert_false(vmcp_config_needs_v2(&c));
}

/* The tutorial's MACHINE_CONFIG, verbatim: a machine with serial 0. */
static void a_bare_object(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_diags struct vmcp_diags d = {0};
    assert_good("", parse(MACHINE, -1, &c, &d, &err), err);
    assert_int_equal(c.serial, 0);
    assert_int_equal(c.count, 1);
    assert_int_equal(json_object_size(c.machine), 2);
    assert_int_equal(d.count, 0);
    /* `serial` is then a parameter like any other that VMCP does not know */
    auto_config struct vmcp_config other = {0};
    assert_good("", parse("{\"name\":\"n\",\"secret\":\"s\",\"serial\":9}", -1, &other, &d, &err),
                err);
    assert_int_equal(other.serial, 0);
    assert_int_equal(d.count, 1);
}

static void which_versions_can_carry_it(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        bool needs_v2;
    } rows[] = {
        {"{\"machine\":" MACHINE "}", false},
        {"{\"machine\":" MACHINE ",\"v1\":true}", false},
        {"{\"machine\":" MACHINE ",\"gce\":{}}", true},
        {"{\"machine\":" MACHINE ",\"gce\":{\"a\":1},\"v1\":false}", true},
        {"{\"machine\":" MACHINE ",\"gce\":{\"a\":1},\"v1\":true}", false},
        {"{\"machine\":" MACHINE ",\"count\":1}", false},
        {"{\"machine\":" MACHINE ",\"count\":2}", true},
        {"{\"machine\":" MACHINE ",\"count\":2,\"v1\":true}", true},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_config struct vmcp_config c = {0};
        assert_good(rows[i].text, parse(rows[i].text, -1, &c, NULL, &err), err);
        assert_row(rows[i].text, vmcp_config_needs_v2(&c) == rows[i].needs_v2);
    }
}

/* What is wrong is told with its line and column, of the key where the key is wrong. */
static void places(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where;
        enum vmcp_code code;
    } rows[] = {
        {"{\n \"machine\": " MACHINE ",\n \"seriel\": 1}", "3:2", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"serial\": -1}", "2:12", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"serial\": 1.0}", "2:12", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"serial\": \"1\"}", "2:12", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"serial\": true}", "2:12", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"serial\": 9007199254740992}", "2:12", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"count\": 0}", "2:11", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"count\": 1001}", "2:11", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"v1\": 1}", "2:8", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"v1\": \"true\"}", "2:8", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"gce\": []}", "2:9", VMCP_E_CONFIG},
        {"{\"machine\": " MACHINE ",\n \"gce\": null}", "2:9", VMCP_E_CONFIG},
        {"{\n\"machine\": []}", "2:12", VMCP_E_MACHINE},
        {"{\n\"machine\": \"x\"}", "2:12", VMCP_E_MACHINE},
        {"{\n\"machine\": {\"name\": \"n\"}}", "2:12", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\n\"cpus\": \"2\"}", "2:9", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\n\"Cpus\": 2}", "2:1", VMCP_E_MACHINE},
        {"{\"name\":\"n\",\"secret\":\"s\",\n\"x\": \"${vmcp.nothing}\"}", "2:6", VMCP_E_MACRO},
        {"{\"name\":\"n\",\n\"secret\":\"${vmcp.salt}\"}", "2:10", VMCP_E_MACRO},
        {"{\"machine\": " MACHINE ",\n\"gce\": {\"a\":\n[1, {\"b\": \"${vmcp.x}\"}]}}", "3:11",
         VMCP_E_MACRO},
        {"{\n  \"a\": 1,\n  \"a\": 2}", "3:3", VMCP_E_JSON},
        {"{\n  \"a\": }", "2:8", VMCP_E_JSON},
        {"[]", "1:1", VMCP_E_JSON},
        {"", "1:1", VMCP_E_JSON},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        assert_code(rows[i].text, parse_only(rows[i].text, &err), err, rows[i].code);
        if (strcmp(err.where, rows[i].where) != 0)
            print_error("it says %s: %s\n", err.where, err.text);
        assert_row(rows[i].text, strcmp(err.where, rows[i].where) == 0);
    }
}

/* A wrong value on line 7 of a file, inside a nested object, after text that is not ASCII, and
 * after an earlier key of the same name in another object. */
static void line_seven(void **state)
{
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    static const char text[] = "{\n"
                               "  \"serial\": 1,\n"
                               "  \"gce\": {\"labels\": {\"userData\": \"caf\xc3\xa9\"}},\n"
                               "  \"machine\": {\"name\": \"gr\xc3\xbc\xc3\x9f\",\n"
                               "    \"secret\": \"\xf0\x9f\x94\x91\xf0\x9f\x94\x91\",\n"
                               "    \"cpus\": 1,\n"
                               "    \"canOverride\": \"\xe2\x82\xac\", \"userData\": [\"x\"]\n"
                               "  }\n"
                               "}\n";
    const char *path = unit_path(*state, "web.json");
    char want[200];
    unit_write(path, 0644, text, strlen(text));
    assert_code("", vmcp_config_load(path, &c, NULL, &err), err, VMCP_E_MACHINE);
    snprintf(want, sizeof(want), "%s:7:39", path);
    assert_string_equal(err.where, want);
}

/* All that is wrong is told, not only the first. */
static void everything_is_told(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_diags struct vmcp_diags d = {0};
    static const char text[] = "{\"machine\": {\"name\": 1, \"cpus\": 0, \"zone\": \"z\"},\n"
                               "\"count\": 0, \"what\": 1, \"gce\": {\"a\": \"${vmcp.x}\"}}";
    assert_code("", parse(text, -1, &c, &d, &err), err, VMCP_E_CONFIG);
    assert_int_equal(d.errors, 6); /* name, secret, cpus, count, what, the macro */
    assert_int_equal(d.count, 7);  /* and a warning of zone */
    for (size_t i = 0; i < d.count; i++)
        assert_true(d.items[i].line >= 1 && d.items[i].line <= 2 && d.items[i].column >= 1);
    assert_null(c.machine);
}

static void booleans_become_numbers(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    assert_good("",
                parse("{\"name\":\"n\",\"secret\":\"s\",\"on\":true,\"off\":false,\"cpus\":true}",
                      -1, &c, NULL, &err),
                err);
    assert_int_equal(json_integer_value(json_object_get(c.machine, "on")), 1);
    assert_true(json_is_integer(json_object_get(c.machine, "off")));
    assert_int_equal(json_integer_value(json_object_get(c.machine, "off")), 0);
    assert_int_equal(json_integer_value(json_object_get(c.machine, "cpus")), 1);
    assert_code("", parse_only("{\"name\":true,\"secret\":\"s\"}", &err), err, VMCP_E_MACHINE);
}

static void macros_are_counted(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    assert_good("",
                parse("{\"machine\":{\"name\":\"n-${vmcp.hostid}\",\"secret\":\"${vmcp.hmac.s}\","
                      "\"userData\":\"$${vmcp.uuid}\"},\"gce\":{\"a\":[\"${vmcp.now}\"]}}",
                      -1, &c, NULL, &err),
                err);
    assert_int_equal(c.macros, VMCP_MACRO_HOSTID | VMCP_MACRO_HMAC | VMCP_MACRO_NOW);
}

/* A machine file in the scratch folder that takes its userData from `file`. */
static int load_with(const void *folder, const char *file, struct vmcp_config *ret,
                     struct vmcp_error *err)
{
    const char *path = unit_path(folder, "web.json");
    json_auto_t *doc = json_pack("{s:{s:s, s:s, s:s}}", "machine", "name", "n", "secret", "s",
                                 "userDataFile", file);
    auto_free char *text = json_dumps(doc, 0);
    unit_write(path, 0644, text, strlen(text));
    return vmcp_config_load(path, ret, NULL, err);
}

static void user_data_files(void **state)
{
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    static const char script[] = "#!/bin/sh\necho ${vmcp.hostid} caf\xc3\xa9\n";
    unit_write(unit_path(*state, "boot.sh"), 0755, script, strlen(script));
    assert_good("", load_with(*state, "boot.sh", &c, &err), err);
    assert_string_equal(json_string_value(json_object_get(c.machine, "userData")), script);
    assert_null(json_object_get(c.machine, "userDataFile"));
    assert_int_equal(c.macros, VMCP_MACRO_HOSTID);
}

static void user_data_files_that_are_refused(void **state)
{
    static const char *const rows[] = {
        "",          ".",      "..",     "../web.json", "/etc/hostname",
        "sub/inner", "absent", "link",   "folder",      "sub/../boot.sh",
        "./boot.sh", "pipe",   "binary", "nul",         "huge"};
    auto_free char *huge = malloc(VMCP_USER_DATA_MAX + 1);
    memset(huge, 'x', VMCP_USER_DATA_MAX + 1);
    assert_int_equal(mkdir(unit_path(*state, "sub"), 0755), 0);
    unit_write(unit_path(*state, "sub/inner"), 0644, "x", 1);
    unit_write(unit_path(*state, "boot.sh"), 0644, "x", 1);
    assert_int_equal(symlink("boot.sh", unit_path(*state, "link")), 0);
    assert_int_equal(mkdir(unit_path(*state, "folder"), 0755), 0);
    assert_int_equal(mkfifo(unit_path(*state, "pipe"), 0644), 0);
    unit_write(unit_path(*state, "binary"), 0644, "\xff\xfe", 2);
    unit_write(unit_path(*state, "nul"), 0644, "a\0b", 3);
    unit_write(unit_path(*state, "huge"), 0644, huge, VMCP_USER_DATA_MAX + 1);
    alarm(10); /* a hang is a failure */
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        auto_config struct vmcp_config c = {0};
        assert_code(rows[i], load_with(*state, rows[i], &c, &err), err, VMCP_E_CONFIG);
        assert_row(rows[i], strstr(err.where, "web.json:1:") != NULL);
    }
    alarm(0);
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    unit_write(unit_path(*state, "huge"), 0644, huge, VMCP_USER_DATA_MAX);
    assert_good("", load_with(*state, "huge", &c, &err), err);
}

static void user_data_file_with_others(void **state)
{
    (void)state;
    struct vmcp_error err;
    static const char both[] =
        "{\"name\":\"n\",\"secret\":\"s\",\"userData\":\"\",\"userDataFile\":\"f\"}";
    auto_close int fd = open(*state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    auto_config struct vmcp_config c = {0};
    assert_code("both", parse(both, fd, &c, NULL, &err), err, VMCP_E_CONFIG);
    assert_code("number",
                parse("{\"name\":\"n\",\"secret\":\"s\",\"userDataFile\":1}", fd, &c, NULL, &err),
                err, VMCP_E_CONFIG);
    assert_code("no folder",
                parse_only("{\"name\":\"n\",\"secret\":\"s\",\"userDataFile\":\"boot.sh\"}", &err),
                err, VMCP_E_CONFIG);
}

static void files_are_named_after_machines(void **state)
{
    static const char *const bad[] = {"Web.json", "a_b.json", "-a.json",
                                      ".json",    "a b.json", "caf\xc3\xa9.json"};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        auto_config struct vmcp_config c = {0};
        const char *path = unit_path(*state, bad[i]);
        unit_write(path, 0644, MACHINE, strlen(MACHINE));
        assert_code(bad[i], vmcp_config_load(path, &c, NULL, &err), err, VMCP_E_CONFIG);
    }
    auto_config struct vmcp_config c = {0};
    assert_code("absent", vmcp_config_load(unit_path(*state, "no.json"), &c, NULL, &err), err,
                VMCP_E_FILE);
    auto_free char *big = malloc(VMCP_CONFIG_MAX + 1);
    memset(big, ' ', VMCP_CONFIG_MAX + 1);
    unit_write(unit_path(*state, "big.json"), 0644, big, VMCP_CONFIG_MAX + 1);
    assert_code("big", vmcp_config_load(unit_path(*state, "big.json"), &c, NULL, &err), err,
                VMCP_E_LIMIT);
    assert_true(vmcp_config_is_file_name("a.json"));
    static const char *const others[] = {"",       ".json", ".a.json",    "a.json~",
                                         "a.JSON", "a.jso", "a.json.swp", "json"};
    for (size_t i = 0; i < UNIT_COUNT(others); i++)
        assert_row(others[i], !vmcp_config_is_file_name(others[i]));
}

/* A large file with its many mistakes at its end is refused before long. */
enum { LARGE = 256 * 1024 };

static void a_file_full_of_mistakes(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_config struct vmcp_config c = {0};
    auto_diags struct vmcp_diags d = {0};
    auto_buf struct vmcp_buf b = VMCP_BUF(LARGE);
    vmcp_buf_adds(&b, "{\"machine\": " MACHINE ",\"gce\":{\"a\":[\"");
    while (b.len < LARGE - 30000)
        vmcp_buf_adds(&b, "\",\"");
    while (b.len < LARGE - 100)
        vmcp_buf_adds(&b, "${vmcp.x}\",\n\"");
    vmcp_buf_adds(&b, "\"]}}");
    struct timespec from, to;
    clock_gettime(CLOCK_MONOTONIC, &from);
    assert_code("", vmcp_config_parse("web", b.data, b.len, -1, &c, &d, &err), err, VMCP_E_MACRO);
    clock_gettime(CLOCK_MONOTONIC, &to);
    assert_int_equal(d.count, VMCP_DIAGS_MAX);
    assert_true(d.errors > VMCP_DIAGS_MAX);
    assert_true(to.tv_sec - from.tv_sec < 20); /* about two; sanitizers take longer */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_whole_file),
        cmocka_unit_test(what_is_left_out),
        cmocka_unit_test(a_bare_object),
        cmocka_unit_test(which_versions_can_carry_it),
        cmocka_unit_test(places),
        cmocka_unit_test(line_seven),
        cmocka_unit_test(everything_is_told),
        cmocka_unit_test(booleans_become_numbers),
        cmocka_unit_test(macros_are_counted),
        cmocka_unit_test(user_data_files),
        cmocka_unit_test(user_data_files_that_are_refused),
        cmocka_unit_test(user_data_file_with_others),
        cmocka_unit_test(files_are_named_after_machines),
        cmocka_unit_test(a_file_full_of_mistakes),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
