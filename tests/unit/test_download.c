/* SPDX-License-Identifier: Apache-2.0 */
/* Whether a script downloads: hostile and cut texts; the table of commands is in the e2e tests. */
#include "unit.h"

#include "lib/download.h"

/* Is there a download in these bytes, which end exactly where they end? */
static bool found(const char *text, size_t len, struct vmcp_download *ret)
{
    char *exact = malloc(len ? len : 1); /* so that a sanitizer sees a read behind the end */
    assert_non_null(exact);
    memcpy(exact, text, len);
    bool is_found = vmcp_download_find(exact, len, ret);
    free(exact);
    return is_found;
}

static void the_first_is_told(void **state)
{
    (void)state;
    struct vmcp_download d = {0};
    static const char text[] = "#!/bin/sh\nset -e\n\napt-get -q \\\n  update && wget x\n";
    assert_true(found(text, strlen(text), &d));
    assert_int_equal(d.line, 4);
    assert_string_equal(d.command, "apt-get update");
    static const char none[] = "#!/bin/sh\necho none\n";
    assert_false(found(none, strlen(none), &d));
    assert_int_equal(d.line, 4); /* left alone */
}

/* Every beginning of texts that open everything: no read behind the end, no endless loop. */
static void cut_anywhere(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "#!/bin/sh\nx=\"$(cat <<-'EOF'\n\tq\n\tEOF\n)\" `a \\`b\\`` 'c' <<< d $((1)) \\\n#e",
        "#cloud-config\nruncmd:\n  - [ sh, -c, \"a 'b\" ]\n  - don't\npackages: [a]\n",
        "#!/bin/sh\nbash -c \"a; 'b' && curl x\" # c\n",
        "#include\nhttps://example.org/\n",
    };
    struct vmcp_download d;
    for (size_t i = 0; i < UNIT_COUNT(texts); i++)
        for (size_t len = 0; len <= strlen(texts[i]); len++)
            (void)found(texts[i], len, &d);
}

/* Depth and length have no influence but on what is found. */
static void deep_and_long(void **state)
{
    (void)state;
    enum { LEN = 200000 };
    static const char openers[] = "(`\"'$(;{<\\a";
    char *text = malloc(LEN);
    struct vmcp_download d;
    assert_non_null(text);
    for (size_t k = 0; k < sizeof(openers); k++) {
        memset(text, openers[k], LEN);
        memcpy(text, "#!/bin/sh\n", 10);
        assert_false(found(text, LEN, &d));
    }
    for (size_t i = 10; i < LEN; i++)
        text[i] = openers[(i * i / 7 + i) % sizeof(openers)];
    assert_false(found(text, LEN, &d));
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_first_is_told),
        cmocka_unit_test(cut_anywhere),
        cmocka_unit_test(deep_and_long),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
