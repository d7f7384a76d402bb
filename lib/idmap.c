#include "idmap.h"

#include "names.h"

#include <stdlib.h>

_Static_assert(sizeof(struct ident) == 2 * sizeof(uint64_t), "an ident has no padding");

/* Plans and journals choose their ids, so the hash is a keyed one. */
static struct idmap_slot *slot_of(struct idmap_slot *slot, size_t slots, struct ident id)
{
    size_t s = (size_t)hash_bytes(0, (struct slice){(const char *)&id, sizeof id}) & (slots - 1);

    while (slot[s].value != IDMAP_NONE && !ident_eq(slot[s].id, id))
        s = (s + 1) & (slots - 1);
    return &slot[s];
}

static bool grow(struct idmap *m)
{
    size_t slots = m->slots ? m->slots * 2 : 64, i;
    struct idmap_slot *slot = malloc(slots * sizeof *slot);

    if (!slot)
        return false;
    for (i = 0; i < slots; i++)
        slot[i].value = IDMAP_NONE;
    for (i = 0; i < m->slots; i++) {
        if (m->slot[i].value != IDMAP_NONE)
            *slot_of(slot, slots, m->slot[i].id) = m->slot[i];
    }
    free(m->slot);
    m->slot = slot;
    m->slots = slots;
    return true;
}

uint32_t idmap_add(struct idmap *m, struct ident id, uint32_t value)
{
    struct idmap_slot *s;

    if (3 * m->slots <= 4 * m->n && !grow(m))
        return IDMAP_NONE;
    s = slot_of(m->slot, m->slots, id);
    if (s->value != IDMAP_NONE)
        return s->value;
    s->id = id;
    s->value = value;
    m->n++;
    return value;
}

uint32_t idmap_set(struct idmap *m, struct ident id, uint32_t value)
{
    if (idmap_add(m, id, value) == IDMAP_NONE)
        return IDMAP_NONE;
    slot_of(m->slot, m->slots, id)->value = value;
    return value;
}

uint32_t idmap_find(const struct idmap *m, struct ident id)
{
    return m->n ? slot_of(m->slot, m->slots, id)->value : IDMAP_NONE;
}

void idmap_release(struct idmap *m)
{
    free(m->slot);
    *m = (struct idmap)IDMAP_INIT;
}
