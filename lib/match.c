#include "match.h"

#include <stdlib.h>

/* Distinct message ids asked about at once. Without an index each slice reads
 * the whole table, so large slices pay: 250,000 take 0.45 s among a million
 * rows, 50,000 take 0.19 s. */
#define SLICE_IDS 250000

/* A row found for a message id of the slice. */
struct found {
    struct ident id, campaign, instance_used;
    bool has_instance;
    size_t group; /* index of the message id in the slice */
};

/* A run of message ids on their way through the database. */
struct batch {
    struct slice *id; /* distinct, in order of bytes */
    size_t *first;    /* id i has entries first[i] .. first[i + 1] */
    size_t n;
    struct fold_entry *entry; /* at most SLICE_IDS, in order of message ids */
    size_t entries;
    struct arena texts; /* theirs */
    struct found *found;
    size_t n_found, cap;
};

static int by_message_id(const void *a, const void *b)
{
    const struct fold_entry *x = a, *y = b;

    return slice_cmp(x->message_id, y->message_id);
}

static int by_group(const void *a, const void *b)
{
    const struct found *x = a, *y = b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return ident_cmp(x->id, y->id);
}

static int compare_slices(const void *a, const void *b)
{
    return slice_cmp(*(const struct slice *)a, *(const struct slice *)b);
}

static int on_row(void *ctx, const struct store_row *r, struct err *e)
{
    struct batch *b = ctx;
    const struct slice *id = bsearch(&r->message_id, b->id, b->n, sizeof *b->id, compare_slices);

    if (!id)
        return 0; /* equal to the database only, by a collation that folds */
    if (b->n_found == b->cap) {
        size_t cap = b->cap ? b->cap * 2 : 1024;
        struct found *p = realloc(b->found, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        b->found = p;
        b->cap = cap;
    }
    b->found[b->n_found++] =
        (struct found){r->id, r->campaign, r->instance_used, r->has_instance, (size_t)(id - b->id)};
    return 0;
}

static struct match *match_get(struct match_table *t, struct ident row, struct slice message_id,
                               struct err *e)
{
    uint32_t i = idmap_find(&t->by_row, row);

    if (i != IDMAP_NONE)
        return &t->match[i];
    if (t->n == t->cap) {
        uint32_t cap = t->cap ? t->cap * 2 : 1024;
        struct match *p = realloc(t->match, cap * sizeof *p);

        if (!p) {
            (void)err_oom(e);
            return NULL;
        }
        t->match = p;
        t->cap = cap;
    }
    if (idmap_add(&t->by_row, row, t->n) == IDMAP_NONE) {
        (void)err_oom(e);
        return NULL;
    }
    memset(&t->match[t->n], 0, sizeof t->match[t->n]);
    t->match[t->n].row = row;
    t->match[t->n].message_id = message_id;
    return &t->match[t->n++];
}

static int64_t least_exact(const struct evidence *ev)
{
    int64_t least = TIME_NONE;
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if ((ev->seen & M_BIT(m)) && !ev->at[m].approximate &&
            (least == TIME_NONE || ev->at[m].time < least))
            least = ev->at[m].time;
    }
    return least;
}

int match_use(struct match_table *t, uint32_t source, struct slice message_id,
              const struct evidence *evidence, struct ident row, struct ident campaign,
              struct err *e)
{
    struct match *m = match_get(t, row, message_id, e);
    struct speaker *s = m ? arena_alloc(&t->arena, sizeof *s) : NULL;

    if (!m)
        return -1;
    if (!s || idmap_add(&t->campaigns, campaign, 0) == IDMAP_NONE)
        return err_oom(e);
    *s = (struct speaker){m->speaker, source, least_exact(evidence)};
    m->speaker = s;
    evidence_merge(t->archives, &m->evidence, evidence);
    return 0;
}

int match_doubt(struct match_table *t, struct ident row, struct slice message_id, struct err *e)
{
    struct match *m = match_get(t, row, message_id, e);

    if (!m)
        return -1;
    m->doubtful = true;
    return 0;
}

static bool may_speak(const struct match_table *t, const struct directory_named *named,
                      const struct found *row)
{
    const struct store_campaign *c = directory_campaign(t->directory, row->campaign);

    if (t->any_instance)
        return true;
    return c && directory_may_speak(t->directory, named, row->has_instance, row->instance_used,
                                    c->tenant);
}

/* Copies an entry, its texts to the arena. -1: no memory. */
static int keep_texts(struct arena *a, struct fold_entry *to, const struct fold_entry *from)
{
    struct slice *error = &to->evidence.error;

    *to = *from;
    to->message_id.p = arena_dup(a, from->message_id.p, from->message_id.n);
    if (error->p)
        error->p = arena_dup(a, error->p, error->n);
    return !to->message_id.p || (from->evidence.error.p && !error->p) ? -1 : 0;
}

/* One evidence key and the rows that bear its message id. */
static int match_entry(struct match_table *t, const struct fold_entry *x, const struct found *row,
                       size_t rows, struct err *e)
{
    const struct directory_named *named = t->named[x->instance];
    const struct found *spoken = NULL;
    struct fold_entry kept;
    size_t n = 0, i;

    for (i = 0; i < rows; i++) {
        if (may_speak(t, named, &row[i])) {
            spoken = &row[i];
            n++;
        }
    }
    if (keep_texts(&t->arena, &kept, x) < 0)
        return err_oom(e);
    if (n == 1) {
        t->used++;
        return match_use(t, x->instance, kept.message_id, &kept.evidence, spoken->id,
                         spoken->campaign, e);
    }
    if (n == 0) {
        t->instance_mismatch++;
        t->mismatch[x->instance]++;
    } else {
        t->ambiguous++;
    }
    for (i = 0; i < rows; i++) {
        if (match_doubt(t, row[i].id, kept.message_id, e) < 0)
            return -1;
    }
    return 0;
}

static int match_batch(struct match_table *t, struct batch *b, struct store *s, struct err *e)
{
    size_t i, from = 0, to, k;

    b->n_found = 0;
    if (store_find_rows(s, b->id, b->n, on_row, b, e) < 0)
        return -1;
    if (b->n_found > 0)
        qsort(b->found, b->n_found, sizeof *b->found, by_group);
    for (i = 0; i < b->n; i++) {
        for (to = from; to < b->n_found && b->found[to].group == i; to++)
            ;
        for (k = b->first[i]; k < b->first[i + 1]; k++) {
            if (to == from)
                t->not_campaign_message++;
            else if (match_entry(t, &b->entry[k], b->found + from, to - from, e) < 0)
                return -1;
        }
        from = to;
    }
    return 0;
}

/* Asks about the entries collected, and forgets them. */
static int match_entries(struct match_table *t, struct batch *b, struct store *s, struct err *e)
{
    size_t i = 0;
    int status;

    if (b->entries == 0)
        return 0;
    qsort(b->entry, b->entries, sizeof *b->entry, by_message_id);
    for (b->n = 0; i < b->entries; b->n++) {
        b->id[b->n] = b->entry[i].message_id;
        b->first[b->n] = i;
        while (i < b->entries && slice_eq(b->entry[i].message_id, b->id[b->n]))
            i++;
    }
    b->first[b->n] = i;
    status = match_batch(t, b, s, e);
    b->entries = 0;
    arena_release(&b->texts);
    return status;
}

struct matching {
    struct match_table *t;
    struct store *s;
    bool (*keep)(void *, const struct fold_entry *);
    void *ctx;
    struct batch b;
};

static int on_entry(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct matching *m = ctx;

    if (m->keep && !m->keep(m->ctx, x))
        return 0;
    if (m->b.entries == SLICE_IDS && match_entries(m->t, &m->b, m->s, e) < 0)
        return -1;
    if (keep_texts(&m->b.texts, &m->b.entry[m->b.entries], x) < 0)
        return err_oom(e);
    m->b.entries++;
    return 0;
}

int match_init(struct match_table *t, const struct names *archives, const struct directory *d,
               const struct match_source *source, uint32_t n, struct err *e)
{
    memset(t, 0, sizeof *t);
    t->archives = archives;
    t->directory = d;
    t->sources = n;
    t->source = malloc(((size_t)n + 1) * sizeof *t->source);
    t->mismatch = calloc((size_t)n + 1, sizeof *t->mismatch);
    if (!t->source || !t->mismatch)
        return err_oom(e);
    if (n > 0)
        memcpy(t->source, source, n * sizeof *source);
    return 0;
}

/* The sources of a fold are its instances, by number. */
static int take_sources(struct match_table *t, const struct fold *f, const struct directory *d,
                        struct err *e)
{
    struct match_source *source = malloc(((size_t)f->names.n + 1) * sizeof *source);
    uint32_t i;
    int status = -1;

    if (!source)
        return err_oom(e);
    for (i = 0; i < f->names.n; i++)
        source[i] = (struct match_source){f->names.name[i], &f->instance[i].lag};
    if (match_init(t, f->archives, d, source, f->names.n, e) < 0)
        goto out;
    t->named = calloc((size_t)f->names.n + 1, sizeof *t->named);
    if (!t->named) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < f->names.n; i++) {
        if (directory_lookup(d, f->names.name[i], &t->named[i], e) < 0)
            goto out;
    }
    status = 0;
out:
    free(source);
    return status;
}

int match_run(struct match_table *t, struct fold *f, const struct directory *d, struct store *s,
              bool any_instance, bool (*keep)(void *, const struct fold_entry *), void *ctx,
              struct err *e)
{
    struct matching m = {.t = t, .s = s, .keep = keep, .ctx = ctx};
    int status = -1;

    if (take_sources(t, f, d, e) < 0)
        return -1;
    t->any_instance = any_instance;
    m.b.entry = malloc(SLICE_IDS * sizeof *m.b.entry);
    m.b.id = malloc(SLICE_IDS * sizeof *m.b.id);
    m.b.first = malloc((SLICE_IDS + 1) * sizeof *m.b.first);
    if (!m.b.entry || !m.b.id || !m.b.first)
        (void)err_oom(e);
    else if (fold_walk(f, false, on_entry, &m, e) == 0)
        status = match_entries(t, &m.b, s, e);
    free(m.b.entry);
    free(m.b.id);
    free(m.b.first);
    free(m.b.found);
    arena_release(&m.b.texts);
    return status;
}

const struct match *match_find(const struct match_table *t, struct ident row,
                               struct slice message_id)
{
    uint32_t i = idmap_find(&t->by_row, row);

    return i == IDMAP_NONE || !slice_eq(t->match[i].message_id, message_id) ? NULL : &t->match[i];
}

void match_release(struct match_table *t)
{
    free(t->match);
    free(t->source);
    free(t->mismatch);
    free(t->named);
    idmap_release(&t->by_row);
    idmap_release(&t->campaigns);
    arena_release(&t->arena);
    memset(t, 0, sizeof *t);
}
