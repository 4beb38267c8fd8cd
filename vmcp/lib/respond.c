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
    if (q->format == VMCP_FORMAT_V1 && c->kind == VMCP_KIND_JOB)
        return vmcp_fail(err, VMCP_E_VERSION_2_ONLY,
                         "%s is a job, and version 1 has none; ask with Accept: application/jose",
                         c->name);
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

/* The claims that come from the machine file, but for its texts. */
static struct vmcp_claims claims_of(const struct vmcp_config *c)
{
    return (struct vmcp_claims){.kind = c->kind,
                                .machine = c->name,
                                .serial = c->serial,
                                .count = c->count > 1 ? c->count : 0};
}

static int make_draft(const struct vmcp_config *c, const json_t *machine, const json_t *gce,
                      struct vmcp_buf *ret, struct vmcp_error *err)
{
    struct vmcp_claims claims = claims_of(c);
    auto_free char *machine_text = vmcp_json_text(machine, NULL);
    auto_free char *gce_text = gce ? vmcp_json_text(gce, NULL) : NULL;
    if (!machine_text || (gce && !gce_text))
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for an answer");
    claims.params = machine_text;
    claims.gce = gce_text;
    return vmcp_answer_draft(&claims, ret, err);
}

int vmcp_respond_draft(const struct vmcp_config *config, struct vmcp_buf *ret,
                       struct vmcp_error *err)
{
    return make_draft(config, config->kind == VMCP_KIND_JOB ? config->job : config->machine,
                      config->gce, ret, err);
}

int vmcp_respond(const struct vmcp_responder *r, const struct vmcp_subject *s,
                 const struct vmcp_question *q, const struct vmcp_key *key,
                 const struct vmcp_alg *alg, int64_t now, char **ret_answer,
                 char ret_jti[VMCP_AT_LEAST(VMCP_JTI_LEN + 1)], struct vmcp_error *err)
{
    const struct vmcp_config *c = s->config;
    json_auto_t *machine = NULL, *gce = NULL;
    auto_buf struct vmcp_buf made = VMCP_BUF(2 * VMCP_ANSWER_MAX);
    struct vmcp_claims claims = claims_of(c);
    ret_jti[0] = '\0';
    int rc = vmcp_respond_check(c, q, err);
    if (rc == 0)
        rc = expand(r, c, q, now, &machine, &gce, err);
    if (rc == 0 && q->format == VMCP_FORMAT_V1)
        return respond_v1(s, machine, q->salt, key, ret_answer, err);
    claims.draft = s->v2 && !machine ? s->v2 : &made;
    if (rc == 0 && claims.draft == &made)
        rc = machine ? make_draft(c, machine, gce ? gce : c->gce, &made, err)
                     : vmcp_respond_draft(c, &made, err);
    if (rc == 0)
        rc = vmcp_uuid_make(ret_jti, err);
    if (rc < 0)
        return rc;
    claims.domain = r->domain;
    claims.hostid = q->hostid;
    claims.salt = q->salt;
    claims.jti = ret_jti;
    claims.iat = now;
    claims.ttl = r->ttl;
    claims.header = r->header;
    return vmcp_answer_sign_v2(&claims, key, alg, ret_answer, err);
}
