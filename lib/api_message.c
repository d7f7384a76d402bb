#include "api_poll.h"

#include "jsonw.h"
#include "jwalk.h"

#define AGAIN_MAX 2    /* how often a message is asked about again whose filter was ignored */
#define KIND_ROW 2     /* api_seen */
#define BARREN_MAX 100 /* full pages in a row without news: the server goes on for ever */

static int ask(struct api_poll *p, struct api_target *t, struct api_ask *a, int64_t page,
               struct err *e)
{
    struct jsonw w = JSONW_INIT(&p->tmp);

    a->page = page;
    buf_clear(&p->tmp);
    jsonw_object(&w, NULL);
    jsonw_slice(&w, "id", t->ids.name[a->message]);
    jsonw_object_end(&w);
    if (p->tmp.failed)
        return err_oom(e);
    return api_post(p, t, a, (struct slice){p->tmp.data, p->tmp.len}, e);
}

static int ask_messages(struct api_poll *p, struct api_target *t, struct err *e)
{
    struct api_ask *a;

    while ((a = api_free_ask(p, t))) {
        while (t->next_message < t->ids.n && t->found[t->next_message])
            t->next_message++;
        if (t->next_message == t->ids.n)
            break;
        *a = (struct api_ask){.message = t->next_message++};
        if (ask(p, t, a, 1, e) < 0)
            return -1;
    }
    return t->busy > 0 ? 0 : api_message_ended(p, t, e);
}

int api_message_begin(struct api_poll *p, struct api_target *t, struct err *e)
{
    t->stage = API_STAGE_MESSAGE;
    if (api_set_url(p, t, "findStatusMessage", e) < 0)
        return -1;
    return ask_messages(p, t, e);
}

/* What a page brought. */
struct brought {
    int64_t rows, fresh; /* all, and those not read before */
    bool foreign;        /* some are of other messages */
};

static int read_row(struct api_poll *p, struct api_target *t, const struct api_ask *a,
                    struct slice element, struct brought *b, struct err *e)
{
    struct api_row r;
    uint32_t id;
    int fresh = api_seen_add(&t->seen, KIND_ROW, element);

    if (fresh < 0 || !api_row_read(element, &p->id, &p->tmp, &r))
        return err_oom(e);
    b->rows++;
    b->fresh += fresh;
    id = r.message_id.p ? names_find(&t->ids, r.message_id) : NAMES_NONE;
    if (id != a->message)
        b->foreign = true;
    if (!fresh || id == NAMES_NONE)
        return 0;
    return api_learn(p, t, id, r.status, r.time, a->number, e);
}

/* The answer that ended a message's paging. A server that ignores the filter
 * tells of all messages, page by page: the first who is told goes through all
 * of it. But it may have been a mishap, and this message be on none of those
 * pages. */
static int next_message(struct api_poll *p, struct api_target *t, struct api_ask *a, struct err *e)
{
    if (a->foreign && a->again < AGAIN_MAX) {
        a->foreign = false;
        a->barren = 0;
        a->again++;
        return ask(p, t, a, 1, e);
    }
    if (api_answered(p, t, a->message, e) < 0)
        return -1;
    return ask_messages(p, t, e);
}

enum http_verdict api_message_answer(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                     struct slice body, struct buf *why, struct err *e)
{
    struct brought b = {0, 0, false};
    uint64_t news = t->news;
    struct api_answer answer;
    const char *problem = api_shape_problem(api_answer_read(body, &answer), API_ROWS);
    struct slice element;
    size_t pos = 0;
    bool full;
    int status;

    if (problem) {
        buf_adds(why, problem);
        return HTTP_UNREADABLE;
    }
    while (jwalk_next(answer.rows, &pos, &element)) {
        if (read_row(p, t, a, element, &b, e) < 0)
            return HTTP_FAILED;
    }
    a->busy = false;
    t->busy--;
    full = b.rows >= (int64_t)p->o.page_size;
    a->barren = t->news > news ? 0 : a->barren + 1;
    if (full && a->barren == BARREN_MAX)
        t->endless = true;
    if (a->page == 1)
        a->foreign = full && b.foreign;
    /* 1.x knows no pages: it answers the same rows for each. */
    status = full && b.fresh > 0 && !t->endless ? ask(p, t, a, a->page + 1, e)
                                                : next_message(p, t, a, e);
    return status < 0 ? HTTP_FAILED : HTTP_TAKEN;
}
