#include "report_formats.h"

#include "explain.h"
#include "textw.h"
#include "version.h"

#include <inttypes.h>
#include <stdio.h>

#define LABEL 24  /* columns of an item's label, its indentation included */
#define NUMBER 12 /* columns of a number */

/* What a terminal is told (SGR), only where there is a colour to be seen. */
#define ATTENTION "\x1b[33m" /* yellow: what differs, what was warned of */
#define ALARM "\x1b[31m"     /* red: the run did not do what it was to do */
#define PLAIN "\x1b[0m"

static void paint(struct buf *b, const struct report_options *o, const char *sgr)
{
    if (o->color)
        buf_adds(b, sgr);
}

/* ---- items ---------------------------------------------------------------------- */

static void put_heading(struct buf *b, const char *title)
{
    buf_addf(b, "\n%s\n", title);
}

/* depth: 1 for an item, 2 for a part of the one before. note: NULL for none. */
static void put_item(struct buf *b, int depth, const char *label, uint64_t n, const char *note)
{
    buf_addf(b, "%*s%-*s%*" PRIu64, 2 * depth, "", LABEL - 2 * depth, label, NUMBER, n);
    if (note)
        buf_addf(b, "   %s", note);
    buf_addc(b, '\n');
}

static void put_items(struct buf *b, const struct report_items *list)
{
    for (size_t i = 0; i < list->n; i++) {
        const struct report_item *item = &list->item[i];

        put_item(b, item->depth, item->label, item->n, item->note);
    }
}

/* ---- what ran, what was read ------------------------------------------------------ */

static void put_title(struct buf *b, const struct run *r, const struct report_options *o)
{
    bool alarming = r->apply && (r->refused || r->failure);
    char time[TIME_TEXT_SIZE];

    buf_addf(b, "%s %s: ", r->tool, VERSION);
    paint(b, o, alarming ? ALARM : "");
    buf_adds(b, report_kind(r));
    paint(b, o, alarming ? PLAIN : "");
    buf_addc(b, '\n');
    buf_addf(b, "  run       %s\n", r->id);
    if (!r->offline)
        buf_addf(b, "  mode      %s\n", r->rebuild ? "rebuild" : "merge");
    if (r->started_at != TIME_NONE)
        buf_addf(b, "  started   %s\n", time_format(r->started_at, time));
    if (r->snapshot_at != TIME_NONE)
        buf_addf(b, "  snapshot  %s\n", time_format(r->snapshot_at, time));
    if (r->finished_at != TIME_NONE)
        buf_addf(b, "  finished  %s\n", time_format(r->finished_at, time));
}

static void put_input(struct buf *b, const struct run *r)
{
    struct report_items items;

    report_input_items(&r->input, &items);
    if (items.n > 0)
        put_heading(b, "Input");
    put_items(b, &items);
}

/* ---- messages ------------------------------------------------------------------ */

static void put_mismatches(struct buf *b, const struct run *r)
{
    if (r->mismatches == 0)
        return;
    put_heading(b, "Instance mismatches");
    for (size_t i = 0; i < r->mismatches; i++) {
        buf_addf(b, "  %*" PRIu64 "   ", NUMBER, r->mismatch[i].count);
        if (r->mismatch[i].instance.n > 0)
            textw_name(b, r->mismatch[i].instance, REPORT_COLUMNS - NUMBER - 5);
        else
            buf_adds(b, "(no name)");
        buf_addc(b, '\n');
    }
}

static void put_messages(struct buf *b, const struct run *r)
{
    struct report_items items;

    report_message_items(r, &items);
    put_heading(b, "Messages");
    put_items(b, &items);
    if (!r->offline)
        put_mismatches(b, r);
}

static void put_causes(struct buf *b, const struct run *r)
{
    put_heading(b, "Causes");
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
        put_item(b, 1, cause_name((enum cause)c), r->causes[c], NULL);
}

/* ---- campaigns ------------------------------------------------------------------ */

/* part of whole, e.g. "97.00 % of sent", after the spaces that lead there. */
static void put_rate(struct buf *b, int64_t part, int64_t whole, const char *of)
{
    uint64_t rate = report_rate(part, whole);

    buf_addf(b, "   %3" PRIu64 ".%02u %% of %s", rate / 100, (unsigned)(rate % 100), of);
}

/* counts: a difference is to be corrected. */
static void put_counter(struct buf *b, const struct report_options *o, const char *name,
                        int64_t stored, int64_t recomputed, bool counts)
{
    buf_addf(b, "  %-10s", name);
    if (stored < 0) /* NULL */
        buf_addf(b, "%*s", NUMBER, "null");
    else
        buf_addf(b, "%*" PRId64, NUMBER, stored);
    buf_addf(b, REPORT_ARROW "%*" PRId64, NUMBER, recomputed);
    if (stored != recomputed) {
        paint(b, o, counts ? ATTENTION : "");
        buf_addf(b, "%+*" PRId64, NUMBER, recomputed - (stored < 0 ? 0 : stored));
        paint(b, o, counts ? PLAIN : "");
    }
}

/* As put_counter left the line where nothing differs. */
static void pad_difference(struct buf *b, int64_t stored, int64_t recomputed)
{
    if (stored == recomputed)
        textw_pad(b, NUMBER);
}

static void put_counters(struct buf *b, const struct report_options *o,
                         const struct campaign_result *c, bool fix_total)
{
    static const enum milestone whole[M_COUNT] = {[M_DELIVERED] = M_SENT, [M_READ] = M_DELIVERED};
    const int64_t *stored = c->stored.count, *count = c->recomputed.count;

    buf_addf(b, "%*s   %*s%*s\n", 12 + NUMBER, "stored", NUMBER, "recomputed", NUMBER,
             "difference");
    for (int m = 0; m < M_COUNT; m++) {
        put_counter(b, o, milestone_name((enum milestone)m), stored[m], count[m], true);
        if (m == M_DELIVERED || m == M_READ) {
            pad_difference(b, stored[m], count[m]);
            put_rate(b, count[m], count[whole[m]], milestone_name(whole[m]));
        }
        buf_addc(b, '\n');
    }
    put_counter(b, o, "total", c->stored.total, c->recomputed.total, fix_total);
    if (c->stored.total != c->recomputed.total && !fix_total)
        buf_adds(b, "   only with --fix-total");
    buf_addc(b, '\n');
}

static void put_campaign(struct buf *b, const struct run *r, const struct report_options *o,
                         const struct campaign_result *c)
{
    char id[IDENT_TEXT_SIZE];

    buf_addc(b, '\n');
    textw_name(b, c->name, REPORT_COLUMNS);
    buf_addf(b, "\n%s: %zu %s", ident_format(r->kinds.campaign, c->id, id), c->corrections,
             c->corrections == 1 ? "correction" : "corrections");
    if (c->left_alone) {
        buf_adds(b, ", ");
        paint(b, o, ATTENTION);
        buf_adds(b, "left alone");
        paint(b, o, PLAIN);
    }
    buf_addc(b, '\n');
    put_counters(b, o, c, r->fix_total);
}

static int put_campaigns(struct buf *b, const struct run *r, const struct report_options *o,
                         struct outfile *f, struct err *e)
{
    put_heading(b, "Campaigns");
    put_item(b, 1, "in scope", r->campaigns, NULL);
    put_item(b, 2, "with differences", report_differing_campaigns(r), NULL);
    for (size_t i = 0; i < r->campaigns; i++) {
        if (report_lists_campaign(r, o, &r->campaign[i]))
            put_campaign(b, r, o, &r->campaign[i]);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    return 0;
}

static void put_explained_event(struct buf *b, const struct run *r, const struct explain_event *ev)
{
    char time[TIME_TEXT_SIZE], record[24];

    (void)snprintf(record, sizeof record, ":%" PRIu64, ev->record);
    buf_addf(b, "  %s %s %-9s ", ev->approximate ? "<=" : "  ", time_format(ev->time, time),
             explain_event_name(ev->what));
    textw_path(b, r->archives->name[ev->archive], REPORT_COLUMNS - 43 - strlen(record));
    buf_addf(b, "%s\n", record);
    buf_adds(b, "       by ");
    if (ev->instance.n > 0)
        textw_name(b, ev->instance, 40);
    else
        buf_adds(b, "(no name)");
    buf_adds(b, r->offline || ev->used ? "\n" : ", which does not speak for the row\n");
    if (ev->error.p) {
        buf_adds(b, "       ");
        textw_name(b, ev->error, REPORT_COLUMNS - 7);
        buf_addc(b, '\n');
    }
}

static void put_explained_state(struct buf *b, const char *label, const struct row_state *s,
                                struct slice status)
{
    char time[TIME_TEXT_SIZE];

    buf_addf(b, "    %-8s", label);
    textw_name(b, status, 24);
    buf_addc(b, '\n');
    for (int m = 0; m < M_COUNT; m++) {
        if (s->at[m] != TIME_NONE)
            buf_addf(b, "            %-13s %s\n", report_time_name((enum milestone)m),
                     time_format(s->at[m], time));
    }
    if (s->error.p) {
        buf_adds(b, "            error_message \"");
        textw_name(b, s->error, REPORT_COLUMNS - 28);
        buf_adds(b, "\"\n");
    }
}

static void put_explain(struct buf *b, const struct run *r)
{
    const struct explain *x = r->explain;
    char id[IDENT_TEXT_SIZE];

    if (!x)
        return;
    buf_adds(b, "\nMessage ");
    textw_name(b, x->message_id, REPORT_COLUMNS - 8);
    buf_addf(b, "\n  %zu event%s, by %s\n", x->events, x->events == 1 ? "" : "s",
             x->events == 1 ? "its time" : "their times");
    for (size_t i = 0; i < x->events; i++)
        put_explained_event(b, r, &x->event[i]);
    if (r->offline)
        return;
    if (x->rows == 0) {
        textw_wrap(b, "  ", x->rule, REPORT_COLUMNS);
        return;
    }
    for (size_t i = 0; i < x->rows; i++) {
        const struct explain_row *row = &x->row[i];

        buf_addf(b, "  row %s\n", ident_format(r->kinds.contact, row->id, id));
        buf_addf(b, "    of campaign %s\n", ident_format(r->kinds.campaign, row->campaign, id));
        put_explained_state(b, "is", &row->before, row->status);
        if (row->cause != CAUSE_NONE)
            put_explained_state(b, r->applied ? "became" : "to be", &row->after,
                                slice_of(row_status_name(row->after.status)));
        textw_wrap(b, "    by ", row->rule, REPORT_COLUMNS);
    }
}

static void put_gaps(struct buf *b, const struct run *r)
{
    if (r->gaps == 0)
        return;
    put_heading(b, "Gaps");
    for (size_t i = 0; i < r->gaps; i++) {
        const struct run_gap *g = &r->gap[i];
        char time[TIME_TEXT_SIZE];

        buf_addf(b, "  %" PRIu64 " messages without a receipt, sent by ", g->messages);
        textw_name(b, g->instance, 32);
        buf_addf(b, "\n    from  %s\n", time_format(g->from, time));
        buf_addf(b, "    until %s\n", time_format(g->until, time));
        if (g->command.p) {
            buf_adds(b, "    ");
            textw_name(b, g->command, SIZE_MAX);
            buf_addc(b, '\n');
        }
    }
}

/* ---- the end ---------------------------------------------------------------------- */

static void put_warnings(struct buf *b, const struct run *r, const struct report_options *o)
{
    if (r->warnings == 0)
        return;
    buf_addc(b, '\n');
    paint(b, o, ATTENTION);
    buf_adds(b, "Warnings");
    paint(b, o, PLAIN);
    buf_addc(b, '\n');
    for (size_t i = 0; i < r->warnings; i++)
        textw_wrap(b, "  - ", r->warning[i], REPORT_COLUMNS);
}

static void put_conclusion(struct buf *b, const struct run *r)
{
    const char *use = report_command_use(r);

    buf_addc(b, '\n');
    report_conclusion(b, r);
    if (use) {
        buf_addf(b, "\nTo %s:\n  ", use);
        textw_name(b, slice_of(r->command), SIZE_MAX); /* whole, to be copied */
        buf_addc(b, '\n');
    }
}

int report_text(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e)
{
    struct buf b = BUF_INIT;
    int status = -1;

    put_title(&b, r, o);
    put_input(&b, r);
    put_messages(&b, r);
    if (!r->offline) {
        put_causes(&b, r);
        if (put_campaigns(&b, r, o, f, e) < 0 ||
            (o->details && report_text_corrections(&b, r, f, e) < 0))
            goto out;
    }
    put_explain(&b, r);
    put_gaps(&b, r);
    put_warnings(&b, r, o);
    put_conclusion(&b, r);
    status = report_flush(&b, true, f, e);
out:
    buf_release(&b);
    return status;
}
