#include "report_html.h"

#include "htmlw.h"

#include <inttypes.h>
#include <stdlib.h>

/* The funnel in units of SVG, which are pixels where nothing is scaled. */
#define FUNNEL_WIDTH 360
#define STAGE_HEIGHT 52 /* of a milestone: a line of text, two bars, and room */
#define BARS_AT 19      /* below the top of a stage */
#define BAR_HEIGHT 9
#define BAR_STEP 11
#define STAGES 3 /* sent, delivered, read */

/* A campaign and by how much it drifts: what it is sorted by. */
struct drifting {
    const struct campaign_result *campaign;
    uint64_t drift; /* sum of the differences that count, whatever their sign */
};

static int64_t difference(int64_t stored, int64_t recomputed)
{
    return recomputed - (stored < 0 ? 0 : stored);
}

static uint64_t plus_size(uint64_t sum, int64_t stored, int64_t recomputed)
{
    int64_t d = difference(stored, recomputed);
    uint64_t size = d < 0 ? 0 - (uint64_t)d : (uint64_t)d;

    return sum > UINT64_MAX - size ? UINT64_MAX : sum + size;
}

static uint64_t drift_of(const struct campaign_result *c, bool fix_total)
{
    uint64_t sum = 0;

    for (int m = 0; m < M_COUNT; m++)
        sum = plus_size(sum, c->stored.count[m], c->recomputed.count[m]);
    return fix_total ? plus_size(sum, c->stored.total, c->recomputed.total) : sum;
}

/* Largest first; campaigns are by id already. */
static int by_drift(const void *a, const void *b)
{
    const struct drifting *x = a, *y = b;

    if (x->drift != y->drift)
        return x->drift > y->drift ? -1 : 1;
    if (x->campaign->corrections != y->campaign->corrections)
        return x->campaign->corrections > y->campaign->corrections ? -1 : 1;
    return (x->campaign > y->campaign) - (x->campaign < y->campaign);
}

/* The id of the part about a campaign. */
static size_t number_of(const struct run *r, const struct campaign_result *c)
{
    return (size_t)(c - r->campaign) + 1;
}

/* ---- the table ---------------------------------------------------------------------- */

/* NULL counts as 0, but differs from it: "+0". */
static void put_signed(struct buf *b, int64_t stored, int64_t recomputed)
{
    int64_t d = difference(stored, recomputed);

    if (d == 0 && stored != recomputed)
        buf_addc(b, '+');
    htmlw_difference(b, d);
}

static void put_difference(struct buf *b, int64_t stored, int64_t recomputed, bool counts)
{
    buf_addf(b, "<td class=\"n%s\">", stored != recomputed && counts ? " drift" : "");
    put_signed(b, stored, recomputed);
    buf_adds(b, "</td>");
}

/* The bar's width is an attribute of SVG, as no element has a style of its own. */
static void put_bar(struct buf *b, uint64_t drift, uint64_t most)
{
    unsigned width = most > 0 ? (unsigned)((double)drift / (double)most * 1000) : 0;

    buf_addf(b,
             "<td><svg class=\"bar\" viewBox=\"0 0 100 10\" preserveAspectRatio=\"none\" "
             "aria-hidden=\"true\"><rect width=\"%u.%u\" height=\"10\"/></svg></td>",
             width / 10, width % 10);
}

static void put_row(struct buf *b, const struct run *r, const struct drifting *d, uint64_t most)
{
    const struct campaign_result *c = d->campaign;

    buf_addf(b, "<tr><th scope=\"row\" class=\"name\"><a href=\"#c%zu\">", number_of(r, c));
    htmlw_name(b, c->name, HTML_NAME);
    buf_adds(b, "</a></th><td class=\"n\">");
    htmlw_uint(b, d->drift);
    buf_adds(b, "</td>");
    put_bar(b, d->drift, most);
    for (int m = 0; m < M_COUNT; m++)
        put_difference(b, c->stored.count[m], c->recomputed.count[m], true);
    put_difference(b, c->stored.total, c->recomputed.total, r->fix_total);
    buf_adds(b, "<td class=\"n\">");
    htmlw_uint(b, c->corrections);
    buf_addf(b, "</td><td>%s</td></tr>\n",
             campaign_differs(c, r->fix_total) ? report_counters_fate(r, c) : "same");
}

static int put_drift(struct buf *b, const struct run *r, const struct drifting *list, size_t n,
                     struct outfile *f, struct err *e)
{
    html_section(b, "drift", "Drift");
    if (report_differing_campaigns(r) == 0) {
        buf_adds(b, "<p>No counter differs and no row is to be corrected.</p>\n");
        html_section_end(b);
        return 0;
    }
    buf_addf(b,
             "<div class=\"panel\">\n<p class=\"note\">Recomputed less stored, the largest drift "
             "first: the sum of the differences%s, whatever their sign.</p>\n",
             r->fix_total ? "" : " but that of the total");
    html_scroll(b, "drift-title");
    buf_adds(b,
             "<table>\n<caption class=\"vh\">Campaigns by drift</caption>\n<thead><tr>"
             "<th scope=\"col\">Campaign</th><th scope=\"col\" class=\"n\">Drift</th>"
             "<td></td><th scope=\"col\" class=\"n\">Sent</th>"
             "<th scope=\"col\" class=\"n\">Delivered</th><th scope=\"col\" class=\"n\">Read</th>"
             "<th scope=\"col\" class=\"n\">Failed</th><th scope=\"col\" class=\"n\">Total</th>"
             "<th scope=\"col\" class=\"n\">Corrections</th>"
             "<th scope=\"col\">Counters</th></tr></thead>\n<tbody>\n");
    for (size_t i = 0; i < n; i++) {
        const struct campaign_result *c = list[i].campaign;

        if (c->corrections == 0 && !campaign_differs(c, r->fix_total))
            continue;
        put_row(b, r, &list[i], list[0].drift);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    buf_adds(b, "</tbody>\n</table>\n");
    html_scroll_end(b);
    buf_adds(b, "</div>\n");
    html_section_end(b);
    return 0;
}

/* ---- the funnel --------------------------------------------------------------------- */

/* Tenths of a unit. */
static unsigned width_of(int64_t n, int64_t most)
{
    return n > 0 && most > 0 ? (unsigned)((double)n / (double)most * FUNNEL_WIDTH * 10) : 0;
}

static int64_t largest(const struct campaign_result *c)
{
    int64_t most = 0;

    for (int m = 0; m < STAGES; m++) {
        most = c->stored.count[m] > most ? c->stored.count[m] : most;
        most = c->recomputed.count[m] > most ? c->recomputed.count[m] : most;
    }
    return most;
}

static void put_rect(struct buf *b, const char *class, unsigned y, unsigned width)
{
    if (width > 0)
        buf_addf(b, "<rect class=\"%s\" y=\"%u\" width=\"%u.%u\" height=\"%d\"/>\n", class, y,
                 width / 10, width % 10, BAR_HEIGHT);
}

/* The surface from the end of one milestone's bar to the beginning of the next's. */
static void put_fall(struct buf *b, int stage, unsigned from, unsigned to)
{
    int top = (stage - 1) * STAGE_HEIGHT + BARS_AT + BAR_STEP + BAR_HEIGHT;
    int bottom = stage * STAGE_HEIGHT + BARS_AT + BAR_STEP;

    if (from + to > 0)
        buf_addf(b, "<path class=\"fall\" d=\"M0 %dH%u.%uL%u.%u %dH0Z\"/>\n", top, from / 10,
                 from % 10, to / 10, to % 10, bottom);
}

static void put_stage(struct buf *b, const struct campaign_result *c, enum milestone m,
                      int64_t most)
{
    int64_t stored = c->stored.count[m], now = c->recomputed.count[m];
    unsigned top = (unsigned)m * STAGE_HEIGHT;

    buf_addf(b, "<text x=\"0\" y=\"%u\">%s</text>\n<text class=\"figure\" x=\"%d\" y=\"%u\">",
             top + 13, milestone_name(m), FUNNEL_WIDTH, top + 13);
    html_count(b, stored);
    buf_adds(b, REPORT_ARROW);
    html_count(b, now);
    if (stored != now) {
        buf_adds(b, " <tspan class=\"drift\">");
        put_signed(b, stored, now);
        buf_adds(b, "</tspan>");
    }
    buf_addf(b, "</text>\n<rect class=\"track\" y=\"%u\" width=\"%d\" height=\"%d\"/>\n",
             top + BARS_AT, FUNNEL_WIDTH, BAR_HEIGHT);
    put_rect(b, "was", top + BARS_AT, width_of(stored, most));
    put_rect(b, "now", top + BARS_AT + BAR_STEP, width_of(now, most));
}

/* In words, for those who do not see it. */
static void put_description(struct buf *b, const struct campaign_result *c)
{
    for (int m = 0; m < STAGES; m++) {
        buf_addf(b, "%s%s: stored ", m > 0 ? "; " : "", milestone_name((enum milestone)m));
        html_count(b, c->stored.count[m]);
        buf_adds(b, ", recomputed ");
        html_count(b, c->recomputed.count[m]);
    }
    buf_addc(b, '.');
}

static void put_funnel(struct buf *b, const struct campaign_result *c, size_t number)
{
    int64_t most = largest(c);

    buf_addf(b,
             "<svg class=\"funnel\" viewBox=\"0 0 %d %d\" role=\"img\" "
             "aria-labelledby=\"f%zu\" aria-describedby=\"d%zu\">\n<title id=\"f%zu\">Funnel of ",
             FUNNEL_WIDTH,
             STAGES * STAGE_HEIGHT - STAGE_HEIGHT + BARS_AT + BAR_STEP + BAR_HEIGHT + 1, number,
             number, number);
    htmlw_text(b, c->name, HTML_NAME);
    buf_addf(b, "</title>\n<desc id=\"d%zu\">", number);
    put_description(b, c);
    buf_adds(b, "</desc>\n");
    for (int m = 1; m < STAGES; m++)
        put_fall(b, m, width_of(c->recomputed.count[m - 1], most),
                 width_of(c->recomputed.count[m], most));
    for (int m = 0; m < STAGES; m++)
        put_stage(b, c, (enum milestone)m, most);
    buf_adds(b, "</svg>\n");
}

/* ---- each campaign ------------------------------------------------------------------- */

static void put_counter(struct buf *b, const char *name, const char *note, int64_t stored,
                        int64_t recomputed)
{
    buf_addf(b, "<tr><th scope=\"row\">%s", name);
    if (note)
        buf_addf(b, "<span class=\"change note\">%s</span>", note);
    buf_adds(b, "</th><td class=\"n\">");
    html_count(b, stored);
    buf_adds(b, "</td><td class=\"n\">");
    html_count(b, recomputed);
    buf_adds(b, "</td>");
    put_difference(b, stored, recomputed, !note);
    buf_adds(b, "<td class=\"n\">");
}

static void put_counters(struct buf *b, const struct run *r, const struct campaign_result *c)
{
    static const enum milestone whole[M_COUNT] = {[M_DELIVERED] = M_SENT, [M_READ] = M_DELIVERED};
    const int64_t *stored = c->stored.count, *count = c->recomputed.count;
    bool kept = c->stored.total != c->recomputed.total && !r->fix_total;

    html_scroll(b, NULL);
    buf_adds(b, "<table>\n<caption class=\"vh\">Counters of ");
    htmlw_name(b, c->name, HTML_NAME);
    buf_adds(b, "</caption>\n<thead><tr><th scope=\"col\">Counter</th>"
                "<th scope=\"col\" class=\"n\">Stored</th>"
                "<th scope=\"col\" class=\"n\">Recomputed</th>"
                "<th scope=\"col\" class=\"n\">Difference</th>"
                "<th scope=\"col\" class=\"n\">Rate</th></tr></thead>\n<tbody>\n");
    for (int m = 0; m < M_COUNT; m++) {
        put_counter(b, milestone_name((enum milestone)m), NULL, stored[m], count[m]);
        if (m == M_DELIVERED || m == M_READ) {
            uint64_t rate = report_rate(count[m], count[whole[m]]);

            buf_addf(b, "%" PRIu64 ".%02u\xc2\xa0%%", rate / 100, (unsigned)(rate % 100));
        }
        buf_adds(b, "</td></tr>\n");
    }
    put_counter(b, "total", kept ? "kept without --fix-total" : NULL, c->stored.total,
                c->recomputed.total);
    buf_adds(b, "</td></tr>\n</tbody>\n</table>\n");
    html_scroll_end(b);
}

static void put_campaign(struct buf *b, const struct run *r, const struct campaign_result *c)
{
    size_t number = number_of(r, c);

    buf_addf(b,
             "<article class=\"panel campaign\" id=\"c%zu\" aria-labelledby=\"n%zu\">\n<header>\n"
             "<h3 id=\"n%zu\">",
             number, number, number);
    htmlw_name(b, c->name, HTML_NAME);
    buf_addf(b, "</h3>\n<p class=\"about\"><span>%zu %s</span>", c->corrections,
             c->corrections == 1 ? "correction" : "corrections");
    if (c->left_alone)
        buf_adds(b, " <span class=\"drift\">left alone</span>");
    buf_adds(b, " <span>campaign ");
    html_ident(b, r->kinds.campaign, c->id);
    buf_adds(b, "</span> <span>tenant ");
    html_ident(b, r->kinds.tenant, c->tenant);
    buf_adds(b, "</span></p>\n</header>\n");
    put_funnel(b, c, number);
    put_counters(b, r, c);
    buf_adds(b, "</article>\n");
}

static int put_list(struct buf *b, const struct run *r, const struct drifting *list, size_t n,
                    struct outfile *f, struct err *e)
{
    html_section(b, "campaigns", "Campaigns");
    if (n > 0)
        buf_adds(b,
                 "<p class=\"legend\"><span><svg viewBox=\"0 0 24 10\" aria-hidden=\"true\">"
                 "<rect class=\"was\" x=\"1\" y=\"1\" width=\"22\" height=\"8\"/></svg>"
                 "stored</span> <span><svg viewBox=\"0 0 24 10\" aria-hidden=\"true\">"
                 "<rect class=\"now\" x=\"1\" y=\"1\" width=\"22\" height=\"8\"/></svg>"
                 "recomputed</span> <span>rate: delivered of sent, read of delivered, as recomputed"
                 "</span></p>\n");
    else
        buf_adds(b, "<p>None is to be shown.</p>\n");
    for (size_t i = 0; i < n; i++) {
        put_campaign(b, r, list[i].campaign);
        if (report_flush(b, false, f, e) < 0)
            return -1;
    }
    html_section_end(b);
    return 0;
}

int html_campaigns(struct buf *b, const struct run *r, const struct report_options *o,
                   struct outfile *f, struct err *e)
{
    struct drifting *list = malloc((r->campaigns + 1) * sizeof *list);
    size_t n = 0;
    int status = -1;

    if (!list)
        return err_oom(e);
    for (size_t i = 0; i < r->campaigns; i++) {
        const struct campaign_result *c = &r->campaign[i];

        if (report_lists_campaign(r, o, c))
            list[n++] = (struct drifting){c, drift_of(c, r->fix_total)};
    }
    qsort(list, n, sizeof *list, by_drift);
    if (put_drift(b, r, list, n, f, e) == 0 && put_list(b, r, list, n, f, e) == 0)
        status = 0;
    free(list);
    return status;
}
