/* SPDX-License-Identifier: Apache-2.0 */
/* unit.h - what the unit tests share: assertions on codes, keys, scratch folders, vectors, tokens.
 *
 * A test program is one file, test_<noun>.c, for one file of vmcp/lib. It is run from the project's
 * root, and writes only below a scratch folder of its own.
 */
#ifndef UNIT_H
#define UNIT_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <ftw.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/auto.h"
#include "lib/base64.h"
#include "lib/buf.h"
#include "lib/error.h"
#include "lib/file.h"
#include "lib/key.h"
#include "lib/limits.h"
#include "lib/sign.h"

#define UNIT_COUNT(array) (sizeof(array) / sizeof(*(array)))

/* `expr` succeeds. Otherwise its error is shown, and `row` (may be ""): which case of a table. */
#define assert_good(row, expr, err)                               \
    do {                                                          \
        (err) = (struct vmcp_error){0};                           \
        int rc_ = (expr);                                         \
        unit_good((row), rc_, &(err), #expr, __FILE__, __LINE__); \
    } while (0)

/* `expr` fails with exactly this code, and says something. *err stays for a closer look. */
#define assert_code(row, expr, err, want)                                 \
    do {                                                                  \
        (err) = (struct vmcp_error){0};                                   \
        int rc_ = (expr);                                                 \
        unit_code((row), rc_, &(err), (want), #expr, __FILE__, __LINE__); \
    } while (0)

/* The same for a plain condition in a table. */
#define assert_row(row, condition)                                             \
    do {                                                                       \
        if (!(condition)) {                                                    \
            print_error("case \"%s\": %s does not hold\n", (row), #condition); \
            _fail(__FILE__, __LINE__);                                         \
        }                                                                      \
    } while (0)

static inline void unit_good(const char *row, int rc, const struct vmcp_error *err,
                             const char *expr, const char *file, int line)
{
    if (rc == 0)
        return;
    print_error("case \"%s\": %s\n  failed: [%s] %s: %s\n", row, expr,
                vmcp_code_name((enum vmcp_code) - rc), err->where, err->text);
    _fail(file, line);
}

static inline void unit_code(const char *row, int rc, const struct vmcp_error *err,
                             enum vmcp_code want, const char *expr, const char *file, int line)
{
    if (rc == -(int)want && err->code == want && err->text[0])
        return;
    print_error("case \"%s\": %s\n  gave %d [%s] %s: %s\n  wanted [%s]\n", row, expr, rc,
                rc == 0 ? "ok" : vmcp_code_name((enum vmcp_code) - rc), err->where, err->text,
                vmcp_code_name(want));
    _fail(file, line);
}

/* A scratch folder as the test group's state: unit_folder_make and _remove are its setup and
 * teardown, unit_path(*state, name) a path in it (the next four calls leave it alone). */
static inline int unit_folder_make(void **state)
{
    const char *base = getenv("TMPDIR");
    char *folder = NULL;
    if (asprintf(&folder, "%s/vmcp-unit.XXXXXX", base ? base : "/tmp") < 0)
        return -1;
    *state = mkdtemp(folder);
    return *state ? 0 : -1;
}

static inline int unit_unlink(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
    (void)st;
    (void)kind;
    (void)ftw;
    return remove(path);
}

static inline int unit_folder_remove(void **state)
{
    int rc = nftw(*state, unit_unlink, 16, FTW_DEPTH | FTW_PHYS);
    free(*state);
    return rc;
}

static inline const char *unit_path(const void *folder, const char *name)
{
    static char paths[4][4096];
    static unsigned turn;
    char *path = paths[turn++ % UNIT_COUNT(paths)];
    snprintf(path, sizeof(paths[0]), "%s/%s", (const char *)folder, name);
    return path;
}

/* Write a file for a test to read, whatever umask says. */
static inline void unit_write(const char *path, mode_t mode, const void *data, size_t len)
{
    auto_close int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
    assert_true(fd >= 0);
    assert_int_equal(fchmod(fd, mode), 0);
    assert_int_equal(write(fd, data, len), (ssize_t)len);
}

/* A whole file; the test fails where it cannot be read. New bytes with a NUL behind them, free().
 */
static inline char *unit_read(const char *path, size_t *ret_len)
{
    struct vmcp_error err;
    struct vmcp_buf b = VMCP_BUF(8 * 1024 * 1024);
    assert_good(path, vmcp_file_read(path, VMCP_FILE_PUBLIC, &b, &err), err);
    return vmcp_buf_steal(&b, ret_len);
}

/* The path of another project's vector, or the test is skipped, which it says. Called before
 * anything is allocated: a skip jumps out of the test. */
static inline const char *unit_vector(const char *name)
{
    static char path[4096];
    const char *folder = getenv("VMCP_VECTORS");
    snprintf(path, sizeof(path), "%s/%s", folder ? folder : "../shared/vectors", name);
    if (access(path, R_OK) < 0) {
        print_message("skipped: %s is not there (VMCP_VECTORS names the folder)\n", path);
        skip();
    }
    return path;
}

/* A JSON file that the test needs; a new reference. */
static inline json_t *unit_json(const char *path)
{
    json_error_t e;
    json_t *value = json_load_file(path, 0, &e);
    if (!value)
        print_error("%s:%d: %s\n", path, e.line, e.text);
    assert_non_null(value);
    return value;
}

/* A key of the program's own, made once: "ed25519", "p-256" or "rsa-2048". RSA takes the published
 * test key where it is, which is faster than making one. Borrowed. */
static inline struct vmcp_key *unit_key(const char *kind)
{
    static struct vmcp_key *keys[3];
    size_t i = kind[0] == 'e' ? 0 : kind[0] == 'p' ? 1 : 2;
    const char *folder = getenv("VMCP_VECTORS");
    char path[4096];
    struct vmcp_error err;
    if (keys[i])
        return keys[i];
    snprintf(path, sizeof(path), "%s/v1-test-key.der", folder ? folder : "../shared/vectors");
    if (i == 2 && access(path, R_OK) == 0) {
        size_t len = 0;
        auto_free char *der = unit_read(path, &len);
        assert_good(path, vmcp_key_parse_private(der, len, &keys[i], &err), err);
    } else {
        assert_good(kind, vmcp_key_generate(kind, &keys[i], &err), err);
    }
    return keys[i];
}

/* A token of any header and payload, signed as `alg` over exactly these texts: what an honest
 * signer would never make. New string, free(). */
static inline char *unit_token(const struct vmcp_key *key, const char *alg, const char *header,
                               const char *payload)
{
    struct vmcp_error err;
    size_t h = strlen(header), p = strlen(payload), sig_len = 0;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    char *token =
        malloc(VMCP_BASE64_CHARS(h) + VMCP_BASE64_CHARS(p) + VMCP_BASE64_CHARS(sizeof(sig)) + 3);
    assert_non_null(token);
    size_t n = vmcp_base64_encode(VMCP_BASE64_URL, header, h, token);
    token[n++] = '.';
    n += vmcp_base64_encode(VMCP_BASE64_URL, payload, p, token + n);
    assert_good(alg, vmcp_sign(key, vmcp_alg_find(alg), token, n, sig, &sig_len, &err), err);
    token[n++] = '.';
    vmcp_base64_encode(VMCP_BASE64_URL, sig, sig_len, token + n);
    return token;
}

#endif
