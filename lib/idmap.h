/* idmap.h - primary key -> a number, such as an index into an array. */
#ifndef RECONCILE_IDMAP_H
#define RECONCILE_IDMAP_H

#include "ident.h"

#define IDMAP_NONE UINT32_MAX

struct idmap {
    struct idmap_slot {
        struct ident id;
        uint32_t value; /* IDMAP_NONE: free */
    } * slot;
    size_t slots; /* a power of two, or 0 */
    size_t n;
};

#define IDMAP_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

/* The number of id; adds it with `value` where it is not there. IDMAP_NONE
 * without memory. */
uint32_t idmap_add(struct idmap *m, struct ident id, uint32_t value);

/* The same, but an id that is there gets the new value. */
uint32_t idmap_set(struct idmap *m, struct ident id, uint32_t value);

uint32_t idmap_find(const struct idmap *m, struct ident id); /* IDMAP_NONE: not there */
void idmap_release(struct idmap *m);

#endif
