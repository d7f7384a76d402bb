#include "report_formats.h"

#include <inttypes.h>

/* What a run amounts to. */
struct sums {
    uint64_t locked;                 /* campaigns whose counters could not be written */
    uint64_t corrections, campaigns; /* written, or would be */
    uint64_t left;                   /* corrections left alone */
    uint64_t conflicts, busy;        /* ... of these, for being so */
};

static bool all_applied(const struct run *r)
{
    return r->applied && !r->refused;
}

const char *report_kind(const struct run *r)
{
    if (r->offline)
        return "offline";
    if (!r->apply)
        return "dry run";
    return r->refused ? "refused" : r->failure ? "failed" : "applied";
}

/* ---- items ---------------------------------------------------------------------- */

static void add(struct report_items *list, int depth, const char *label, uint64_t n,
                const char *note)
{
    list->item[list->n++] = (struct report_item){depth, label, n, note};
}

/* An item that is worth a line only if there are any. */
static void add_any(struct report_items *list, int depth, const char *label, uint64_t n,
                    const char *note)
{
    if (n > 0)
        add(list, depth, label, n, note);
}

/* Rejections in the order in which a record meets them. */
static void add_rejected(struct report_items *list, const struct event_counts *c, uint64_t rejected)
{
    static const enum reject order[] = {REJECT_INVALID_JSON, REJECT_TOO_LARGE, REJECT_MISSING_FIELD,
                                        REJECT_UNKNOWN_STATUS};

    add(list, 2, "rejected", rejected, NULL);
    for (size_t i = 0; i < sizeof order / sizeof order[0]; i++)
        add_any(list, 3, reject_name(order[i]), c->rejected[order[i]], NULL);
}

void report_input_items(const struct run_input *in, struct report_items *list)
{
    const struct event_counts *c = &in->events;
    uint64_t rejected = 0;

    list->n = 0;
    for (int i = 0; i < REJECT_COUNT; i++)
        rejected += c->rejected[i];
    if (in->archives + in->archives_damaged + in->requests + c->records == 0)
        return; /* an audit, or nothing but evidence folded before */
    add(list, 1, "archives", in->archives, NULL);
    add_any(list, 2, "damaged", in->archives_damaged, NULL);
    add_any(list, 2, "growing", in->archives_growing, "still being written");
    add(list, 1, "bytes", in->bytes, NULL);
    add(list, 2, "as stored", in->bytes_compressed, NULL);
    add_any(list, 1, "requests", in->requests, NULL);
    add_any(list, 2, "failed", in->requests_failed, NULL);
    add(list, 1, "records", c->records, NULL);
    add(list, 1, "bodies", c->bodies, "webhooks in the records");
    add(list, 1, "updates", c->updates, "of messages in the bodies");
    add(list, 1, "outcomes", c->status_events + c->ignored + rejected, "what became of them");
    add(list, 2, "status events", c->status_events, NULL);
    add(list, 2, "ignored", c->ignored, NULL);
    add_rejected(list, c, rejected);
}

static void add_matched(struct report_items *list, const struct run_messages *m)
{
    uint64_t with = m->updated - m->updated_without_evidence;
    uint64_t told = with + m->already_processed + m->requeued + m->deferred;

    add(list, 1, "matched", m->matched, "rows that evidence speaks for");
    add(list, 2, "updated", with, NULL);
    add(list, 2, "already processed", m->already_processed, NULL);
    add(list, 2, "requeued", m->requeued, NULL);
    add(list, 2, "deferred", m->deferred, NULL);
    if (m->matched > told)
        add(list, 2, "left alone", m->matched - told, NULL);
}

void report_message_items(const struct run *r, struct report_items *list)
{
    const struct run_messages *m = &r->messages;

    list->n = 0;
    add(list, 1, "distinct", m->distinct, "by instance and message id");
    if (r->offline)
        return;
    add(list, 2, "used", m->used, NULL);
    add(list, 2, "not campaign message", m->not_campaign_message, NULL);
    add(list, 2, "ambiguous", m->ambiguous, NULL);
    add(list, 2, "instance mismatch", m->instance_mismatch, NULL);
    add_matched(list, m);
    add(list, 1, "updated", m->updated, all_applied(r) ? "rows" : "rows, if this were applied");
    add(list, 2, "with evidence", m->updated - m->updated_without_evidence, NULL);
    add(list, 2, "without evidence", m->updated_without_evidence, NULL);
    add(list, 1, "regressions", m->regressions, NULL);
    add_any(list, 1, "unsettled, not asked", m->unsettled_not_asked, NULL);
    add_any(list, 1, "conflicts", m->conflicts, "moved meanwhile, left alone");
    add_any(list, 1, "busy", m->busy, "locked to the end, left alone");
}

/* ---- the conclusion --------------------------------------------------------------- */

uint64_t report_differing_campaigns(const struct run *r)
{
    uint64_t n = 0;

    for (size_t i = 0; i < r->campaigns; i++)
        n += r->campaign[i].corrections > 0 || campaign_differs(&r->campaign[i], r->fix_total);
    return n;
}

static struct sums sum_up(const struct run *r)
{
    struct sums s = {0};

    for (size_t i = 0; i < r->corrections; i++) {
        enum outcome o = r->correction[i].outcome;

        s.corrections +=
            report_counts_correction(&r->correction[i]) && !(r->refused && o == OUTCOME_WRITTEN);
        s.conflicts += o == OUTCOME_CONFLICT;
        s.busy += o == OUTCOME_BUSY;
        s.left += o == OUTCOME_CONFLICT || o == OUTCOME_BUSY || o == OUTCOME_LEFT;
    }
    for (size_t i = 0; i < r->campaigns; i++) {
        const struct campaign_result *c = &r->campaign[i];

        s.locked += r->applied && c->busy;
        s.campaigns += all_applied(r)
                           ? c->written
                           : !c->written && !c->left_alone && (campaign_differs(c, r->fix_total));
    }
    return s;
}

/* "12 corrections and 3 campaigns' counters" */
static void put_amount(struct buf *b, const struct sums *s)
{
    buf_addf(b, "%" PRIu64 " correction%s and %" PRIu64 " campaign%s counters", s->corrections,
             s->corrections == 1 ? "" : "s", s->campaigns, s->campaigns == 1 ? "'s" : "s'");
}

static void put_left(struct buf *b, const struct run *r, const struct sums *s)
{
    uint64_t with_campaign = s->left - s->conflicts - s->busy;
    const char *comma = "";

    if (s->left == 0)
        return;
    buf_addf(b, "%" PRIu64 " correction%s %sleft alone (", s->left, s->left == 1 ? "" : "s",
             !r->applied    ? "would be "
             : s->left == 1 ? "was "
                            : "were ");
    if (s->conflicts > 0) {
        buf_addf(b, "%" PRIu64 " moved", s->conflicts);
        comma = ", ";
    }
    if (s->busy > 0) {
        buf_addf(b, "%s%" PRIu64 " busy", comma, s->busy);
        comma = ", ";
    }
    if (with_campaign > 0)
        buf_addf(b, "%s%" PRIu64 " with the campaign", comma, with_campaign);
    buf_adds(b, ")\n");
}

void report_conclusion(struct buf *b, const struct run *r)
{
    struct sums s = sum_up(r);
    bool any = s.corrections > 0 || s.campaigns > 0;

    if (r->offline) {
        buf_adds(b, "no database was asked\n");
        return;
    }
    if (r->failure)
        buf_addf(b, "%s\n", r->failure);
    if (!any && r->failure) {
        buf_adds(b, "nothing was learned that would correct anything\n");
    } else if (!any) {
        buf_adds(b,
                 s.left > 0 || s.locked > 0 ? "nothing else to correct\n" : "nothing to correct\n");
    } else if (all_applied(r)) {
        put_amount(b, &s);
        buf_adds(b, " written\n");
        if (r->verified)
            buf_adds(b, "verified: decided again, and nothing is left\n");
    } else if (r->apply) {
        buf_addf(b, "refused: nothing %swas written of ", r->applied ? "more " : "");
        put_amount(b, &s);
        buf_addc(b, '\n');
    } else {
        put_amount(b, &s);
        buf_adds(b, " would be written; nothing was\n");
    }
    put_left(b, r, &s);
    if (s.locked > 0)
        buf_addf(b, "%" PRIu64 " campaign%s counters were not written: locked to the end\n",
                 s.locked, s.locked == 1 ? "'s" : "s'");
}

const char *report_command_use(const struct run *r)
{
    struct sums s = sum_up(r);

    if (!r->command || r->offline)
        return NULL;
    if (!r->applied)
        return s.corrections > 0 || s.campaigns > 0 ? "write them" : NULL;
    return all_applied(r) ? "undo them" : "undo what was written before";
}
