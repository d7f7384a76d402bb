#include "report_formats.h"

#include "explain.h"
#include "jsonw.h"
#include "states.h"
#include "version.h"

#include <inttypes.h>

/* A member of an object of numbers. */
struct number {
    const char *name;
    uint64_t value;
};

#define NUMBERS(list) (list), sizeof(list) / sizeof(list)[0]

/* ---- layout: a line for each member of a section, and for each row of a list ---- */

/* Goes to the line of the next member or row. */
static void next_line(struct jsonw *w)
{
    buf_adds(w->b, w->fresh ? "\n    " : ",\n    ");
    w->fresh = true;
}

static void begin(struct jsonw *w, const char *name, char bracket)
{
    buf_addf(w->b, "  \"%s\": %c", name, bracket);
    w->fresh = true;
}

static void end(struct jsonw *w, const char *bracket)
{
    buf_adds(w->b, w->fresh ? "" : "\n  ");
    buf_adds(w->b, bracket);
}

/* The value comes next, without a key. */
static void put_key(struct jsonw *w, const char *name)
{
    next_line(w);
    buf_addf(w->b, "\"%s\": ", name);
}

static void put_numbers(struct jsonw *w, const struct number *list, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_key(w, list[i].name);
        jsonw_uint(w, NULL, list[i].value);
    }
}

static void put_ident(struct jsonw *w, const char *key, enum ident_kind kind, struct ident id)
{
    char text[IDENT_TEXT_SIZE];

    jsonw_text(w, key, ident_format(kind, id, text));
}

/* ---- sections ------------------------------------------------------------------ */

static void put_run(struct jsonw *w, const struct run *r)
{
    begin(w, "run", '{');
    put_key(w, "id");
    jsonw_text(w, NULL, r->id);
    put_key(w, "tool");
    jsonw_text(w, NULL, r->tool);
    put_key(w, "version");
    jsonw_text(w, NULL, VERSION);
    put_key(w, "mode");
    jsonw_text(w, NULL, r->rebuild ? "rebuild" : "merge");
    put_key(w, "applied");
    jsonw_bool(w, NULL, r->applied);
    put_key(w, "snapshot_at");
    jsonw_time(w, NULL, r->snapshot_at);
    put_key(w, "started_at");
    jsonw_time(w, NULL, r->started_at);
    put_key(w, "finished_at");
    jsonw_time(w, NULL, r->finished_at);
    end(w, "},\n");
}

static void put_raw(struct jsonw *w, struct slice text, uint64_t count)
{
    buf_adds(w->b, w->fresh ? "\n      " : ",\n      ");
    jsonw_string(w->b, text.p, text.n);
    buf_addf(w->b, ": %" PRIu64, count);
    w->fresh = false;
}

/* What the tally could not keep is "(other)", in its place in the order, and
 * added to a status that is really called so. */
static void put_raw_statuses(struct jsonw *w, const struct tally *t)
{
    const struct slice other = slice_of("(other)");
    uint64_t others = t->others;

    jsonw_object(w, NULL);
    for (size_t i = 0; i < t->n; i++) {
        struct slice text = {t->entry[i].text, t->entry[i].n};
        int c = slice_cmp(text, other);

        if (others > 0 && c > 0)
            put_raw(w, other, others);
        put_raw(w, text, t->entry[i].count + (c == 0 ? others : 0));
        if (c >= 0)
            others = 0;
    }
    if (others > 0)
        put_raw(w, other, others);
    buf_adds(w->b, w->fresh ? "" : "\n    ");
    jsonw_object_end(w);
}

static void put_input(struct jsonw *w, const struct run_input *in)
{
    const struct event_counts *c = &in->events;
    const struct number before[] = {
        {"archives", in->archives},
        {"archives_damaged", in->archives_damaged},
        {"archives_growing", in->archives_growing},
        {"bytes_compressed", in->bytes_compressed},
        {"bytes", in->bytes},
        {"records", c->records},
        {"bodies", c->bodies},
        {"updates", c->updates},
        {"status_events", c->status_events},
        {"ignored", c->ignored},
        {"invalid_json", c->rejected[REJECT_INVALID_JSON]},
        {"missing_field", c->rejected[REJECT_MISSING_FIELD]},
        {"unknown_status", c->rejected[REJECT_UNKNOWN_STATUS]},
        {"too_large", c->rejected[REJECT_TOO_LARGE]},
    };
    const struct number after[] = {
        {"requests", in->requests},
        {"requests_failed", in->requests_failed},
    };

    begin(w, "input", '{');
    put_numbers(w, NUMBERS(before));
    put_key(w, "raw_statuses");
    put_raw_statuses(w, &c->raw_statuses);
    put_numbers(w, NUMBERS(after));
    end(w, "},\n");
}

static void put_messages(struct jsonw *w, const struct run_messages *m)
{
    const struct number list[] = {
        {"distinct", m->distinct},
        {"used", m->used},
        {"matched", m->matched},
        {"not_campaign_message", m->not_campaign_message},
        {"ambiguous", m->ambiguous},
        {"instance_mismatch", m->instance_mismatch},
        {"requeued", m->requeued},
        {"deferred", m->deferred},
        {"unsettled_not_asked", m->unsettled_not_asked},
        {"already_processed", m->already_processed},
        {"updated", m->updated},
        {"updated_without_evidence", m->updated_without_evidence},
        {"regressions", m->regressions},
        {"conflicts", m->conflicts},
        {"busy", m->busy},
    };

    begin(w, "messages", '{');
    put_numbers(w, NUMBERS(list));
    end(w, "},\n");
}

static void put_mismatches(struct jsonw *w, const struct run *r)
{
    begin(w, "instance_mismatches", '[');
    for (size_t i = 0; i < r->mismatches; i++) {
        next_line(w);
        jsonw_object(w, NULL);
        jsonw_slice(w, "instance", r->mismatch[i].instance);
        jsonw_uint(w, "count", r->mismatch[i].count);
        jsonw_object_end(w);
    }
    end(w, "],\n");
}

static void put_causes(struct jsonw *w, const struct run *r)
{
    begin(w, "causes", '{');
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
        put_key(w, cause_name((enum cause)c));
        jsonw_uint(w, NULL, r->causes[c]);
    }
    end(w, "},\n");
}

/* What the database holds as NULL is null. */
static void put_counter(struct jsonw *w, const char *key, int64_t n)
{
    if (n < 0)
        jsonw_null(w, key);
    else
        jsonw_int(w, key, n);
}

static void put_counters(struct jsonw *w, const char *key, int64_t stored, int64_t recomputed)
{
    jsonw_object(w, key);
    put_counter(w, "stored", stored);
    put_counter(w, "recomputed", recomputed);
    jsonw_object_end(w);
}

static void put_rate(struct jsonw *w, const char *key, int64_t part, int64_t whole)
{
    jsonw_hundredths(w, key, (int64_t)report_rate(part, whole));
}

static void put_campaign(struct jsonw *w, const struct run *r, const struct campaign_result *c)
{
    const int64_t *count = c->recomputed.count;

    jsonw_object(w, NULL);
    put_ident(w, "id", r->kinds.campaign, c->id);
    jsonw_slice(w, "name", c->name);
    put_ident(w, "tenant_id", r->kinds.tenant, c->tenant);
    jsonw_uint(w, "corrections", c->corrections);
    jsonw_object(w, "counters");
    for (int m = 0; m < M_COUNT; m++)
        put_counters(w, milestone_name((enum milestone)m), c->stored.count[m], count[m]);
    put_counters(w, "total", c->stored.total, c->recomputed.total);
    jsonw_object_end(w);
    put_rate(w, "delivery_rate", count[M_DELIVERED], count[M_SENT]);
    put_rate(w, "read_rate", count[M_READ], count[M_DELIVERED]);
    jsonw_object_end(w);
}

static int put_campaigns(struct jsonw *w, const struct run *r, const struct report_options *o,
                         struct outfile *f, struct err *e)
{
    begin(w, "campaigns", '[');
    for (size_t i = 0; i < r->campaigns; i++) {
        if (!report_lists_campaign(r, o, &r->campaign[i]))
            continue;
        next_line(w);
        put_campaign(w, r, &r->campaign[i]);
        if (report_flush(w->b, false, f, e) < 0)
            return -1;
    }
    end(w, "],\n");
    return 0;
}

static void put_state(struct jsonw *w, const char *key, const struct row_state *s)
{
    jsonw_object(w, key);
    jsonw_text(w, "status", row_status_name(s->status));
    for (int m = 0; m < M_COUNT; m++)
        jsonw_time(w, report_time_name((enum milestone)m), s->at[m]);
    jsonw_slice(w, "error_message", s->error);
    jsonw_object_end(w);
}

static void put_evidence(struct jsonw *w, const struct names *archives, const struct evidence *ev)
{
    jsonw_raw(w, "evidence", slice_of(ev ? "" : "{}"));
    if (ev)
        states_put_evidence(w->b, archives, ev, EVIDENCE_PROVES(ev));
}

static void put_correction(struct jsonw *w, const struct run *r, const struct correction *c)
{
    jsonw_object(w, NULL);
    put_ident(w, "campaign_contact", r->kinds.contact, c->id);
    put_ident(w, "campaign", r->kinds.campaign, c->campaign);
    jsonw_slice(w, "message_id", c->message_id);
    jsonw_text(w, "cause", cause_name(c->cause));
    put_state(w, "before", &c->before);
    put_state(w, "after", &c->after);
    put_evidence(w, r->archives, c->evidence);
    jsonw_object_end(w);
}

static int put_corrections(struct jsonw *w, const struct run *r, const struct report_options *o,
                           struct outfile *f, struct err *e)
{
    begin(w, "corrections", '[');
    for (size_t i = 0; o->details && i < r->corrections; i++) {
        if (!report_counts_correction(&r->correction[i]))
            continue;
        next_line(w);
        put_correction(w, r, &r->correction[i]);
        if (report_flush(w->b, false, f, e) < 0)
            return -1;
    }
    end(w, "],\n");
    return 0;
}

static void put_gaps(struct jsonw *w, const struct run *r)
{
    begin(w, "gaps", '[');
    for (size_t i = 0; i < r->gaps; i++) {
        const struct run_gap *g = &r->gap[i];

        next_line(w);
        jsonw_object(w, NULL);
        jsonw_slice(w, "instance", g->instance);
        jsonw_time(w, "from", g->from);
        jsonw_time(w, "until", g->until);
        jsonw_uint(w, "messages_without_receipt", g->messages);
        jsonw_slice(w, "command", g->command);
        jsonw_object_end(w);
    }
    end(w, "],\n");
}

static void put_event(struct jsonw *w, const struct run *r, const struct explain_event *ev)
{
    jsonw_object(w, NULL);
    jsonw_slice(w, "instance", ev->instance);
    jsonw_text(w, "status", explain_event_name(ev->what));
    jsonw_time(w, "time", ev->time);
    jsonw_bool(w, "approximate", ev->approximate);
    jsonw_slice(w, "error", ev->error);
    jsonw_slice(w, "archive", r->archives->name[ev->archive]);
    jsonw_uint(w, "record", ev->record);
    jsonw_bool(w, "used", ev->used);
    jsonw_object_end(w);
}

static void put_explained_row(struct jsonw *w, const struct run *r, const struct explain_row *row)
{
    jsonw_object(w, NULL);
    put_ident(w, "campaign_contact", r->kinds.contact, row->id);
    put_ident(w, "campaign", r->kinds.campaign, row->campaign);
    jsonw_slice(w, "status", row->status);
    for (int m = 0; m < M_COUNT; m++)
        jsonw_time(w, report_time_name((enum milestone)m), row->before.at[m]);
    jsonw_slice(w, "error_message", row->before.error);
    jsonw_object_end(w);
}

static void put_explained_decision(struct jsonw *w, const struct explain_row *row)
{
    jsonw_object(w, NULL);
    jsonw_text(w, "cause", row->cause == CAUSE_NONE ? NULL : cause_name(row->cause));
    put_state(w, "after", &row->after);
    jsonw_array(w, "approximate");
    for (int m = 0; m < M_COUNT; m++) {
        if (row->approximate & M_BIT(m))
            jsonw_text(w, NULL, milestone_name((enum milestone)m));
    }
    jsonw_array_end(w);
    jsonw_object_end(w);
}

static void put_explain(struct jsonw *w, const struct run *r)
{
    const struct explain *x = r->explain;
    const struct explain_row *row = x && x->rows > 0 ? &x->row[0] : NULL;

    if (!x) {
        buf_adds(w->b, "  \"explain\": null,\n");
        return;
    }
    buf_adds(w->b, "  \"explain\": {\n    \"message_id\": ");
    jsonw_string(w->b, x->message_id.p, x->message_id.n);
    buf_adds(w->b, ",\n    \"events\": [");
    for (size_t i = 0; i < x->events; i++) {
        buf_adds(w->b, i > 0 ? ",\n      " : "\n      ");
        w->fresh = true;
        put_event(w, r, &x->event[i]);
    }
    buf_adds(w->b, x->events > 0 ? "\n    ],\n    \"row\": " : "],\n    \"row\": ");
    w->fresh = true;
    if (row)
        put_explained_row(w, r, row);
    else
        buf_adds(w->b, "null");
    buf_adds(w->b, ",\n    \"decision\": ");
    w->fresh = true;
    if (row)
        put_explained_decision(w, row);
    else
        buf_adds(w->b, "null");
    buf_adds(w->b, ",\n    \"rule\": ");
    if (x->rule.p)
        jsonw_string(w->b, x->rule.p, x->rule.n);
    else
        buf_adds(w->b, "null");
    buf_adds(w->b, "\n  },\n");
}

/* The last section: no comma follows. */
static void put_warnings(struct jsonw *w, const struct run *r)
{
    begin(w, "warnings", '[');
    for (size_t i = 0; i < r->warnings; i++) {
        next_line(w);
        jsonw_slice(w, NULL, r->warning[i]);
    }
    end(w, "]\n");
}

int report_json(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e)
{
    struct buf b = BUF_INIT;
    struct jsonw w = JSONW_INIT(&b);
    int status = -1;

    buf_adds(&b, "{\n");
    put_run(&w, r);
    put_input(&w, &r->input);
    put_messages(&w, &r->messages);
    put_mismatches(&w, r);
    put_causes(&w, r);
    if (put_campaigns(&w, r, o, f, e) < 0 || put_corrections(&w, r, o, f, e) < 0)
        goto out;
    put_gaps(&w, r);
    put_explain(&w, r);
    put_warnings(&w, r);
    buf_adds(&b, "}\n");
    status = report_flush(&b, true, f, e);
out:
    buf_release(&b);
    return status;
}
