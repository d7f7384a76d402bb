/* arena.h - memory that is released all at once: a batch's, a run's.
 *
 * Nothing is freed singly. Pointers stay valid until arena_clear or
 * arena_release. Not thread-safe: one arena per thread.
 */
#ifndef RECONCILE_ARENA_H
#define RECONCILE_ARENA_H

#include <stddef.h>

struct arena_block;

struct arena {
    struct arena_block *head; /* newest block */
    size_t used;              /* bytes used of the newest block */
    size_t total;             /* bytes held by all blocks */
};

#define ARENA_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

void *arena_alloc(struct arena *a, size_t n);              /* aligned to 8; NULL without memory */
char *arena_dup(struct arena *a, const void *p, size_t n); /* copy of n bytes and a NUL */
void arena_release(struct arena *a);
void arena_join(struct arena *into, struct arena *from); /* hands over all of from's blocks */

#endif
