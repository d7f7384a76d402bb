#include "judge.h"

#include <stdlib.h>

#define PROGRESS_ROWS 4096 /* between two counts for whoever looks on */

#define CLOCK_ROWS_MIN 5
#define CLOCK_SLACK (10 * 60 * US_PER_SECOND)

static int clocks_init(struct judge *j, struct err *e)
{
    const struct match_table *t = j->matches;
    struct buf b = BUF_INIT;
    uint32_t i;
    int status = -1;

    j->clock_of = calloc((size_t)t->sources + 1, sizeof *j->clock_of);
    j->clock = calloc((size_t)t->sources + 1, sizeof *j->clock);
    if (!j->clock_of || !j->clock) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < t->sources; i++) {
        uint32_t c = directory_fold_name(&b, t->source[i].name)
                         ? names_add(&j->clock_names, (struct slice){b.data, b.len})
                         : NAMES_NONE;

        if (c == NAMES_NONE ||
            (t->source[i].lag && histogram_merge(&j->clock[c].lag, t->source[i].lag) < 0)) {
            (void)err_oom(e);
            goto out;
        }
        j->clock_of[i] = c;
    }
    status = 0;
out:
    buf_release(&b);
    return status;
}

int judge_init(struct judge *j, const struct judge_options *o, const struct directory *d,
               const struct match_table *matches, struct run *run, struct err *e)
{
    size_t i;

    memset(j, 0, sizeof *j);
    j->o = o;
    j->matches = matches;
    j->run = run;
    for (i = 0; i < run->campaigns; i++) {
        if (idmap_add(&j->scope, run->campaign[i].id, (uint32_t)i) == IDMAP_NONE)
            return err_oom(e);
    }
    if (gapbook_init(&j->gaps, d, e) < 0)
        return -1;
    return matches ? clocks_init(j, e) : 0;
}

void judge_release(struct judge *j)
{
    uint32_t i;

    for (i = 0; j->clock && i < j->clock_names.n; i++) {
        histogram_release(&j->clock[i].early_by);
        histogram_release(&j->clock[i].lag);
    }
    free(j->clock);
    free(j->clock_of);
    names_release(&j->clock_names);
    tally_release(&j->unknown);
    gapbook_release(&j->gaps);
    idmap_release(&j->scope);
    arena_release(&j->arena);
}

/* --- one row --- */

static bool has_id(struct slice id)
{
    return id.n > 0;
}

/* Is the row, or what is known of it, so young that a webhook may be on its way? */
static bool is_young(const struct judge *j, const struct row_state *r, const struct evidence *ev)
{
    int64_t limit = j->o->now - j->o->settle;
    int m;

    if (j->o->settle == 0)
        return false;
    if (r->at[M_SENT] != TIME_NONE && r->at[M_SENT] > limit)
        return true;
    for (m = 0; ev && m < M_COUNT; m++) {
        if ((ev->seen & M_BIT(m)) && !ev->at[m].approximate && ev->at[m].time > limit)
            return true;
    }
    return false;
}

int judge_row(struct judge *j, const struct store_row *r, struct judge_verdict *v, struct err *e)
{
    const struct match *m = j->matches ? match_find(j->matches, r->id, r->message_id) : NULL;
    const struct evidence *ev = m && m->speaker ? &m->evidence : NULL;
    char *scratch = NULL;

    *v = (struct judge_verdict){
        .match = m, .evidence = ev, .policy = j->o->policy, .doubtful = m && m->doubtful};
    v->policy.by_merge = !has_id(r->message_id) || v->doubtful;
    if (ev && ev->error.p && memchr(ev->error.p, '\0', ev->error.n)) {
        scratch = arena_alloc(&j->arena, ev->error.n);
        if (!scratch)
            return err_oom(e);
    }
    decide(&r->state, ev, &v->policy, scratch, &v->decision);
    v->deferred = v->decision.cause != CAUSE_NONE && is_young(j, &r->state, ev);
    return 0;
}

static int keep_text(struct judge *j, struct slice *s, struct err *e)
{
    if (!s->p)
        return 0;
    s->p = arena_dup(&j->arena, s->p, s->n);
    return s->p ? 0 : err_oom(e);
}

static int fill_correction(struct judge *j, struct correction *c, const struct store_row *r,
                           const struct evidence *ev, const struct decision *d, struct err *e)
{
    c->id = r->id;
    c->campaign = r->campaign;
    c->message_id = r->message_id;
    c->before = r->state;
    c->after = d->after;
    c->evidence = ev;
    c->cause = d->cause;
    c->outcome = OUTCOME_PLANNED;
    c->approximate = d->approximate;
    c->regression = d->regression;
    c->ascii_error = false;
    if (keep_text(j, &c->message_id, e) < 0 || keep_text(j, &c->before.error, e) < 0)
        return -1;
    if (d->after.error.p == r->state.error.p)
        c->after.error = c->before.error;
    else
        return keep_text(j, &c->after.error, e);
    return 0;
}

static int add_correction(struct judge *j, const struct store_row *r, size_t campaign,
                          const struct evidence *ev, const struct decision *d, struct err *e)
{
    struct run *run = j->run;
    struct correction *c;

    if (run->corrections == j->cap) {
        size_t cap = j->cap ? j->cap * 2 : 1024;
        struct correction *p = realloc(run->correction, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        run->correction = p;
        j->cap = cap;
    }
    c = &run->correction[run->corrections];
    c->campaign_index = campaign;
    c->place = j->rows;
    if (fill_correction(j, c, r, ev, d, e) < 0)
        return -1;
    run->corrections++;
    run->campaign[campaign].corrections++;
    return 0;
}

/* Looks at the clocks of those who spoke for a row. */
static int judge_clocks(struct judge *j, const struct match *m, int64_t sent_at, struct err *e)
{
    const struct speaker *s;

    for (s = m->speaker; s; s = s->next) {
        struct judge_clock *c = &j->clock[j->clock_of[s->source]];
        int64_t by;

        if (s->exact == TIME_NONE)
            continue;
        c->rows++;
        if (sent_at == TIME_NONE || s->exact + CLOCK_SLACK >= sent_at) /* it may be -infinity */
            continue;
        c->early++;
        if (__builtin_sub_overflow(sent_at, s->exact,
                                   &by)) /* infinity, and states of before 1970 */
            by = INT64_MAX;
        if (histogram_add(&c->early_by, by, 1) < 0)
            return err_oom(e);
    }
    return 0;
}

/* Enters a sent row, as it will be, among the messages of its instance. */
static int book(struct judge *j, const struct store_row *r, const struct row_state *final,
                const struct evidence *ev, struct err *e)
{
    const uint8_t receipts = M_BIT(M_DELIVERED) | M_BIT(M_READ) | M_BIT(M_FAILED);
    bool proven = ev && (ev->seen & receipts);

    if (r->state.at[M_SENT] == TIME_NONE)
        return 0;
    return gapbook_add(&j->gaps, r, proven || (row_counts(final) & receipts), proven, e);
}

/* What became of a row that evidence speaks for and that is not corrected. */
static void count_matched(struct run_messages *n, const struct store_row *r, bool deferred)
{
    n->matched++;
    if (r->state.status == ROW_PENDING)
        n->requeued++;
    else if (!deferred)
        n->already_processed++;
}

static int on_row(void *ctx, const struct store_row *r, struct err *e)
{
    struct judge *j = ctx;
    uint32_t campaign = idmap_find(&j->scope, r->campaign);
    struct run_messages *n = &j->run->messages;
    const struct row_state *final;
    struct judge_verdict v;
    bool corrected;

    if (campaign == IDMAP_NONE)
        return 0; /* a campaign that appeared between two reads of a run without snapshot */
    if (++j->rows % PROGRESS_ROWS == 0)
        progress_set(j->o->progress, j->rows, 0);
    if (judge_row(j, r, &v, e) < 0)
        return -1;
    if (r->state.status == ROW_UNKNOWN && tally_add(&j->unknown, r->status, 1) < 0)
        return err_oom(e);
    if (j->o->waits && j->o->waits(j->o->waits_ctx, r->id)) {
        v.decision.cause = CAUSE_NONE;
        v.deferred = false;
    }
    n->deferred += v.deferred;
    corrected = v.decision.cause != CAUSE_NONE && !v.deferred;
    final = corrected ? &v.decision.after : &r->state;
    if (v.evidence && judge_clocks(j, v.match, r->state.at[M_SENT], e) < 0)
        return -1;
    counters_add(&j->run->campaign[campaign].recomputed, final);
    if (book(j, r, final, v.evidence, e) < 0)
        return -1;
    if (corrected) {
        if (v.evidence)
            n->matched++;
        return add_correction(j, r, campaign, v.evidence, &v.decision, e);
    }
    if (v.evidence)
        count_matched(n, r, v.deferred);
    return 0;
}

int judge_again(void *ctx, const struct store_row *now, struct correction *c, struct err *e)
{
    struct judge *j = ctx;
    struct judge_verdict v;

    if (judge_row(j, now, &v, e) < 0)
        return -1;
    if (v.decision.cause == CAUSE_NONE || v.deferred)
        return 0;
    return fill_correction(j, c, now, v.evidence, &v.decision, e) < 0 ? -1 : 1;
}

/* --- all rows --- */

int judge_rows(struct judge *j, struct store *s, bool all, struct err *e)
{
    struct run *run = j->run;
    struct ident *ids = malloc((run->campaigns + 1) * sizeof *ids);
    size_t i;
    int status;

    if (!ids)
        return err_oom(e);
    for (i = 0; i < run->campaigns; i++)
        ids[i] = run->campaign[i].id;
    status = gapbook_read_senders(&j->gaps, s, ids, run->campaigns, e);
    if (status == 0 && run->campaigns > 0)
        status = store_read_rows(s, all ? NULL : ids, run->campaigns, on_row, j, e);
    free(ids);
    progress_set(j->o->progress, j->rows, 0);
    if (status < 0)
        return -1;
    if (run->corrections > 0)
        qsort(run->correction, run->corrections, sizeof *run->correction, correction_cmp);
    for (i = 0; i < run->campaigns; i++)
        run->campaign[i].left_alone = !counters_in_order(&run->campaign[i].recomputed);
    return 0;
}

/* --- clocks --- */

static int32_t round_to_quarter(int32_t minutes)
{
    int32_t up = minutes >= 0 ? minutes + 7 : minutes - 7;

    return up / 15 * 15;
}

bool judge_clock_has_early_rows(const struct judge_clock *c)
{
    return 5 * c->early > c->rows;
}

bool judge_clock_is_wrong(const struct judge_clock *c, int32_t *minutes)
{
    int32_t lag, early;

    if (c->rows < CLOCK_ROWS_MIN)
        return false;
    if (histogram_median(&c->lag, &lag) && (lag >= 10 || lag < -10)) {
        *minutes = round_to_quarter(lag);
        return true;
    }
    if (judge_clock_has_early_rows(c) && histogram_median(&c->early_by, &early)) {
        *minutes = round_to_quarter(early);
        return true;
    }
    return false;
}
