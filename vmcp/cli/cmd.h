/* SPDX-License-Identifier: Apache-2.0 */
/* cmd.h - the verbs of `vmcp`, one file each, and what they share.
 *
 * A verb is a struct cmd_verb: its name, its table, its function. It gets its own argv (argv[0] is
 * the verb), parses it with its table, does its work, and returns 0 or a negative code with the
 * error filled; main prints it and turns it into the exit code. What a verb prints on standard
 * output is its result and nothing else; words for people go to standard error.
 */
#ifndef CMD_H
#define CMD_H

#include <jansson.h>
#include <stdbool.h>

#include "lib/answer.h"
#include "lib/error.h"
#include "lib/options.h"
#include "lib/passphrase.h"
#include "lib/trust.h"

/* What a verb tells main besides its error. */
struct cmd_result {
    bool json; /* --json was given: an error is printed as a JSON object on standard output */
    int exit;  /* exit code of a verb that did its work and found something wrong (lint); else 0 */
};

struct cmd_verb {
    const char *name;
    const struct vmcp_command *command; /* its summary, options and --help */
    int (*run)(int argc, char **argv, struct cmd_result *result, struct vmcp_error *err);
};

/* All verbs, in the order of the help; NULL-terminated. */
extern const struct cmd_verb *const cmd_verbs[];

extern const struct cmd_verb cmd_keygen;
extern const struct cmd_verb cmd_pubkey;
extern const struct cmd_verb cmd_thumbprint;
extern const struct cmd_verb cmd_rotate;
extern const struct cmd_verb cmd_keystore;
extern const struct cmd_verb cmd_lint;
extern const struct cmd_verb cmd_sign;
extern const struct cmd_verb cmd_verify;
extern const struct cmd_verb cmd_explain;
extern const struct cmd_verb cmd_canon;
extern const struct cmd_verb cmd_fetch;
extern const struct cmd_verb cmd_completion;
extern const struct cmd_verb cmd_version;

/* Parse a verb's command line. 1: --help was printed and there is nothing more to do; 0: go on;
 * negative: VMCP_E_USAGE. */
VMCP_MUST_CHECK int cmd_parse(const struct vmcp_command *command, int argc, char **argv, void *args,
                              struct vmcp_list *ret_operands, struct vmcp_error *err);

/* The option --passphrase SOURCE, into a const char * at `at`. */
#define CMD_PASSPHRASE(at)                                                                  \
    {                                                                                       \
        "passphrase", "SOURCE", VMCP_OPT_STRING, (at), 0, 0,                                \
            "of an encrypted key, or a token's PIN: file:PATH, fd:N, env:NAME, credential:" \
            "NAME or prompt"                                                                \
    }

/* What --help says of the names of keys. */
#define CMD_KEY_NAMES                                                                               \
    "A key is a file (PEM or DER), - (standard input), or a URI: pkcs11:… (a token), handle:… " \
    "or\n"                                                                                          \
    "object:… (a TPM 2). An encrypted key's passphrase, or a token's PIN, is asked for on the\n"  \
    "terminal unless --passphrase names its source.\n"

/* Is it standard input that a name of a file, a key or a passphrase's source (NULL: none) leads to?
 */
bool cmd_is_stdin(const char *name);

/* Of a list's names. */
size_t cmd_count_stdin(const struct vmcp_list *names);

/* Standard input is read once: VMCP_E_USAGE where `uses` is more than that. */
VMCP_MUST_CHECK int cmd_stdin_once(size_t uses, struct vmcp_error *err);

/* May standard output be coloured? Only on a terminal that can, and never where NO_COLOR is set and
 * not empty (https://no-color.org). */
bool cmd_colour(void);

/* Print one JSON value and a newline on standard output. */
void cmd_print_json(const json_t *value);

/* A string of any bytes (a file name, a word of an unverified answer) as JSON: made clean text
 * first, so that it never makes a whole report disappear. A new reference; NULL without memory. */
json_t *cmd_json_string(const char *s);

/* A trust set for `domain` from files and thumbprints; `jwks` (NULL: none) is a file that resolves
 * thumbprints. At least one source is wanted. */
VMCP_MUST_CHECK int cmd_trust(const char *domain, const struct vmcp_list *files,
                              const struct vmcp_list *thumbprints, const char *jwks,
                              struct vmcp_trust **ret, struct vmcp_error *err);

/* Print a good answer: its machine or job, or with `json` everything that was verified; warnings,
 * and what was left unchecked, on standard error. */
VMCP_MUST_CHECK int cmd_print_answer(const struct vmcp_answer *answer, bool json,
                                     struct vmcp_error *err);

#endif
