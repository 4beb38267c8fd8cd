/* SPDX-License-Identifier: Apache-2.0 */
#include "ends.h"

static const struct {
    const char *label, *text;
} ends[HTTP_END_COUNT] = {{"", ""},
#define HTTP_END_ROW(symbol, label, text) {label, text},
                          HTTP_ENDS(HTTP_END_ROW)
#undef HTTP_END_ROW
};

const char *http_end_label(enum http_end end)
{
    return ends[end < HTTP_END_COUNT ? end : 0].label;
}

const char *http_end_text(enum http_end end)
{
    return ends[end < HTTP_END_COUNT ? end : 0].text;
}
