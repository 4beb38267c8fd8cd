/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/accept.h"

static void test_quality(void **state)
{
    static const struct {
        const char *accept;
        int quality;
    } rows[] = {
        {NULL, -1},
        {"", -1},
        {"*/*", -1},
        {"text/*", -1},
        {"text/html", 1000},
        {"TEXT/HTML", 1000},
        {"text/htmlx", -1},
        {"a/b, text/html", 1000},
        {"a/b,\ttext/html ;q=0.5 ", 500},
        {"text/html;q=0.123", 123},
        {"text/html;q=0.1239", 123},
        {"text/html;q=1.000", 1000},
        {"text/html;Q=1", 1000},
        {"text/html;q=9", 1000},
        {"text/html;q=0", 0},
        {"text/html;q=0.000", 0},
        {"text/html;q=", 0},
        {"text/html;q=0.0001", 1}, /* more digits than the grammar has: small, and not zero */
        {"text/html;q=.5", 500},
        {"text/html;level=1;q=0.7", 700},
        {"text/html;q=0.2, text/html;q=0.9", 900},
        {"text/html;q=0, x/y", 0},
        {"x/y;p=\", text/html\", z/z", -1},
        {"x/y;p=\"\\\", text/html\"", -1},
        {"text/html;p=\";q=0\";q=0.3", 300},
    };
    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(*rows); i++)
        if (vmcp_accept_quality(rows[i].accept, "text/html") != rows[i].quality)
            fail_msg("%s: %d, not %d", rows[i].accept,
                     vmcp_accept_quality(rows[i].accept, "text/html"), rows[i].quality);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_quality)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
