/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <dirent.h>

#include "lib/json.h"

static void refused(const char *text, size_t len, const char *where)
{
    struct vmcp_error err;
    json_t *value = (json_t *)(uintptr_t)&err; /* untouched on failure */
    assert_code(text, vmcp_json_parse(text, len, &value, &err), err, VMCP_E_JSON);
    assert_ptr_equal(value, &err);
    if (where)
        assert_string_equal(err.where, where);
}

static void accepted(const char *text, size_t len)
{
    struct vmcp_error err;
    json_auto_t *value = NULL;
    assert_good(text, vmcp_json_parse(text, len, &value, &err), err);
}

static void takes_objects_and_arrays(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{}",
        "[]",
        " \t\r\n{\"a\": [1, -2, 3.5, true, false, null, \"x\"]} \n",
        "{\"\": {\"\": 1}}",
        "[\"\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80 \\u00e9 \\ud83d\\ude00 \\\" \\\\ \\/\"]",
        "{\"a\":1,\"A\":2,\"b\":{\"a\":3}}",
        "[9223372036854775807,-9223372036854775808]",
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        accepted(rows[i], strlen(rows[i]));
}

static void refuses_what_is_not_strict(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        const char *where; /* NULL: whatever */
    } rows[] = {
        {"", "1:1"},
        {" ", NULL},
        {"1", NULL},
        {"\"text\"", NULL},
        {"null", NULL},
        {"{} {}", "1:4"},
        {"{},", NULL},
        {"{}x", NULL},
        {"[1]]", "1:4"},
        {"{\"a\":1,}", "1:8"},
        {"[1,]", "1:4"},
        {"{'a':1}", NULL},
        {"{a:1}", NULL},
        {"[01]", NULL},
        {"[+1]", NULL},
        {"[1.]", NULL},
        {"[.5]", NULL},
        {"[NaN]", NULL},
        {"[9223372036854775808]", NULL},
        {"[1e999]", NULL},
        {"// c\n{}", NULL},
        {"{\"a\":\n\n  tru}", NULL},
        {"[\"a\nb\"]", NULL},
        {"[\"\\x\"]", NULL},
        {"[\"\\u00g0\"]", NULL},
        {"[\"\\ud800\"]", NULL},
        {"[\"\\udc00\"]", NULL},
        {"\xef\xbb\xbf{}", NULL},
        {"[\"", NULL},
        {"{\"a\"", NULL},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        refused(rows[i].text, strlen(rows[i].text), rows[i].where);
}

/* Whoever writes JSON by hand is told what it is, and where it begins. */
static void tells_what_is_wrong(void **state)
{
    (void)state;
    static const struct {
        const char *text, *where, *words;
    } rows[] = {
        {"", "1:1", "empty"},
        {" \n ", "1:1", "empty"},
        {"\xef\xbb\xbf{}", "1:1", "byte order mark"},
        {"{\"a\": 1\n \"bc\": 2}", "2:2", "comma is missing"},
        {"[1 23]", "1:4", "comma is missing"},
        {"[{} {}]", "1:5", "comma is missing"},
        {"{\"a\": tr\n}", "1:7", "true, false and null"},
        {"{\"a\": 1,\n}", "2:1", "comma too many"},
        {"[1,]", "1:4", "comma too many"},
        {"[1,,2]", "1:4", "comma too many"},
        {"{'a': 1}", "1:2", "single quote"},
        {"{\"a\": 'b'}", "1:7", "single quote"},
        {"{a: 1}", "1:2", "double quotes"},
        {"{\"a\": bc}", "1:7", "double quotes"},
        {"{\"a\": 1} // why", "1:10", "comment"},
        {"{\n# why\n}", "2:1", "comment"},
        {"{/* why */}", "1:2", "comment"},
        {"{\"a\": \"b\n}", "1:7", "without an end on its line"},
        {"{\"a\": \"b}", "1:7", "without an end"},
        {"{\"a\": [1, 2", "1:12", "closing bracket is missing"},
        {"{\"a\" 1}", "1:6", "colon is missing"},
        {"{\"a\": }", "1:7", "value is missing"},
        {"{\"a\": [1}}", "1:9", "other kind"},
        {"{} {}", "1:4", "follows the end"},
        {"{1: 2}", "1:2", "key in double quotes"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        json_t *value = NULL;
        assert_code(rows[i].text, vmcp_json_parse(rows[i].text, strlen(rows[i].text), &value, &err),
                    err, VMCP_E_JSON);
        if (strcmp(err.where, rows[i].where) != 0 || !strstr(err.text, rows[i].words))
            print_error("%s: %s: %s\n", rows[i].text, err.where, err.text);
        assert_string_equal(err.where, rows[i].where);
        assert_non_null(strstr(err.text, rows[i].words));
    }
}

/* Parsers differ in which one wins: there is none. */
static void refuses_duplicate_keys(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "{\"a\":1,\"a\":1}",
        "{\"a\":1,\"\\u0061\":2}",
        "{\"x\":{\"y\":[{\"a\":1,\"b\":2,\"a\":3}]}}",
        "{\"\xc3\xa9\":1,\"\\u00e9\":2}",
        "{\"\":1,\"\":2}",
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        refused(rows[i], strlen(rows[i]), NULL);
    /* the second key is what is shown */
    refused("{\n  \"a\": 1,\n  \"a\": 2\n}", 23, "3:3");
    refused("{\"\\\\\":1, \"\\\\\":2}", 16, "1:10");
    refused("{\"\\\"\":1,\"\\\"\":2}", 15, "1:9");
}

static void refuses_invalid_utf8_and_nul(void **state)
{
    (void)state;
    static const char *const rows[] = {
        "[\"\xff\"]",
        "[\"\xc3\"]",
        "[\"\xc0\xaf\"]",
        "[\"\xed\xa0\x80\"]",
        "[\"\xf4\x90\x80\x80\"]",
        "[\"\xe2\x82\"]",
        "[\"\x80\"]",
        "{\"\xff\":1}",
        "[\"\\u0000\"]",
        "{\"\\u0000\":1}",
        "{\"a\\u0000b\":1}",
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++)
        refused(rows[i], strlen(rows[i]), NULL);
    refused("[\"a\0b\"]", 7, NULL);
    refused("{}\0", 3, NULL);
    refused("{}\0{}", 5, NULL);
    refused("\0{}", 3, NULL);
}

/* The length is what counts: nothing behind it is read. */
static void reads_no_further_than_told(void **state)
{
    (void)state;
    accepted("{}garbage", 2);
    refused("{\"a\":1}", 6, NULL);
    for (size_t n = 0; n < 7; n++) { /* from memory of exactly that size, for the sanitizers */
        auto_free char *text = malloc(n + !n);
        memcpy(text, "{\"a\":1}", n);
        refused(text, n, NULL);
    }
}

static void depth(void **state)
{
    (void)state;
    char text[200];
    for (size_t n = 31; n <= 34; n++) {
        memset(text, '[', n);
        memset(text + n, ']', n);
        if (n <= VMCP_JSON_DEPTH)
            accepted(text, 2 * n);
        else
            refused(text, 2 * n, "1:33");
    }
    /* brackets in strings do not count, and wide is not deep */
    static const char in_string[] = "[\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[[[[[[[[[[[\"]";
    accepted(in_string, strlen(in_string));
    auto_buf struct vmcp_buf wide = VMCP_BUF(1000);
    for (int i = 0; i < 100; i++)
        vmcp_buf_adds(&wide, i ? ",[]" : "[[]");
    vmcp_buf_addc(&wide, ']');
    accepted(wide.data, wide.len);
    char *deep = malloc(1000000);
    memset(deep, '[', 1000000);
    refused(deep, 1000000, "1:33");
    free(deep);
}

static void an_object_where_one_is_wanted(void **state)
{
    (void)state;
    struct vmcp_error err;
    json_t *value = NULL;
    assert_code("", vmcp_json_parse_object("[]", 2, &value, &err), err, VMCP_E_JSON);
    assert_null(value);
    assert_good("", vmcp_json_parse_object("{}", 2, &value, &err), err);
    json_decref(value);
}

/* JSONTestSuite: n_ must be refused, y_ accepted unless we say otherwise, i_ must not crash. */
static void json_test_suite(void **state)
{
    (void)state;
    const char *folder = unit_vector("jsontestsuite/test_parsing");
    /* strings and numbers on their own, \u0000, duplicate keys: we want none of them */
    static const char *const stricter[] = {
        "y_object_duplicated_key", "y_object_escaped_null_in_key", "y_string_null_escape",
        "y_string_space",          "y_structure_lonely",           "y_structure_string_empty",
    };
    size_t counts[2] = {0};
    DIR *dir = opendir(folder);
    assert_non_null(dir);
    for (struct dirent *entry; (entry = readdir(dir)) != NULL;) {
        char path[4096 + 256];
        size_t len = 0;
        struct vmcp_error err = {0};
        json_auto_t *value = NULL;
        if (!strstr(entry->d_name, ".json"))
            continue;
        snprintf(path, sizeof(path), "%s/%s", folder, entry->d_name);
        auto_free char *text = unit_read(path, &len);
        int rc = vmcp_json_parse(text, len, &value, &err);
        bool may_refuse = entry->d_name[0] != 'y';
        for (size_t i = 0; i < UNIT_COUNT(stricter); i++)
            may_refuse =
                may_refuse || strncmp(entry->d_name, stricter[i], strlen(stricter[i])) == 0;
        assert_row(entry->d_name, rc == 0 || may_refuse);
        assert_row(entry->d_name, rc < 0 || entry->d_name[0] != 'n');
        assert_row(entry->d_name, rc == 0 || (err.code == VMCP_E_JSON && err.where[0]));
        counts[rc == 0]++;
    }
    closedir(dir);
    assert_true(counts[0] > 180 && counts[1] > 70);
}

static void text_and_back(void **state)
{
    (void)state;
    struct vmcp_error err;
    json_auto_t *value = NULL;
    static const char text[] = "{\"z\":1,\"a\":[true,null,\"\xc3\xa9\\n\"],\"m\":{}}";
    size_t len = 0;
    assert_good("", vmcp_json_parse(text, strlen(text), &value, &err), err);
    auto_free char *again = vmcp_json_text(value, &len);
    assert_string_equal(again, text); /* compact, keys in their own order */
    assert_int_equal(len, strlen(text));
}

static void wipe_overwrites_strings(void **state)
{
    (void)state;
    json_auto_t *value =
        json_pack("{s:s, s:[s, {s:s}], s:i}", "a", "secret", "b", "hidden", "c", "deep", "d", 7);
    vmcp_json_wipe(value);
    assert_memory_equal(json_string_value(json_object_get(value, "a")), "\0\0\0\0\0\0", 6);
    const json_t *b = json_object_get(value, "b");
    assert_memory_equal(json_string_value(json_array_get(b, 0)), "\0\0\0\0\0\0", 6);
    assert_memory_equal(json_string_value(json_object_get(json_array_get(b, 1), "c")), "\0\0\0\0",
                        4);
    assert_int_equal(json_integer_value(json_object_get(value, "d")), 7);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(takes_objects_and_arrays),
        cmocka_unit_test(refuses_what_is_not_strict),
        cmocka_unit_test(tells_what_is_wrong),
        cmocka_unit_test(refuses_duplicate_keys),
        cmocka_unit_test(refuses_invalid_utf8_and_nul),
        cmocka_unit_test(reads_no_further_than_told),
        cmocka_unit_test(depth),
        cmocka_unit_test(an_object_where_one_is_wanted),
        cmocka_unit_test(json_test_suite),
        cmocka_unit_test(text_and_back),
        cmocka_unit_test(wipe_overwrites_strings),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
