#include "secret.h"

#include "helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static void assert_struck(const char *secret, const char *text, const char *wanted)
{
    char b[512];
    size_t n = strlen(text);

    memcpy(b, text, n + 1);
    secret_strike(b, n, slice_of(secret));
    assert_string_equal(b, wanted);
}

static void a_secret_is_struck_wherever_it_stands(void **state)
{
    (void)state;
    assert_struck("abcd", "abcd", "****");
    assert_struck("abcd", "xabcdabcdy", "x********y");
    assert_struck("aab1", "aaab1", "a****");
    assert_struck("abcd", "abc", "abc");
    assert_struck("abcd", "", "");
    assert_struck("abc", "abc", "abc"); /* too short to be told from other text */
    assert_struck("", "abc", "abc");
    secret_strike(NULL, 0, slice_of("abcd"));
}

static void a_url_or_json_may_have_written_it(void **state)
{
    (void)state;
    assert_struck("a/b+c", "?k=a%2Fb%2Bc&", "?k=*********&");
    assert_struck("a/b+c", "?k=a%2fb+c%", "?k=*******%");
    assert_struck("abcd", "%61%62%63%64%6", "************%6");
    assert_struck("a%25b", "a%25b a%2525b", "***** *******");
    assert_struck("a\"b/", "{\"a\\\"b\\/\"}", "{\"******\"}");
    assert_struck("abcd", "\\u0061bc\\u0064", "**************");
    assert_struck("\xC3\xA9"
                  "ab",
                  "\\u00E9ab", "********");
    assert_struck("\xE2\x82\xAC"
                  "a",
                  "\\u20aca", "*******");
    assert_struck("a\\b\\", "a\\b\\ a\\\\b\\\\", "**** ******");
    assert_struck("abcd", "ab\\u006", "ab\\u006");
    assert_struck("abcd", "abc\\", "abc\\");
    assert_struck("ab\xC3", "ab\\u00e9", "ab\\u00e9"); /* half of a character is none */
}

/* Every text that ends somewhere in every form is read to its end and no further. */
static void no_end_is_read_past(void **state)
{
    static const char text[] = "k=%61\\u0062c\\/%2";
    char b[sizeof text];
    size_t n;

    (void)state;
    for (n = 0; n < sizeof text; n++) {
        char *exact = n ? memcpy(b + sizeof b - n, text, n) : b;

        secret_strike(exact, n, slice_of("abc/x"));
        assert_memory_equal(exact, text, n);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_secret_is_struck_wherever_it_stands),
        cmocka_unit_test(a_url_or_json_may_have_written_it),
        cmocka_unit_test(no_end_is_read_past),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
