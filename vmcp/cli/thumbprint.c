/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/key.h"
#include "lib/keyname.h"

struct args {
    const char *passphrase;
    bool json;
};

static const struct vmcp_option options[] = {
    CMD_PASSPHRASE(offsetof(struct args, passphrase)),
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp thumbprint",
    .operands = "KEY…",
    .summary = "print RFC 7638 thumbprints of keys",
    .options = options,
    .min_operands = 1,
    .max_operands = VMCP_LIST_MAX,
    .details = "One line for each KEY, a private or a public one. The lines are a trust file: "
               "whoever has\n"
               "them trusts the keys that the endpoint's key set gives them.\n" CMD_KEY_NAMES,
    .example = "  vmcp thumbprint cfg.key.pub > cfg.example.org.thumbprints\n",
};

/* One key: its line, or its part of the report. */
static int show(const char *name, struct vmcp_passphrase *pass, bool json, json_t *keys,
                struct vmcp_error *err)
{
    auto_key struct vmcp_key *key = NULL;
    auto_free char *shown = vmcp_key_name_show(name);
    int rc = vmcp_key_open_any(name, pass, &key, err);
    if (rc < 0)
        return rc;
    if (!json)
        puts(vmcp_key_thumbprint(key));
    json_t *entry =
        json_pack("{s:o, s:s, s:s}", "file", cmd_json_string(shown ? shown : ""), "type",
                  vmcp_key_type_name(key), "thumbprint", vmcp_key_thumbprint(key));
    if (json_array_append_new(keys, entry) < 0)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for the report");
    return 0;
}

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    auto_passphrase struct vmcp_passphrase pass = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    rc = cmd_stdin_once(cmd_count_stdin(&operands) + cmd_is_stdin(a.passphrase), err);
    if (rc == 0)
        rc = vmcp_passphrase_init(&pass, a.passphrase, true, err);
    json_auto_t *keys = json_array();
    for (size_t i = 0; rc == 0 && i < operands.count; i++)
        rc = show(operands.items[i], &pass, a.json, keys, err);
    if (rc < 0)
        return rc;
    json_auto_t *report = json_pack("{s:s, s:O}", "code", "ok", "keys", keys);
    if (a.json)
        cmd_print_json(report);
    return 0;
}

const struct cmd_verb cmd_thumbprint = {"thumbprint", &command, run};
