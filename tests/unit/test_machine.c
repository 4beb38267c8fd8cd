/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/machine.h"

/* How many errors, and how many warnings, the schema finds; the first error's pointer. */
static void check(const char *json, size_t *ret_errors, size_t *ret_warnings, char pointer[160])
{
    auto_diags struct vmcp_diags d = {0};
    json_auto_t *machine = json_loads(json, JSON_DECODE_ANY, NULL);
    assert_row(json, machine != NULL);
    vmcp_machine_check(machine, "/m", &d);
    *ret_errors = d.errors;
    *ret_warnings = d.count - d.errors;
    pointer[0] = '\0';
    for (size_t i = 0; i < d.count; i++) {
        assert_row(json, d.items[i].text[0]);
        if (d.items[i].is_error && !pointer[0]) {
            assert_row(json, d.items[i].code == VMCP_E_MACHINE);
            snprintf(pointer, 160, "%s", d.items[i].pointer);
        }
    }
}

/* The two that every machine has, around the members of a case. */
#define WITH(members) "{\"name\":\"n\",\"secret\":\"s\"" members "}"

static void good_machines(void **state)
{
    (void)state;
    static const struct {
        const char *json;
        size_t warnings;
    } rows[] = {
        {WITH(""), 0},
        {WITH(",\"cpus\":1,\"memory\":2147483647,\"disk\":0,\"flags\":0"), 0},
        {WITH(",\"ram\":1,\"executionCap\":100,\"apiPort\":65535"), 0},
        {WITH(",\"userData\":\"\",\"cernvmVersion\":\"\",\"cernvmFlavor\":\"prod\""), 0},
        {WITH(",\"diskURL\":\"http://a/b\",\"diskChecksum\":\"00\",\"canOverride\":\"cpus\""), 0},
        {WITH(",\"zone\":\"a\""), 1},
        {WITH(",\"x.y_z-1\":-2147483648,\"Z\":2147483647"), 2},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        size_t errors = 0, warnings = 0;
        char pointer[160];
        check(rows[i].json, &errors, &warnings, pointer);
        assert_row(rows[i].json, errors == 0 && warnings == rows[i].warnings);
    }
}

static void bad_machines(void **state)
{
    (void)state;
    static const struct {
        const char *json, *pointer;
        size_t errors;
    } rows[] = {
        {"[]", "/m", 1},
        {"\"x\"", "/m", 1},
        {"null", "/m", 1},
        {"{}", "/m", 2},
        {"{\"name\":\"n\"}", "/m", 1},
        {"{\"secret\":\"s\"}", "/m", 1},
        {"{\"name\":\"\",\"secret\":\"s\"}", "/m/name", 1},
        {"{\"name\":\"n\",\"secret\":\"\"}", "/m/secret", 1},
        {"{\"name\":1,\"secret\":\"s\"}", "/m/name", 1},
        /* types: never the other one, never anything else */
        {WITH(",\"cpus\":\"1\""), "/m/cpus", 1},
        {WITH(",\"cpus\":1.0"), "/m/cpus", 1},
        {WITH(",\"cpus\":true"), "/m/cpus", 1},
        {WITH(",\"cpus\":null"), "/m/cpus", 1},
        {WITH(",\"cpus\":[1]"), "/m/cpus", 1},
        {WITH(",\"userData\":7"), "/m/userData", 1},
        {WITH(",\"userData\":{}"), "/m/userData", 1},
        {WITH(",\"zone\":1.5"), "/m/zone", 1},
        {WITH(",\"zone\":{}"), "/m/zone", 1},
        {WITH(",\"zone\":false"), "/m/zone", 1},
        /* ranges */
        {WITH(",\"cpus\":0"), "/m/cpus", 1},
        {WITH(",\"cpus\":-1"), "/m/cpus", 1},
        {WITH(",\"memory\":0"), "/m/memory", 1},
        {WITH(",\"memory\":2147483648"), "/m/memory", 1},
        {WITH(",\"disk\":-1"), "/m/disk", 1},
        {WITH(",\"flags\":-1"), "/m/flags", 1},
        {WITH(",\"apiPort\":0"), "/m/apiPort", 1},
        {WITH(",\"apiPort\":65536"), "/m/apiPort", 1},
        {WITH(",\"executionCap\":101"), "/m/executionCap", 1},
        {WITH(",\"zone\":2147483648"), "/m/zone", 1},
        {WITH(",\"zone\":-2147483649"), "/m/zone", 1},
        {WITH(",\"zone\":9223372036854775807"), "/m/zone", 1},
        /* names: what would make two documents with one signed text */
        {WITH(",\"a=b\":\"1\""), "/m/a=b", 1},
        {WITH(",\"a\\nb\":\"1\""), "/m/a\nb", 1},
        {WITH(",\"\":\"1\""), "/m/", 1},
        {WITH(",\"1a\":\"1\""), "/m/1a", 1},
        {WITH(",\"_a\":\"1\""), "/m/_a", 1},
        {WITH(",\"a b\":\"1\""), "/m/a b", 1},
        {WITH(",\"a/~b\":\"1\""), "/m/a~1~0b", 1},
        {WITH(",\"caf\\u00e9\":\"1\""), "/m/caf\xc3\xa9", 1},
        {WITH(",\"ApiPort\":80"), "/m/ApiPort", 1},
        {WITH(",\"userdata\":\"x\""), "/m/userdata", 1},
        {WITH(",\"NAME\":\"x\""), "/m/name", 2}, /* at both, so that none is overlooked */
        {WITH(",\"zone\":\"a\",\"Zone\":\"b\""), "/m/zone", 1},
        {WITH(",\"signature\":\"AA==\""), "/m/signature", 1},
        {WITH(",\"Signature\":\"AA==\""), "/m/Signature", 1},
        /* together */
        {WITH(",\"memory\":1,\"ram\":1"), "/m", 1},
        {WITH(",\"diskURL\":\"http://a\""), "/m", 1},
        {WITH(",\"diskChecksum\":\"00\""), "/m", 1},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        size_t errors = 0, warnings = 0;
        char pointer[160];
        check(rows[i].json, &errors, &warnings, pointer);
        if (errors != rows[i].errors || strcmp(pointer, rows[i].pointer) != 0)
            print_error("%zu errors, the first at %s\n", errors, pointer);
        assert_row(rows[i].json, errors == rows[i].errors);
        assert_row(rows[i].json, strcmp(pointer, rows[i].pointer) == 0);
    }
}

/* Takes over `m`. How many errors there are. */
static size_t errors_in(json_t *m)
{
    size_t errors = 0, warnings = 0;
    char pointer[160];
    auto_free char *text = json_dumps(m, 0);
    json_decref(m);
    check(text, &errors, &warnings, pointer);
    return errors;
}

static json_t *minimal(void)
{
    return json_pack("{s:s, s:s}", "name", "n", "secret", "s");
}

/* One more than allowed is one error. */
static void sizes(void **state)
{
    (void)state;
    for (size_t over = 0; over < 2; over++) {
        auto_free char *data = malloc(VMCP_USER_DATA_MAX + 1);
        memset(data, 'x', VMCP_USER_DATA_MAX + 1);
        json_t *value = minimal(), *key = minimal(), *many = minimal();
        json_object_set_new(value, "userData", json_stringn(data, VMCP_USER_DATA_MAX + over));
        assert_int_equal(errors_in(value), over);
        data[VMCP_PARAMETER_KEY_MAX + over] = '\0';
        json_object_set_new(key, data, json_integer(1));
        assert_int_equal(errors_in(key), over);
        for (int i = 0; json_object_size(many) < VMCP_PARAMETERS_MAX + over; i++) {
            char name[16];
            snprintf(name, sizeof(name), "p%d", i);
            json_object_set_new(many, name, json_integer(1));
        }
        assert_int_equal(errors_in(many), over);
    }
}

static void the_table(void **state)
{
    (void)state;
    assert_true(vmcp_parameter_find("name")->is_required);
    assert_true(vmcp_parameter_find("apiPort")->is_integer);
    assert_false(vmcp_parameter_find("userData")->is_integer);
    assert_null(vmcp_parameter_find("apiport"));
    assert_null(vmcp_parameter_find(""));
    assert_null(vmcp_parameter_find("signature"));
    assert_int_equal(VMCP_FLAG_64BIT | VMCP_FLAG_HEADFUL | VMCP_FLAG_GRAPHICAL, 0x31);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_machines),
        cmocka_unit_test(bad_machines),
        cmocka_unit_test(sizes),
        cmocka_unit_test(the_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
