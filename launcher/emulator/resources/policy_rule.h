/* SPDX-License-Identifier: Apache-2.0 */
/* policy_rule.h - the rules of a security policy, each with a priority of its own.
 */
#ifndef EMU_POLICY_RULE_H
#define EMU_POLICY_RULE_H

#include <jansson.h>

#include "base/refusal.h"

/* The rule that every policy has and that cannot be removed. */
#define EMU_DEFAULT_PRIORITY INT64_C(2147483647)

/* Check a rule, whose members were checked against their schema. */
VMCP_MUST_CHECK int emu_policy_rule_check(const json_t *rule, struct emu_refusal *why);

/* The rule with that priority in `rules`, borrowed; NULL: there is none. */
json_t *emu_policy_rule_find(const json_t *rules, int64_t priority);
/* Put a rule (a new reference) where its priority belongs. */
void emu_policy_rule_add(json_t *rules, json_t *rule);
void emu_policy_rule_remove(json_t *rules, int64_t priority);

/* The rule that allows all. New reference. */
json_t *emu_policy_rule_default(void);

/* Change `rule` as the members of `patch` (which stays as it is) say. What `mask` names
 * (snake_case, with commas; NULL: nothing) and `patch` does not have is taken away. */
void emu_policy_rule_patch(json_t *rule, json_t *patch, const char *mask);

#endif
