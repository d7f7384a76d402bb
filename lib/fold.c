#include "fold_table.h"

#include <stdlib.h>

/* The entries sorted. */
struct fold_order {
    struct fold_item *item;
    size_t n;
};

void fold_init(struct fold *f, const struct names *archives)
{
    memset(f, 0, sizeof *f);
    f->archives = archives;
    (void)pthread_mutex_init(&f->lock, NULL); /* of the default kind it cannot fail */
}

void fold_forget_order(struct fold *f)
{
    if (f->order)
        free(f->order->item);
    free(f->order);
    f->order = NULL;
}

void fold_release(struct fold *f)
{
    uint32_t i;

    fold_forget_order(f);
    if (f->table) {
        for (i = 0; i < FOLD_TABLES; i++)
            fold_table_release(&f->table[i]);
        fold_pool_release(&f->pool);
    }
    free(f->table);
    for (i = 0; i < f->names.n; i++)
        histogram_release(&f->instance[i].lag);
    free(f->instance);
    free(f->run);
    names_release(&f->names);
    (void)pthread_mutex_destroy(&f->lock);
    fold_init(f, f->archives);
}

void fold_spill_to(struct fold *f, const struct fold_store *store, size_t limit)
{
    f->store = store;
    f->limit = limit - limit / 8; /* sorting and what waits to be added take the rest */
}

uint64_t fold_hash(uint64_t instance_hash, struct slice id)
{
    return hash_bytes(instance_hash, id);
}

static int make_tables(struct fold *f, struct err *e)
{
    struct fold_table *t = calloc(FOLD_TABLES, sizeof *t);
    unsigned i;

    if (!t)
        return err_oom(e);
    fold_pool_init(&f->pool);
    for (i = 0; i < FOLD_TABLES; i++)
        fold_table_init(&t[i], (uint8_t)i);
    f->table = t;
    return 0;
}

/* ---- instances ------------------------------------------------------------ */

void fold_widen(struct fold_instance *in, int64_t first, int64_t last)
{
    if (first == TIME_NONE)
        return;
    if (in->first == TIME_NONE || first < in->first)
        in->first = first;
    if (in->last == TIME_NONE || last > in->last)
        in->last = last;
}

static int add_instance(struct fold *f, struct slice name, uint32_t *number, struct err *e)
{
    uint32_t n = f->names.n;

    if (n == f->instance_cap) {
        uint32_t cap = f->instance_cap ? f->instance_cap * 2 : 8;
        struct fold_instance *p = realloc(f->instance, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        f->instance = p;
        f->instance_cap = cap;
    }
    *number = names_add(&f->names, name);
    if (*number == NAMES_NONE)
        return err_oom(e);
    if (*number == n)
        f->instance[n] = (struct fold_instance){.first = TIME_NONE, .last = TIME_NONE};
    return 0;
}

/* A writer asks once for each instance that it meets, so this is also where the
 * tables are made: before any thread adds to them. */
int fold_instance_number(struct fold *f, struct slice name, uint32_t *number, struct err *e)
{
    int status;

    (void)pthread_mutex_lock(&f->lock);
    status = f->table ? 0 : make_tables(f, e);
    if (status == 0)
        status = add_instance(f, name, number, e);
    (void)pthread_mutex_unlock(&f->lock);
    return status;
}

/* ---- evidence that was folded before -------------------------------------- */

int fold_add_evidence(struct fold *f, struct slice instance, struct slice message_id,
                      const struct evidence *evidence, struct err *e)
{
    struct fold_sight s = {.id = message_id};
    struct fold_table *t;
    uint64_t hash;
    int m;

    if (fold_instance_number(f, instance, &s.instance, e) < 0)
        return -1;
    fold_forget_order(f);
    hash = fold_hash(f->names.hash[s.instance], message_id);
    s.hash = (uint32_t)hash;
    t = &f->table[(hash >> 32) % FOLD_TABLES];
    if (fold_table_reserve(t, &f->pool, 1, e) < 0)
        return -1;
    for (m = 0; m <= M_COUNT; m++) {
        if (!(evidence->seen & M_BIT(m)))
            continue;
        s.what = (uint8_t)m;
        if (m < M_COUNT) {
            s.when = fold_when(evidence->at[m].time, evidence->at[m].approximate);
            s.record = evidence->at[m].record;
            s.archive = evidence->at[m].archive;
        }
        s.error = m == M_FAILED ? evidence->error : SLICE_NONE;
        if (fold_table_add(t, &f->pool, f->archives, &s, e) < 0)
            return -1;
    }
    if (f->store && (fold_table_full(t) || atomic_load(&f->pool.held) > f->limit))
        return fold_spill_some(f, e);
    return 0;
}

/* ---- walking -------------------------------------------------------------- */

struct shown {
    fold_walk_fn *fn;
    void *ctx;
};

static int show(void *ctx, const struct fold_table *t, const struct fold_packed *x, struct err *e)
{
    const struct shown *s = ctx;
    struct fold_entry out;

    fold_table_unpack(t, x, &out);
    return s->fn(s->ctx, &out, e);
}

static int walk_tables(struct fold *f, fold_walk_fn *fn, void *ctx, struct err *e)
{
    struct shown s = {fn, ctx};
    unsigned i;

    for (i = 0; i < FOLD_TABLES; i++) {
        if (fold_table_each(&f->table[i], show, &s, e) < 0)
            return -1;
    }
    return 0;
}

static struct fold_order *make_order(const struct fold *f, struct err *e)
{
    struct fold_order *o = calloc(1, sizeof *o);
    uint32_t *rank = fold_ranks(&f->names);

    if (o && rank)
        o->item = fold_sorted(f->table, FOLD_TABLES, rank, &o->n);
    free(rank);
    if (!o || !rank || (o->n > 0 && !o->item)) {
        free(o);
        (void)err_oom(e);
        return NULL;
    }
    return o;
}

static int walk_order(struct fold *f, fold_walk_fn *fn, void *ctx, struct err *e)
{
    struct shown s = {fn, ctx};
    struct fold_order *o = f->order ? f->order : make_order(f, e);
    size_t i;

    if (!o)
        return -1;
    f->order = o;
    for (i = 0; i < o->n; i++) {
        const struct fold_packed *x = o->item[i].entry;

        if (show(&s, &f->table[x->table], x, e) < 0)
            return -1;
    }
    return 0;
}

bool fold_count(const struct fold *f, uint64_t *n)
{
    unsigned i;

    *n = 0;
    for (i = 0; f->table && i < FOLD_TABLES; i++)
        *n += f->table[i].n;
    return f->runs == 0;
}

int fold_walk(struct fold *f, bool sorted, fold_walk_fn *fn, void *ctx, struct err *e)
{
    if (f->runs > 0)
        return fold_walk_runs(f, fn, ctx, e);
    if (!f->table)
        return 0;
    return sorted ? walk_order(f, fn, ctx, e) : walk_tables(f, fn, ctx, e);
}
