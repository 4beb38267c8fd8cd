/* SPDX-License-Identifier: Apache-2.0 */
/* Where a value stands in its text: vmcp_json_locate and the pointers that it takes. */
#include "unit.h"

#include <time.h>

#include "lib/json.h"
#include "lib/json_locate.h"

/* The value (or the key) at `pointer` is at that line and column. */
static void at(const char *text, const char *pointer, int at_key, size_t line, size_t column)
{
    struct vmcp_error err;
    json_auto_t *value = NULL;
    assert_good(text, vmcp_json_parse(text, strlen(text), &value, &err), err);
    struct vmcp_json_pos pos = vmcp_json_locate(text, strlen(text), pointer, at_key);
    if (pos.line != line || pos.column != column)
        print_error("%s %s: %zu:%zu\n", pointer, at_key ? "key" : "value", pos.line, pos.column);
    assert_int_equal(pos.line, line);
    assert_int_equal(pos.column, column);
}

/* A wrong value on line 7, inside a nested object, after text that is not ASCII, and after an
 * earlier key of the same name in another object. Columns are bytes. */
static void line_seven(void **state)
{
    (void)state;
    static const char text[] = "{\n"
                               "  \"serial\": 3,\n"
                               "  \"gce\": {\"cpus\": 1, \"labels\": {\"cpus\": \"x\"}},\n"
                               "  \"machine\": {\n"
                               "    \"name\": \"caf\xc3\xa9\", \"t\": \"{\\\"cpus\\\": 9}\",\n"
                               "    \"inner\": {\n"
                               "      \"\xe2\x82\xac\": \"\xf0\x9f\x98\x80\", \"cpus\": \"four\",\n"
                               "      \"z\": 1\n"
                               "    }\n"
                               "  }\n"
                               "}\n";
    at(text, "/machine/inner/cpus", 0, 7, 30);
    at(text, "/machine/inner/cpus", 1, 7, 22);
    at(text, "/machine/inner/\xe2\x82\xac", 0, 7, 14);
    at(text, "/gce/cpus", 0, 3, 19);
    at(text, "/gce/labels/cpus", 0, 3, 41);
    at(text, "/machine/inner", 1, 6, 5);
    at(text, "/machine/name", 0, 5, 13);
    at(text, "/machine/t", 0, 5, 27);
}

static void the_whole_document(void **state)
{
    (void)state;
    at("{}", "", 0, 1, 1);
    at("\n\n  {}", "", 0, 3, 3);
    at("\r\n\t[1]", "", 1, 2, 2);
}

static void arrays(void **state)
{
    (void)state;
    static const char text[] = "[10, [20, {\"a\": [1, \"]\", 3]}], -1.5e3,\n true,null , {}]";
    at(text, "/0", 0, 1, 2);
    at(text, "/1", 0, 1, 6);
    at(text, "/1/0", 0, 1, 7);
    at(text, "/1/1/a", 1, 1, 12);
    at(text, "/1/1/a/1", 0, 1, 21);
    at(text, "/1/1/a/2", 0, 1, 26);
    at(text, "/2", 0, 1, 32);
    at(text, "/3", 0, 2, 2);
    at(text, "/4", 0, 2, 7);
    at(text, "/5", 0, 2, 14);
    at(text, "/5", 1, 2, 14); /* an element has no key */
}

/* A key counts by what it means, not by how it is spelled. */
static void escaped_keys(void **state)
{
    (void)state;
    static const char text[] = "{\"a\\\"b\": 1, \"\\u0063\\u00e9\": 2,\n"
                               " \"x/y\": 3, \"t~u\": 4, \"\": 5, \"\\\\\": {\"n\\n\": 6}}";
    at(text, "/a\"b", 0, 1, 10);
    at(text, "/c\xc3\xa9", 0, 1, 29);
    at(text, "/x~1y", 0, 2, 9);
    at(text, "/t~0u", 0, 2, 19);
    at(text, "/", 0, 2, 26);
    at(text, "/\\/n\n", 0, 2, 43);
}

/* Values that look like keys, and keys that look like the end of something. */
static void tricky_text(void **state)
{
    (void)state;
    static const char text[] =
        "{\"a\":\"b\",\"b\":\"}\",\"c\":{\"}\":\"{\",\"]\":[[],{}]},\"d\":1}";
    at(text, "/b", 0, 1, 14);
    at(text, "/c/]", 0, 1, 35);
    at(text, "/c/]/1", 0, 1, 39);
    at(text, "/d", 0, 1, 48);
    at("{\"1\":{\"0\":5},\"0\":[7,8]}", "/1/0", 0, 1, 11);
    at("{\"1\":{\"0\":5},\"0\":[7,8]}", "/0/1", 0, 1, 21);
}

/* A pointer that leads nowhere gives the last place that exists. */
static void nowhere(void **state)
{
    (void)state;
    static const char text[] = "{\"a\": {\"b\": 1}, \"c\": [2]}";
    at(text, "/x", 0, 1, 1);
    at(text, "/a/x", 0, 1, 7);
    at(text, "/a/x", 1, 1, 2);
    at(text, "/a/b/c", 0, 1, 13);
    at(text, "/c/1", 0, 1, 22);
    at(text, "/c/x", 0, 1, 22);
    at(text, "/c/", 0, 1, 22);
    at(text, "a", 0, 1, 1); /* no pointer at all */
}

/* Many pointers at once give what each gives alone, whatever their order, and come back in the
 * order of the text. */
static void all_at_once(void **state)
{
    (void)state;
    static const char text[] = "{\"a\":{\"b\":[1,{\"c\":2}],\"a-b\":3},\n \"a-b\":4,\"\":{\"\":5},"
                               "\n\"a/b\":[6,7,8,9,10,11,12,13,14,15,16,17],\"z\":{\"b\":0}}";
    static const char *const pointers[] = {"/z/b",  "/a~1b/11", "/a~1b/2", "/a-b", "/a/a-b",
                                           "/a",    "/a/b/1/c", "/a/b",    "",     "//",
                                           "/",     "/a/b/7",   "/a/x",    "/x",   "x",
                                           "/a/b/", "/z",       "/a~1b/1", "/a/b", "/a/b/1"};
    enum { COUNT = sizeof(pointers) / sizeof(*pointers) };
    struct vmcp_json_place places[2 * COUNT] = {0};
    for (size_t i = 0; i < 2 * COUNT; i++)
        places[i] = (struct vmcp_json_place){
            .pointer = pointers[i / 2], .at_key = i % 2, .arg = &places[i]};
    vmcp_json_locate_all(text, strlen(text), places, 2 * COUNT);
    for (size_t i = 0; i < 2 * COUNT; i++) {
        struct vmcp_json_pos alone =
            vmcp_json_locate(text, strlen(text), places[i].pointer, places[i].at_key);
        assert_row(places[i].pointer, places[i].pos.line == alone.line);
        assert_row(places[i].pointer, places[i].pos.column == alone.column);
        assert_true(i == 0 || places[i - 1].offset <= places[i].offset);
    }
    vmcp_json_locate_all(text, strlen(text), places, 0); /* nothing asked, nothing done */
}

/* CPU seconds to find `count` places at the end of an array of a million bytes and more. */
static double seconds(size_t count)
{
    enum { ELEMENTS = 200000 };
    char *text = malloc(8 * ELEMENTS), *at = text;
    char(*pointers)[16] = calloc(count, sizeof(*pointers));
    struct vmcp_json_place *places = calloc(count, sizeof(*places));
    struct timespec start, end;
    assert_true(text && pointers && places);
    at += sprintf(at, "[0");
    for (int i = 1; i < ELEMENTS; i++)
        at += sprintf(at, ",%06d", i);
    at += sprintf(at, "]");
    for (size_t i = 0; i < count; i++) {
        snprintf(pointers[i], sizeof(pointers[i]), "/%zu", ELEMENTS - 1 - i);
        places[i].pointer = pointers[i];
    }
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &start);
    vmcp_json_locate_all(text, (size_t)(at - text), places, count);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &end);
    assert_int_equal(places[count - 1].pos.column, 2 + 7 * (ELEMENTS - 1) - 5);
    free(text);
    free(pointers);
    free(places);
    return (double)(end.tv_sec - start.tv_sec) + (double)(end.tv_nsec - start.tv_nsec) / 1e9;
}

/* One walk, however many are asked for: a thousand do not take a thousand times as long as one. */
static void one_walk(void **state)
{
    (void)state;
    double one = seconds(1), thousand = seconds(1000);
    print_message("1 place: %.4f s, 1000 places: %.4f s\n", one, thousand);
    assert_true(thousand < 20 * one + 0.1);
}

static void pointers_are_built(void **state)
{
    (void)state;
    char pointer[16] = "";
    vmcp_json_pointer_add(pointer, sizeof(pointer), "a/b");
    vmcp_json_pointer_add(pointer, sizeof(pointer), "~");
    vmcp_json_pointer_add(pointer, sizeof(pointer), "");
    assert_string_equal(pointer, "/a~1b/~0/");
    vmcp_json_pointer_add(pointer, sizeof(pointer), "0123456789");
    assert_true(strlen(pointer) < sizeof(pointer));
    assert_memory_equal(pointer, "/a~1b/~0//0123", 14);
    for (size_t size = 1; size < 8; size++) { /* cut anywhere, never over the end */
        auto_free char *small = calloc(1, size);
        vmcp_json_pointer_add(small, size, "/~/~");
        vmcp_json_pointer_add(small, size, "/~/~");
        assert_true(strlen(small) < size);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(line_seven),
        cmocka_unit_test(the_whole_document),
        cmocka_unit_test(arrays),
        cmocka_unit_test(escaped_keys),
        cmocka_unit_test(tricky_text),
        cmocka_unit_test(nowhere),
        cmocka_unit_test(all_at_once),
        cmocka_unit_test(one_walk),
        cmocka_unit_test(pointers_are_built),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
