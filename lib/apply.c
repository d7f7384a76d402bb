#include "apply.h"

#include "apply_batch.h"
#include "log.h"
#include "sql.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define STATEMENT_TIMEOUT INT64_C(600000) /* ms; a batch takes a second or two */
#define LEFTOVER_WAIT INT64_C(500000)     /* µs that others get to let go of what they locked */

/* A transaction that only recounts is over when it holds so much. */
#define COUNT_CAMPAIGNS 50
#define COUNT_ROWS INT64_C(200000)

/* ---- beginning and ending ---- */

static int expand(struct applying *a, const char *sql, const struct schema_var *more, size_t n,
                  struct buf *out, struct err *e)
{
    return schema_sql(a->schema, sql, more, n, out, e);
}

static int prepare_statements(struct applying *a, struct err *e)
{
    char lock[24], statement[24];
    const struct schema_var times[] = {{"lock_timeout", lock}, {"statement_timeout", statement}};
    const struct schema_var total[] = {
        {"set_total", a->o->fix_total ? "total_contacts = k.total," : ""},
        {"total_differs", a->o->fix_total ? "p.total_contacts IS DISTINCT FROM k.total" : "false"}};
    int64_t ms = (a->o->lock_timeout + 999) / 1000;
    struct apply_sql *s = &a->sql;

    (void)snprintf(lock, sizeof lock, "%" PRId64, ms);
    (void)snprintf(statement, sizeof statement, "%" PRId64,
                   a->o->single_transaction ? 0 : STATEMENT_TIMEOUT);
    if (expand(a, sql_batch_begin, times, 2, &s->begin, e) != 0 ||
        expand(a, sql_batch_lock, NULL, 0, &s->lock, e) != 0 ||
        expand(a, sql_batch_update, NULL, 0, &s->update, e) != 0 ||
        expand(a, sql_campaign_lock, NULL, 0, &s->campaign_lock, e) != 0 ||
        expand(a, sql_campaign_recount, total, 2, &s->campaign_recount, e) != 0)
        return -1;
    return expand(a, sql_campaign_add, NULL, 0, &s->campaign_add, e);
}

static int prepare(struct applying *a, struct err *e)
{
    size_t i;

    if (a->n > INT32_MAX)
        return err_set(e, EXIT_FAILED, "more than %d corrections", INT32_MAX);
    a->fate = calloc(a->n + 1, sizeof *a->fate);
    a->person = calloc(a->n + 1, sizeof *a->person);
    a->sender = calloc(a->n + 1, sizeof *a->sender);
    a->held = calloc(a->n + 1, sizeof *a->held);
    a->state = calloc(a->n_campaigns + 1, sizeof *a->state);
    if (!a->fate || !a->person || !a->sender || !a->held || !a->state)
        return err_oom(e);
    for (i = 0; i < a->n_campaigns; i++) {
        a->campaigns[i].written = a->campaigns[i].busy = a->campaigns[i].left_late = false;
        a->campaigns[i].lock = NULL;
    }
    for (i = 0; i < a->n; i++) {
        struct campaign_state *s = &a->state[a->c[i].campaign_index];

        a->c[i].outcome = OUTCOME_PLANNED;
        if (s->corrections++ == 0)
            s->first = i;
        if (a->c[i].after.at[M_READ] != TIME_NONE)
            s->read += ((double)a->c[i].after.at[M_READ] - s->read) / (double)++s->reads;
    }
    a->random = (uint64_t)(clock_monotonic() * 1e6);
    if (prepare_statements(a, e) != 0 || effects_prepare(a, e) != 0 || pace_prepare(a, e) != 0)
        return -1;
    return a->n > 0 ? rows_prepare(a, e) : 0;
}

static void release(struct applying *a)
{
    struct apply_sql *s = &a->sql;

    buf_release(&s->begin);
    buf_release(&s->lock);
    buf_release(&s->update);
    buf_release(&s->campaign_lock);
    buf_release(&s->campaign_recount);
    buf_release(&s->campaign_add);
    buf_release(&s->logs);
    buf_release(&s->people);
    buf_release(&s->health);
    buf_release(&a->data);
    buf_release(&a->text);
    free(a->fate);
    free(a->person);
    free(a->sender);
    free(a->held);
    free(a->state);
}

/* ---- the corrections ---- */

static int index_cmp(const void *x, const void *y)
{
    const size_t *p = x, *q = y;

    return (*p > *q) - (*p < *q);
}

/* What was locked or had moved: decided again, and written if that is still called for. */
static int write_later(struct applying *a, const struct pass *first, struct err *e)
{
    struct pass last = {.at = first->later, .n = first->n_later};
    size_t *all, n = first->n_later, i;
    int rc;

    if (n == 0)
        return 0;
    if (first->skipped && pg_pause(a->pg, LEFTOVER_WAIT, e) != 0)
        return -1;
    qsort(last.at, last.n, sizeof *last.at, index_cmp);
    all = malloc(n * sizeof *all);
    if (!all)
        return err_oom(e);
    for (i = 0; i < n; i++)
        all[i] = last.at[i];
    rc = rows_redecide(a, last.at, &last.n, e);
    for (i = 0; rc == 0 && i < n; i++) {
        if (a->c[all[i]].outcome != OUTCOME_PLANNED)
            settle(a, all[i], a->c[all[i]].outcome);
    }
    free(all);
    return rc == 0 ? pass_run(a, &last, e) : -1;
}

struct newest {
    bool read;
    double at; /* µs since 1970 */
    size_t campaign;
};

static int newest_cmp(const void *x, const void *y)
{
    const struct newest *p = x, *q = y;

    if (p->read != q->read)
        return p->read ? -1 : 1;
    if (p->at != q->at)
        return p->at > q->at ? -1 : 1;
    return (p->campaign > q->campaign) - (p->campaign < q->campaign);
}

static int by_place(const void *x, const void *y, void *ctx)
{
    const struct correction *c = ctx;
    uint64_t p = c[*(const size_t *)x].place, q = c[*(const size_t *)y].place;

    return (p > q) - (p < q);
}

/* The corrections of the campaign last read first: it is what people look at, and a contact's last
 * interaction, in a table with many indexes, is moved once and not by each campaign in turn. Last on
 * average: some read days later, of any campaign.
 *
 * Those of a campaign as their rows lie in the table: rows made together lie together, and so do
 * their contacts and their entries in indexes. A batch then changes all of a few pages, and not a
 * little of every page, of which each batch after it would find its remains to be cleared away. */
static int order_writing(const struct applying *a, size_t *at, struct err *e)
{
    struct newest *order = calloc(a->n_campaigns + 1, sizeof *order);
    size_t i, k, n = 0;

    if (!order)
        return err_oom(e);
    for (k = 0; k < a->n_campaigns; k++) {
        if (a->state[k].corrections > 0)
            order[n++] = (struct newest){a->state[k].reads > 0, a->state[k].read, k};
    }
    if (n > 0)
        qsort(order, n, sizeof *order, newest_cmp);
    for (k = 0; k < n; k++) {
        const struct campaign_state *s = &a->state[order[k].campaign];

        for (i = 0; i < s->corrections; i++)
            at[i] = s->first + i;
        qsort_r(at, s->corrections, sizeof *at, by_place, a->c);
        at += s->corrections;
    }
    free(order);
    return 0;
}

static int write_corrections(struct applying *a, struct err *e)
{
    bool single = a->o->single_transaction;
    struct pass p = {.n = a->n, .counts = single};
    int rc = -1;

    p.at = calloc(a->n + 1, sizeof *p.at);
    p.later = single ? NULL : calloc(a->n + 1, sizeof *p.later);
    if (!p.at || (!single && !p.later)) {
        (void)err_oom(e);
        goto out;
    }
    if (order_writing(a, p.at, e) != 0)
        goto out;
    rc = pass_run(a, &p, e);
    if (rc == 0 && !single)
        rc = write_later(a, &p, e);
out:
    free(p.at);
    free(p.later);
    return rc;
}

/* ---- the campaigns that are left ---- */

/* Counts the batch's campaigns; those of a busy one singly, so that it is known
 * which are. */
static int count_batch(struct applying *a, struct batch *b, struct err *e)
{
    struct batch one;
    size_t i;
    int rc;

    switch (batch_finish(a, b, e)) {
    case BATCH_FAILED:
        return -1;
    case BATCH_COMMITTED:
    case BATCH_AGAIN:
        return 0;
    case BATCH_BUSY:
        break;
    }
    if (b->n_campaigns == 1) {
        a->campaigns[b->campaigns[0].index].busy = true;
        name_lock(a, b->campaigns[0].index);
        return 0;
    }
    rc = batch_init(&one, 0, 1, e);
    for (i = 0; rc == 0 && i < b->n_campaigns; i++) {
        one.n_campaigns = 0;
        batch_add_campaign(a, &one, b->campaigns[i].index);
        rc = count_batch(a, &one, e);
    }
    batch_release(&one);
    return rc;
}

struct numbered {
    struct ident id;
    size_t index;
};

static int numbered_cmp(const void *x, const void *y)
{
    const struct numbered *p = x, *q = y;

    return ident_cmp(p->id, q->id);
}

/* Counts the campaigns of the list, a few in a transaction. */
static int count_list(struct applying *a, struct numbered *list, size_t n, struct err *e)
{
    struct batch b;
    int64_t rows = 0;
    size_t i;
    int rc = batch_init(&b, 0, COUNT_CAMPAIGNS, e);

    if (n > 0)
        qsort(list, n, sizeof *list, numbered_cmp);
    for (i = 0; rc == 0 && i < n; i++) {
        batch_add_campaign(a, &b, list[i].index);
        rows += a->campaigns[list[i].index].recomputed.total;
        if (b.n_campaigns < COUNT_CAMPAIGNS && rows < COUNT_ROWS && i + 1 < n)
            continue;
        rc = count_batch(a, &b, e);
        b.n_campaigns = 0;
        rows = 0;
        if (rc == 0)
            rc = pace_wait(a, i + 1 == n, e);
    }
    batch_release(&b);
    return rc;
}

/* Those whose count is not up to date. Those that stayed locked, and all of a
 * single transaction that failed, are only marked. */
static int count_campaigns(struct applying *a, struct err *e)
{
    struct numbered *list = calloc(a->n_campaigns + 1, sizeof *list);
    size_t k, n = 0;
    int rc;

    if (!list)
        return err_oom(e);
    for (k = 0; k < a->n_campaigns; k++) {
        if (!wants_count(a, k))
            continue;
        if (a->state[k].given_up || a->o->single_transaction) {
            a->campaigns[k].busy = true;
            if (!a->campaigns[k].lock)
                name_lock(a, k);
        } else {
            list[n++] = (struct numbered){a->campaigns[k].id, k};
        }
    }
    rc = count_list(a, list, n, e);
    free(list);
    return rc;
}

/* A handler that had counted before we wrote, and saves its count after, puts an
 * old one back: so the campaigns of this run are counted once more when that
 * must be over. */
static int recheck(struct applying *a, struct err *e)
{
    struct numbered *list = calloc(a->n_campaigns + 1, sizeof *list);
    size_t k, n = 0;
    int rc = 0;

    if (!list)
        return err_oom(e);
    for (k = 0; a->o->recheck > 0 && k < a->n_campaigns; k++) {
        const struct campaign_result *c = &a->campaigns[k];

        if ((c->written || c->recheck || a->state[k].recounted) && !c->left_alone)
            list[n++] = (struct numbered){c->id, k};
    }
    if (n > 0) {
        log_detail("counting %zu campaign(s) once more in %lld s", n,
                   (long long)(a->o->recheck / US_PER_SECOND));
        rc = pg_pause(a->pg, a->o->recheck, e);
    }
    if (rc == 0)
        rc = count_list(a, list, n, e);
    free(list);
    return rc;
}

int apply_run(struct store *s, const struct apply_options *o, struct correction *c, size_t n,
              struct campaign_result *campaigns, size_t n_campaigns, struct apply_summary *sum,
              struct err *e)
{
    struct applying a = {.store = s,
                         .pg = store_pg(s),
                         .schema = store_schema(s),
                         .o = o,
                         .c = c,
                         .n = n,
                         .campaigns = campaigns,
                         .n_campaigns = n_campaigns,
                         .sum = sum};
    int rc;

    *sum = (struct apply_summary){0};
    rc = prepare(&a, e);
    if (rc == 0)
        rc = write_corrections(&a, e);
    if (rc == 0)
        rc = count_campaigns(&a, e);
    if (rc == 0)
        rc = recheck(&a, e);
    release(&a);
    return rc;
}
