/* names.h - distinct byte strings by number: of archives, of instances.
 *
 * Numbers go up from 0 in the order of adding; a name's bytes stay where they
 * are until names_release. Looking up is one hash, however many there are.
 * Not thread-safe while names are added.
 */
#ifndef RECONCILE_NAMES_H
#define RECONCILE_NAMES_H

#include "slice.h"

#include <stdint.h>

#define NAMES_NONE UINT32_MAX

struct names {
    struct slice *name; /* owned, each followed by a NUL */
    uint64_t *hash;
    uint32_t n, cap;
    uint32_t *slot; /* number + 1, 0 = free */
    uint32_t slots; /* a power of two */
    uint32_t last;  /* the newest hit, the likeliest next */
};

#define NAMES_INIT                                                                                 \
    {                                                                                              \
        NULL, NULL, 0, 0, NULL, 0, 0                                                               \
    }

/* Adds a name or finds it; NAMES_NONE without memory. */
uint32_t names_add(struct names *t, struct slice name);

/* NAMES_NONE where it is not there. */
uint32_t names_find(const struct names *t, struct slice name);

void names_release(struct names *t);

/* 64 bits over bytes; not for hostile use where collisions cost more than time. */
uint64_t hash_bytes(uint64_t seed, struct slice s);

#endif
