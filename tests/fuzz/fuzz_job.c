/* SPDX-License-Identifier: Apache-2.0 */
/* The job file. A good one is signed, is verified as a job and as nothing else, and is read again
 * as the same; its schedule comes. */
#include "fuzz.h"

#include "lib/answer.h"
#include "lib/config.h"
#include "lib/job.h"
#include "lib/respond.h"

enum { NOW = 1700000000 };

static void check_schedule(const struct vmcp_job *job)
{
    static struct vmcp_zone *zone;
    struct vmcp_error err = {0};
    int64_t first = 0, second = 0;
    fuzz_check(zone || vmcp_zone_load("UTC", &zone, &err) == 0);
    fuzz_check(vmcp_schedule_next(&job->schedule, zone, NOW, &first) && first > NOW);
    fuzz_check(vmcp_schedule_next(&job->schedule, zone, first, &second) && second > first);
    fuzz_check(first % 60 == 0 && vmcp_schedule_next(&job->schedule, zone, first - 1, &second));
    fuzz_check(second == first);
}

static void check_job(const struct vmcp_job *job)
{
    fuzz_check(!job->launch != !job->uri);
    fuzz_check(job->token == VMCP_JOB_TOKEN_NONE || job->target.https);
    fuzz_check(!job->uri || job->target.origin_len <= strlen(job->uri));
    fuzz_check(!job->uri || !memmem(job->uri, job->target.origin_len, "${vmcp.", 7));
    fuzz_check(!(job->body && job->body_json));
    check_schedule(job);
}

static int verify(const char *text, enum vmcp_kind kind, const struct vmcp_trust *trust,
                  struct vmcp_answer *ret)
{
    struct vmcp_error err = {0};
    const struct vmcp_expect e = {.kind = kind,
                                  .trust = trust,
                                  .domain = "cfg.example.org",
                                  .machine = "web",
                                  .hostid = "h",
                                  .salt = "s",
                                  .now = NOW,
                                  .complete = true};
    return fuzz_told(vmcp_answer_verify(text, strlen(text), &e, ret, &err), &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct vmcp_trust *trust;
    struct vmcp_error err = {0};
    auto_config struct vmcp_config c = {0};
    auto_job struct vmcp_job job = {0};
    auto_answer struct vmcp_answer answer = {0}, other = {0};
    auto_free char *text = NULL;
    char jti[VMCP_JTI_LEN + 1];
    const struct vmcp_responder r = {.domain = "cfg.example.org", .ttl = 300};
    const struct vmcp_subject s = {.config = &c};
    const struct vmcp_question q = {.salt = "s", .hostid = "h"};
    fuzz_check(trust || (vmcp_trust_new("cfg.example.org", &trust, &err) == 0 &&
                         vmcp_trust_add_key(trust, fuzz_key("ed25519"), &err) == 0));
    if (fuzz_told(vmcp_config_parse_as(VMCP_WANT_JOB, "web", (const char *)data, size, -1, &c, NULL,
                                       &err),
                  &err) < 0)
        return 0;
    fuzz_check(c.kind == VMCP_KIND_JOB && c.job && !c.machine && !c.macros);
    fuzz_check(vmcp_job_read(c.job, "", NULL, &job, &err) == 0);
    check_job(&job);
    if (vmcp_respond(&r, &s, &q, fuzz_key("ed25519"), NULL, NOW, &text, jti, &err) < 0) {
        fuzz_check(err.code == VMCP_E_LIMIT);
        return 0;
    }
    fuzz_check(verify(text, VMCP_KIND_MACHINE, trust, &other) == -VMCP_E_TYP);
    if (verify(text, VMCP_KIND_JOB, trust, &answer) == 0)
        fuzz_check(json_equal(answer.job, c.job) && answer.serial == c.serial);
    return 0;
}
