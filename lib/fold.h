/* fold.h - events -> evidence by (instance, message id) (docs/semantics.md 3).
 *
 * Adding and merging take the least of each sighting, so the order of events,
 * archives and threads never shows. Pure: memory is all it takes. Not
 * thread-safe: one fold per thread, merged at the end.
 */
#ifndef RECONCILE_FOLD_H
#define RECONCILE_FOLD_H

#include "arena.h"
#include "err.h"
#include "event.h"
#include "evidence.h"
#include "histogram.h"

/* What is known of an instance besides its messages. */
struct fold_instance {
    int64_t first, last;  /* least and greatest exact event time; TIME_NONE: none */
    struct histogram lag; /* received time - date_time, of its status events that had both */
};

struct fold_entry {
    struct evidence evidence;
    struct slice message_id;
    uint32_t instance; /* index of the fold's instances */
    uint32_t hash;
};

struct fold {
    const struct names *archives; /* what sightings index; not owned */
    struct arena arena;           /* ids and error texts */
    struct fold_entry **entry;    /* in order of (instance, message id) after fold_sort */
    size_t n, cap;
    uint32_t *slot;                 /* open addressing: index of an entry + 1, 0 = free */
    size_t slots;                   /* a power of two */
    struct names names;             /* of instances, as given */
    struct fold_instance *instance; /* by number of its name */
    uint32_t instance_cap;
};

void fold_init(struct fold *f, const struct names *archives);
void fold_release(struct fold *f);

/* Adds one event seen at record `record` of archive `archive`. */
int fold_add(struct fold *f, const struct event *ev, uint32_t archive, uint64_t record,
             struct err *e);

/* Adds evidence of a message; what it points to is copied. */
int fold_add_evidence(struct fold *f, struct slice instance, struct slice message_id,
                      const struct evidence *evidence, struct err *e);

/* Takes over all that `from` holds and leaves it empty, to be released. Both
 * must share their archives. */
int fold_merge(struct fold *into, struct fold *from, struct err *e);

/* Sorts the entries by instance name and message id as bytes. Nothing can be
 * added or merged afterwards. */
int fold_sort(struct fold *f, struct err *e);

#endif
