/* SPDX-License-Identifier: Apache-2.0 */
/* A time zone's file: what is accepted has one offset at each time, in spans without gaps. */
#include "fuzz.h"

#include "lib/schedule.h"
#include "lib/zone.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    struct vmcp_schedule s;
    auto_zone struct vmcp_zone *zone = NULL;
    if (fuzz_told(vmcp_zone_parse(data, size, &zone, &err), &err) < 0)
        return 0;
    fuzz_check(vmcp_schedule_parse("30 2 * * *", &s, NULL, &err) == 0);
    for (int64_t at = -3000000000; at < 6000000000; at += 700000001) {
        struct vmcp_zone_span span = vmcp_zone_span(zone, at);
        int64_t next = 0;
        char text[VMCP_ZONE_TEXT_CHARS];
        fuzz_check(span.from <= at && at < span.to);
        if (span.to != VMCP_ZONE_ALWAYS)
            fuzz_check(vmcp_zone_span(zone, span.to).from >= span.from);
        vmcp_zone_text(zone, at, text);
        fuzz_check(!vmcp_schedule_next(&s, zone, at, &next) || next > at);
    }
    return 0;
}
