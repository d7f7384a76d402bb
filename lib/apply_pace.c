#include "apply_batch.h"

#include "log.h"
#include "sql.h"

#define SIZE_FIRST 1000
#define SIZE_LEAST 100
#define LAG_INTERVAL INT64_C(200000) /* µs between looks at the standbys */

/* ---- how much at once ---- */

/* Not more than twice or half of what it was, as one batch may be an odd one:
 * that which counts a large campaign, or waits for somebody's lock. */
void pace_adapt(struct applying *a, size_t n, double seconds)
{
    double wanted = (double)a->o->batch_time / (double)US_PER_SECOND;
    double factor = seconds > 0 ? wanted / seconds : 2;
    size_t size;

    if (a->o->batch_time == 0 || a->o->single_transaction || n == 0)
        return;
    if (n < a->size && factor > 1)
        return; /* a small one tells nothing of larger ones */
    factor = factor > 2 ? 2 : factor < 0.5 ? 0.5 : factor;
    size = (size_t)((double)a->size * factor);
    a->size = size < SIZE_LEAST ? SIZE_LEAST : size;
    if (a->size > a->o->batch)
        a->size = a->o->batch;
}

/* ---- standbys ---- */

static int take_number(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    int64_t *number = ctx;

    (void)n;
    (void)e;
    *number = v[0].n == 1 ? pg_get_bool(v[0]) : pg_get_int(v[0], -1);
    return 0;
}

static int ask(struct applying *a, const char *what, const char *sql, int64_t *number,
               struct err *e)
{
    struct pg_query q = {what, sql, NULL, 0, take_number, number};

    *number = -1;
    return pg_run(a->pg, &q, e);
}

int pace_prepare(struct applying *a, struct err *e)
{
    int64_t allowed;

    a->size = a->o->batch;
    if (a->o->batch_time > 0 && a->size > SIZE_FIRST)
        a->size = SIZE_FIRST;
    if (a->o->max_lag == 0)
        return 0;
    if (ask(a, "look at the role's rights", sql_lag_allowed, &allowed, e) != 0)
        return -1;
    if (allowed == 1)
        return 0;
    return err_set(e, EXIT_USAGE,
                   "--max-lag: the role may not see how far standbys are; grant it "
                   "pg_read_all_stats");
}

static int mark_position(struct applying *a, struct err *e)
{
    struct lag_mark m = {.at = clock_monotonic()};

    if (ask(a, "read the position of the log", sql_lag_position, &m.lsn, e) != 0)
        return -1;
    a->mark[a->n_marks++ % LAG_MARKS] = m;
    return 0;
}

/* What every standby has to have replayed by now: the latest of our marks that
 * is old enough. Where all are younger than that, nothing; where marks were
 * overwritten, the oldest that is left, which asks for more. */
static int64_t due(const struct applying *a)
{
    double limit = clock_monotonic() - (double)a->o->max_lag / (double)US_PER_SECOND;
    size_t i, oldest = a->n_marks > LAG_MARKS ? a->n_marks - LAG_MARKS : 0;

    for (i = a->n_marks; i > oldest; i--) {
        if (a->mark[(i - 1) % LAG_MARKS].at <= limit)
            return a->mark[(i - 1) % LAG_MARKS].lsn;
    }
    return oldest > 0 ? a->mark[oldest % LAG_MARKS].lsn : 0;
}

static int wait_for_standbys(struct applying *a, struct err *e)
{
    int64_t replayed;

    for (;;) {
        if (ask(a, "look at the standbys", sql_lag_behind, &replayed, e) != 0)
            return -1;
        if (replayed < 0 || replayed >= due(a))
            return 0;
        if (!a->lag_told)
            log_note("a standby is more than %lld s behind: waiting for it",
                     (long long)(a->o->max_lag / US_PER_SECOND));
        a->lag_told = true;
        if (pg_pause(a->pg, LAG_INTERVAL, e) != 0)
            return -1;
    }
}

int pace_wait(struct applying *a, bool last, struct err *e)
{
    if (a->o->max_lag > 0 && mark_position(a, e) != 0)
        return -1;
    if (last)
        return 0;
    if (a->o->pause > 0 && pg_pause(a->pg, a->o->pause, e) != 0)
        return -1;
    return a->o->max_lag > 0 ? wait_for_standbys(a, e) : 0;
}
