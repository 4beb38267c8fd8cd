/* SPDX-License-Identifier: Apache-2.0 */
/* What Compute Engine makes of a machine: that it is told only where it is asked for, and where.
 * The rules are held against the launcher's in the e2e tests. */
#include "unit.h"

#include "lib/config.h"
#include "lib/gcehint.h"

static void parse(const char *text, struct vmcp_config *config, struct vmcp_diags *diags)
{
    struct vmcp_error err;
    assert_good(text, vmcp_config_parse("web", text, strlen(text), -1, config, diags, &err), err);
}

static const char both[] = "{\"machine\": {\"name\": \"web\", \"secret\": \"0123456789abcdef\",\n"
                           "\"flags\": 2, \"disk\": 7}}";

static void only_where_it_is_asked_for(void **state)
{
    (void)state;
    auto_config struct vmcp_config quiet = {0}, told = {0};
    auto_diags struct vmcp_diags none = {0}, all = {.want_gce = true};
    parse(both, &quiet, &none);
    assert_int_equal(none.count, 0);
    parse(both, &told, &all);
    assert_int_equal(all.count, 2);
    assert_int_equal(all.errors, 0);
    vmcp_diags_sort(&all);
    assert_string_equal(all.items[0].pointer, "/machine/flags");
    assert_int_equal(all.items[0].line, 2);
    assert_int_equal(all.items[0].column, 10);
    assert_string_equal(all.items[1].pointer, "/machine/disk");
    assert_int_equal(all.items[1].column, 21);
    vmcp_gcehint_check(&quiet, &none); /* later too, by pointers */
    assert_int_equal(none.count, 2);
    assert_int_equal(none.items[0].line, 0);
}

static void a_bare_machine_has_other_pointers(void **state)
{
    (void)state;
    auto_config struct vmcp_config config = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true};
    parse("{\"name\": \"web\", \"secret\": \"0123456789abcdef\", \"flags\": 2}", &config, &diags);
    assert_int_equal(diags.count, 1);
    assert_string_equal(diags.items[0].pointer, "/flags");
}

/* Nothing is said of a file that is wrong: its types cannot be relied on. */
static void not_of_a_wrong_file(void **state)
{
    (void)state;
    static const char text[] = "{\"name\": 7, \"secret\": [], \"flags\": {}, \"disk\": \"x\"}";
    auto_config struct vmcp_config config = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = true};
    struct vmcp_error err;
    assert_code(text, vmcp_config_parse("web", text, strlen(text), -1, &config, &diags, &err), err,
                VMCP_E_MACHINE);
    assert_int_equal(diags.count, diags.errors);
}

/* A `gce` part of any shape: it is Compute Engine's, and nothing of it was checked. */
static void any_gce(void **state)
{
    (void)state;
    static const char *const parts[] = {
        "{\"disks\": 1, \"metadata\": [], \"networkInterfaces\": {}, \"labels\": \"x\"}",
        "{\"disks\": [], \"metadata\": {\"items\": [1, {}, {\"key\": 1}, {\"key\": \"vmcp-\"}]}}",
        "{\"disks\": [{\"initializeParams\": 7, \"source\": null}], \"machineType\": {}}",
        "{\"disks\": [{\"initializeParams\": {\"sourceImage\": [], \"diskSizeGb\": {}}}]}",
        "{\"metadata\": {\"startup-script\": 1, \"user-data\": null, \"a/b~\": {}}, \"name\": {}}",
        "{\"networkInterfaces\": [[]], \"labels\": {\"vmcp-by\": null}, \"zone\": false}",
    };
    for (size_t i = 0; i < UNIT_COUNT(parts); i++) {
        auto_free char *text = NULL;
        auto_config struct vmcp_config config = {0};
        auto_diags struct vmcp_diags diags = {.want_gce = true};
        assert_true(asprintf(&text,
                             "{\"machine\": {\"name\": \"web\", \"secret\": \"0123456789abcdef\", "
                             "\"disk\": 7, \"userData\": \"x\"}, \"gce\": %s}",
                             parts[i]) > 0);
        parse(text, &config, &diags);
        for (size_t d = 0; d < diags.count; d++)
            assert_row(diags.items[d].pointer, diags.items[d].line == 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(only_where_it_is_asked_for),
        cmocka_unit_test(a_bare_machine_has_other_pointers),
        cmocka_unit_test(not_of_a_wrong_file),
        cmocka_unit_test(any_gce),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
