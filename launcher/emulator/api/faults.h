/* SPDX-License-Identifier: Apache-2.0 */
/* faults.h - faults that tests ask for: which calls are to fail, how, and how often.
 *
 * A fault names a method ("instances.insert", "instances.*", "*"). Calls that were authorised meet
 * the faults in the order in which they were made; each is met `count` times, after it has let
 * `after` calls through. They live in memory only.
 */
#ifndef EMU_FAULTS_H
#define EMU_FAULTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/refusal.h"

struct emu_faults;

enum emu_fault {
    EMU_FAULT_NONE,
    EMU_FAULT_STOCKOUT,     /* the operation ends with ZONE_RESOURCE_POOL_EXHAUSTED */
    EMU_FAULT_QUOTA,        /* 403 quotaExceeded */
    EMU_FAULT_RATE,         /* 403 rateLimitExceeded */
    EMU_FAULT_REQUESTS,     /* 429 rateLimitExceeded */
    EMU_FAULT_UNAVAILABLE,  /* 503 backendError */
    EMU_FAULT_INTERNAL,     /* 500 internalError */
    EMU_FAULT_DROP_REQUEST, /* the connection is closed, nothing was done */
    EMU_FAULT_DROP_ANSWER,  /* it was done, and the connection is closed without an answer */
    EMU_FAULT_LATENCY,      /* the call is answered later */
};

/* What a call meets. */
struct emu_fault_met {
    int32_t latency_ms;
    int32_t retry_after; /* seconds, for the header; 0: none */
    enum emu_fault kind; /* never LATENCY */
};

VMCP_MUST_CHECK int emu_faults_new(struct emu_faults **ret, struct vmcp_error *err);
void emu_faults_free(struct emu_faults *faults);

/* Add the fault that `body` describes. *ret is what emu_faults_list() says of it. */
VMCP_MUST_CHECK int emu_faults_add(struct emu_faults *faults, const json_t *body, json_t **ret,
                                   struct emu_refusal *why);
/* All of them, in their order. New reference. */
json_t *emu_faults_list(struct emu_faults *faults);
/* Take away all (NULL), or the one with that id. False if there is none. */
/* True if `pattern` (a method, "instances.*" or "*") means `method`. */
bool emu_faults_name(const char *pattern, const char *method);

bool emu_faults_remove(struct emu_faults *faults, const char *id);

/* What the next call of `method` meets; counts it. */
struct emu_fault_met emu_faults_take(struct emu_faults *faults, const char *method);

/* The refusal that a fault stands for: -1, or 0 for those that are none. */
VMCP_MUST_CHECK int emu_fault_refuse(enum emu_fault kind, const char *number, const char *region,
                                     struct emu_refusal *why);

/* For what the emulator does by itself: only stockouts and refusals count. */
VMCP_MUST_CHECK int emu_faults_take_quietly(struct emu_faults *faults, const char *method,
                                            bool *ret_stockout, struct emu_refusal *why);

#endif
