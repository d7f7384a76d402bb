#include "jwalk.h"

#include "jsonscan.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"

/* Keys that are written and looked for: with bytes that escapes may stand for. */
static const char *const keys[] = {
    "a",   "b",         "",        "event",       "data",     "key.id",
    "a/b", "tab\there", "qu\"ote", "back\\slash", "\xC3\xA9", "\xF0\x9F\x98\x80",
    "ab",
};

static json_t *load(const struct buf *b)
{
    json_error_t problem;
    json_t *v = json_loadb(b->data, b->len, JSON_READ_FLAGS, &problem);

    if (!v)
        fail_msg("%s: %s", problem.text, b->data);
    return v;
}

/* A copy that ends where the text does, for a sanitizer to see what is read beyond. */
static struct slice copy_of(const struct buf *b)
{
    char *p = malloc(b->len);

    assert_non_null(p);
    memcpy(p, b->data, b->len);
    return (struct slice){p, b->len};
}

/* --- writing --- */

/* A code point below U+10000 of the UTF-8 at *p, which moves on; above: *pair too. */
static unsigned next_point(const char **p, unsigned *pair)
{
    const unsigned char *s = (const unsigned char *)*p;
    unsigned c;

    *pair = 0;
    if (s[0] < 0x80) {
        *p += 1;
        return s[0];
    }
    if (s[0] < 0xE0) {
        *p += 2;
        return (s[0] & 0x1Fu) << 6 | (s[1] & 0x3Fu);
    }
    assert_true(s[0] >= 0xF0); /* none of the keys has three bytes */
    *p += 4;
    c = ((s[0] & 7u) << 18 | (s[1] & 0x3Fu) << 12 | (s[2] & 0x3Fu) << 6 | (s[3] & 0x3Fu)) - 0x10000;
    *pair = 0xDC00 + (c & 0x3FF);
    return 0xD800 + (c >> 10);
}

/* A key with some of its characters escaped. */
static void put_key(struct rng *r, struct buf *b, const char *key)
{
    unsigned one_in = 1 + rng_below(r, 4);

    buf_addc(b, '"');
    while (*key) {
        const char *from = key;
        unsigned pair, c = next_point(&key, &pair);

        if (rng_one_in(r, one_in) || c == '\t') {
            buf_addf(b, rng_one_in(r, 2) ? "\\u%04x" : "\\u%04X", c);
            if (pair)
                buf_addf(b, "\\u%04x", pair);
        } else {
            if (c == '"' || c == '\\' || (c == '/' && rng_one_in(r, 2)))
                buf_addc(b, '\\');
            buf_add(b, from, (size_t)(key - from));
        }
    }
    buf_addc(b, '"');
}

/* An object whose keys are often those looked for, and often there twice. */
static void put_object(struct rng *r, struct buf *b, unsigned depth)
{
    unsigned n = rng_below(r, 9);

    buf_addc(b, '{');
    gen_space(r, b);
    while (n-- > 0) {
        if (rng_one_in(r, 6))
            gen_string(r, b, true);
        else
            put_key(r, b, RNG_PICK(r, keys));
        gen_space(r, b);
        buf_addc(b, ':');
        gen_space(r, b);
        if (depth < 3 && rng_one_in(r, 3))
            put_object(r, b, depth + 1);
        else
            gen_value(r, b, depth + 2);
        gen_space(r, b);
        if (n > 0) {
            buf_addc(b, ',');
            gen_space(r, b);
        }
    }
    buf_addc(b, '}');
}

/* --- comparing with jansson's tree --- */

static void same_value(struct slice value, const json_t *v);

static void same_array(struct slice value, const json_t *v)
{
    struct slice element;
    size_t pos = 0, i;

    for (i = 0; jwalk_next(value, &pos, &element); i++) {
        assert_true(i < json_array_size(v));
        same_value(element, json_array_get(v, i));
    }
    assert_int_equal(i, json_array_size(v));
}

static void same_object(struct slice value, const json_t *v)
{
    struct slice found[COUNT_OF(keys)];
    size_t i;

    jwalk_find(value, keys, COUNT_OF(keys), found);
    for (i = 0; i < COUNT_OF(keys); i++) {
        const json_t *member = json_object_get(v, keys[i]);

        assert_int_equal(found[i].p != NULL, member != NULL);
        if (member)
            same_value(found[i], member);
    }
}

static void same_string(struct slice value, const json_t *v)
{
    struct buf tmp = BUF_INIT;
    struct slice s;

    assert_true(jwalk_string(value, &tmp, &s));
    assert_int_equal(s.n, json_string_length(v));
    if (s.n > 0)
        assert_memory_equal(s.p, json_string_value(v), s.n);
    assert_int_equal(jwalk_is_text(value), s.n > 0);
    if (!memchr(value.p, '\\', value.n))
        assert_ptr_equal(s.p, value.p + 1); /* nothing was copied */
    buf_release(&tmp);
}

static void same_value(struct slice value, const json_t *v)
{
    double number;

    switch (jwalk_type_of(value)) {
    case JWALK_OBJECT:
        assert_true(json_is_object(v));
        same_object(value, v);
        break;
    case JWALK_ARRAY:
        assert_true(json_is_array(v));
        same_array(value, v);
        break;
    case JWALK_STRING:
        assert_true(json_is_string(v));
        same_string(value, v);
        return;
    case JWALK_NUMBER:
        assert_true(json_is_real(v));
        number = json_real_value(v);
        assert_true(jwalk_number(value) == number);
        break;
    case JWALK_LITERAL:
        assert_true(json_is_boolean(v) || json_is_null(v));
        assert_int_equal(value.p[0], json_is_true(v) ? 't' : json_is_false(v) ? 'f' : 'n');
        assert_int_equal(value.n, json_is_false(v) ? 5 : 4);
        break;
    }
    assert_false(jwalk_is_text(value));
}

static void a_walk_finds_what_jansson_finds(void **state)
{
    struct rng r = {11};
    struct buf b = BUF_INIT;
    int i;

    (void)state;
    for (i = 0; i < CASES(60000); i++) {
        struct slice text;
        json_t *v;

        buf_clear(&b);
        if (rng_one_in(&r, 3))
            gen_document(&r, &b);
        else
            put_object(&r, &b, 0);
        v = load(&b);
        text = copy_of(&b);
        same_value(text, v);
        free((void *)(uintptr_t)text.p);
        json_decref(v);
    }
    buf_release(&b);
}

/* Each value is its token, whatever surrounds it, so it can be read again. */
/* As in a body that is a string: escapes on every place of a block, one after another too. */
static void long_strings_are_read_as_jansson_reads_them(void **state)
{
    struct rng r = {13};
    struct buf b = BUF_INIT;

    (void)state;
    for (int i = 0; i < CASES(60000); i++) {
        struct slice text;
        json_t *v;

        buf_clear(&b);
        buf_addc(&b, '[');
        gen_long_string(&r, &b);
        buf_addc(&b, ']');
        v = load(&b);
        text = copy_of(&b);
        same_value(text, v);
        free((void *)(uintptr_t)text.p);
        json_decref(v);
    }
    buf_release(&b);
}

static void a_value_found_is_a_text_of_its_own(void **state)
{
    static const char *const wanted[] = {"a"};
    static const char *const values[] = {
        "{}",
        "[]",
        "{\"a\":[1,{\"b\":\"}\"}]}",
        "[\"]\",\"\\\"\"]",
        "\"\"",
        "\"\\\\\"",
        "true",
        "false",
        "null",
        "-0.5E+1",
        "12",
        "\"{\\\"a\\\":1}\"",
    };
    static const char *const around[][2] = {
        {"{\"a\":", "}"},
        {"{ \"x\" : [ 1 ] , \"a\" :\t", "\r\n , \"b\" : 2 }"},
        {"{\"a\":1,\"a\":", ",\"aa\":3}"},
        {"{\"a\":{\"a\":7},\"x\":{\"a\":8},\"\\u0061\":", ",\"x\":{\"a\":9}}"},
    };
    struct buf b = BUF_INIT;
    struct slice found, object;
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT_OF(values); i++) {
        for (k = 0; k < COUNT_OF(around); k++) {
            buf_clear(&b);
            buf_addf(&b, "%s%s%s", around[k][0], values[i], around[k][1]);
            assert_true(jsonscan_whole((struct slice){b.data, b.len}, &object));
            jwalk_find(object, wanted, 1, &found);
            if (!slice_is(found, values[i]))
                fail_msg("found %.*s in %s", (int)found.n, found.p ? found.p : "", b.data);
        }
    }
    buf_release(&b);
}

static void a_key_is_found_with_every_character_escaped(void **state)
{
    char name[65];
    const char *wanted[1] = {name};
    struct buf b = BUF_INIT;
    struct slice found;
    size_t n, i;

    (void)state;
    for (n = 1; n < sizeof name; n++) {
        for (i = 0; i < n; i++)
            name[i] = (char)('a' + (n + i) % 26);
        name[n] = '\0';
        buf_clear(&b);
        buf_adds(&b, "{\"");
        for (i = 0; i < n; i++)
            buf_addf(&b, "\\u%04x", (unsigned)name[i]);
        buf_adds(&b, "\":true}");
        jwalk_find((struct slice){b.data, b.len}, wanted, 1, &found);
        assert_true(slice_is(found, "true"));
        name[n - 1] = 'A'; /* and not for one that differs at its end */
        jwalk_find((struct slice){b.data, b.len}, wanted, 1, &found);
        assert_null(found.p);
    }
    buf_release(&b);
}

static void an_array_is_stepped_through_whatever_its_size(void **state)
{
    struct buf b = BUF_INIT;
    struct slice element;
    size_t pos = 0;
    int i;

    (void)state;
    buf_addc(&b, '[');
    for (i = 0; i < 100000; i++)
        buf_addf(&b, "%s%d", i ? ", " : " ", i);
    buf_addc(&b, ']');
    for (i = 0; jwalk_next((struct slice){b.data, b.len}, &pos, &element); i++)
        assert_true(jwalk_number(element) == i);
    assert_int_equal(i, 100000);
    pos = 0;
    assert_false(jwalk_next(slice_of("[ \n]"), &pos, &element));
    pos = 0;
    assert_false(jwalk_next(slice_of("[]"), &pos, &element));
    buf_release(&b);
}

static void only_a_string_of_a_character_or_more_is_text(void **state)
{
    (void)state;
    assert_true(jwalk_is_text(slice_of("\"a\"")));
    assert_true(jwalk_is_text(slice_of("\"\\u0000\"")));
    assert_false(jwalk_is_text(slice_of("\"\"")));
    assert_false(jwalk_is_text(slice_of("12")));
    assert_false(jwalk_is_text(slice_of("{\"a\":1}")));
    assert_false(jwalk_is_text(slice_of("null")));
    assert_false(jwalk_is_text(SLICE_NONE));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_walk_finds_what_jansson_finds),
        cmocka_unit_test(long_strings_are_read_as_jansson_reads_them),
        cmocka_unit_test(a_value_found_is_a_text_of_its_own),
        cmocka_unit_test(a_key_is_found_with_every_character_escaped),
        cmocka_unit_test(an_array_is_stepped_through_whatever_its_size),
        cmocka_unit_test(only_a_string_of_a_character_or_more_is_text),
    };

    return cmocka_run_group_tests_name("jwalk", tests, NULL, NULL);
}
