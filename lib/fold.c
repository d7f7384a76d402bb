#include "fold.h"

#include <stdlib.h>

#define SLOTS_MIN 1024

void fold_init(struct fold *f, const struct names *archives)
{
    memset(f, 0, sizeof *f);
    f->archives = archives;
}

void fold_release(struct fold *f)
{
    uint32_t i;

    for (i = 0; i < f->names.n; i++)
        histogram_release(&f->instance[i].lag);
    free(f->instance);
    names_release(&f->names);
    free(f->entry);
    free(f->slot);
    arena_release(&f->arena);
    fold_init(f, f->archives);
}

/* --- instances --- */

static int instance_find(struct fold *f, struct slice name, uint32_t *index, struct err *e)
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
    *index = names_add(&f->names, name);
    if (*index == NAMES_NONE)
        return err_oom(e);
    if (*index == n)
        f->instance[n] = (struct fold_instance){.first = TIME_NONE, .last = TIME_NONE};
    return 0;
}

static void widen(struct fold_instance *in, int64_t first, int64_t last)
{
    if (first == TIME_NONE)
        return;
    if (in->first == TIME_NONE || first < in->first)
        in->first = first;
    if (in->last == TIME_NONE || last > in->last)
        in->last = last;
}

/* --- entries --- */

static uint32_t entry_hash(const struct fold *f, uint32_t instance, struct slice id)
{
    uint64_t h = hash_bytes(f->names.hash[instance], id);

    return (uint32_t)(h >> 32) ^ (uint32_t)h;
}

static int rehash(struct fold *f, struct err *e)
{
    size_t slots = f->slots ? f->slots * 2 : SLOTS_MIN;
    uint32_t *slot = calloc(slots, sizeof *slot);
    size_t i;

    if (!slot)
        return err_oom(e);
    for (i = 0; i < f->n; i++) {
        size_t s = f->entry[i]->hash & (slots - 1);

        while (slot[s])
            s = (s + 1) & (slots - 1);
        slot[s] = (uint32_t)i + 1;
    }
    free(f->slot);
    f->slot = slot;
    f->slots = slots;
    return 0;
}

static int make_room(struct fold *f, struct err *e)
{
    if (f->n >= UINT32_MAX - 1)
        return err_set(e, EXIT_FAILED, "more than 4294967294 distinct messages");
    if (f->n == f->cap) {
        size_t cap = f->cap ? f->cap * 2 : SLOTS_MIN;
        struct fold_entry **p = realloc(f->entry, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        f->entry = p;
        f->cap = cap;
    }
    return 4 * (f->n + 1) > 3 * f->slots ? rehash(f, e) : 0;
}

/* Finds the entry of a message. Where there is none: *entry is NULL, and the
 * slot that is to hold it is *at. */
static int entry_find(struct fold *f, uint32_t instance, struct slice id, uint32_t hash,
                      struct fold_entry **entry, size_t *at, struct err *e)
{
    size_t s;

    if (make_room(f, e) < 0)
        return -1;
    *entry = NULL;
    for (s = hash & (f->slots - 1); f->slot[s]; s = (s + 1) & (f->slots - 1)) {
        struct fold_entry *x = f->entry[f->slot[s] - 1];

        if (x->hash == hash && x->instance == instance && slice_eq(x->message_id, id)) {
            *entry = x;
            break;
        }
    }
    *at = s;
    return 0;
}

static void entry_link(struct fold *f, size_t at, struct fold_entry *x)
{
    f->entry[f->n++] = x;
    f->slot[at] = (uint32_t)f->n;
}

static int entry_get(struct fold *f, uint32_t instance, struct slice id, struct fold_entry **entry,
                     struct err *e)
{
    uint32_t hash = entry_hash(f, instance, id);
    struct fold_entry *x;
    size_t at;
    char *copy;

    if (entry_find(f, instance, id, hash, entry, &at, e) < 0)
        return -1;
    if (*entry)
        return 0;
    x = arena_alloc(&f->arena, sizeof *x);
    copy = x ? arena_dup(&f->arena, id.p, id.n) : NULL;
    if (!copy)
        return err_oom(e);
    memset(x, 0, sizeof *x);
    x->message_id = (struct slice){copy, id.n};
    x->instance = instance;
    x->hash = hash;
    entry_link(f, at, x);
    *entry = x;
    return 0;
}

/* Copies an error text to the fold's memory, over one it replaces where that has room. */
static int keep_error(struct fold *f, struct slice old, struct slice *error, struct err *e)
{
    char *copy;

    if (!error->p)
        return 0;
    if (old.p && old.n >= error->n) {
        copy = (char *)(uintptr_t)old.p;
        memcpy(copy, error->p, error->n);
    } else {
        copy = arena_dup(&f->arena, error->p, error->n);
        if (!copy)
            return err_oom(e);
    }
    error->p = copy;
    return 0;
}

/* Merges evidence whose error text is not the fold's own. */
static int entry_merge(struct fold *f, struct fold_entry *x, const struct evidence *from,
                       struct err *e)
{
    struct slice old = x->evidence.error;

    evidence_merge(f->archives, &x->evidence, from);
    if (x->evidence.error.p == old.p)
        return 0;
    return keep_error(f, old, &x->evidence.error, e);
}

int fold_add(struct fold *f, const struct event *ev, uint32_t archive, uint64_t record,
             struct err *e)
{
    struct evidence one;
    struct fold_entry *x;
    struct fold_instance *in;
    uint32_t instance;

    if (instance_find(f, ev->instance, &instance, e) < 0 ||
        entry_get(f, instance, ev->message_id, &x, e) < 0)
        return -1;
    in = &f->instance[instance];
    if (!ev->approximate)
        widen(in, ev->time, ev->time);
    if (ev->lag != TIME_NONE && histogram_add(&in->lag, ev->lag, 1) < 0)
        return err_oom(e);
    if (ev->what == MEANS_PENDING) {
        x->evidence.seen |= M_PENDING_BIT;
        return 0;
    }
    one.seen = M_BIT(ev->what);
    one.error = ev->error;
    one.at[ev->what] = (struct sighting){ev->time, record, archive, ev->approximate};
    return entry_merge(f, x, &one, e);
}

int fold_add_evidence(struct fold *f, struct slice instance, struct slice message_id,
                      const struct evidence *evidence, struct err *e)
{
    struct fold_entry *x;
    uint32_t i;

    if (instance_find(f, instance, &i, e) < 0 || entry_get(f, i, message_id, &x, e) < 0)
        return -1;
    return entry_merge(f, x, evidence, e);
}

int fold_merge(struct fold *into, struct fold *from, struct err *e)
{
    uint32_t *renumbered = malloc((from->names.n + 1) * sizeof *renumbered);
    int status = -1;
    uint32_t i;
    size_t n;

    if (!renumbered)
        return err_oom(e);
    for (i = 0; i < from->names.n; i++) {
        const struct fold_instance *in = &from->instance[i];

        if (instance_find(into, from->names.name[i], &renumbered[i], e) < 0)
            goto out;
        widen(&into->instance[renumbered[i]], in->first, in->last);
        if (histogram_merge(&into->instance[renumbered[i]].lag, &in->lag) < 0) {
            (void)err_oom(e);
            goto out;
        }
    }
    for (n = 0; n < from->n; n++) {
        struct fold_entry *x = from->entry[n], *there;
        size_t at;

        x->instance = renumbered[x->instance];
        if (entry_find(into, x->instance, x->message_id, x->hash, &there, &at, e) < 0)
            goto out;
        if (there) /* the texts live on in the arena that is handed over */
            evidence_merge(into->archives, &there->evidence, &x->evidence);
        else
            entry_link(into, at, x);
    }
    arena_join(&into->arena, &from->arena);
    from->n = 0;
    status = 0;
out:
    free(renumbered);
    return status;
}

/* --- order --- */

struct sort_context {
    const struct fold *f;
    uint32_t *rank; /* of an instance among the names as bytes */
};

static int by_name(const void *a, const void *b, void *ctx)
{
    const struct fold *f = ctx;
    const uint32_t *x = a, *y = b;

    return slice_cmp(f->names.name[*x], f->names.name[*y]);
}

static int by_key(const void *a, const void *b, void *ctx)
{
    const struct sort_context *c = ctx;
    const struct fold_entry *x = *(struct fold_entry *const *)a;
    const struct fold_entry *y = *(struct fold_entry *const *)b;

    if (x->instance != y->instance)
        return c->rank[x->instance] < c->rank[y->instance] ? -1 : 1;
    return slice_cmp(x->message_id, y->message_id);
}

int fold_sort(struct fold *f, struct err *e)
{
    uint32_t *order = malloc((f->names.n + 1) * sizeof *order);
    uint32_t *rank = malloc((f->names.n + 1) * sizeof *rank);
    struct sort_context c = {f, rank};
    uint32_t i;
    int status = -1;

    if (!order || !rank) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < f->names.n; i++)
        order[i] = i;
    qsort_r(order, f->names.n, sizeof *order, by_name, f);
    for (i = 0; i < f->names.n; i++)
        rank[order[i]] = i;
    if (f->n > 0)
        qsort_r(f->entry, f->n, sizeof(struct fold_entry *), by_key, &c);
    free(f->slot); /* entries have moved: nothing can be added any more */
    f->slot = NULL;
    f->slots = 0;
    status = 0;
out:
    free(order);
    free(rank);
    return status;
}
