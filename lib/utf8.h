/* utf8.h - telling well-formed UTF-8 from other bytes, and what of it people may see. */
#ifndef RECONCILE_UTF8_H
#define RECONCILE_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The length of the UTF-8 sequence at p, of which n bytes may be read: 1 to 4,
 * or 0 where there is none (cut short, overlong, a surrogate, past U+10FFFF).
 * *point, unless NULL, becomes its code point. */
static inline size_t utf8_sequence(const char *s, size_t n, uint32_t *point)
{
    static const uint32_t least[5] = {0, 0, 0x80, 0x800, 0x10000};
    const unsigned char *p = (const unsigned char *)s;
    uint32_t c;
    size_t len;

    if (n == 0)
        return 0;
    len = p[0] < 0x80   ? 1
          : p[0] < 0xc2 ? 0
          : p[0] < 0xe0 ? 2
          : p[0] < 0xf0 ? 3
          : p[0] < 0xf5 ? 4
                        : 0;
    if (len == 0 || len > n)
        return 0;
    c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
    for (size_t i = 1; i < len; i++) {
        if ((p[i] & 0xc0) != 0x80)
            return 0;
        c = c << 6 | (p[i] & 0x3fu);
    }
    if (c < least[len] || c > 0x10ffff || (c >= 0xd800 && c <= 0xdfff))
        return 0;
    if (point)
        *point = c;
    return len;
}

/* Is the character not to be shown as it is to a person? C0 and C1 controls,
 * separators that break a line, marks that turn the direction of what follows,
 * what cannot be seen at all, by which two names would look alike (the joiners
 * that scripts and emoji need are not among them), and what is no character. */
static inline bool utf8_is_unsafe(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200b ||
           (c >= 0x200e && c <= 0x200f) || (c >= 0x2028 && c <= 0x202e) ||
           (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || (c >= 0xfff9 && c <= 0xfffb) ||
           (c >= 0xfdd0 && c <= 0xfdef) || (c & 0xfffe) == 0xfffe;
}

#endif
