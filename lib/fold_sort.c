#include "fold_table.h"

#include <stdlib.h>

#define CHUNK_BYTES 8 /* of an id that are one sort key */
#define FEW 24        /* items that are sorted by insertion */

struct sort {
    uint64_t random; /* for pivots that nobody can foresee */
};

static int by_name(const void *a, const void *b, void *ctx)
{
    const struct names *names = ctx;
    const uint32_t *x = a, *y = b;

    return slice_cmp(names->name[*x], names->name[*y]);
}

uint32_t *fold_ranks(const struct names *names)
{
    uint32_t *order = malloc(((size_t)names->n + 1) * sizeof *order);
    uint32_t *rank = malloc(((size_t)names->n + 1) * sizeof *rank);
    uint32_t i;

    if (order && rank) {
        for (i = 0; i < names->n; i++)
            order[i] = i;
        qsort_r(order, names->n, sizeof *order, by_name, (void *)(uintptr_t)names);
        for (i = 0; i < names->n; i++)
            rank[order[i]] = i;
    } else {
        free(rank);
        rank = NULL;
    }
    free(order);
    return rank;
}

/* The bytes of the id from `at` on, the first highest, NULs behind its end. */
static uint64_t id_chunk(const struct fold_packed *x, size_t at)
{
    uint64_t key = 0;
    size_t i;

    if (at + CHUNK_BYTES <= x->n) {
        memcpy(&key, x->id + at, sizeof key);
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
        key = __builtin_bswap64(key);
#endif
        return key;
    }
    for (i = at; i < at + CHUNK_BYTES; i++)
        key = key << 8 | (i < x->n ? (unsigned char)x->id[i] : 0);
    return key;
}

static bool is_before(const struct fold_item *a, const struct fold_item *b, size_t at)
{
    size_t n;
    int c;

    if (a->key != b->key)
        return a->key < b->key;
    n = a->entry->n < b->entry->n ? a->entry->n : b->entry->n;
    c = at < n ? memcmp(a->entry->id + at, b->entry->id + at, n - at) : 0;
    return c ? c < 0 : a->entry->n < b->entry->n;
}

/* Instances are equal, and so are the ids up to `at`, of which the keys are the
 * bytes before. */
static void sort_few(struct fold_item *p, size_t n, size_t at)
{
    size_t i, k;

    for (i = 1; i < n; i++) {
        struct fold_item x = p[i];

        for (k = i; k > 0 && is_before(&x, &p[k - 1], at); k--)
            p[k] = p[k - 1];
        p[k] = x;
    }
}

/* Quicksort by keys in three parts. Those of equal keys go on with the next
 * bytes of their ids, from `at` on. Recurses as often as ids have chunks, and
 * for the smaller parts. */
static void sort_items(struct sort *s, struct fold_item *p, size_t n, size_t at)
{
    while (n > FEW) {
        size_t low = 0, i = 0, high = n, equal;
        uint64_t pivot;

        s->random = s->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
        pivot = p[(s->random >> 33) % n].key;
        while (i < high) {
            struct fold_item x = p[i];

            if (x.key < pivot) {
                p[i++] = p[low];
                p[low++] = x;
            } else if (x.key > pivot) {
                p[i] = p[--high];
                p[high] = x;
            } else {
                i++;
            }
        }
        equal = high - low;
        if (equal > 1) {
            size_t longest = 0;

            for (i = low; i < high; i++) {
                longest = p[i].entry->n > longest ? p[i].entry->n : longest;
                p[i].key = id_chunk(p[i].entry, at);
            }
            if (longest > at)
                sort_items(s, p + low, equal, at + CHUNK_BYTES);
            else
                sort_few(p + low, equal, 0);
        }
        if (low < n - high) {
            sort_items(s, p, low, at);
            p += high;
            n -= high;
        } else {
            sort_items(s, p + high, n - high, at);
            n = low;
        }
    }
    sort_few(p, n, at);
}

struct gather {
    struct fold_item *item;
    const uint32_t *rank;
    size_t n;
};

static int take_item(void *ctx, const struct fold_table *t, const struct fold_packed *x,
                     struct err *e)
{
    struct gather *g = ctx;

    (void)t;
    (void)e;
    g->item[g->n++] =
        (struct fold_item){(uint64_t)g->rank[x->instance] << 32 | id_chunk(x, 0) >> 32, x};
    return 0;
}

struct fold_item *fold_sorted(const struct fold_table *t, unsigned tables, const uint32_t *rank,
                              size_t *n)
{
    struct gather g = {.rank = rank};
    struct sort s = {1};
    unsigned i;

    for (*n = 0, i = 0; i < tables; i++)
        *n += t[i].n;
    g.item = *n > 0 ? malloc(*n * sizeof *g.item) : NULL;
    if (!g.item)
        return NULL;
    for (i = 0; i < tables; i++)
        (void)fold_table_each(&t[i], take_item, &g, NULL);
    sort_items(&s, g.item, *n, 4);
    return g.item;
}
