/* SPDX-License-Identifier: Apache-2.0 */
/* Names of files; tokens and TPMs: tests/e2e/test_keys.py. */
#include "unit.h"

#include <openssl/pem.h>
#include <openssl/pkcs12.h>

#include "lib/keyname.h"

/* Two files of one key: KEY (0600, encrypted where `passphrase` is not NULL) and KEY.pub. */
static void write_key(const void *folder, const char *kind, const char *passphrase)
{
    struct vmcp_error err;
    auto_free char *private = NULL, *public = NULL;
    size_t len = 0;
    const struct vmcp_key *key = unit_key(kind);
    if (passphrase)
        assert_good(
            "", vmcp_key_encrypted_pem(key, passphrase, strlen(passphrase), &private, &len, &err),
            err);
    else
        assert_good("", vmcp_key_private_pem(key, &private, &len, &err), err);
    assert_good("", vmcp_key_public_pem(key, &public, &err), err);
    unit_write(unit_path(folder, "key"), 0600, private, len);
    unit_write(unit_path(folder, "key.pub"), 0644, public, strlen(public));
}

/* A path, and what it may be spelled as. */
static void spellings(void **state)
{
    static const char *const forms[] = {"%s/%s", "file:%s/%s", "file://%s/%s",
                                        "file://localhost%s/%s"};
    static const char *const names[] = {"a:b", "a%3Ab", "a%3ab"};
    struct vmcp_error err;
    char name[5000];
    auto_free char *pem = NULL;
    size_t len = 0;
    assert_good("", vmcp_key_private_pem(unit_key("p-256"), &pem, &len, &err), err);
    unit_write(unit_path(*state, "a:b"), 0600, pem, len);
    for (size_t f = 0; f < UNIT_COUNT(forms); f++)
        for (size_t n = 0; n < UNIT_COUNT(names); n++) {
            auto_key struct vmcp_key *key = NULL, *any = NULL;
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(name, sizeof(name), forms[f], (const char *)*state, names[n]);
#pragma GCC diagnostic pop
            if (f == 0 && n > 0) { /* a path is taken as it is */
                assert_code(name, vmcp_key_open(name, NULL, &key, &err), err, VMCP_E_FILE);
                continue;
            }
            assert_good(name, vmcp_key_open(name, NULL, &key, &err), err);
            assert_true(vmcp_key_is_private(key));
            assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(unit_key("p-256")));
            assert_good(name, vmcp_key_open_any(name, NULL, &any, &err), err);
        }
}

/* What is no name, told with what would be one. */
static void not_names(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        const char *says;
    } rows[] = {
        {"a:b", "./a:b"},          {"https://example.org/k", "pkcs11:"},
        {"PKCS11:token=x", "./"},  {"c:key", "handle:"},
        {"file://host/k", "host"}, {"file:/a%2", "%"},
        {"file:/a%00b", "%"},      {"", "characters"},
        {"file:/a%zz", "%"},       {"PKCS11:object=x?pin-value=4711", "./PKCS11:object=x"},
    };
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        assert_code(rows[i].name, vmcp_key_open(rows[i].name, NULL, &none, &err), err,
                    VMCP_E_USAGE);
        assert_row(rows[i].name, strstr(err.text, rows[i].says));
        assert_row(rows[i].name, !strstr(err.text, "4711"));
        assert_code(rows[i].name, vmcp_key_open_any(rows[i].name, NULL, &none, &err), err,
                    VMCP_E_USAGE);
    }
    auto_free char *long_one = calloc(1, VMCP_KEY_NAME_MAX + 2);
    memset(long_one, 'x', VMCP_KEY_NAME_MAX + 1);
    assert_code("", vmcp_key_open(long_one, NULL, &none, &err), err, VMCP_E_USAGE);
    assert_null(none);
}

/* A PIN in a URI is never shown. */
static void names_are_shown_without_pins(void **state)
{
    (void)state;
    static const struct {
        const char *name, *want;
    } rows[] = {
        {"cfg.key", "cfg.key"},
        {"what?.key", "what?.key"},
        {"file:/a?b", "file:/a?b"},
        {"-", "standard input"},
        {"handle:0x81000001?pass", "handle:0x81000001"},
        {"pkcs11:token=t;object=o", "pkcs11:token=t;object=o"},
        {"pkcs11:token=t;object=o?pin-value=1234", "pkcs11:token=t;object=o"},
        {"pkcs11:token=t?module-path=/x&pin-value=1234", "pkcs11:token=t"},
        {"pkcs11:token=t;pin-value=1234;object=o", "pkcs11:token=t"},
        {"pkcs11:token=t;PIN-VALUE=1234;object=o", "pkcs11:token=t"},
        {"pkcs11:pin-value=1234;object=o", "pkcs11:"},
        {"pkcs1:token=t?pin-value=1234", "pkcs1:token=t"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        auto_free char *shown = vmcp_key_name_show(rows[i].name);
        assert_row(rows[i].name, shown && strcmp(shown, rows[i].want) == 0);
    }
}

/* What is not promised to be read is not: the rounds of a PKCS#12 file's KDF are its author's. */
static void pkcs12(void **state)
{
    (void)state;
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    EVP_PKEY *pkey = vmcp_key_pkey(unit_key("p-256"));
    PKCS12 *p12 = PKCS12_create("", NULL, pkey, NULL, NULL, 0, 0, 1, 1, 0);
    unsigned char *der = NULL;
    int len = i2d_PKCS12(p12, &der);
    assert_true(len > 0);
    assert_code("", vmcp_key_parse_private((char *)der, (size_t)len, &none, &err), err, VMCP_E_KEY);
    assert_code("", vmcp_key_parse_public((char *)der, (size_t)len, &none, &err), err, VMCP_E_KEY);
    assert_non_null(strstr(err.text, "SubjectPublicKeyInfo"));
    OPENSSL_free(der);
    PKCS12_free(p12);
}

static void encrypted(void **state)
{
    static const char *const kinds[] = {"ed25519", "p-256", "rsa-2048"};
    struct vmcp_error err;
    setenv("UNIT_PASS", "sesame", 1);
    setenv("UNIT_WRONG", "hunter2", 1);
    for (size_t i = 0; i < UNIT_COUNT(kinds); i++) {
        auto_passphrase struct vmcp_passphrase pass = {0}, wrong = {0}, unset = {0}, none = {0};
        auto_key struct vmcp_key *key = NULL, *any = NULL, *public = NULL, *no = NULL;
        write_key(*state, kinds[i], "sesame");
        const char *path = unit_path(*state, "key");
        assert_good("", vmcp_passphrase_init(&pass, "env:UNIT_PASS", false, &err), err);
        assert_good("", vmcp_passphrase_init(&wrong, "env:UNIT_WRONG", false, &err), err);
        assert_good("", vmcp_passphrase_init(&unset, "env:UNIT_UNSET", false, &err), err);
        assert_good(kinds[i], vmcp_key_open(path, &pass, &key, &err), err);
        assert_true(vmcp_key_is_private(key));
        assert_string_equal(vmcp_key_thumbprint(key), vmcp_key_thumbprint(unit_key(kinds[i])));
        assert_good(kinds[i], vmcp_key_open_any(path, &pass, &any, &err), err);
        /* wrong, absent, and not there at all are told apart */
        assert_code(kinds[i], vmcp_key_open(path, &wrong, &no, &err), err, VMCP_E_PASSPHRASE);
        assert_non_null(strstr(err.text, "does not open"));
        assert_string_equal(err.where, path);
        assert_null(strstr(err.text, "hunter2"));
        assert_code(kinds[i], vmcp_key_open(path, &unset, &no, &err), err, VMCP_E_PASSPHRASE);
        assert_string_equal(err.where, "env:UNIT_UNSET");
        assert_code(kinds[i], vmcp_key_open(path, &none, &no, &err), err, VMCP_E_PASSPHRASE);
        assert_non_null(strstr(err.text, "--passphrase"));
        assert_code(kinds[i], vmcp_key_open(path, NULL, &no, &err), err, VMCP_E_PASSPHRASE);
        /* the public half needs none, and its file's mode does not matter */
        unset.have = false;
        assert_good("", vmcp_key_open_any(unit_path(*state, "key.pub"), &unset, &public, &err),
                    err);
        assert_false(vmcp_key_is_private(public));
        assert_false(unset.have);
        assert_code("", vmcp_key_open(unit_path(*state, "key.pub"), &pass, &no, &err), err,
                    VMCP_E_KEY_PUBLIC_ONLY);
        assert_null(no);
    }
}

/* AES-256-CBC under PBKDF2-HMAC-SHA-256, as openssl says of it too; no two are alike. */
static void how_it_is_encrypted(void **state)
{
    struct vmcp_error err;
    auto_free char *one = NULL, *two = NULL;
    size_t len = 0;
    (void)state;
    const struct vmcp_key *key = unit_key("ed25519");
    assert_good("", vmcp_key_encrypted_pem(key, "sesame", 6, &one, &len, &err), err);
    assert_good("", vmcp_key_encrypted_pem(key, "sesame", 6, &two, &len, &err), err);
    assert_string_not_equal(one, two);
    assert_ptr_equal(strstr(one, "-----BEGIN ENCRYPTED PRIVATE KEY-----"), one);
    BIO *bio = BIO_new_mem_buf(one, -1);
    X509_SIG *sealed = PEM_read_bio_PKCS8(bio, NULL, NULL, NULL);
    unsigned char *der = NULL;
    int der_len = i2d_X509_SIG(sealed, &der);
    static const unsigned char aes256cbc[] = {0x60, 0x86, 0x48, 0x01, 0x65, 0x03, 0x04, 0x01, 0x2a};
    static const unsigned char sha256[] = {0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 0x02, 0x09};
    static const unsigned char rounds[] = {0x02, 0x03, 0x09, 0x27, 0xc0}; /* 600000 */
    assert_non_null(memmem(der, (size_t)der_len, aes256cbc, sizeof(aes256cbc)));
    assert_non_null(memmem(der, (size_t)der_len, sha256, sizeof(sha256)));
    assert_non_null(memmem(der, (size_t)der_len, rounds, sizeof(rounds)));
    OPENSSL_free(der);
    X509_SIG_free(sealed);
    BIO_free(bio);
}

/* A mode that lets others in is told before anybody is asked for a passphrase. */
static void modes(void **state)
{
    static const char *const passphrases[] = {NULL, "sesame"};
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    for (size_t i = 0; i < UNIT_COUNT(passphrases); i++) {
        auto_passphrase struct vmcp_passphrase pass = {0};
        assert_good("", vmcp_passphrase_init(&pass, "env:UNIT_UNSET", false, &err), err);
        write_key(*state, "ed25519", passphrases[i]);
        const char *path = unit_path(*state, "key");
        for (mode_t mode = 0601; mode <= 0640; mode = mode == 0601 ? 0604 : mode + 4) {
            assert_int_equal(chmod(path, mode), 0);
            assert_code("", vmcp_key_open(path, &pass, &none, &err), err, VMCP_E_FILE_MODE);
            assert_non_null(strstr(err.text, "chmod 600 "));
            assert_code("", vmcp_key_open_any(path, &pass, &none, &err), err, VMCP_E_FILE_MODE);
        }
        /* systemd's 0440 is well there, and only there */
        auto_key struct vmcp_key *key = NULL;
        setenv("CREDENTIALS_DIRECTORY", *state, 1);
        setenv("UNIT_PASS", "sesame", 1);
        pass.source = "env:UNIT_PASS";
        assert_int_equal(chmod(path, 0440), 0);
        assert_good("", vmcp_key_open(path, &pass, &key, &err), err);
        assert_int_equal(chmod(path, 0444), 0);
        assert_code("", vmcp_key_open(path, &pass, &none, &err), err, VMCP_E_FILE_MODE);
        unsetenv("CREDENTIALS_DIRECTORY");
        assert_int_equal(unlink(path), 0);
    }
    /* what is no key at all is told as that, where any key will do */
    unit_write(unit_path(*state, "junk"), 0644, "junk", 4);
    assert_code("", vmcp_key_open_any(unit_path(*state, "junk"), NULL, &none, &err), err,
                VMCP_E_KEY);
    assert_code("", vmcp_key_open(unit_path(*state, "junk"), NULL, &none, &err), err,
                VMCP_E_FILE_MODE);
    assert_null(none);
}

/* A TPM's key is one although it cannot be loaded here, and not taken for a public one. */
static void keys_of_a_tpm(void **state)
{
    static const char pem[] = "-----BEGIN TSS2 PRIVATE KEY-----\nAAAA\n"
                              "-----END TSS2 PRIVATE KEY-----\n";
    struct vmcp_error err;
    struct vmcp_key *none = NULL;
    const char *path = unit_path(*state, "tpm.pem");
    assert_code("", vmcp_key_parse_public(pem, strlen(pem), &none, &err), err, VMCP_E_KEY);
    assert_non_null(strstr(err.text, "private key"));
    unit_write(path, 0644, pem, strlen(pem));
    assert_code("", vmcp_key_open(path, NULL, &none, &err), err, VMCP_E_FILE_MODE);
    assert_code("", vmcp_key_open_any(path, NULL, &none, &err), err, VMCP_E_FILE_MODE);
}

/* Standard input is read once, whatever half comes. */
static void standard_input(void **state)
{
    struct vmcp_error err;
    write_key(*state, "ed25519", NULL);
    int saved = dup(STDIN_FILENO);
    static const char *const files[] = {"key", "key.pub"};
    for (size_t i = 0; i < UNIT_COUNT(files); i++) {
        int ends[2];
        size_t len = 0;
        auto_key struct vmcp_key *key = NULL;
        auto_free char *text = unit_read(unit_path(*state, files[i]), &len);
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], text, len), (ssize_t)len);
        close(ends[1]);
        dup2(ends[0], STDIN_FILENO);
        close(ends[0]);
        assert_good(files[i], vmcp_key_open_any("-", NULL, &key, &err), err);
        assert_true(vmcp_key_is_private(key) == (i == 0));
    }
    dup2(saved, STDIN_FILENO);
    close(saved);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(spellings),
        cmocka_unit_test(not_names),
        cmocka_unit_test(names_are_shown_without_pins),
        cmocka_unit_test(pkcs12),
        cmocka_unit_test(encrypted),
        cmocka_unit_test(how_it_is_encrypted),
        cmocka_unit_test(modes),
        cmocka_unit_test(keys_of_a_tpm),
        cmocka_unit_test(standard_input),
    };
    return cmocka_run_group_tests(tests, unit_folder_make, unit_folder_remove);
}
