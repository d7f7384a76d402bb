#include "report_html.h"

#include "explain.h"
#include "htmlw.h"

#include <stdio.h>

/* ---- the values of a row -------------------------------------------------------------- */

static void put_error(struct buf *b, struct slice error)
{
    if (!error.p) {
        buf_adds(b, "<span class=\"note\">null</span>");
        return;
    }
    buf_adds(b, "\xe2\x80\x9c");
    htmlw_name(b, error, HTML_TEXT);
    buf_adds(b, "\xe2\x80\x9d");
}

static void put_id(struct buf *b, struct slice message_id)
{
    if (message_id.p)
        htmlw_name(b, message_id, HTML_NAME);
    else
        buf_adds(b, "<span class=\"note\">(no message id)</span>");
}

/* ---- corrections ----------------------------------------------------------------------- */

static void put_changes(struct buf *b, const struct correction *c)
{
    const struct row_state *from = &c->before, *to = &c->after;

    for (int m = 0; m < M_COUNT; m++) {
        if (from->at[m] == to->at[m])
            continue;
        buf_addf(b, "<span class=\"change\"><span class=\"k\">%s</span> ",
                 report_time_name((enum milestone)m));
        html_time(b, from->at[m], false);
        buf_adds(b, REPORT_ARROW);
        html_time(b, to->at[m], c->approximate & M_BIT(m));
        buf_adds(b, "</span>");
    }
    if (!slice_eq(from->error, to->error)) {
        buf_adds(b, "<span class=\"change\"><span class=\"k\">error_message</span> ");
        put_error(b, from->error);
        buf_adds(b, REPORT_ARROW);
        put_error(b, to->error);
        buf_adds(b, "</span>");
    }
}

static void put_evidence(struct buf *b, const struct run *r, const struct evidence *ev)
{
    if (!ev || !EVIDENCE_PROVES(ev)) {
        buf_adds(b, "<span class=\"note\">none: by the row alone</span>");
        return;
    }
    for (int m = 0; m < M_COUNT; m++) {
        if (!(EVIDENCE_PROVES(ev) & M_BIT(m)))
            continue;
        buf_addf(b, "<span class=\"change\"><span class=\"k\">%s</span> ",
                 milestone_name((enum milestone)m));
        html_sighting(b, r, ev->at[m].archive, ev->at[m].record);
        buf_adds(b, "</span>");
    }
}

static void put_correction(struct buf *b, const struct run *r, const struct correction *c)
{
    const char *from = row_status_name(c->before.status), *to = row_status_name(c->after.status);

    buf_adds(b, "<tr><th scope=\"row\">");
    put_id(b, c->message_id);
    buf_adds(b, "<br>");
    html_ident(b, r->kinds.contact, c->id);
    buf_addf(b, "</th><td class=\"t\">%s", from);
    if (c->before.status != c->after.status)
        buf_addf(b, REPORT_ARROW "<strong>%s</strong>", to);
    buf_addf(b, "</td><td class=\"t\">%s%s</td><td class=\"wide\">", cause_name(c->cause),
             c->regression ? "<span class=\"change note\">regression</span>" : "");
    put_changes(b, c);
    buf_adds(b, "</td><td class=\"wide\">");
    put_evidence(b, r, c->evidence);
    buf_addf(b, "</td><td class=\"t\">%s</td></tr>\n", report_outcome(r, c));
}

static void begin_group(struct buf *b, const struct run *r, const struct report_options *o,
                        size_t campaign)
{
    const struct campaign_result *c = &r->campaign[campaign];
    char label[32];

    (void)snprintf(label, sizeof label, "k%zu", campaign + 1);
    buf_addf(b, "<article class=\"panel group\" aria-labelledby=\"%s\">\n<h3 id=\"%s\">", label,
             label);
    if (report_lists_campaign(r, o, c))
        buf_addf(b, "<a href=\"#c%zu\">", campaign + 1);
    htmlw_name(b, c->name, HTML_NAME);
    buf_adds(b, report_lists_campaign(r, o, c) ? "</a></h3>\n" : "</h3>\n");
    html_scroll(b, label);
    buf_adds(b, "<table class=\"corrections\">\n<caption class=\"vh\">Corrections of ");
    htmlw_name(b, c->name, HTML_NAME);
    buf_adds(b, "</caption>\n<thead><tr><th scope=\"col\">Message and row</th>"
                "<th scope=\"col\">Status</th><th scope=\"col\">Cause</th>"
                "<th scope=\"col\">Changes</th><th scope=\"col\">Evidence</th>"
                "<th scope=\"col\">Outcome</th></tr></thead>\n<tbody>\n");
}

static void end_group(struct buf *b)
{
    buf_adds(b, "</tbody>\n</table>\n");
    html_scroll_end(b);
    buf_adds(b, "</article>\n");
}

int html_corrections(struct buf *b, const struct run *r, const struct report_options *o,
                     struct outfile *f, struct err *e)
{
    const struct correction *last = NULL;

    html_section(b, "corrections", "Corrections");
    for (size_t i = 0; i < r->corrections; i++) {
        const struct correction *c = &r->correction[i];

        if (c->outcome == OUTCOME_MOOT)
            continue;
        if (!last || last->campaign_index != c->campaign_index) {
            if (last)
                end_group(b);
            begin_group(b, r, o, c->campaign_index);
        }
        put_correction(b, r, c);
        last = c;
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    if (last)
        end_group(b);
    else
        buf_adds(b, "<p>None.</p>\n");
    html_section_end(b);
    return 0;
}

/* ---- one message ------------------------------------------------------------------------ */

static void put_event(struct buf *b, const struct run *r, const struct explain_event *ev)
{
    buf_adds(b, "<tr><td>");
    html_time(b, ev->time, ev->approximate);
    buf_addf(b, "</td><td>%s</td><td class=\"name\">", explain_event_name(ev->what));
    html_instance(b, ev->instance);
    if (!r->offline && !ev->used)
        buf_adds(b, "<span class=\"change note\">does not speak for the row</span>");
    buf_adds(b, "</td><td class=\"name\">");
    html_sighting(b, r, ev->archive, ev->record);
    buf_adds(b, "</td><td class=\"name\">");
    if (ev->error.p)
        put_error(b, ev->error);
    buf_adds(b, "</td></tr>\n");
}

static void put_events(struct buf *b, const struct run *r)
{
    const struct explain *x = r->explain;

    if (x->events == 0) {
        buf_adds(b, "<p>Nothing was seen of it.</p>\n");
        return;
    }
    html_scroll(b, "message-title");
    buf_adds(b, "<table>\n<caption>What was seen of it, by time</caption>\n<thead><tr>"
                "<th scope=\"col\">Time</th><th scope=\"col\">Status</th>"
                "<th scope=\"col\">Instance</th><th scope=\"col\">Archive and record</th>"
                "<th scope=\"col\">Error</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < x->events; i++)
        put_event(b, r, &x->event[i]);
    buf_adds(b, "</tbody>\n</table>\n");
    html_scroll_end(b);
}

/* after: NULL where nothing is to change. */
static void put_values(struct buf *b, const struct explain_row *row, const struct row_state *after)
{
    buf_adds(b, "<tr><th scope=\"row\">status</th><td>");
    htmlw_name(b, row->status, HTML_NAME);
    if (after)
        buf_addf(b, "</td><td>%s", row_status_name(after->status));
    buf_adds(b, "</td></tr>\n");
    for (int m = 0; m < M_COUNT; m++) {
        buf_addf(b, "<tr><th scope=\"row\">%s</th><td>", report_time_name((enum milestone)m));
        html_time(b, row->before.at[m], false);
        if (after) {
            buf_adds(b, "</td><td>");
            html_time(b, after->at[m], row->approximate & M_BIT(m));
        }
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "<tr><th scope=\"row\">error_message</th><td>");
    put_error(b, row->before.error);
    if (after) {
        buf_adds(b, "</td><td>");
        put_error(b, after->error);
    }
    buf_adds(b, "</td></tr>\n");
}

static void put_row(struct buf *b, const struct run *r, const struct explain_row *row,
                    size_t number)
{
    bool corrected = row->cause != CAUSE_NONE;

    buf_addf(b, "<article class=\"panel\" aria-labelledby=\"r%zu\">\n<h3 id=\"r%zu\">Row ", number,
             number);
    html_ident(b, r->kinds.contact, row->id);
    buf_adds(b, " of campaign ");
    html_ident(b, r->kinds.campaign, row->campaign);
    buf_adds(b, "</h3>\n<p><span class=\"k\">Rule:</span> ");
    htmlw_name(b, row->rule, SIZE_MAX);
    buf_adds(b, "</p>\n");
    html_scroll(b, NULL);
    buf_adds(b, "<table>\n<caption class=\"vh\">Its values</caption>\n<thead><tr>"
                "<th scope=\"col\">Column</th><th scope=\"col\">Is</th>");
    if (corrected)
        buf_addf(b, "<th scope=\"col\">%s</th>", r->applied ? "Became" : "To be");
    buf_adds(b, "</tr></thead>\n<tbody>\n");
    put_values(b, row, corrected ? &row->after : NULL);
    buf_adds(b, "</tbody>\n</table>\n");
    html_scroll_end(b);
    buf_adds(b, "</article>\n");
}

void html_explain(struct buf *b, const struct run *r)
{
    const struct explain *x = r->explain;

    if (!x)
        return;
    html_section(b, "message", "Message");
    buf_adds(b, "<div class=\"panel\">\n<h3>");
    put_id(b, x->message_id);
    buf_adds(b, "</h3>\n");
    put_events(b, r);
    if (!r->offline && x->rows == 0) {
        buf_adds(b, "<p>");
        htmlw_name(b, x->rule, SIZE_MAX);
        buf_adds(b, "</p>\n");
    }
    buf_adds(b, "</div>\n");
    for (size_t i = 0; i < x->rows && !r->offline; i++)
        put_row(b, r, &x->row[i], i + 1);
    html_section_end(b);
}
