/* fold_table.h - a hash table of packed evidence; for lib/fold*.c alone.
 *
 * An entry takes 66 bytes and its message id, and a slot of 4 bytes. Sightings
 * of sent, delivered and read are in it; a failed one, which is rare, is apart,
 * with its error text.
 */
#ifndef RECONCILE_FOLD_TABLE_H
#define RECONCILE_FOLD_TABLE_H

#include "fold.h"

#define FOLD_BLOCK ((size_t)64 << 10) /* bytes of a pool's blocks */

void fold_pool_init(struct fold_pool *p);
void fold_pool_release(struct fold_pool *p); /* all blocks, whoever has them */

/* A sighting's time and whether it is approximate, so that the lesser number is
 * the lesser sighting. */
uint64_t fold_when(int64_t time, bool approximate);

struct fold_packed_sighting {
    uint64_t when;
    uint64_t where; /* archive and record, or the index of a wide place */
};

struct fold_packed {
    uint32_t hash;
    uint32_t instance;
    uint32_t n;      /* bytes of the id */
    uint32_t failed; /* place of the failed sighting; 0: none */
    struct fold_packed_sighting at[M_FAILED];
    uint8_t seen;  /* M_BITs, and M_PENDING_BIT */
    uint8_t table; /* which it is in */
    char id[];
};

/* An archive and a record that do not fit 63 bits. */
struct fold_wide {
    uint64_t record;
    uint32_t archive;
};

struct fold_block {
    char *p;
    size_t size;
};

struct fold_table {
    pthread_mutex_t lock;
    uint8_t number; /* index among the fold's */
    uint32_t *slot; /* open addressing: place and a tag of the hash; 0 = free */
    size_t slots;   /* a power of two */
    size_t n;       /* entries */
    struct fold_block *block;
    uint32_t blocks, blocks_cap;
    size_t used; /* bytes of the newest block of usual size */
    uint32_t newest;
    struct fold_wide *wide;
    uint32_t wides, wides_cap;
};

/* What one event says of a message. */
struct fold_sight {
    uint64_t when;
    uint64_t record;
    uint32_t archive;
    uint32_t instance;
    uint32_t hash;
    uint8_t what; /* a milestone, or MEANS_PENDING */
    struct slice id;
    struct slice error; /* failed only */
};

void fold_table_init(struct fold_table *t, uint8_t number);
void fold_table_release(struct fold_table *t); /* but for its blocks, which are the pool's */

/* Gives all memory back and is as new. */
void fold_table_empty(struct fold_table *t, struct fold_pool *p);

/* Makes room for n more entries. */
int fold_table_reserve(struct fold_table *t, struct fold_pool *p, size_t n, struct err *e);
bool fold_table_full(const struct fold_table *t); /* it can take few blocks more */

/* Fetches what fold_table_add will need of the hash: first a slot, later the entry. */
void fold_table_fetch_slot(const struct fold_table *t, uint32_t hash);
void fold_table_fetch_entry(const struct fold_table *t, uint32_t hash);

/* Room must have been reserved. */
int fold_table_add(struct fold_table *t, struct fold_pool *p, const struct names *archives,
                   const struct fold_sight *s, struct err *e);

void fold_table_unpack(const struct fold_table *t, const struct fold_packed *x,
                       struct fold_entry *out);

/* Calls fn of every entry, in no order. */
typedef int fold_table_fn(void *ctx, const struct fold_table *t, const struct fold_packed *x,
                          struct err *e);
int fold_table_each(const struct fold_table *t, fold_table_fn *fn, void *ctx, struct err *e);

/* ---- fold_sort.c ---- */

/* Ranks of the instances' names by their bytes, malloc'd; NULL without memory. */
uint32_t *fold_ranks(const struct names *names);

struct fold_item {
    uint64_t key; /* of the sort */
    const struct fold_packed *entry;
};

/* The entries of `tables` tables at t in order of name and id, malloc'd, their
 * number at *n. NULL without memory, or for none. */
struct fold_item *fold_sorted(const struct fold_table *t, unsigned tables, const uint32_t *rank,
                              size_t *n);

/* ---- fold_spill.c ---- */

#define FOLD_GROUPS 4u
#define FOLD_GROUP (FOLD_TABLES / FOLD_GROUPS) /* tables written to one run */

int fold_spill_some(struct fold *f, struct err *e);
int fold_walk_runs(struct fold *f, fold_walk_fn *fn, void *ctx, struct err *e);

/* ---- fold.c ---- */

int fold_instance_number(struct fold *f, struct slice name, uint32_t *number, struct err *e);
void fold_widen(struct fold_instance *in, int64_t first, int64_t last);
void fold_forget_order(struct fold *f); /* something was added */
uint64_t fold_hash(uint64_t instance_hash, struct slice id);

#endif
