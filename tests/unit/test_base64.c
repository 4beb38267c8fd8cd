/* SPDX-License-Identifier: Apache-2.0 */
#include "unit.h"

static const char padded_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
static const char url_alphabet[] =
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

static int decode(enum vmcp_base64 kind, const char *text, size_t chars, uint8_t *out, size_t *len)
{
    return vmcp_base64_decode(kind, text, chars, out, len, NULL);
}

/* RFC 4648, section 10. */
static void rfc_vectors(void **state)
{
    (void)state;
    static const char *const rows[][2] = {{"", ""},
                                          {"f", "Zg=="},
                                          {"fo", "Zm8="},
                                          {"foo", "Zm9v"},
                                          {"foob", "Zm9vYg=="},
                                          {"fooba", "Zm9vYmE="},
                                          {"foobar", "Zm9vYmFy"}};
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        char text[16], bare[16];
        uint8_t back[16];
        size_t len = 99, n = strlen(rows[i][0]);
        assert_int_equal(vmcp_base64_encode(VMCP_BASE64_PADDED, rows[i][0], n, text),
                         strlen(rows[i][1]));
        assert_string_equal(text, rows[i][1]);
        assert_int_equal(decode(VMCP_BASE64_PADDED, text, strlen(text), back, &len), 0);
        assert_int_equal(len, n);
        assert_memory_equal(back, rows[i][0], n);
        vmcp_base64_encode(VMCP_BASE64_URL, rows[i][0], n, bare);
        assert_int_equal(strlen(bare), strcspn(rows[i][1], "="));
        assert_memory_equal(bare, rows[i][1], strlen(bare));
    }
}

/* All inputs of one and two bytes, and every byte in each place of three, there and back. */
static void every_short_input_comes_back(void **state)
{
    (void)state;
    for (int kind = 0; kind < 2; kind++)
        for (unsigned v = 0; v < 0x10000 + 0x100 + 3 * 0x100; v++) {
            uint8_t in[3] = {(uint8_t)(v >> 8), (uint8_t)v, 0x5a}, out[8];
            size_t n = v < 0x10000 ? 2 : v < 0x10100 ? 1 : 3, len = 0;
            if (n == 1)
                in[0] = (uint8_t)v;
            if (n == 3) {
                memcpy(in, "\xff\x80\x01", 3);
                in[(v - 0x10100) / 0x100] = (uint8_t)v;
            }
            char text[8];
            size_t chars = vmcp_base64_encode((enum vmcp_base64)kind, in, n, text);
            assert_int_equal(strlen(text), chars);
            assert_int_equal(decode((enum vmcp_base64)kind, text, chars, out, &len), 0);
            assert_int_equal(len, n);
            assert_memory_equal(in, out, n);
        }
}

/* Is the text the one that encoding gives? The oracle of the exhaustive tests below. */
static bool is_canonical(enum vmcp_base64 kind, const char *text, size_t chars)
{
    const char *alphabet = kind == VMCP_BASE64_URL ? url_alphabet : padded_alphabet;
    const char *last = chars ? strchr(alphabet, text[chars - 1]) : NULL;
    for (size_t i = 0; i < chars; i++)
        if (!text[i] || !strchr(alphabet, text[i]))
            return false;
    unsigned spare = chars % 4 == 2 ? 15 : chars % 4 == 3 ? 3 : 0; /* RFC 4648, section 3.5 */
    return chars % 4 != 1 && (!last || !((unsigned)(last - alphabet) & spare));
}

/* All texts of two bytes and all of three with every last byte: only canonical ones are taken. */
static void every_short_text_is_canonical_or_refused(void **state)
{
    (void)state;
    size_t taken = 0;
    for (unsigned v = 0; v < 0x10000; v++) {
        char two[2] = {(char)(v >> 8), (char)v}, three[3] = {'Q', two[0], two[1]};
        char four[4] = {two[0], two[1], '=', '='};
        uint8_t out[8];
        size_t len = 0;
        bool want = is_canonical(VMCP_BASE64_URL, two, 2);
        assert_int_equal(decode(VMCP_BASE64_URL, two, 2, out, &len) == 0, want);
        taken += want;
        want = is_canonical(VMCP_BASE64_URL, three, 3);
        assert_int_equal(decode(VMCP_BASE64_URL, three, 3, out, &len) == 0, want);
        want = is_canonical(VMCP_BASE64_PADDED, four, 2);
        assert_int_equal(decode(VMCP_BASE64_PADDED, four, 4, out, &len) == 0, want);
        assert_true(decode(VMCP_BASE64_PADDED, two, 2, out, &len) < 0);
    }
    assert_int_equal(taken, 256); /* one text for each byte, and no other */
}

static void padding_and_length(void **state)
{
    (void)state;
    static const struct {
        enum vmcp_base64 kind;
        const char *text;
    } rows[] = {
        {VMCP_BASE64_PADDED, "Zg"},       {VMCP_BASE64_PADDED, "Zg="},
        {VMCP_BASE64_PADDED, "Zg==="},    {VMCP_BASE64_PADDED, "Zg======"},
        {VMCP_BASE64_PADDED, "="},        {VMCP_BASE64_PADDED, "===="},
        {VMCP_BASE64_PADDED, "Z==="},     {VMCP_BASE64_PADDED, "Zg=a"},
        {VMCP_BASE64_PADDED, "Zg==Zg=="}, {VMCP_BASE64_PADDED, "Zm9v="},
        {VMCP_BASE64_PADDED, "Zm9v===="}, {VMCP_BASE64_PADDED, "=Zg="},
        {VMCP_BASE64_PADDED, "Zm8=\n"},   {VMCP_BASE64_PADDED, "Zm 8"},
        {VMCP_BASE64_PADDED, "Zm-v"},     {VMCP_BASE64_PADDED, "Zm_v"},
        {VMCP_BASE64_URL, "Zg=="},        {VMCP_BASE64_URL, "Zm8="},
        {VMCP_BASE64_URL, "A"},           {VMCP_BASE64_URL, "AAAAA"},
        {VMCP_BASE64_PADDED, "A==="},     {VMCP_BASE64_URL, "Z"},
        {VMCP_BASE64_URL, "Zm9vY"},       {VMCP_BASE64_URL, "Zm+v"},
        {VMCP_BASE64_URL, "Zm/v"},        {VMCP_BASE64_URL, " Zg"},
        {VMCP_BASE64_URL, "Zg\n"},        {VMCP_BASE64_URL, "Zm9v\r\nZg"},
        {VMCP_BASE64_URL, "Zh"},          {VMCP_BASE64_URL, "Zm9"},
    };
    for (size_t i = 0; i < UNIT_COUNT(rows); i++) {
        struct vmcp_error err;
        uint8_t out[16];
        size_t len = 77;
        assert_code(
            rows[i].text,
            vmcp_base64_decode(rows[i].kind, rows[i].text, strlen(rows[i].text), out, &len, &err),
            err, VMCP_E_ANSWER_MALFORMED);
        assert_int_equal(len, 77); /* untouched on failure */
    }
}

static void the_message_names_the_character(void **state)
{
    (void)state;
    struct vmcp_error err;
    uint8_t out[16];
    size_t len = 0;
    assert_code("", vmcp_base64_decode(VMCP_BASE64_URL, "Zm\0v", 4, out, &len, &err), err,
                VMCP_E_ANSWER_MALFORMED);
    assert_non_null(strstr(err.text, "character 3 "));
}

/* The macros in the header promise enough room, to the byte: the sanitizers watch. */
static void room_is_what_the_header_says(void **state)
{
    (void)state;
    for (size_t n = 0; n < 40; n++)
        for (int kind = 0; kind < 2; kind++) {
            uint8_t in[40] = {0};
            auto_free char *text = malloc(VMCP_BASE64_CHARS(n) + 1);
            size_t chars = vmcp_base64_encode((enum vmcp_base64)kind, in, n, text), len = 0;
            assert_true(chars <= VMCP_BASE64_CHARS(n));
            auto_free uint8_t *out = malloc(VMCP_BASE64_BYTES(chars) + !chars);
            assert_int_equal(decode((enum vmcp_base64)kind, text, chars, out, &len), 0);
            assert_int_equal(len, n);
        }
}

static void hex(void **state)
{
    (void)state;
    char text[11];
    vmcp_hex_encode((const uint8_t *)"\x00\x01\x7f\xab\xff", 5, text);
    assert_string_equal(text, "00017fabff");
    vmcp_hex_encode(NULL, 0, text);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rfc_vectors),
        cmocka_unit_test(every_short_input_comes_back),
        cmocka_unit_test(every_short_text_is_canonical_or_refused),
        cmocka_unit_test(padding_and_length),
        cmocka_unit_test(the_message_names_the_character),
        cmocka_unit_test(room_is_what_the_header_says),
        cmocka_unit_test(hex),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
