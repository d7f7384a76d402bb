#include "ident.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define UUID "0f8fad5b-d9cb-469f-a165-70867728950e"

static bool parses(enum ident_kind kind, const char *s, struct ident *id)
{
    return ident_parse(kind, s, strlen(s), id);
}

/* What the text becomes when read and written again; static. */
static const char *again(enum ident_kind kind, const char *s)
{
    static char text[IDENT_TEXT_SIZE];
    struct ident id;

    assert_true(parses(kind, s, &id));
    return ident_format(kind, id, text);
}

static void a_uuid_is_read_in_every_spelling(void **state)
{
    (void)state;
    assert_string_equal(again(IDENT_UUID, UUID), UUID);
    assert_string_equal(again(IDENT_UUID, "0F8FAD5B-D9CB-469F-A165-70867728950E"), UUID);
    assert_string_equal(again(IDENT_UUID, "0f8fad5bd9cb469fa16570867728950e"), UUID);
    assert_string_equal(again(IDENT_UUID, "0f8f-ad5b-d9cb-469f-a165-7086-7728-950e"), UUID);
    assert_string_equal(again(IDENT_UUID, "00000000-0000-0000-0000-000000000000"),
                        "00000000-0000-0000-0000-000000000000");
}

static void what_is_no_uuid_is_refused(void **state)
{
    static const char *const wrong[] = {
        "",
        "0f8fad5b",
        "0f8fad5b-d9cb-469f-a165-70867728950",
        "0f8fad5b-d9cb-469f-a165-70867728950e0",
        "0f8fad5b-d9cb-469f-a165-70867728950e-",
        "-0f8fad5b-d9cb-469f-a165-70867728950e",
        "0f8fad5b--d9cb-469f-a165-70867728950e",
        "0f8fad5-bd9cb-469f-a165-70867728950e",
        "0f8fad5b-d9cb-469f-a165-70867728950g",
        "{0f8fad5b-d9cb-469f-a165-70867728950e}",
        " 0f8fad5b-d9cb-469f-a165-70867728950e",
    };
    struct ident id;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(parses(IDENT_UUID, wrong[i], &id));
}

static void an_integer_is_read_over_its_whole_range(void **state)
{
    (void)state;
    assert_string_equal(again(IDENT_INT, "0"), "0");
    assert_string_equal(again(IDENT_INT, "-1"), "-1");
    assert_string_equal(again(IDENT_INT, "+42"), "42");
    assert_string_equal(again(IDENT_INT, "007"), "7");
    assert_string_equal(again(IDENT_INT, "9223372036854775807"), "9223372036854775807");
    assert_string_equal(again(IDENT_INT, "-9223372036854775808"), "-9223372036854775808");
}

static void what_is_no_bigint_is_refused(void **state)
{
    static const char *const wrong[] = {
        "", "-", "+", "1.0", "1e3", " 1", "1 ", "0x10", "--1", "9223372036854775808",
        "-9223372036854775809", "99999999999999999999999999", UUID,
    };
    struct ident id;
    size_t i;

    (void)state;
    for (i = 0; i < sizeof wrong / sizeof wrong[0]; i++)
        assert_false(parses(IDENT_INT, wrong[i], &id));
}

static void the_binary_forms_give_what_the_text_gives(void **state)
{
    static const unsigned char uuid[16] = {0x0f, 0x8f, 0xad, 0x5b, 0xd9, 0xcb, 0x46, 0x9f,
                                           0xa1, 0x65, 0x70, 0x86, 0x77, 0x28, 0x95, 0x0e};
    static const unsigned char minus_two[8] = {255, 255, 255, 255, 255, 255, 255, 254};
    static const unsigned char three_hundred[8] = {0, 0, 0, 0, 0, 0, 1, 44};
    struct ident text, binary;
    size_t n;

    (void)state;
    assert_true(parses(IDENT_UUID, UUID, &text));
    assert_true(ident_decode(IDENT_UUID, uuid, 16, &binary));
    assert_true(ident_eq(text, binary));
    assert_false(ident_decode(IDENT_UUID, uuid, 15, &binary));

    for (n = 2; n <= 8; n *= 2) {
        assert_true(parses(IDENT_INT, "-2", &text));
        assert_true(ident_decode(IDENT_INT, minus_two + 8 - n, n, &binary));
        assert_true(ident_eq(text, binary));
        assert_true(parses(IDENT_INT, "300", &text));
        assert_true(ident_decode(IDENT_INT, three_hundred + 8 - n, n, &binary));
        assert_true(ident_eq(text, binary));
    }
    assert_false(ident_decode(IDENT_INT, minus_two, 3, &binary));
    assert_false(ident_decode(IDENT_INT, minus_two, 0, &binary));
}

static void the_order_is_that_of_the_type(void **state)
{
    static const char *const ints[] = {"-9223372036854775808", "-300", "-1", "0", "1",
                                       "2147483648", "9223372036854775807"};
    static const char *const uuids[] = {
        "00000000-0000-0000-0000-000000000000", "00000000-0000-0000-0000-000000000001",
        "00000000-0000-0000-8000-000000000000", "00000000-0000-0001-0000-000000000000",
        "7fffffff-ffff-ffff-ffff-ffffffffffff", "80000000-0000-0000-0000-000000000000",
        "ffffffff-ffff-ffff-ffff-ffffffffffff"};
    struct ident a, b;
    int i, j;

    (void)state;
    for (i = 0; i < 7; i++) {
        for (j = 0; j < 7; j++) {
            assert_true(parses(IDENT_INT, ints[i], &a) && parses(IDENT_INT, ints[j], &b));
            assert_int_equal(ident_cmp(a, b), (i > j) - (i < j));
            assert_true(parses(IDENT_UUID, uuids[i], &a) && parses(IDENT_UUID, uuids[j], &b));
            assert_int_equal(ident_cmp(a, b), (i > j) - (i < j));
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_uuid_is_read_in_every_spelling),
        cmocka_unit_test(what_is_no_uuid_is_refused),
        cmocka_unit_test(an_integer_is_read_over_its_whole_range),
        cmocka_unit_test(what_is_no_bigint_is_refused),
        cmocka_unit_test(the_binary_forms_give_what_the_text_gives),
        cmocka_unit_test(the_order_is_that_of_the_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
