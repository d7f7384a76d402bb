#include "mask.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static struct buf out = BUF_INIT;

static struct masked mask(const char *text, size_t n)
{
    struct slice s = {text, n};

    buf_clear(&out);
    return mask_api_keys(s, &out);
}

static void expect(const char *text, const char *want, unsigned open)
{
    struct masked m = mask(text, strlen(text));

    if (!m.certain)
        fail_msg("not certain: %s", text);
    assert_string_equal(buf_str(&out), want);
    assert_int_equal(m.open, open);
}

static void uncertain(const char *text)
{
    struct masked m = mask(text, strlen(text));

    if (m.certain)
        fail_msg("certain: %s -> %s", text, buf_str(&out));
    assert_true(m.open > 0);
}

static void bytes_without_a_key_stay(void **state)
{
    (void)state;
    expect("", "", 0);
    expect("{\"event\":\"messages.update\"", "{\"event\":\"messages.update\"", 0);
    expect("api key, apike\xff", "api key, apike\xff", 0);
}

static void values_are_masked(void **state)
{
    (void)state;
    expect("{\"apikey\":\"S3CR3T\",\"x\":1}", "{\"apikey\":\"***\",\"x\":1}", 0);
    expect("{\"x\":1,\"ApiKey\" :\t\"S3CR3T\" }", "{\"x\":1,\"ApiKey\" :\t\"***\" }", 0);
    expect("{\"apikey\":\n  \"S3CR3T\"\n}", "{\"apikey\":\n  \"***\"\n}", 0);
    expect("{\"apikey\":\"\"}", "{\"apikey\":\"***\"}", 0);
    expect("{\"apikey\":\"S3\\\"CR\\\\\"}", "{\"apikey\":\"***\"}", 0);
    expect("{\"apikey\":\"apikey\",\"apikey\":\"S3CR3T\"}",
           "{\"apikey\":\"***\",\"apikey\":\"***\"}", 0);
    expect("{\"headers\":{\"x-apikey\":\"S3CR3T\"},\"a\":[]}",
           "{\"headers\":{\"x-apikey\":\"***\"},\"a\":[]}", 0);
    expect("{\"apikey\":null}", "{\"apikey\":null}", 0);
    expect("{\"apikey\": null , \"x\"", "{\"apikey\": null , \"x\"", 0);
}

static void values_within_strings_are_masked(void **state)
{
    (void)state;
    expect("{\"body\":\"{\\\"apikey\\\":\\\"S3CR3T\\\",\\\"x\\\":1}\"}",
           "{\"body\":\"{\\\"apikey\\\":\\\"***\\\",\\\"x\\\":1}\"}", 0);
    expect("\"{\\n  \\\"apikey\\\": \\n\\t\\\"S3\\\\\\\"CR\\\\\\\\\\\"\\n}\"",
           "\"{\\n  \\\"apikey\\\": \\n\\t\\\"***\\\"\\n}\"", 0);
    expect("\\\\\\\"apikey\\\\\\\":\\\\\\\"S3CR3T\\\\\\\",",
           "\\\\\\\"apikey\\\\\\\":\\\\\\\"***\\\\\\\",", 0);
    /* The string around it ends before the value does. */
    uncertain("{\"body\":\"{\\\"apikey\\\":\\\"S3CR3T\",\"x\":\\\"S3CR3T\\\"\"");
    uncertain("{\"body\":\"{\\\"apikey\\\":\\\"S3CR3T\"}");
}

static void a_cut_value_is_masked_to_the_end(void **state)
{
    (void)state;
    expect("{\"apikey\":\"S3CR", "{\"apikey\":\"***", 1);
    expect("{\"apikey\":\"S3CR\\", "{\"apikey\":\"***", 1);
    expect("{\"apikey\":\"S3CR\\\"", "{\"apikey\":\"***", 1);
    expect("{\"apikey\":\"", "{\"apikey\":\"***", 1);
    expect("{\\\"apikey\\\":\\\"S3CR\\", "{\\\"apikey\\\":\\\"***", 1);
    expect("{\"apikey\":\"S3CR3T\"", "{\"apikey\":\"***\"", 0);
}

static void a_cut_before_the_value_is_told(void **state)
{
    (void)state;
    expect("{\"apikey\":", "{\"apikey\":", 2);
    expect("{\"apikey\" :\r\n", "{\"apikey\" :\r\n", 2);
    expect("{\\\"apikey\\\":\\", "{\\\"apikey\\\":\\", 2);
    expect("{\"apikey", "{\"apikey", 3);
    expect("{\\\"apikey\\", "{\\\"apikey\\", 3);
    expect("{\"x\":1,\"ApI", "{\"x\":1,\"ApI", 3);
    expect("{\"x\":1,\\\"a\n", "{\"x\":1,\\\"a\n", 3);
    expect("{\"x\":1,\"b", "{\"x\":1,\"b", 0);
}

static void other_forms_are_not_certain(void **state)
{
    (void)state;
    uncertain("{\"apikey\":12345}");
    uncertain("{\"apikey\":nullS3CR3T}");
    uncertain("{\"apikey\":[\"S3CR3T\"]}");
    uncertain("{\"apikey\":{\"value\":\"S3CR3T\"}}");
    uncertain("{\"apikeys\":\"S3CR3T\"}");
    uncertain("{'apikey': 'S3CR3T'}");
    uncertain("{apikey:\"S3CR3T\"}");
    uncertain("apikey: S3CR3T");
    uncertain("GET /?apikey=S3CR3T");
    uncertain("{\"apikey\"=\"S3CR3T\"}");
    uncertain("{\"apikey\\\\\":\"S3CR3T\"}");
    uncertain("{\\\"apikey\\\":\"S3CR3T\"}");
    uncertain("{\"apikey\":\"S3C\"R3T\"}");
    uncertain("{\"apikey\\u0022:\\u0022S3CR3T\\u0022}");
    uncertain("{\"text\":\"apikey S3CR3T\"}");
}

static void spellings_by_escapes_are_not_certain(void **state)
{
    struct masked m;

    (void)state;
    uncertain("{\"api\\u006bey\":\"S3CR3T\"}");
    uncertain("{\"\\u0041pikey2\":\"S3CR3T\"}");
    uncertain("{\"body\":\"{\\\"api\\\\u006Bey\\\":\\\"S3CR3T\\\"}\"}");
    uncertain("{\"body\":\"{\\\"api\\u005cu006bey\\\":\\\"S3CR3T\\\"}\"}");
    uncertain("{\"body\":\"{\\\"apikey\\\":\\\"S3C\\u005c\\\"R3T\\\"}\"}");
    uncertain("{\"body\":\"{\\u0022api\\u0022\"}");
    expect("{\"name\":\"Jos\\u00e9 \\u003c\\u0000\"}", "{\"name\":\"Jos\\u00e9 \\u003c\\u0000\"}",
           0);
    m = mask("a\0p\0i\0k\0e\0y", 11);
    assert_false(m.certain);
}

/* At every depth, with every cut: nothing of the secret is left. */
static void no_cut_leaves_a_part_of_the_value(void **state)
{
    struct buf text = BUF_INIT, quoted = BUF_INIT;

    (void)state;
    buf_adds(&text, "{\"event\":\"x\",\"apikey\": \"ZZZZ\\\\ZZ\\\"ZZ\\nZZ\",\"data\":{\"k\":[1]}}");
    for (int depth = 0; depth < 4; depth++) {
        for (size_t n = 0; n <= text.len; n++) {
            struct masked m = mask(text.data, n);

            assert_true(m.certain);
            assert_null(memchr(buf_str(&out), 'Z', out.len));
        }
        buf_clear(&quoted);
        buf_adds(&quoted, "{\"body\":\"");
        for (size_t i = 0; i < text.len; i++) {
            if (text.data[i] == '"' || text.data[i] == '\\')
                buf_addc(&quoted, '\\');
            buf_addc(&quoted, text.data[i]);
        }
        buf_adds(&quoted, "\"}");
        buf_clear(&text);
        buf_add(&text, quoted.data, quoted.len);
    }
    buf_release(&text);
    buf_release(&quoted);
}

static void quotes_are_counted(void **state)
{
    (void)state;
    assert_int_equal(mask_quotes((struct slice){"", 0}), 0);
    assert_int_equal(mask_quotes(slice_of("a\"b\\\"c\\\\\"\"")), 3);
    assert_int_equal(mask_quotes(slice_of("\\")), 0);
}

static int tear_down(void **state)
{
    (void)state;
    buf_release(&out);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bytes_without_a_key_stay),
        cmocka_unit_test(values_are_masked),
        cmocka_unit_test(values_within_strings_are_masked),
        cmocka_unit_test(a_cut_value_is_masked_to_the_end),
        cmocka_unit_test(a_cut_before_the_value_is_told),
        cmocka_unit_test(other_forms_are_not_certain),
        cmocka_unit_test(spellings_by_escapes_are_not_certain),
        cmocka_unit_test(no_cut_leaves_a_part_of_the_value),
        cmocka_unit_test(quotes_are_counted),
    };

    return cmocka_run_group_tests(tests, NULL, tear_down);
}
