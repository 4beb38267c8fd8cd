/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/json.h"

int cmd_parse(const struct vmcp_command *command, int argc, char **argv, void *args,
              struct vmcp_list *ret_operands, struct vmcp_error *err)
{
    bool help = false;
    int rc = vmcp_options_parse(command, argc, argv, args, ret_operands, &help, err);
    if (rc < 0 || !help)
        return rc;
    auto_buf struct vmcp_buf text = VMCP_BUF(16384);
    vmcp_command_help(command, &text);
    fputs(text.data ? text.data : "", stdout);
    return 1;
}

json_t *cmd_json_string(const char *s)
{
    auto_free char *copy = strdup(s);
    if (!copy)
        return NULL;
    vmcp_text_clean(copy);
    return json_string(copy);
}

/* DEL and C1 (U+0080 to U+009F) stand in JSON as they are (RFC 8259, section 7), and steer
 * terminals: there they are written as escapes, which say the same. */
static void print_escaped(const char *text)
{
    for (const unsigned char *s = (const unsigned char *)text; *s; s++) {
        if (*s == 0x7f)
            fputs("\\u007f", stdout);
        else if (*s == 0xc2 && s[1] >= 0x80 && s[1] <= 0x9f)
            printf("\\u%04x", *++s);
        else
            putchar(*s);
    }
    putchar('\n');
}

void cmd_print_json(const json_t *value)
{
    auto_free char *text = json_dumps(value, JSON_INDENT(2));
    if (text && isatty(STDOUT_FILENO))
        print_escaped(text);
    else if (text)
        puts(text);
}

bool cmd_is_stdin(const char *name)
{
    static const char *const names[] = {"-", "file:-", "fd:0"};
    for (size_t i = 0; name && i < sizeof(names) / sizeof(*names); i++)
        if (strcmp(name, names[i]) == 0)
            return true;
    return false;
}

size_t cmd_count_stdin(const struct vmcp_list *names)
{
    size_t count = 0;
    for (size_t i = 0; i < names->count; i++)
        count += cmd_is_stdin(names->items[i]);
    return count;
}

int cmd_stdin_once(size_t uses, struct vmcp_error *err)
{
    return uses <= 1 ? 0
                     : vmcp_fail(err, VMCP_E_USAGE,
                                 "standard input is wanted %zu times; only one of what is given "
                                 "can come from there",
                                 uses);
}

bool cmd_colour(void)
{
    const char *no_color = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(STDOUT_FILENO) && !(no_color && *no_color) && term && strcmp(term, "dumb") != 0;
}

static int resolve(struct vmcp_trust *trust, const char *jwks, struct vmcp_error *err)
{
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_TRUST_FILE_MAX);
    int rc = vmcp_file_read(jwks, VMCP_FILE_PUBLIC, &b, err);
    if (rc == 0)
        rc = vmcp_trust_resolve(trust, b.data ? b.data : "", b.len, err);
    return rc < 0 ? vmcp_error_locate(err, jwks) : 0;
}

int cmd_trust(const char *domain, const struct vmcp_list *files,
              const struct vmcp_list *thumbprints, const char *jwks, struct vmcp_trust **ret,
              struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = NULL;
    if (files->count + thumbprints->count == 0)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--trust FILE or --thumbprint T is wanted: which keys "
                         "are good?");
    int rc = vmcp_trust_new(domain, &trust, err);
    for (size_t i = 0; rc == 0 && i < files->count; i++)
        rc = vmcp_trust_add_file(trust, files->items[i], err);
    for (size_t i = 0; rc == 0 && i < thumbprints->count; i++)
        rc = vmcp_trust_add_thumbprint(trust, thumbprints->items[i], err);
    if (rc == 0 && jwks)
        rc = resolve(trust, jwks, err);
    if (rc < 0)
        return rc;
    *ret = steal(&trust);
    return 0;
}

/* One note of the parts in `bits`, if there are any. */
static void print_unchecked(unsigned bits, const char *why)
{
    static const struct {
        unsigned bit;
        const char *what;
    } parts[] = {{VMCP_UNCHECKED_DOMAIN, "domain"},  {VMCP_UNCHECKED_MACHINE, "machine"},
                 {VMCP_UNCHECKED_HOSTID, "host id"}, {VMCP_UNCHECKED_TIME, "time"},
                 {VMCP_UNCHECKED_SERIAL, "serial"},  {VMCP_UNCHECKED_NAME, "name"}};
    const char *comma = "";
    if (!bits)
        return;
    fputs("note: not checked:", stderr);
    for (size_t i = 0; i < sizeof(parts) / sizeof(*parts); i++)
        if (bits & parts[i].bit) {
            fprintf(stderr, "%s %s", comma, parts[i].what);
            comma = ",";
        }
    fprintf(stderr, " (%s)\n", why);
}

static void print_notes(const struct vmcp_answer *a)
{
    /* Version 1 has a name, and nothing else that could be held against an expectation. */
    unsigned lacking = a->format == VMCP_FORMAT_V1 ? ~(unsigned)VMCP_UNCHECKED_NAME : 0;
    for (size_t i = 0; i < a->notes.count; i++)
        fprintf(stderr, "warning: %s: %s\n", a->notes.items[i].pointer, a->notes.items[i].text);
    print_unchecked(a->unchecked & lacking, "version 1 does not carry them");
    print_unchecked(a->unchecked & ~lacking, "no expectation was given");
}

static json_t *describe(const struct vmcp_answer *a)
{
    bool is_job = a->kind == VMCP_KIND_JOB;
    json_t *d = json_pack("{s:s, s:s, s:s, s:s, s:O}", "code", "ok", "format",
                          a->format == VMCP_FORMAT_V1 ? "v1" : "v2", "alg", a->alg, "kid",
                          a->thumbprint, vmcp_kind_name(a->kind), is_job ? a->job : a->params);
    if (d && !is_job)
        json_object_set_new(d, "count", json_integer(a->count));
    if (!d || a->format == VMCP_FORMAT_V1)
        return d;
    json_object_set_new(d, "iss", json_string(a->domain));
    json_object_set_new(d, "sub", json_string(a->machine));
    json_object_set_new(d, "jti", json_string(a->jti));
    json_object_set_new(d, "iat", json_integer(a->iat));
    json_object_set_new(d, "exp", json_integer(a->exp));
    json_object_set_new(d, "serial", json_integer(a->serial));
    if (a->gce)
        json_object_set(d, "gce", a->gce);
    return d;
}

int cmd_print_answer(const struct vmcp_answer *answer, bool json, struct vmcp_error *err)
{
    json_auto_t *all = json ? describe(answer) : NULL;
    if (json && !all)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the report");
    print_notes(answer);
    cmd_print_json(json ? all : answer->kind == VMCP_KIND_JOB ? answer->job : answer->params);
    return 0;
}
