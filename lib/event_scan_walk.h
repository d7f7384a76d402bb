/* event_scan_walk.h - the walk of event_scan.h, compiled once for each kind of
 * processor: event_scan_base.c and event_scan_avx2.c include it, nobody else.
 *
 * There are no checks for the end: the NULs behind a text cannot continue
 * anything, and 64 of them are more than any read goes beyond.
 */
#ifndef RECONCILE_EVENT_SCAN_WALK_H
#define RECONCILE_EVENT_SCAN_WALK_H

#include "event_scan.h"
#include "jsonbytes.h"
#include "utf8.h"

#include <string.h>

#if defined(__AVX2__)
#include <immintrin.h>
#elif defined(__SSE2__)
#include <emmintrin.h>
#elif defined(__ARM_NEON) && defined(__aarch64__)
#include <arm_neon.h>
#endif

/* odd_bytes: where in a block the bytes are that a string has to be looked at
 * for: '"', '\\', controls and non-ASCII. ODD_BITS bits stand for each byte. */
#if defined(__AVX2__)
#define BLOCK 32
#define ODD_BITS 1

static inline uint64_t odd_bytes(const char *p)
{
    /* By the low half of a byte: the one that it may be, '"' or '\\'. */
    const __m256i by_half = _mm256_broadcastsi128_si256(
        _mm_setr_epi8(1, 0, '"', 0, 0, 0, 0, 0, 0, 0, 0, 0, '\\', 0, 0, 0));
    __m256i v = _mm256_loadu_si256((const __m256i *)(const void *)p);
    /* signed: bytes from 0x80 are below 0x20 too */
    __m256i low = _mm256_cmpgt_epi8(_mm256_set1_epi8(0x20), v);
    __m256i mark = _mm256_cmpeq_epi8(v, _mm256_shuffle_epi8(by_half, v));

    return (uint32_t)_mm256_movemask_epi8(_mm256_or_si256(low, mark));
}

#elif defined(__SSE2__)
#define BLOCK 16
#define ODD_BITS 1

static inline uint64_t odd_bytes(const char *p)
{
    __m128i v = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i low = _mm_cmplt_epi8(v, _mm_set1_epi8(0x20));
    __m128i quote = _mm_cmpeq_epi8(v, _mm_set1_epi8('"'));
    __m128i backslash = _mm_cmpeq_epi8(v, _mm_set1_epi8('\\'));

    return (uint32_t)_mm_movemask_epi8(_mm_or_si128(low, _mm_or_si128(quote, backslash)));
}

#elif defined(__ARM_NEON) && defined(__aarch64__)
#define BLOCK 16
#define ODD_BITS 4

static inline uint64_t odd_bytes(const char *p)
{
    int8x16_t v = vld1q_s8((const int8_t *)(const void *)p);
    uint8x16_t low = vcltq_s8(v, vdupq_n_s8(0x20));
    uint8x16_t quote = vceqq_s8(v, vdupq_n_s8('"'));
    uint8x16_t backslash = vceqq_s8(v, vdupq_n_s8('\\'));
    uint8x16_t odd = vorrq_u8(low, vorrq_u8(quote, backslash));

    return vget_lane_u64(vreinterpret_u64_u8(vshrn_n_u16(vreinterpretq_u16_u8(odd), 4)), 0);
}

#else
#define BLOCK 8
#define ODD_BITS 1

static inline uint64_t odd_bytes(const char *p)
{
    uint64_t odd = 0;
    unsigned i;

    for (i = 0; i < BLOCK; i++) {
        unsigned char c = (unsigned char)p[i];

        odd |= (uint64_t)(c < 0x20 || c >= 0x80 || c == '"' || c == '\\') << i;
    }
    return odd;
}
#endif

/* The same of the 64 bytes from p on, a bit each: a member's key, and most values
 * too, so that both are found by one look. Elsewhere than on x86 there are not as many
 * bits to be had, and nothing is looked at ahead. */
#if defined(__AVX2__)
#define AHEAD 64

static inline uint64_t odd_ahead(const char *p)
{
    return odd_bytes(p) | odd_bytes(p + 32) << 32;
}

/* Those of the 64 that are c. */
static inline uint64_t bytes_equal(const char *p, char c)
{
    const __m256i *v = (const __m256i *)(const void *)p;
    __m256i all = _mm256_set1_epi8(c);
    uint32_t low = (uint32_t)_mm256_movemask_epi8(_mm256_cmpeq_epi8(_mm256_loadu_si256(v), all));

    return low | (uint64_t)(uint32_t)_mm256_movemask_epi8(
                     _mm256_cmpeq_epi8(_mm256_loadu_si256(v + 1), all))
                     << 32;
}

#elif defined(__SSE2__)
#define AHEAD 64

static inline uint64_t odd_ahead(const char *p)
{
    return odd_bytes(p) | odd_bytes(p + 16) << 16 | odd_bytes(p + 32) << 32 |
           odd_bytes(p + 48) << 48;
}

/* Those of the 64 that are c. */
static inline uint64_t bytes_equal(const char *p, char c)
{
    const __m128i *v = (const __m128i *)(const void *)p;
    uint64_t equal = 0;
    unsigned i;

    for (i = 0; i < 4; i++) {
        __m128i here = _mm_cmpeq_epi8(_mm_loadu_si128(v + i), _mm_set1_epi8(c));

        equal |= (uint64_t)(unsigned)_mm_movemask_epi8(here) << (16 * i);
    }
    return equal;
}

#else
#define AHEAD 0

static inline uint64_t odd_ahead(const char *p)
{
    (void)p;
    return 0;
}
#endif

#define ODD_BYTE ((UINT64_C(1) << ODD_BITS) - 1) /* the bits of a block's first byte */

/* For what is done for every member. */
#define INLINE __attribute__((always_inline)) static inline

/* ---- strings ------------------------------------------------------------ */

/* The value of four hex digits, or -1. */
static inline int read_hex4(const char *p)
{
    int v = 0, i;

    for (i = 0; i < 4; i++) {
        int digit = json_hex_digit((unsigned char)p[i]);

        if (digit < 0)
            return -1;
        v = v << 4 | digit;
    }
    return v;
}

/* p: the backslash of a \u escape. Returns what follows it, and the other half
 * of a pair; NULL where a surrogate is alone. */
static inline const char *skip_unicode(const char *p)
{
    int v = read_hex4(p + 2);

    if (v < 0 || (v >= 0xDC00 && v <= 0xDFFF))
        return NULL;
    if (v < 0xD800 || v > 0xDBFF)
        return p + 6;
    if (p[6] != '\\' || p[7] != 'u')
        return NULL;
    v = read_hex4(p + 8);
    return v >= 0xDC00 && v <= 0xDFFF ? p + 12 : NULL;
}

static inline bool is_simple_escape(char c)
{
    switch (c) {
    case '"':
    case '\\':
    case '/':
    case 'b':
    case 'f':
    case 'n':
    case 'r':
    case 't':
        return true;
    default:
        return false;
    }
}

/* p: a control or a byte from 0x80. Returns what follows its UTF-8 sequence, or
 * NULL. */
static inline const char *skip_utf8(const char *p)
{
    size_t n = (unsigned char)*p >= 0x80 ? utf8_sequence(p, 4, NULL) : 0;

    return n > 0 ? p + n : NULL;
}

#if AHEAD > 0

/* Goes over the blocks of a string that hold no more than plain bytes and the escapes that
 * are most common: of a quote, of '/', of a line feed. Returns the closing quote, or where
 * a block begins that holds something else, never an escaped byte. A body that is a string
 * has an escape every ten bytes, and nothing is harder to foresee than where. */
static const char *skip_escapes(const char *p)
{
    uint64_t first = 0; /* 1: the first byte of the block is escaped */

    for (;; p += AHEAD) {
        uint64_t quotes = bytes_equal(p, '"'), backslashes = bytes_equal(p, '\\');
        uint64_t escaped = backslashes << 1 | first;
        uint64_t common = quotes | bytes_equal(p, '/') | bytes_equal(p, 'n');
        uint64_t ends = quotes & ~escaped;

        if ((odd_ahead(p) & ~(quotes | backslashes)) != 0 || (escaped & ~common) != 0)
            return p - first;
        if (ends)
            return p + __builtin_ctzll(ends);
        first = backslashes >> (AHEAD - 1);
    }
}

#else

static inline const char *skip_escapes(const char *p)
{
    return p;
}

#endif

/* The closing quote of a string that has more than plain bytes from p on, or
 * NULL. An escape of two bytes is stepped over within its block. */
static const char *end_of_odd_string(const char *p)
{
    p = skip_escapes(p);
    for (;;) {
        uint64_t odd = odd_bytes(p);
        const char *next = p + BLOCK;

        while (odd) {
            unsigned i = (unsigned)__builtin_ctzll(odd) / ODD_BITS;
            const char *at = p + i;

            if (*at == '"')
                return at;
            if (*at == '\\' && is_simple_escape(at[1])) {
                odd &= ~(ODD_BYTE << (i * ODD_BITS));
                if (i + 1 < BLOCK)
                    odd &= ~(ODD_BYTE << ((i + 1) * ODD_BITS));
                else
                    next++;
                continue;
            }
            if (*at == '\\')
                next = at[1] == 'u' ? skip_unicode(at) : NULL;
            else
                next = skip_utf8(at);
            if (!next)
                return NULL;
            break;
        }
        p = next;
    }
}

/* The first odd byte from p on. */
INLINE const char *find_odd(const char *p)
{
    uint64_t odd;

    while (!(odd = odd_bytes(p)))
        p += BLOCK;
    return p + (unsigned)__builtin_ctzll(odd) / ODD_BITS;
}

/* p: behind the opening quote. Returns the closing one, or NULL. */
static inline const char *end_of_string(const char *p)
{
    p = find_odd(p);
    return *p == '"' ? p : end_of_odd_string(p);
}

/* ---- what is skipped ---------------------------------------------------- */

static inline const char *skip_space(const char *p)
{
    while (json_is_space((unsigned char)*p))
        p++;
    return p;
}

#define NUMBER_MAX 300 /* bytes of a number that a double holds, whatever its digits */

/* A number without an exponent, or NULL. */
static inline const char *skip_number(const char *p)
{
    const char *from = p;

    p += *p == '-';
    if (*p == '0') {
        p++;
    } else {
        if (!json_is_digit((unsigned char)*p))
            return NULL;
        while (json_is_digit((unsigned char)*p))
            p++;
    }
    if (*p == '.') {
        p++;
        if (!json_is_digit((unsigned char)*p))
            return NULL;
        while (json_is_digit((unsigned char)*p))
            p++;
    }
    return (*p | 0x20) == 'e' || p - from >= NUMBER_MAX ? NULL : p;
}

/* A value that is neither string, object nor array. */
static inline const char *skip_scalar(const char *p)
{
    switch (*p) {
    case 't':
        return memcmp(p, "true", 4) == 0 ? p + 4 : NULL;
    case 'f':
        return memcmp(p, "false", 5) == 0 ? p + 5 : NULL;
    case 'n':
        return memcmp(p, "null", 4) == 0 ? p + 4 : NULL;
    default:
        return skip_number(p);
    }
}

/* A member's key, what is known of the bytes from it on, and where its value is. */
struct member {
    const char *key;
    size_t n;
    uint64_t odd; /* of the AHEAD bytes from key on */
    const char *value;
};

/* p: at the opening quote of a key. */
INLINE void look_ahead(struct member *m, const char *p)
{
    m->key = p + 1;
    m->odd = odd_ahead(m->key);
}

/* Reads on from what look_ahead found. False unless the key is plain and a colon and
 * a value follow. */
INLINE bool read_member(struct member *m)
{
    const char *p, *end;

    end = m->odd ? m->key + __builtin_ctzll(m->odd) : find_odd(m->key + AHEAD);
    if (*end != '"')
        return false;
    m->n = (size_t)(end - m->key);
    p = end + 1;
    if (*p != ':')
        p = skip_space(p);
    if (*p++ != ':')
        return false;
    if ((unsigned char)*p <= ' ')
        p = skip_space(p);
    m->value = p;
    return true;
}

/* What follows the member's value, which is a string; or NULL. */
INLINE const char *skip_string_value(const struct member *m)
{
    const char *p = m->value + 1;
    size_t at = (size_t)(p - m->key);
    uint64_t odd = at < AHEAD ? m->odd >> at : 0;

    if (odd)
        p += __builtin_ctzll(odd);
    else
        p = find_odd(at < AHEAD ? m->key + AHEAD : p);
    if (*p != '"') {
        p = end_of_odd_string(p);
        if (!p)
            return NULL;
    }
    return p + 1;
}

#define NESTED_MAX 60 /* objects and arrays open at once in a value that is skipped */

/* An object or array that nobody asks for. Returns what follows it, or NULL. */
static const char *skip_nested(const char *p)
{
    uint64_t kinds = 0; /* a bit for each that is open, the innermost lowest: an object? */
    unsigned depth = 0;
    struct member m;

open:
    if (depth++ == NESTED_MAX)
        return NULL;
    kinds = kinds << 1 | (*p == '{');
    p = skip_space(p + 1);
    if (*p == (kinds & 1 ? '}' : ']'))
        goto close;
member:
    if (kinds & 1) {
        if (*p != '"')
            return NULL;
        look_ahead(&m, p);
        if (!read_member(&m))
            return NULL;
        p = m.value;
    }
    if (*p == '{' || *p == '[')
        goto open;
    if (*p == '"') {
        p = end_of_string(p + 1);
        if (!p)
            return NULL;
        p++;
    } else if (!(p = skip_scalar(p))) {
        return NULL;
    }
after:
    if ((unsigned char)*p <= ' ')
        p = skip_space(p);
    if (*p == ',') {
        p = skip_space(p + 1);
        goto member;
    }
    if (*p != (kinds & 1 ? '}' : ']'))
        return NULL;
close:
    p++;
    kinds >>= 1;
    if (--depth > 0)
        goto after;
    return p;
}

/* ---- the members that are asked for ------------------------------------- */

#define KEY_SLOTS 32
#define KEY_BYTES 16

/* Where there is no key all is 0, which no text fits: it would have to be NULs. */
struct key {
    char text[KEY_BYTES]; /* the closing quote included, so that its length fits too */
    uint32_t n;           /* bytes of it */
    uint32_t behind;      /* a bit for each of KEY_BYTES that is not of the text */
    uint32_t member;
    uint32_t bit; /* of the member */
};

#define KEY(text, member)                                                                          \
    {                                                                                              \
        text "\"", sizeof(text), (0xffffu << sizeof(text)) & 0xffffu, member, 1u << (member)       \
    }

/* By slot: no two keys of a table have the same. tests/unit/test_event_scan.c
 * finds every one of them. */
static inline unsigned key_slot(unsigned char first, unsigned char second, size_t n)
{
    return (unsigned)(n * 23 + first + second * 12u) % KEY_SLOTS;
}

#define SLOT(a, b, n) (((n)*23 + (a) + (b)*12u) % KEY_SLOTS)

static const struct key object_keys[KEY_SLOTS] = {
    [SLOT('e', 'v', 5)] = KEY("event", E_EVENT),
    [SLOT('d', 'a', 4)] = KEY("data", E_DATA),
    [SLOT('b', 'o', 4)] = KEY("body", E_BODY),
    [SLOT('p', 'a', 7)] = KEY("payload", E_PAYLOAD),
    [SLOT('r', 'e', 12)] = KEY("request_body", E_REQUEST_BODY),
    [SLOT('m', 'e', 7)] = KEY("message", E_MESSAGE),
    [SLOT('r', 'e', 11)] = KEY("received_at", E_TIMES),
    [SLOT('@', 't', 10)] = KEY("@timestamp", E_TIMES + 1),
    [SLOT('t', 'i', 9)] = KEY("timestamp", E_TIMES + 2),
    [SLOT('t', 'i', 4)] = KEY("time", E_TIMES + 3),
    [SLOT('t', 'i', 12)] = KEY("time_iso8601", E_TIMES + 4),
    [SLOT('t', 's', 2)] = KEY("ts", E_TIMES + 5),
    [SLOT('m', 's', 4)] = KEY("msec", E_TIMES + 6),
    [SLOT('i', 'n', 8)] = KEY("instance", E_INSTANCE),
    [SLOT('d', 'a', 9)] = KEY("date_time", E_DATE_TIME),
    [SLOT('e', 'r', 5)] = KEY("error", E_ERROR),
};

static const struct key update_keys[KEY_SLOTS] = {
    [SLOT('k', 'e', 3)] = KEY("key", U_KEY),
    [SLOT('k', 'e', 5)] = KEY("keyId", U_KEYID),
    [SLOT('i', 'd', 2)] = KEY("id", U_ID),
    [SLOT('m', 'e', 9)] = KEY("messageId", U_MESSAGEID),
    [SLOT('u', 'p', 6)] = KEY("update", U_UPDATE),
    [SLOT('s', 't', 6)] = KEY("status", U_STATUS),
    [SLOT('d', 'a', 8)] = KEY("datetime", U_DATETIME),
    [SLOT('o', 'w', 5)] = KEY("owner", U_OWNER),
    [SLOT('e', 'r', 5)] = KEY("error", U_ERROR),
};

static const struct key key_keys[KEY_SLOTS] = {[SLOT('i', 'd', 2)] = KEY("id", U_KEY_ID)};

static const struct key inner_keys[KEY_SLOTS] = {
    [SLOT('s', 't', 6)] = KEY("status", U_INNER_STATUS),
    [SLOT('e', 'r', 5)] = KEY("error", U_INNER_ERROR),
};

/* Do the bytes at p begin with the key? At least 16 can be read from p. */
INLINE bool is_key(const struct key *k, const char *p)
{
#if defined(__SSE2__)
    __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
    __m128i b = _mm_loadu_si128((const __m128i *)(const void *)k->text);
    unsigned same = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(a, b));

    return (same | k->behind) == 0xffffu;
#else
    return k->n > 0 && memcmp(p, k->text, k->n) == 0;
#endif
}

/* The members of an object that are asked for, as they are found. */
struct notes {
    const struct key *keys;
    struct slice *found; /* by member */
    uint32_t seen;       /* a bit for each member */
    uint32_t twice;      /* those that came again: the last one would win */
};

/* Which key are the n bytes at p, which a quote follows? NULL: none that is asked for. */
INLINE const struct key *find_key(const struct notes *o, const char *p, size_t n)
{
    const struct key *k = &o->keys[key_slot((unsigned char)p[0], (unsigned char)p[1], n)];

    return is_key(k, p) ? k : NULL;
}

INLINE void note(struct notes *o, const struct key *k, const char *value, const char *end)
{
    if (!k)
        return;
    o->twice |= o->seen & k->bit;
    o->seen |= k->bit;
    o->found[k->member] = (struct slice){value, (size_t)(end - value)};
}

/* What a walk that reached p, behind the object's end, has come to. */
INLINE const char *end_notes(const struct notes *o, const char *p)
{
    return o->twice ? NULL : p;
}

/* A member whose value is a plain string, all of it ahead: most are. Returns what
 * next_member would, or NULL where all is not so simple. */
INLINE const char *pass_string(struct notes *o, const struct member *m, bool *last)
{
    uint64_t behind_key = m->odd & (m->odd - 1);
    uint64_t behind_open = behind_key & (behind_key - 1);
    const char *key_end, *value, *end, *next;

    if (AHEAD == 0 || behind_open == 0)
        return NULL;
    key_end = m->key + __builtin_ctzll(m->odd);
    if (memcmp(key_end, "\":\"", 3) == 0)
        value = key_end + 2;
    else if (memcmp(key_end, "\": \"", 4) == 0)
        value = key_end + 3;
    else
        return NULL;
    end = m->key + __builtin_ctzll(behind_open);
    if (memcmp(end, "\",\"", 3) == 0)
        next = end + 2;
    else if ((*last = memcmp(end, "\"}", 2) == 0))
        next = end + 1;
    else if (memcmp(end, "\", \"", 4) == 0)
        next = end + 3;
    else
        return NULL;
    note(o, find_key(o, m->key, (size_t)(key_end - m->key)), value, end + 1);
    return next;
}

/* memset to 0, for few hundred bytes, a multiple of 16: compilers make a string
 * instruction of it that takes longer than all of a short record. */
INLINE void clear(void *p, size_t n)
{
#if defined(__SSE2__)
    char *to = p;
    size_t i = 0;

#if defined(__AVX2__)
#pragma GCC unroll 16
    for (; i + 32 <= n; i += 32) {
        _mm256_storeu_si256((__m256i *)(void *)(to + i), _mm256_setzero_si256());
        __asm__ volatile("" : : : "memory"); /* or it becomes memset again */
    }
#endif
#pragma GCC unroll 32
    for (; i < n; i += 16) {
        _mm_storeu_si128((__m128i *)(void *)(to + i), _mm_setzero_si128());
        __asm__ volatile("" : : : "memory");
    }
#else
    memset(p, 0, n);
#endif
}

/* ---- the walk ----------------------------------------------------------- */

/* A value of any kind. */
INLINE const char *skip_value(const struct member *m)
{
    const char *p = m->value;

    if (*p == '"')
        return skip_string_value(m);
    return *p == '{' || *p == '[' ? skip_nested(p) : skip_scalar(p);
}

/* Behind a value: at the next member's key, or with *end at the byte that
 * closes the object. NULL: neither. */
INLINE const char *next_member(const char *p, bool *end)
{
    if ((unsigned char)*p <= ' ')
        p = skip_space(p);
    *end = *p == '}';
    if (*end)
        return p;
    if (*p++ != ',')
        return NULL;
    if ((unsigned char)*p <= ' ')
        p = skip_space(p);
    return *p == '"' ? p : NULL;
}

/* p: '{'. At its first key, or with *end at the '}'. */
static inline const char *first_member(const char *p, bool *end)
{
    p++;
    if ((unsigned char)*p <= ' ')
        p = skip_space(p);
    *end = *p == '}';
    return *end || *p == '"' ? p : NULL;
}

/* An object whose members are all noted in passing: key, or update. */
INLINE const char *walk_flat(const char *p, struct notes o)
{
    struct member m;
    bool end;

    p = first_member(p, &end);
    while (p && !end) {
        const char *next;

        look_ahead(&m, p);
        next = pass_string(&o, &m, &end);
        if (next) {
            p = next;
            continue;
        }
        if (!read_member(&m) || !(p = skip_value(&m)))
            return NULL;
        note(&o, find_key(&o, m.key, m.n), m.value, p);
        p = next_member(p, &end);
    }
    return p ? end_notes(&o, p + 1) : NULL;
}

/* p: the '{' of an object in data. Returns what follows it, or NULL. */
static const char *walk_update(struct event_scan *s, const char *p)
{
    struct notes o = {.keys = update_keys};
    struct member m;
    bool end;

    if (s->updates == EVENT_SCAN_UPDATES)
        return NULL;
    o.found = s->update[s->updates].found;
    clear(&s->update[s->updates++], sizeof s->update[0]);
    p = first_member(p, &end);
    while (p && !end) {
        const char *next;
        const struct key *k;

        look_ahead(&m, p);
        next = pass_string(&o, &m, &end);
        if (next) {
            p = next;
            continue;
        }
        if (!read_member(&m))
            return NULL;
        k = find_key(&o, m.key, m.n);
        if (k && k->member == U_KEY && *m.value == '{')
            p = walk_flat(m.value, (struct notes){key_keys, o.found, 0, 0});
        else if (k && k->member == U_UPDATE && *m.value == '{')
            p = walk_flat(m.value, (struct notes){inner_keys, o.found, 0, 0});
        else
            p = skip_value(&m);
        if (!p)
            return NULL;
        note(&o, k, m.value, p);
        p = next_member(p, &end);
    }
    return p ? end_notes(&o, p + 1) : NULL;
}

/* p: the '[' of data. Every element is to be an object. */
static const char *walk_updates(struct event_scan *s, const char *p)
{
    p = skip_space(p + 1);
    if (*p == ']')
        return p + 1;
    for (;;) {
        if (*p != '{' || !(p = walk_update(s, p)))
            return NULL;
        p = skip_space(p);
        if (*p == ']')
            return p + 1;
        if (*p++ != ',')
            return NULL;
        p = skip_space(p);
    }
}

static const char *walk_object(struct event_scan *s, const char *p, const struct event_object **at);

/* A value that may have more in it than is skipped. */
static inline const char *walk_member(struct event_scan *s, struct event_object *o, unsigned member,
                                      const struct member *m)
{
    if (member == E_DATA && !o->update && (*m->value == '{' || *m->value == '[')) {
        const char *end;

        o->update = s->update + s->updates;
        end = *m->value == '{' ? walk_update(s, m->value) : walk_updates(s, m->value);
        o->updates = (uint32_t)(s->update + s->updates - o->update);
        return end;
    }
    if (member >= E_BODY && member <= E_MESSAGE && *m->value == '{')
        return walk_object(s, m->value, &o->inside[member - E_BODY]);
    return skip_value(m);
}

/* p: '{'. Returns what follows the object, or NULL. Recurses as deep as there
 * are objects to note. */
static const char *walk_object(struct event_scan *s, const char *p, const struct event_object **at)
{
    struct notes o = {.keys = object_keys};
    struct event_object *object;
    struct member m;
    bool end;

    if (s->objects == EVENT_SCAN_OBJECTS)
        return NULL;
    object = &s->object[s->objects++];
    clear(object, sizeof *object);
    object->walked = true;
    o.found = object->found;
    *at = object;
    p = first_member(p, &end);
    while (p && !end) {
        const char *next;
        const struct key *k;

        look_ahead(&m, p);
        next = pass_string(&o, &m, &end);
        if (next) {
            p = next;
            continue;
        }
        if (!read_member(&m))
            return NULL;
        k = find_key(&o, m.key, m.n);
        p = k ? walk_member(s, object, k->member, &m) : skip_value(&m);
        if (!p)
            return NULL;
        note(&o, k, m.value, p);
        p = next_member(p, &end);
    }
    return p ? end_notes(&o, p + 1) : NULL;
}

_Static_assert(sizeof(struct event_object) % 16 == 0 && sizeof(struct event_update) % 16 == 0,
               "clear() goes by 16 bytes");

static size_t walk_text(struct event_scan *s, const char *text)
{
    const struct event_object *outermost;
    const char *end;

    s->objects = s->updates = 0;
    end = walk_object(s, text, &outermost);
    return end ? (size_t)(end - text) : 0;
}

#endif
