/* What only poll and audit ask of the database. */
#include "sql.h"
#include "store_pg.h"

#include <string.h>

struct asking {
    struct store_kinds kinds;
    store_campaign_id_fn *campaign;
    store_unsettled_fn *unsettled;
    store_assigned_fn *assigned;
    void *ctx;
};

static int get_id(enum ident_kind kind, struct slice v, struct ident *id, struct err *e)
{
    if (v.p && ident_decode(kind, (const unsigned char *)v.p, v.n, id))
        return 0;
    return err_set(e, EXIT_FAILED, "the server sent an id of an unexpected size");
}

/* A time as a parameter, its bytes in *b; TIME_NONE is NULL. */
static struct pg_param time_param(int64_t us, struct buf *b)
{
    struct pg_param p = {PG_TIMESTAMPTZ, SLICE_NONE};

    buf_clear(b);
    pg_put_field_time(b, us);
    if (us != TIME_NONE && !b->failed)
        p.value = (struct slice){b->data + 4, b->len - 4}; /* without the field's length */
    return p;
}

/* Runs a statement about a span of time, with `scope` in the place of :scope. */
static int run_span(struct store *s, const char *what, const char *sql, const char *scope,
                    int64_t since, int64_t until, pg_row_fn *row, void *ctx, struct err *e)
{
    const struct schema_var var = {"scope", scope};
    struct buf text = BUF_INIT, a = BUF_INIT, b = BUF_INIT;
    struct pg_param params[2] = {time_param(since, &a), time_param(until, &b)};
    struct pg_query q = {what, NULL, params, 2, row, ctx};
    int rc =
        a.failed || b.failed ? err_oom(e) : schema_sql(store_schema(s), sql, &var, 1, &text, e);

    q.sql = text.data;
    if (rc == 0)
        rc = pg_run(store_pg(s), &q, e);
    buf_release(&text);
    buf_release(&a);
    buf_release(&b);
    return rc;
}

static int take_campaign_id(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct asking *a = ctx;
    struct ident id;

    (void)n;
    if (get_id(a->kinds.campaign, v[0], &id, e) < 0)
        return -1;
    return a->campaign(a->ctx, id, e);
}

int store_find_sent(struct store *s, int64_t since, int64_t until, store_campaign_id_fn *fn,
                    void *ctx, struct err *e)
{
    struct asking a = {.kinds = store_kinds(s), .campaign = fn, .ctx = ctx};

    return run_span(s, "find campaigns by sent_at", sql_campaigns_sent, "true", since, until,
                    take_campaign_id, &a, e);
}

static int take_unsettled(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct asking *a = ctx;
    struct store_unsettled r = {.has_instance = v[2].p != NULL};

    (void)n;
    if (get_id(a->kinds.contact, v[0], &r.id, e) < 0 ||
        get_id(a->kinds.campaign, v[1], &r.campaign, e) < 0 ||
        (r.has_instance && get_id(a->kinds.instance, v[2], &r.instance_used, e) < 0))
        return -1;
    r.message_id = v[3];
    r.sent_at = pg_get_time(v[4]);
    r.created_at = pg_get_time(v[5]);
    return a->unsettled(a->ctx, &r, e);
}

static int take_count(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    uint64_t *count = ctx;

    (void)n;
    (void)e;
    *count = (uint64_t)pg_get_int(v[0], 0);
    return 0;
}

int store_read_unsettled(struct store *s, const struct ident *campaigns, size_t n, int64_t since,
                         int64_t until, store_unsettled_fn *fn, void *ctx, uint64_t *total,
                         struct err *e)
{
    struct asking a = {.kinds = store_kinds(s), .unsettled = fn, .ctx = ctx};
    struct pg_query q = {"count unsettled rows", NULL, NULL, 0, take_count, total};
    struct buf scope = BUF_INIT, sql = BUF_INIT;
    struct schema_var var;
    int rc = -1;

    *total = 0;
    if (campaigns && n == 0)
        return 0;
    if (campaigns && store_put_scope(s, campaigns, n, &scope, e) < 0)
        goto out;
    var = (struct schema_var){"scope", campaigns ? buf_str(&scope) : "true"};
    if (run_span(s, "read unsettled rows", sql_unsettled, var.value, since, until, take_unsettled,
                 &a, e) < 0 ||
        schema_sql(store_schema(s), sql_unsettled_count, &var, 1, &sql, e) < 0)
        goto out;
    q.sql = sql.data;
    rc = pg_run(store_pg(s), &q, e);
out:
    buf_release(&scope);
    buf_release(&sql);
    return rc;
}

static int take_assigned(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct asking *a = ctx;
    struct ident campaign, instance;

    (void)n;
    if (get_id(a->kinds.campaign, v[0], &campaign, e) < 0 ||
        get_id(a->kinds.instance, v[1], &instance, e) < 0)
        return -1;
    return a->assigned(a->ctx, campaign, instance, e);
}

int store_read_assigned(struct store *s, store_assigned_fn *fn, void *ctx, struct err *e)
{
    struct asking a = {.kinds = store_kinds(s), .assigned = fn, .ctx = ctx};
    struct pg_query q = {"read the campaigns' instances", NULL, NULL, 0, take_assigned, &a};
    struct buf sql = BUF_INIT;
    int rc;

    if (!store_schema(s)->has_campaign_instances)
        return 0;
    rc = schema_sql(store_schema(s), sql_campaign_instances, NULL, 0, &sql, e);
    q.sql = sql.data;
    if (rc == 0)
        rc = pg_run(store_pg(s), &q, e);
    buf_release(&sql);
    return rc;
}
