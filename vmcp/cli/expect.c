/* SPDX-License-Identifier: Apache-2.0 */
#include "expect.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "lib/auto.h"
#include "lib/file.h"
#include "lib/instant.h"
#include "lib/name.h"

#define AT(field) offsetof(struct cmd_expect, field)

const struct vmcp_option cmd_explain_options[] = {
    {"at", "TIME", VMCP_OPT_STRING, AT(at), 0, 0,
     "judge as of then: 2026-11-20T05:00:00Z, or seconds since 1970"},
    {"trust", "FILE", VMCP_OPT_LIST, AT(trust), 0, 0,
     "trusted keys: PEM, a JWK set, or lines of thumbprints"},
    {"thumbprint", "T", VMCP_OPT_LIST, AT(thumbprints), 0, 0, "trust the key of this thumbprint"},
    {"jwks", "FILE", VMCP_OPT_STRING, AT(jwks), 0, 0,
     "the key set in which trusted thumbprints are looked up"},
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain that must have signed"},
    {"salt", "S", VMCP_OPT_STRING, AT(salt), 0, 0, "the salt that was sent; always wanted"},
    {"hostid", "H", VMCP_OPT_STRING, AT(hostid), 0, 0, "the host id that was sent"},
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0, "the machine that was asked for"},
    {"job", "NAME", VMCP_OPT_STRING, AT(job), 0, 0,
     "the job that was asked for: the answer has to be a job"},
    {"expect-name", "NAME", VMCP_OPT_STRING, AT(expect_name), 0, 0,
     "version 1: what `name` must be (default: --machine)"},
    {"min-serial", "N", VMCP_OPT_INT, AT(min_serial), 0, VMCP_SERIAL_MAX, "refuse a lower serial"},
    {"max-skew", "TIME", VMCP_OPT_TIME, AT(max_skew), 0, VMCP_SKEW_MAX,
     "how far clocks may differ (300s)"},
    {"complete", NULL, VMCP_OPT_FLAG, AT(complete), 0, 0,
     "a missing expectation is an error, not left unchecked"},
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "the answer's version (v2)"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object with all that was verified"},
    {0},
};

static int read_answer(const char *path, struct vmcp_buf *b, struct vmcp_error *err)
{
    int rc = vmcp_file_read(path, VMCP_FILE_PUBLIC, b, err);
    if (rc == -VMCP_E_LIMIT)
        return vmcp_fail_at(err, VMCP_E_ANSWER_TOO_LARGE, path, "the answer is over 1 MiB");
    if (rc < 0)
        return rc;
    if (b->len > 0 && b->data[b->len - 1] == '\n') /* as `vmcp sign` and an editor end it */
        b->data[--b->len] = '\0';
    return 0;
}

static int check_names(const struct cmd_expect *a, struct vmcp_error *err)
{
    if (!a->salt)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--salt S is wanted: without the salt that was sent, "
                         "an answer may be a replay");
    int rc = vmcp_salt_check(a->salt, strlen(a->salt), err);
    if (rc == 0 && a->hostid)
        rc = vmcp_hostid_check(a->hostid, strlen(a->hostid), err);
    const char *name = a->machine ? a->machine : a->job;
    if (rc == 0 && name)
        rc = vmcp_machine_name_check(name, strlen(name), err);
    if (rc == 0 && a->machine && a->job)
        return vmcp_fail(err, VMCP_E_USAGE, "--machine and --job: an answer is one of them");
    return rc;
}

/* What was said, and version 1 has nothing of that could be held against it. */
static void note_idle(const struct cmd_expect *a)
{
    const char *const said[] = {a->domain ? "--domain" : NULL, a->hostid ? "--hostid" : NULL,
                                a->min_serial > 0 ? "--min-serial" : NULL, a->at ? "--at" : NULL};
    const char *comma = "";
    for (size_t i = 0; i < sizeof(said) / sizeof(*said); i++)
        if (said[i]) {
            fprintf(stderr, "%s%s", *comma ? comma : "note: ", said[i]);
            comma = ", ";
        }
    if (*comma)
        fputs(": version 1 carries nothing that this could be held against; it is not checked\n",
              stderr);
}

int cmd_expect_verify(const struct cmd_expect *a, const char *path, vmcp_on_check on_check,
                      void *arg, struct vmcp_answer *ret, struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = NULL;
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_ANSWER_MAX + 1);
    struct vmcp_expect expect = {.kind = a->job ? VMCP_KIND_JOB : VMCP_KIND_MACHINE,
                                 .domain = a->domain,
                                 .machine = a->job ? a->job : a->machine,
                                 .hostid = a->hostid,
                                 .salt = a->salt,
                                 .name = a->expect_name ? a->expect_name : a->machine,
                                 .min_serial = a->min_serial,
                                 .skew = (int)a->max_skew,
                                 .complete = a->complete,
                                 .on_check = on_check,
                                 .on_check_arg = arg};
    int64_t now = 0;
    int rc = check_names(a, err);
    if (rc == 0 && a->at)
        rc = vmcp_instant_parse(a->at, &now, err);
    path = path ? path : "-";
    if (rc == 0)
        rc = cmd_stdin_once(cmd_count_stdin(&a->trust) + cmd_is_stdin(a->jwks) + cmd_is_stdin(path),
                            err);
    if (rc == 0 && a->format)
        rc = vmcp_format_parse(a->format, &expect.format, err);
    if (rc == 0 && a->complete && expect.format == VMCP_FORMAT_V1 && !expect.name)
        rc = vmcp_fail(err, VMCP_E_USAGE, "--complete: version 1 needs --expect-name NAME");
    if (rc == 0) /* keys are trusted for a domain; without --domain, for whichever it is */
        rc = cmd_trust(a->domain ? a->domain : "localhost", &a->trust, &a->thumbprints, a->jwks,
                       &trust, err);
    if (rc == 0)
        rc = read_answer(path, &b, err);
    if (rc < 0)
        return rc;
    expect.trust = trust;
    expect.now = a->at ? now : time(NULL);
    if (expect.format == VMCP_FORMAT_V1)
        note_idle(a);
    return vmcp_answer_verify(b.data ? b.data : "", b.len, &expect, ret, err);
}
