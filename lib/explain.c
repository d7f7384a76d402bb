#include "explain.h"

#include <stdlib.h>

void explain_init(struct explain *x, const char *message_id)
{
    memset(x, 0, sizeof *x);
    x->message_id = message_id ? slice_of(message_id) : SLICE_NONE;
}

void explain_release(struct explain *x)
{
    free(x->event);
    free(x->row);
    arena_release(&x->arena);
}

const char *explain_event_name(enum status_meaning what)
{
    return what == MEANS_PENDING ? "pending" : milestone_name((enum milestone)what);
}

static int keep(struct explain *x, struct slice *s, struct err *e)
{
    if (!s->p)
        return 0;
    s->p = arena_dup(&x->arena, s->p, s->n);
    return s->p ? 0 : err_oom(e);
}

/* ---- events ---- */

static int add_event(struct explain *x, const struct explain_event *ev, struct err *e)
{
    struct explain_event *at;

    if (x->events == x->event_cap) {
        size_t cap = x->event_cap ? 2 * x->event_cap : 16;
        struct explain_event *grown = realloc(x->event, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        x->event = grown;
        x->event_cap = cap;
    }
    at = &x->event[x->events];
    *at = *ev;
    if (keep(x, &at->instance, e) < 0 || keep(x, &at->error, e) < 0)
        return -1;
    x->events++;
    return 0;
}

int explain_see(struct explain *x, const struct event *ev, uint32_t archive, uint64_t record,
                struct err *e)
{
    const struct explain_event seen = {.instance = ev->instance,
                                       .error = ev->error,
                                       .time = ev->time,
                                       .record = record,
                                       .archive = archive,
                                       .what = ev->what,
                                       .approximate = ev->approximate};

    return slice_eq(ev->message_id, x->message_id) ? add_event(x, &seen, e) : 0;
}

static bool has_seen(const struct explain *x, const struct explain_event *ev)
{
    size_t i;

    for (i = 0; i < x->events; i++) {
        const struct explain_event *y = &x->event[i];

        if (y->archive == ev->archive && y->record == ev->record && y->what == ev->what &&
            y->time == ev->time && slice_eq(y->instance, ev->instance))
            return true;
    }
    return false;
}

int explain_see_evidence(struct explain *x, struct slice instance, struct slice message_id,
                         const struct evidence *evidence, struct err *e)
{
    int m;

    if (!slice_eq(message_id, x->message_id))
        return 0;
    for (m = 0; m < M_COUNT; m++) {
        const struct sighting *s = &evidence->at[m];
        const struct explain_event seen = {.instance = instance,
                                           .error = m == M_FAILED ? evidence->error : SLICE_NONE,
                                           .time = s->time,
                                           .record = s->record,
                                           .archive = s->archive,
                                           .what = (enum status_meaning)m,
                                           .approximate = s->approximate};

        if ((evidence->seen & M_BIT(m)) && !has_seen(x, &seen) && add_event(x, &seen, e) < 0)
            return -1;
    }
    return 0;
}

/* What by_time compares with. */
struct order {
    const struct names *archives;
};

static int by_time(const void *a, const void *b, void *ctx)
{
    const struct explain_event *x = a, *y = b;
    const struct names *names = ((const struct order *)ctx)->archives;
    int c = (x->time > y->time) - (x->time < y->time);

    if (c == 0)
        c = slice_cmp(names->name[x->archive], names->name[y->archive]);
    if (c == 0)
        c = (x->record > y->record) - (x->record < y->record);
    if (c == 0)
        c = (x->what > y->what) - (x->what < y->what);
    if (c == 0)
        c = slice_cmp(x->instance, y->instance);
    return c ? c : slice_cmp(x->error, y->error);
}

void explain_events(struct explain *x, const struct names *archives)
{
    struct order order = {archives};

    if (x->events > 0)
        qsort_r(x->event, x->events, sizeof *x->event, by_time, &order);
}

/* ---- rules ---- */

/* The instances whose evidence speaks for the row. */
static void mark_used(struct explain *x, const struct judge *j, const struct match *m)
{
    const struct speaker *s;
    size_t i;

    for (s = m ? m->speaker : NULL; s; s = s->next) {
        for (i = 0; i < x->events; i++) {
            if (slice_eq(x->event[i].instance, j->matches->source[s->source].name))
                x->event[i].used = true;
        }
    }
}

static bool any_unused(const struct explain *x)
{
    size_t i;

    for (i = 0; i < x->events; i++) {
        if (!x->event[i].used)
            return true;
    }
    return false;
}

/* "sent (row, evidence), delivered (follows from read)" */
static void put_known(struct buf *b, const struct judge_verdict *v, const struct row_state *before)
{
    uint8_t row = row_counts(before), seen = v->evidence ? v->evidence->seen : 0, all;
    const char *comma = "";
    int m;

    if (v->policy.rebuild && !v->policy.by_merge)
        row = before->at[M_SENT] != TIME_NONE || before->status != ROW_SENDING ? M_BIT(M_SENT) : 0;
    all = row | seen;
    for (m = 0; m < M_COUNT; m++) {
        bool follows = (m == M_SENT && (all & (M_BIT(M_DELIVERED) | M_BIT(M_READ)))) ||
                       (m == M_DELIVERED && (all & M_BIT(M_READ)));

        if (!(all & M_BIT(m)) && !follows)
            continue;
        buf_addf(b, "%s%s (%s%s%s)", comma, milestone_name((enum milestone)m),
                 row & M_BIT(m) ? "row" : "", (row & seen & M_BIT(m)) ? ", " : "",
                 seen & M_BIT(m)       ? "evidence"
                 : row & M_BIT(m)      ? ""
                 : all & M_BIT(M_READ) ? "follows from read"
                                       : "follows from delivered");
        comma = ", ";
    }
    if (!*comma)
        buf_adds(b, "nothing");
}

/* Where a time that changes comes from. */
static void put_times(struct buf *b, const struct judge_verdict *v, const struct row_state *before)
{
    static const char *const column[M_COUNT] = {"sent_at", "delivered_at", "read_at", "failed_at"};
    int m;

    for (m = 0; m < M_COUNT; m++) {
        int64_t after = v->decision.after.at[m];

        if (after == before->at[m])
            continue;
        buf_addf(b, "; %s ", column[m]);
        if (after == TIME_NONE)
            buf_adds(b, "is cleared, as nothing proves it");
        else if (v->evidence && (v->evidence->seen & M_BIT(m)) && v->evidence->at[m].time == after)
            buf_adds(b, v->evidence->at[m].approximate ? "is the approximate time of the evidence"
                                                       : "is that of the evidence");
        else
            buf_addf(b, "is taken from the final %s",
                     m == M_SENT && after == v->decision.after.at[M_DELIVERED] ? "delivered_at"
                                                                               : "read_at");
    }
}

static void put_decided(struct buf *b, const struct judge_verdict *v,
                        const struct row_state *before)
{
    const struct decision *d = &v->decision;

    buf_adds(b, v->policy.rebuild
                    ? v->policy.by_merge ? "rebuild, but this row by merge" : "rebuild"
                    : "merge");
    if (v->doubtful)
        buf_adds(b,
                 " (some evidence of this id is ambiguous, or of an instance that may not speak)");
    buf_adds(b, ": known are ");
    put_known(b, v, before);
    if (d->after.status == ROW_FAILED)
        buf_addf(b, "; failed wins (--failed-wins %s)",
                 v->policy.failed_unless_delivered ? "unless-delivered" : "always");
    else
        buf_addf(b, "; the highest is %s", row_status_name(d->after.status));
    put_times(b, v, before);
    if (d->cause == CAUSE_NONE)
        buf_adds(b, "; the row says so already");
    else
        buf_addf(b, "; %s", cause_name(d->cause));
}

static void put_rule(struct buf *b, const struct explain *x, const struct judge *j,
                     const struct store_row *now, const struct judge_verdict *v)
{
    bool seen = v->evidence != NULL;

    if (x->events > 0 && !seen)
        buf_adds(b, v->doubtful
                        ? "what was seen is ambiguous, or of an instance that may not speak "
                          "for this row. "
                        : "what was seen does not speak for this row. ");
    else if (seen && any_unused(x))
        buf_adds(b, "what some instances say does not speak for this row. ");
    if (idmap_find(&j->scope, now->campaign) == IDMAP_NONE)
        buf_adds(b, "out of scope: its campaign is not one that this run decides");
    else if (now->state.status == ROW_UNKNOWN)
        buf_adds(b, "left alone: its status is not known");
    else if (now->state.status == ROW_PENDING)
        buf_adds(b, seen ? "requeued: a pending row is never corrected"
                         : "a pending row is never corrected");
    else if (v->decision.left_alone)
        buf_adds(b, "left alone: nothing proves that a sending row was sent");
    else
        put_decided(b, v, &now->state);
    if (v->deferred)
        buf_adds(b, "; deferred to the next run: younger than --settle");
}

/* ---- rows ---- */

struct reading {
    struct explain *x;
    struct judge *j;
    struct ident *id;
    size_t n, cap;
};

static int on_found(void *ctx, const struct store_row *r, struct err *e)
{
    struct reading *g = ctx;

    if (!slice_eq(r->message_id, g->x->message_id))
        return 0;
    if (g->n == g->cap) {
        size_t cap = g->cap ? 2 * g->cap : 4;
        struct ident *grown = realloc(g->id, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        g->id = grown;
        g->cap = cap;
    }
    g->id[g->n++] = r->id;
    return 0;
}

static int add_row(struct explain *x, const struct explain_row *r, struct err *e)
{
    if (x->rows == x->row_cap) {
        size_t cap = x->row_cap ? 2 * x->row_cap : 4;
        struct explain_row *grown = realloc(x->row, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        x->row = grown;
        x->row_cap = cap;
    }
    x->row[x->rows++] = *r;
    return 0;
}

static int on_row(void *ctx, const struct store_row *now, struct err *e)
{
    struct reading *g = ctx;
    struct explain *x = g->x;
    struct judge_verdict v;
    struct explain_row r = {.id = now->id, .campaign = now->campaign, .status = now->status};
    struct buf rule = BUF_INIT;
    bool in_scope = idmap_find(&g->j->scope, now->campaign) != IDMAP_NONE;
    int status = -1;

    if (g->j->o->waits && g->j->o->waits(g->j->o->waits_ctx, now->id))
        return 0;
    if (judge_row(g->j, now, &v, e) < 0)
        return -1;
    mark_used(x, g->j, v.match);
    put_rule(&rule, x, g->j, now, &v);
    r.spoken_for = v.evidence != NULL;
    r.before = now->state;
    r.after = in_scope && !v.deferred ? v.decision.after : now->state;
    r.cause = in_scope && !v.deferred ? v.decision.cause : CAUSE_NONE;
    r.approximate = r.cause != CAUSE_NONE ? v.decision.approximate : 0;
    r.rule = (struct slice){buf_str(&rule), rule.len};
    if (rule.failed)
        (void)err_oom(e);
    else if (keep(x, &r.status, e) == 0 && keep(x, &r.before.error, e) == 0 &&
             keep(x, &r.after.error, e) == 0 && keep(x, &r.rule, e) == 0)
        status = add_row(x, &r, e);
    buf_release(&rule);
    return status;
}

static int by_use(const void *a, const void *b)
{
    const struct explain_row *x = a, *y = b;

    if (x->spoken_for != y->spoken_for)
        return x->spoken_for ? -1 : 1;
    return ident_cmp(x->id, y->id);
}

int explain_rows(struct explain *x, struct judge *j, struct store *s, const struct names *archives,
                 struct err *e)
{
    struct reading g = {.x = x, .j = j};
    int status = -1;

    if (x->rows > 0 && x->row[0].cause != CAUSE_NONE)
        return 0;
    x->rows = 0;
    explain_events(x, archives);
    if (store_find_rows(s, &x->message_id, 1, on_found, &g, e) == 0 &&
        (g.n == 0 || store_read_rows_by_id(s, g.id, g.n, on_row, &g, e) == 0))
        status = 0;
    free(g.id);
    if (x->rows > 0)
        qsort(x->row, x->rows, sizeof *x->row, by_use);
    x->rule =
        x->rows > 0 ? x->row[0].rule : slice_of("no row of the database bears this message id");
    return status;
}
