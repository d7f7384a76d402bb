#include "source_archive.h"

#include "log.h"
#include "records.h"
#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

_Static_assert(RECORD_MARGIN >= EVENT_MARGIN, "event_look reads behind what records_next holds");

/* What all threads share. */
struct pool {
    struct archive *archive;
    uint32_t n;
    const struct source_options *o;
    atomic_uint next; /* archive to be taken */
    atomic_bool stop; /* a thread failed */
    pthread_mutex_t watching;
    struct worker *worker;
    unsigned workers;
    pthread_mutex_t lock; /* of what follows, and of every worker's relay */
    pthread_cond_t changed;
    unsigned reading; /* workers that may still take an archive or are at one */
};

/* A rejected part, as it is told. */
struct rejection {
    uint32_t archive;
    enum reject why;
    uint64_t record, offset;
    char detail[128];
};

struct worker {
    struct pool *pool;
    pthread_t thread;
    struct event_reader *reader;
    struct reject_sink *rejects; /* NULL: none wanted */
    struct rejection *first;     /* the first it met, at most as many as are told */
    unsigned held, passed;       /* in first; of them told */
    bool more;                   /* it met others */
    struct fold_writer *fold;
    struct event_counts counts;
    uint64_t told; /* counts.records that progress knows */
    struct err err;
    int status;
    bool started;
    struct relay *relay; /* what is read of the archive; NULL: none to help with */
    /* the record being read */
    uint32_t archive;
    struct record record;
};

static bool stopped(const struct pool *p)
{
    return atomic_load_explicit(&p->stop, memory_order_relaxed) ||
           (p->o->interrupted && __atomic_load_n(p->o->interrupted, __ATOMIC_RELAXED));
}

static int show(struct worker *w, const struct event *ev, struct err *e)
{
    const struct source_watch *watch = w->pool->o->watch;
    int status;

    (void)pthread_mutex_lock(&w->pool->watching);
    status = watch->event(watch->ctx, ev, w->archive, w->record.number, e);
    (void)pthread_mutex_unlock(&w->pool->watching);
    return status;
}

static int on_event(void *ctx, const struct event *ev, struct err *e)
{
    struct worker *w = ctx;
    const struct source_options *o = w->pool->o;

    if ((o->since != TIME_NONE && ev->time < o->since) ||
        (o->until != TIME_NONE && ev->time >= o->until))
        return 0;
    if (o->watch && slice_eq(ev->message_id, o->watch->message_id) && show(w, ev, e) < 0)
        return -1;
    return fold_add(w->fold, ev, w->archive, w->record.number, e);
}

static void tell(const struct pool *p, const struct rejection *r)
{
    log_warning("archive \"%s\", record %llu, byte %llu: %s: %s", p->archive[r->archive].name,
                (unsigned long long)r->record, (unsigned long long)r->offset, reject_name(r->why),
                r->detail);
}

/* Which thread is first at what changes from run to run: only with all of them
 * told does one come when it is met. */
static void tell_or_hold(struct worker *w, enum reject why, const char *detail)
{
    struct rejection r = {w->archive, why, w->record.number, w->record.offset, ""};

    if (!w->pool->o->tell_all && w->held == w->pool->o->told) {
        w->more = true;
        return;
    }
    (void)snprintf(r.detail, sizeof r.detail, "%s", detail);
    if (w->pool->o->tell_all)
        tell(w->pool, &r);
    else
        w->first[w->held++] = r;
}

/* Whose next one comes first: each worker takes archives in their order, and all
 * of one. NULL: none is left. */
static struct worker *find_next(const struct pool *p)
{
    struct worker *next = NULL;

    for (unsigned i = 0; i < p->workers; i++) {
        struct worker *w = &p->worker[i];

        if (w->passed < w->held &&
            (!next || w->first[w->passed].archive < next->first[next->passed].archive))
            next = w;
    }
    return next;
}

static void tell_first(const struct pool *p)
{
    struct worker *w = NULL;
    unsigned told = 0, i;
    bool more = false;

    for (; told < p->o->told && (w = find_next(p)); told++)
        tell(p, &w->first[w->passed++]);
    for (i = 0; i < p->workers; i++)
        more |= p->worker[i].more;
    if (more || find_next(p))
        log_note("further rejected records are only counted; --rejects keeps them all");
}

static int on_reject(void *ctx, enum reject why, const char *detail, struct err *e)
{
    struct worker *w = ctx;
    const struct record *rec = &w->record;

    tell_or_hold(w, why, detail);
    if (!w->rejects)
        return 0;
    return rejects_add(w->rejects, w->archive, w->pool->archive[w->archive].name, rec->number,
                       rec->offset, reject_name(why), detail,
                       (struct slice){rec->text, rec->len < RECORD_HEAD ? rec->len : RECORD_HEAD},
                       rec->bytes, e);
}

static int reject_record(struct worker *w, enum reject why)
{
    const struct record *rec = &w->record;
    char detail[96];

    w->counts.rejected[why]++;
    if (why == REJECT_TOO_LARGE)
        (void)snprintf(detail, sizeof detail, "longer than %zu bytes", w->pool->o->max_record);
    else
        (void)snprintf(detail, sizeof detail, "no JSON object: it breaks at byte %llu",
                       (unsigned long long)rec->broke);
    return on_reject(w, why, detail, &w->err);
}

static int read_record(struct worker *w, int64_t mtime)
{
    const struct event_sink sink = {on_event, on_reject, w};

    w->counts.records++;
    switch (w->record.kind) {
    case RECORD_UNREAD:
        w->counts.ignored++;
        return 0;
    case RECORD_BROKEN:
        return reject_record(w, REJECT_INVALID_JSON);
    case RECORD_TOO_LARGE:
        return reject_record(w, REJECT_TOO_LARGE);
    case RECORD_SEEN:
        return event_read_seen(w->reader, mtime, &w->counts, &sink, &w->err);
    case RECORD_TEXT:
        break;
    }
    return event_read(w->reader, (struct slice){w->record.text, w->record.len}, mtime, &w->counts,
                      &sink, &w->err);
}

static size_t look(void *ctx, const char *text)
{
    struct worker *w = ctx;

    return event_look(w->reader, text);
}

/* An archive's bytes, which threads inflate in turn. */
struct inflating {
    struct gzin *g;
    struct progress *progress;
    uint64_t told; /* stored bytes */
};

static ssize_t inflate_bytes(void *ctx, void *p, size_t n)
{
    struct inflating *in = ctx;
    ssize_t done = gzin_read(in->g, p, n);

    if (in->progress) {
        progress_add(in->progress, gzin_bytes_in(in->g) - in->told, 0);
        in->told = gzin_bytes_in(in->g);
    }
    return done;
}

static void tell_records(struct worker *w)
{
    if (w->pool->o->progress) {
        progress_add(w->pool->o->progress, 0, w->counts.records - w->told);
        w->told = w->counts.records;
    }
}

static ssize_t read_bytes(void *ctx, void *p, size_t n)
{
    struct worker *w = ctx;

    tell_records(w);
    return relay_read(w->relay, p, n);
}

/* Lets others help with the worker's archive, or not any more. */
static void show_relay(struct worker *w, struct relay *relay)
{
    struct pool *p = w->pool;

    (void)pthread_mutex_lock(&p->lock);
    w->relay = relay;
    (void)pthread_cond_broadcast(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
}

static int note_problem(struct archive *a, const char *text, struct err *e)
{
    a->problem = strdup(text);
    return a->problem ? 0 : err_oom(e);
}

/* How the archive ended. */
static int close_archive(struct worker *w, struct archive *a, const struct gzin *g)
{
    struct err told = ERR_INIT;

    a->damage = gzin_damage(g);
    a->bytes_in = gzin_bytes_in(g);
    a->bytes_out = gzin_bytes_out(g);
    if (a->damage == GZIN_WHOLE)
        return 0;
    (void)err_set(&told, EXIT_INPUT, "could not read archive \"%s\": %s", a->name, gzin_reason(g));
    return note_problem(a, told.text, &w->err);
}

static int read_archive(struct worker *w, struct archive *a)
{
    struct records *records = NULL;
    struct inflating in = {NULL, w->pool->o->progress, 0};
    struct relay *relay = NULL;
    struct gzin *g = NULL;
    int status = -1, more = 0;

    if (a->error) {
        a->damage = GZIN_UNREADABLE;
        return note_problem(a, a->error, &w->err);
    }
    if (gzin_open(&g, a->name, w->pool->o->now, w->pool->o->interrupted, &w->err) < 0) {
        if (w->err.status == EXIT_FAILED)
            return -1;
        a->damage = GZIN_UNREADABLE;
        status = note_problem(a, w->err.text, &w->err);
        w->err.status = 0;
        return status;
    }
    in.g = g;
    relay = relay_new(inflate_bytes, &in);
    records = relay ? records_new(read_bytes, w, w->pool->o->max_record) : NULL;
    if (!records) {
        (void)err_oom(&w->err);
        goto out;
    }
    records_look(records, look, w);
    show_relay(w, relay);
    while (!stopped(w->pool) && (more = records_next(records, &w->record, &w->err)) > 0) {
        if (read_record(w, gzin_mtime(g)) < 0)
            goto out;
    }
    if (more == 0)
        status = 0;
out:
    tell_records(w);
    show_relay(w, NULL);
    relay_end(relay);
    if (status == 0)
        status = close_archive(w, a, g);
    records_free(records);
    gzin_close(g);
    return status;
}

/* One that can be helped, by an offer just made; NULL: none. */
static struct relay *find_relay(const struct pool *p)
{
    unsigned i;

    for (i = 0; i < p->workers; i++) {
        if (p->worker[i].relay && relay_offer(p->worker[i].relay))
            return p->worker[i].relay;
    }
    return NULL;
}

/* With no archive left to take: inflates for those that are still at one. */
static void help(struct pool *p)
{
    (void)pthread_mutex_lock(&p->lock);
    p->reading--;
    (void)pthread_cond_broadcast(&p->changed);
    while (p->reading > 0) {
        struct relay *relay = find_relay(p);

        if (!relay) {
            (void)pthread_cond_wait(&p->changed, &p->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&p->lock);
        relay_help(relay);
        (void)pthread_mutex_lock(&p->lock);
    }
    (void)pthread_mutex_unlock(&p->lock);
}

static void *work(void *ctx)
{
    struct worker *w = ctx;
    struct pool *p = w->pool;

    (void)pthread_mutex_lock(&p->lock);
    p->reading++;
    (void)pthread_mutex_unlock(&p->lock);

    while (w->status == 0 && !stopped(p)) {
        unsigned i = atomic_fetch_add(&p->next, 1);

        if (i >= p->n)
            break;
        w->archive = i;
        w->status = read_archive(w, &p->archive[i]);
    }
    if (w->status == 0 && !stopped(p))
        w->status = fold_writer_finish(w->fold, &w->err);
    if (w->status < 0)
        atomic_store(&p->stop, true);
    help(p);
    return NULL;
}

static int worker_init(struct worker *w, struct pool *p, struct fold *into, struct err *e)
{
    w->pool = p;
    w->fold = fold_writer_new(into);
    w->reader = event_reader_new(&p->o->events);
    w->first = calloc(p->o->told + 1, sizeof *w->first);
    if (!w->reader || !w->fold || !w->first)
        return err_oom(e);
    if (p->o->rejects)
        return rejects_sink_new(p->o->rejects, &w->rejects, e);
    return 0;
}

/* The first worker is this thread: with one job no other is started. */
static int run_workers(struct worker *w, unsigned n, struct err *e)
{
    sigset_t all, before;
    unsigned i;
    int status = 0;

    /* Signals are for the main thread, which alone looks at their flag in all
     * that comes before and after. */
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    for (i = 1; i < n; i++) {
        int code = pthread_create(&w[i].thread, NULL, work, &w[i]);

        if (code != 0) { /* fewer threads do the same work */
            log_detail("could not start thread %u: %s", i + 1, strerror(code));
            break;
        }
        w[i].started = true;
    }
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)work(&w[0]);
    for (i = 1; i < n; i++) {
        if (w[i].started)
            (void)pthread_join(w[i].thread, NULL);
    }
    for (i = 0; i < n; i++) {
        if (w[i].status < 0 && w[i].err.status != 0 && status == 0) {
            *e = w[i].err;
            status = -1;
        }
    }
    return status;
}

static int gather(const struct worker *w, unsigned n, struct event_counts *counts, struct err *e)
{
    unsigned i;

    for (i = 0; i < n; i++) {
        if (event_counts_merge(counts, &w[i].counts) < 0)
            return err_oom(e);
    }
    return 0;
}

int source_archive_fold(struct archive *a, uint32_t n, const struct source_options *o,
                        struct fold *f, struct event_counts *counts, struct err *e)
{
    struct pool pool = {.archive = a, .n = n, .o = o, .watching = PTHREAD_MUTEX_INITIALIZER};
    unsigned jobs = o->jobs < 2 * n ? o->jobs : 2 * n, i; /* two can be at one archive */
    struct worker *w;
    int status = -1;

    if (n == 0)
        return 0;
    w = calloc(jobs, sizeof *w);
    if (!w)
        return err_oom(e);
    pool.worker = w;
    pool.workers = jobs;
    (void)pthread_mutex_init(&pool.lock, NULL); /* of the default kind neither can fail */
    (void)pthread_cond_init(&pool.changed, NULL);
    for (i = 0; i < jobs; i++) {
        if (worker_init(&w[i], &pool, f, e) < 0)
            goto out;
    }
    if (run_workers(w, jobs, e) < 0)
        goto out;
    if (o->interrupted && *o->interrupted) {
        (void)err_set(e, EXIT_FAILED, "interrupted");
        goto out;
    }
    status = gather(w, jobs, counts, e);
out:
    tell_first(&pool);
    for (i = 0; i < jobs; i++) {
        free(w[i].first);
        event_reader_free(w[i].reader);
        fold_writer_free(w[i].fold);
        event_counts_release(&w[i].counts);
    }
    (void)pthread_cond_destroy(&pool.changed);
    (void)pthread_mutex_destroy(&pool.lock);
    free(w);
    return status;
}
