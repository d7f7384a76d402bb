#include "secret.h"

#include <stdint.h>

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    return c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* n hexadecimal digits; -1: they are none, or not there. */
static int32_t hex_number(const char *p, const char *end, size_t n)
{
    int32_t value = 0;
    size_t i;

    if ((size_t)(end - p) < n)
        return -1;
    for (i = 0; i < n; i++) {
        int digit = hex_digit(p[i]);

        if (digit < 0)
            return -1;
        value = 16 * value + digit;
    }
    return value;
}

/* What a form of writing makes of the bytes at p: at most 3 bytes to out, their
 * number to *out_n. Returns how many bytes were read; p is before end. */
typedef size_t decode_fn(const char *p, const char *end, char *out, size_t *out_n);

static size_t plain(const char *p, const char *end, char *out, size_t *out_n)
{
    (void)end;
    out[0] = *p;
    *out_n = 1;
    return 1;
}

static size_t percent(const char *p, const char *end, char *out, size_t *out_n)
{
    int32_t byte = *p == '%' ? hex_number(p + 1, end, 2) : -1;

    if (byte < 0)
        return plain(p, end, out, out_n);
    out[0] = (char)byte;
    *out_n = 1;
    return 3;
}

/* A key has no characters that take two escapes. */
static size_t json(const char *p, const char *end, char *out, size_t *out_n)
{
    int32_t point;

    if (*p != '\\' || end - p < 2)
        return plain(p, end, out, out_n);
    if (p[1] != 'u') {
        out[0] = p[1];
        *out_n = 1;
        return 2;
    }
    point = hex_number(p + 2, end, 4);
    if (point < 0)
        return plain(p, end, out, out_n);
    *out_n = 0;
    if (point < 0x80) {
        out[(*out_n)++] = (char)point;
    } else if (point < 0x800) {
        out[(*out_n)++] = (char)(0xc0 | point >> 6);
        out[(*out_n)++] = (char)(0x80 | (point & 0x3f));
    } else {
        out[(*out_n)++] = (char)(0xe0 | point >> 12);
        out[(*out_n)++] = (char)(0x80 | (point >> 6 & 0x3f));
        out[(*out_n)++] = (char)(0x80 | (point & 0x3f));
    }
    return 6;
}

/* How many bytes at p write the secret in that form; 0: they do not. */
static size_t spelled(const char *p, const char *end, struct slice secret, decode_fn *decode)
{
    const char *begin = p;
    size_t done = 0;

    while (done < secret.n && p < end) {
        char piece[3];
        size_t n;

        p += decode(p, end, piece, &n);
        if (n > secret.n - done || memcmp(piece, secret.p + done, n) != 0)
            return 0;
        done += n;
    }
    return done == secret.n ? (size_t)(p - begin) : 0;
}

void secret_strike(char *text, size_t n, struct slice secret)
{
    static decode_fn *const forms[] = {plain, percent, json};
    char *end, *p;
    size_t i;

    if (!text || !secret.p || secret.n < SECRET_MIN)
        return;
    end = text + n;
    for (i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        for (p = text; p < end; p++) {
            size_t found = spelled(p, end, secret, forms[i]);

            if (found > 0)
                memset(p, '*', found);
        }
    }
}
