#include "records.h"

#include "jsonbytes.h"
#include "jsonscan.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define WINDOW_MIN ((size_t)256 << 10)

struct records {
    records_read_fn *read;
    void *ctx;
    records_look_fn *look; /* NULL: none */
    void *look_ctx;
    size_t max; /* of a text, bytes */

    char *data; /* the window: data[pos .. end) is to be read */
    size_t cap; /* bytes allocated, less the margin behind */
    size_t pos, end;
    uint64_t base; /* offset of data[0] in the stream */
    bool eof;

    uint64_t number;  /* of the last record given out */
    size_t advance;   /* bytes to leave behind before the next record */
    bool line_start;  /* pos is the first byte of a line, at the top level */
    size_t region;    /* bytes from pos that a broken text had swallowed, whole lines */
    size_t good_line; /* bytes from pos of a line of the region that is whole objects */
    uint64_t broke;   /* where the text of the region broke */
    char *head;       /* RECORD_HEAD bytes of a stretch that does not fit the window */
};

struct records *records_new(records_read_fn *fn, void *ctx, size_t max_record)
{
    struct records *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->read = fn;
    r->ctx = ctx;
    r->max = max_record;
    r->line_start = true;
    return r;
}

void records_look(struct records *r, records_look_fn *fn, void *ctx)
{
    r->look = fn;
    r->look_ctx = ctx;
}

void records_free(struct records *r)
{
    if (!r)
        return;
    free(r->data);
    free(r->head);
    free(r);
}

/* The window never needs more than the longest text, its line feed and what
 * one read brings. */
static int grow(struct records *r, struct err *e)
{
    size_t most = r->max < SIZE_MAX / 4 ? r->max + 2 * WINDOW_MIN : SIZE_MAX / 4;
    size_t cap = r->cap ? r->cap * 2 : WINDOW_MIN;
    char *p;

    if (cap > most)
        cap = most;
    if (cap <= r->cap)
        return 0;
    p = realloc(r->data, cap + RECORD_MARGIN);
    if (!p)
        return err_oom(e);
    r->data = p;
    r->cap = cap;
    memset(p + r->end, 0, RECORD_MARGIN);
    return 0;
}

/* Reads on behind the window. 1: there is more; 0: the end; -1: no memory.
 * What is before pos is given up, so offsets into data change. */
static int fill(struct records *r, struct err *e)
{
    ssize_t n;

    if (r->eof || !r->data)
        return 0;
    if (r->pos > 0) {
        memmove(r->data, r->data + r->pos, r->end - r->pos);
        r->base += r->pos;
        r->end -= r->pos;
        r->pos = 0;
        memset(r->data + r->end, 0, RECORD_MARGIN);
    }
    if (r->cap - r->end < r->cap / 4 + 1 && grow(r, e) < 0)
        return -1;
    n = r->read(r->ctx, r->data + r->end, r->cap - r->end);
    if (n < 0)
        return err_oom(e);
    if (n == 0) {
        r->eof = true;
        return 0;
    }
    r->end += (size_t)n;
    memset(r->data + r->end, 0, RECORD_MARGIN);
    return 1;
}

static void give(struct records *r, struct record *rec, enum record_kind kind, size_t len)
{
    rec->kind = kind;
    rec->text = r->data + r->pos;
    rec->len = len;
    rec->bytes = len;
    rec->number = ++r->number;
    rec->offset = r->base + r->pos;
    rec->broke = 0;
    r->advance = len;
}

/* --- the lines that cannot concern us --- */

/* Searches from p on for \u, messages.update in any case, or the line feed
 * that ends the line. True: one of the first two, which concern us. False:
 * *lf is the line feed, or NULL where the end comes before. Behind it are NULs. */
static bool concerns(const char *p, const char *end, const char **lf)
{
#if defined(__SSE2__)
    const __m128i backslash = _mm_set1_epi8('\\');
    const __m128i u = _mm_set1_epi8('u');
    const __m128i bit = _mm_set1_epi8(0x20);
    const __m128i m = _mm_set1_epi8('m');
    const __m128i d = _mm_set1_epi8('d');
    const __m128i feed = _mm_set1_epi8('\n');

    for (; p < end; p += 16) {
        __m128i a = _mm_loadu_si128((const __m128i *)(const void *)p);
        __m128i b = _mm_loadu_si128((const __m128i *)(const void *)(p + 1));
        __m128i c = _mm_loadu_si128((const __m128i *)(const void *)(p + 11));
        __m128i escape = _mm_and_si128(_mm_cmpeq_epi8(a, backslash), _mm_cmpeq_epi8(b, u));
        __m128i word = _mm_and_si128(_mm_cmpeq_epi8(_mm_or_si128(a, bit), m),
                                     _mm_cmpeq_epi8(_mm_or_si128(c, bit), d));
        __m128i feeds = _mm_cmpeq_epi8(a, feed);
        unsigned hits, feed_mask;

        if (_mm_movemask_epi8(_mm_or_si128(feeds, _mm_or_si128(escape, word))) == 0)
            continue;
        feed_mask = (unsigned)_mm_movemask_epi8(feeds);
        hits = (unsigned)_mm_movemask_epi8(escape);
        if (feed_mask)
            hits &= feed_mask ^ (feed_mask - 1); /* those before the line feed */
        if (hits)
            return true;
        for (hits = (unsigned)_mm_movemask_epi8(word); hits; hits &= hits - 1) {
            /* no line feed is part of the word, so none lies within one */
            if (json_names_update(p + (unsigned)__builtin_ctz(hits)) &&
                !(feed_mask & ((1u << __builtin_ctz(hits)) - 1)))
                return true;
        }
        if (feed_mask) {
            *lf = p + (unsigned)__builtin_ctz(feed_mask);
            return false;
        }
    }
#endif
    for (; p < end; p++) {
        if (*p == '\n') {
            *lf = p;
            return false;
        }
        if ((p[0] == '\\' && p[1] == 'u') || json_names_update(p))
            return true;
    }
    *lf = NULL;
    return false;
}

/* Is the line at pos, which begins with '{', one to count without reading?
 * 1: yes, *rec is filled; 0: no; -1: no memory. */
static int unread_line(struct records *r, struct record *rec, struct err *e)
{
    size_t seen = 0; /* bytes of the line known to hold no line feed */
    size_t n;

    for (;;) {
        const char *p = r->data + r->pos;
        const char *lf;
        int more;

        /* What began in the bytes seen before may end only now. */
        if (concerns(p + (seen > JSON_UPDATE_LEN ? seen - JSON_UPDATE_LEN : 0), r->data + r->end,
                     &lf))
            return 0;
        seen = n = lf ? (size_t)(lf - p) : r->end - r->pos;
        if (n > r->max + 1)
            return 0;
        if (lf)
            break;
        more = fill(r, e);
        if (more < 0)
            return -1;
        if (more == 0)
            break;
    }
    if (r->data[r->pos + n - 1] == '\r')
        n--;
    if (n == 0 || n > r->max || r->data[r->pos + n - 1] != '}')
        return 0;
    give(r, rec, RECORD_UNREAD, n);
    return 1;
}

/* --- stretches that are rejected --- */

/* Rejects from pos to the end of the line that holds the byte at pos + from. */
static int reject_line(struct records *r, struct record *rec, enum record_kind kind, size_t from,
                       struct err *e)
{
    uint64_t offset = r->base + r->pos;
    uint64_t left_behind = 0;
    size_t seen = from;

    for (;;) {
        size_t have = r->end - r->pos;
        const char *lf = seen < have ? memchr(r->data + r->pos + seen, '\n', have - seen) : NULL;
        int more;

        if (lf) {
            give(r, rec, kind, (size_t)(lf - (r->data + r->pos)));
            break;
        }
        seen = have;
        if (have > 4 * RECORD_HEAD && left_behind == 0) {
            if (!r->head && !(r->head = malloc(RECORD_HEAD)))
                return err_oom(e);
            memcpy(r->head, r->data + r->pos, RECORD_HEAD);
        }
        if (have > 4 * RECORD_HEAD) {
            left_behind += have;
            r->pos = r->end;
            seen = 0;
        }
        more = fill(r, e);
        if (more < 0)
            return -1;
        if (more == 0) {
            give(r, rec, kind, r->end - r->pos);
            break;
        }
    }
    rec->bytes = left_behind + rec->len;
    rec->offset = offset;
    if (left_behind) {
        rec->text = r->head;
        rec->len = RECORD_HEAD;
    }
    return 1;
}

static bool is_gap(char c)
{
    return c == ' ' || c == '\t' || c == '\r' || c == '\n' || c == '[' || c == ']' || c == ',';
}

enum line { LINE_BLANK, LINE_OBJECTS, LINE_OTHER };

/* What is a line alone? n: without its line feed. */
static enum line line_of(const char *p, size_t n)
{
    enum line found = LINE_BLANK;
    size_t i = 0;

    while (i < n) {
        struct jsonscan j;

        if (is_gap(p[i])) {
            i++;
            continue;
        }
        jsonscan_init(&j);
        if (p[i] != '{' || jsonscan_feed(&j, p + i, n - i) != JSONSCAN_DONE)
            return LINE_OTHER;
        found = LINE_OBJECTS;
        i += j.at;
    }
    return found;
}

/* The next record of the lines that a broken text had swallowed; 0: none left. */
static int next_of_region(struct records *r, struct record *rec)
{
    size_t run = 0;     /* bytes from pos of lines that are no objects */
    size_t stretch = 0; /* of them, up to the end of the last that is not blank */

    while (r->data && run < r->region) {
        const char *p = r->data + r->pos + run;
        size_t n = (size_t)((const char *)memchr(p, '\n', r->region - run) - p) + 1;
        enum line line = line_of(p, n - 1);

        if (line == LINE_OBJECTS)
            break;
        if (line == LINE_OTHER)
            stretch = run + n - 1;
        run += n;
        if (stretch == 0) { /* blank so far */
            r->pos += run;
            r->region -= run;
            run = 0;
        }
    }
    if (stretch > 0) {
        give(r, rec, RECORD_BROKEN, stretch);
        rec->broke = r->broke;
        r->region -= stretch;
        return 1;
    }
    if (r->data && r->region > 0) {
        const char *p = r->data + r->pos;

        r->good_line = (size_t)((const char *)memchr(p, '\n', r->region) - p) + 1;
        r->region -= r->good_line;
    }
    return 0;
}

/* The next object of a line known to hold nothing else; 0: none left. */
static int next_of_line(struct records *r, struct record *rec)
{
    struct jsonscan j;

    while (r->good_line > 0 && is_gap(r->data[r->pos])) {
        r->pos++;
        r->good_line--;
    }
    if (r->good_line == 0)
        return 0;
    jsonscan_init(&j);
    (void)jsonscan_feed(&j, r->data + r->pos, r->good_line);
    give(r, rec, RECORD_TEXT, j.at);
    r->good_line -= j.at;
    return 1;
}

/* --- texts --- */

/* The text at pos broke at byte `at` of it. */
static int broken_text(struct records *r, struct record *rec, size_t at, struct err *e)
{
    const char *p = r->data + r->pos;
    const char *lf = memrchr(p, '\n', at);
    uint64_t broke = r->base + r->pos + at;
    int status;

    if (!lf) {
        status = reject_line(r, rec, RECORD_BROKEN, at, e);
        rec->broke = broke;
        return status;
    }
    r->region = (size_t)(lf - p) + 1;
    r->broke = broke;
    r->line_start = true; /* where the region ends */
    return 0;
}

/* Is the text at pos, which begins with '{', all there and simple enough for
 * the fast look? */
static bool look_at_text(struct records *r, struct record *rec)
{
    size_t n = r->look ? r->look(r->look_ctx, r->data + r->pos) : 0;

    if (n == 0 || n > r->max)
        return false;
    give(r, rec, RECORD_SEEN, n);
    return true;
}

/* Reads the text at pos, which begins with '{'. 0: it broke on a later line
 * and its region is to be read. */
static int read_text(struct records *r, struct record *rec, struct err *e)
{
    struct jsonscan j;

    jsonscan_init(&j);
    for (;;) {
        size_t have = r->end - r->pos;
        size_t n = have > r->max ? r->max + 1 : have;
        int more;

        switch (jsonscan_feed(&j, r->data + r->pos, n)) {
        case JSONSCAN_DONE:
            if (j.at > r->max)
                return reject_line(r, rec, RECORD_TOO_LARGE, r->max, e);
            give(r, rec, RECORD_TEXT, j.at);
            return 1;
        case JSONSCAN_BROKEN:
            return broken_text(r, rec, j.at, e);
        case JSONSCAN_MORE:
            break;
        }
        if (j.at > r->max)
            return reject_line(r, rec, RECORD_TOO_LARGE, r->max, e);
        more = fill(r, e);
        if (more < 0)
            return -1;
        if (more == 0)
            return broken_text(r, rec, j.at, e);
    }
}

static int skip_byte_order_mark(struct records *r, struct err *e)
{
    int more = 1;

    while (more > 0 && r->end - r->pos < 3)
        more = fill(r, e);
    if (more < 0)
        return -1;
    if (r->data && r->end - r->pos >= 3 && memcmp(r->data + r->pos, "\xEF\xBB\xBF", 3) == 0)
        r->pos += 3;
    return 0;
}

/* The next record at the top level; 0: the end, or a region is to be read. */
static int next_at_top(struct records *r, struct record *rec, struct err *e)
{
    for (;;) {
        if (r->pos == r->end) {
            int more = fill(r, e);

            if (more <= 0)
                return more;
        }
        if (r->line_start && r->data[r->pos] == '{') {
            int status = unread_line(r, rec, e);

            if (status != 0)
                return status;
        }
        r->line_start = false;
        while (r->pos < r->end && is_gap(r->data[r->pos])) {
            if (r->data[r->pos++] == '\n') {
                r->line_start = true;
                break;
            }
        }
        if (r->line_start || r->pos == r->end)
            continue;
        if (r->data[r->pos] == '{')
            return look_at_text(r, rec) ? 1 : read_text(r, rec, e);
        return broken_text(r, rec, 0, e);
    }
}

int records_next(struct records *r, struct record *rec, struct err *e)
{
    int status;

    if (!r->data) {
        if (grow(r, e) < 0 || skip_byte_order_mark(r, e) < 0)
            return -1;
    }
    r->pos += r->advance;
    r->advance = 0;
    do {
        status = 0;
        if (r->good_line > 0)
            status = next_of_line(r, rec);
        if (status == 0 && r->good_line == 0 && r->region > 0)
            status = next_of_region(r, rec);
        if (status == 0 && r->good_line == 0 && r->region == 0)
            status = next_at_top(r, rec, e);
    } while (status == 0 && !(r->eof && r->pos == r->end && r->region == 0));
    return status;
}
