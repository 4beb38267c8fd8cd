/* SPDX-License-Identifier: Apache-2.0 */
#include "faults.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/json_values.h"
#include "lib/auto.h"
#include "schema.h"

enum { METHOD_MAX = 64, COUNT_MAX = 1000000, LATENCY_MAX = 600000, FAULTS_MAX = 256 };

struct fault {
    struct fault *next;
    int64_t id;
    char method[METHOD_MAX + 1];
    enum emu_fault kind;
    int64_t count, after; /* calls still to meet it, and to let through; count -1: for ever */
    int64_t met;
    int32_t latency_ms, retry_after;
};

struct emu_faults {
    pthread_mutex_t lock;
    struct fault *first;
    int64_t last_id;
    int count;
};

static const char *const names[] = {
    [EMU_FAULT_STOCKOUT] = "stockout",        [EMU_FAULT_QUOTA] = "quota",
    [EMU_FAULT_RATE] = "rateLimit",           [EMU_FAULT_REQUESTS] = "tooManyRequests",
    [EMU_FAULT_UNAVAILABLE] = "unavailable",  [EMU_FAULT_INTERNAL] = "internal",
    [EMU_FAULT_DROP_REQUEST] = "dropRequest", [EMU_FAULT_DROP_ANSWER] = "dropAnswer",
    [EMU_FAULT_LATENCY] = "latency",
};

enum { NAME_COUNT = sizeof(names) / sizeof(names[0]) };

int emu_faults_new(struct emu_faults **ret, struct vmcp_error *err)
{
    struct emu_faults *faults = calloc(1, sizeof(*faults));
    if (!faults)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the faults");
    pthread_mutex_init(&faults->lock, NULL);
    *ret = faults;
    return 0;
}

static void clear(struct emu_faults *faults)
{
    while (faults->first) {
        struct fault *fault = faults->first;
        faults->first = fault->next;
        free(fault);
    }
    faults->count = 0;
}

void emu_faults_free(struct emu_faults *faults)
{
    if (!faults)
        return;
    clear(faults);
    pthread_mutex_destroy(&faults->lock);
    free(faults);
}

static json_t *describe(const struct fault *fault)
{
    json_t *made = json_pack("{s:o, s:s, s:s, s:I, s:I, s:I}", "id",
                             json_sprintf("%lld", (long long)fault->id), "method", fault->method,
                             "fault", names[fault->kind], "count", (json_int_t)fault->count,
                             "after", (json_int_t)fault->after, "met", (json_int_t)fault->met);
    if (made && fault->latency_ms)
        json_object_set_new(made, "latencyMs", json_integer(fault->latency_ms));
    if (made && fault->retry_after)
        json_object_set_new(made, "retryAfter", json_integer(fault->retry_after));
    return made;
}

static int read_kind(const json_t *body, enum emu_fault *ret, struct emu_refusal *why)
{
    const char *text = emu_text_at(body, "fault");
    for (int i = 1; text && i < NAME_COUNT; i++) {
        if (strcmp(names[i], text) != 0)
            continue;
        *ret = (enum emu_fault)i;
        return 0;
    }
    return emu_refuse_field(why, "fault", text ? text : "",
                            "Must be one of stockout, quota, rateLimit, tooManyRequests, "
                            "unavailable, internal, dropRequest, dropAnswer, latency.");
}

static int read_number(const json_t *body, const char *key, int64_t least, int64_t most,
                       int64_t unset, int64_t *ret, struct emu_refusal *why)
{
    const json_t *value = json_object_get(body, key);
    char text[24];
    *ret = value ? json_integer_value(value) : unset;
    snprintf(text, sizeof(text), "%lld", (long long)*ret);
    if (*ret < least || *ret > most)
        return emu_refuse_field(why, key, text, "Must be a number from %lld to %lld.",
                                (long long)least, (long long)most);
    return 0;
}

static int read_fault(const json_t *body, struct fault *ret, struct emu_refusal *why)
{
    const char *method = emu_text_at(body, "method");
    int64_t latency = 0, retry_after = 0;
    int rc = read_kind(body, &ret->kind, why);
    if (rc == 0)
        rc = read_number(body, "count", -1, COUNT_MAX, 1, &ret->count, why);
    if (rc == 0)
        rc = read_number(body, "after", 0, COUNT_MAX, 0, &ret->after, why);
    if (rc == 0)
        rc = read_number(body, "latencyMs", 0, LATENCY_MAX, 0, &latency, why);
    if (rc == 0)
        rc = read_number(body, "retryAfter", 0, 3600, 0, &retry_after, why);
    if (rc < 0)
        return rc;
    if (!method || !*method || strlen(method) > METHOD_MAX)
        return emu_refuse_field(why, "method", method ? method : "",
                                "Must name methods, like instances.insert, instances.* or *.");
    if ((ret->kind == EMU_FAULT_LATENCY) != (latency > 0))
        return emu_refuse_field(why, "latencyMs", "",
                                "It goes with the fault latency, and only with that.");
    snprintf(ret->method, sizeof(ret->method), "%s", method);
    ret->latency_ms = (int32_t)latency;
    ret->retry_after = (int32_t)retry_after;
    return 0;
}

int emu_faults_add(struct emu_faults *faults, const json_t *body, json_t **ret,
                   struct emu_refusal *why)
{
    auto_free struct fault *fault = calloc(1, sizeof(*fault));
    if (!fault)
        return emu_refuse(why, 500, "backendError", "No memory for a fault.");
    int rc = read_fault(body, fault, why);
    if (rc < 0)
        return rc;
    pthread_mutex_lock(&faults->lock);
    struct fault **end = &faults->first;
    while (*end)
        end = &(*end)->next;
    bool room = faults->count < FAULTS_MAX;
    if (room) {
        fault->id = ++faults->last_id;
        *ret = describe(fault);
        *end = steal(&fault);
        faults->count++;
    }
    pthread_mutex_unlock(&faults->lock);
    return room ? 0 : emu_refuse(why, 400, "invalid", "At most %d faults.", FAULTS_MAX);
}

json_t *emu_faults_list(struct emu_faults *faults)
{
    json_t *items = json_array();
    pthread_mutex_lock(&faults->lock);
    for (const struct fault *f = faults->first; f; f = f->next)
        json_array_append_new(items, describe(f));
    pthread_mutex_unlock(&faults->lock);
    return items;
}

bool emu_faults_remove(struct emu_faults *faults, const char *id)
{
    bool found = !id;
    pthread_mutex_lock(&faults->lock);
    if (!id)
        clear(faults);
    for (struct fault **at = &faults->first; id && *at && !found;) {
        char text[24];
        snprintf(text, sizeof(text), "%lld", (long long)(*at)->id);
        if (strcmp(text, id) != 0) {
            at = &(*at)->next;
            continue;
        }
        struct fault *gone = *at;
        *at = gone->next;
        free(gone);
        faults->count--;
        found = true;
    }
    pthread_mutex_unlock(&faults->lock);
    return found;
}

/* "instances.*" and "*" stand for all that begins so. */
bool emu_faults_name(const char *pattern, const char *method)
{
    size_t len = strlen(pattern);
    if (len > 0 && pattern[len - 1] == '*')
        return strncmp(pattern, method, len - 1) == 0;
    return strcmp(pattern, method) == 0;
}

struct emu_fault_met emu_faults_take(struct emu_faults *faults, const char *method)
{
    struct emu_fault_met met = {0};
    pthread_mutex_lock(&faults->lock);
    for (struct fault *f = faults->first; f; f = f->next) {
        bool late = f->kind == EMU_FAULT_LATENCY;
        if (f->count == 0 || !emu_faults_name(f->method, method) || (!late && met.kind))
            continue;
        if (f->after > 0) {
            f->after--;
            continue;
        }
        f->met++;
        f->count -= f->count > 0;
        if (late) {
            met.latency_ms += f->latency_ms;
        } else {
            met.kind = f->kind;
            met.retry_after = f->retry_after;
        }
    }
    pthread_mutex_unlock(&faults->lock);
    return met;
}

int emu_fault_refuse(enum emu_fault kind, const char *number, const char *region,
                     struct emu_refusal *why)
{
    switch (kind) {
    case EMU_FAULT_QUOTA:
        return emu_refuse(why, 403, "quotaExceeded",
                          "Quota 'CPUS' exceeded.  Limit: 0.0 in region %s.", region);
    case EMU_FAULT_RATE:
    case EMU_FAULT_REQUESTS:
        return emu_refuse(
            why, kind == EMU_FAULT_RATE ? 403 : 429, "rateLimitExceeded",
            "Quota exceeded for quota metric 'Queries' and limit 'Queries per minute' "
            "of service 'compute.googleapis.com' for consumer 'project_number:%s'.",
            number);
    case EMU_FAULT_UNAVAILABLE:
        return emu_refuse(why, 503, "backendError", "The service is currently unavailable.");
    case EMU_FAULT_INTERNAL:
        return emu_refuse(why, 500, "internalError", "Internal error. Please try again.");
    default:
        return 0;
    }
}

int emu_faults_take_quietly(struct emu_faults *faults, const char *method, bool *ret_stockout,
                            struct emu_refusal *why)
{
    struct emu_fault_met met = emu_faults_take(faults, method);
    *ret_stockout = met.kind == EMU_FAULT_STOCKOUT;
    return emu_fault_refuse(met.kind, "0", "-", why);
}
