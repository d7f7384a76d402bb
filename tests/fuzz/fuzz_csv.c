/* Both tables of the CSV are RFC 4180, with as many cells in each row; no cell is one
 * that a spreadsheet computes, and from each the text comes back that was shown. */
#include "shown.h"

#include "textw.h"
#include "utf8.h"

static bool is_sign(uint32_t c)
{
    return c == '=' || c == '+' || c == '-' || c == '@' || c == 0xff1d || c == 0xff0b ||
           c == 0xff0d || c == 0xff20;
}

/* Would a spreadsheet that skips blanks and quotes find a sign at the beginning? */
static bool computes(struct slice s)
{
    uint32_t c = 0;
    size_t n;

    for (; (n = utf8_sequence(s.p, s.n, &c)) > 0; s.p += n, s.n -= n) {
        if (is_sign(c))
            return true;
        if (c != ' ' && c != '"' && c != '\'' && c != 0xa0 && c != 0x3000)
            return false;
    }
    return false;
}

/* Appends what was shown: the text without the apostrophes. */
static void check_text(struct slice cell, struct buf *shown)
{
    bool begins = true;

    for (size_t i = 0; i < cell.n; i++) {
        struct slice rest = {cell.p + i, cell.n - i};

        if (begins && cell.p[i] == '\'') {
            rest.p++;
            rest.n--;
            if (!computes(rest))
                buf_addc(shown, '\'');
        } else {
            if (begins && computes(rest))
                fuzz_found("a spreadsheet computes \"%.*s\"", (int)cell.n, cell.p);
            buf_addc(shown, cell.p[i]);
        }
        begins = cell.p[i] == ';';
    }
}

/* Numbers, times, ids and words of ours. */
static void check_bare(struct slice cell)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.: ";

    for (size_t i = 0; i < cell.n; i++)
        FUZZ_EXPECT(cell.p[i] && strchr(letters, cell.p[i]));
    FUZZ_EXPECT(cell.n == 0 || cell.p[0] != '-' || (cell.n > 1 && cell.p[1] <= '9'));
}

/* The cell at p, whose text goes to *text; returns where it ends. */
static const char *read_cell(const char *p, const char *end, struct buf *text, bool *quoted)
{
    *quoted = p < end && *p == '"';
    buf_clear(text);
    if (!*quoted) {
        for (; p < end && *p != ',' && *p != '\r' && *p != '\n'; p++) {
            FUZZ_EXPECT(*p != '"');
            buf_addc(text, *p);
        }
        return p;
    }
    for (p++; p < end; p++) {
        if (*p == '"' && (++p == end || *p != '"'))
            return p;
        buf_addc(text, *p);
    }
    fuzz_found("a quote has no end");
}

/* Is it what textw.h shows of one of the names? */
static void check_known(const struct shown *s, const struct buf *text)
{
    struct buf name = BUF_INIT;
    bool known = false;

    for (size_t i = 0; i < s->n && !known; i++) {
        buf_clear(&name);
        textw_name(&name, s->name[i], SIZE_MAX);
        known = strcmp(buf_str(text), buf_str(&name)) == 0;
    }
    for (size_t i = 0; i < s->w.archives.n && !known; i++)
        known = slice_is(s->w.archives.name[i], buf_str(text));
    if (!known)
        fuzz_found("a cell says \"%s\", which is no name", buf_str(text));
    buf_release(&name);
}

static void check_table(const struct shown *s, struct slice csv)
{
    struct buf text = BUF_INIT, back = BUF_INIT;
    const char *p = csv.p, *const end = csv.p + csv.n;
    size_t cells = 0, columns = 0;

    FUZZ_EXPECT(fuzz_is_safe(csv, "\r\n"));
    while (p < end) {
        bool quoted;

        p = read_cell(p, end, &text, &quoted);
        buf_clear(&back);
        if (quoted) {
            check_text((struct slice){buf_str(&text), text.len}, &back);
            check_known(s, &back);
        } else {
            check_bare((struct slice){buf_str(&text), text.len});
        }
        FUZZ_EXPECT(!memchr(buf_str(&text), '\n', text.len));
        cells++;
        if (p < end && *p == ',') {
            p++;
            continue;
        }
        FUZZ_EXPECT(end - p >= 2 && p[0] == '\r' && p[1] == '\n');
        FUZZ_EXPECT(columns == 0 || cells == columns);
        columns = cells;
        cells = 0;
        p += 2;
    }
    FUZZ_EXPECT(columns > 1 && cells == 0);
    buf_release(&text);
    buf_release(&back);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf csv = BUF_INIT;
    struct shown s;

    if (n == 0)
        return 0;
    shown_init(&s, data, n, false);
    shown_put(&s, REPORT_CSV, &csv);
    check_table(&s, (struct slice){buf_str(&csv), csv.len});
    buf_release(&csv);
    shown_release(&s);
    return 0;
}
