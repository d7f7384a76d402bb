#include "senders.h"

#include <stdlib.h>

struct reading {
    struct senders *x;
    const struct idmap *instance, *wanted;
};

static struct sender *add(struct senders *x, struct ident row, struct err *e)
{
    if (x->n == x->cap) {
        size_t cap = x->cap ? 2 * x->cap : 1024;
        struct sender *grown = realloc(x->sender, cap * sizeof *grown);

        if (!grown) {
            (void)err_oom(e);
            return NULL;
        }
        x->sender = grown;
        x->cap = cap;
    }
    if (idmap_add(&x->row, row, (uint32_t)x->n) == IDMAP_NONE) {
        (void)err_oom(e);
        return NULL;
    }
    x->sender[x->n].at = TIME_NONE;
    return &x->sender[x->n++];
}

static int on_sender(void *ctx, const struct store_sender *log, struct err *e)
{
    const struct reading *r = ctx;
    struct senders *x = r->x;
    struct sender *s;
    uint32_t i;

    if (r->wanted && idmap_find(r->wanted, log->row) == IDMAP_NONE)
        return 0;
    i = idmap_find(&x->row, log->row);
    s = i == IDMAP_NONE ? add(x, log->row, e) : &x->sender[i];
    if (!s)
        return -1;
    /* of two at one time the lesser id, so that the order of reading never shows */
    if (i != IDMAP_NONE &&
        (s->at > log->at || (s->at == log->at && ident_cmp(s->id, log->instance) <= 0)))
        return 0;
    *s = (struct sender){log->at, log->instance, idmap_find(r->instance, log->instance)};
    return 0;
}

int senders_read(struct senders *x, struct store *s, const struct ident *campaigns, size_t n,
                 const struct idmap *instance, const struct idmap *wanted, struct err *e)
{
    struct reading r = {x, instance, wanted};

    return store_read_senders(s, campaigns, n, on_sender, &r, e);
}

uint32_t senders_find(const struct senders *x, struct ident row)
{
    uint32_t i = idmap_find(&x->row, row);

    return i == IDMAP_NONE ? IDMAP_NONE : x->sender[i].instance;
}

void senders_release(struct senders *x)
{
    idmap_release(&x->row);
    free(x->sender);
    memset(x, 0, sizeof *x);
}
