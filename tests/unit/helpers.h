/* helpers.h - what tests with random input share: numbers from a seed, and
 * JSON texts made of them, good and bad.
 */
#ifndef TESTS_UNIT_HELPERS_H
#define TESTS_UNIT_HELPERS_H

#include "buf.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

/* The flags that make jansson read what docs/semantics.md 1 calls JSON. */
#define JSON_READ_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

/* Sanitizers multiply the cost of a case, so they see one in 20 of the many. So does
 * valgrind, of which the compiler knows nothing: TEST_STRIDE in the environment says it. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SANITIZED 1
#endif
#endif
#if defined(SANITIZED)
#define STRIDE_USUAL 20u
#else
#define STRIDE_USUAL 1u
#endif

/* What TEST_STRIDE says, or else what is usual: of how many cases one is tried. */
static inline unsigned stride_or(unsigned usual)
{
    static unsigned stride;
    static bool asked;

    if (!asked) {
        const char *said = getenv("TEST_STRIDE");

        stride = said ? (unsigned)strtoul(said, NULL, 10) : 0;
        asked = true;
    }
    return stride ? stride : usual;
}

#define STRIDE stride_or(STRIDE_USUAL)
#define CASES(n) ((int)((n) / STRIDE))

/* splitmix64: the same numbers for the same seed, everywhere. */
struct rng {
    uint64_t state;
};

static inline uint64_t rng_next(struct rng *r)
{
    uint64_t z = (r->state += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static inline unsigned rng_below(struct rng *r, unsigned n)
{
    return (unsigned)(rng_next(r) >> 33) % n;
}

static inline bool rng_one_in(struct rng *r, unsigned n)
{
    return rng_below(r, n) == 0;
}

static inline const char *rng_pick(struct rng *r, const char *const *list, size_t n)
{
    return list[rng_below(r, (unsigned)n)];
}

#define RNG_PICK(r, list) rng_pick(r, list, COUNT_OF(list))

/* --- JSON texts --- */

static inline void gen_space(struct rng *r, struct buf *b)
{
    static const char space[] = " \n\r\t";

    while (rng_one_in(r, 6))
        buf_addc(b, space[rng_below(r, 4)]);
}

static inline void gen_utf8(struct rng *r, struct buf *b)
{
    static const char *const sequences[] = {
        "\xC2\x80",     "\xDF\xBF",         "\xC3\xA3",         "\xE0\xA0\x80",     "\xED\x9F\xBF",
        "\xEE\x80\x80", "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF", "\xF0\x9F\x98\x80",
    };

    buf_adds(b, RNG_PICK(r, sequences));
}

static inline void gen_escape(struct rng *r, struct buf *b, bool key)
{
    static const char simple[] = "\"\\/bfnrt";
    unsigned code;

    switch (rng_below(r, 4)) {
    case 0:
        buf_addf(b, "\\u%04x\\u%04X", 0xD800 + rng_below(r, 0x400), 0xDC00 + rng_below(r, 0x400));
        return;
    case 1:
        code = rng_below(r, rng_one_in(r, 2) ? 0x80 : 0xD800);
        buf_addf(b, rng_one_in(r, 2) ? "\\u%04x" : "\\u%04X", key && code == 0 ? 1 : code);
        return;
    default:
        buf_addf(b, "\\%c", simple[rng_below(r, 8)]);
    }
}

/* A string of several blocks, whatever a block is: plain runs of any length, and escapes
 * and what is not ASCII, alone or many together. */
static inline void gen_long_string(struct rng *r, struct buf *b)
{
    static const char *const odd[] = {"\\\"",
                                      "\\\\",
                                      "\\/",
                                      "\\n",
                                      "\\t",
                                      "\\u00e9",
                                      "\\ud83d\\ude00",
                                      "\xC3\xA9",
                                      "\xF0\x9F\x98\x80"};
    bool common = rng_one_in(r, 2); /* no more than a body that is a string mostly has */
    unsigned pieces = rng_below(r, 24);

    buf_addc(b, '"');
    while (pieces-- > 0) {
        unsigned run = rng_below(r, rng_one_in(r, 4) ? 80 : 12);

        while (run-- > 0)
            buf_addc(b, (char)('a' + rng_below(r, 26)));
        do
            buf_adds(b, odd[rng_below(r, common ? 4 : (unsigned)COUNT_OF(odd))]);
        while (rng_one_in(r, 4));
    }
    buf_addc(b, '"');
}

/* A string with its quotes; a key may hold no NUL. */
static inline void gen_string(struct rng *r, struct buf *b, bool key)
{
    unsigned n = rng_one_in(r, 8) ? rng_below(r, 60) : rng_below(r, 6);

    buf_addc(b, '"');
    while (n-- > 0) {
        switch (rng_below(r, 12)) {
        case 0:
            gen_escape(r, b, key);
            break;
        case 1:
            gen_utf8(r, b);
            break;
        default:
            buf_addc(b, "abcdefgh {}[],:0"[rng_below(r, 16)]);
        }
    }
    buf_addc(b, '"');
}

static inline void gen_number(struct rng *r, struct buf *b)
{
    static const char *const numbers[] = {
        "0",
        "-0",
        "1",
        "-12",
        "10",
        "0.5",
        "-0.25",
        "1e5",
        "2E-3",
        "3.5e+2",
        "1e308",
        "1e-999",
        "0e99999",
        "123456789012345678901234567890",
        "1793534400.123456",
        "0.1",
        "4.9e-324",
        "9007199254740993",
    };

    buf_adds(b, RNG_PICK(r, numbers));
}

static inline void gen_value(struct rng *r, struct buf *b, unsigned depth);

static inline void gen_members(struct rng *r, struct buf *b, unsigned depth, bool object)
{
    unsigned n = rng_below(r, 5);

    buf_addc(b, object ? '{' : '[');
    gen_space(r, b);
    while (n-- > 0) {
        if (object) {
            gen_string(r, b, true);
            gen_space(r, b);
            buf_addc(b, ':');
            gen_space(r, b);
        }
        gen_value(r, b, depth + 1);
        gen_space(r, b);
        if (n > 0) {
            buf_addc(b, ',');
            gen_space(r, b);
        }
    }
    buf_addc(b, object ? '}' : ']');
}

static inline void gen_value(struct rng *r, struct buf *b, unsigned depth)
{
    static const char *const literals[] = {"true", "false", "null"};

    switch (rng_below(r, depth < 5 ? 7 : 4)) {
    case 0:
    case 1:
        gen_string(r, b, false);
        break;
    case 2:
        gen_number(r, b);
        break;
    case 3:
        buf_adds(b, RNG_PICK(r, literals));
        break;
    default:
        gen_members(r, b, depth, !rng_one_in(r, 3));
    }
}

/* A whole object or array. */
static inline void gen_document(struct rng *r, struct buf *b)
{
    gen_members(r, b, 0, !rng_one_in(r, 4));
}

/* Puts the n bytes at p before the byte at `at`. */
static inline void buf_insert(struct buf *b, size_t at, const char *p, size_t n)
{
    size_t i;

    buf_add(b, p, n);
    for (i = b->len - 1; i >= at + n; i--)
        b->data[i] = b->data[i - n];
    for (i = 0; i < n; i++)
        b->data[at + i] = p[i];
}

static inline void buf_cut(struct buf *b, size_t at, size_t n)
{
    size_t i;

    for (i = at; i + n < b->len; i++)
        b->data[i] = b->data[i + n];
    b->len -= n;
    b->data[b->len] = '\0';
}

static inline void gen_damage(struct rng *r, struct buf *b)
{
    static const char *const pieces[] = {
        "\"",
        "\\",
        "\\u",
        "\\u0000",
        "\\ud800",
        "\\udc00",
        "\\uD83D\\uDE00",
        "\\uDBFF\\u0041",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        "{}",
        "[]",
        "\"a\":1",
        "null",
        "nul",
        "true",
        "0",
        "-",
        "1e999",
        "-1e309",
        "1e-999",
        "01",
        "1.",
        ".",
        "e",
        "+",
        "\n",
        "\r\n",
        "\t",
        "\x1F",
        "\x7F",
        "\xC0\x80",
        "\xC2",
        "\x80",
        "\xE0\x9F\x80",
        "\xED\xA0\x80",
        "\xEF\xBB\xBF",
        "\xF0\x8F\xBF\xBF",
        "\xF4\x90\x80\x80",
        "\xF8\x88\x80\x80\x80",
        "\xFF",
    };
    size_t at = rng_below(r, (unsigned)b->len + 1);
    const char *piece = RNG_PICK(r, pieces);
    size_t rest = b->len - at;

    switch (rng_below(r, 6)) {
    case 0:
        buf_insert(b, at, piece, strlen(piece));
        break;
    case 1:
        buf_insert(b, at, "", 1); /* a NUL */
        break;
    case 2:
        buf_cut(b, at, rest);
        break;
    case 3:
        if (rest > 0)
            buf_cut(b, at, 1 + rng_below(r, rest > 4 ? 4 : (unsigned)rest));
        break;
    case 4:
        if (rest > 0)
            b->data[at] = (char)rng_below(r, 256);
        break;
    default:
        if (rest > 0)
            b->data[at] = (char)(b->data[at] ^ (1 << rng_below(r, 8)));
    }
}

#endif
