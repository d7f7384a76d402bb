#include "names.h"

#include <stdlib.h>
#include <sys/random.h>

static uint64_t secret[3] = {UINT64_C(0x9e3779b97f4a7c15), UINT64_C(0xff51afd7ed558ccd),
                             UINT64_C(0xc4ceb9fe1a85ec53)};

void hash_choose_secret(void)
{
    /* What this falls short of is no failure: the constants are left. */
    (void)!getrandom(secret, sizeof secret, GRND_NONBLOCK);
}

static uint64_t load(const char *p, size_t n)
{
    uint64_t w = 0;

    memcpy(&w, p, n);
    return w;
}

/* Both halves of the product, so that every bit of it depends on both. */
static uint64_t fold_product(uint64_t a, uint64_t b)
{
#ifdef __SIZEOF_INT128__
    __extension__ typedef unsigned __int128 wide;
    wide product = (wide)a * b;

    return (uint64_t)product ^ (uint64_t)(product >> 64);
#else
    uint64_t low = (uint32_t)a * (b & UINT32_MAX), high = (a >> 32) * (b >> 32);
    uint64_t one = (a >> 32) * (b & UINT32_MAX), other = (uint32_t)a * (b >> 32);
    uint64_t middle = (low >> 32) + (uint32_t)one + (uint32_t)other;

    return (low & UINT32_MAX) ^ middle << 32 ^
           (high + (one >> 32) + (other >> 32) + (middle >> 32));
#endif
}

/* 16 bytes at a time. Without the secret no difference of two inputs is known
 * to cancel, as each half is masked before it is multiplied. */
uint64_t hash_bytes(uint64_t seed, struct slice s)
{
    uint64_t h = seed ^ secret[0];
    const char *p = s.p;
    size_t n = s.n;

    for (; n > 16; n -= 16, p += 16)
        h = fold_product(load(p, 8) ^ secret[1], load(p + 8, 8) ^ h);
    if (n >= 8)
        h = fold_product(load(p, 8) ^ secret[1], load(p + n - 8, 8) ^ h);
    else if (n > 0)
        h = fold_product(load(p, n) ^ secret[1], h);
    return fold_product(h ^ secret[2], s.n ^ secret[1]);
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
