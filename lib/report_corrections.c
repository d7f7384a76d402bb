#include "report_formats.h"

#include "textw.h"

#include <inttypes.h>
#include <stdio.h>

#define CHANGE 19               /* columns of the label before what a line tells */
#define AT_MOST "\xe2\x89\xa4 " /* before an approximate time: an upper bound */

static void put_label(struct buf *b, const char *label)
{
    buf_addf(b, "    %-*s ", CHANGE - 5, label);
}

static void put_time(struct buf *b, int64_t us, bool approximate)
{
    char text[TIME_TEXT_SIZE];

    if (us != TIME_NONE && approximate)
        buf_adds(b, AT_MOST);
    buf_adds(b, us == TIME_NONE ? "null" : time_format(us, text));
}

static void put_error(struct buf *b, struct slice error, size_t most)
{
    if (!error.p) {
        buf_adds(b, "null");
        return;
    }
    buf_addc(b, '"');
    textw_name(b, error, most - 2);
    buf_addc(b, '"');
}

static void put_changes(struct buf *b, const struct correction *c)
{
    const struct row_state *from = &c->before, *to = &c->after;

    for (int m = 0; m < M_COUNT; m++) {
        if (from->at[m] == to->at[m])
            continue;
        put_label(b, report_time_name((enum milestone)m));
        put_time(b, from->at[m], false);
        buf_adds(b, REPORT_ARROW);
        put_time(b, to->at[m], c->approximate & M_BIT(m));
        buf_addc(b, '\n');
    }
    if (!slice_eq(from->error, to->error)) {
        size_t room = REPORT_COLUMNS - CHANGE - 3; /* both of them, without the arrow */

        put_label(b, "error_message");
        put_error(b, from->error, room / 2);
        buf_adds(b, REPORT_ARROW);
        put_error(b, to->error, from->error.n > 0 ? room / 2 : room - strlen("null"));
        buf_addc(b, '\n');
    }
}

/* One line a milestone: where it was seen. */
static void put_evidence(struct buf *b, const struct names *archives, const struct evidence *ev)
{
    const char *label = "evidence";

    for (int m = 0; ev && m < M_COUNT; m++) {
        char record[24];

        if (!(EVIDENCE_PROVES(ev) & M_BIT(m)))
            continue;
        (void)snprintf(record, sizeof record, ":%" PRIu64, ev->at[m].record);
        put_label(b, label);
        buf_addf(b, "%-9s ", milestone_name((enum milestone)m));
        textw_path(b, archives->name[ev->at[m].archive],
                   REPORT_COLUMNS - CHANGE - 10 - strlen(record));
        buf_addf(b, "%s\n", record);
        label = "";
    }
    if (*label) {
        put_label(b, label);
        buf_adds(b, "none: by the row alone\n");
    }
}

static const char *outcome_note(enum outcome o)
{
    switch (o) {
    case OUTCOME_CONFLICT:
        return ", left alone: moved meanwhile";
    case OUTCOME_BUSY:
        return ", left alone: locked to the end";
    case OUTCOME_LEFT:
        return ", left alone with its campaign";
    case OUTCOME_PLANNED:
    case OUTCOME_WRITTEN:
    case OUTCOME_MOOT:
        break;
    }
    return "";
}

static void put_correction(struct buf *b, const struct run *r, const struct correction *c)
{
    const char *from = row_status_name(c->before.status), *to = row_status_name(c->after.status);
    char id[IDENT_TEXT_SIZE];

    (void)ident_format(r->kinds.contact, c->id, id);
    buf_addf(b, "  %s  ", id);
    if (c->message_id.p)
        textw_name(b, c->message_id, REPORT_COLUMNS - 4 - strlen(id));
    else
        buf_adds(b, "(no message id)");
    buf_addc(b, '\n');
    put_label(b, cause_name(c->cause));
    buf_adds(b, from);
    if (c->before.status != c->after.status)
        buf_addf(b, REPORT_ARROW "%s", to);
    buf_addf(b, "%s\n", outcome_note(c->outcome));
    put_changes(b, c);
    put_evidence(b, r->archives, c->evidence);
}

int report_text_corrections(struct buf *b, const struct run *r, struct outfile *f, struct err *e)
{
    const struct correction *last = NULL;

    buf_adds(b, "\nCorrections\n");
    for (size_t i = 0; i < r->corrections; i++) {
        const struct correction *c = &r->correction[i];

        if (c->outcome == OUTCOME_MOOT)
            continue;
        if (!last || last->campaign_index != c->campaign_index) {
            buf_addc(b, '\n');
            textw_name(b, r->campaign[c->campaign_index].name, REPORT_COLUMNS);
            buf_addc(b, '\n');
        }
        put_correction(b, r, c);
        last = c;
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    if (!last)
        buf_adds(b, "  none\n");
    return 0;
}
