/* evidence.h - what is known of one message: the fold's result, decide's input
 * (docs/semantics.md 3).
 */
#ifndef RECONCILE_EVIDENCE_H
#define RECONCILE_EVIDENCE_H

#include "clock.h"
#include "names.h"
#include "slice.h"
#include "status.h"

#include <stdbool.h>
#include <stdint.h>

/* One sighting of one milestone: when and where. */
struct sighting {
    int64_t time;     /* µs UTC */
    uint64_t record;  /* number within its archive, from 1 */
    uint32_t archive; /* index into the names of archives */
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

/* By (approximate, time, archive name, record, error text: none first). */
int sighting_cmp(const struct names *archives, const struct sighting *a, struct slice a_error,
                 const struct sighting *b, struct slice b_error);

/* Takes the least of each into *into: commutative, associative, idempotent.
 * The error's bytes are shared, not copied. */
void evidence_merge(const struct names *archives, struct evidence *into,
                    const struct evidence *from);

#endif
