/* SPDX-License-Identifier: Apache-2.0 */
#include "duration.h"

#include <stddef.h>
#include <string.h>

enum { DECIMALS_MAX = 9, DIGITS_MAX = 12 };
#define SECONDS_MAX 315576000000

int vmcp_duration_parse(const char *text, int64_t *ret_ms, struct vmcp_error *err)
{
    static const char digits[] = "0123456789";
    size_t whole = strspn(text, digits);
    size_t decimals = text[whole] == '.' ? strspn(text + whole + 1, digits) : 0;
    size_t end = whole + (text[whole] == '.' ? decimals + 1 : 0);
    int64_t seconds = 0, ms = 0;
    if (whole == 0 || whole > DIGITS_MAX || (text[whole] == '.' && decimals == 0) ||
        decimals > DECIMALS_MAX || strcmp(text + end, "s") != 0)
        return vmcp_fail(
            err, VMCP_E_USAGE,
            "a length of time is written in seconds with an s behind them, as \"180s\" "
            "or \"0.5s\"");
    for (size_t i = 0; i < whole; i++)
        seconds = seconds * 10 + (text[i] - '0');
    for (size_t i = 0; i < 3; i++)
        ms = ms * 10 + (i < decimals ? text[whole + 1 + i] - '0' : 0);
    if (seconds > SECONDS_MAX)
        return vmcp_fail(err, VMCP_E_USAGE, "a length of time is at most %llds",
                         (long long)SECONDS_MAX);
    *ret_ms = seconds * 1000 + ms;
    return 0;
}
