#include "jsonw.h"

#include "clock.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

/* The string as jansson writes it; to be freed. */
static char *by_jansson(const char *p, size_t n)
{
    json_t *s = json_stringn(p, n);
    char *text;

    assert_non_null(s);
    text = json_dumps(s, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    json_decref(s);
    return text;
}

static void same_as_jansson(const char *p, size_t n)
{
    struct buf b = BUF_INIT;
    char *want = by_jansson(p, n);

    jsonw_string(&b, p, n);
    assert_false(b.failed);
    assert_string_equal(buf_str(&b), want);
    buf_release(&b);
    free(want);
}

static void strings_are_written_as_jansson_does(void **state)
{
    char all[128 + 1];
    static const char *const texts[] = {
        "",
        "plain",
        "a \"quoted\" \\ / text",
        "\b\f\n\r\t",
        "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80",
        "\xc2\x80\xe2\x80\xa8\xef\xbf\xbf\xf4\x8f\xbf\xbf",
        "a long text of more than sixteen bytes, with \xc3\xa9 in it and a \x7f at its end",
    };

    (void)state;
    for (int c = 0; c < 128; c++)
        all[c] = (char)c;
    same_as_jansson(all, 128);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
        same_as_jansson(texts[i], strlen(texts[i]));
}

/* Every mixture of a few kinds of characters, at every distance from the end. */
static void mixtures_are_written_as_jansson_does(void **state)
{
    static const char *const piece[] = {
        "a", "\"", "\\", "\x01", "\xc3\xa9", "\xe2\x82\xac", "0123456789abcdef", "\n"};
    uint32_t random = 12345;

    (void)state;
    for (int i = 0; i < 20000; i++) {
        char text[256];
        size_t n = 0;

        for (int k = 0; k < 12; k++) {
            const char *p;

            random = random * 1664525 + 1013904223;
            p = piece[random >> 29];
            memcpy(text + n, p, strlen(p));
            n += strlen(p);
        }
        same_as_jansson(text, n);
    }
}

static void invalid_bytes_become_replacement_characters(void **state)
{
    static const struct {
        const char *bytes, *want;
    } cases[] = {
        {"\xff", "\"\xef\xbf\xbd\""},
        {"a\x80z", "\"a\xef\xbf\xbdz\""},
        {"\xc3", "\"\xef\xbf\xbd\""},
        {"\xe2\x82", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xc0\xaf", "\"\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xed\xa0\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
        {"\xf4\x90\x80\x80", "\"\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""},
    };
    struct buf b = BUF_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        buf_clear(&b);
        jsonw_string(&b, cases[i].bytes, strlen(cases[i].bytes));
        assert_string_equal(buf_str(&b), cases[i].want);
    }
    buf_release(&b);
}

static void objects_and_arrays_nest(void **state)
{
    struct buf b = BUF_INIT;
    struct jsonw w = JSONW_INIT(&b);
    json_t *read;

    (void)state;
    jsonw_object(&w, NULL);
    jsonw_text(&w, "text", "a\"b");
    jsonw_text(&w, "none", NULL);
    jsonw_array(&w, "list");
    jsonw_int(&w, NULL, INT64_MIN);
    jsonw_uint(&w, NULL, UINT64_MAX);
    jsonw_object(&w, NULL);
    jsonw_object_end(&w);
    jsonw_array(&w, NULL);
    jsonw_array_end(&w);
    jsonw_bool(&w, NULL, true);
    jsonw_null(&w, NULL);
    jsonw_array_end(&w);
    jsonw_slice(&w, "slice", (struct slice){"xyz", 2});
    jsonw_slice(&w, "absent", SLICE_NONE);
    jsonw_time(&w, "at", 0);
    jsonw_time(&w, "never", TIME_NONE);
    jsonw_raw(&w, "raw", slice_of("{\"a\":1}"));
    jsonw_bool(&w, "no", false);
    jsonw_object_end(&w);
    assert_string_equal(
        buf_str(&b),
        "{\"text\":\"a\\\"b\",\"none\":null,\"list\":[-9223372036854775808,18446744073709551615,"
        "{},[],true,null],\"slice\":\"xy\",\"absent\":null,\"at\":\"1970-01-01T00:00:00.000000Z\","
        "\"never\":null,\"raw\":{\"a\":1},\"no\":false}");
    read = json_loadb(b.data, b.len, JSON_DECODE_INT_AS_REAL, NULL);
    assert_non_null(read);
    json_decref(read);
    buf_release(&b);
}

static void rates_have_two_decimals_in_any_locale(void **state)
{
    struct buf b = BUF_INIT;
    struct jsonw w = JSONW_INIT(&b);

    (void)state;
    (void)setlocale(LC_ALL, "pt_BR.UTF-8"); /* where there is one */
    jsonw_array(&w, NULL);
    jsonw_hundredths(&w, NULL, 0);
    jsonw_hundredths(&w, NULL, 5);
    jsonw_hundredths(&w, NULL, 9750);
    jsonw_hundredths(&w, NULL, -105);
    jsonw_hundredths(&w, NULL, INT64_MIN);
    jsonw_double(&w, NULL, 12.5);
    jsonw_double(&w, NULL, 0.125);
    jsonw_double(&w, NULL, -0.125);
    jsonw_double(&w, NULL, 1e300);
    jsonw_array_end(&w);
    (void)setlocale(LC_ALL, "C");
    assert_string_equal(buf_str(&b),
                        "[0.00,0.05,97.50,-1.05,-92233720368547758.08,12.50,0.13,-0.13,null]");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strings_are_written_as_jansson_does),
        cmocka_unit_test(mixtures_are_written_as_jansson_does),
        cmocka_unit_test(invalid_bytes_become_replacement_characters),
        cmocka_unit_test(objects_and_arrays_nest),
        cmocka_unit_test(rates_have_two_decimals_in_any_locale),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
