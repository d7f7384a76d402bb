#include "api_poll.h"

#include "jsonw.h"
#include "jwalk.h"
#include "log.h"

#include <stdlib.h>

#define HOUR (3600 * US_PER_SECOND)
#define ROUNDS 3            /* of reading pages side by side before they are swept in order */
#define SWEEP_SPARE 10      /* requests of a sweep beyond three for each page */
#define PAGES_MAX (1 << 20) /* more is no count of pages */
#define PAGES_SPARE 16      /* read of pages that came later, beyond as many as there were */
#define BARREN_MAX 1000     /* pages in a row without news: others' messages fill no more */

enum { KIND_ROW, KIND_RECORD }; /* api_seen */

/* To the millisecond, as JavaScript writes it. */
static void add_time(struct jsonw *w, const char *key, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    jsonw_slice(w, key, (struct slice){time_format(us, text), 23});
    w->b->data[w->b->len - 1] = 'Z';
    buf_addc(w->b, '"');
}

/* Only both bounds together filter. They stay as they are while pages are read. */
static int write_span(struct api_target *t, struct err *e)
{
    struct buf *b = &t->window.span;
    struct jsonw w = JSONW_INIT(b);

    jsonw_object(&w, NULL);
    jsonw_object(&w, "messageTimestamp");
    add_time(&w, "gte", t->first - HOUR);
    add_time(&w, "lte", t->last + HOUR + 999);
    jsonw_object_end(&w);
    jsonw_object_end(&w);
    return b->failed ? err_oom(e) : 0;
}

/* Notes how many pages there are, as far as they are read. */
static int resize(struct api_window *w, int64_t pages, struct err *e)
{
    if (w->pages_max > 0 && pages > w->pages_max) {
        w->clipped = true;
        pages = w->pages_max;
    }
    if (pages > w->cap) {
        int64_t cap = pages + 64, i;
        int64_t *read_as = realloc(w->read_as, (size_t)cap * sizeof *read_as);

        if (!read_as)
            return err_oom(e);
        for (i = w->cap; i < cap; i++)
            read_as[i] = -1;
        w->read_as = read_as;
        w->cap = cap;
    }
    w->pages = pages;
    return 0;
}

void api_window_release(struct api_window *w)
{
    buf_release(&w->span);
    free(w->read_as);
    w->read_as = NULL;
}

/* --- asking --- */

static bool to_be_read(const struct api_window *w, int64_t page)
{
    int64_t as = w->read_as[page - 1];

    return as < 0 || (w->round > 0 && as != w->total);
}

/* The next page of the round; 0: none. */
static int64_t next_page(struct api_window *w)
{
    while (w->next <= w->pages && !to_be_read(w, w->next))
        w->next++;
    return w->next <= w->pages ? w->next++ : 0;
}

static int ask_page(struct api_poll *p, struct api_target *t, int64_t page, struct err *e)
{
    struct api_window *w = &t->window;
    struct api_ask *a = api_free_ask(p, t);

    a->page = page;
    return api_post(p, t, a, (struct slice){w->span.data, w->span.len}, e);
}

static int ask_pages(struct api_poll *p, struct api_target *t, struct err *e)
{
    while (api_free_ask(p, t)) {
        int64_t page = next_page(&t->window);

        if (page == 0)
            return 0;
        if (ask_page(p, t, page, e) < 0)
            return -1;
    }
    return 0;
}

int api_window_begin(struct api_poll *p, struct api_target *t, struct err *e)
{
    t->stage = API_STAGE_WINDOW;
    if (api_set_url(p, t, "findMessages", e) < 0 || write_span(t, e) < 0 ||
        resize(&t->window, 1, e) < 0)
        return -1;
    t->window.next = 1;
    return ask_pages(p, t, e); /* the first page tells how many there are */
}

/* --- reading --- */

static int read_updates(struct api_poll *p, struct api_target *t, uint32_t id, struct slice updates,
                        uint64_t request, struct err *e)
{
    struct slice update;
    size_t pos = 0;

    while (updates.p && jwalk_next(updates, &pos, &update)) {
        if (api_learn(p, t, id, api_update_status(update), TIME_NONE, request, e) < 0)
            return -1;
    }
    return 0;
}

static int read_record(struct api_poll *p, struct api_target *t, struct slice element,
                       uint64_t request, struct err *e)
{
    struct api_record r;
    uint32_t id;
    int fresh;

    if (!api_record_read(element, &p->id, &r))
        return err_oom(e);
    fresh = api_seen_add(&t->seen, KIND_ROW, r.row_id.p ? r.row_id : element);
    if (fresh < 0)
        return err_oom(e);
    t->window.distinct += fresh;
    id = r.message_id.p ? names_find(&t->ids, r.message_id) : NAMES_NONE;
    if (id == NAMES_NONE)
        return 0;
    if (!t->found[id]) {
        t->found[id] = true;
        t->unfound--;
        t->news++;
    }
    fresh = api_seen_add(&t->seen, KIND_RECORD, element);
    if (fresh < 0)
        return err_oom(e);
    if (fresh && read_updates(p, t, id, r.updates, request, e) < 0)
        return -1;
    return api_answered(p, t, id, e);
}

static int read_records(struct api_poll *p, struct api_target *t, struct slice rows,
                        uint64_t request, int64_t *n, struct err *e)
{
    struct slice element;
    size_t pos = 0;

    for (*n = 0; jwalk_next(rows, &pos, &element); (*n)++) {
        if (read_record(p, t, element, request, e) < 0)
            return -1;
    }
    return 0;
}

/* --- what is left to read --- */

/* A row that has no page of its own any more, and none yet, was missed by those
 * who read one page before it moved and the other after. With one total for
 * all pages and as many records, none was. */
static bool is_complete(const struct api_window *w)
{
    int64_t i;

    for (i = 0; i < w->pages; i++) {
        if (w->read_as[i] != w->total)
            return false;
    }
    return w->distinct >= w->total;
}

/* Were there another number of records when a page was read? */
static bool total_changed(const struct api_window *w)
{
    int64_t page;

    for (page = 1; page <= w->pages; page++) {
        if (to_be_read(w, page))
            return true;
    }
    return false;
}

/* Rows that come in at the top push others to later pages: whoever goes through
 * the pages in order meets them there. Rows that go away pull them to earlier
 * ones, which are read again. */
static int begin_sweep(struct api_poll *p, struct api_target *t, struct err *e)
{
    struct api_window *w = &t->window;

    log_detail("instance \"%.*s\": records are missing; reading its pages in order",
               (int)t->instance->name.n, t->instance->name.n > 0 ? t->instance->name.p : "");
    w->sweeping = true;
    w->least = w->total;
    w->swept = w->ahead.first = w->ahead.end = 0;
    w->left = 3 * w->pages + SWEEP_SPARE;
    return ask_page(p, t, 1, e);
}

/* Reads the pages again that were read while the total was another. Where it was
 * the same for all and records are missing all the same, one took another's place
 * or a page was shown twice, and any page may be the one: then all are swept. */
static int begin_round(struct api_poll *p, struct api_target *t, struct err *e)
{
    struct api_window *w = &t->window;

    w->barren = 0;
    if (++w->round == ROUNDS || !total_changed(w))
        return begin_sweep(p, t, e);
    w->next = 1;
    return ask_pages(p, t, e);
}

static int64_t not_below_0(int64_t n)
{
    return n > 0 ? n : 0;
}

/* Positions count from 0, as the rows stand now. Where "more" rows came in since
 * the page before, a row may stand as many later than it did, where they went
 * away, as many earlier: what is certain to have been read is noted anew. */
static void note_swept(struct api_window *w, int64_t page, int64_t size, int64_t more)
{
    int64_t first = (page - 1) * size, end = page * size;

    if (more > 0) {
        w->ahead.first += more;
    } else {
        w->swept = not_below_0(w->swept + more);
        w->ahead.end = not_below_0(w->ahead.end + more);
    }
    if (first > w->swept) {
        w->ahead.first = first;
        w->ahead.end = end;
    } else if (end > w->swept) {
        w->swept = end;
    }
    if (w->ahead.first <= w->swept && w->ahead.end > w->swept)
        w->swept = w->ahead.end;
}

/* After a page of a sweep: the page of the first row that may not have been read. */
static int sweep_on(struct api_poll *p, struct api_target *t, int64_t page, int64_t total_before,
                    struct err *e)
{
    struct api_window *w = &t->window;
    int64_t size = (int64_t)p->o.page_size, next;

    note_swept(w, page, size, w->total - total_before);
    next = w->swept / size + 1;
    if (t->unfound == 0)
        return api_window_ended(p, t, NULL, e);
    if (next > w->pages)
        return api_window_ended(p, t,
                                w->clipped               ? "it told of ever more pages"
                                : w->distinct < w->least ? "it counted more records than it showed"
                                                         : NULL,
                                e);
    if (--w->left < 0)
        return api_window_ended(p, t, "its records kept moving", e);
    return ask_page(p, t, next, e);
}

static int go_on(struct api_poll *p, struct api_target *t, int64_t page, int64_t total_before,
                 struct err *e)
{
    struct api_window *w = &t->window;

    if (w->problem)
        return t->busy > 0 ? 0 : api_window_ended(p, t, w->problem, e);
    if (w->sweeping)
        return sweep_on(p, t, page, total_before, e);
    if (ask_pages(p, t, e) < 0)
        return -1;
    if (t->busy > 0)
        return 0;
    if (t->unfound == 0 || is_complete(w))
        return api_window_ended(p, t, NULL, e);
    return begin_round(p, t, e);
}

static enum http_verdict take_page(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                   const struct api_answer *answer, struct buf *why, struct err *e)
{
    struct api_window *w = &t->window;
    int64_t size = (int64_t)p->o.page_size, before = w->total, page = a->page, n;
    int64_t pages = answer->pages > 0 ? answer->pages : (answer->total + size - 1) / size;
    uint64_t news = t->news;

    if (pages > PAGES_MAX) {
        buf_addf(why, "it tells of %lld pages", (long long)pages);
        return HTTP_UNREADABLE;
    }
    if (read_records(p, t, answer->rows, a->number, &n, e) < 0)
        return HTTP_FAILED;
    if (n == 0 && answer->total > 0 && page <= pages) {
        buf_addf(why, "page %lld of %lld is empty", (long long)page, (long long)pages);
        return HTTP_UNREADABLE;
    }
    a->busy = false;
    t->busy--;
    w->total = answer->total;
    if (w->total < w->least)
        w->least = w->total;
    w->barren = t->news > news ? 0 : w->barren + 1;
    if (w->barren >= BARREN_MAX)
        w->problem = "1000 pages in a row held none of the messages looked for";
    if (!w->answered)
        w->pages_max = 2 * pages + PAGES_SPARE;
    w->answered = true;
    if (resize(w, pages > 0 ? pages : 1, e) < 0)
        return HTTP_FAILED;
    if (page <= w->pages)
        w->read_as[page - 1] = answer->total;
    return go_on(p, t, page, before, e) < 0 ? HTTP_FAILED : HTTP_TAKEN;
}

enum http_verdict api_window_answer(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                    struct slice body, struct buf *why, struct err *e)
{
    struct api_answer answer;
    enum api_shape shape = api_answer_read(body, &answer);
    const char *problem = api_shape_problem(shape, API_PAGE);

    if (!problem)
        return take_page(p, t, a, &answer, why, e);
    if (shape != API_ROWS || t->window.answered) {
        buf_adds(why, problem);
        return HTTP_UNREADABLE;
    }
    if (p->o.strategy == API_WINDOW) {
        buf_adds(why, "it answers as Evolution 1.x does, which cannot be paged; "
                      "--strategy message asks for each message");
        return HTTP_UNUSABLE;
    }
    a->busy = false;
    t->busy--;
    return api_window_ended(p, t, NULL, e) < 0 ? HTTP_FAILED : HTTP_TAKEN;
}
