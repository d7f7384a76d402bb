#include "report_formats.h"

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

/* ---- values ------------------------------------------------------------------ */

static void put_text(struct buf *b, const char *s)
{
    jsonw_string(b, s, strlen(s));
}

static void put_slice(struct buf *b, struct slice s)
{
    if (s.p)
        jsonw_string(b, s.p, s.n);
    else
        buf_adds(b, "null");
}

static void put_time(struct buf *b, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    if (us == TIME_NONE)
        buf_adds(b, "null");
    else
        put_text(b, time_format(us, text));
}

static void put_ident(struct buf *b, enum ident_kind kind, struct ident id)
{
    char text[IDENT_TEXT_SIZE];

    put_text(b, ident_format(kind, id, text));
}

/* NULL in the database is null here. */
static void put_counter(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_adds(b, "null");
    else
        buf_addf(b, "%" PRId64, n);
}

/* ---- layout: two spaces a level, a line a member; rows of lists on one line ---- */

static void begin(struct buf *b, const char *name, char bracket)
{
    buf_addf(b, "  \"%s\": %c", name, bracket);
}

/* Goes to the line of the next member, n having been written. */
static void next(struct buf *b, uint64_t n)
{
    buf_adds(b, n > 0 ? ",\n    " : "\n    ");
}

static void end(struct buf *b, uint64_t n, char bracket)
{
    if (n > 0)
        buf_adds(b, "\n  ");
    buf_addc(b, bracket);
    buf_adds(b, ",\n");
}

static void put_key(struct buf *b, uint64_t n, const char *name)
{
    next(b, n);
    buf_addf(b, "\"%s\": ", name);
}

static void put_numbers(struct buf *b, uint64_t n, const struct number *list, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        put_key(b, n + i, list[i].name);
        buf_addf(b, "%" PRIu64, list[i].value);
    }
}

/* ---- sections ------------------------------------------------------------------ */

static void put_run(struct buf *b, const struct run *r)
{
    begin(b, "run", '{');
    put_key(b, 0, "id");
    put_text(b, r->id);
    put_key(b, 1, "tool");
    put_text(b, r->tool);
    put_key(b, 1, "version");
    put_text(b, VERSION);
    put_key(b, 1, "mode");
    put_text(b, r->rebuild ? "rebuild" : "merge");
    put_key(b, 1, "applied");
    buf_adds(b, r->applied ? "true" : "false");
    put_key(b, 1, "snapshot_at");
    put_time(b, r->snapshot_at);
    put_key(b, 1, "started_at");
    put_time(b, r->started_at);
    put_key(b, 1, "finished_at");
    put_time(b, r->finished_at);
    end(b, 1, '}');
}

static void put_raw(struct buf *b, uint64_t n, struct slice text, uint64_t count)
{
    buf_adds(b, n > 0 ? ",\n      " : "\n      ");
    put_slice(b, text);
    buf_addf(b, ": %" PRIu64, count);
}

/* What the tally could not keep is "(other)", in its place in the order, and
 * added to a status that is really called so. */
static void put_raw_statuses(struct buf *b, const struct tally *t)
{
    const struct slice other = slice_of("(other)");
    uint64_t others = t->others, n = 0;

    buf_addc(b, '{');
    for (size_t i = 0; i < t->n; i++) {
        struct slice text = {t->entry[i].text, t->entry[i].n};
        int c = slice_cmp(text, other);

        if (others > 0 && c > 0)
            put_raw(b, n++, other, others);
        put_raw(b, n++, text, t->entry[i].count + (c == 0 ? others : 0));
        if (c >= 0)
            others = 0;
    }
    if (others > 0)
        put_raw(b, n++, other, others);
    buf_adds(b, n > 0 ? "\n    }" : "}");
}

static void put_input(struct buf *b, const struct run_input *in)
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

    begin(b, "input", '{');
    put_numbers(b, 0, NUMBERS(before));
    put_key(b, 1, "raw_statuses");
    put_raw_statuses(b, &c->raw_statuses);
    put_numbers(b, 1, NUMBERS(after));
    end(b, 1, '}');
}

static void put_messages(struct buf *b, const struct run_messages *m)
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

    begin(b, "messages", '{');
    put_numbers(b, 0, NUMBERS(list));
    end(b, 1, '}');
}

static void put_mismatches(struct buf *b, const struct run *r)
{
    begin(b, "instance_mismatches", '[');
    for (size_t i = 0; i < r->mismatches; i++) {
        next(b, i);
        buf_adds(b, "{\"instance\":");
        put_slice(b, r->mismatch[i].instance);
        buf_addf(b, ",\"count\":%" PRIu64 "}", r->mismatch[i].count);
    }
    end(b, r->mismatches, ']');
}

static void put_causes(struct buf *b, const struct run *r)
{
    begin(b, "causes", '{');
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
        put_key(b, (uint64_t)(c - CAUSE_NONE - 1), cause_name((enum cause)c));
        buf_addf(b, "%" PRIu64, r->causes[c]);
    }
    end(b, 1, '}');
}

static void put_counters(struct buf *b, const char *name, int64_t stored, int64_t recomputed)
{
    buf_addf(b, "\"%s\":{\"stored\":", name);
    put_counter(b, stored);
    buf_adds(b, ",\"recomputed\":");
    put_counter(b, recomputed);
    buf_addc(b, '}');
}

static void put_rate(struct buf *b, const char *name, int64_t part, int64_t whole)
{
    uint64_t rate = report_rate(part, whole);

    buf_addf(b, ",\"%s\":%" PRIu64 ".%02u", name, rate / 100, (unsigned)(rate % 100));
}

static void put_campaign(struct buf *b, const struct run *r, const struct campaign_result *c)
{
    buf_adds(b, "{\"id\":");
    put_ident(b, r->kinds.campaign, c->id);
    buf_adds(b, ",\"name\":");
    put_slice(b, c->name);
    buf_adds(b, ",\"tenant_id\":");
    put_ident(b, r->kinds.tenant, c->tenant);
    buf_addf(b, ",\"corrections\":%zu,\"counters\":{", c->corrections);
    for (int m = 0; m < M_COUNT; m++) {
        put_counters(b, milestone_name((enum milestone)m), c->stored.count[m],
                     c->recomputed.count[m]);
        buf_addc(b, ',');
    }
    put_counters(b, "total", c->stored.total, c->recomputed.total);
    buf_addc(b, '}');
    put_rate(b, "delivery_rate", c->recomputed.count[M_DELIVERED], c->recomputed.count[M_SENT]);
    put_rate(b, "read_rate", c->recomputed.count[M_READ], c->recomputed.count[M_DELIVERED]);
    buf_addc(b, '}');
}

static int put_campaigns(struct buf *b, const struct run *r, const struct report_options *o,
                         struct outfile *f, struct err *e)
{
    uint64_t n = 0;

    begin(b, "campaigns", '[');
    for (size_t i = 0; i < r->campaigns; i++) {
        if (!report_lists_campaign(r, o, &r->campaign[i]))
            continue;
        next(b, n++);
        put_campaign(b, r, &r->campaign[i]);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    end(b, n, ']');
    return 0;
}

static void put_state(struct buf *b, const char *name, const struct row_state *s)
{
    buf_addf(b, ",\"%s\":{\"status\":\"%s\"", name, row_status_name(s->status));
    for (int m = 0; m < M_COUNT; m++) {
        buf_addf(b, ",\"%s\":", report_time_name((enum milestone)m));
        put_time(b, s->at[m]);
    }
    buf_adds(b, ",\"error_message\":");
    put_slice(b, s->error);
    buf_addc(b, '}');
}

static void put_correction(struct buf *b, const struct run *r, const struct correction *c)
{
    buf_adds(b, "{\"campaign_contact\":");
    put_ident(b, r->kinds.contact, c->id);
    buf_adds(b, ",\"campaign\":");
    put_ident(b, r->kinds.campaign, c->campaign);
    buf_adds(b, ",\"message_id\":");
    put_slice(b, c->message_id);
    buf_addf(b, ",\"cause\":\"%s\"", cause_name(c->cause));
    put_state(b, "before", &c->before);
    put_state(b, "after", &c->after);
    buf_adds(b, ",\"evidence\":");
    if (c->evidence)
        states_put_evidence(b, r->archives, c->evidence, EVIDENCE_PROVES(c->evidence));
    else
        buf_adds(b, "{}");
    buf_addc(b, '}');
}

static int put_corrections(struct buf *b, const struct run *r, const struct report_options *o,
                           struct outfile *f, struct err *e)
{
    uint64_t n = 0;

    begin(b, "corrections", '[');
    for (size_t i = 0; o->details && i < r->corrections; i++) {
        if (!report_counts_correction(&r->correction[i]))
            continue;
        next(b, n++);
        put_correction(b, r, &r->correction[i]);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    end(b, n, ']');
    return 0;
}

/* The last section: no comma follows. */
static void put_warnings(struct buf *b, const struct run *r)
{
    begin(b, "warnings", '[');
    for (size_t i = 0; i < r->warnings; i++) {
        next(b, i);
        put_slice(b, r->warning[i]);
    }
    buf_adds(b, r->warnings > 0 ? "\n  ]\n" : "]\n");
}

int report_json(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e)
{
    struct buf b = BUF_INIT;
    int status = -1;

    buf_adds(&b, "{\n");
    put_run(&b, r);
    put_input(&b, &r->input);
    put_messages(&b, &r->messages);
    put_mismatches(&b, r);
    put_causes(&b, r);
    if (put_campaigns(&b, r, o, f, e) < 0 || put_corrections(&b, r, o, f, e) < 0)
        goto out;
    buf_adds(&b, "  \"gaps\": [],\n  \"explain\": null,\n");
    put_warnings(&b, r);
    buf_adds(&b, "}\n");
    status = report_flush(&b, true, f, e);
out:
    buf_release(&b);
    return status;
}
