#include "apply_batch.h"

#include "sql.h"

#include <stdlib.h>

bool counters_differ(const struct applying *a, const struct campaign_result *r)
{
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if (r->stored.count[m] != r->recomputed.count[m])
            return true;
    }
    return a->o->fix_total && r->stored.total != r->recomputed.total;
}

static bool breaks_order(const struct counters *k)
{
    return k->count[M_READ] > k->count[M_DELIVERED] || k->count[M_DELIVERED] > k->count[M_SENT] ||
           k->count[M_SENT] > k->total;
}

static int put_ids(const struct batch *b, bool only_recounted, enum pg_type type, struct buf *array,
                   struct err *e)
{
    size_t i, n = 0;

    for (i = 0; i < b->n_campaigns; i++)
        n += !only_recounted || b->campaigns[i].recount;
    pg_put_array(array, type, n);
    for (i = 0; i < b->n_campaigns; i++) {
        if (!only_recounted || b->campaigns[i].recount)
            pg_put_field_ident(array, type, b->campaigns[i].id);
    }
    return array->failed ? err_oom(e) : 0;
}

static int lock_campaigns(struct applying *a, const struct batch *b, struct err *e)
{
    enum pg_type type = a->schema->campaign_id;
    struct pg_param param = {schema_array_type(type), SLICE_NONE};
    struct pg_query q = {"lock campaigns", a->sql.campaign_lock.data, &param, 1, NULL, NULL};

    buf_clear(&a->data);
    if (put_ids(b, false, type, &a->data, e) != 0)
        return -1;
    param.value = (struct slice){a->data.data, a->data.len};
    return pg_run(a->pg, &q, e);
}

/* ---- recounting ---- */

struct recount {
    struct applying *a;
    struct batch *b;
};

static struct batch_campaign *campaign_find(const struct batch *b, struct ident id)
{
    size_t low = 0, high = b->n_campaigns;

    while (low < high) {
        size_t middle = low + (high - low) / 2;
        struct batch_campaign *k = &b->campaigns[middle];
        int c = ident_cmp(k->id, id);

        if (c == 0)
            return k;
        if (c < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

/* It would be told that all is well, run after run. */
static int fail_counters(const struct applying *a, const struct batch_campaign *k, struct err *e)
{
    char id[IDENT_TEXT_SIZE];

    return err_set(e, EXIT_FAILED,
                   "could not write counters: campaign %s does not hold what was written to it, as "
                   "a trigger changes it",
                   ident_format(schema_kind(a->schema->campaign_id), k->id, id));
}

static int take_recount(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct recount *r = ctx;
    struct batch_campaign *k;
    struct ident id;
    int m;

    (void)n;
    if (!v[0].p || !ident_decode(schema_kind(r->a->schema->campaign_id),
                                 (const unsigned char *)v[0].p, v[0].n, &id))
        return err_set(e, EXIT_FAILED, "a campaign with an id of an unexpected size");
    k = campaign_find(r->b, id);
    if (!k)
        return err_set(e, EXIT_FAILED, "the server recounted a campaign that was not asked for");
    k->now.total = pg_get_int(v[1], 0);
    for (m = 0; m < M_COUNT; m++)
        k->now.count[m] = pg_get_int(v[2 + m], 0);
    k->written = pg_get_bool(v[6]);
    if (k->judged && breaks_order(&k->now) && !r->a->o->any_order)
        leave_alone(r->a, k->index);
    return pg_get_bool(v[7]) ? 0 : fail_counters(r->a, k, e);
}

static int recount(struct applying *a, struct batch *b, struct err *e)
{
    struct recount r = {a, b};
    enum pg_type type = a->schema->row_campaign_id;
    struct pg_param param = {schema_array_type(type), SLICE_NONE};
    struct pg_query q = {
        "recount campaigns", a->sql.campaign_recount.data, &param, 1, take_recount, &r};

    buf_clear(&a->data);
    if (put_ids(b, true, type, &a->data, e) != 0)
        return -1;
    param.value = (struct slice){a->data.data, a->data.len};
    return pg_run(a->pg, &q, e);
}

/* ---- adding ---- */

/* What the batch's rows of this campaign changed; false where nothing. */
static bool changes(const struct applying *a, const struct batch *b, size_t campaign,
                    int64_t by[M_COUNT])
{
    bool any = false;
    size_t i;
    int m;

    for (m = 0; m < M_COUNT; m++)
        by[m] = 0;
    for (i = 0; i < b->n; i++) {
        const struct correction *c = &a->c[b->at[i]];
        uint8_t before, after;

        if (c->campaign_index != campaign || a->fate[b->at[i]] != FATE_WRITTEN)
            continue;
        before = row_counts(&c->before);
        after = row_counts(&c->after);
        for (m = 0; m < M_COUNT; m++)
            by[m] += (after >> m & 1) - (before >> m & 1);
    }
    for (m = 0; m < M_COUNT; m++)
        any = any || by[m] != 0;
    return any;
}

static int add(struct applying *a, const struct batch *b, struct batch_campaign *k, struct err *e)
{
    struct pg_param params[1 + M_COUNT];
    struct pg_query q = {
        "add to a campaign's counters", a->sql.campaign_add.data, params, 1 + M_COUNT, NULL, NULL};
    int64_t by[M_COUNT];
    size_t id_size;
    int m;

    if (!changes(a, b, k->index, by))
        return 0;
    buf_clear(&a->data);
    pg_put_ident(&a->data, a->schema->campaign_id, k->id);
    id_size = a->data.len;
    for (m = 0; m < M_COUNT; m++)
        pg_put_u64(&a->data, (uint64_t)by[m]);
    if (a->data.failed)
        return err_oom(e);
    params[0] = (struct pg_param){a->schema->campaign_id, {a->data.data, id_size}};
    for (m = 0; m < M_COUNT; m++)
        params[1 + m] = (struct pg_param){PG_INT8, {a->data.data + id_size + 8 * (size_t)m, 8}};
    k->written = true;
    return pg_run(a->pg, &q, e);
}

/* A campaign of which a row could not be written may be out of order for that
 * row alone, so it is not judged by it. */
static void excuse(const struct applying *a, struct batch *b)
{
    size_t i;

    for (i = 0; i < b->n; i++) {
        struct batch_campaign *k;

        if (a->fate[b->at[i]] == FATE_WRITTEN)
            continue;
        k = campaign_find(b, a->campaigns[a->c[b->at[i]].campaign_index].id);
        k->judged = false;
        k->final = k->final && b->last;
    }
}

int counters_write(struct applying *a, struct batch *b, struct err *e)
{
    bool any = false;
    size_t i;

    if (b->n_campaigns == 0)
        return 0;
    excuse(a, b);
    if (lock_campaigns(a, b, e) != 0)
        return -1;
    for (i = 0; i < b->n_campaigns; i++) {
        struct batch_campaign *k = &b->campaigns[i];

        k->written = false;
        any = any || k->recount;
        if (!k->recount && add(a, b, k, e) != 0)
            return -1;
    }
    return any ? recount(a, b, e) : 0;
}
