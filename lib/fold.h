/* fold.h - events -> evidence by (instance, message id) (docs/semantics.md 3).
 *
 * Adding and merging take the least of each sighting, so the order of events,
 * archives and threads never shows. Entries are divided by a hash of their key
 * into tables, each with a lock of its own, that all threads add to; a thread
 * does so through a writer, which collects what is for one table and adds it
 * at once. Past a limit of memory, tables are written to a store as sorted runs
 * and emptied. Pure: the store comes as function pointers.
 */
#ifndef RECONCILE_FOLD_H
#define RECONCILE_FOLD_H

#include "err.h"
#include "event.h"
#include "evidence.h"
#include "histogram.h"

#include <pthread.h>
#include <stdatomic.h>
#include <sys/types.h>

/* What is known of an instance besides its messages. */
struct fold_instance {
    int64_t first, last;  /* least and greatest exact event time; TIME_NONE: none */
    struct histogram lag; /* received time - date_time, of its status events that had both */
};

/* One message, as a walk shows it; what it points to lives until the walk's
 * function returns. */
struct fold_entry {
    struct evidence evidence;
    struct slice message_id;
    uint32_t instance; /* index of the fold's instances */
};

/* Where sorted runs go. begin and write may be called by several threads at a
 * time, for a run each; read starts at the run's beginning after each rewind,
 * and gives less than n bytes only at the end. -1 with *e filled on failure.
 * Runs live as long as the store. */
struct fold_store {
    void *ctx;
    void *(*begin)(void *ctx, struct err *e); /* a new run; NULL on failure */
    int (*write)(void *run, const void *p, size_t n, struct err *e);
    int (*end)(void *run, struct err *e);
    void (*rewind)(void *run);
    ssize_t (*read)(void *run, void *p, size_t n, struct err *e);
};

#define FOLD_TABLES 64u

/* Memory in blocks, which come back when a table is emptied. */
struct fold_pool {
    pthread_mutex_t lock;
    struct fold_free *free;
    char *chunk; /* the newest, of which `left` bytes are still to be given out */
    size_t left;
    void **chunks; /* all, owned */
    size_t n, cap;
    atomic_size_t held; /* bytes in use by tables, their slots included */
};

struct fold_table;

struct fold {
    const struct names *archives; /* what sightings index; not owned */
    struct fold_table *table;     /* FOLD_TABLES of them; NULL while nothing was added */
    struct fold_pool pool;
    pthread_mutex_t lock;           /* of what follows */
    struct names names;             /* of instances, as given */
    struct fold_instance *instance; /* by number of its name */
    uint32_t instance_cap;

    const struct fold_store *store; /* NULL: all is kept in memory */
    size_t limit;                   /* bytes of memory to keep below, if there is a store */
    atomic_uint next_group;         /* of tables, to be written next */
    void **run;                     /* the store's */
    size_t runs, runs_cap;

    struct fold_order *order; /* the entries sorted, once a walk has asked for it */
};

void fold_init(struct fold *f, const struct names *archives);
void fold_release(struct fold *f);

/* Before anything is added: past `limit` bytes of entries runs go to the store,
 * which must outlive f. */
void fold_spill_to(struct fold *f, const struct fold_store *store, size_t limit);

/* One thread's way to add events. What was added is in the fold for certain
 * only after fold_writer_finish. */
struct fold_writer;

struct fold_writer *fold_writer_new(struct fold *f); /* NULL: no memory */

/* Adds one event seen at record `record` of archive `archive`. */
int fold_add(struct fold_writer *w, const struct event *ev, uint32_t archive, uint64_t record,
             struct err *e);
int fold_writer_finish(struct fold_writer *w, struct err *e);
void fold_writer_free(struct fold_writer *w); /* w may be NULL */

/* Adds evidence of a message; what it points to is copied. */
int fold_add_evidence(struct fold *f, struct slice instance, struct slice message_id,
                      const struct evidence *evidence, struct err *e);

/* The number of entries, where it is known without a walk. */
bool fold_count(const struct fold *f, uint64_t *n);

/* Shows every entry once: in order of instance name and message id as bytes if
 * `sorted`, else in any. Ends with -1 where fn does. No thread may add
 * meanwhile. */
typedef int fold_walk_fn(void *ctx, const struct fold_entry *x, struct err *e);
int fold_walk(struct fold *f, bool sorted, fold_walk_fn *fn, void *ctx, struct err *e);

#endif
