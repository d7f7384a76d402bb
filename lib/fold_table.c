#include "fold_table.h"

#include <stdlib.h>
#include <sys/mman.h>

#define CHUNK ((size_t)2 << 20) /* what a large page holds */
#define SLOTS_MIN 64
#define FAR 24         /* slots from the one whose entry is fetched to the one that is moved */
#define OFFSET_BITS 13 /* of a place: offset within its block, in units of 8 bytes */
#define PLACE_BITS 26  /* the rest of a slot is a tag */
#define BLOCKS_MAX ((1u << (PLACE_BITS - OFFSET_BITS)) - 1)
#define BIAS (UINT64_C(1) << 62) /* makes times before 1970 comparable as unsigned */
#define APPROXIMATE (UINT64_C(1) << 63)
#define WIDE (UINT64_C(1) << 63)
#define RECORD_BITS 40
#define NO_ERROR UINT32_MAX

/* ---- the pool ------------------------------------------------------------- */

struct fold_free {
    struct fold_free *next;
};

void fold_pool_init(struct fold_pool *p)
{
    memset(p, 0, sizeof *p);
    (void)pthread_mutex_init(&p->lock, NULL); /* of the default kind it cannot fail */
}

void fold_pool_release(struct fold_pool *p)
{
    size_t i;

    for (i = 0; i < p->n; i++)
        free(p->chunks[i]);
    free(p->chunks);
    (void)pthread_mutex_destroy(&p->lock);
    memset(p, 0, sizeof *p);
}

static bool new_chunk(struct fold_pool *p)
{
    char *chunk;

    if (p->n == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 16;
        void **chunks = realloc(p->chunks, cap * sizeof *chunks);

        if (!chunks)
            return false;
        p->chunks = chunks;
        p->cap = cap;
    }
    chunk = aligned_alloc(CHUNK, CHUNK);
    if (!chunk)
        return false;
    (void)madvise(chunk, CHUNK, MADV_HUGEPAGE); /* entries are read at random: a hint */
    p->chunks[p->n++] = chunk;
    p->chunk = chunk;
    p->left = CHUNK;
    return true;
}

static void *take_block(struct fold_pool *p)
{
    void *block = NULL;

    (void)pthread_mutex_lock(&p->lock);
    if (p->free) {
        block = p->free;
        p->free = p->free->next;
    } else if (p->left >= FOLD_BLOCK || new_chunk(p)) {
        block = p->chunk + (CHUNK - p->left);
        p->left -= FOLD_BLOCK;
    }
    (void)pthread_mutex_unlock(&p->lock);
    return block;
}

static void give_back(struct fold_pool *p, void *block)
{
    struct fold_free *f = block;

    (void)pthread_mutex_lock(&p->lock);
    f->next = p->free;
    p->free = f;
    (void)pthread_mutex_unlock(&p->lock);
}

/* ---- places --------------------------------------------------------------- */

static void *at_place(const struct fold_table *t, uint32_t place)
{
    return t->block[place >> OFFSET_BITS].p + ((size_t)(place & ((1u << OFFSET_BITS) - 1)) << 3);
}

static int add_block(struct fold_table *t, struct fold_pool *p, size_t size, struct err *e)
{
    char *block;

    if (t->blocks == BLOCKS_MAX)
        return err_set(e, EXIT_FAILED, "too much evidence to hold in memory at once");
    if (t->blocks == t->blocks_cap) {
        uint32_t cap = t->blocks_cap ? t->blocks_cap * 2 : 4;
        struct fold_block *blocks = realloc(t->block, cap * sizeof *blocks);

        if (!blocks)
            return err_oom(e);
        t->block = blocks;
        t->blocks_cap = cap;
    }
    block = size == FOLD_BLOCK ? take_block(p) : malloc(size);
    if (!block)
        return err_oom(e);
    t->block[t->blocks++] = (struct fold_block){block, size};
    atomic_fetch_add(&p->held, size);
    return 0;
}

/* Memory for n bytes, aligned to 8; never at place 0. What is large gets a
 * block of its own. */
static int allocate(struct fold_table *t, struct fold_pool *p, size_t n, uint32_t *place,
                    struct err *e)
{
    n = (n + 7) & ~(size_t)7;
    if (n > FOLD_BLOCK / 4) {
        if (t->blocks == 0 && add_block(t, p, FOLD_BLOCK, e) < 0)
            return -1;
        if (add_block(t, p, n, e) < 0)
            return -1;
        *place = (t->blocks - 1) << OFFSET_BITS;
        return 0;
    }
    if (t->blocks == 0 || FOLD_BLOCK - t->used < n) {
        if (add_block(t, p, FOLD_BLOCK, e) < 0)
            return -1;
        t->newest = t->blocks - 1;
        t->used = t->newest == 0 ? 8 : 0;
    }
    *place = t->newest << OFFSET_BITS | (uint32_t)(t->used >> 3);
    t->used += n;
    return 0;
}

/* ---- the table ------------------------------------------------------------ */

void fold_table_init(struct fold_table *t, uint8_t number)
{
    memset(t, 0, sizeof *t);
    t->number = number;
    (void)pthread_mutex_init(&t->lock, NULL); /* of the default kind it cannot fail */
}

static void free_own_blocks(struct fold_table *t, struct fold_pool *p)
{
    uint32_t i;

    for (i = 0; i < t->blocks; i++) {
        if (t->block[i].size != FOLD_BLOCK)
            free(t->block[i].p);
        else if (p)
            give_back(p, t->block[i].p);
        if (p)
            atomic_fetch_sub(&p->held, t->block[i].size);
    }
}

void fold_table_release(struct fold_table *t)
{
    free_own_blocks(t, NULL);
    free(t->block);
    free(t->slot);
    free(t->wide);
    (void)pthread_mutex_destroy(&t->lock);
}

void fold_table_empty(struct fold_table *t, struct fold_pool *p)
{
    free_own_blocks(t, p);
    atomic_fetch_sub(&p->held, t->slots * sizeof *t->slot);
    free(t->slot);
    free(t->wide);
    t->slot = NULL;
    t->wide = NULL;
    t->slots = t->n = t->used = 0;
    t->blocks = t->newest = t->wides = t->wides_cap = 0;
}

bool fold_table_full(const struct fold_table *t)
{
    return t->blocks > BLOCKS_MAX - BLOCKS_MAX / 4;
}

static uint32_t slot_of(uint32_t place, uint32_t hash)
{
    return place | hash >> PLACE_BITS << PLACE_BITS;
}

static uint32_t place_of(uint32_t slot)
{
    return slot & ((1u << PLACE_BITS) - 1);
}

static bool tag_fits(uint32_t slot, uint32_t hash)
{
    return (slot ^ hash) >> PLACE_BITS == 0;
}

static void put_slot(uint32_t *slot, size_t slots, uint32_t value, uint32_t hash)
{
    size_t s = hash & (slots - 1);

    while (slot[s])
        s = (s + 1) & (slots - 1);
    slot[s] = value;
}

int fold_table_reserve(struct fold_table *t, struct fold_pool *p, size_t n, struct err *e)
{
    size_t slots = t->slots ? t->slots : SLOTS_MIN, i;
    uint32_t *slot;

    while (slots / 4 * 3 < t->n + n)
        slots *= 2;
    if (slots == t->slots)
        return 0;
    slot = calloc(slots, sizeof *slot);
    if (!slot)
        return err_oom(e);
    for (i = 0; i < t->slots; i++) {
        if (i + FAR < t->slots && t->slot[i + FAR])
            __builtin_prefetch(at_place(t, place_of(t->slot[i + FAR])));
        if (t->slot[i]) {
            const struct fold_packed *x = at_place(t, place_of(t->slot[i]));

            put_slot(slot, slots, t->slot[i], x->hash);
        }
    }
    atomic_fetch_add(&p->held, (slots - t->slots) * sizeof *slot);
    free(t->slot);
    t->slot = slot;
    t->slots = slots;
    return 0;
}

void fold_table_fetch_slot(const struct fold_table *t, uint32_t hash)
{
    __builtin_prefetch(&t->slot[hash & (t->slots - 1)]);
}

void fold_table_fetch_entry(const struct fold_table *t, uint32_t hash)
{
    size_t s = hash & (t->slots - 1);

    while (t->slot[s] && !tag_fits(t->slot[s], hash))
        s = (s + 1) & (t->slots - 1);
    if (t->slot[s]) {
        const char *entry = at_place(t, place_of(t->slot[s]));

        __builtin_prefetch(entry, 1);
        __builtin_prefetch(entry + 64, 1);
    }
}

/* The entry of the message, made if it is not there; NULL with *e filled. */
static struct fold_packed *find_entry(struct fold_table *t, struct fold_pool *p,
                                      const struct fold_sight *k, struct err *e)
{
    size_t s = k->hash & (t->slots - 1);
    struct fold_packed *x;
    uint32_t place;

    for (; t->slot[s]; s = (s + 1) & (t->slots - 1)) {
        if (!tag_fits(t->slot[s], k->hash))
            continue;
        x = at_place(t, place_of(t->slot[s]));
        if (x->hash == k->hash && x->instance == k->instance && x->n == k->id.n &&
            bytes_eq(x->id, k->id.p, k->id.n))
            return x;
    }
    if (k->id.n > UINT32_MAX / 2) {
        (void)err_set(e, EXIT_FAILED, "a message id is longer than 2 GiB");
        return NULL;
    }
    if (allocate(t, p, sizeof *x + k->id.n, &place, e) < 0)
        return NULL;
    x = at_place(t, place);
    x->hash = k->hash;
    x->instance = k->instance;
    x->n = (uint32_t)k->id.n;
    x->failed = 0;
    x->seen = 0;
    x->table = t->number;
    if (k->id.n > 0)
        memcpy(x->id, k->id.p, k->id.n);
    t->slot[s] = slot_of(place, k->hash);
    t->n++;
    return x;
}

/* ---- sightings ------------------------------------------------------------ */

uint64_t fold_when(int64_t time, bool approximate)
{
    const int64_t most = (int64_t)BIAS - 1; /* no file system can say more */

    if (time > most)
        time = most;
    if (time < -most)
        time = -most;
    return (approximate ? APPROXIMATE : 0) | (uint64_t)(time + (int64_t)BIAS);
}

static int pack_place(struct fold_table *t, uint32_t archive, uint64_t record, uint64_t *where,
                      struct err *e)
{
    if (archive < UINT32_C(1) << (63 - RECORD_BITS) && record < UINT64_C(1) << RECORD_BITS) {
        *where = (uint64_t)archive << RECORD_BITS | record;
        return 0;
    }
    if (t->wides == t->wides_cap) {
        uint32_t cap = t->wides_cap ? t->wides_cap * 2 : 16;
        struct fold_wide *wide = realloc(t->wide, cap * sizeof *wide);

        if (!wide)
            return err_oom(e);
        t->wide = wide;
        t->wides_cap = cap;
    }
    t->wide[t->wides] = (struct fold_wide){record, archive};
    *where = WIDE | t->wides++;
    return 0;
}

static struct sighting unpack_sighting(const struct fold_table *t,
                                       const struct fold_packed_sighting *s)
{
    struct sighting out = {.time = (int64_t)(s->when & ~APPROXIMATE) - (int64_t)BIAS,
                           .approximate = (s->when & APPROXIMATE) != 0};

    if (s->where & WIDE) {
        out.record = t->wide[s->where & ~WIDE].record;
        out.archive = t->wide[s->where & ~WIDE].archive;
    } else {
        out.record = s->where & ((UINT64_C(1) << RECORD_BITS) - 1);
        out.archive = (uint32_t)(s->where >> RECORD_BITS);
    }
    return out;
}

/* A failed sighting and its error text. */
struct failed {
    struct fold_packed_sighting at;
    uint32_t n;    /* bytes; NO_ERROR: none */
    uint32_t room; /* bytes */
    char text[];
};

static struct slice error_of(const struct failed *f)
{
    return f->n == NO_ERROR ? SLICE_NONE : (struct slice){f->text, f->n};
}

/* Is the new sighting less than the one that is there? */
static bool is_less(const struct fold_table *t, const struct names *archives,
                    const struct fold_sight *s, const struct fold_packed_sighting *there,
                    struct slice error_there)
{
    struct sighting a, b;

    if (s->when != there->when)
        return s->when < there->when;
    b = unpack_sighting(t, there);
    a = (struct sighting){b.time, s->record, s->archive, b.approximate};
    return sighting_cmp(archives, &a, s->error, &b, error_there) < 0;
}

/* Room for a failure whose text has n bytes, with more to spare, so that texts
 * that take each other's place do not add up. */
static struct failed *failure_room(struct fold_table *t, struct fold_pool *p, struct fold_packed *x,
                                   size_t n, struct err *e)
{
    struct failed *f = x->failed ? at_place(t, x->failed) : NULL;
    size_t room = 16;

    if (f && f->room >= n)
        return f;
    if (n > UINT32_MAX / 4) {
        (void)err_set(e, EXIT_FAILED, "an error text is longer than 1 GiB");
        return NULL;
    }
    while (room < n)
        room *= 2;
    if (!f && n <= 32)
        room = n; /* most failures come once */
    if (allocate(t, p, sizeof *f + room, &x->failed, e) < 0)
        return NULL;
    f = at_place(t, x->failed);
    f->room = (uint32_t)room;
    return f;
}

static int add_failure(struct fold_table *t, struct fold_pool *p, const struct names *archives,
                       struct fold_packed *x, const struct fold_sight *s, struct err *e)
{
    struct failed *f;
    uint64_t where = 0;

    if (x->seen & M_BIT(M_FAILED)) {
        f = at_place(t, x->failed);
        if (!is_less(t, archives, s, &f->at, error_of(f)))
            return 0;
    }
    if (pack_place(t, s->archive, s->record, &where, e) < 0)
        return -1;
    f = failure_room(t, p, x, s->error.p ? s->error.n : 0, e);
    if (!f)
        return -1;
    f->at = (struct fold_packed_sighting){s->when, where};
    f->n = s->error.p ? (uint32_t)s->error.n : NO_ERROR;
    if (s->error.p && s->error.n > 0)
        memcpy(f->text, s->error.p, s->error.n);
    x->seen |= M_BIT(M_FAILED);
    return 0;
}

int fold_table_add(struct fold_table *t, struct fold_pool *p, const struct names *archives,
                   const struct fold_sight *s, struct err *e)
{
    struct fold_packed *x = find_entry(t, p, s, e);
    struct fold_packed_sighting *there;
    uint64_t where = 0;

    if (!x)
        return -1;
    if (s->what == MEANS_PENDING) {
        x->seen |= M_PENDING_BIT;
        return 0;
    }
    if (s->what == M_FAILED)
        return add_failure(t, p, archives, x, s, e);
    there = &x->at[s->what];
    if ((x->seen & M_BIT(s->what)) && !is_less(t, archives, s, there, SLICE_NONE))
        return 0;
    if (pack_place(t, s->archive, s->record, &where, e) < 0)
        return -1;
    *there = (struct fold_packed_sighting){s->when, where};
    x->seen |= M_BIT(s->what);
    return 0;
}

void fold_table_unpack(const struct fold_table *t, const struct fold_packed *x,
                       struct fold_entry *out)
{
    int m;

    memset(out, 0, sizeof *out);
    out->message_id = (struct slice){x->id, x->n};
    out->instance = x->instance;
    out->evidence.seen = x->seen;
    for (m = 0; m < M_FAILED; m++) {
        if (x->seen & M_BIT(m))
            out->evidence.at[m] = unpack_sighting(t, &x->at[m]);
    }
    if (x->seen & M_BIT(M_FAILED)) {
        const struct failed *f = at_place(t, x->failed);

        out->evidence.at[M_FAILED] = unpack_sighting(t, &f->at);
        out->evidence.error = error_of(f);
    }
}

int fold_table_each(const struct fold_table *t, fold_table_fn *fn, void *ctx, struct err *e)
{
    size_t i;

    for (i = 0; i < t->slots; i++) {
        if (t->slot[i] && fn(ctx, t, at_place(t, place_of(t->slot[i])), e) < 0)
            return -1;
    }
    return 0;
}
