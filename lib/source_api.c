#include "source_api.h"

#include "api_poll.h"
#include "event_status.h"
#include "http_url.h"
#include "secret.h"

#include <stdlib.h>

/* --- what the stages use --- */

struct api_ask *api_free_ask(const struct api_poll *p, struct api_target *t)
{
    unsigned i;

    for (i = 0; t->busy < p->o.connections && i < p->o.connections; i++) {
        if (!t->ask[i].busy)
            return &t->ask[i];
    }
    return NULL;
}

int api_set_url(struct api_poll *p, struct api_target *t, const char *endpoint, struct err *e)
{
    buf_clear(&t->url);
    buf_adds(&t->url, buf_str(&p->base));
    buf_addf(&t->url, "/chat/%s/", endpoint);
    http_path_segment(t->instance->url_name, &t->url);
    return t->url.failed ? err_oom(e) : 0;
}

/* Both page and offset always: some releases of 2.x fail without. */
int api_post(struct api_poll *p, struct api_target *t, struct api_ask *a, struct slice where,
             struct err *e)
{
    struct buf *b = &p->json;
    struct http_request r = {t->index, (uint64_t)(a - t->ask), buf_str(&t->url), SLICE_NONE};

    buf_clear(b);
    buf_adds(b, "{\"where\":");
    buf_add(b, where.p, where.n);
    buf_addf(b, ",\"page\":%lld,\"offset\":%u}", (long long)a->page, p->o.page_size);
    if (b->failed)
        return err_oom(e);
    r.body = (struct slice){b->data, b->len};
    a->busy = true;
    a->number = ++t->requests;
    t->busy++;
    return http_submit(p->http, &r, e);
}

/* A server may send the key where a status belongs, and unknown statuses are told, after
 * being cut. What is struck need not be JSON any more, so nothing of it is kept. */
static int strike_key(struct api_poll *p, struct slice *status, struct err *e)
{
    struct slice key = slice_of(p->o.key);

    if (status->n < key.n)
        return 0;
    buf_clear(&p->struck);
    buf_add(&p->struck, status->p, status->n);
    if (p->struck.failed)
        return err_oom(e);
    secret_strike(p->struck.data, p->struck.len, key);
    if (memcmp(p->struck.data, status->p, status->n) != 0)
        *status = slice_of("\"***\"");
    return 0;
}

int api_learn(struct api_poll *p, struct api_target *t, uint32_t id, struct slice status,
              int64_t time, uint64_t request, struct err *e)
{
    struct event ev = {.instance = t->instance->name,
                       .message_id = t->ids.name[id],
                       .error = SLICE_NONE,
                       .time = time == TIME_NONE ? p->observed : time,
                       .lag = TIME_NONE,
                       .approximate = time == TIME_NONE};

    if (!status.p)
        return 0;
    if (strike_key(p, &status, e) < 0)
        return -1;
    if (event_status_read(status, &p->o.events, p->statuses, &p->status, &ev.what) < 0)
        return err_oom(e);
    p->statuses->updates++;
    if (!(t->told[id] & 1u << ev.what)) {
        t->told[id] |= (unsigned char)(1u << ev.what);
        t->news++;
    }
    if (ev.what == MEANS_NOTHING) {
        p->statuses->ignored++;
        return 0;
    }
    if (ev.what == MEANS_UNKNOWN) {
        p->statuses->rejected[REJECT_UNKNOWN_STATUS]++;
        return 0;
    }
    p->statuses->status_events++;
    return p->sink.event(p->sink.ctx, t->index, &ev, request, e);
}

int api_answered(struct api_poll *p, struct api_target *t, uint32_t id, struct err *e)
{
    if (!p->sink.answered)
        return 0;
    return p->sink.answered(p->sink.ctx, t->index, t->ids.name[id], e);
}

/* --- from stage to stage --- */

static void target_release(struct api_target *t)
{
    names_release(&t->ids);
    free(t->found);
    free(t->told);
    free(t->ask);
    buf_release(&t->url);
    api_seen_release(&t->seen);
    api_window_release(&t->window);
    t->found = NULL;
    t->told = NULL;
    t->ask = NULL;
}

static int finish(struct api_poll *p, struct api_target *t, enum api_end end, const char *reason,
                  struct err *e)
{
    t->stage = API_STAGE_DONE;
    target_release(t);
    return p->sink.done(p->sink.ctx, t->index, end, reason, e);
}

/* Finishes with a reason: the instance's name, `problem`, and how many messages were
 * not found. */
static int finish_incomplete(struct api_poll *p, struct api_target *t, const char *problem,
                             struct err *e)
{
    struct buf text = BUF_INIT;
    uint32_t i, missing = 0;
    int status;

    for (i = 0; i < t->ids.n; i++)
        missing += !t->found[i] && !t->told[i];
    buf_addf(&text, "instance \"%.*s\" answered incompletely: %s; %u of %u message(s) not found",
             (int)t->instance->name.n, t->instance->name.n > 0 ? t->instance->name.p : "", problem,
             missing, t->ids.n);
    status = text.failed ? err_oom(e) : finish(p, t, API_INCOMPLETE, text.data, e);
    buf_release(&text);
    return status;
}

int api_window_ended(struct api_poll *p, struct api_target *t, const char *problem, struct err *e)
{
    if (p->o.strategy != API_WINDOW)
        return api_message_begin(p, t, e);
    if (problem && t->unfound > 0)
        return finish_incomplete(p, t, problem, e);
    return finish(p, t, API_ASKED, NULL, e);
}

int api_message_ended(struct api_poll *p, struct api_target *t, struct err *e)
{
    if (t->endless)
        return finish_incomplete(p, t, "its pages of statuses have no end", e);
    return finish(p, t, API_ASKED, NULL, e);
}

/* Nobody can be asked by that name. */
static int leave_out(struct api_poll *p, struct api_target *t, struct err *e)
{
    struct slice name = t->instance->name, url_name = t->instance->url_name;
    struct buf text = BUF_INIT;
    int status;

    buf_addf(&text, "instance \"%.*s\" left out: the name \"%.*s\" cannot be asked for",
             (int)name.n, name.n > 0 ? name.p : "", (int)url_name.n,
             url_name.n > 0 ? url_name.p : "");
    status = text.failed ? err_oom(e) : finish(p, t, API_GIVEN_UP, text.data, e);
    buf_release(&text);
    return status;
}

static int begin(struct api_poll *p, struct api_target *t, struct err *e)
{
    if (t->ids.n == 0)
        return finish(p, t, API_ASKED, NULL, e);
    if (!http_is_path_segment(t->instance->url_name))
        return leave_out(p, t, e);
    t->ask = calloc(p->o.connections, sizeof *t->ask);
    if (!t->ask)
        return err_oom(e);
    if (p->o.strategy == API_MESSAGE || (p->o.strategy == API_AUTO && t->ids.n <= API_WINDOW_FROM))
        return api_message_begin(p, t, e);
    return api_window_begin(p, t, e);
}

/* --- answers --- */

static bool mentions(const struct buf *text, const char *word)
{
    return text->len > 0 && strcasestr(text->data, word);
}

/* An error that would give the instance up. A server without findMessages
 * does not know its path, which says nothing about the instance. */
static enum http_verdict take_error(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                    const struct http_answer *answer, struct buf *why,
                                    struct err *e)
{
    if (!api_error_text(answer->body, why)) {
        (void)err_oom(e);
        return HTTP_FAILED;
    }
    if (p->o.strategy != API_AUTO || t->stage != API_STAGE_WINDOW || t->window.answered ||
        answer->status == 401 || answer->status == 403 ||
        (mentions(why, "instance") && mentions(why, "not exist")))
        return HTTP_UNUSABLE;
    a->busy = false;
    t->busy--;
    return api_window_ended(p, t, NULL, e) < 0 ? HTTP_FAILED : HTTP_TAKEN;
}

static enum http_verdict on_answer(void *ctx, const struct http_answer *answer, struct buf *why,
                                   struct err *e)
{
    struct api_poll *p = ctx;
    struct api_target *t = &p->target[answer->group];
    struct api_ask *a = &t->ask[answer->tag];

    p->observed = clock_now();
    progress_set_more(p->o.progress, http_counts(p->http)->requests);
    if (answer->status >= 400)
        return take_error(p, t, a, answer, why, e);
    if (t->stage == API_STAGE_WINDOW)
        return api_window_answer(p, t, a, answer->body, why, e);
    return api_message_answer(p, t, a, answer->body, why, e);
}

static int on_given_up(void *ctx, uint32_t group, const char *reason, struct err *e)
{
    struct api_poll *p = ctx;
    struct api_target *t = &p->target[group];
    struct buf text = BUF_INIT;
    int status;

    buf_addf(&text, "instance \"%.*s\": %s", (int)t->instance->name.n,
             t->instance->name.n > 0 ? t->instance->name.p : "", reason);
    status = text.failed ? err_oom(e) : finish(p, t, API_GIVEN_UP, text.data, e);
    buf_release(&text);
    return status;
}

/* --- a poll --- */

static void widen(struct api_target *t, int64_t from, int64_t until)
{
    if (t->first == TIME_NONE || from < t->first)
        t->first = from;
    if (t->last == TIME_NONE || until > t->last)
        t->last = until;
}

static int add_message(struct api_poll *p, const struct api_message *m, struct err *e)
{
    struct api_target *t = &p->target[m->instance];

    if (m->message_id.n == 0) /* no server takes an empty filter */
        return 0;
    if (names_add(&t->ids, m->message_id) == NAMES_NONE)
        return err_oom(e);
    if (m->sent_at != TIME_NONE)
        widen(t, m->sent_at, m->sent_at);
    else
        widen(t, m->created_at != TIME_NONE ? m->created_at : TIME_EVENT_MIN, p->o.now);
    return 0;
}

static int make_targets(struct api_poll *p, const struct api_instance *instance, uint32_t n,
                        const struct api_message *message, size_t messages, struct err *e)
{
    size_t i;

    p->target = calloc((size_t)n + 1, sizeof *p->target);
    if (!p->target)
        return err_oom(e);
    for (p->targets = 0; p->targets < n; p->targets++) {
        struct api_target *t = &p->target[p->targets];

        t->instance = &instance[p->targets];
        t->index = p->targets;
        t->first = t->last = TIME_NONE;
    }
    for (i = 0; i < messages; i++) {
        if (add_message(p, &message[i], e) < 0)
            return -1;
    }
    for (i = 0; i < n; i++) {
        struct api_target *t = &p->target[i];

        t->found = calloc((size_t)t->ids.n + 1, sizeof *t->found);
        t->told = calloc((size_t)t->ids.n + 1, sizeof *t->told);
        if (!t->found || !t->told)
            return err_oom(e);
        t->unfound = t->ids.n;
    }
    return 0;
}

static void fill_in_defaults(struct api_options *o)
{
    if (o->connections == 0)
        o->connections = API_CONNECTIONS;
    if (o->page_size == 0)
        o->page_size = API_PAGE_SIZE;
    if (o->connect_timeout == 0)
        o->connect_timeout = API_CONNECT_TIMEOUT;
    if (o->request_timeout == 0)
        o->request_timeout = API_REQUEST_TIMEOUT;
    if (o->answer_max == 0)
        o->answer_max = API_ANSWER_MAX;
}

static int open_http(struct api_poll *p, struct err *e)
{
    const struct http_options h = {.key = p->o.key,
                                   .cacert = p->o.cacert,
                                   .connections = p->o.connections,
                                   .groups = p->targets,
                                   .rate = p->o.rate,
                                   .connect_timeout = p->o.connect_timeout,
                                   .request_timeout = p->o.request_timeout,
                                   .retry_time = p->o.retry_time,
                                   .answer_max = p->o.answer_max,
                                   .interrupted = p->o.interrupted};
    const struct http_sink sink = {on_answer, on_given_up, p};

    if (http_base_url(p->o.url, &p->base, e) < 0)
        return -1;
    return http_open(&p->http, &h, &sink, e);
}

static int run(struct api_poll *p, struct api_counts *counts, struct err *e)
{
    const struct http_counts *sent = http_counts(p->http);
    uint32_t i;
    int status = 0;

    for (i = 0; status == 0 && i < p->targets; i++)
        status = begin(p, &p->target[i], e);
    if (status == 0)
        status = http_run(p->http, e);
    counts->requests += sent->requests;
    counts->requests_failed += sent->failed;
    return status;
}

int source_api_poll(const struct api_options *o, const struct api_instance *instance, uint32_t n,
                    const struct api_message *message, size_t messages, const struct api_sink *sink,
                    struct api_counts *counts, struct event_counts *statuses, struct err *e)
{
    struct api_poll p = {.o = *o, .sink = *sink, .statuses = statuses};
    int status = -1;

    fill_in_defaults(&p.o);
    if (make_targets(&p, instance, n, message, messages, e) == 0 && open_http(&p, e) == 0)
        status = run(&p, counts, e);
    http_close(p.http);
    while (p.targets > 0)
        target_release(&p.target[--p.targets]);
    free(p.target);
    buf_release(&p.base);
    buf_release(&p.id);
    buf_release(&p.status);
    buf_release(&p.tmp);
    buf_release(&p.json);
    buf_release(&p.struck);
    return status;
}

void source_api_library_version(char *out, size_t size)
{
    http_library_version(out, size);
}
