/* SPDX-License-Identifier: Apache-2.0 */
#include "passphrase.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <openssl/crypto.h>
#include <string.h>

#include "buf.h"
#include "file.h"
#include "terminal.h"

typedef int (*reader)(struct vmcp_passphrase *pass, const char *value, struct vmcp_error *err);

/* Room for the line's end, and a byte that shows that it is too long. */
#define BYTES_MAX (VMCP_PASSPHRASE_MAX + 2)

/* Take a source's content: one line, whose end is cut. */
static int take(struct vmcp_passphrase *pass, const char *data, size_t len, struct vmcp_error *err)
{
    if (len > 0 && data[len - 1] == '\n')
        len--;
    if (len > 0 && data[len - 1] == '\r')
        len--;
    if (len == 0)
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "the passphrase is empty");
    if (len > VMCP_PASSPHRASE_MAX)
        return vmcp_fail(err, VMCP_E_LIMIT, "a passphrase of over %d bytes", VMCP_PASSPHRASE_MAX);
    if (memchr(data, '\0', len) || memchr(data, '\n', len))
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "a passphrase is one line without NUL bytes");
    memcpy(pass->text, data, len);
    pass->text[len] = '\0';
    pass->len = len;
    return 0;
}

static int read_path(struct vmcp_passphrase *pass, const char *path, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(BYTES_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &b, err);
    if (rc == 0)
        rc = take(pass, b.data ? b.data : "", b.len, err);
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}

/* A file descriptor in canonical decimal, or -1. */
static int parse_fd(const char *value)
{
    size_t len = strlen(value);
    if (len < 1 || len > 6 || strspn(value, "0123456789") != len || (value[0] == '0' && len > 1))
        return -1;
    return (int)strtol(value, NULL, 10);
}

static int read_fd(struct vmcp_passphrase *pass, const char *value, struct vmcp_error *err)
{
    char bytes[BYTES_MAX + 1];
    size_t len = 0;
    int fd = parse_fd(value);
    ssize_t n = 1;
    while (n != 0 && len < sizeof(bytes)) {
        n = read(fd, bytes + len, sizeof(bytes) - len);
        if (n < 0 && errno != EINTR)
            break;
        len += n > 0 ? (size_t)n : 0;
    }
    int rc =
        n < 0 ? vmcp_fail_at(err, VMCP_E_FILE, pass->source, "cannot be read: %s", strerror(errno))
              : take(pass, bytes, len, err);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return rc < 0 ? vmcp_error_locate(err, pass->source) : 0;
}

static int read_env(struct vmcp_passphrase *pass, const char *name, struct vmcp_error *err)
{
    const char *value = getenv(name);
    if (!value)
        return vmcp_fail_at(err, VMCP_E_PASSPHRASE, pass->source, "the variable is not set");
    int rc = take(pass, value, strlen(value), err);
    return rc < 0 ? vmcp_error_locate(err, pass->source) : 0;
}

static int read_credential(struct vmcp_passphrase *pass, const char *name, struct vmcp_error *err)
{
    const char *folder = getenv("CREDENTIALS_DIRECTORY");
    auto_free char *path = NULL;
    if (!folder || folder[0] != '/')
        return vmcp_fail_at(err, VMCP_E_PASSPHRASE, pass->source,
                            "there is no $CREDENTIALS_DIRECTORY; systemd sets it with "
                            "LoadCredential= or SetCredentialEncrypted=");
    if (asprintf(&path, "%s/%s", folder, name) < 0) {
        path = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    }
    return read_path(pass, path, err);
}

static const struct source {
    const char *prefix;
    reader read;
} sources[] = {
    {"file:", read_path}, {"fd:", read_fd}, {"env:", read_env}, {"credential:", read_credential}};

static const struct source *find_source(const char *text, const char **ret_value)
{
    for (size_t i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
        size_t len = strlen(sources[i].prefix);
        if (strncmp(text, sources[i].prefix, len) == 0) {
            *ret_value = text + len;
            return &sources[i];
        }
    }
    return NULL;
}

static bool is_prompt(const char *source)
{
    return strcmp(source, "prompt") == 0;
}

int vmcp_passphrase_init(struct vmcp_passphrase *pass, const char *source, bool ask,
                         struct vmcp_error *err)
{
    const char *value = NULL;
    *pass = (struct vmcp_passphrase){.source = source, .ask = ask};
    if (!source || is_prompt(source))
        return 0;
    const struct source *found = find_source(source, &value);
    if (!found) /* whoever gave the passphrase itself is not to find it in a log */
        return vmcp_fail(err, VMCP_E_USAGE,
                         "--passphrase names where the passphrase comes from: file:PATH, fd:N, "
                         "env:NAME, credential:NAME or prompt");
    bool good = *value != '\0';
    if (found->read == read_fd)
        good = parse_fd(value) >= 0;
    else if (found->read == read_credential)
        good = good && !strchr(value, '/') && strcmp(value, ".") != 0 && strcmp(value, "..") != 0;
    if (!good) /* not quoted either */
        return vmcp_fail(err, VMCP_E_USAGE, "--passphrase %s wants %s after the colon",
                         found->prefix,
                         found->read == read_fd           ? "the number of an open file"
                         : found->read == read_credential ? "a plain file name"
                                                          : "a name");
    return 0;
}

static int prompt(struct vmcp_passphrase *pass, const char *what, bool twice,
                  struct vmcp_error *err)
{
    char text[160], again[sizeof(pass->text)];
    size_t again_len = 0;
    if (!vmcp_terminal_is_there())
        return vmcp_fail(err, VMCP_E_PASSPHRASE,
                         "there is no terminal to ask for %s; --passphrase SOURCE names another "
                         "source",
                         what);
    snprintf(text, sizeof(text), "Enter %s: ", what);
    int rc = vmcp_terminal_ask(text, pass->text, sizeof(pass->text), &pass->len, err);
    if (rc < 0 || !twice)
        return rc;
    snprintf(text, sizeof(text), "Enter %s again: ", what);
    rc = vmcp_terminal_ask(text, again, sizeof(again), &again_len, err);
    if (rc == 0 && (again_len != pass->len || CRYPTO_memcmp(again, pass->text, again_len) != 0))
        rc = vmcp_fail(err, VMCP_E_PASSPHRASE, "the two passphrases are not the same");
    OPENSSL_cleanse(again, sizeof(again));
    if (rc < 0)
        vmcp_passphrase_clear(pass);
    return rc;
}

static int get(struct vmcp_passphrase *pass, const char *what, bool twice, struct vmcp_error *err)
{
    const char *value = NULL;
    int rc = 0;
    if (pass->have)
        return 0;
    if (!pass->source && !(pass->ask && vmcp_terminal_is_there()))
        return vmcp_fail(err, VMCP_E_PASSPHRASE, "needs %s; --passphrase SOURCE gives it", what);
    if (!pass->source || is_prompt(pass->source))
        rc = prompt(pass, what, twice, err);
    else
        rc = find_source(pass->source, &value)->read(pass, value, err);
    pass->have = rc == 0;
    return rc;
}

int vmcp_passphrase_get(struct vmcp_passphrase *pass, const char *what, struct vmcp_error *err)
{
    return get(pass, what, false, err);
}

int vmcp_passphrase_get_new(struct vmcp_passphrase *pass, const char *what, struct vmcp_error *err)
{
    return get(pass, what, true, err);
}

void vmcp_passphrase_clear(struct vmcp_passphrase *pass)
{
    OPENSSL_cleanse(pass->text, sizeof(pass->text));
    pass->have = false;
    pass->len = 0;
}
