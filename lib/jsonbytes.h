/* jsonbytes.h - what several readers of JSON ask of single bytes. */
#ifndef RECONCILE_JSONBYTES_H
#define RECONCILE_JSONBYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

static inline bool json_is_space(unsigned char c)
{
    return c == ' ' || c == '\n' || c == '\r' || c == '\t';
}

static inline bool json_is_digit(unsigned char c)
{
    return c >= '0' && c <= '9';
}

static inline int json_hex_digit(unsigned char c)
{
    if (json_is_digit(c))
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Are the 15 bytes at p messages.update, in any case, with '_' or '-' for the point? What
 * the bit 0x20 makes a lower-case letter is that letter. */
static inline bool json_names_update(const char *p)
{
    static const char word[] = "messages.update";
    static const unsigned char all[8] = {0xff, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff};
    const uint64_t bits = UINT64_C(0x2020202020202020);
    uint64_t head, tail, want_head, want_tail, but_point;

    memcpy(&head, p, 8);
    memcpy(&tail, p + 7, 8);
    memcpy(&want_head, word, 8);
    memcpy(&want_tail, word + 7, 8);
    memcpy(&but_point, all, 8);
    return (head | bits) == want_head && (((tail | bits) ^ want_tail) & but_point) == 0 &&
           (p[8] == '.' || p[8] == '_' || p[8] == '-');
}

#define JSON_UPDATE_LEN 15

/* Bytes of a string that need no look: not '"', '\\', a control or non-ASCII. */
static inline size_t json_plain_run(const char *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__)
    const __m128i quote = _mm_set1_epi8('"');
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i space = _mm_set1_epi8(0x20);

    for (; i + 16 <= n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        /* signed: bytes from 0x80 are below 0x20 too */
        __m128i hit =
            _mm_or_si128(_mm_cmplt_epi8(v, space),
                         _mm_or_si128(_mm_cmpeq_epi8(v, quote), _mm_cmpeq_epi8(v, backslash)));
        unsigned mask = (unsigned)_mm_movemask_epi8(hit);

        if (mask)
            return i + (unsigned)__builtin_ctz(mask);
    }
#endif
    for (; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c < 0x20 || c >= 0x80 || c == '"' || c == '\\')
            break;
    }
    return i;
}

/* Is there a backslash among the 8 bytes? */
static inline bool json_word_has_backslash(const char *p)
{
    uint64_t w;

    memcpy(&w, p, 8);
    w ^= UINT64_C(0x5c5c5c5c5c5c5c5c); /* a backslash becomes a zero byte */
    return ((w - UINT64_C(0x0101010101010101)) & ~w & UINT64_C(0x8080808080808080)) != 0;
}

/* Is there a backslash among the n bytes? Words overlap at the end rather than
 * going on byte by byte. */
static inline bool json_has_backslash(const char *p, size_t n)
{
    size_t i = 0;

#if defined(__SSE2__)
    if (n >= 16) {
        const __m128i backslash = _mm_set1_epi8('\\');
        __m128i last = _mm_loadu_si128((const __m128i *)(const void *)(p + n - 16));
        __m128i found = _mm_cmpeq_epi8(last, backslash);

        for (; i + 16 < n; i += 16) {
            __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));

            found = _mm_or_si128(found, _mm_cmpeq_epi8(v, backslash));
        }
        return _mm_movemask_epi8(found) != 0;
    }
#endif
    if (n >= 8) {
        for (; i + 8 < n; i += 8) {
            if (json_word_has_backslash(p + i))
                return true;
        }
        return json_word_has_backslash(p + n - 8);
    }
    while (i < n && p[i] != '\\')
        i++;
    return i < n;
}

#endif
