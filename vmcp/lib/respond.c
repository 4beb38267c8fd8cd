/* SPDX-License-Identifier: Apache-2.0 */
#include "respond.h"

#include <stdlib.h>

#include "answer.h"
#include "auto.h"
#include "json.h"
#include "macro.h"
#include "name.h"

/* The machine as this asker gets it: its macros replaced. Without macros the results stay NULL. */
static int expand(const struct vmcp_responder *r, const struct vmcp_config *c,
                  const struct vmcp_question *q, int64_t now, json_t **ret_machine,
                  json_t **ret_gce, struct vmcp_error *err)
{
    struct vmcp_macro_values v = {.domain = r->domain,
                                  .machine = c->name,
                                  .hostid = q->hostid[0] ? q->hostid : NULL,
                                  .salt = q->salt,
                                  .now = now,
                                  .secret = r->secret,
                                  .secret_len = r->secret_len};
    if (!c->macros)
        return 0;
    int rc = vmcp_uuid_make(v.uuid, err);
    if (rc == 0)
        rc = vmcp_macro_expand_json(c->machine, &v, ret_machine, err);
    if (rc == 0 && c->gce)
        rc = vmcp_macro_expand_json(c->gce, &v, ret_gce, err);
    return rc;
}

/* The text of `expanded`, or the one that is there already, or that of `plain`. */
static int text_of(const json_t *expanded, const char *known, const json_t *plain, char **ret_made,
                   const char **ret_text, struct vmcp_error *err)
{
    *ret_text = known;
    if (!expanded && (known || !plain))
        return 0;
    *ret_text = *ret_made = vmcp_json_text(expanded ? expanded : plain, NULL);
    return *ret_made ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an answer");
}

static int respond_v1(const struct vmcp_subject *s, const json_t *expanded, const char *salt,
                      const struct vmcp_key *key, char **ret_answer, struct vmcp_error *err)
{
    auto_v1_draft struct vmcp_v1_draft draft = {0};
    if (s->v1 && !expanded)
        return vmcp_v1_sign(s->v1, salt, key, ret_answer, err);
    int rc = vmcp_v1_draft_make(expanded ? expanded : s->config->machine, &draft, err);
    return rc < 0 ? rc : vmcp_v1_sign(&draft, salt, key, ret_answer, err);
}

int vmcp_respond_check(const struct vmcp_config *c, const struct vmcp_question *q,
                       struct vmcp_error *err)
{
    if (q->format == VMCP_FORMAT_V1 && vmcp_config_needs_v2(c))
        return vmcp_fail(err, VMCP_E_VERSION_2_ONLY,
                         "%s has a part that version 1 cannot carry; ask with Accept: "
                         "application/jose",
                         c->name);
    if ((c->macros & (VMCP_MACRO_HOSTID | VMCP_MACRO_HMAC)) && !q->hostid[0])
        return vmcp_fail(err, VMCP_E_HOSTID_REQUIRED,
                         "%s depends on who asks: the question needs cvm_hostid", c->name);
    return 0;
}

int vmcp_respond(const struct vmcp_responder *r, const struct vmcp_subject *s,
                 const struct vmcp_question *q, const struct vmcp_key *key,
                 const struct vmcp_alg *alg, int64_t now, char **ret_answer,
                 char ret_jti[static VMCP_JTI_LEN + 1], struct vmcp_error *err)
{
    const struct vmcp_config *c = s->config;
    json_auto_t *machine = NULL, *gce = NULL;
    auto_free char *machine_made = NULL, *gce_made = NULL;
    struct vmcp_claims claims = {.domain = r->domain,
                                 .machine = c->name,
                                 .hostid = q->hostid,
                                 .salt = q->salt,
                                 .jti = ret_jti,
                                 .iat = now,
                                 .ttl = r->ttl,
                                 .serial = c->serial,
                                 .count = c->count > 1 ? c->count : 0};
    ret_jti[0] = '\0';
    int rc = vmcp_respond_check(c, q, err);
    if (rc == 0)
        rc = expand(r, c, q, now, &machine, &gce, err);
    if (rc == 0 && q->format == VMCP_FORMAT_V1)
        return respond_v1(s, machine, q->salt, key, ret_answer, err);
    if (rc == 0)
        rc = text_of(machine, s->machine, c->machine, &machine_made, &claims.params, err);
    if (rc == 0)
        rc = text_of(gce, s->gce, c->gce, &gce_made, &claims.gce, err);
    if (rc == 0)
        rc = vmcp_uuid_make(ret_jti, err);
    if (rc == 0)
        rc = vmcp_answer_sign_v2(&claims, key, alg, ret_answer, err);
    return rc;
}
