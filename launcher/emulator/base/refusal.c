/* SPDX-License-Identifier: Apache-2.0 */
#include "refusal.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

int emu_refuse(struct emu_refusal *ret, int status, const char *reason, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    *ret = (struct emu_refusal){.status = status, .reason = reason};
    vsnprintf(ret->message, sizeof(ret->message), fmt, args);
    va_end(args);
    return -1;
}

int emu_refuse_field(struct emu_refusal *ret, const char *field, const char *value, const char *why,
                     ...)
{
    char text[320];
    va_list args;
    va_start(args, why);
    vsnprintf(text, sizeof(text), why, args);
    va_end(args);
    return emu_refuse(ret, 400, "invalid", "Invalid value for field '%s': '%.128s'. %s", field,
                      value, text);
}

int emu_refuse_fault(struct emu_refusal *ret, const struct vmcp_error *err)
{
    return emu_refuse(ret, 500, "backendError", "Internal error of the emulator: %s", err->text);
}

/* The `status` that newer Google front ends put beside the number. */
static const char *status_name(int status)
{
    static const struct {
        int status;
        const char *name;
    } names[] = {
        {400, "INVALID_ARGUMENT"},    {401, "UNAUTHENTICATED"}, {403, "PERMISSION_DENIED"},
        {404, "NOT_FOUND"},           {409, "ALREADY_EXISTS"},  {412, "FAILED_PRECONDITION"},
        {429, "RESOURCE_EXHAUSTED"},  {500, "INTERNAL"},        {503, "UNAVAILABLE"},
        {405, "FAILED_PRECONDITION"}, {413, "OUT_OF_RANGE"},
    };
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (names[i].status == status)
            return names[i].name;
    return "UNKNOWN";
}

/* A message that was cut inside a character is not UTF-8 any more: drop what is left of it. */
static void mend_utf8(char *text)
{
    size_t len = strlen(text);
    while (len > 0) {
        json_auto_t *probe = json_stringn(text, len);
        if (probe)
            break;
        len--;
    }
    text[len] = '\0';
}

/* Limits of use have a domain of their own. */
static const char *domain_of(const char *reason)
{
    static const char *const limits[] = {"quotaExceeded", "rateLimitExceeded",
                                         "accessNotConfigured"};
    for (size_t i = 0; i < sizeof(limits) / sizeof(limits[0]); i++)
        if (strcmp(reason, limits[i]) == 0)
            return "usageLimits";
    return "global";
}

void emu_refusal_reply(const struct emu_refusal *refusal, struct http_reply *reply)
{
    char message[sizeof(refusal->message)];
    memcpy(message, refusal->message, sizeof(message));
    mend_utf8(message);
    json_auto_t *item = json_pack("{s:s, s:s, s:s}", "message", message, "domain",
                                  domain_of(refusal->reason), "reason", refusal->reason);
    if (refusal->location && item) {
        json_object_set_new(item, "locationType", json_string("header"));
        json_object_set_new(item, "location", json_string(refusal->location));
    }
    json_auto_t *body =
        json_pack("{s:{s:i, s:s, s:[O], s:s}}", "error", "code", refusal->status, "message",
                  message, "errors", item, "status", status_name(refusal->status));
    if (!body) {
        http_reply_text(reply, 500, "text/plain", "no memory\n");
        return;
    }
    if (refusal->status == 401) /* RFC 6750, section 3 */
        http_reply_header(reply, "WWW-Authenticate",
                          "Bearer realm=\"https://accounts.google.com/\", "
                          "error=\"invalid_token\"");
    if (refusal->retry_after > 0) {
        char seconds[16];
        snprintf(seconds, sizeof(seconds), "%d", refusal->retry_after);
        http_reply_header(reply, "Retry-After", seconds);
    }
    http_reply_json(reply, refusal->status, body);
}
