#include "gapbook.h"

#include <stdlib.h>

int gapbook_init(struct gapbook *b, const struct directory *d, struct err *e)
{
    uint32_t i;

    memset(b, 0, sizeof *b);
    b->directory = d;
    b->own = calloc((size_t)d->instances + 1, sizeof *b->own);
    if (!b->own)
        return err_oom(e);
    b->instances = d->instances;
    for (i = 0; i < d->instances; i++) {
        if (idmap_add(&b->instance, d->instance[i].id, i) == IDMAP_NONE)
            return err_oom(e);
    }
    for (i = 0; i < d->campaigns; i++) {
        uint32_t t = idmap_add(&b->tenant, d->campaign[i].tenant, b->tenants);

        if (t == IDMAP_NONE)
            return err_oom(e);
        b->tenants += t == b->tenants;
    }
    b->shared = calloc((size_t)b->tenants + 1, sizeof *b->shared);
    return b->shared ? 0 : err_oom(e);
}

void gapbook_release(struct gapbook *b)
{
    uint32_t i;

    for (i = 0; b->own && i < b->instances; i++)
        gap_list_release(&b->own[i]);
    for (i = 0; b->shared && i < b->tenants; i++)
        gap_list_release(&b->shared[i]);
    free(b->own);
    free(b->shared);
    idmap_release(&b->instance);
    senders_release(&b->senders);
    idmap_release(&b->tenant);
    memset(b, 0, sizeof *b);
}

/* May more than one instance have sent rows of the tenant? */
static bool has_choice(const struct directory *d, struct ident tenant)
{
    uint32_t i, n = 0;

    for (i = 0; i < d->instances && n < 2; i++)
        n += !d->instance[i].has_tenant || ident_eq(d->instance[i].tenant, tenant);
    return n > 1;
}

int gapbook_read_senders(struct gapbook *b, struct store *s, const struct ident *campaigns,
                         size_t n, struct err *e)
{
    struct ident *asked = malloc((n + 1) * sizeof *asked);
    size_t i, k = 0;
    int status;

    if (!asked)
        return err_oom(e);
    for (i = 0; i < n; i++) {
        const struct store_campaign *c = directory_campaign(b->directory, campaigns[i]);

        if (c && has_choice(b->directory, c->tenant))
            asked[k++] = campaigns[i];
    }
    status = senders_read(&b->senders, s, k == b->directory->campaigns ? NULL : asked, k,
                          &b->instance, NULL, e);
    free(asked);
    return status;
}

int gapbook_add(struct gapbook *b, const struct store_row *r, bool receipt, bool proven,
                struct err *e)
{
    const struct gap_message m = {r->state.at[M_SENT], r->id, receipt, proven};
    const struct store_campaign *c;
    uint32_t i = r->has_instance ? idmap_find(&b->instance, r->instance_used)
                                 : senders_find(&b->senders, r->id);

    if (i != IDMAP_NONE)
        return gap_list_add(&b->own[i], &m, e);
    c = r->has_instance ? NULL : directory_campaign(b->directory, r->campaign);
    i = c ? idmap_find(&b->tenant, c->tenant) : IDMAP_NONE;
    return i == IDMAP_NONE ? 0 : gap_list_add(&b->shared[i], &m, e);
}

static int add_all(struct gap_list *into, const struct gap_list *from, struct err *e)
{
    size_t i;

    for (i = 0; i < from->n; i++) {
        if (gap_list_add(into, &from->message[i], e) < 0)
            return -1;
    }
    return 0;
}

/* All messages that the instance sent or may have sent. */
static int gather(const struct gapbook *b, uint32_t instance, struct gap_list *all, struct err *e)
{
    const struct directory_instance *in = &b->directory->instance[instance];
    uint32_t t;

    if (add_all(all, &b->own[instance], e) < 0)
        return -1;
    if (in->has_tenant) {
        t = idmap_find(&b->tenant, in->tenant);
        return t == IDMAP_NONE ? 0 : add_all(all, &b->shared[t], e);
    }
    for (t = 0; t < b->tenants; t++) {
        if (add_all(all, &b->shared[t], e) < 0)
            return -1;
    }
    return 0;
}

int gapbook_find(struct gapbook *b, bool proven, gap_fn *fn, void *ctx, struct err *e)
{
    uint32_t i;

    for (i = 0; i < b->directory->instances; i++) {
        struct gap_list all = {NULL, 0, 0};
        int status = gather(b, i, &all, e);

        if (status == 0)
            status = gap_list_find(&all, i, proven, fn, ctx, e);
        gap_list_release(&all);
        if (status < 0)
            return -1;
    }
    return 0;
}
