/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "cloud/resource.h"
#include "screen.h"

enum { LINE_MAX_ = 1100 };

/* Threads say what they do; the object is one. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/* One line, whatever the arguments held: text of other machines must not move the cursor. */
__attribute__((format(printf, 2, 0))) static void compose(const char *mark, const char *fmt,
                                                          va_list args, char *ret, size_t size)
{
    char text[1024];
    vsnprintf(text, sizeof(text), fmt, args);
    int n = snprintf(ret, size, "vmcp-launch: %s", mark);
    launch_clean(text, ret + n, size - (size_t)n);
}

void launch_say(const struct launch_report *report, const char *fmt, ...)
{
    char line[LINE_MAX_];
    va_list args;
    (void)report;
    va_start(args, fmt);
    compose("", fmt, args, line, sizeof(line));
    va_end(args);
    launch_screen_line(line);
}

void launch_progress(const struct launch_report *report, const char *fmt, ...)
{
    char line[LINE_MAX_];
    va_list args;
    (void)report;
    va_start(args, fmt);
    compose("", fmt, args, line, sizeof(line));
    va_end(args);
    launch_screen_progress(line);
}

static void keep(json_t **array, const char *text)
{
    pthread_mutex_lock(&lock);
    if (!*array)
        *array = json_array();
    if (*array)
        json_array_append_new(*array, json_string(text));
    pthread_mutex_unlock(&lock);
}

void launch_warn(struct launch_report *report, const char *fmt, ...)
{
    static const char mark[] = "warning: ";
    char line[LINE_MAX_];
    va_list args;
    va_start(args, fmt);
    compose(mark, fmt, args, line, sizeof(line));
    va_end(args);
    launch_screen_line(line);
    keep(&report->warnings, strstr(line, mark) + strlen(mark));
}

void launch_advise(struct launch_report *report, const char *advice)
{
    bool told = false;
    pthread_mutex_lock(&lock);
    for (size_t i = 0; i < json_array_size(report->advice); i++)
        told |= strcmp(json_string_value(json_array_get(report->advice, i)), advice) == 0;
    pthread_mutex_unlock(&lock);
    if (told) /* sixteen VMs fail for one reason */
        return;
    launch_say(report, "advice: %s", advice);
    keep(&report->advice, advice);
}

void launch_report_set(struct launch_report *report, const char *key, json_t *value)
{
    if (!report->out)
        report->out = json_object();
    if (report->out && value)
        json_object_set_new(report->out, key, value);
    else
        json_decref(value);
}

json_t *launch_report_array(struct launch_report *report, const char *key)
{
    json_t *array = json_object_get(report->out, key);
    if (!array) {
        launch_report_set(report, key, json_array());
        array = json_object_get(report->out, key);
    }
    return array;
}

/* The code point that begins at `s` and has `len` bytes, 1 to 3 (RFC 3629, section 3). */
static unsigned code_point(const char *s, size_t len)
{
    static const unsigned char first[] = {0x7f, 0x1f, 0x0f};
    unsigned value = (unsigned char)s[0] & first[len - 1];
    for (size_t i = 1; i < len; i++)
        value = value << 6 | ((unsigned char)s[i] & 0x3f);
    return value;
}

/* DEL, C1 and what turns the direction of writing stand in JSON as they are (RFC 8259, section 7),
 * and steer terminals. Line ends are those of the layout. */
static void print_escaped(const char *text)
{
    while (*text) {
        size_t steers = *text == '\n' ? 0 : launch_steers(text);
        if (steers)
            printf("\\u%04x", code_point(text, steers));
        else
            putchar((unsigned char)*text);
        text += steers ? steers : 1;
    }
    putchar('\n');
}

void launch_print_json(const json_t *value, size_t flags)
{
    auto_free char *text = json_dumps(value, flags);
    if (text && isatty(STDOUT_FILENO))
        print_escaped(text);
    else if (text)
        puts(text);
}

static void print_object(const struct launch_report *report, int rc, const struct vmcp_error *err)
{
    json_auto_t *object = json_object();
    if (!object)
        return;
    json_object_set_new(object, "code", json_string(vmcp_code_name(rc < 0 ? err->code : VMCP_OK)));
    json_object_set_new(object, "verb", json_string(report->verb));
    if (rc < 0) {
        json_object_set_new(object, "detail", json_string(err->text));
        if (err->where[0])
            json_object_set_new(object, "where", json_string(err->where));
    }
    json_object_update(object, report->out);
    if (report->warnings)
        json_object_set(object, "warnings", report->warnings);
    if (report->advice)
        json_object_set(object, "advice", report->advice);
    launch_print_json(object, JSON_COMPACT);
}

int launch_report_end(struct launch_report *report, int rc, const struct vmcp_error *err)
{
    launch_screen_end();
    if (rc < 0) {
        char where[sizeof(err->where)], text[sizeof(err->text)];
        launch_clean(err->where, where, sizeof(where));
        launch_clean(err->text, text, sizeof(text));
        fprintf(stderr, "vmcp-launch: %s: %s%s%s\n", vmcp_code_name(err->code), where,
                where[0] ? ": " : "", text);
    }
    if (report->json)
        print_object(report, rc, err);
    if (fflush(stdout) != 0 && rc >= 0)
        return vmcp_code_exit(VMCP_E_FILE);
    return rc < 0 ? vmcp_code_exit(err->code) : VMCP_EXIT_DONE;
}

void launch_report_clear(struct launch_report *report)
{
    json_decref(report->out);
    json_decref(report->warnings);
    json_decref(report->advice);
    report->out = report->warnings = report->advice = NULL;
}
