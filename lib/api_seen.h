/* api_seen.h - which records were read before, by 64 bits of each. A part of
 * source_api.
 */
#ifndef RECONCILE_API_SEEN_H
#define RECONCILE_API_SEEN_H

#include "slice.h"

#include <stdint.h>

struct api_seen {
    uint64_t *slot;  /* 0 = free */
    size_t n, slots; /* a power of two */
};

/* Records of several kinds share a set, told apart by `kind`. 1: it is new, and
 * now seen; 0: it was seen before; -1: no memory. */
int api_seen_add(struct api_seen *s, uint64_t kind, struct slice bytes);
void api_seen_release(struct api_seen *s);

#endif
