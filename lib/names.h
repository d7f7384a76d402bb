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

/* 64 bits over bytes. They also depend on a secret of the process: who writes
 * the bytes cannot choose them so that they collide. So no result may depend on
 * a hash, nor on the order of anything that is found by one. */
uint64_t hash_bytes(uint64_t seed, struct slice s);

/* Chooses the secret. To be called before anything is hashed and before there
 * are threads; without it the secret is a constant. */
void hash_choose_secret(void);

#endif
