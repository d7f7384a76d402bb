#include "htmlw.h"

#include "textw.h"
#include "utf8.h"

#include <inttypes.h>
#include <stdio.h>

#define ELLIPSIS "\xe2\x80\xa6"
#define GROUP_SPACE "\xe2\x80\xaf" /* U+202F, narrow and not breaking */
#define MINUS "\xe2\x88\x92"

static void put_plain(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        switch (p[i]) {
        case '&':
            buf_adds(b, "&amp;");
            break;
        case '<':
            buf_adds(b, "&lt;");
            break;
        case '>':
            buf_adds(b, "&gt;");
            break;
        case '"':
            buf_adds(b, "&quot;");
            break;
        case '\'':
            buf_adds(b, "&#39;");
            break;
        default:
            buf_addc(b, p[i]);
        }
    }
}

/* Bytes of the first `most` characters of s, a byte that is no UTF-8 being one. */
static size_t bytes_of(struct slice s, size_t most)
{
    size_t n = 0;

    if (most >= s.n)
        return s.n;
    while (n < s.n && most-- > 0) {
        size_t len = utf8_sequence(s.p + n, s.n - n, NULL);

        n += len > 0 ? len : 1;
    }
    return n;
}

static void put(struct buf *b, struct slice s, size_t most, const char *before, const char *after)
{
    size_t fits = bytes_of(s, most);
    bool cut = fits < s.n;

    s.n = fits;
    while (s.n > 0) {
        bool plain;
        size_t n = textw_run(s, &plain);

        if (plain) {
            put_plain(b, s.p, n);
        } else {
            buf_adds(b, before);
            textw_escape(b, s.p, n);
            buf_adds(b, after);
        }
        s.p += n;
        s.n -= n;
    }
    if (cut)
        buf_adds(b, ELLIPSIS);
}

void htmlw_name(struct buf *b, struct slice s, size_t most)
{
    buf_adds(b, "<bdi>");
    put(b, s, most, "<span class=\"x\">", "</span>");
    buf_adds(b, "</bdi>");
}

void htmlw_text(struct buf *b, struct slice s, size_t most)
{
    put(b, s, most, "", "");
}

void htmlw_uint(struct buf *b, uint64_t n)
{
    char digits[24];
    int len = snprintf(digits, sizeof digits, "%" PRIu64, n);

    for (int i = 0; i < len; i++) {
        if (len > 4 && i > 0 && (len - i) % 3 == 0)
            buf_adds(b, GROUP_SPACE);
        buf_addc(b, digits[i]);
    }
}

void htmlw_difference(struct buf *b, int64_t n)
{
    if (n != 0)
        buf_adds(b, n > 0 ? "+" : MINUS);
    htmlw_uint(b, n < 0 ? 0 - (uint64_t)n : (uint64_t)n);
}
