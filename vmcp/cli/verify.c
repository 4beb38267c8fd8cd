/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/file.h"
#include "lib/name.h"

struct args {
    struct vmcp_list trust, thumbprints;
    const char *domain, *salt, *hostid, *machine, *expect_name, *format, *jwks;
    int64_t min_serial, max_skew;
    bool complete, json;
};

#define AT(field) offsetof(struct args, field)

static const struct vmcp_option options[] = {
    {"trust", "FILE", VMCP_OPT_LIST, AT(trust), 0, 0,
     "trusted keys: PEM, a JWK set, or lines of thumbprints"},
    {"thumbprint", "T", VMCP_OPT_LIST, AT(thumbprints), 0, 0, "trust the key of this thumbprint"},
    {"jwks", "FILE", VMCP_OPT_STRING, AT(jwks), 0, 0,
     "the key set in which trusted thumbprints are looked up"},
    {"domain", "D", VMCP_OPT_STRING, AT(domain), 0, 0, "the domain that must have signed"},
    {"salt", "S", VMCP_OPT_STRING, AT(salt), 0, 0, "the salt that was sent; always wanted"},
    {"hostid", "H", VMCP_OPT_STRING, AT(hostid), 0, 0, "the host id that was sent"},
    {"machine", "NAME", VMCP_OPT_STRING, AT(machine), 0, 0, "the machine that was asked for"},
    {"expect-name", "NAME", VMCP_OPT_STRING, AT(expect_name), 0, 0,
     "version 1: what `name` must be (default: --machine)"},
    {"min-serial", "N", VMCP_OPT_INT, AT(min_serial), 0, VMCP_SERIAL_MAX, "refuse a lower serial"},
    {"max-skew", "SECONDS", VMCP_OPT_INT, AT(max_skew), 0, VMCP_SKEW_MAX,
     "how far clocks may differ (300)"},
    {"complete", NULL, VMCP_OPT_FLAG, AT(complete), 0, 0,
     "a missing expectation is an error, not left unchecked"},
    {"format", "v1|v2", VMCP_OPT_STRING, AT(format), 0, 0, "the answer's version (v2)"},
    {"json", NULL, VMCP_OPT_FLAG, AT(json), 0, 0, "print a JSON object with all that was verified"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp verify",
    .operands = "[ANSWER]",
    .summary = "verify an answer",
    .options = options,
    .max_operands = 1,
    .details =
        "ANSWER is a file; without one, or as -, it is standard input. Prints the verified\n"
        "machine as JSON; exit code 1 and the reason where the answer is not good. What was\n"
        "not expected is not checked, and standard error says what that was.\n",
    .example = "  vmcp verify --trust cfg.key.pub --domain cfg.example.org --machine web \\\n"
               "      --hostid h1 --salt abc answer.jose\n",
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

static int check_names(const struct args *a, struct vmcp_error *err)
{
    if (!a->salt)
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--salt S is wanted: without the salt that was sent, "
                         "an answer may be a replay");
    int rc = vmcp_salt_check(a->salt, strlen(a->salt), err);
    if (rc == 0 && a->hostid)
        rc = vmcp_hostid_check(a->hostid, strlen(a->hostid), err);
    if (rc == 0 && a->machine)
        rc = vmcp_machine_name_check(a->machine, strlen(a->machine), err);
    return rc;
}

static int verify(const struct args *a, const char *path, struct vmcp_answer *ret,
                  struct vmcp_error *err)
{
    auto_trust struct vmcp_trust *trust = NULL;
    auto_buf struct vmcp_buf b = VMCP_BUF(VMCP_ANSWER_MAX + 1);
    struct vmcp_expect expect = {.domain = a->domain,
                                 .machine = a->machine,
                                 .hostid = a->hostid,
                                 .salt = a->salt,
                                 .name = a->expect_name ? a->expect_name : a->machine,
                                 .min_serial = a->min_serial,
                                 .skew = (int)a->max_skew,
                                 .complete = a->complete};
    int rc = check_names(a, err);
    if (rc == 0 && a->format)
        rc = vmcp_format_parse(a->format, &expect.format, err);
    if (rc == 0) /* keys are trusted for a domain; without --domain, for whichever it is */
        rc = cmd_trust(a->domain ? a->domain : "localhost", &a->trust, &a->thumbprints, a->jwks,
                       &trust, err);
    if (rc == 0)
        rc = read_answer(path, &b, err);
    if (rc < 0)
        return rc;
    expect.trust = trust;
    expect.now = time(NULL);
    return vmcp_answer_verify(b.data ? b.data : "", b.len, &expect, ret, err);
}

int cmd_verify(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {.max_skew = VMCP_SKEW_DEFAULT};
    struct vmcp_list operands = {0};
    auto_answer struct vmcp_answer answer = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    rc = verify(&a, operands.count ? operands.items[0] : "-", &answer, err);
    return rc < 0 ? rc : cmd_print_answer(&answer, a.json, err);
}
