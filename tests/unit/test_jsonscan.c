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

/* A raw NUL is nowhere JSON, but jansson loses one that follows a number or a
 * literal. */
static bool jansson_takes(const char *p, size_t n)
{
    json_t *v = memchr(p, '\0', n) ? NULL : json_loadb(p, n, JSON_READ_FLAGS, NULL);
    bool taken = v != NULL;

    json_decref(v);
    return taken;
}

/* Bytes as a person can read them, for messages. */
static const char *show(const char *p, size_t n)
{
    static char text[4096];
    size_t used = 0, i;

    for (i = 0; i < n && used < sizeof text - 8; i++) {
        unsigned char c = (unsigned char)p[i];

        used += (size_t)snprintf(text + used, sizeof text - used,
                                 c >= 0x20 && c < 0x7f ? "%c" : "<%02x>", c);
    }
    text[used] = '\0';
    return text;
}

static void agree(const char *p, size_t n)
{
    struct slice value;
    bool ours = jsonscan_whole((struct slice){p, n}, &value);

    if (ours != jansson_takes(p, n))
        fail_msg("%s: %s", ours ? "taken here only" : "taken by jansson only", show(p, n));
}

/* One look at the whole text. The copy is as long as the text, so that a
 * sanitizer sees a byte read beyond it. */
static enum jsonscan_result scan(const char *p, size_t n, size_t *at)
{
    char *copy = malloc(n ? n : 1);
    enum jsonscan_result result;
    struct jsonscan j;

    assert_non_null(copy);
    memcpy(copy, p, n);
    jsonscan_init(&j);
    result = jsonscan_feed(&j, copy, n);
    *at = j.at;
    free(copy);
    return result;
}

/* --- which texts are JSON --- */

static void random_texts_are_judged_as_jansson_does(void **state)
{
    struct rng r = {1};
    struct buf b = BUF_INIT;
    int i, accepted = 0;

    (void)state;
    for (i = 0; i < CASES(150000); i++) {
        int damages = (int)rng_below(&r, 4);

        buf_clear(&b);
        gen_space(&r, &b);
        gen_document(&r, &b);
        gen_space(&r, &b);
        while (damages-- > 0)
            gen_damage(&r, &b);
        agree(buf_str(&b), b.len);
        accepted += jansson_takes(buf_str(&b), b.len);
    }
    buf_release(&b);
    assert_in_range(accepted, CASES(40000), CASES(130000)); /* both kinds were there */
}

/* Every byte in the place of, and before, every byte of a text. */
static void every_byte_everywhere_is_judged_as_jansson_does(void **state)
{
    static const char *const texts[] = {
        "{\"a\":1}",
        "{\"\":[-0.5e+1,true]}",
        "[null,false,\"\\n\\u00e9\"]",
        "[\"\\ud83d\\ude00\"]",
        "{\"\\u0041\":{}}",
        "[ 10 , 1E5 , [ ] ]",
        "[\"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\"]",
    };
    size_t t, at;
    int c;

    (void)state;
    for (t = 0; t < COUNT_OF(texts); t++) {
        size_t n = strlen(texts[t]);

        for (at = 0; at <= n; at++) {
            for (c = 0; c < 256; c++) {
                char text[64];

                memcpy(text, texts[t], n);
                if (at < n) {
                    text[at] = (char)c;
                    agree(text, n);
                }
                memcpy(text + at + 1, texts[t] + at, n - at);
                text[at] = (char)c;
                memcpy(text, texts[t], at);
                agree(text, n + 1);
            }
        }
    }
}

static void utf8_is_judged_as_jansson_does(void **state)
{
    static const unsigned char edge[] = {0x22, 0x7F, 0x80, 0x8F, 0x90,
                                         0x9F, 0xA0, 0xBF, 0xC0, 0xFF};
    char text[] = "[\"....\"]";
    unsigned a, b, c, d;

    (void)state;
    for (a = 0x80; a < 0x100; a++) {
        text[2] = (char)a;
        for (b = 0; b < 0x100; b++) {
            text[3] = (char)b;
            for (c = 0; c < COUNT_OF(edge); c++) {
                text[4] = (char)edge[c];
                for (d = 0; d < (a >= 0xF0 ? COUNT_OF(edge) : 1); d++) {
                    text[5] = a >= 0xF0 ? (char)edge[d] : 'x';
                    agree(text, 8);
                }
            }
        }
    }
}

static void every_escape_is_judged_as_jansson_does(void **state)
{
    static const unsigned edge[] = {0,      0x41,   0xD7FF, 0xD800, 0xDBFF,
                                    0xDC00, 0xDFFF, 0xE000, 0xFFFE, 0xFFFF};
    char text[64];
    unsigned c;
    size_t i, j, k;

    (void)state;
    for (c = 0; c < 0x10000; c++) {
        agree(text, (size_t)snprintf(text, sizeof text, "[\"\\u%04x\"]", c));
        agree(text, (size_t)snprintf(text, sizeof text, "{\"\\u%04X\":0}", c));
    }
    for (i = 0; i < COUNT_OF(edge); i++) {
        for (j = 0; j < COUNT_OF(edge); j++) {
            agree(text,
                  (size_t)snprintf(text, sizeof text, "[\"\\u%04x\\u%04x\"]", edge[i], edge[j]));
            agree(text,
                  (size_t)snprintf(text, sizeof text, "{\"\\u%04xx\\u%04x\":0}", edge[i], edge[j]));
            for (k = 0; k < COUNT_OF(edge); k++)
                agree(text, (size_t)snprintf(text, sizeof text, "[\"\\u%04x\\u%04x\\u%04x\"]",
                                             edge[i], edge[j], edge[k]));
        }
    }
}

static void numbers_of_every_form_are_judged_as_jansson_does(void **state)
{
    static const char letters[] = "012-+.eE";
    static const char *const others[] = {
        "1e308",
        "1e309",
        "-1e309",
        "1.7976931348623157e308",
        "1.7976931348623159e308",
        "1e-400",
        "0e999",
        "0.0e999999",
        "1E+308",
        "1e0000000000000000000308",
        "17976931348623159e292",
        "1e99999999999999999999",
        "-1e-99999999999999999999",
        "4.9e-324",
        "2e-324",
        "Infinity",
        "NaN",
        "0x10",
        "1e",
        "1e+",
        ".5",
        "+1",
        "1.e1",
        "--1",
        "1_0",
        "1f",
        "0b1",
        "00",
        "-00.5",
    };
    char text[4096];
    unsigned i, code, digits;

    (void)state;
    for (i = 0; i < 8u * 8 * 8 * 8 * 8 * 2; i++) { /* the last digit picks the length */
        size_t n = 1;

        text[0] = '[';
        for (code = i, digits = 0; digits < 5; digits++, code /= 8) {
            if (i & 1 || digits < 4)
                text[n++] = letters[code % 8];
        }
        text[n++] = ']';
        agree(text, n);
    }
    for (i = 0; i < COUNT_OF(others); i++)
        agree(text, (size_t)snprintf(text, sizeof text, "[%s]", others[i]));
    for (digits = 290; digits < 320; digits++) { /* long ones, with and without a way down */
        agree(text, (size_t)snprintf(text, sizeof text, "{\"a\":9%0*d}", (int)digits, 0));
        agree(text, (size_t)snprintf(text, sizeof text, "[-1%0*d.5]", (int)digits, 0));
        agree(text, (size_t)snprintf(text, sizeof text, "[1%0*de-20]", (int)digits, 0));
        agree(text,
              (size_t)snprintf(text, sizeof text, "[0.%0*d1e%u]", (int)digits, 0, digits + 300));
    }
}

/* Brackets `depth` deep; *at is the offset of the first that is too deep. */
static void gen_nesting(struct rng *r, struct buf *b, unsigned depth, size_t *at)
{
    static const char *const kinds[] = {"[", "{\"a\":", "[1,[],{},"};
    char *closing = malloc(depth);
    unsigned k;

    assert_non_null(closing);
    buf_clear(b);
    *at = 0;
    for (k = 0; k < depth; k++) {
        /* the brackets inside the third kind are a level too */
        const char *kind = kinds[rng_below(r, k < JSONSCAN_DEPTH - 1 ? 3 : 2)];

        if (k == JSONSCAN_DEPTH)
            *at = b->len;
        closing[k] = kind[0] == '{' ? '}' : ']';
        buf_adds(b, kind);
    }
    buf_addc(b, '0');
    while (k-- > 0)
        buf_addc(b, closing[k]);
    free(closing);
}

static void nesting_ends_at_512(void **state)
{
    struct buf b = BUF_INIT;
    struct rng r = {2};
    int i;

    (void)state;
    for (i = 0; i < 300; i++) {
        unsigned depth = 500 + rng_below(&r, 24);
        size_t too_deep, at;

        gen_nesting(&r, &b, depth, &too_deep);
        assert_true(jansson_takes(b.data, b.len)); /* whose own limit is higher */
        if (depth <= JSONSCAN_DEPTH) {
            assert_int_equal(scan(b.data, b.len, &at), JSONSCAN_DONE);
            assert_int_equal(at, b.len);
        } else {
            assert_int_equal(scan(b.data, b.len, &at), JSONSCAN_BROKEN);
            assert_int_equal(at, too_deep);
        }
    }
    buf_release(&b);
}

static void closed_levels_do_not_count_as_nesting(void **state)
{
    struct buf b = BUF_INIT;
    size_t at;
    int i;

    (void)state;
    buf_addc(&b, '[');
    for (i = 0; i < 5000; i++)
        buf_adds(&b, "{\"a\":[]},");
    buf_adds(&b, "0]");
    assert_int_equal(scan(b.data, b.len, &at), JSONSCAN_DONE);
    assert_int_equal(at, b.len);
    buf_release(&b);
}

/* --- where a text ends --- */

static void what_follows_a_text_is_not_looked_at(void **state)
{
    struct buf b = BUF_INIT;
    struct rng r = {3};
    size_t at, n;
    int i;

    (void)state;
    for (i = 0; i < CASES(20000); i++) {
        buf_clear(&b);
        gen_document(&r, &b);
        n = b.len;
        while (rng_below(&r, 8))
            buf_addc(&b, (char)rng_below(&r, 256));
        assert_int_equal(scan(b.data, b.len, &at), JSONSCAN_DONE);
        assert_int_equal(at, n);
    }
    buf_release(&b);
}

static void every_beginning_of_a_text_asks_for_more(void **state)
{
    struct buf b = BUF_INIT;
    struct rng r = {4};
    size_t at, n;
    int i;

    (void)state;
    for (i = 0; i < 2000; i++) {
        buf_clear(&b);
        gen_document(&r, &b);
        for (n = 0; n < b.len; n++) {
            assert_int_equal(scan(b.data, n, &at), JSONSCAN_MORE);
            assert_int_equal(at, n);
        }
    }
    buf_release(&b);
}

static void chunks_make_no_difference(void **state)
{
    struct buf b = BUF_INIT;
    struct rng r = {5};
    int i;

    (void)state;
    for (i = 0; i < CASES(60000); i++) {
        enum jsonscan_result expected, got = JSONSCAN_MORE;
        size_t at, n = 0;
        unsigned most = 1 + rng_below(&r, 20);
        struct jsonscan j;

        buf_clear(&b);
        gen_document(&r, &b);
        if (rng_one_in(&r, 2))
            gen_damage(&r, &b);
        expected = scan(buf_str(&b), b.len, &at);
        jsonscan_init(&j);
        while (got == JSONSCAN_MORE && n < b.len) {
            char *copy; /* at another address every time */

            n += 1 + rng_below(&r, most);
            n = n < b.len ? n : b.len;
            copy = malloc(n);
            assert_non_null(copy);
            memcpy(copy, b.data, n);
            got = jsonscan_feed(&j, copy, n);
            free(copy);
        }
        if (got != expected || j.at != at)
            fail_msg("chunks: %d at %zu, whole: %d at %zu: %s", got, j.at, expected, at,
                     show(b.data, b.len));
    }
    buf_release(&b);
}

/* --- where a text breaks --- */

/* What may close the token a text ends in, besides nothing. The texts of this
 * part hold no exponent that a double cannot. */
static const char *const finishers[] = {
    "",
    "0",
    "\"\"",
    "\"\":0",
    ":0",
    "rue",
    "ue",
    "e",
    "alse",
    "lse",
    "se",
    "ull",
    "ll",
    "l",
    "\"",
    "\":0",
    "n\"",
    "n\":0",
    "0041\"",
    "041\"",
    "41\"",
    "1\"",
    "0041\":0",
    "041\":0",
    "41\":0",
    "1\":0",
    "000\"",
    "00\"",
    "0\"",
    "000\":0",
    "00\":0",
    "0\":0",
    "\\uDC00\"",
    "uDC00\"",
    "DC00\"",
    "C00\"",
    "\\uDC00\":0",
    "uDC00\":0",
    "DC00\":0",
    "C00\":0",
    "00\\uDC00\"",
    "0\\uDC00\"",
    "00\\uDC00\":0",
    "0\\uDC00\":0",
    "\x80\"",
    "\x80\":0",
    "\x80\x80\"",
    "\x80\x80\":0",
    "\xA0\x80\"",
    "\xA0\x80\":0",
    "\x90\x80\x80\"",
    "\x90\x80\x80\":0",
    "\x80\x80\x80\"",
    "\x80\x80\x80\":0",
    "{}",
};

/* The brackets that close what the text leaves open. */
static void add_closers(struct buf *b, const char *p, size_t n)
{
    char open[64];
    size_t depth = 0, i;
    bool string = false;

    for (i = 0; i < n; i++) {
        if (p[i] == '"')
            string = !string;
        else if (string && p[i] == '\\')
            i++;
        else if (!string && (p[i] == '{' || p[i] == '[') && depth < sizeof open)
            open[depth++] = p[i] == '{' ? '}' : ']';
        else if (!string && (p[i] == '}' || p[i] == ']') && depth > 0)
            depth--;
    }
    while (depth > 0)
        buf_addc(b, open[--depth]);
}

/* Is there a text that begins with these bytes? */
static bool can_be_completed(const char *p, size_t n)
{
    struct buf closers = BUF_INIT, b = BUF_INIT;
    bool found = false;
    size_t i;

    add_closers(&closers, p, n);
    for (i = 0; i < COUNT_OF(finishers) && !found; i++) {
        buf_clear(&b);
        buf_add(&b, p, n);
        buf_adds(&b, finishers[i]);
        buf_adds(&b, buf_str(&closers));
        found = jansson_takes(buf_str(&b), b.len);
    }
    buf_release(&closers);
    buf_release(&b);
    return found;
}

static void gen_pieces(struct rng *r, struct buf *b)
{
    static const char *const pieces[] = {
        "{",       "}",    "[",    "]",    ",",     ":",     "\"",    "\"",     "\"a\":",
        "\"a\"",   "\\",   "\\u",  "\\u0", "\\uD",  "\\uD8", "\\uDC", "\\uDBF", "\\uD83D",
        "\\uDE00", "0",    "00",   "0000", "D",     "DC",    "e",     "-",      "1.",
        "12",      "t",    "true", "nul",  "false", " ",     "\n",    "\xC3",   "\x80",
        "\xE0",    "\xA0", "\xED", "\xF0", "\x90",  "\xF4",  "x",     "\x1F",
    };
    unsigned n = 1 + rng_below(r, 9);

    buf_addc(b, rng_one_in(r, 2) ? '{' : '[');
    if (rng_one_in(r, 2))
        buf_adds(b, b->data[0] == '{' ? "\"a\":\"" : "\"");
    while (n-- > 0)
        buf_adds(b, RNG_PICK(r, pieces));
}

static bool has_long_exponent(const char *s)
{
    for (; *s; s++) {
        const char *digits = s + 1 + (s[0] && (s[1] == '+' || s[1] == '-'));

        if ((*s == 'e' || *s == 'E') && strspn(digits, "0123456789") > 2)
            return true;
    }
    return false;
}

static void check_break(const char *p, size_t n)
{
    size_t at;
    enum jsonscan_result result = scan(p, n, &at);

    if (result == JSONSCAN_DONE && !jansson_takes(p, at))
        fail_msg("done at %zu, but no JSON: %s", at, show(p, n));
    if (result == JSONSCAN_MORE && !can_be_completed(p, n))
        fail_msg("more wanted, but none can help: %s", show(p, n));
    if (result == JSONSCAN_BROKEN && !can_be_completed(p, at))
        fail_msg("broken at %zu, but broken before: %s", at, show(p, n));
    if (result == JSONSCAN_BROKEN && can_be_completed(p, at + 1))
        fail_msg("broken at %zu, but can go on: %s", at, show(p, n));
}

static void a_text_breaks_at_the_first_byte_that_cannot_continue_it(void **state)
{
    struct buf b = BUF_INIT;
    struct rng r = {6};
    int i;

    (void)state;
    for (i = 0; i < CASES(24000); i++) {
        buf_clear(&b);
        if (i % 3) {
            gen_pieces(&r, &b);
        } else {
            gen_members(&r, &b, 4, rng_one_in(&r, 2));
            gen_damage(&r, &b);
        }
        if (!has_long_exponent(buf_str(&b)) && (b.len == 0 || b.data[0] == '{' || b.data[0] == '['))
            check_break(buf_str(&b), b.len);
    }
    buf_release(&b);
}

/* Whether one is too large shows when it ends. */
static void a_number_beyond_a_double_breaks_at_the_byte_after_it(void **state)
{
    static const char *const numbers[] = {"1e309", "-1e309", "1e99999",
                                          "12345678901234567890E+300"};
    static const char *const after[] = {",1]", "]", " ]", "\n]"};
    char text[64];
    size_t i, k, at;

    (void)state;
    for (i = 0; i < COUNT_OF(numbers); i++) {
        for (k = 0; k < COUNT_OF(after); k++) {
            int n = snprintf(text, sizeof text, "[%s%s", numbers[i], after[k]);

            assert_int_equal(scan(text, (size_t)n, &at), JSONSCAN_BROKEN);
            assert_int_equal(at, 1 + strlen(numbers[i]));
        }
    }
}

/* --- a text by itself --- */

static void white_space_around_a_whole_text_is_no_part_of_it(void **state)
{
    struct slice value;
    const char *text = " \t\r\n{\"a\":[1]}\r\n ";

    (void)state;
    assert_true(jsonscan_whole(slice_of(text), &value));
    assert_ptr_equal(value.p, text + 4);
    assert_int_equal(value.n, 9);
    assert_false(jsonscan_whole(slice_of(""), &value));
    assert_false(jsonscan_whole(slice_of(" \n"), &value));
    assert_false(jsonscan_whole(slice_of("{} {}"), &value));
    assert_false(jsonscan_whole(slice_of("{},"), &value));
    assert_false(jsonscan_whole(slice_of("{}\v"), &value));
    assert_false(jsonscan_whole(slice_of("\xEF\xBB\xBF{}"), &value));
    assert_false(jsonscan_whole(slice_of("\"text\""), &value));
    assert_false(jsonscan_whole(slice_of("1"), &value));
    assert_false(jsonscan_whole(slice_of("null"), &value));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_texts_are_judged_as_jansson_does),
        cmocka_unit_test(every_byte_everywhere_is_judged_as_jansson_does),
        cmocka_unit_test(utf8_is_judged_as_jansson_does),
        cmocka_unit_test(every_escape_is_judged_as_jansson_does),
        cmocka_unit_test(numbers_of_every_form_are_judged_as_jansson_does),
        cmocka_unit_test(nesting_ends_at_512),
        cmocka_unit_test(closed_levels_do_not_count_as_nesting),
        cmocka_unit_test(what_follows_a_text_is_not_looked_at),
        cmocka_unit_test(every_beginning_of_a_text_asks_for_more),
        cmocka_unit_test(chunks_make_no_difference),
        cmocka_unit_test(a_text_breaks_at_the_first_byte_that_cannot_continue_it),
        cmocka_unit_test(a_number_beyond_a_double_breaks_at_the_byte_after_it),
        cmocka_unit_test(white_space_around_a_whole_text_is_no_part_of_it),
    };

    return cmocka_run_group_tests_name("jsonscan", tests, NULL, NULL);
}
