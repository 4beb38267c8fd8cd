/* SPDX-License-Identifier: Apache-2.0 */
/* draft.h - what a machine's parameters mean on Compute Engine (launcher.md, "Plan").
 *
 * One function for each row of that table, each writing into the plan: the body's members, where
 * they come from, and what is worth a warning. Nothing here looks at the `gce` part.
 */
#ifndef LAUNCH_DRAFT_H
#define LAUNCH_DRAFT_H

#include <jansson.h>

#include "cloud/image.h"
#include "cloud/resource.h"
#include "lib/answer.h"
#include "lib/error.h"
#include "settings.h"

/* What is to be planned. All borrowed. */
struct launch_subject {
    const struct launch_settings *settings;
    const struct vmcp_answer *answer; /* a good one */
    const char *domain, *machine;
    const char *made_by;              /* VM-1's name, or NULL */
    const struct launch_image *image; /* of the boot disk */
};

struct launch_plan {
    json_t *body;    /* while it is a draft, `metadata` is an object of key to value */
    json_t *from;    /* where a part of the draft comes from, in words, by the part's path */
    json_t *origins; /* rows of {"path", "value", "from"}, for the final body (origins.h) */
    json_t *warnings;
    char name[LAUNCH_LABEL_MAX + 1];
    char zone[LAUNCH_LABEL_MAX + 1];
};

/* Parameters of the machine; `fallback` where it has none. */
const char *launch_parameter_string(const struct vmcp_answer *answer, const char *name,
                                    const char *fallback);
json_int_t launch_parameter_integer(const struct vmcp_answer *answer, const char *name,
                                    json_int_t fallback);

/* Fill an empty plan with the draft of VM `number` (0: the only one). Errors: VMCP_E_PLAN,
 * VMCP_E_NO_MEMORY. */
VMCP_MUST_CHECK int launch_draft(const struct launch_subject *subject, const char *zone,
                                 int64_t number, struct launch_plan *plan, struct vmcp_error *err);

/* Put the launcher's own labels into the body, after the `gce` part is: they are not its to set. */
VMCP_MUST_CHECK int launch_draft_labels(const struct launch_subject *subject,
                                        struct launch_plan *plan, struct vmcp_error *err);

/* Say in the plan where a part of the body comes from: "disks[0].initializeParams.diskSizeGb", or
 * all that is below "disks". */
void launch_plan_from(struct launch_plan *plan, const char *path, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void launch_plan_warn(struct launch_plan *plan, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

#endif
