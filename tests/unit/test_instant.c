/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/instant.h"
#include "lib/limits.h"

static void texts(void **state)
{
    (void)state;
    static const struct {
        int64_t at;
        const char *text;
    } rows[] = {
        {0, "1970-01-01T00:00:00Z"},
        {1795150800, "2026-11-20T05:00:00Z"},
        {253402300799, "9999-12-31T23:59:59Z"},
        {253402300800, "@253402300800"},
        {VMCP_SERIAL_MAX, "@9007199254740991"},
        {-1, "@-1"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char text[VMCP_INSTANT_CHARS];
        vmcp_instant_text(rows[i].at, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void spans(void **state)
{
    (void)state;
    static const struct {
        int64_t seconds;
        const char *text;
    } rows[] = {
        {-5, "0 s"},
        {0, "0 s"},
        {119, "119 s"},
        {120, "2 min"},
        {7199, "119 min"},
        {7200, "2 h"},
        {172799, "47 h"},
        {172800, "2 days"},
        {93600, "26 h"},
        {864000, "10 days"},
        {INT64_MAX, "106751991167300 days"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char text[VMCP_SPAN_CHARS];
        vmcp_span_text(rows[i].seconds, text);
        assert_string_equal(text, rows[i].text);
    }
}

static void good_and_bad_instants(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t at; /* -1: refused */
    } rows[] = {
        {"0", 0},
        {"1795150800", 1795150800},
        {"9007199254740991", VMCP_SERIAL_MAX},
        {"9007199254740992", -1},
        {"99999999999999999999", -1},
        {"2026-11-20T05:00:00Z", 1795150800},
        {"2026-11-20t05:00:00z", 1795150800},
        {"2026-11-20T05:00:00.999Z", 1795150800},
        {"2026-11-20T00:00:00-05:00", 1795150800},
        {"2024-02-29T00:00:00Z", 1709164800},
        {"2023-02-29T00:00:00Z", -1},
        {"2016-12-31T23:59:60Z", 1483228800},
        {"1970-01-01T00:00:00+00:01", -1},
        {"2026-00-20T05:00:00Z", -1},
        {"2026-11-00T05:00:00Z", -1},
        {"2026-11-20T05:60:00Z", -1},
        {"2026-11-20T05:00:00+24:00", -1},
        {"2026-11-20T05:00:00+01:60", -1},
        {"2026-11-20T05:00:00+01:00x", -1},
        {"2026-11-20T05:00:00", -1},
        {"2026-11-20", -1},
        {"12x", -1},
        {" 12", -1},
        {"+12", -1},
        {"", -1},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err = {0};
        int64_t at = -2;
        int rc = vmcp_instant_parse(rows[i].text, &at, &err);
        assert_row(rows[i].text, rc == (rows[i].at < 0 ? -VMCP_E_USAGE : 0));
        assert_row(rows[i].text, at == (rows[i].at < 0 ? -2 : rows[i].at));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(texts),
        cmocka_unit_test(spans),
        cmocka_unit_test(good_and_bad_instants),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
