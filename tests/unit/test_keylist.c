/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

#include "lib/keylist.h"

/* An RSA key beside the one of unit_key(): made once. Borrowed. */
static struct vmcp_key *root_key(void)
{
    static struct vmcp_key *root;
    struct vmcp_error err;
    if (!root)
        assert_good("", vmcp_key_generate("rsa-2048", &root, &err), err);
    return root;
}

/* `text` signed by the root key, and read. */
static int read_signed(const char *text, size_t len, struct vmcp_keylist *ret,
                       struct vmcp_error *err)
{
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t sig_len = 0;
    struct vmcp_error e;
    assert_good("", vmcp_sign(root_key(), vmcp_alg_find("RS512"), text, len, sig, &sig_len, &e), e);
    return vmcp_keylist_read(text, len, sig, sig_len, root_key(), ret, err);
}

static int read_text(const char *text, struct vmcp_error *err)
{
    auto_keylist struct vmcp_keylist list = {0};
    return read_signed(text, strlen(text), &list, err);
}

/* The one good line: DOMAIN=BASE64, without its newline. New string. */
static char *line_of(const char *domain)
{
    struct vmcp_error err;
    auto_free unsigned char *der = NULL;
    size_t len = 0;
    char *line = NULL;
    assert_good("", vmcp_key_public_der(unit_key("rsa-2048"), &der, &len, &err), err);
    auto_free char *text = malloc(VMCP_BASE64_CHARS(len) + 1);
    vmcp_base64_encode(VMCP_BASE64_PADDED, der, len, text);
    assert_true(asprintf(&line, "%s=%s", domain, text) > 0);
    return line;
}

static void there_and_back(void **state)
{
    (void)state;
    struct vmcp_error err;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t len = 0;
    auto_keylist struct vmcp_keylist list = {0}, back = {0};
    auto_free char *text = NULL, *a = line_of("a.example.org"), *b = line_of("b.example.org");
    auto_free char *want = NULL;
    assert_good("", vmcp_keylist_add(&list, "a.example.org", unit_key("rsa-2048"), &err), err);
    assert_good("", vmcp_keylist_add(&list, "b.example.org", unit_key("rsa-2048"), &err), err);
    assert_good("", vmcp_keylist_sign(&list, root_key(), &text, sig, &len, &err), err);
    assert_true(asprintf(&want, "%s\n%s\n", a, b) > 0);
    assert_string_equal(text, want);
    assert_good("", vmcp_keylist_read(text, strlen(text), sig, len, root_key(), &back, &err), err);
    assert_int_equal(back.count, 2);
    assert_string_equal(back.entries[1].domain, "b.example.org");
    assert_string_equal(vmcp_key_thumbprint(back.entries[0].key),
                        vmcp_key_thumbprint(unit_key("rsa-2048")));
}

static void what_cannot_be_listed(void **state)
{
    (void)state;
    struct vmcp_error err;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t len = 0;
    char *none = NULL;
    auto_keylist struct vmcp_keylist list = {0}, rooted = {0};
    assert_code("empty", vmcp_keylist_sign(&list, root_key(), &none, sig, &len, &err), err,
                VMCP_E_USAGE);
    assert_code("type", vmcp_keylist_add(&list, "a", unit_key("ed25519"), &err), err,
                VMCP_E_KEY_UNSUPPORTED);
    assert_code("name", vmcp_keylist_add(&list, "A.b", unit_key("rsa-2048"), &err), err,
                VMCP_E_DOMAIN_MALFORMED);
    assert_good("", vmcp_keylist_add(&list, "a", unit_key("rsa-2048"), &err), err);
    assert_code("twice", vmcp_keylist_add(&list, "a", root_key(), &err), err, VMCP_E_USAGE);
    assert_code("root", vmcp_keylist_sign(&list, unit_key("ed25519"), &none, sig, &len, &err), err,
                VMCP_E_KEY_UNSUPPORTED);
    assert_good("", vmcp_keylist_add(&rooted, "a", root_key(), &err), err);
    assert_code("root listed", vmcp_keylist_sign(&rooted, root_key(), &none, sig, &len, &err), err,
                VMCP_E_TRUST);
    assert_null(none);
}

/* The signature comes first: nothing of an unsigned list is read. */
static void signatures_of_lists(void **state)
{
    (void)state;
    struct vmcp_error err;
    uint8_t sig[VMCP_SIGNATURE_MAX];
    size_t len = 0;
    auto_keylist struct vmcp_keylist list = {0}, none = {0};
    auto_free char *text = NULL;
    assert_good("", vmcp_keylist_add(&list, "a", unit_key("rsa-2048"), &err), err);
    assert_good("", vmcp_keylist_sign(&list, root_key(), &text, sig, &len, &err), err);
    text[0] = 'b';
    assert_code("", vmcp_keylist_read(text, strlen(text), sig, len, root_key(), &none, &err), err,
                VMCP_E_SIGNATURE);
    text[0] = 'a';
    assert_code("",
                vmcp_keylist_read(text, strlen(text), sig, len, unit_key("rsa-2048"), &none, &err),
                err, VMCP_E_SIGNATURE);
    assert_code("", vmcp_keylist_read("nonsense", 8, sig, len, root_key(), &none, &err), err,
                VMCP_E_SIGNATURE);
    assert_code("", vmcp_keylist_read(text, strlen(text), sig, len - 1, root_key(), &none, &err),
                err, VMCP_E_SIGNATURE);
    assert_int_equal(none.count, 0);
}

/* Rightly signed, and refused: a reader that is lenient here can be fed other texts. */
static void lines_that_are_refused(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *good = line_of("a.example.org"), *der = strdup(strchr(good, '=') + 1);
    char text[4096];
    snprintf(text, sizeof(text), "%s\n", good);
    assert_good("", read_text(text, &err), err);
    static const char *const shapes[] = {
        "%s\n%s\n", /* a domain twice */
        "%s\n\n",   /* an empty line */
        "\n%s\n",   "%s\r\n", " %s\n", "%s \n", "# %s\n", "x%s=\n", "%s\nsalt", "%s\nname=web\n",
    };
    for (size_t i = 0; i < UNIT_COUNT(shapes); i++) {
        const char *mark = strstr(shapes[i], "%s");
        int n = snprintf(text, sizeof(text), "%.*s%s", (int)(mark - shapes[i]), shapes[i], good);
        const char *rest = mark + 2, *again = strstr(rest, "%s");
        if (again)
            snprintf(text + n, sizeof(text) - (size_t)n, "\n%s\n", good);
        else
            snprintf(text + n, sizeof(text) - (size_t)n, "%s", rest);
        assert_code(shapes[i], read_text(text, &err), err, VMCP_E_TRUST);
        assert_row(shapes[i], strncmp(err.where, "line ", 5) == 0);
    }
    static const char *const values[] = {"", "=", "AAAA", "MAA=", "not base64"};
    for (size_t i = 0; i < UNIT_COUNT(values); i++) {
        snprintf(text, sizeof(text), "a.example.org=%s\n", values[i]);
        assert_code(values[i], read_text(text, &err), err, VMCP_E_TRUST);
    }
    static const char *const domains[] = {"", "A.example.org", "a b", "a.example.org.", "a:80"};
    for (size_t i = 0; i < UNIT_COUNT(domains); i++) {
        snprintf(text, sizeof(text), "%s=%s\n", domains[i], der);
        assert_code(domains[i], read_text(text, &err), err, VMCP_E_TRUST);
    }
}

/* The root key signs lists and nothing else; a list that says otherwise is refused whole. */
static void the_root_key_is_nobodys(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free unsigned char *der = NULL;
    auto_free char *good = line_of("a.example.org");
    size_t len = 0;
    char text[8192];
    int n = snprintf(text, sizeof(text), "%s\nb.example.org=", good);
    assert_good("", vmcp_key_public_der(root_key(), &der, &len, &err), err);
    vmcp_base64_encode(VMCP_BASE64_PADDED, der, len, text + n);
    strcat(text, "\n");
    assert_code("", read_text(text, &err), err, VMCP_E_TRUST);
}

/* One whole SubjectPublicKeyInfo: no byte behind it, no other form of the same key. */
static void keys_in_lines(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free unsigned char *der = NULL;
    auto_free char *pem = NULL;
    size_t len = 0;
    char text[4096] = "a.example.org=";
    assert_good("", vmcp_key_public_der(unit_key("rsa-2048"), &der, &len, &err), err);
    auto_free uint8_t *longer = calloc(1, len + 1);
    memcpy(longer, der, len);
    vmcp_base64_encode(VMCP_BASE64_PADDED, longer, len + 1, text + 14);
    strcat(text, "\n");
    assert_code("a byte behind", read_text(text, &err), err, VMCP_E_TRUST);
    assert_good("", vmcp_key_public_pem(unit_key("rsa-2048"), &pem, &err), err);
    vmcp_base64_encode(VMCP_BASE64_PADDED, pem, strlen(pem), text + 14);
    strcat(text, "\n");
    assert_code("PEM", read_text(text, &err), err, VMCP_E_TRUST);
    free(steal(&der));
    assert_good("", vmcp_key_public_der(unit_key("ed25519"), &der, &len, &err), err);
    vmcp_base64_encode(VMCP_BASE64_PADDED, der, len, text + 14);
    strcat(text, "\n");
    assert_code("Ed25519", read_text(text, &err), err, VMCP_E_TRUST);
}

/* What stands behind a NUL counts: a text of another kind could hide there. */
static void nul_bytes(void **state)
{
    (void)state;
    struct vmcp_error err;
    auto_free char *good = line_of("a.example.org");
    size_t len = strlen(good), at[] = {0, 1, 13, 14, 20, len};
    for (size_t i = 0; i < UNIT_COUNT(at); i++) {
        char text[4096], row[32];
        auto_keylist struct vmcp_keylist none = {0};
        memcpy(text, good, at[i]);
        text[at[i]] = '\0';
        memcpy(text + at[i] + 1, good + at[i], len - at[i]);
        text[len + 1] = '\n';
        snprintf(row, sizeof(row), "NUL at %zu", at[i]);
        assert_code(row, read_signed(text, len + 2, &none, &err), err, VMCP_E_TRUST);
    }
    char hidden[4096] = "a.example.org\0name"; /* and "=BASE64" */
    size_t n = 13 + 1 + 4;
    auto_keylist struct vmcp_keylist none = {0};
    memcpy(hidden + n, good + 13, len - 13);
    assert_code("hidden", read_signed(hidden, n + len - 13, &none, &err), err, VMCP_E_TRUST);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(there_and_back),
        cmocka_unit_test(what_cannot_be_listed),
        cmocka_unit_test(signatures_of_lists),
        cmocka_unit_test(lines_that_are_refused),
        cmocka_unit_test(the_root_key_is_nobodys),
        cmocka_unit_test(keys_in_lines),
        cmocka_unit_test(nul_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
