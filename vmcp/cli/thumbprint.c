/* SPDX-License-Identifier: Apache-2.0 */
#include <stddef.h>
#include <stdio.h>

#include "cmd.h"
#include "lib/auto.h"
#include "lib/key.h"

struct args {
    bool json;
};

static const struct vmcp_option options[] = {
    {"json", NULL, VMCP_OPT_FLAG, offsetof(struct args, json), 0, 0, "print a JSON object"},
    {0},
};

static const struct vmcp_command command = {
    .name = "vmcp thumbprint",
    .operands = "FILE…",
    .summary = "print RFC 7638 thumbprints of keys",
    .options = options,
    .min_operands = 1,
    .max_operands = VMCP_LIST_MAX,
    .details =
        "One line for each FILE, a private or a public key, PEM or DER. The lines are a trust\n"
        "file: whoever has them trusts the keys that the endpoint's key set gives them.\n",
    .example = "  vmcp thumbprint cfg.key.pub > cfg.example.org.thumbprints\n",
};

static int run(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err)
{
    struct args a = {0};
    struct vmcp_list operands = {0};
    int rc = cmd_parse(&command, argc, argv, &a, &operands, err);
    if (rc != 0)
        return rc;
    result->json = a.json;
    json_auto_t *keys = json_array();
    for (size_t i = 0; i < operands.count; i++) {
        auto_key struct vmcp_key *key = NULL;
        rc = vmcp_key_load_any(operands.items[i], &key, err);
        if (rc < 0)
            return rc;
        if (!a.json)
            puts(vmcp_key_thumbprint(key));
        json_array_append_new(
            keys, json_pack("{s:o, s:s, s:s}", "file", cmd_json_string(operands.items[i]), "type",
                            vmcp_key_type_name(key), "thumbprint", vmcp_key_thumbprint(key)));
    }
    json_auto_t *report = json_pack("{s:s, s:O}", "code", "ok", "keys", keys);
    if (a.json)
        cmd_print_json(report);
    return 0;
}

const struct cmd_verb cmd_thumbprint = {"thumbprint", &command, run};
