/* SPDX-License-Identifier: Apache-2.0 */
/* fuzz.h - what the libFuzzer harnesses share.
 *
 * A harness feeds one reader with bytes that nobody vouches for. Besides the sanitizers' findings
 * it looks for wrong results: what must hold of anything that was accepted is a fuzz_check().
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/auto.h"
#include "lib/error.h"
#include "lib/key.h"
#include "lib/sign.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define fuzz_check(condition)                                                              \
    do {                                                                                   \
        if (!(condition)) {                                                                \
            fprintf(stderr, "%s:%d: does not hold: %s\n", __FILE__, __LINE__, #condition); \
            abort();                                                                       \
        }                                                                                  \
    } while (0)

/* A failure says why: a code, and a text. Gives rc back. */
static inline int fuzz_told(int rc, const struct vmcp_error *err)
{
    fuzz_check(rc <= 0 && (rc == 0 || (rc == -(int)err->code && err->text[0])));
    return rc;
}

/* A key of the program's own, made once. Borrowed. */
static inline struct vmcp_key *fuzz_key(const char *kind)
{
    static struct vmcp_key *keys[2];
    struct vmcp_error err = {0};
    size_t i = strcmp(kind, "ed25519") == 0 ? 0 : 1;
    fuzz_check(keys[i] || vmcp_key_generate(kind, &keys[i], &err) == 0);
    return keys[i];
}

/* The input with a NUL behind it, new, free(): for readers of strings, which see it up to its first
 * NUL. */
static inline char *fuzz_string(const uint8_t *data, size_t size)
{
    char *text = malloc(size + 1);
    fuzz_check(text);
    if (size)
        memcpy(text, data, size);
    text[size] = '\0';
    return text;
}

/* The text up to the next newline, which ends it; *rest goes on behind it. At the end: "". */
static inline char *fuzz_line(char **rest)
{
    char *line = *rest;
    size_t len = strcspn(line, "\n");
    *rest += len + (line[len] == '\n');
    line[len] = '\0';
    return line;
}

#endif
