/* SPDX-License-Identifier: Apache-2.0 */
#include "options.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Damerau-Levenshtein distance without transposition across edits, for words of up to 63 bytes. */
static size_t distance(const char *a, const char *b)
{
    size_t la = strlen(a), lb = strlen(b);
    size_t rows[3][64] = {{0}};
    if (la > 63 || lb > 63)
        return 64;
    for (size_t j = 0; j <= lb; j++)
        rows[1][j] = j;
    for (size_t i = 1; i <= la; i++) {
        size_t *two = rows[(i + 2) % 3], *one = rows[i % 3], *now = rows[(i + 1) % 3];
        now[0] = i;
        for (size_t j = 1; j <= lb; j++) {
            size_t best = one[j - 1] + (a[i - 1] != b[j - 1]);
            if (one[j] + 1 < best)
                best = one[j] + 1;
            if (now[j - 1] + 1 < best)
                best = now[j - 1] + 1;
            if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
                two[j - 2] + 1 < best)
                best = two[j - 2] + 1;
            now[j] = best;
        }
    }
    return rows[(la + 1) % 3][lb];
}

const char *vmcp_suggest(const char *word, const void *names, size_t count, size_t stride)
{
    const char *best = NULL;
    size_t best_distance = strlen(word) < 4 ? 2 : 3; /* nearer than this */
    for (size_t i = 0; i < count; i++) {
        const char *name = *(const char *const *)((const char *)names + i * stride);
        size_t d = distance(word, name);
        if (d < best_distance) {
            best = name;
            best_distance = d;
        }
    }
    return best;
}

static const struct vmcp_option *find(const struct vmcp_command *command, const char *name,
                                      size_t len)
{
    for (const struct vmcp_option *o = command->options; o->name; o++)
        if (strlen(o->name) == len && memcmp(o->name, name, len) == 0)
            return o;
    return NULL;
}

static int unknown(const struct vmcp_command *command, const char *name, size_t len,
                   struct vmcp_error *err)
{
    char word[64];
    snprintf(word, sizeof(word), "%.*s", (int)len, name);
    size_t count = 0;
    while (command->options[count].name)
        count++;
    const char *near = vmcp_suggest(word, command->options, count, sizeof(*command->options));
    if (near)
        return vmcp_fail(err, VMCP_E_USAGE, "there is no option --%s; did you mean --%s?", word,
                         near);
    return vmcp_fail(err, VMCP_E_USAGE, "there is no option --%s; `%s --help` lists them", word,
                     command->name);
}

static int set_int(const struct vmcp_option *o, int64_t *field, const char *value,
                   struct vmcp_error *err)
{
    char *end = NULL;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    if (!*value || *end || errno || n < o->min || n > o->max)
        return vmcp_fail(err, VMCP_E_USAGE, "--%s %s: a whole number from %lld to %lld is wanted",
                         o->name, value, (long long)o->min, (long long)o->max);
    *field = n;
    return 0;
}

static int set_time(const struct vmcp_option *o, int64_t *field, const char *value,
                    struct vmcp_error *err)
{
    static const char units[] = "smhd";
    static const int64_t seconds[] = {1, 60, 3600, 86400};
    char *end = NULL;
    errno = 0;
    long long n = strtoll(value, &end, 10);
    const char *unit = *end ? strchr(units, *end) : units;
    bool good = end > value && !errno && unit && (!*end || !end[1]) && n >= 0;
    if (!good || n > o->max / seconds[unit - units] || n * seconds[unit - units] < o->min)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--%s %s: a time from %llds to %llds is wanted, as 90s, 15m, 24h or 2d",
                         o->name, value, (long long)o->min, (long long)o->max);
    *field = n * seconds[unit - units];
    return 0;
}

static int set_value(const struct vmcp_option *o, void *args, const char *value, bool seen,
                     struct vmcp_error *err)
{
    void *field = (char *)args + o->offset;
    if (seen && o->kind != VMCP_OPT_LIST && o->kind != VMCP_OPT_FLAG)
        return vmcp_fail(err, VMCP_E_USAGE, "--%s is given twice", o->name);
    switch (o->kind) {
    case VMCP_OPT_FLAG:
        *(bool *)field = true;
        return 0;
    case VMCP_OPT_STRING:
    case VMCP_OPT_MAYBE:
        *(const char **)field = value;
        return 0;
    case VMCP_OPT_INT:
        return set_int(o, field, value, err);
    case VMCP_OPT_TIME:
        return set_time(o, field, value, err);
    case VMCP_OPT_LIST: {
        struct vmcp_list *list = field;
        if (list->count == VMCP_LIST_MAX)
            return vmcp_fail(err, VMCP_E_USAGE, "--%s is given more than %d times", o->name,
                             VMCP_LIST_MAX);
        list->items[list->count++] = value;
        return 0;
    }
    }
    return vmcp_fail(err, VMCP_E_INTERNAL, "option --%s has no kind", o->name);
}

/* One option at argv[*i]; moves *i over its value. */
static int parse_option(const struct vmcp_command *command, int argc, char **argv, int *i,
                        void *args, uint64_t *seen, struct vmcp_error *err)
{
    const char *name = argv[*i] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals ? (size_t)(equals - name) : strlen(name);
    const struct vmcp_option *o = find(command, name, len);
    if (!o)
        return unknown(command, name, len, err);
    const char *value = equals ? equals + 1 : "";
    bool wants = o->kind != VMCP_OPT_FLAG && o->kind != VMCP_OPT_MAYBE;
    if (o->kind == VMCP_OPT_FLAG && equals)
        return vmcp_fail(err, VMCP_E_USAGE, "--%s takes no value", o->name);
    if (wants && !equals) {
        if (*i + 1 >= argc)
            return vmcp_fail(err, VMCP_E_USAGE, "--%s wants a value: %s", o->name, o->metavar);
        value = argv[++*i];
    }
    uint64_t bit = UINT64_C(1) << (o - command->options);
    int rc = set_value(o, args, value, *seen & bit, err);
    *seen |= bit;
    return rc;
}

int vmcp_options_parse(const struct vmcp_command *command, int argc, char **argv, void *args,
                       struct vmcp_list *ret_operands, bool *ret_help, struct vmcp_error *err)
{
    uint64_t seen = 0;
    bool only_operands = false;
    *ret_help = false;
    for (int i = 1; i < argc; i++) {
        const char *arg = argv[i];
        if (!only_operands && (strcmp(arg, "--help") == 0 || strcmp(arg, "-h") == 0)) {
            *ret_help = true;
            return 0;
        }
        if (!only_operands && strcmp(arg, "--") == 0) {
            only_operands = true;
        } else if (!only_operands && strncmp(arg, "--", 2) == 0) {
            int rc = parse_option(command, argc, argv, &i, args, &seen, err);
            if (rc < 0)
                return rc;
        } else if (!only_operands && arg[0] == '-' && arg[1]) {
            return vmcp_fail(err, VMCP_E_USAGE, "there is no option %s; options begin with --",
                             arg);
        } else if (ret_operands->count == VMCP_LIST_MAX) {
            return vmcp_fail(err, VMCP_E_USAGE, "more than %d operands", VMCP_LIST_MAX);
        } else {
            ret_operands->items[ret_operands->count++] = arg;
        }
    }
    size_t n = ret_operands->count;
    if (n < command->min_operands)
        return vmcp_fail(err, VMCP_E_USAGE, "%s is missing; usage: %s [options] %s",
                         command->operands, command->name, command->operands);
    if (n > command->max_operands)
        return vmcp_fail(err, VMCP_E_USAGE, "`%s` is one too many; usage: %s [options]%s%s",
                         ret_operands->items[command->max_operands], command->name,
                         *command->operands ? " " : "", command->operands);
    return 0;
}

void vmcp_command_help(const struct vmcp_command *command, struct vmcp_buf *out)
{
    vmcp_buf_addf(out, "%s - %s\n\nusage: %s [options]%s%s\n", command->name, command->summary,
                  command->name, *command->operands ? " " : "", command->operands);
    if (command->details)
        vmcp_buf_addf(out, "\n%s", command->details);
    vmcp_buf_adds(out, "\noptions:\n");
    for (const struct vmcp_option *o = command->options; o->name; o++) {
        if (!o->help)
            continue;
        char left[80];
        const char *join = o->kind == VMCP_OPT_MAYBE ? "[=" : " ";
        snprintf(left, sizeof(left), "--%s%s%s%s", o->name, o->metavar ? join : "",
                 o->metavar ? o->metavar : "", o->kind == VMCP_OPT_MAYBE ? "]" : "");
        vmcp_buf_addf(out, "  %-30s%s%s%s\n", left,
                      strlen(left) > 30 ? "\n                                 " : " ", o->help,
                      o->kind == VMCP_OPT_LIST ? " (may be repeated)" : "");
    }
    vmcp_buf_addf(out, "  %-30s %s\n", "--help", "show this text");
    if (command->example)
        vmcp_buf_addf(out, "\nexample:\n%s", command->example);
}
