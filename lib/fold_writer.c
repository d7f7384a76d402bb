#include "fold_table.h"

#include <stdlib.h>

#define PENDING_BYTES 4096 /* of events kept for one table */
#define PENDING_MAX 128    /* events */

#define INSTANCE_HINTS 64

/* An event on its way to its table; the id follows it. */
struct pending {
    uint64_t when;
    uint64_t record;
    uint32_t archive;
    uint32_t instance;
    uint16_t n; /* bytes of the id */
    uint8_t what;
};

struct waiting {
    size_t used;                /* bytes */
    unsigned n;                 /* events */
    uint32_t hash[PENDING_MAX]; /* of each */
    char bytes[PENDING_BYTES];
};

struct fold_writer {
    struct fold *f;
    struct names names;             /* of instances, as this thread met them */
    struct fold_instance *instance; /* by number of its name */
    uint32_t *number;               /* the fold's number, by ours */
    uint32_t hint[INSTANCE_HINTS];  /* which it was the last time, by the end of its name */
    uint32_t cap;
    struct waiting waiting[FOLD_TABLES];
};

struct fold_writer *fold_writer_new(struct fold *f)
{
    struct fold_writer *w = calloc(1, sizeof *w);

    if (w)
        w->f = f;
    return w;
}

void fold_writer_free(struct fold_writer *w)
{
    uint32_t i;

    if (!w)
        return;
    for (i = 0; i < w->names.n; i++)
        histogram_release(&w->instance[i].lag);
    free(w->instance);
    free(w->number);
    names_release(&w->names);
    free(w);
}

static int grow(struct fold_writer *w, struct err *e)
{
    uint32_t cap = w->cap ? w->cap * 2 : 8;
    struct fold_instance *instance = realloc(w->instance, cap * sizeof *instance);
    uint32_t *number;

    if (!instance)
        return err_oom(e);
    w->instance = instance;
    number = realloc(w->number, cap * sizeof *number);
    if (!number)
        return err_oom(e);
    w->number = number;
    w->cap = cap;
    return 0;
}

static int find_instance(struct fold_writer *w, struct slice name, uint32_t *index, struct err *e)
{
    uint32_t *hint = &w->hint[name.n > 0 ? (unsigned char)name.p[name.n - 1] % INSTANCE_HINTS : 0];
    uint32_t n = w->names.n;

    if (*hint < n && slice_eq(w->names.name[*hint], name)) {
        *index = *hint;
        return 0;
    }
    if (n == w->cap && grow(w, e) < 0)
        return -1;
    *index = names_add(&w->names, name);
    if (*index == NAMES_NONE)
        return err_oom(e);
    *hint = *index;
    if (*index == n) {
        w->instance[n] = (struct fold_instance){.first = TIME_NONE, .last = TIME_NONE};
        return fold_instance_number(w->f, name, &w->number[n], e);
    }
    return 0;
}

/* p: an event that waits. Returns the next one. */
static inline const char *read_pending(const char *p, uint32_t hash, struct fold_sight *s)
{
    struct pending one;

    memcpy(&one, p, sizeof one);
    *s = (struct fold_sight){.when = one.when,
                             .record = one.record,
                             .archive = one.archive,
                             .instance = one.instance,
                             .hash = hash,
                             .what = one.what,
                             .id = {p + sizeof one, one.n}};
    return p + sizeof one + one.n;
}

/* Adds all that waits for table i. *full: it had better be written. The memory of one event is fetched while
 * others are being looked at: each would otherwise wait for it twice. */
static int flush(struct fold_writer *w, unsigned i, bool *full, struct err *e)
{
    struct fold_table *t = &w->f->table[i];
    struct waiting *q = &w->waiting[i];
    const char *p = q->bytes;
    struct fold_sight s;
    int status = -1;
    unsigned k;

    (void)pthread_mutex_lock(&t->lock);
    if (fold_table_reserve(t, &w->f->pool, q->n, e) < 0)
        goto out;
    for (k = 0; k < q->n; k++)
        fold_table_fetch_slot(t, q->hash[k]);
    for (k = 0; k < q->n; k++)
        fold_table_fetch_entry(t, q->hash[k]);
    for (k = 0; k < q->n; k++) {
        p = read_pending(p, q->hash[k], &s);
        if (fold_table_add(t, &w->f->pool, w->f->archives, &s, e) < 0)
            goto out;
    }
    q->used = 0;
    q->n = 0;
    *full = fold_table_full(t);
    status = 0;
out:
    (void)pthread_mutex_unlock(&t->lock);
    return status;
}

static bool is_over(const struct fold *f)
{
    return f->store && atomic_load_explicit(&f->pool.held, memory_order_relaxed) > f->limit;
}

static int flush_and_spill(struct fold_writer *w, unsigned i, struct err *e)
{
    bool full;

    if (w->waiting[i].n == 0)
        return 0;
    if (flush(w, i, &full, e) < 0)
        return -1;
    return (full && w->f->store) || is_over(w->f) ? fold_spill_some(w->f, e) : 0;
}

/* What has an error text is rare, and large: it does not wait. */
static int add_at_once(struct fold_writer *w, unsigned i, const struct fold_sight *s, struct err *e)
{
    struct fold_table *t = &w->f->table[i];
    int status;

    (void)pthread_mutex_lock(&t->lock);
    status = fold_table_reserve(t, &w->f->pool, 1, e);
    if (status == 0)
        status = fold_table_add(t, &w->f->pool, w->f->archives, s, e);
    (void)pthread_mutex_unlock(&t->lock);
    if (status == 0 && is_over(w->f))
        status = fold_spill_some(w->f, e);
    return status;
}

static int put(struct fold_writer *w, unsigned i, const struct fold_sight *s, struct err *e)
{
    struct waiting *q = &w->waiting[i];
    struct pending one = {.when = s->when,
                          .record = s->record,
                          .archive = s->archive,
                          .instance = s->instance,
                          .n = (uint16_t)s->id.n,
                          .what = s->what};

    if ((q->n == PENDING_MAX || PENDING_BYTES - q->used < sizeof one + s->id.n) &&
        flush_and_spill(w, i, e) < 0)
        return -1;
    memcpy(q->bytes + q->used, &one, sizeof one);
    memcpy(q->bytes + q->used + sizeof one, s->id.p, s->id.n);
    q->used += sizeof one + s->id.n;
    q->hash[q->n++] = s->hash;
    return 0;
}

int fold_add(struct fold_writer *w, const struct event *ev, uint32_t archive, uint64_t record,
             struct err *e)
{
    struct fold_sight s = {.when = fold_when(ev->time, ev->approximate),
                           .record = record,
                           .archive = archive,
                           .what = (uint8_t)ev->what,
                           .id = ev->message_id,
                           .error = ev->error};
    struct fold_instance *in;
    uint32_t instance;
    uint64_t hash;
    unsigned i;

    if (find_instance(w, ev->instance, &instance, e) < 0)
        return -1;
    in = &w->instance[instance];
    if (!ev->approximate)
        fold_widen(in, ev->time, ev->time);
    if (ev->lag != TIME_NONE && histogram_add(&in->lag, ev->lag, 1) < 0)
        return err_oom(e);
    s.instance = w->number[instance];
    hash = fold_hash(w->names.hash[instance], ev->message_id);
    s.hash = (uint32_t)hash;
    i = (unsigned)(hash >> 32) % FOLD_TABLES;
    return ev->error.p ? add_at_once(w, i, &s, e) : put(w, i, &s, e);
}

int fold_writer_finish(struct fold_writer *w, struct err *e)
{
    struct fold *f = w->f;
    int status = 0;
    uint32_t i;

    for (i = 0; i < FOLD_TABLES; i++) {
        if (flush_and_spill(w, i, e) < 0)
            return -1;
    }
    (void)pthread_mutex_lock(&f->lock);
    fold_forget_order(f);
    for (i = 0; i < w->names.n && status == 0; i++) {
        struct fold_instance *to = &f->instance[w->number[i]];

        fold_widen(to, w->instance[i].first, w->instance[i].last);
        status = histogram_merge(&to->lag, &w->instance[i].lag);
        histogram_release(&w->instance[i].lag); /* finishing again adds nothing */
    }
    (void)pthread_mutex_unlock(&f->lock);
    return status < 0 ? err_oom(e) : 0;
}
