#include "names.h"

#include <stdlib.h>

/* 8 bytes at a time, each step a multiplication and a fold. */
uint64_t hash_bytes(uint64_t seed, struct slice s)
{
    uint64_t h = seed ^ (s.n * UINT64_C(0x9e3779b97f4a7c15));
    size_t i;

    for (i = 0; i + 8 <= s.n; i += 8) {
        uint64_t w;

        memcpy(&w, s.p + i, 8);
        h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    if (i < s.n) {
        uint64_t w = 0;

        memcpy(&w, s.p + i, s.n - i);
        h = (h ^ w) * UINT64_C(0xff51afd7ed558ccd);
        h ^= h >> 32;
    }
    h *= UINT64_C(0xc4ceb9fe1a85ec53);
    return h ^ (h >> 29);
}

static bool slot_of(const struct names *t, struct slice name, uint64_t hash, uint32_t *slot)
{
    uint32_t s;

    for (s = (uint32_t)hash & (t->slots - 1); t->slot[s]; s = (s + 1) & (t->slots - 1)) {
        uint32_t i = t->slot[s] - 1;

        if (t->hash[i] == hash && slice_eq(t->name[i], name)) {
            *slot = s;
            return true;
        }
    }
    *slot = s;
    return false;
}

static bool grow(struct names *t)
{
    uint32_t cap = t->cap ? t->cap * 2 : 8;
    struct slice *name = realloc(t->name, cap * sizeof *name);
    uint64_t *hash;
    uint32_t *slot;
    uint32_t i;

    if (!name)
        return false;
    t->name = name;
    hash = realloc(t->hash, cap * sizeof *hash);
    if (!hash)
        return false;
    t->hash = hash;
    slot = calloc((size_t)cap * 2, sizeof *slot);
    if (!slot)
        return false;
    free(t->slot);
    t->slot = slot;
    t->slots = cap * 2;
    t->cap = cap;
    for (i = 0; i < t->n; i++) {
        uint32_t s = (uint32_t)t->hash[i] & (t->slots - 1);

        while (slot[s])
            s = (s + 1) & (t->slots - 1);
        slot[s] = i + 1;
    }
    return true;
}

uint32_t names_find(const struct names *t, struct slice name)
{
    uint32_t slot;

    if (t->n == 0 || !slot_of(t, name, hash_bytes(1, name), &slot))
        return NAMES_NONE;
    return t->slot[slot] - 1;
}

uint32_t names_add(struct names *t, struct slice name)
{
    uint64_t hash;
    uint32_t slot;
    char *copy;

    if (t->n > 0 && slice_eq(t->name[t->last], name))
        return t->last;
    hash = hash_bytes(1, name);
    if (t->n == t->cap && (t->cap > UINT32_MAX / 8 || !grow(t)))
        return NAMES_NONE;
    if (slot_of(t, name, hash, &slot))
        return t->last = t->slot[slot] - 1;
    copy = malloc(name.n + 1);
    if (!copy)
        return NAMES_NONE;
    if (name.n > 0)
        memcpy(copy, name.p, name.n);
    copy[name.n] = '\0';
    t->name[t->n] = (struct slice){copy, name.n};
    t->hash[t->n] = hash;
    t->slot[slot] = t->n + 1;
    return t->last = t->n++;
}

void names_release(struct names *t)
{
    uint32_t i;

    for (i = 0; i < t->n; i++)
        free((void *)(uintptr_t)t->name[i].p);
    free(t->name);
    free(t->hash);
    free(t->slot);
    *t = (struct names)NAMES_INIT;
}
