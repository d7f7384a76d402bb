#include "report_formats.h"

#include "csvw.h"

#include <inttypes.h>
#include <stdio.h>

/* The columns that every row of either table begins with. */
#define CAMPAIGN_COLUMNS "run,campaign,campaign_name,tenant_id"

static void put_ident(struct csvw *w, enum ident_kind kind, struct ident id)
{
    char text[IDENT_TEXT_SIZE];

    csvw_word(w, ident_format(kind, id, text));
}

static void put_campaign(struct csvw *w, const struct run *r, const struct campaign_result *c)
{
    csvw_word(w, r->id);
    put_ident(w, r->kinds.campaign, c->id);
    csvw_text(w, c->name);
    put_ident(w, r->kinds.tenant, c->tenant);
}

/* ---- a row for each counter of each campaign -------------------------------------- */

static void put_count(struct csvw *w, int64_t n)
{
    if (n < 0) /* NULL */
        csvw_none(w);
    else
        csvw_int(w, n);
}

/* What share of the milestone before have reached m, as stored and recomputed. */
static void put_rates(struct csvw *w, const struct campaign_result *c, enum milestone m)
{
    enum milestone whole = m == M_READ ? M_DELIVERED : M_SENT;

    if (m != M_DELIVERED && m != M_READ) {
        csvw_none(w);
        csvw_none(w);
        csvw_none(w);
        return;
    }
    if (c->stored.count[m] < 0 || c->stored.count[whole] < 0) /* NULL */
        csvw_none(w);
    else
        csvw_hundredths(w, report_rate(c->stored.count[m], c->stored.count[whole]));
    csvw_hundredths(w, report_rate(c->recomputed.count[m], c->recomputed.count[whole]));
    csvw_word(w, milestone_name(whole));
}

/* m: M_COUNT for the total. */
static void put_counter(struct csvw *w, const struct run *r, const struct campaign_result *c,
                        enum milestone m)
{
    int64_t stored = m == M_COUNT ? c->stored.total : c->stored.count[m];
    int64_t recomputed = m == M_COUNT ? c->recomputed.total : c->recomputed.count[m];
    bool kept = m == M_COUNT && !r->fix_total;

    put_campaign(w, r, c);
    csvw_word(w, m == M_COUNT ? "total" : milestone_name(m));
    put_count(w, stored);
    put_count(w, recomputed);
    csvw_int(w, recomputed - (stored < 0 ? 0 : stored));
    put_rates(w, c, m);
    csvw_uint(w, c->corrections);
    csvw_word(w, stored == recomputed ? "same" : kept ? "kept" : report_counters_fate(r, c));
    csvw_end(w);
}

static int put_counters(struct csvw *w, const struct run *r, const struct report_options *o,
                        struct outfile *f, struct err *e)
{
    buf_adds(w->b, CAMPAIGN_COLUMNS ",counter,stored,recomputed,difference,stored_rate,"
                                    "recomputed_rate,rate_of,corrections,outcome\r\n");
    for (size_t i = 0; i < r->campaigns; i++) {
        const struct campaign_result *c = &r->campaign[i];

        for (int m = 0; m <= M_COUNT && report_lists_campaign(r, o, c); m++)
            put_counter(w, r, c, (enum milestone)m);
        if (report_flush(w->b, false, f, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- a row for each correction ------------------------------------------------------ */

/* Names of milestones, a blank between them. */
static void put_milestones(struct csvw *w, uint8_t bits)
{
    const char *blank = "";

    csvw_none(w);
    for (int m = 0; m < M_COUNT; m++) {
        if (!(bits & M_BIT(m)))
            continue;
        buf_addf(w->b, "%s%s", blank, milestone_name((enum milestone)m));
        blank = " ";
    }
}

static void put_sighting(struct csvw *w, const struct run *r, const struct evidence *ev,
                         enum milestone m)
{
    const struct sighting *s = ev && (EVIDENCE_PROVES(ev) & M_BIT(m)) ? &ev->at[m] : NULL;

    csvw_text(w, s ? r->archives->name[s->archive] : SLICE_NONE);
    if (s)
        csvw_uint(w, s->record);
    else
        csvw_none(w);
}

static void put_correction(struct csvw *w, const struct run *r, const struct correction *c)
{
    put_campaign(w, r, &r->campaign[c->campaign_index]);
    put_ident(w, r->kinds.contact, c->id);
    csvw_text(w, c->message_id);
    csvw_word(w, cause_name(c->cause));
    csvw_word(w, report_outcome(r, c));
    csvw_word(w, row_status_name(c->before.status));
    csvw_word(w, row_status_name(c->after.status));
    for (int m = 0; m < M_COUNT; m++) {
        csvw_time(w, c->before.at[m]);
        csvw_time(w, c->after.at[m]);
    }
    csvw_text(w, c->before.error);
    csvw_text(w, c->after.error);
    put_milestones(w, c->approximate);
    csvw_word(w, c->regression ? "true" : "false");
    for (int m = 0; m < M_COUNT; m++)
        put_sighting(w, r, c->evidence, (enum milestone)m);
    csvw_end(w);
}

static int put_corrections(struct csvw *w, const struct run *r, struct outfile *f, struct err *e)
{
    buf_adds(w->b, CAMPAIGN_COLUMNS ",campaign_contact,message_id,cause,outcome,status_before,"
                                    "status_after");
    for (int m = 0; m < M_COUNT; m++) {
        const char *name = report_time_name((enum milestone)m);

        buf_addf(w->b, ",%s_before,%s_after", name, name);
    }
    buf_adds(w->b, ",error_message_before,error_message_after,approximate,regression");
    for (int m = 0; m < M_COUNT; m++) {
        const char *name = milestone_name((enum milestone)m);

        buf_addf(w->b, ",%s_archive,%s_record", name, name);
    }
    buf_adds(w->b, "\r\n");
    for (size_t i = 0; i < r->corrections; i++) {
        if (r->correction[i].outcome != OUTCOME_MOOT)
            put_correction(w, r, &r->correction[i]);
        if (report_flush(w->b, false, f, e) < 0)
            return -1;
    }
    return 0;
}

int report_csv(struct outfile *f, const struct run *r, const struct report_options *o,
               struct err *e)
{
    struct buf b = BUF_INIT;
    struct csvw w = {&b, true};
    int status = o->details ? put_corrections(&w, r, f, e) : put_counters(&w, r, o, f, e);

    if (status == 0)
        status = report_flush(&b, true, f, e);
    buf_release(&b);
    return status;
}
