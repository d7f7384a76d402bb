#include "textw.h"

#include "utf8.h"

#define ELLIPSIS "\xe2\x80\xa6"

/* Characters that take two columns: Hangul, Kana, Han, fullwidth forms, emoji. */
static bool is_wide(uint32_t c)
{
    return (c >= 0x1100 && c <= 0x115f) || (c >= 0x2e80 && c <= 0xa4cf) ||
           (c >= 0xac00 && c <= 0xd7a3) || (c >= 0xf900 && c <= 0xfaff) ||
           (c >= 0xfe30 && c <= 0xfe6f) || (c >= 0xff01 && c <= 0xff60) ||
           (c >= 0xffe0 && c <= 0xffe6) || (c >= 0x1f300 && c <= 0x1faff) ||
           (c >= 0x20000 && c <= 0x3fffd);
}

/* The next piece of s that is shown whole or escaped whole. Its columns: one
 * or two, or four a byte. */
static size_t next_piece(struct slice s, size_t *columns)
{
    uint32_t point = 0;
    size_t n = utf8_sequence(s.p, s.n, &point);

    if (n > 0 && !utf8_is_unsafe(point))
        *columns = is_wide(point) ? 2 : 1;
    else
        *columns = 4 * (n > 0 ? n : 1);
    return n > 0 ? n : 1;
}

void textw_escape(struct buf *b, const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "\\x%02X", (unsigned)(unsigned char)p[i]);
}

static void add_piece(struct buf *b, const char *p, size_t n, size_t columns)
{
    if (columns <= 2) {
        buf_add(b, p, n);
        return;
    }
    textw_escape(b, p, n);
}

size_t textw_run(struct slice s, bool *plain)
{
    size_t columns, n = 0, piece;

    *plain = false;
    while (n < s.n) {
        piece = next_piece((struct slice){s.p + n, s.n - n}, &columns);
        if (n == 0)
            *plain = columns <= 2;
        else if (*plain != (columns <= 2))
            break;
        n += piece;
    }
    return n;
}

/* Columns of s as it is shown; stops counting past `most`. */
static size_t shown_columns(struct slice s, size_t most)
{
    size_t all = 0;

    while (s.n > 0 && all <= most) {
        size_t columns, n = next_piece(s, &columns);

        all += columns;
        s.p += n;
        s.n -= n;
    }
    return all;
}

void textw_name(struct buf *b, struct slice s, size_t most)
{
    bool cut = shown_columns(s, most) > most;
    size_t room = cut ? most - 1 : most;

    while (s.n > 0) {
        size_t columns, n = next_piece(s, &columns);

        if (columns > room)
            break;
        add_piece(b, s.p, n, columns);
        room -= columns;
        s.p += n;
        s.n -= n;
    }
    if (cut)
        buf_adds(b, ELLIPSIS);
}

void textw_path(struct buf *b, struct slice s, size_t most)
{
    size_t left = shown_columns(s, SIZE_MAX);

    if (left > most) {
        while (left > most - 1) {
            size_t columns, n = next_piece(s, &columns);

            left -= columns;
            s.p += n;
            s.n -= n;
        }
        buf_adds(b, ELLIPSIS);
    }
    textw_name(b, s, SIZE_MAX);
}

size_t textw_columns(const char *s, size_t n)
{
    size_t columns = 0;

    for (size_t i = 0; i < n; i++)
        columns += ((unsigned char)s[i] & 0xc0) != 0x80;
    return columns;
}

void textw_pad(struct buf *b, size_t n)
{
    if (!buf_reserve(b, n))
        return;
    while (n-- > 0)
        buf_addc(b, ' ');
}

/* Bytes of the first `most` columns of s. */
static size_t bytes_of(struct slice s, size_t most)
{
    size_t i = 0;

    while (i < s.n && (((unsigned char)s.p[i] & 0xc0) == 0x80 || most-- > 0))
        i++;
    return i;
}

/* Bytes of the line that s begins with: up to its last space within `most`
 * columns, or all of them where one word fills it. */
static size_t line_of(struct slice s, size_t most)
{
    size_t fits = bytes_of(s, most), n = fits;

    if (fits == s.n || s.p[fits] == ' ')
        return fits;
    while (n > 0 && s.p[n - 1] != ' ')
        n--;
    return n > 0 ? n : fits;
}

void textw_wrap(struct buf *b, const char *lead, struct slice s, size_t most)
{
    size_t indent = textw_columns(lead, strlen(lead));
    struct buf shown = BUF_INIT;
    struct slice rest;

    textw_name(&shown, s, SIZE_MAX);
    if (shown.failed)
        b->failed = true;
    rest = (struct slice){shown.data, shown.len};
    buf_adds(b, lead);
    while (rest.n > 0) {
        size_t n = line_of(rest, most - indent), end = n;

        while (end > 0 && rest.p[end - 1] == ' ')
            end--;
        buf_add(b, rest.p, end);
        while (n < rest.n && rest.p[n] == ' ')
            n++;
        rest.p += n;
        rest.n -= n;
        if (rest.n > 0) {
            buf_addc(b, '\n');
            textw_pad(b, indent);
        }
    }
    buf_addc(b, '\n');
    buf_release(&shown);
}
