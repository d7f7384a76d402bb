#include "apply_batch.h"

#include "log.h"
#include "sql.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACK_OFF INT64_C(50000)       /* µs before the first retry, doubled each time */
#define BACK_OFF_MAX INT64_C(2000000) /* µs */

/* Between a half and one and a half of the back-off, so that two that met do
 * not meet again. */
static int back_off(struct applying *a, int tries, struct err *e)
{
    int64_t us = BACK_OFF << (tries < 10 ? tries : 10);

    if (us > BACK_OFF_MAX)
        us = BACK_OFF_MAX;
    a->random = a->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return pg_pause(a->pg, us / 2 + (int64_t)((a->random >> 33) % (uint64_t)us), e);
}

static int begin(struct applying *a, struct err *e)
{
    if (pg_script(a->pg, "begin a batch", a->sql.begin.data, e) != 0)
        return -1;
    return store_check_backend(a->store, e);
}

/* In a single transaction there is no later batch for what was locked or had
 * moved, so it is tried once more here. */
static int write_leftovers(struct applying *a, const struct batch *b, struct err *e)
{
    size_t *at = malloc(b->n * sizeof *at);
    size_t i, n = 0;
    int rc = 0;

    if (!at)
        return err_oom(e);
    for (i = 0; i < b->n; i++) {
        if (a->fate[b->at[i]] != FATE_WRITTEN)
            at[n++] = b->at[i];
    }
    if (n > 0)
        rc = rows_redecide(a, at, &n, e);
    if (rc == 0 && n > 0)
        rc = rows_write(a, at, n, true, e);
    free(at);
    return rc;
}

static int write_rows(struct applying *a, const struct batch *b, struct err *e)
{
    size_t i;

    if (b->n == 0)
        return 0;
    /* An attempt before this one may have decided on some again. */
    for (i = 0; i < b->n; i++)
        a->c[b->at[i]].outcome = OUTCOME_PLANNED;
    if (rows_write(a, b->at, b->n, false, e) != 0)
        return -1;
    return a->o->single_transaction && !a->broken ? write_leftovers(a, b, e) : 0;
}

/* ---- the journal ---- */

static int take_xid(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    int64_t *xid = ctx;

    (void)n;
    (void)e;
    *xid = pg_get_int(v[0], -1);
    return 0;
}

/* What the journal will be told: which transaction has written the batch. */
static int tell_later(struct applying *a, const struct batch *b, struct err *e)
{
    struct pg_query q = {"read the transaction's id", sql_xid, NULL, 0, take_xid, &a->xid};
    size_t i;

    a->untold = NULL;
    for (i = 0; i < b->n && !a->untold; i++) {
        if (a->o->journal && a->fate[b->at[i]] == FATE_WRITTEN)
            a->untold = b;
    }
    a->xid = -1;
    return a->untold ? pg_run(a->pg, &q, e) : 0;
}

int batch_tell(void *ctx, struct err *e)
{
    struct applying *a = ctx;
    const struct batch *b = a->untold;
    const struct apply_journal *j = a->o->journal;
    const struct correction **c;
    size_t i, n = 0;
    int rc;

    a->untold = NULL;
    if (!b)
        return 0;
    c = malloc(b->n * sizeof *c);
    if (!c)
        return err_oom(e);
    for (i = 0; i < b->n; i++) {
        struct correction *w = &a->c[b->at[i]];

        if (a->fate[b->at[i]] != FATE_WRITTEN)
            continue;
        w->ascii_error = a->ascii_errors && !slice_eq(w->before.error, w->after.error);
        c[n++] = w;
    }
    rc = j->intent(j->ctx, a->xid, c, n, e);
    a->told = rc == 0;
    free(c);
    return rc;
}

/* The batch is certainly not in the database. */
static void take_back(struct applying *a)
{
    if (a->told)
        a->o->journal->withdrawn(a->o->journal->ctx);
    a->told = false;
}

static size_t count_written(const struct applying *a, const struct batch *b)
{
    size_t i, n = 0;

    for (i = 0; i < b->n; i++)
        n += a->fate[b->at[i]] == FATE_WRITTEN;
    return n;
}

static enum batch_result attempt(struct applying *a, struct batch *b, struct err *e)
{
    bool unknown = false;

    a->broken = a->blocked = a->told = false;
    if (begin(a, e) != 0 || write_rows(a, b, e) != 0)
        return BATCH_FAILED;
    if (!a->broken && counters_write(a, b, e) != 0)
        return BATCH_FAILED;
    if (a->broken)
        return BATCH_AGAIN;
    if (tell_later(a, b, e) != 0 || effects_write(a, b, e) != 0 || batch_tell(a, e) != 0)
        return BATCH_FAILED;
    if (a->blocked)
        return BATCH_AGAIN;
    if (pg_commit(a->pg, &unknown, e) != 0) {
        a->told = a->told && !unknown;
        if (unknown) {
            char reason[sizeof e->text];

            memcpy(reason, e->text, sizeof reason);
            (void)err_set(e, EXIT_FAILED,
                          "%.900s; it is not known whether this batch of %zu correction(s) is "
                          "committed",
                          reason, count_written(a, b));
            a->sum->in_doubt = true;
        }
        return BATCH_FAILED;
    }
    a->halted = a->told && a->o->journal->committed(a->o->journal->ctx, e) != 0;
    return BATCH_COMMITTED;
}

/* An error text with letters that the database's encoding does not have must
 * not end the run: such texts are written without them from now on. */
static bool encoding_refused(struct applying *a)
{
    if (a->ascii_errors || strcmp(pg_sqlstate(a->pg), "22P05") != 0)
        return false;
    a->ascii_errors = true;
    log_warning("database \"%s\" is encoded in %s: error texts are written as ASCII",
                store_database(a->store), pg_server_encoding(a->pg));
    return true;
}

void name_lock(struct applying *a, size_t campaign)
{
    if (a->o->arena && a->lock[0])
        a->campaigns[campaign].lock = arena_dup(a->o->arena, a->lock, strlen(a->lock));
}

enum batch_result batch_write(struct applying *a, struct batch *b, struct err *e)
{
    struct err failure = ERR_INIT;
    int tries = 0;

    for (;;) {
        enum batch_result r = attempt(a, b, &failure);

        if (r == BATCH_COMMITTED) {
            if (a->halted)
                *e = failure;
            return r;
        }
        pg_rollback(a->pg);
        take_back(a);
        if (r == BATCH_AGAIN)
            return r;
        if (encoding_refused(a))
            continue;
        if (!pg_retryable(a->pg)) {
            *e = failure;
            return BATCH_FAILED;
        }
        log_detail("%s; attempt %d of %d", failure.text, tries + 1, a->o->retries + 1);
        if (tries >= a->o->retries) {
            (void)snprintf(a->lock, sizeof a->lock, "%s", failure.text);
            return BATCH_BUSY;
        }
        if (back_off(a, tries++, e) != 0)
            return BATCH_FAILED;
    }
}
