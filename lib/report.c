#include "report.h"

#include "report_formats.h"

#define FLUSH_AT ((size_t)64 << 10) /* bytes held back: any number of corrections passes through */

bool report_counts_correction(const struct correction *c)
{
    return c->outcome == OUTCOME_PLANNED || c->outcome == OUTCOME_WRITTEN;
}

static const char *not_yet(const struct run *r)
{
    return r->apply ? "not_written" : "planned";
}

const char *report_outcome(const struct run *r, const struct correction *c)
{
    switch (c->outcome) {
    case OUTCOME_PLANNED:
        break;
    case OUTCOME_WRITTEN:
        return "written";
    case OUTCOME_MOOT:
        return "moot";
    case OUTCOME_CONFLICT:
        return "conflict";
    case OUTCOME_BUSY:
        return "busy";
    case OUTCOME_LEFT:
        return "left_alone";
    }
    return not_yet(r);
}

const char *report_counters_fate(const struct run *r, const struct campaign_result *c)
{
    return c->left_alone ? "left_alone" : c->written ? "written" : c->busy ? "busy" : not_yet(r);
}

bool report_lists_campaign(const struct run *r, const struct report_options *o,
                           const struct campaign_result *c)
{
    return o->verbose || c->corrections > 0 || campaign_differs(c, r->fix_total);
}

uint64_t report_rate(int64_t part, int64_t whole)
{
    uint64_t p, w, rest;

    if (part <= 0 || whole <= 0)
        return 0;
    /* Counts of rows are far below the 2^48 at which the rest times 20000
     * would not fit. */
    p = (uint64_t)part;
    w = (uint64_t)whole;
    rest = p % w;
    return p / w * 10000 + (rest * 20000 + w) / (2 * w);
}

const char *report_time_name(enum milestone m)
{
    static const char *const names[M_COUNT] = {"sent_at", "delivered_at", "read_at", "failed_at"};

    return names[m];
}

int report_flush(struct buf *b, bool all, struct outfile *f, struct err *e)
{
    int status;

    if (b->failed)
        return err_oom(e);
    if (b->len == 0 || (!all && b->len < FLUSH_AT))
        return 0;
    status = outfile_write(f, b->data, b->len, e);
    buf_clear(b);
    return status;
}

int report_write(struct outfile *f, const struct run *r, const struct report_options *o,
                 struct err *e)
{
    switch (o->format) {
    case REPORT_TEXT:
        return report_text(f, r, o, e);
    case REPORT_JSON:
        return report_json(f, r, o, e);
    case REPORT_CSV:
        return report_csv(f, r, o, e);
    case REPORT_HTML:
        return report_html(f, r, o, e);
    }
    return err_set(e, EXIT_USAGE, "no such report format: %d", (int)o->format);
}
