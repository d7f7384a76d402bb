#include "arena.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MIN ((size_t)64 << 10)
#define BLOCK_MAX ((size_t)1 << 20)

struct arena_block {
    struct arena_block *next;
    size_t size; /* bytes of data */
    char data[];
};

static struct arena_block *block_new(struct arena *a, size_t n)
{
    size_t size = a->head ? a->head->size * 2 : BLOCK_MIN;
    struct arena_block *b;

    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (size < n)
        size = n;
    b = malloc(sizeof *b + size);
    if (!b)
        return NULL;
    b->size = size;
    a->total += sizeof *b + size;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    struct arena_block *b = a->head;
    void *p;

    if (n > SIZE_MAX / 2)
        return NULL;
    n = (n + 7) & ~(size_t)7;
    if (!b || n > b->size - a->used) {
        b = block_new(a, n);
        if (!b)
            return NULL;
        b->next = a->head;
        a->head = b;
        a->used = 0;
    }
    p = b->data + a->used;
    a->used += n;
    return p;
}

char *arena_dup(struct arena *a, const void *p, size_t n)
{
    char *s;

    if (n == SIZE_MAX)
        return NULL;
    s = arena_alloc(a, n + 1);
    if (!s)
        return NULL;
    if (n > 0)
        memcpy(s, p, n);
    s[n] = '\0';
    return s;
}

void arena_release(struct arena *a)
{
    struct arena_block *b = a->head;

    while (b) {
        struct arena_block *next = b->next;

        free(b);
        b = next;
    }
    a->head = NULL;
    a->used = a->total = 0;
}

void arena_join(struct arena *into, struct arena *from)
{
    struct arena_block *b = from->head;

    if (!b)
        return;
    if (!into->head) {
        *into = *from;
    } else {
        /* Behind into's newest block, which stays the one being filled. */
        while (b->next)
            b = b->next;
        b->next = into->head->next;
        into->head->next = from->head;
        into->total += from->total;
    }
    from->head = NULL;
    from->used = from->total = 0;
}
