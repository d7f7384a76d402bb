#include "apply_batch.h"

#include <stdlib.h>

/* Counting so many rows takes about 50 ms, in which nobody should wait for rows
 * that are locked; a few of them do not matter. */
#define APART_ROWS INT64_C(100000)
#define APART_CORRECTIONS 100

void settle(struct applying *a, size_t i, enum outcome outcome)
{
    a->c[i].outcome = outcome;
    if (outcome == OUTCOME_CONFLICT || outcome == OUTCOME_BUSY)
        a->state[a->c[i].campaign_index].missed = true;
    a->sum->written += outcome == OUTCOME_WRITTEN;
    a->sum->moot += outcome == OUTCOME_MOOT;
    a->sum->conflicts += outcome == OUTCOME_CONFLICT;
    a->sum->busy += outcome == OUTCOME_BUSY;
}

void leave_alone(struct applying *a, size_t campaign)
{
    a->campaigns[campaign].left_alone = a->campaigns[campaign].left_late = true;
    a->broken = true;
}

/* A correction that its batch did not write. */
static void put_off(struct applying *a, struct pass *p, size_t i)
{
    enum outcome outcome = a->c[i].outcome;

    if (p->later) {
        a->state[a->c[i].campaign_index].put_off++;
        p->later[p->n_later++] = i;
        p->skipped = p->skipped || a->fate[i] != FATE_MOVED;
        return;
    }
    /* A single transaction has decided again by itself. */
    if (outcome == OUTCOME_PLANNED)
        outcome = a->fate[i] == FATE_MOVED ? OUTCOME_CONFLICT : OUTCOME_BUSY;
    settle(a, i, outcome);
}

/* A correction that need not be sent. */
static bool pass_over(struct applying *a, struct pass *p, size_t i)
{
    size_t k = a->c[i].campaign_index;

    if (a->campaigns[k].left_alone) {
        settle(a, i, OUTCOME_LEFT);
    } else if (p->later ? a->state[k].suspect : a->state[k].given_up) {
        a->fate[i] = FATE_SKIPPED;
        put_off(a, p, i);
    } else {
        return false;
    }
    a->state[k].open--;
    return true;
}

void batch_add_campaign(struct applying *a, struct batch *b, size_t campaign)
{
    b->campaigns[b->n_campaigns++] = (struct batch_campaign){.id = a->campaigns[campaign].id,
                                                             .index = campaign,
                                                             .recount = true,
                                                             .final = true,
                                                             .judged = !a->state[campaign].missed};
}

bool wants_count(const struct applying *a, size_t campaign)
{
    const struct campaign_state *s = &a->state[campaign];

    return !a->campaigns[campaign].left_alone && !s->current &&
           (s->corrections > 0 || counters_differ(a, &a->campaigns[campaign]));
}

/* It is so large that transactions of their own recount it, which lock no rows. */
static bool counted_apart(const struct applying *a, size_t campaign)
{
    return !a->o->single_transaction && a->state[campaign].corrections > APART_CORRECTIONS &&
           a->campaigns[campaign].recomputed.total >= APART_ROWS;
}

static bool begins_apart(const struct applying *a, size_t campaign)
{
    return counted_apart(a, campaign) && !a->state[campaign].recounted;
}

/* Gathers the next batch, from *pos on. What keeps a campaign locked should
 * not keep the others of its batch, so those suspected come alone. */
static void batch_gather(struct applying *a, struct pass *p, struct batch *b, size_t *pos)
{
    size_t most = a->o->single_transaction ? p->n : a->size;

    b->n = b->n_campaigns = 0;
    for (; *pos < p->n && b->n < most; (*pos)++) {
        size_t i = p->at[*pos], k = a->c[i].campaign_index;
        bool same = b->n > 0 && b->campaigns[b->n_campaigns - 1].index == k;

        if (pass_over(a, p, i))
            continue;
        if (!same && b->n > 0 &&
            (a->state[k].suspect || a->state[b->campaigns[b->n_campaigns - 1].index].suspect ||
             begins_apart(a, k)))
            break;
        if (!same)
            batch_add_campaign(a, b, k);
        b->campaigns[b->n_campaigns - 1].corrections++;
        b->at[b->n++] = i;
    }
}

/* Once all corrections are in a batch, those campaigns that have none. */
static void gather_counts(struct applying *a, struct pass *p, struct batch *b)
{
    size_t k;

    for (k = 0; p->counts && k < a->n_campaigns; k++) {
        if (a->state[k].corrections == 0 && wants_count(a, k))
            batch_add_campaign(a, b, k);
    }
    p->counts = false;
}

static int campaign_cmp(const void *x, const void *y)
{
    const struct batch_campaign *p = x, *q = y;

    return ident_cmp(p->id, q->id);
}

/* A campaign is recounted by its first batch and by its last; a large one before
 * and, with those that are only to be recounted, after them. It is judged when
 * nothing of it is left to write: what is wrong with it before may be what the
 * rest corrects. */
static void choose_recounts(const struct applying *a, const struct pass *p, struct batch *b)
{
    size_t i;

    b->last = !p->later;
    for (i = 0; i < b->n_campaigns; i++) {
        struct batch_campaign *k = &b->campaigns[i];
        const struct campaign_state *s = &a->state[k->index];
        bool completed = s->open <= k->corrections;

        k->recount = !s->recounted || (completed && !counted_apart(a, k->index));
        k->final = completed && (b->last || s->put_off == 0);
        k->judged = k->final && !s->missed;
    }
    qsort(b->campaigns, b->n_campaigns, sizeof *b->campaigns, campaign_cmp);
}

static void keep_counters(struct applying *a, const struct batch *b)
{
    size_t i;

    a->sum->batches++;
    for (i = 0; i < b->n_campaigns; i++) {
        const struct batch_campaign *k = &b->campaigns[i];
        struct campaign_result *r = &a->campaigns[k->index];
        struct campaign_state *s = &a->state[k->index];

        s->current = k->recount && k->final;
        s->recounted = s->recounted || k->recount;
        if (s->current)
            r->recomputed = k->now;
        a->sum->campaigns += k->written && !r->written;
        r->written = r->written || k->written;
    }
}

/* Takes campaigns out that were found to be left alone. */
static void batch_thin(struct applying *a, struct batch *b)
{
    size_t i, n = 0;

    for (i = 0; i < b->n; i++) {
        size_t k = a->c[b->at[i]].campaign_index;

        if (!a->campaigns[k].left_alone) {
            b->at[n++] = b->at[i];
            continue;
        }
        settle(a, b->at[i], OUTCOME_LEFT);
        a->state[k].open--;
    }
    b->n = n;
    n = 0;
    for (i = 0; i < b->n_campaigns; i++) {
        if (!a->campaigns[b->campaigns[i].index].left_alone)
            b->campaigns[n++] = b->campaigns[i];
    }
    b->n_campaigns = n;
}

enum batch_result batch_finish(struct applying *a, struct batch *b, struct err *e)
{
    enum batch_result r = BATCH_COMMITTED;

    while (b->n_campaigns > 0) {
        r = batch_write(a, b, e);
        if (r == BATCH_COMMITTED)
            keep_counters(a, b);
        if (r != BATCH_AGAIN)
            return r;
        batch_thin(a, b);
        r = BATCH_COMMITTED;
    }
    return r;
}

/* Books what became of the batch's corrections. */
static void batch_book(struct applying *a, struct pass *p, const struct batch *b, bool committed)
{
    size_t i;

    for (i = 0; i < b->n; i++) {
        size_t at = b->at[i], k = a->c[at].campaign_index;

        a->held[at] = false;
        a->state[k].open--;
        if (!committed) {
            a->fate[at] = FATE_SKIPPED;
            a->c[at].outcome = OUTCOME_PLANNED;
            if (!p->later && !a->state[k].given_up)
                name_lock(a, k);
            a->state[k].given_up = !p->later;
            a->state[k].suspect = true;
        }
        if (committed && a->fate[at] == FATE_WRITTEN)
            settle(a, at, OUTCOME_WRITTEN);
        else
            put_off(a, p, at);
    }
}

/* Nothing of a failed batch is in the database. */
static void batch_forget(struct applying *a, const struct batch *b)
{
    size_t i;

    for (i = 0; i < b->n; i++)
        a->c[b->at[i]].outcome = OUTCOME_PLANNED;
}

int batch_init(struct batch *b, size_t n, size_t n_campaigns, struct err *e)
{
    b->at = calloc(n + 1, sizeof *b->at);
    b->campaigns = calloc(n_campaigns + 1, sizeof *b->campaigns);
    b->n = b->n_campaigns = 0;
    b->last = false;
    return b->at && b->campaigns ? 0 : err_oom(e);
}

void batch_release(struct batch *b)
{
    free(b->at);
    free(b->campaigns);
}

/* Recounts a campaign, which after that is recounted, or passed over because it
 * stays locked. */
static int count_ahead(struct applying *a, const struct pass *p, size_t campaign, struct err *e)
{
    struct campaign_state *s = &a->state[campaign];
    enum batch_result r = BATCH_FAILED;
    struct batch one;

    if (batch_init(&one, 0, 1, e) == 0) {
        batch_add_campaign(a, &one, campaign);
        one.campaigns[0].final = one.campaigns[0].judged = false;
        r = batch_finish(a, &one, e);
    }
    batch_release(&one);
    if (r == BATCH_FAILED)
        return -1;
    if (r == BATCH_BUSY) {
        s->suspect = true;
        s->given_up = !p->later;
        if (s->given_up)
            name_lock(a, campaign);
    }
    return pace_wait(a, false, e);
}

/* Passes over what need not be sent, and counts ahead. */
static int pass_prepare(struct applying *a, struct pass *p, size_t *pos, struct err *e)
{
    while (*pos < p->n) {
        size_t k = a->c[p->at[*pos]].campaign_index;

        if (pass_over(a, p, p->at[*pos])) {
            (*pos)++;
            continue;
        }
        if (!begins_apart(a, k))
            break;
        if (count_ahead(a, p, k, e) != 0)
            return -1;
    }
    return 0;
}

/* One batch from *pos on; *pos is p->n and the batch empty when all is done. */
static int pass_step(struct applying *a, struct pass *p, struct batch *b, size_t *pos,
                     struct err *e)
{
    enum batch_result r;
    double since;
    size_t n;

    if (pass_prepare(a, p, pos, e) != 0)
        return -1;
    since = clock_monotonic();
    batch_gather(a, p, b, pos);
    if (*pos == p->n)
        gather_counts(a, p, b);
    if (b->n_campaigns == 0)
        return 0;
    choose_recounts(a, p, b);
    n = b->n;
    r = batch_finish(a, b, e);
    if (r == BATCH_FAILED) {
        batch_forget(a, b);
        return -1;
    }
    batch_book(a, p, b, r == BATCH_COMMITTED);
    if (a->halted)
        return -1;
    progress_set(a->o->progress, a->sum->written + a->sum->moot + a->sum->conflicts + a->sum->busy,
                 a->sum->batches);
    pace_adapt(a, n, clock_monotonic() - since);
    return pace_wait(a, *pos == p->n && !p->counts, e);
}

int pass_run(struct applying *a, struct pass *p, struct err *e)
{
    size_t room = a->o->single_transaction || a->o->batch > p->n ? p->n : a->o->batch;
    struct batch b;
    size_t i, pos = 0;
    int rc = batch_init(&b, room, room + (p->counts ? a->n_campaigns : 0), e);

    for (i = 0; i < p->n; i++)
        a->state[a->c[p->at[i]].campaign_index].open++;
    while (rc == 0 && (pos < p->n || p->counts))
        rc = pass_step(a, p, &b, &pos, e);
    batch_release(&b);
    return rc;
}
