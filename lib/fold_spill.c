#include "buf.h"
#include "fold_table.h"

#include <stdlib.h>

#define WRITE_AT ((size_t)64 << 10) /* bytes collected before they are written */
#define READ_MOST ((size_t)64 << 10)
#define READ_LEAST ((size_t)4 << 10)
#define READ_SHARE 4   /* of the limit that all runs read together, the divisor */
#define RUNS_MOST 256u /* read at a time; more are merged to fewer first */

/* ---- writing -------------------------------------------------------------- */

/* An entry of a run: this, the sightings that were seen, the id, the error text. */
struct head {
    uint32_t instance;
    uint32_t id_n;
    uint32_t error_n; /* bytes; NO_ERROR: none */
    uint8_t seen;
    uint8_t approximate; /* M_BITs */
};

struct place {
    int64_t time;
    uint64_t record;
    uint32_t archive;
};

#define NO_ERROR UINT32_MAX

static void put_entry(struct buf *b, const struct fold_entry *x)
{
    const struct evidence *ev = &x->evidence;
    struct head h;
    int m;

    memset(&h, 0, sizeof h); /* the padding is written, too */
    h.instance = x->instance;
    h.id_n = (uint32_t)x->message_id.n;
    h.error_n = ev->error.p ? (uint32_t)ev->error.n : NO_ERROR;
    h.seen = ev->seen;
    for (m = 0; m < M_COUNT; m++) {
        if ((ev->seen & M_BIT(m)) && ev->at[m].approximate)
            h.approximate |= M_BIT(m);
    }
    buf_add(b, &h, sizeof h);
    for (m = 0; m < M_COUNT; m++) {
        struct place p;

        if (!(ev->seen & M_BIT(m)))
            continue;
        memset(&p, 0, sizeof p);
        p.time = ev->at[m].time;
        p.record = ev->at[m].record;
        p.archive = ev->at[m].archive;
        buf_add(b, &p, sizeof p);
    }
    buf_add(b, x->message_id.p, x->message_id.n);
    if (ev->error.p)
        buf_add(b, ev->error.p, ev->error.n);
}

/* A run under way. */
struct output {
    const struct fold_store *store;
    void *run;
    struct buf b; /* what is to be written */
};

static int output_flush(struct output *o, struct err *e)
{
    int status = o->b.len > 0 ? o->store->write(o->run, o->b.data, o->b.len, e) : 0;

    buf_clear(&o->b);
    return status;
}

static int output_entry(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct output *o = ctx;

    put_entry(&o->b, x);
    if (o->b.failed)
        return err_oom(e);
    return o->b.len >= WRITE_AT ? output_flush(o, e) : 0;
}

static int output_end(struct output *o, int status, struct err *e)
{
    if (status == 0)
        status = output_flush(o, e);
    if (status == 0)
        status = o->store->end(o->run, e);
    buf_release(&o->b);
    return status;
}

static int write_items(const struct fold *f, void *run, const struct fold_item *item, size_t n,
                       struct err *e)
{
    struct output o = {f->store, run, BUF_INIT};
    struct fold_entry x;
    int status = 0;
    size_t i;

    for (i = 0; i < n && status == 0; i++) {
        fold_table_unpack(&f->table[item[i].entry->table], item[i].entry, &x);
        status = output_entry(&o, &x, e);
    }
    return output_end(&o, status, e);
}

/* A place in the list of runs, taken before there is a run to put there. */
static int list_run(struct fold *f, void *run, struct err *e)
{
    int status = 0;

    (void)pthread_mutex_lock(&f->lock);
    if (f->runs == f->runs_cap) {
        size_t cap = f->runs_cap ? f->runs_cap * 2 : 16;
        void **p = realloc(f->run, cap * sizeof *p);

        if (p) {
            f->run = p;
            f->runs_cap = cap;
        } else {
            status = err_oom(e);
        }
    }
    if (status == 0)
        f->run[f->runs++] = run;
    (void)pthread_mutex_unlock(&f->lock);
    return status;
}

/* Writes the group's entries, whose tables are locked, as one run. */
static int write_group(struct fold *f, struct fold_table *t, struct err *e)
{
    struct fold_item *item = NULL;
    uint32_t *rank;
    void *run;
    size_t n;
    int status = -1;

    (void)pthread_mutex_lock(&f->lock);
    rank = fold_ranks(&f->names);
    (void)pthread_mutex_unlock(&f->lock);
    if (!rank)
        return err_oom(e);
    item = fold_sorted(t, FOLD_GROUP, rank, &n);
    free(rank);
    if (!item)
        return err_oom(e);
    run = f->store->begin(f->store->ctx, e);
    if (run && write_items(f, run, item, n, e) == 0)
        status = list_run(f, run, e);
    free(item);
    return status;
}

/* 1: written; 0: there was nothing to write; -1. */
static int spill_group(struct fold *f, unsigned group, struct err *e)
{
    struct fold_table *t = f->table + (size_t)group * FOLD_GROUP;
    size_t n = 0;
    unsigned i;
    int status;

    for (i = 0; i < FOLD_GROUP; i++) {
        (void)pthread_mutex_lock(&t[i].lock);
        n += t[i].n;
    }
    status = n > 0 ? write_group(f, t, e) : 0;
    for (i = 0; i < FOLD_GROUP; i++) {
        if (status == 0)
            fold_table_empty(&t[i], &f->pool);
        (void)pthread_mutex_unlock(&t[i].lock);
    }
    return status < 0 ? -1 : n > 0;
}

/* One group at a time, each in its turn: the other threads go on with the
 * tables of the others, or write them as well. */
int fold_spill_some(struct fold *f, struct err *e)
{
    unsigned tries;
    int status = 0;

    for (tries = 0; tries < FOLD_GROUPS && status == 0; tries++)
        status = spill_group(f, atomic_fetch_add(&f->next_group, 1) % FOLD_GROUPS, e);
    return status < 0 ? -1 : 0;
}

static int spill_all(struct fold *f, struct err *e)
{
    unsigned i;

    for (i = 0; i < FOLD_GROUPS; i++) {
        if (spill_group(f, i, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- reading -------------------------------------------------------------- */

/* Where a run is being read. */
struct cursor {
    void *run;
    char *data; /* owned, cap bytes, of which at .. len are to be read */
    size_t at, len, cap;
    struct fold_entry x; /* the entry it is at; points into data */
};

struct merge {
    const struct fold *f;
    const uint32_t *rank;
    void **run;
    size_t runs;
    struct cursor *cursor; /* one of each */
    struct cursor **heap;  /* the least entry first */
    size_t n;              /* of the heap */
    struct cursor **same;  /* those at the entry that is being shown */
};

/* Sees to it that n bytes are there, unless the run ends before. */
static int need(const struct fold *f, struct cursor *c, size_t n, struct err *e)
{
    ssize_t got;

    if (c->len - c->at >= n)
        return 0;
    memmove(c->data, c->data + c->at, c->len - c->at);
    c->len -= c->at;
    c->at = 0;
    if (n > c->cap) {
        char *p = realloc(c->data, n);

        if (!p)
            return err_oom(e);
        c->data = p;
        c->cap = n;
    }
    got = f->store->read(c->run, c->data + c->len, c->cap - c->len, e);
    if (got < 0)
        return -1;
    c->len += (size_t)got;
    return 0;
}

static size_t bytes_of(const struct head *h)
{
    size_t n = sizeof *h + h->id_n + (h->error_n == NO_ERROR ? 0 : h->error_n);
    int m;

    for (m = 0; m < M_COUNT; m++)
        n += h->seen & M_BIT(m) ? sizeof(struct place) : 0;
    return n;
}

static void read_entry(struct cursor *c, const struct head *h)
{
    const char *p = c->data + c->at + sizeof *h;
    int m;

    memset(&c->x, 0, sizeof c->x);
    c->x.instance = h->instance;
    c->x.evidence.seen = h->seen;
    for (m = 0; m < M_COUNT; m++) {
        struct place at;

        if (!(h->seen & M_BIT(m)))
            continue;
        memcpy(&at, p, sizeof at);
        p += sizeof at;
        c->x.evidence.at[m] =
            (struct sighting){at.time, at.record, at.archive, (h->approximate & M_BIT(m)) != 0};
    }
    c->x.message_id = (struct slice){p, h->id_n};
    if (h->error_n != NO_ERROR)
        c->x.evidence.error = (struct slice){p + h->id_n, h->error_n};
}

/* To the next entry: 1; 0: the run has ended; -1. */
static int advance(const struct fold *f, struct cursor *c, struct err *e)
{
    struct head h;

    if (need(f, c, sizeof h, e) < 0)
        return -1;
    if (c->len == c->at)
        return 0;
    if (c->len - c->at < sizeof h)
        return err_set(e, EXIT_FAILED, "what was spilled cannot be read again: it is cut short");
    memcpy(&h, c->data + c->at, sizeof h);
    if (need(f, c, bytes_of(&h), e) < 0)
        return -1;
    if (c->len - c->at < bytes_of(&h))
        return err_set(e, EXIT_FAILED, "what was spilled cannot be read again: it is cut short");
    read_entry(c, &h);
    c->at += bytes_of(&h);
    return 1;
}

static int compare(const struct merge *g, const struct fold_entry *a, const struct fold_entry *b)
{
    if (a->instance != b->instance)
        return g->rank[a->instance] < g->rank[b->instance] ? -1 : 1;
    return slice_cmp(a->message_id, b->message_id);
}

static void push(struct merge *g, struct cursor *c)
{
    size_t i = g->n++;

    while (i > 0 && compare(g, &c->x, &g->heap[(i - 1) / 2]->x) < 0) {
        g->heap[i] = g->heap[(i - 1) / 2];
        i = (i - 1) / 2;
    }
    g->heap[i] = c;
}

static struct cursor *pop(struct merge *g)
{
    struct cursor *least = g->heap[0], *last = g->heap[--g->n];
    size_t i = 0, child;

    while ((child = 2 * i + 1) < g->n) {
        if (child + 1 < g->n && compare(g, &g->heap[child + 1]->x, &g->heap[child]->x) < 0)
            child++;
        if (compare(g, &last->x, &g->heap[child]->x) <= 0)
            break;
        g->heap[i] = g->heap[child];
        i = child;
    }
    g->heap[i] = last;
    return least;
}

static int open_cursors(struct merge *g, struct err *e)
{
    size_t cap = g->f->limit / READ_SHARE / g->runs, i;

    cap = cap < READ_LEAST ? READ_LEAST : cap > READ_MOST ? READ_MOST : cap;
    for (i = 0; i < g->runs; i++) {
        struct cursor *c = &g->cursor[i];
        int more;

        c->run = g->run[i];
        c->cap = cap;
        c->data = malloc(cap);
        if (!c->data)
            return err_oom(e);
        g->f->store->rewind(c->run);
        more = advance(g->f, c, e);
        if (more < 0)
            return -1;
        if (more > 0)
            push(g, c);
    }
    return 0;
}

/* Shows the least entry, merged of all runs that have it. */
static int show_least(struct merge *g, fold_walk_fn *fn, void *ctx, struct err *e)
{
    size_t n = 0, i;
    struct fold_entry x;

    g->same[n++] = pop(g);
    x = g->same[0]->x;
    while (g->n > 0 && compare(g, &g->heap[0]->x, &x) == 0) {
        g->same[n] = pop(g);
        evidence_merge(g->f->archives, &x.evidence, &g->same[n]->x.evidence);
        n++;
    }
    if (fn(ctx, &x, e) < 0)
        return -1;
    for (i = 0; i < n; i++) {
        int more = advance(g->f, g->same[i], e);

        if (more < 0)
            return -1;
        if (more > 0)
            push(g, g->same[i]);
    }
    return 0;
}

/* Shows what the first n runs hold, each entry once, in order. */
static int merge_runs(const struct fold *f, size_t n, fold_walk_fn *fn, void *ctx, struct err *e)
{
    uint32_t *rank = fold_ranks(&f->names);
    struct merge g = {.f = f, .rank = rank, .run = f->run, .runs = n};
    int status = -1;
    size_t i;

    g.cursor = calloc(n, sizeof *g.cursor);
    g.heap = calloc(n, sizeof *g.heap);
    g.same = calloc(n, sizeof *g.same);
    if (!rank || !g.cursor || !g.heap || !g.same) {
        (void)err_oom(e);
        goto out;
    }
    if (open_cursors(&g, e) < 0)
        goto out;
    status = 0;
    while (g.n > 0 && status == 0)
        status = show_least(&g, fn, ctx, e);
out:
    for (i = 0; g.cursor && i < n; i++)
        free(g.cursor[i].data);
    free(rank);
    free(g.cursor);
    free(g.heap);
    free(g.same);
    return status;
}

/* Makes one run of the first RUNS_MOST, the last of the list. */
static int merge_first(struct fold *f, struct err *e)
{
    struct output o = {f->store, f->store->begin(f->store->ctx, e), BUF_INIT};

    if (!o.run || output_end(&o, merge_runs(f, RUNS_MOST, output_entry, &o, e), e) < 0)
        return -1;
    f->runs -= RUNS_MOST;
    memmove(f->run, f->run + RUNS_MOST, f->runs * sizeof *f->run);
    f->run[f->runs++] = o.run;
    return 0;
}

int fold_walk_runs(struct fold *f, fold_walk_fn *fn, void *ctx, struct err *e)
{
    if (spill_all(f, e) < 0)
        return -1;
    while (f->runs > RUNS_MOST) {
        if (merge_first(f, e) < 0)
            return -1;
    }
    return merge_runs(f, f->runs, fn, ctx, e);
}
