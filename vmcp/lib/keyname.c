/* SPDX-License-Identifier: Apache-2.0 */
#include "keyname.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "buf.h"
#include "file.h"
#include "limits.h"
#include "pkcs11.h"
#include "tpm.h"

/* Characters of the scheme that a URI begins with (RFC 3986, section 3.1), or 0. */
static size_t scheme_length(const char *name)
{
    size_t len = 0;
    if (!isalpha((unsigned char)name[0]))
        return 0;
    while (isalnum((unsigned char)name[len]) || (name[len] && strchr("+-.", name[len])))
        len++;
    return name[len] == ':' ? len : 0;
}

static bool has_scheme(const char *name, const char *scheme)
{
    size_t len = strlen(scheme);
    return scheme_length(name) == len && strncmp(name, scheme, len) == 0;
}

/* A pin-value belongs into the query; readers take it among the attributes of the path too. */
char *vmcp_key_name_show(const char *name)
{
    size_t len = strlen(name);
    if (strcmp(name, "-") == 0)
        return strdup("standard input");
    if (scheme_length(name) && !has_scheme(name, "file")) {
        len = strcspn(name, "?");
        for (size_t i = 0; i < len; i++)
            if (strchr(":;&", name[i]) && strncasecmp(name + i + 1, "pin", 3) == 0)
                len = name[i] == ':' ? i + 1 : i;
    }
    return strndup(name, len);
}

static int hex_digit(char c)
{
    static const char digits[] = "0123456789abcdef";
    const char *at = c ? strchr(digits, tolower((unsigned char)c)) : NULL;
    return at ? (int)(at - digits) : -1;
}

bool vmcp_uri_decode(char *text)
{
    char *out = text;
    for (const char *in = text; *in; in++) {
        char c = *in;
        if (c == '%') {
            int high = hex_digit(in[1]), low = high < 0 ? -1 : hex_digit(in[2]);
            if (low < 0 || high + low == 0)
                return false;
            c = (char)(high * 16 + low);
            in += 2;
        }
        *out++ = c;
    }
    *out = '\0';
    return true;
}

/* The path of a file: URI (RFC 8089): file:/a, file:///a, file://localhost/a, and file:a below the
 * working folder. */
static int file_path(const char *uri, char **ret, struct vmcp_error *err)
{
    const char *in = uri + strlen("file:");
    if (strncmp(in, "//localhost/", 12) == 0)
        in += 11;
    else if (strncmp(in, "///", 3) == 0)
        in += 2;
    else if (strncmp(in, "//", 2) == 0)
        return vmcp_fail(err, VMCP_E_USAGE, "the file of another host; file:///PATH is wanted");
    auto_free char *path = strdup(in);
    if (!path)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
    if (!vmcp_uri_decode(path))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "a %% that two hex digits of a character do not follow");
    *ret = steal(&path);
    return 0;
}

/* What a file that others can read holds. Whoever gives FILE.pub for FILE is told so, and not how
 * to lock it; nobody is asked for a passphrase. `mode_rc` is in *err. */
static int parse_exposed(const struct vmcp_buf *b, enum vmcp_key_half half, int mode_rc,
                         struct vmcp_key **ret, struct vmcp_error *err)
{
    const char *data = b->data ? b->data : "";
    struct vmcp_ask none = {.what = ""};
    struct vmcp_error other = {0};
    auto_key struct vmcp_key *key = NULL;
    if (vmcp_tpm_is_pem(data, b->len))
        return mode_rc;
    int rc = vmcp_key_parse(data, b->len, VMCP_KEY_ANY, &none, &key, &other);
    if (rc == 0 && !vmcp_key_is_private(key)) {
        if (half == VMCP_KEY_PRIVATE)
            return vmcp_key_fail_public(err);
        *ret = steal(&key);
        return 0;
    }
    if (rc == 0 || none.asked || half == VMCP_KEY_PRIVATE)
        return mode_rc;
    return vmcp_fail(err, other.code, "%s", other.text);
}

/* Read once: it may be a pipe. */
static int open_file(const char *path, enum vmcp_key_half half, struct vmcp_ask *ask,
                     struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_secret_buf struct vmcp_buf b = VMCP_BUF(VMCP_KEY_FILE_MAX);
    int rc = vmcp_file_read(path, VMCP_FILE_PRIVATE, &b, err);
    if (rc == -VMCP_E_FILE_MODE)
        return parse_exposed(&b, half, rc, ret, err);
    return rc < 0 ? rc : vmcp_key_parse(b.data ? b.data : "", b.len, half, ask, ret, err);
}

/* `shown`: the name as it may stand in a message. */
static int open_uri(const char *name, const char *shown, enum vmcp_key_half half,
                    struct vmcp_ask *ask, struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_free char *path = NULL;
    if (has_scheme(name, "pkcs11"))
        return vmcp_pkcs11_open(name, half == VMCP_KEY_PRIVATE, ask, ret, err);
    if (has_scheme(name, "handle") || has_scheme(name, "object"))
        return vmcp_tpm_open(name, NULL, 0, ask, ret, err);
    if (!has_scheme(name, "file"))
        return vmcp_fail(err, VMCP_E_USAGE,
                         "no key is named by a URI of this kind; there are file:, pkcs11:, handle: "
                         "and object:. A path with a colon in it is written ./%s",
                         shown);
    int rc = file_path(name, &path, err);
    return rc < 0 ? rc : open_file(path, half, ask, ret, err);
}

/* What a passphrase is asked as: goes to the terminal. */
static int ask_what(const char *kind, const char *shown, char **ret, struct vmcp_error *err)
{
    if (asprintf(ret, "the %s of %s", kind, shown) < 0) {
        *ret = NULL;
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a name");
    }
    vmcp_text_clean(*ret);
    return 0;
}

static int open_name(const char *name, enum vmcp_key_half half, struct vmcp_passphrase *pass,
                     struct vmcp_key **ret, struct vmcp_error *err)
{
    if (!*name || strlen(name) > VMCP_KEY_NAME_MAX)
        return vmcp_fail(err, VMCP_E_USAGE, "a key's name has 1 to %d characters",
                         VMCP_KEY_NAME_MAX);
    auto_free char *shown = vmcp_key_name_show(name), *what = NULL;
    if (!shown)
        return vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a name");
    int rc = ask_what(has_scheme(name, "pkcs11") ? "PIN" : "passphrase", shown, &what, err);
    struct vmcp_ask ask = {.pass = pass, .what = what};
    if (rc == 0)
        rc = scheme_length(name) ? open_uri(name, shown, half, &ask, ret, err)
                                 : open_file(name, half, &ask, ret, err);
    return rc < 0 ? vmcp_error_locate(err, shown) : 0;
}

int vmcp_key_open(const char *name, struct vmcp_passphrase *pass, struct vmcp_key **ret,
                  struct vmcp_error *err)
{
    return open_name(name, VMCP_KEY_PRIVATE, pass, ret, err);
}

int vmcp_key_open_any(const char *name, struct vmcp_passphrase *pass, struct vmcp_key **ret,
                      struct vmcp_error *err)
{
    return open_name(name, VMCP_KEY_ANY, pass, ret, err);
}

int vmcp_key_open_file(const char *path, enum vmcp_key_half half, struct vmcp_passphrase *pass,
                       struct vmcp_key **ret, struct vmcp_error *err)
{
    auto_free char *what = NULL;
    int rc = ask_what("passphrase", path, &what, err);
    struct vmcp_ask ask = {.pass = pass, .what = what};
    if (rc == 0)
        rc = open_file(path, half, &ask, ret, err);
    return rc < 0 ? vmcp_error_locate(err, path) : 0;
}

int vmcp_key_load_private(const char *path, struct vmcp_key **ret, struct vmcp_error *err)
{
    return vmcp_key_open_file(path, VMCP_KEY_PRIVATE, NULL, ret, err);
}

int vmcp_key_load_any(const char *path, struct vmcp_key **ret, struct vmcp_error *err)
{
    return vmcp_key_open_file(path, VMCP_KEY_ANY, NULL, ret, err);
}

int vmcp_key_name_path(const char *name, char **ret_path, struct vmcp_error *err)
{
    if (has_scheme(name, "file"))
        return file_path(name, ret_path, err);
    *ret_path = NULL;
    if (scheme_length(name) || strcmp(name, "-") == 0)
        return 0;
    *ret_path = strdup(name);
    return *ret_path ? 0 : vmcp_fail(err, VMCP_E_NO_MEMORY, "no memory for a path");
}
