#include "report_html.h"

#include "explain.h"
#include "htmlw.h"
#include "version.h"

#include <inttypes.h>
#include <string.h>

/* ---- pieces ------------------------------------------------------------------------ */

void html_section(struct buf *b, const char *id, const char *title)
{
    buf_addf(b, "<section id=\"%s\" aria-labelledby=\"%s-title\">\n<h2 id=\"%s-title\">%s</h2>\n",
             id, id, id, title);
}

void html_section_end(struct buf *b)
{
    buf_adds(b, "</section>\n");
}

void html_scroll(struct buf *b, const char *label)
{
    if (label)
        buf_addf(b, "<div class=\"scroll\" role=\"group\" tabindex=\"0\" aria-labelledby=\"%s\">\n",
                 label);
    else
        buf_adds(b, "<div class=\"scroll\">\n");
}

void html_scroll_end(struct buf *b)
{
    buf_adds(b, "</div>\n");
}

void html_ident(struct buf *b, enum ident_kind kind, struct ident id)
{
    char text[IDENT_TEXT_SIZE];

    buf_addf(b, "<span class=\"id\">%s</span>", ident_format(kind, id, text));
}

void html_instance(struct buf *b, struct slice name)
{
    if (name.n > 0)
        htmlw_name(b, name, HTML_NAME);
    else
        buf_adds(b, "<span class=\"note\">(no name)</span>");
}

void html_time(struct buf *b, int64_t us, bool approximate)
{
    char text[TIME_TEXT_SIZE];

    if (us == TIME_NONE)
        buf_adds(b, "<span class=\"note\">null</span>");
    else
        buf_addf(b, "<span class=\"t\">%s%s</span>",
                 approximate ? "<abbr title=\"at the latest\">\xe2\x89\xa4</abbr> " : "",
                 time_format(us, text));
}

void html_count(struct buf *b, int64_t n)
{
    if (n < 0)
        buf_adds(b, "null");
    else
        htmlw_uint(b, (uint64_t)n);
}

void html_sighting(struct buf *b, const struct run *r, uint32_t archive, uint64_t record)
{
    htmlw_name(b, r->archives->name[archive], HTML_NAME);
    buf_addf(b, ":%" PRIu64, record);
}

/* ---- the head ---------------------------------------------------------------------- */

/* An empty icon keeps a browser from asking for one. */
static void put_head(struct buf *b, const struct run *r)
{
    buf_adds(b, "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
                "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; "
                "style-src ");
    buf_adds(b, report_css_hash);
    buf_addf(b,
             "; img-src data:; base-uri 'none'; form-action 'none'\">\n"
             "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
             "<meta name=\"color-scheme\" content=\"light dark\">\n"
             "<meta name=\"referrer\" content=\"no-referrer\">\n"
             "<meta name=\"robots\" content=\"noindex\">\n"
             "<meta name=\"generator\" content=\"%s %s\">\n"
             "<link rel=\"icon\" href=\"data:,\">\n"
             "<title>%s, %s: %s</title>\n<style>",
             r->tool, VERSION, r->tool, report_kind(r), r->id);
    buf_adds(b, report_css);
    buf_adds(b, "</style>\n</head>\n<body>\n");
}

static void put_fact(struct buf *b, const char *name, int64_t us)
{
    if (us == TIME_NONE)
        return;
    buf_addf(b, "<div><dt>%s</dt><dd>", name);
    html_time(b, us, false);
    buf_adds(b, "</dd></div>\n");
}

static void put_facts(struct buf *b, const struct run *r)
{
    buf_addf(b, "<dl class=\"facts\">\n<div><dt>run</dt><dd>%s</dd></div>\n", r->id);
    if (!r->offline)
        buf_addf(b, "<div><dt>mode</dt><dd>%s</dd></div>\n", r->rebuild ? "rebuild" : "merge");
    put_fact(b, "started", r->started_at);
    put_fact(b, "snapshot", r->snapshot_at);
    put_fact(b, "finished", r->finished_at);
    buf_addf(b, "<div><dt>version</dt><dd>%s</dd></div>\n</dl>\n", VERSION);
}

static void put_command(struct buf *b, const char *use, struct slice command)
{
    buf_addf(b, "<p>To %s:</p>\n<pre class=\"command\"><code>", use);
    htmlw_name(b, command, SIZE_MAX); /* whole, to be copied */
    buf_adds(b, "</code></pre>\n");
}

/* A paragraph for each line of the conclusion. */
static void put_conclusion(struct buf *b, const struct run *r)
{
    struct buf lines = BUF_INIT;
    const char *p, *class = " class=\"lead\"", *use = report_command_use(r);

    report_conclusion(&lines, r);
    if (lines.failed)
        b->failed = true;
    for (p = buf_str(&lines); *p;) {
        size_t n = strcspn(p, "\n");

        buf_addf(b, "<p%s>", class);
        htmlw_name(b, (struct slice){p, n}, SIZE_MAX);
        buf_adds(b, "</p>\n");
        class = "";
        p += n + (p[n] == '\n');
    }
    if (use)
        put_command(b, use, slice_of(r->command));
    buf_release(&lines);
}

static void put_tile(struct buf *b, uint64_t n, const char *what)
{
    buf_adds(b, "<li class=\"panel\"><strong>");
    htmlw_uint(b, n);
    buf_addf(b, "</strong> %s</li>\n", what);
}

static void put_tiles(struct buf *b, const struct run *r)
{
    const struct run_messages *m = &r->messages;

    buf_adds(b, "<ul class=\"tiles\">\n");
    if (r->offline) {
        put_tile(b, r->input.events.records, "records read");
        put_tile(b, m->distinct, "distinct messages");
    } else {
        put_tile(b, m->updated, r->applied ? "corrections written" : "corrections to write");
        put_tile(b, report_differing_campaigns(r), "campaigns with differences");
        put_tile(b, r->campaigns, "campaigns in scope");
        put_tile(b, m->matched, "rows that evidence speaks for");
        put_tile(b, r->gaps, "gaps");
    }
    put_tile(b, r->warnings, "warnings");
    buf_adds(b, "</ul>\n");
}

static void put_link(struct buf *b, bool there, const char *id, const char *title)
{
    if (there)
        buf_addf(b, "<li><a href=\"#%s\">%s</a></li>\n", id, title);
}

static void put_nav(struct buf *b, const struct run *r, const struct report_options *o)
{
    buf_adds(b, "<nav aria-label=\"Parts of this report\">\n<ul>\n");
    put_link(b, r->warnings > 0, "warnings", "Warnings");
    put_link(b, r->explain, "message", "Message");
    put_link(b, !r->offline, "drift", "Drift");
    put_link(b, !r->offline, "campaigns", "Campaigns");
    put_link(b, !r->offline, "causes", "Causes");
    put_link(b, r->gaps > 0, "gaps", "Gaps");
    put_link(b, true, "messages", "Messages");
    put_link(b, r->mismatches > 0, "mismatches", "Instance mismatches");
    put_link(b, true, "input", "Input");
    put_link(b, !r->offline && o->details, "corrections", "Corrections");
    buf_adds(b, "</ul>\n</nav>\n");
}

static void put_header(struct buf *b, const struct run *r, const struct report_options *o)
{
    const char *kind = report_kind(r);

    /* "dry run" is two classes */
    buf_addf(
        b, "<header>\n<div class=\"panel head\">\n<h1>%s <span class=\"badge %s\">%s</span></h1>\n",
        r->tool, kind, kind);
    put_conclusion(b, r);
    put_facts(b, r);
    put_nav(b, r, o);
    buf_adds(b, "</div>\n");
    put_tiles(b, r);
    buf_adds(b, "</header>\n<main>\n");
}

/* ---- lists of numbers ---------------------------------------------------------------- */

static void put_items(struct buf *b, const char *caption, const struct report_items *list)
{
    buf_addf(b, "<div class=\"panel scroll\">\n<table class=\"items\">\n<caption>%s</caption>\n",
             caption);
    buf_adds(b, "<thead><tr><th scope=\"col\">Of what</th><th scope=\"col\" class=\"n\">Number</th>"
                "<th scope=\"col\">Note</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < list->n; i++) {
        const struct report_item *item = &list->item[i];

        buf_addf(b, "<tr class=\"d%d\"><th scope=\"row\">%s</th><td class=\"n\">", item->depth,
                 item->label);
        htmlw_uint(b, item->n);
        buf_addf(b, "</td><td class=\"note\">%s</td></tr>\n", item->note ? item->note : "");
    }
    buf_adds(b, "</tbody>\n</table>\n</div>\n");
}

static void put_messages(struct buf *b, const struct run *r)
{
    struct report_items items;

    report_message_items(r, &items);
    html_section(b, "messages", "Messages");
    put_items(b, "What the evidence is of, and what becomes of the rows", &items);
    html_section_end(b);
}

static void put_raw(struct buf *b, struct slice text, uint64_t count)
{
    buf_adds(b, "<tr><th scope=\"row\">");
    htmlw_name(b, text, HTML_NAME);
    buf_adds(b, "</th><td class=\"n\">");
    htmlw_uint(b, count);
    buf_adds(b, "</td></tr>\n");
}

static void put_raw_statuses(struct buf *b, const struct tally *t)
{
    if (t->n == 0 && t->others == 0)
        return;
    buf_adds(
        b,
        "<div class=\"panel scroll\">\n<table>\n<caption>Statuses as they were written</caption>\n"
        "<thead><tr><th scope=\"col\">Status</th>"
        "<th scope=\"col\" class=\"n\">Updates</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < t->n; i++)
        put_raw(b, (struct slice){t->entry[i].text, t->entry[i].n}, t->entry[i].count);
    if (t->others > 0)
        put_raw(b, slice_of("(other)"), t->others);
    buf_adds(b, "</tbody>\n</table>\n</div>\n");
}

static void put_input(struct buf *b, const struct run *r)
{
    struct report_items items;

    report_input_items(&r->input, &items);
    html_section(b, "input", "Input");
    if (items.n > 0)
        put_items(b, "What was read, and what became of it", &items);
    else
        buf_adds(b, "<p>No archive was read and nobody was asked.</p>\n");
    put_raw_statuses(b, &r->input.events.raw_statuses);
    html_section_end(b);
}

static void put_causes(struct buf *b, const struct run *r)
{
    static const char *const meanings[CAUSE_COUNT] = {
        [CAUSE_MISSED_WEBHOOK] = "the row does not prove what the evidence does",
        [CAUSE_OVERWRITTEN] = "the row's own times prove more than its status says",
        [CAUSE_INCONSISTENT] = "the row contradicts itself otherwise",
        [CAUSE_UNPROVEN] = "the row says more than is proven",
        [CAUSE_TIMESTAMP] = "only times or the error's text differ",
    };

    html_section(b, "causes", "Causes");
    buf_adds(b,
             "<div class=\"panel scroll\">\n<table class=\"items\">\n<caption>Corrections by their "
             "cause</caption>\n"
             "<thead><tr><th scope=\"col\">Cause</th><th scope=\"col\" class=\"n\">Corrections</th>"
             "<th scope=\"col\">What it means</th></tr></thead>\n<tbody>\n");
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
        buf_addf(b, "<tr><th scope=\"row\">%s</th><td class=\"n\">", cause_name((enum cause)c));
        htmlw_uint(b, r->causes[c]);
        buf_addf(b, "</td><td class=\"note\">%s</td></tr>\n", meanings[c]);
    }
    buf_adds(b, "</tbody>\n</table>\n</div>\n");
    html_section_end(b);
}

static void put_mismatches(struct buf *b, const struct run *r)
{
    if (r->mismatches == 0)
        return;
    html_section(b, "mismatches", "Instance mismatches");
    buf_adds(b, "<div class=\"panel scroll\">\n<table>\n<caption>Messages that an instance told of "
                "which may not "
                "speak for their row</caption>\n<thead><tr><th scope=\"col\">Instance</th>"
                "<th scope=\"col\" class=\"n\">Messages</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < r->mismatches; i++) {
        buf_adds(b, "<tr><th scope=\"row\">");
        html_instance(b, r->mismatch[i].instance);
        buf_adds(b, "</th><td class=\"n\">");
        htmlw_uint(b, r->mismatch[i].count);
        buf_adds(b, "</td></tr>\n");
    }
    buf_adds(b, "</tbody>\n</table>\n</div>\n");
    html_section_end(b);
}

/* ---- gaps and warnings ------------------------------------------------------------------ */

static void put_gap(struct buf *b, const struct run_gap *g, size_t number)
{
    buf_addf(b, "<article class=\"panel\" aria-labelledby=\"gap%zu\">\n<h3 id=\"gap%zu\">", number,
             number);
    htmlw_uint(b, g->messages);
    buf_adds(b, " messages without a receipt, sent by ");
    html_instance(b, g->instance);
    buf_adds(b, "</h3>\n<p class=\"note\">from ");
    html_time(b, g->from, false);
    buf_adds(b, " until ");
    html_time(b, g->until, false);
    buf_adds(b, "</p>\n");
    if (g->command.p)
        put_command(b, "ask about them", g->command);
    else
        buf_adds(b, "<p>Nobody can be asked about them.</p>\n");
    buf_adds(b, "</article>\n");
}

static int put_gaps(struct buf *b, const struct run *r, struct outfile *f, struct err *e)
{
    if (r->gaps == 0)
        return 0;
    html_section(b, "gaps", "Gaps");
    for (size_t i = 0; i < r->gaps; i++) {
        put_gap(b, &r->gap[i], i + 1);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    html_section_end(b);
    return 0;
}

static void put_warnings(struct buf *b, const struct run *r)
{
    if (r->warnings == 0)
        return;
    html_section(b, "warnings", "Warnings");
    buf_adds(b, "<ul class=\"warnings\">\n");
    for (size_t i = 0; i < r->warnings; i++) {
        buf_adds(b, "<li>");
        htmlw_name(b, r->warning[i], SIZE_MAX);
        buf_adds(b, "</li>\n");
    }
    buf_adds(b, "</ul>\n");
    html_section_end(b);
}

static void put_footer(struct buf *b)
{
    buf_adds(b, "</main>\n<footer>\n<p>Times are UTC. A \xe2\x89\xa4 marks a time that is an upper "
                "bound. Bytes that are no text to show, as control characters, appear as "
                "<span class=\"x\">\\xNN</span>. Long names are cut; the JSON report has them "
                "whole.</p>\n</footer>\n</body>\n</html>\n");
}

int report_html(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e)
{
    struct buf b = BUF_INIT;
    int status = -1;

    put_head(&b, r);
    put_header(&b, r, o);
    put_warnings(&b, r);
    html_explain(&b, r);
    if (!r->offline && html_campaigns(&b, r, o, f, e) < 0)
        goto out;
    if (!r->offline)
        put_causes(&b, r);
    if (put_gaps(&b, r, f, e) < 0)
        goto out;
    put_messages(&b, r);
    put_mismatches(&b, r);
    put_input(&b, r);
    if (!r->offline && o->details && html_corrections(&b, r, o, f, e) < 0)
        goto out;
    put_footer(&b);
    status = report_flush(&b, true, f, e);
out:
    buf_release(&b);
    return status;
}
