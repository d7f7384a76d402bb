/* evidence.h - what is known of one message: the fold's result, decide's input
 * (docs/semantics.md 3).
 */
#ifndef RECONCILE_EVIDENCE_H
#define RECONCILE_EVIDENCE_H

#include "clock.h"
#include "slice.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* One sighting of one milestone: when and where. */
struct sighting {
    int64_t time;     /* µs UTC */
    uint64_t record;  /* number within its archive, from 1 */
    uint32_t archive; /* index into struct places */
    bool approximate; /* an upper bound: the archive's own time, or the poll's */
};

/* Per milestone the least of its sightings. at[m] counts only where the bit of
 * m is set in seen. */
struct evidence {
    struct sighting at[M_COUNT];
    struct slice error; /* of the failed sighting; p NULL: none. Owned by the fold. */
    uint8_t seen;       /* M_BITs, and M_PENDING_BIT */
};

#define EVIDENCE_PROVES(e) ((uint8_t)((e)->seen & ~M_PENDING_BIT))

/* The names of archives, by the index that sightings carry. Not thread-safe
 * while names are added; the names live as long as the table. */
struct places {
    struct slice *name; /* owned, NUL-terminated */
    uint32_t n, cap;
};

#define PLACES_INIT {NULL, 0, 0}

/* Adds a name or finds it; UINT32_MAX without memory. */
uint32_t places_add(struct places *p, struct slice name);
void places_release(struct places *p);

/* By (approximate, time, archive name, record, error text: none first). */
int sighting_cmp(const struct places *p, const struct sighting *a, struct slice a_error,
                 const struct sighting *b, struct slice b_error);

/* Takes the least of each into *into: commutative, associative, idempotent.
 * The error's bytes are shared, not copied. */
void evidence_merge(const struct places *p, struct evidence *into, const struct evidence *from);

#endif
