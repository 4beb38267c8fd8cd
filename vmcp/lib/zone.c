/* SPDX-License-Identifier: Apache-2.0 */
#include "zone.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "limits.h"
#include "posixtz.h"

enum { HEADER_BYTES = 44, TYPE_BYTES = 6, FOOTER_MAX = 128, DAY = 86400 };

struct vmcp_zone {
    int64_t *times;   /* sorted: from then on… */
    int32_t *offsets; /* …this holds */
    size_t count;
    int32_t first; /* before the first of them */
    bool has_rule;
    struct vmcp_posixtz rule; /* from the last of them on */
};

void vmcp_zone_free(struct vmcp_zone *zone)
{
    if (zone) {
        free(zone->times);
        free(zone->offsets);
    }
    free(zone);
}

int vmcp_zone_name_check(const char *name, struct vmcp_error *err)
{
    static const char chars[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/";
    size_t len = strlen(name);
    if (len == 0 || len > VMCP_ZONE_NAME_MAX || strspn(name, chars) != len || name[0] == '/' ||
        name[len - 1] == '/' || strstr(name, "//"))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "a time zone is named as in the IANA database: Europe/Berlin, Etc/UTC");
    return 0;
}

/* The parts of one block of a file (RFC 8536, section 3.1). */
struct block {
    uint32_t isut, isstd, leap, times, types, chars;
    const uint8_t *body; /* behind the header */
    size_t len;          /* with times of `width` bytes */
};

static uint32_t read_u32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static int64_t read_i64(const uint8_t *p)
{
    return (int64_t)((uint64_t)read_u32(p) << 32 | read_u32(p + 4));
}

static int fail_cut(struct vmcp_error *err)
{
    return vmcp_fail(err, VMCP_E_FILE, "no whole TZif file (RFC 8536)");
}

/* Counts are at most 2^32 each, and the file is short: no sum of them runs over. */
static int take_block(const uint8_t *data, size_t len, size_t width, struct block *ret,
                      struct vmcp_error *err)
{
    if (len < HEADER_BYTES || memcmp(data, "TZif", 4) != 0)
        return vmcp_fail(err, VMCP_E_FILE, "no TZif file (RFC 8536)");
    if (data[4] < '2')
        return vmcp_fail(err, VMCP_E_FILE, "a TZif file of version 1, which ends in 2037");
    const uint8_t *n = data + 20;
    *ret = (struct block){read_u32(n),      read_u32(n + 4),  read_u32(n + 8),     read_u32(n + 12),
                          read_u32(n + 16), read_u32(n + 20), data + HEADER_BYTES, 0};
    uint64_t size = (uint64_t)ret->times * (width + 1) + (uint64_t)ret->types * TYPE_BYTES +
                    ret->chars + (uint64_t)ret->leap * (width + 4) + ret->isstd + ret->isut;
    if (size > len - HEADER_BYTES)
        return fail_cut(err);
    ret->len = (size_t)size;
    return 0;
}

static int take_times(const struct block *b, struct vmcp_zone *z, struct vmcp_error *err)
{
    const uint8_t *indexes = b->body + (size_t)b->times * 8, *types = indexes + b->times;
    z->times = calloc((size_t)b->times + 1, sizeof(*z->times));
    z->offsets = calloc((size_t)b->times + 1, sizeof(*z->offsets));
    if (!z->times || !z->offsets)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a time zone");
    if (b->leap)
        return vmcp_fail(err, VMCP_E_FILE, "a zone that counts leap seconds, which clocks do not");
    if (b->types == 0)
        return fail_cut(err);
    for (size_t i = 0; i < b->types; i++) {
        int32_t offset = (int32_t)read_u32(types + i * TYPE_BYTES);
        if (offset < -DAY || offset > 2 * DAY)
            return vmcp_fail(err, VMCP_E_FILE, "an offset of more than a day");
    }
    for (size_t i = 0; i < b->times; i++) {
        z->times[i] = read_i64(b->body + i * 8);
        if (indexes[i] >= b->types || (i > 0 && z->times[i] <= z->times[i - 1]))
            return fail_cut(err);
        z->offsets[i] = (int32_t)read_u32(types + (size_t)indexes[i] * TYPE_BYTES);
    }
    z->count = b->times;
    z->first = (int32_t)read_u32(types);
    return 0;
}

/* "\n…\n"; empty: nothing is known of what comes behind the last change. */
static int take_footer(const uint8_t *text, size_t len, struct vmcp_zone *z, struct vmcp_error *err)
{
    char rule[FOOTER_MAX];
    const uint8_t *end = len > 1 && text[0] == '\n' ? memchr(text + 1, '\n', len - 1) : NULL;
    size_t n = end ? (size_t)(end - text) - 1 : 0;
    if (!end || n >= sizeof(rule) || memchr(text + 1, '\0', n))
        return fail_cut(err);
    memcpy(rule, text + 1, n);
    rule[n] = '\0';
    z->has_rule = n > 0;
    return n ? vmcp_posixtz_parse(rule, &z->rule, err) : 0;
}

int vmcp_zone_parse(const void *data, size_t len, struct vmcp_zone **ret, struct vmcp_error *err)
{
    const uint8_t *bytes = data;
    struct block old = {0}, block = {0};
    auto_zone struct vmcp_zone *z = calloc(1, sizeof(*z));
    if (!z)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a time zone");
    int rc = take_block(bytes, len, 4, &old, err);
    size_t second = HEADER_BYTES + old.len;
    if (rc == 0)
        rc = take_block(bytes + second, len - second, 8, &block, err);
    if (rc == 0)
        rc = take_times(&block, z, err);
    if (rc == 0)
        rc = take_footer(block.body + block.len, len - second - HEADER_BYTES - block.len, z, err);
    if (rc < 0)
        return rc;
    *ret = steal(&z);
    return 0;
}

int vmcp_zone_load(const char *name, struct vmcp_zone **ret, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_ZONE_FILE_MAX);
    char path[sizeof(VMCP_ZONE_DIR) + VMCP_ZONE_NAME_MAX + 1];
    int rc = vmcp_zone_name_check(name, err);
    if (rc < 0)
        return rc;
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0) {
        *ret = calloc(1, sizeof(**ret));
        return *ret ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a time zone");
    }
    snprintf(path, sizeof(path), "%s/%s", VMCP_ZONE_DIR, name);
    rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, err);
    if (rc == 0)
        rc = vmcp_zone_parse(b.data ? b.data : "", b.len, ret, err);
    if (rc < 0)
        return vmcp_fail_at(err, VMCP_E_FILE, name,
                            "there is no such time zone on this machine (%s, of Debian's tzdata)",
                            path);
    return 0;
}

/* How many changes are not behind `at`. */
static size_t find(const struct vmcp_zone *z, int64_t at)
{
    size_t from = 0, to = z->count;
    while (from < to) {
        size_t middle = from + (to - from) / 2;
        if (z->times[middle] <= at)
            from = middle + 1;
        else
            to = middle;
    }
    return from;
}

struct vmcp_zone_span vmcp_zone_span(const struct vmcp_zone *z, int64_t at)
{
    size_t n = find(z, at);
    struct vmcp_zone_span span = {.from = n ? z->times[n - 1] : -VMCP_ZONE_ALWAYS,
                                  .to = n < z->count ? z->times[n] : VMCP_ZONE_ALWAYS,
                                  .offset = n ? z->offsets[n - 1] : z->first};
    if (n < z->count || !z->has_rule)
        return span;
    struct vmcp_zone_span by_rule = vmcp_posixtz_span(&z->rule, at);
    if (by_rule.from > span.from)
        span.from = by_rule.from;
    span.to = by_rule.to;
    span.offset = by_rule.offset;
    return span;
}

void vmcp_zone_text(const struct vmcp_zone *zone, int64_t at,
                    char ret[VMCP_AT_LEAST(VMCP_ZONE_TEXT_CHARS)])
{
    int32_t offset = vmcp_zone_span(zone, at).offset, east = offset < 0 ? -offset : offset;
    int64_t local = at + offset, days = local / DAY - (local % DAY < 0), year;
    int second = (int)(local - days * DAY), month, day;
    vmcp_days_to_date(days, &year, &month, &day);
    if (year < 0 || year > 9999)
        snprintf(ret, VMCP_ZONE_TEXT_CHARS, "@%lld", (long long)at);
    else
        snprintf(ret, VMCP_ZONE_TEXT_CHARS, "%04d-%02d-%02dT%02d:%02d:%02d%c%02d:%02d", (int)year,
                 month, day, second / 3600, second / 60 % 60, second % 60, offset < 0 ? '-' : '+',
                 east / 3600, east / 60 % 60);
}
