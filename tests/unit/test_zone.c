/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include <time.h>

#include "lib/posixtz.h"
#include "lib/zone.h"

static void names(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC", "Etc/UTC", "Europe/Berlin", "Etc/GMT+3",
                                       "America/Argentina/Buenos_Aires"};
    static const char *const bad[] = {"",   "/etc/passwd", "../../etc/passwd", "Europe/../UTC",
                                      "./", "Europe/",     "Europe//Berlin",   "Europe Berlin",
                                      ".",  "a.tab",       "\xc3\xbc"};
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(good); i++) {
        auto_zone struct vmcp_zone *zone = NULL;
        assert_good(good[i], vmcp_zone_name_check(good[i], &err), err);
        assert_good(good[i], vmcp_zone_load(good[i], &zone, &err), err);
    }
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct vmcp_zone *zone = NULL;
        assert_code(bad[i], vmcp_zone_name_check(bad[i], &err), err, VMCP_E_USAGE);
        assert_code(bad[i], vmcp_zone_load(bad[i], &zone, &err), err, VMCP_E_USAGE);
    }
    struct vmcp_zone *zone = NULL;
    assert_code("", vmcp_zone_load("Europe/Atlantis", &zone, &err), err, VMCP_E_FILE);
    assert_code("", vmcp_zone_load("Europe", &zone, &err), err, VMCP_E_FILE); /* a folder */
}

/* Offsets as the C library tells them, from before the first change to far behind the last. */
static void like_the_c_library(void **state)
{
    (void)state;
    static const char *const zones[] = {
        "Europe/Berlin",    "Europe/Dublin",     "America/New_York", "America/Sao_Paulo",
        "Asia/Tehran",      "Asia/Kolkata",      "Asia/Gaza",        "Africa/Casablanca",
        "Africa/Monrovia",  "Pacific/Apia",      "Pacific/Chatham",  "Australia/Lord_Howe",
        "Antarctica/Troll", "America/Nuuk",      "Etc/GMT-14",       "Asia/Pyongyang",
        "America/Havana",   "America/Santiago",  "Europe/Chisinau",  "Africa/Cairo",
        "Asia/Jerusalem",   "Pacific/Kwajalein", "America/Adak",     "Europe/Amsterdam",
    };
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(zones); i++) {
        auto_zone struct vmcp_zone *zone = NULL;
        assert_good(zones[i], vmcp_zone_load(zones[i], &zone, &err), err);
        setenv("TZ", zones[i], 1);
        tzset();
        for (int64_t at = -4000000000; at < 8000000000; at += 1234567) {
            struct tm tm;
            time_t t = (time_t)at;
            assert_non_null(localtime_r(&t, &tm));
            struct vmcp_zone_span span = vmcp_zone_span(zone, at);
            if (span.offset != tm.tm_gmtoff)
                print_error("%s at %lld: %d, not %ld\n", zones[i], (long long)at, span.offset,
                            tm.tm_gmtoff);
            assert_int_equal(span.offset, tm.tm_gmtoff);
            assert_true(span.from <= at && at < span.to);
        }
        /* and at each change itself, to the second */
        for (int64_t at = 0; at < 5000000000;) {
            struct tm tm;
            struct vmcp_zone_span span = vmcp_zone_span(zone, at);
            if (span.to == VMCP_ZONE_ALWAYS)
                break;
            for (int64_t edge = span.to - 1; edge <= span.to; edge++) {
                time_t t = (time_t)edge;
                assert_non_null(localtime_r(&t, &tm));
                assert_int_equal(vmcp_zone_span(zone, edge).offset, tm.tm_gmtoff);
            }
            at = span.to;
        }
    }
    unsetenv("TZ");
    tzset();
}

static void rules(void **state)
{
    (void)state;
    static const char *const good[] = {"UTC0",
                                       "CET-1CEST,M3.5.0,M10.5.0/3",
                                       "<-03>3",
                                       "<-02>2<-01>,M3.5.0/-1,M10.5.0/0",
                                       "EST5EDT,M3.2.0,M11.1.0",
                                       "IST-1GMT0,M10.5.0,M3.5.0/1",
                                       "XXX3EDT4,0/0,J365/23",
                                       "AAA-5:30:15",
                                       "AAA0BBB,J60,J300/167"};
    static const char *const bad[] = {"",
                                      "U0",
                                      "UTC",
                                      "UTC25",
                                      "UTC0X",
                                      "<UTC0",
                                      "UTC0 ",
                                      "UTC0EDT",
                                      "CET-1CEST,M3.5.0",
                                      "CET-1CEST,M13.1.0,M1.1.0",
                                      "CET-1CEST,M1.6.0,M1.1.0",
                                      "CET-1CEST,M1.1.7,M1.1.0",
                                      "CET-1CEST,J0,J1",
                                      "CET-1CEST,366,1",
                                      "CET-1CEST,M3.5.0/168,M10.5.0",
                                      "CET-1CEST,M3.5.0,M10.5.0/3x"};
    struct vmcp_posixtz tz;
    struct vmcp_error err;
    for (size_t i = 0; i < UNIT_COUNT(good); i++)
        assert_good(good[i], vmcp_posixtz_parse(good[i], &tz, &err), err);
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        assert_code(bad[i], vmcp_posixtz_parse(bad[i], &tz, &err), err, VMCP_E_FILE);
    /* summer all the year round (RFC 8536, section 3.3.1) */
    assert_good("", vmcp_posixtz_parse("XXX3EDT4,0/0,J365/23", &tz, &err), err);
    for (int64_t at = 1700000000; at < 1800000000; at += 86399)
        assert_int_equal(vmcp_posixtz_span(&tz, at).offset, -4 * 3600);
}

static void dates(void **state)
{
    (void)state;
    for (int64_t days = -800000; days < 800000; days += 13) {
        struct tm tm;
        time_t t = (time_t)days * 86400;
        int64_t year;
        int month, day;
        assert_non_null(gmtime_r(&t, &tm));
        vmcp_days_to_date(days, &year, &month, &day);
        assert_int_equal(year, tm.tm_year + 1900);
        assert_int_equal(month, tm.tm_mon + 1);
        assert_int_equal(day, tm.tm_mday);
        assert_int_equal(vmcp_days_from_date(year, month, day), days);
    }
}

/* A file that ends too early, or in which a byte is another: refused, or some zone; never worse. */
static void damaged_files(void **state)
{
    (void)state;
    size_t len = 0;
    struct vmcp_error err;
    auto_free char *good = unit_read(VMCP_ZONE_DIR "/America/Santiago", &len);
    for (size_t n = 0; n < len; n++) {
        auto_free char *cut = malloc(n + 1); /* so that a read behind its end is seen */
        struct vmcp_zone *zone = NULL;
        assert_non_null(cut);
        memcpy(cut, good, n);
        assert_code("cut", vmcp_zone_parse(cut, n, &zone, &err), err, VMCP_E_FILE);
    }
    for (size_t i = 0; i < 2 * len; i++) {
        auto_zone struct vmcp_zone *zone = NULL;
        char was = good[i % len];
        good[i % len] = i < len ? (char)(was ^ 0x81) : '\xff';
        if (vmcp_zone_parse(good, len, &zone, &err) == 0)
            for (int64_t at = -5000000000; at < 5000000000; at += 250000000) {
                struct vmcp_zone_span span = vmcp_zone_span(zone, at);
                assert_true(span.from <= at && at < span.to);
            }
        good[i % len] = was;
    }
    struct vmcp_zone *leap = NULL;
    if (access(VMCP_ZONE_DIR "/right/Europe/Berlin", R_OK) == 0)
        assert_code("", vmcp_zone_load("right/Europe/Berlin", &leap, &err), err, VMCP_E_FILE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names), cmocka_unit_test(like_the_c_library), cmocka_unit_test(rules),
        cmocka_unit_test(dates), cmocka_unit_test(damaged_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
