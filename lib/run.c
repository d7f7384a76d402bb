#include "run.h"

bool campaign_differs(const struct campaign_result *c, bool fix_total)
{
    for (int m = 0; m < M_COUNT; m++)
        if (c->stored.count[m] != c->recomputed.count[m])
            return true;
    return fix_total && c->stored.total != c->recomputed.total;
}

void counters_add(struct counters *c, const struct row_state *r)
{
    uint8_t bits = row_counts(r);
    int m;

    c->total++;
    for (m = 0; m < M_COUNT; m++)
        c->count[m] += (bits >> m) & 1;
}

bool counters_in_order(const struct counters *c)
{
    return c->count[M_READ] <= c->count[M_DELIVERED] && c->count[M_DELIVERED] <= c->count[M_SENT] &&
           c->count[M_SENT] <= c->total;
}

int correction_cmp(const void *a, const void *b)
{
    const struct correction *x = a, *y = b;
    int c = ident_cmp(x->campaign, y->campaign);

    return c ? c : ident_cmp(x->id, y->id);
}
