#include "api_seen.h"

#include "names.h"

#include <stdlib.h>

static uint64_t *find(const struct api_seen *s, uint64_t hash)
{
    size_t i = (size_t)hash & (s->slots - 1);

    while (s->slot[i] != 0 && s->slot[i] != hash)
        i = (i + 1) & (s->slots - 1);
    return &s->slot[i];
}

static int grow(struct api_seen *s)
{
    struct api_seen more = {.n = s->n, .slots = s->slots ? 2 * s->slots : 64};
    size_t i;

    more.slot = calloc(more.slots, sizeof *more.slot);
    if (!more.slot)
        return -1;
    for (i = 0; i < s->slots; i++) {
        if (s->slot[i] != 0)
            *find(&more, s->slot[i]) = s->slot[i];
    }
    free(s->slot);
    *s = more;
    return 0;
}

int api_seen_add(struct api_seen *s, uint64_t kind, struct slice bytes)
{
    uint64_t hash = hash_bytes(kind, bytes);
    uint64_t *slot;

    if (hash == 0)
        hash = 1;
    if (s->n >= s->slots / 2 && grow(s) < 0)
        return -1;
    slot = find(s, hash);
    if (*slot == hash)
        return 0;
    *slot = hash;
    s->n++;
    return 1;
}

void api_seen_release(struct api_seen *s)
{
    free(s->slot);
    *s = (struct api_seen){NULL, 0, 0};
}
