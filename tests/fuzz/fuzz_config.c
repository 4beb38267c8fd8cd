/* SPDX-License-Identifier: Apache-2.0 */
/* The machine file: a good one gives an answer that a client takes, a bad one is told with its
 * place.
 */
#include "fuzz.h"

#include "lib/answer.h"
#include "lib/config.h"
#include "lib/respond.h"
#include "lib/trust.h"

#define DOMAIN "cfg.example.org"
#define HOSTID "host-1"
#define SALT   "Salt-1"

enum { NOW = 1700000000 };

static const uint8_t secret[] = "0123456789abcdef0123456789abcdef";

static const struct vmcp_trust *trust(void)
{
    static struct vmcp_trust *set;
    struct vmcp_error err = {0};
    if (!set)
        fuzz_check(vmcp_trust_new(DOMAIN, &set, &err) == 0 &&
                   vmcp_trust_add_key(set, fuzz_key("ed25519"), &err) == 0);
    return set;
}

static void is_answered(const struct vmcp_config *config)
{
    struct vmcp_error err = {0};
    char jti[VMCP_JTI_LEN + 1];
    auto_free char *text = NULL;
    auto_answer struct vmcp_answer answer = {0};
    const struct vmcp_question q = {.format = VMCP_FORMAT_V2, .salt = SALT, .hostid = HOSTID};
    const struct vmcp_responder r = {
        .domain = DOMAIN, .ttl = 300, .secret = secret, .secret_len = sizeof(secret)};
    const struct vmcp_subject s = {.config = config};
    const struct vmcp_expect e = {.format = VMCP_FORMAT_V2,
                                  .trust = trust(),
                                  .domain = DOMAIN,
                                  .machine = "web",
                                  .hostid = HOSTID,
                                  .salt = SALT,
                                  .min_serial = config->serial,
                                  .now = NOW,
                                  .complete = true};
    int rc = vmcp_respond(&r, &s, &q, fuzz_key("ed25519"), NULL, NOW, &text, jti, &err);
    if (rc == 0)
        rc = vmcp_answer_verify(text, strlen(text), &e, &answer, &err);
    /* Macros and base64 may make it longer than an answer can be. */
    fuzz_check(rc == 0 || err.code == VMCP_E_LIMIT || err.code == VMCP_E_ANSWER_TOO_LARGE);
    fuzz_check(rc < 0 || config->macros || json_equal(answer.params, config->machine));
    fuzz_check(rc < 0 || answer.count == config->count);
}

static void is_good(const struct vmcp_config *config)
{
    const char *key;
    json_t *value;
    fuzz_check(config->serial >= 0 && config->serial <= VMCP_SERIAL_MAX);
    fuzz_check(config->count >= 1 && config->count <= VMCP_COUNT_MAX);
    fuzz_check(!config->gce || json_is_object(config->gce));
    json_object_foreach(config->machine, key, value)
        fuzz_check(json_is_string(value) || json_is_integer(value));
    is_answered(config);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vmcp_error err = {0};
    auto_config struct vmcp_config config = {0};
    auto_diags struct vmcp_diags diags = {.want_gce = size % 2};
    auto_free char *text = malloc(size ? size : 1);
    memcpy(text, size ? data : (const uint8_t *)"", size);
    int rc = vmcp_config_parse("web", text, size, -1, &config, &diags, &err);
    (void)fuzz_told(rc, &err);
    for (size_t i = 0; i < diags.count && i < VMCP_DIAGS_MAX; i++)
        fuzz_check(diags.items[i].text[0] && diags.items[i].line && diags.items[i].column);
    fuzz_check((rc < 0) == (diags.errors > 0) || err.code == VMCP_E_LIMIT);
    if (rc == 0)
        is_good(&config);
    return 0;
}
