#include "csvw.h"

#include "clock.h"
#include "textw.h"
#include "utf8.h"

#include <inttypes.h>

static void next_cell(struct csvw *w)
{
    if (!w->fresh)
        buf_addc(w->b, ',');
    w->fresh = false;
}

/* = + - @, and their fullwidth forms, which spreadsheets of East Asia read alike. */
static bool is_sign(uint32_t c)
{
    return c == '=' || c == '+' || c == '-' || c == '@' || c == 0xff1d || c == 0xff0b ||
           c == 0xff0d || c == 0xff20;
}

/* What a spreadsheet may drop or take for a quote before it looks for a sign. */
static bool is_skipped(uint32_t c)
{
    return c == ' ' || c == '"' || c == '\'' || c == 0xa0 || c == 0x3000;
}

/* Is s, which would be the beginning of a cell, to be computed? */
static bool computes(struct slice s)
{
    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_sequence(s.p, s.n, &c);

        if (n > 0 && is_sign(c))
            return true;
        if (n == 0 || !is_skipped(c))
            return false;
        s.p += n;
        s.n -= n;
    }
    return false;
}

/* Bytes that all are shown as they are. */
static void put_plain(struct buf *b, const char *p, size_t n, struct slice rest)
{
    for (size_t i = 0; i < n; i++) {
        if (p[i] == '"')
            buf_addc(b, '"');
        buf_addc(b, p[i]);
        if (p[i] == ';' && computes((struct slice){p + i + 1, rest.n - i - 1}))
            buf_addc(b, '\'');
    }
}

void csvw_text(struct csvw *w, struct slice s)
{
    next_cell(w);
    if (!s.p)
        return;
    buf_addc(w->b, '"');
    if (computes(s))
        buf_addc(w->b, '\'');
    while (s.n > 0) {
        bool plain;
        size_t n = textw_run(s, &plain);

        if (plain)
            put_plain(w->b, s.p, n, s);
        else
            textw_escape(w->b, s.p, n);
        s.p += n;
        s.n -= n;
    }
    buf_addc(w->b, '"');
}

void csvw_word(struct csvw *w, const char *word)
{
    next_cell(w);
    buf_adds(w->b, word);
}

void csvw_int(struct csvw *w, int64_t n)
{
    next_cell(w);
    buf_addf(w->b, "%" PRId64, n);
}

void csvw_uint(struct csvw *w, uint64_t n)
{
    next_cell(w);
    buf_addf(w->b, "%" PRIu64, n);
}

void csvw_hundredths(struct csvw *w, uint64_t n)
{
    next_cell(w);
    buf_addf(w->b, "%" PRIu64 ".%02u", n / 100, (unsigned)(n % 100));
}

void csvw_time(struct csvw *w, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    csvw_word(w, us == TIME_NONE ? "" : time_format(us, text));
}

void csvw_none(struct csvw *w)
{
    next_cell(w);
}

void csvw_end(struct csvw *w)
{
    buf_adds(w->b, "\r\n");
    w->fresh = true;
}
