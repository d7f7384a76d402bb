#include "jwalk.h"

#include "jsonbytes.h"

#include <stdlib.h>

static const char *skip_space(const char *p)
{
    while (json_is_space((unsigned char)*p))
        p++;
    return p;
}

/* p is at the opening quote; returns what follows the closing one. */
static const char *skip_string(const char *p, const char *end)
{
    p++;
    for (;;) {
        p += json_plain_run(p, (size_t)(end - p));
        if (*p == '"')
            return p + 1;
        p += *p == '\\' ? 2 : 1;
    }
}

static const char *skip_brackets(const char *p, const char *end)
{
    unsigned depth = 0;

    for (;;) {
        switch (*p) {
        case '"':
            p = skip_string(p, end);
            continue;
        case '{':
        case '[':
            depth++;
            break;
        case '}':
        case ']':
            if (--depth == 0)
                return p + 1;
            break;
        default:
            break;
        }
        p++;
    }
}

static const char *skip_value(const char *p, const char *end)
{
    if (*p == '"')
        return skip_string(p, end);
    if (*p == '{' || *p == '[')
        return skip_brackets(p, end);
    while (*p != ',' && *p != '}' && *p != ']' && !json_is_space((unsigned char)*p))
        p++;
    return p;
}

enum jwalk_type jwalk_type_of(struct slice value)
{
    switch (value.p[0]) {
    case '{':
        return JWALK_OBJECT;
    case '[':
        return JWALK_ARRAY;
    case '"':
        return JWALK_STRING;
    case 't':
    case 'f':
    case 'n':
        return JWALK_LITERAL;
    default:
        return JWALK_NUMBER;
    }
}

static void utf8_put(char **out, unsigned c)
{
    char *p = *out;

    if (c < 0x80) {
        *p++ = (char)c;
    } else if (c < 0x800) {
        *p++ = (char)(0xC0 | c >> 6);
        *p++ = (char)(0x80 | (c & 0x3F));
    } else if (c < 0x10000) {
        *p++ = (char)(0xE0 | c >> 12);
        *p++ = (char)(0x80 | (c >> 6 & 0x3F));
        *p++ = (char)(0x80 | (c & 0x3F));
    } else {
        *p++ = (char)(0xF0 | c >> 18);
        *p++ = (char)(0x80 | (c >> 12 & 0x3F));
        *p++ = (char)(0x80 | (c >> 6 & 0x3F));
        *p++ = (char)(0x80 | (c & 0x3F));
    }
    *out = p;
}

static unsigned hex4(const char *p)
{
    unsigned v = 0;
    int i;

    for (i = 0; i < 4; i++)
        v = v << 4 | (unsigned)json_hex_digit((unsigned char)p[i]);
    return v;
}

/* Reads the escape at p (a backslash) to *out; returns what follows it. The
 * text of an escape is never shorter than the bytes it stands for. */
static const char *unescape(const char *p, char **out)
{
    unsigned c;

    if (p[1] == '"' || p[1] == '/') { /* most */
        *(*out)++ = p[1];
        return p + 2;
    }
    switch (p[1]) {
    case 'b':
        *(*out)++ = '\b';
        return p + 2;
    case 'f':
        *(*out)++ = '\f';
        return p + 2;
    case 'n':
        *(*out)++ = '\n';
        return p + 2;
    case 'r':
        *(*out)++ = '\r';
        return p + 2;
    case 't':
        *(*out)++ = '\t';
        return p + 2;
    case 'u':
        break;
    default:
        *(*out)++ = p[1];
        return p + 2;
    }
    c = hex4(p + 2);
    p += 6;
    if (c >= 0xD800 && c <= 0xDBFF) {
        c = 0x10000 + ((c - 0xD800) << 10) + (hex4(p + 2) - 0xDC00);
        p += 6;
    }
    utf8_put(out, c);
    return p;
}

/* Copies up to the next backslash or the end; returns the bytes before it. Out
 * has room for n bytes, and nothing of it is needed behind what is returned. */
static size_t copy_plain(const char *p, size_t n, char *out)
{
    size_t i = 0;

#if defined(__SSE2__)
    const __m128i backslash = _mm_set1_epi8('\\');

    for (; i + 16 <= n; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));
        unsigned mask = (unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, backslash));

        _mm_storeu_si128((__m128i *)(void *)(out + i), v);
        if (mask)
            return i + (unsigned)__builtin_ctz(mask);
    }
#endif
    for (; i < n && p[i] != '\\'; i++)
        out[i] = p[i];
    return i;
}

/* Reads the inside of a string to out, which has room for n bytes and is apart. */
static size_t unescape_all(const char *p, size_t n, char *out)
{
    const char *end = p + n;
    char *o = out;

    while (p < end) {
        size_t run = copy_plain(p, (size_t)(end - p), o);

        o += run;
        p += run;
        if (p < end)
            p = unescape(p, &o);
    }
    return (size_t)(o - out);
}

#if defined(__SSE2__)

#define BLOCK 64  /* bytes read at once */
#define BEYOND 80 /* behind a block that are read too, and behind what is written */

static uint64_t find_backslashes(const char *p)
{
    const __m128i backslash = _mm_set1_epi8('\\');
    uint64_t found = 0;
    unsigned i;

#pragma GCC unroll 4
    for (i = 0; i < BLOCK; i += 16) {
        __m128i v = _mm_loadu_si128((const __m128i *)(const void *)(p + i));

        found |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(v, backslash)) << i;
    }
    return found;
}

/* Copies the bytes between two escapes, at most a block, and some that do not matter:
 * to ask for each run how long it is would take longer than copying. */
static char *copy_run(const char *p, const char *end, char *out)
{
    const __m128i *from = (const __m128i *)(const void *)p;
    __m128i *to = (__m128i *)(void *)out;

    _mm_storeu_si128(to, _mm_loadu_si128(from));
    _mm_storeu_si128(to + 1, _mm_loadu_si128(from + 1));
    _mm_storeu_si128(to + 2, _mm_loadu_si128(from + 2));
    if (end - p > 48)
        _mm_storeu_si128(to + 3, _mm_loadu_si128(from + 3));
    return out + (end - p);
}

/* Reads as many blocks as it can, each with what an escape on its end reaches beyond.
 * Returns how far it came. */
static const char *unescape_blocks(const char *p, const char *end, char **out)
{
    while (end - p >= BLOCK + BEYOND) {
        uint64_t found = find_backslashes(p);
        const char *from = p, *next = p + BLOCK;

        while (found) {
            const char *at = p + __builtin_ctzll(found);

            *out = copy_run(from, at, *out);
            from = unescape(at, out);
            if (from >= next)
                break;
            found &= ~UINT64_C(0) << (from - p); /* an escaped backslash begins nothing */
        }
        if (from < next)
            *out = copy_run(from, next, *out);
        p = from < next ? next : from;
    }
    return p;
}

#else

#define BEYOND 0

static const char *unescape_blocks(const char *p, const char *end, char **out)
{
    (void)end;
    (void)out;
    return p;
}

#endif

bool jwalk_unescape(struct slice inside, struct buf *tmp, struct slice *out)
{
    const char *end = inside.p + inside.n, *p;
    char *to;

    buf_clear(tmp);
    if (!buf_reserve(tmp, inside.n + BEYOND))
        return false;
    to = tmp->data;
    p = unescape_blocks(inside.p, end, &to);
    to += unescape_all(p, (size_t)(end - p), to);
    tmp->len = (size_t)(to - tmp->data);
    tmp->data[tmp->len] = '\0';
    *out = (struct slice){tmp->data, tmp->len};
    return true;
}

#define KEY_MAX 64                /* bytes of a key that anyone looks for */
#define ESCAPED_MAX (6 * KEY_MAX) /* bytes that it takes when all of it is escaped */

/* Sets found[i] to value for the key that it belongs to, if it is one of ours. */
static void take_member(struct slice key, struct slice value, const char *const *keys,
                        const size_t *length, size_t n, struct slice *found)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (length[i] == key.n && memcmp(key.p, keys[i], key.n) == 0)
            found[i] = value;
    }
}

void jwalk_find(struct slice object, const char *const *keys, size_t n, struct slice *found)
{
    const char *end = object.p + object.n;
    const char *p = skip_space(object.p + 1);
    size_t length[JWALK_KEYS];
    size_t i;

    for (i = 0; i < n; i++) {
        found[i] = SLICE_NONE;
        length[i] = strlen(keys[i]);
    }
    while (*p == '"') {
        const char *key_end = skip_string(p, end);
        struct slice key = {p + 1, (size_t)(key_end - p) - 2};
        const char *value = skip_space(skip_space(key_end) + 1);
        const char *value_end = skip_value(value, end);
        struct slice member = {value, (size_t)(value_end - value)};
        char plain[ESCAPED_MAX];

        if (key.n <= sizeof plain) {
            if (memchr(key.p, '\\', key.n))
                key = (struct slice){plain, unescape_all(key.p, key.n, plain)};
            take_member(key, member, keys, length, n, found);
        }
        p = skip_space(value_end);
        if (*p == ',')
            p = skip_space(p + 1);
    }
}

bool jwalk_next(struct slice array, size_t *pos, struct slice *element)
{
    const char *end = array.p + array.n;
    const char *p = skip_space(array.p + (*pos ? *pos : 1));
    const char *value_end;

    if (*p == ',')
        p = skip_space(p + 1);
    if (*p == ']')
        return false;
    value_end = skip_value(p, end);
    *element = (struct slice){p, (size_t)(value_end - p)};
    *pos = (size_t)(value_end - array.p);
    return true;
}

#define EXACT_DIGITS 15 /* of a whole number that a double holds exactly */

double jwalk_number(struct slice value)
{
    uint64_t v = 0;
    size_t i = 0;

    while (i < value.n && value.n <= EXACT_DIGITS && json_is_digit((unsigned char)value.p[i]))
        v = v * 10 + (uint64_t)(value.p[i++] - '0');
    if (i == value.n)
        return (double)v;
    return strtod(value.p, NULL); /* a byte that is no part of a number follows */
}
