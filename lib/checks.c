#include "checks.h"

#include "log.h"

#include <inttypes.h>
#include <stdlib.h>

#define REBUILD_SLACK (10 * 60 * US_PER_SECOND)

void check_archives(struct warnings *w, const struct archive *a, uint32_t n, bool apply,
                    bool accept_damaged)
{
    uint32_t i, corrupt = 0;

    for (i = 0; i < n; i++)
        corrupt += a[i].damage == GZIN_CORRUPT;
    if (corrupt > 0 && !accept_damaged)
        warnings_refuse(w, apply,
                        "%u archive(s) corrupt, so what they held is not known; "
                        "--accept-damaged writes all the same",
                        corrupt);
}

void check_codes(struct warnings *w, const struct event_counts *c, bool apply, bool offline)
{
    static const char text[] =
        "%llu status code%s 4 or 5, which the application's numbers do not have: are these "
        "Baileys' numbers, where 2 is sent and 3 delivered? Name them with --status-codes";

    const char *plural = c->unnamed_codes == 1 ? "" : "s";

    if (c->unnamed_codes == 0)
        return;
    if (offline)
        warnings_add(w, text, (unsigned long long)c->unnamed_codes, plural);
    else
        warnings_refuse(w, apply, text, (unsigned long long)c->unnamed_codes, plural);
}

static int by_name(const void *a, const void *b, void *ctx)
{
    const struct names *names = ctx;

    return slice_cmp(names->name[*(const uint32_t *)a], names->name[*(const uint32_t *)b]);
}

static void warn_of_clock(struct warnings *w, const struct judge *j, uint32_t i, int32_t minutes)
{
    const struct judge_clock *c = &j->clock[i];
    int size = abs(minutes);
    char why[128];

    if (judge_clock_has_early_rows(c))
        (void)snprintf(why, sizeof why,
                       "%" PRIu64 " of %" PRIu64
                       " messages have events more than 10 minutes before "
                       "their sent_at",
                       c->early, c->rows);
    else
        (void)snprintf(why, sizeof why, "most of its webhooks came more than 10 minutes %s it",
                       minutes < 0 ? "before" : "after");
    warnings_add(w,
                 "instance \"%s\": its date_time seems off: %s; adding %c%02d:%02d would close it "
                 "(see --date-time-zone)",
                 j->clock_names.name[i].p, why, minutes < 0 ? '-' : '+', size / 60, size % 60);
}

int check_clocks(struct warnings *w, struct judge *j, bool apply, bool accept_clock, struct err *e)
{
    uint32_t *order = calloc((size_t)j->clock_names.n + 1, sizeof *order);
    bool wrong = false;
    uint32_t i;

    if (!order)
        return err_oom(e);
    for (i = 0; i < j->clock_names.n; i++)
        order[i] = i;
    /* Names are numbered as threads met them; what is told must not depend on it. */
    qsort_r(order, j->clock_names.n, sizeof *order, by_name, &j->clock_names);
    for (i = 0; i < j->clock_names.n; i++) {
        int32_t minutes;

        if (!judge_clock_is_wrong(&j->clock[order[i]], &minutes))
            continue;
        warn_of_clock(w, j, order[i], minutes);
        wrong = true;
    }
    if (wrong && !accept_clock)
        warnings_refuse(w, apply, "a clock seems wrong; --accept-clock writes all the same");
    free(order);
    return 0;
}

/* --- rebuild --- */

/* From when to when the archives have events of an instance of the database. */
struct reach {
    int64_t first, last; /* TIME_NONE: no event */
};

struct coverage {
    struct warnings *w;
    const struct run *run;
    const struct match_table *t;
    struct reach *reach;   /* by index of directory.instance */
    struct idmap instance; /* id -> that index */
    struct idmap told;     /* campaigns that were refused already */
    bool apply;
};

static int coverage_init(struct coverage *c, const struct fold *f, struct err *e)
{
    const struct directory *d = c->t->directory;
    uint32_t i, k;

    c->reach = calloc((size_t)d->instances + 1, sizeof *c->reach);
    if (!c->reach)
        return err_oom(e);
    for (i = 0; i < d->instances; i++) {
        c->reach[i] = (struct reach){TIME_NONE, TIME_NONE};
        if (idmap_add(&c->instance, d->instance[i].id, i) == IDMAP_NONE)
            return err_oom(e);
    }
    for (i = 0; i < f->names.n; i++) {
        const struct fold_instance *in = &f->instance[i];
        const struct directory_named *named = c->t->named[i];

        for (k = 0; in->first != TIME_NONE && named && k < named->n; k++) {
            struct reach *r = &c->reach[named->instance[k]];

            if (r->first == TIME_NONE || in->first < r->first)
                r->first = in->first;
            if (r->last == TIME_NONE || in->last > r->last)
                r->last = in->last;
        }
    }
    return 0;
}

static bool reaches(const struct reach *r, const struct store_span *s)
{
    return r->first != TIME_NONE && r->first <= s->first_sent + REBUILD_SLACK &&
           r->last >= s->last - REBUILD_SLACK;
}

static int refuse_campaign(struct coverage *c, const struct store_span *s, uint32_t instance,
                           struct err *e)
{
    const struct directory *d = c->t->directory;
    const struct store_campaign *campaign = directory_campaign(d, s->campaign);
    char id[IDENT_TEXT_SIZE], from[TIME_TEXT_SIZE], to[TIME_TEXT_SIZE];
    char first[TIME_TEXT_SIZE], last[TIME_TEXT_SIZE];
    const struct reach *r = instance == IDMAP_NONE ? NULL : &c->reach[instance];

    if (idmap_find(&c->told, s->campaign) != IDMAP_NONE)
        return 0;
    if (idmap_add(&c->told, s->campaign, 0) == IDMAP_NONE)
        return err_oom(e);
    (void)ident_format(c->run->kinds.campaign, s->campaign, id);
    (void)time_format(s->first_sent, from);
    (void)time_format(s->last, to);
    if (r && r->first != TIME_NONE)
        warnings_refuse(c->w, c->apply,
                        "campaign \"%s\" (%s) cannot be rebuilt: it reaches from %s to %s, the "
                        "archives' events of instance \"%s\" from %s to %s",
                        campaign ? campaign->name.p : "", id, from, to,
                        d->instance[instance].name.p, time_format(r->first, first),
                        time_format(r->last, last));
    else
        warnings_refuse(c->w, c->apply,
                        "campaign \"%s\" (%s) cannot be rebuilt: it reaches from %s to %s, and the "
                        "archives have no events of instance \"%s\"",
                        campaign ? campaign->name.p : "", id, from, to,
                        r ? d->instance[instance].name.p : "");
    return 0;
}

static int on_span(void *ctx, const struct store_span *s, struct err *e)
{
    struct coverage *c = ctx;
    const struct directory *d = c->t->directory;
    const struct store_campaign *campaign = directory_campaign(d, s->campaign);
    bool any = false;
    uint32_t i;

    if (s->has_instance) {
        i = idmap_find(&c->instance, s->instance);
        if (i == IDMAP_NONE || !reaches(&c->reach[i], s))
            return refuse_campaign(c, s, i, e);
        return 0;
    }
    for (i = 0; i < d->instances; i++) {
        const struct directory_instance *in = &d->instance[i];

        if (in->has_tenant && !(campaign && ident_eq(in->tenant, campaign->tenant)))
            continue;
        any = true;
        if (!reaches(&c->reach[i], s))
            return refuse_campaign(c, s, i, e);
    }
    return any ? 0 : refuse_campaign(c, s, IDMAP_NONE, e);
}

int check_rebuild(struct warnings *w, const struct run *run, const struct fold *f,
                  const struct match_table *t, struct store *s, bool damaged, bool apply,
                  struct err *e)
{
    struct coverage c = {.w = w, .run = run, .t = t, .apply = apply};
    struct ident *ids = malloc((run->campaigns + 1) * sizeof *ids);
    int status = -1;
    size_t i;

    if (!ids) {
        (void)err_oom(e);
        goto out;
    }
    if (damaged)
        warnings_refuse(w, apply, "a rebuild needs whole archives, and some are damaged");
    for (i = 0; i < run->campaigns; i++)
        ids[i] = run->campaign[i].id;
    if (coverage_init(&c, f, e) < 0)
        goto out;
    status = run->campaigns ? store_read_spans(s, ids, run->campaigns, on_span, &c, e) : 0;
out:
    free(ids);
    free(c.reach);
    idmap_release(&c.instance);
    idmap_release(&c.told);
    return status;
}

/* What refusing over a gap needs. */
struct gap_check {
    struct warnings *w;
    const struct directory *directory;
    bool apply;
};

static int on_gap(void *ctx, const struct gap *g, struct err *e)
{
    const struct gap_check *c = ctx;
    char from[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];

    (void)e;
    warnings_refuse(c->w, c->apply,
                    "a rebuild over a gap: the archives have no receipt of %llu messages that "
                    "instance \"%s\" sent from %s to %s",
                    (unsigned long long)g->messages, c->directory->instance[g->instance].name.p,
                    time_format(g->from, from), time_format(g->until, until));
    return 0;
}

int check_gaps(struct warnings *w, struct judge *j, bool apply, struct err *e)
{
    struct gap_check c = {w, j->gaps.directory, apply};

    return gapbook_find(&j->gaps, true, on_gap, &c, e);
}

void check_corrections(struct warnings *w, const struct run *run, uint64_t rows, int64_t limit,
                       bool is_share, double share, bool apply)
{
    uint64_t n = run->messages.updated;
    const char *are = n == 1 ? " is" : "s are", *of = rows == 1 ? "" : "s";

    if (is_share) {
        if ((double)n * 100.0 > share * (double)rows)
            warnings_refuse(w, apply,
                            "%llu correction%s more than --max-corrections allows (%g%% of %llu "
                            "row%s)",
                            (unsigned long long)n, are, share, (unsigned long long)rows, of);
    } else if (limit >= 0 && n > (uint64_t)limit) {
        warnings_refuse(w, apply, "%llu correction%s more than --max-corrections allows (%lld)",
                        (unsigned long long)n, are, (long long)limit);
    }
}
