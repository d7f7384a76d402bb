#include "api_key.h"
#include "apply.h"
#include "log.h"
#include "pipeline_parts.h"

#include <stdio.h>
#include <stdlib.h>

#define WARNING_SIZE 1024

/* A poll under way. */
struct polling {
    struct pipeline *p;
    struct run total;    /* of what has been written */
    size_t cap;          /* of total.correction */
    struct idmap by_row; /* row -> its index there */
    struct api_counts requests;
    bool as_it_goes; /* rows are written as soon as all have answered that were asked about them */
    bool chosen;     /* campaigns are in scope whatever the answers are */
    double part_ended; /* s, monotonic: the latest part; before the first, the poll's begin */
    double part_took;  /* s */
};

/* --- deciding --- */

/* How an instance is told to have been left out; text has room for `size` bytes. */
static const char *left_out_text(const struct pipeline *p, uint32_t i, char *text, size_t size)
{
    (void)snprintf(text, size,
                   "instance \"%s\" left out: its clock seems to be off by %d minutes; "
                   "--accept-clock uses its answers all the same",
                   p->matches.source[i].name.p, (int)p->poll.instance[i].minutes);
    return text;
}

/* Leaves the finished instances out whose clock is wrong; were there any? */
static bool leave_out(struct pipeline *p)
{
    const struct judge *j = &p->judge;
    bool any = false;
    uint32_t i;

    for (i = 0; !p->o->accept_clock && i < p->poll.instances; i++) {
        struct poll_instance *in = &p->poll.instance[i];
        char text[WARNING_SIZE];

        if (!in->done || in->left_out ||
            !judge_clock_is_wrong(&j->clock[j->clock_of[i]], &in->minutes))
            continue;
        log_warning("%s", left_out_text(p, i, text, sizeof text));
        in->left_out = any = true;
        p->incomplete = true;
    }
    return any;
}

int pipeline_judge_poll(struct pipeline *p, struct err *e)
{
    if (store_snapshot_begin(p->store, &p->run.snapshot_at, e) < 0)
        return -1;
    if (directory_read(&p->directory, p->store, e) < 0 ||
        poll_match(&p->poll, &p->directory, &p->matches, e) < 0 ||
        pipeline_judge(p, &p->matches.campaigns, e) < 0)
        return -1;
    return store_snapshot_end(p->store, e);
}

/* For the report: by the instances' names, whenever each was left out. */
static void keep_left_out(struct pipeline *p)
{
    size_t from = p->warnings.n;
    char text[WARNING_SIZE];
    uint32_t i;

    for (i = 0; i < p->poll.instances; i++) {
        if (p->poll.instance[i].left_out)
            warnings_keep(&p->warnings, left_out_text(p, i, text, sizeof text));
    }
    warnings_sort(&p->warnings, from);
}

/* Decides by what has been said so far. */
static int decide_part(struct pipeline *p, struct err *e)
{
    struct run_messages *n = &p->run.messages;

    for (;;) {
        if (pipeline_judge_poll(p, e) < 0)
            return -1;
        if (!leave_out(p))
            break;
        if (pipeline_leave_part(p, false, e) < 0)
            return -1;
    }
    if (!p->partial)
        keep_left_out(p);
    n->used = p->matches.used;
    n->ambiguous = p->matches.ambiguous;
    n->distinct = n->used + n->ambiguous;
    if (n->ambiguous > 0 && !p->partial)
        p->incomplete = true;
    pipeline_check(p);
    return 0;
}

/* --- adding parts up --- */

static struct campaign_result *total_campaign(struct polling *g, const struct campaign_result *c,
                                              struct err *e)
{
    struct campaign_result *grown;
    size_t i;

    for (i = 0; i < g->total.campaigns; i++) {
        if (ident_eq(g->total.campaign[i].id, c->id))
            return &g->total.campaign[i];
    }
    grown = realloc(g->total.campaign, (g->total.campaigns + 1) * sizeof *grown);
    if (!grown) {
        (void)err_oom(e);
        return NULL;
    }
    g->total.campaign = grown;
    grown += g->total.campaigns++;
    *grown = *c;
    grown->corrections = 0;
    return grown;
}

/* A row that was written before moved again: to the report it is one correction. */
static void add_again(struct correction *c, const struct correction *again)
{
    enum cause cause = c->cause;
    struct row_state before = c->before;
    bool regression = c->regression || again->regression;

    *c = *again;
    c->before = before;
    c->cause = cause;
    c->regression = regression;
}

static int add_correction(struct polling *g, const struct correction *c, struct err *e)
{
    struct run *t = &g->total;
    uint32_t at = idmap_find(&g->by_row, c->id);

    if (at != IDMAP_NONE) {
        if (c->outcome == OUTCOME_WRITTEN)
            add_again(&t->correction[at], c);
        return 0;
    }
    if (t->corrections == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 1024;
        struct correction *grown = realloc(t->correction, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        t->correction = grown;
        g->cap = cap;
    }
    if (idmap_add(&g->by_row, c->id, (uint32_t)t->corrections) == IDMAP_NONE)
        return err_oom(e);
    t->correction[t->corrections++] = *c;
    return 0;
}

/* Adds what a part wrote to the total, and of the last one what it left, too. */
static int add_part(struct polling *g, struct err *e)
{
    const struct pipeline *p = g->p;
    const struct run *part = &p->run;
    size_t i;

    for (i = 0; i < part->campaigns; i++) {
        const struct campaign_result *c = &part->campaign[i];
        struct campaign_result *sum = total_campaign(g, c, e);

        if (!sum)
            return -1;
        sum->recomputed = c->recomputed;
        sum->written |= c->written;
        sum->left_alone = c->left_alone;
        sum->busy = c->busy;
    }
    for (i = 0; i < part->corrections; i++) {
        const struct correction *c = &part->correction[i];

        if ((!p->partial || c->outcome == OUTCOME_WRITTEN) && add_correction(g, c, e) < 0)
            return -1;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    return ident_cmp(((const struct campaign_result *)a)->id,
                     ((const struct campaign_result *)b)->id);
}

static int by_campaign_and_id(const void *a, const void *b)
{
    const struct correction *x = a, *y = b;
    int c = ident_cmp(x->campaign, y->campaign);

    return c ? c : ident_cmp(x->id, y->id);
}

/* Counts the total's corrections; how many rows with evidence earlier parts wrote? */
static uint64_t count_total(struct run *t, const struct run_messages *last)
{
    struct run_messages *n = &t->messages;
    size_t i, k = 0;

    for (i = 0; i < t->corrections; i++) {
        struct correction *c = &t->correction[i];

        while (!ident_eq(t->campaign[k].id, c->campaign))
            k++;
        c->campaign_index = k;
        t->campaign[k].corrections++;
        if (c->outcome != OUTCOME_WRITTEN && c->outcome != OUTCOME_PLANNED)
            continue;
        n->updated++;
        n->updated_without_evidence += !c->evidence;
        n->regressions += c->regression;
        t->causes[c->cause]++;
    }
    return n->updated - n->updated_without_evidence -
           (last->updated - last->updated_without_evidence);
}

/* Puts the total in the place of the last part, which went over all evidence
 * once more: what earlier ones had written was no longer to be done. */
static void take_total(struct polling *g, const struct run_messages *last)
{
    struct run *r = &g->p->run, *t = &g->total;
    uint64_t earlier;

    if (t->campaigns > 0)
        qsort(t->campaign, t->campaigns, sizeof *t->campaign, by_id);
    if (t->corrections > 0)
        qsort(t->correction, t->corrections, sizeof *t->correction, by_campaign_and_id);
    t->messages = *last;
    t->messages.updated = t->messages.updated_without_evidence = t->messages.regressions = 0;
    earlier = count_total(t, last);
    t->messages.already_processed -=
        earlier < last->already_processed ? earlier : last->already_processed;
    r->campaign = t->campaign;
    r->campaigns = t->campaigns;
    r->correction = t->correction;
    r->corrections = t->corrections;
    r->gap = t->gap;
    r->gaps = t->gaps;
    r->messages = t->messages;
    memcpy(r->causes, t->causes, sizeof r->causes);
    memset(t, 0, sizeof *t);
}

/* --- writing as it goes --- */

/* Parts take a tenth of the time at most, and of an instance under way they come
 * by the batch, or every few seconds where answers are slow. */
#define PART_SHARE 10
#define PART_SECONDS 5

static int apply_part(struct polling *g, struct err *e)
{
    struct pipeline *p = g->p;
    double since = clock_monotonic();

    p->poll.ready = 0;
    if (decide_part(p, e) < 0 || pipeline_apply(p, e) < 0 || add_part(g, e) < 0 ||
        pipeline_leave_part(p, true, e) < 0)
        return -1;
    g->part_ended = clock_monotonic();
    g->part_took = g->part_ended - since;
    return 0;
}

/* Is it time for a part? Numbers of a dialect that was not named may turn out
 * to be of the other: what they say waits until all have been read. */
static bool is_due(const struct polling *g, bool finished)
{
    const struct pipeline *p = g->p;
    double since = clock_monotonic() - g->part_ended;

    if (!g->as_it_goes || p->poll.ready == 0 || p->run.input.events.unnamed_numbers > 0 ||
        since < (PART_SHARE - 1) * g->part_took)
        return false;
    return finished || p->poll.ready >= (uint64_t)p->o->batch || since >= PART_SECONDS;
}

static int on_answered(void *ctx, struct err *e)
{
    return is_due(ctx, false) ? apply_part(ctx, e) : 0;
}

static int on_done(void *ctx, struct poll_instance *i, struct err *e)
{
    struct polling *g = ctx;
    struct pipeline *p = g->p;

    if (i->problem) {
        log_warning("%s", i->problem); /* kept in the end, whose order is always the same */
        p->incomplete = true;
    }
    return is_due(g, true) ? apply_part(g, e) : 0;
}

/* --- asking --- */

/* Which instances may be asked; NULL: all. */
static int choose_instances(const struct pipeline *p, bool **chosen, struct err *e)
{
    const struct opt_list *l = &p->o->instance;
    size_t i;

    *chosen = NULL;
    if (l->n == 0)
        return 0;
    *chosen = calloc((size_t)p->polled.instances + 1, sizeof **chosen);
    if (!*chosen)
        return err_oom(e);
    for (i = 0; i < l->n; i++) {
        const struct directory_named *named;

        if (directory_lookup(&p->polled, slice_of(l->item[i]), &named, e) < 0)
            return -1;
        if (!named)
            return err_set(e, EXIT_USAGE, "no instance is named \"%s\"", l->item[i]);
        if (named->n > 1)
            return err_set(e, EXIT_USAGE, "%u instances are named \"%s\"", named->n, l->item[i]);
        (*chosen)[named->instance[0]] = true;
    }
    return 0;
}

/* Whom to ask about what, by a snapshot of its own. */
static int plan(struct polling *g, struct err *e)
{
    struct pipeline *p = g->p;
    const struct options *o = p->o;
    const struct scope_options scope = {pipeline_list(&o->campaign), pipeline_list(&o->tenant),
                                        pipeline_list(&o->instance), o->all};
    struct poll_choice c = {.since = o->sent_since, .until = o->sent_until};
    struct run chosen = {.campaign = NULL};
    struct ident *ids = NULL;
    bool *instance = NULL, all = true;
    int status = -1;
    int64_t at;

    if (store_snapshot_begin(p->store, &at, e) < 0 || directory_read(&p->polled, p->store, e) < 0 ||
        choose_instances(p, &instance, e) < 0)
        goto out;
    if (g->chosen) {
        if (scope_campaigns(&chosen, &scope, &p->polled, NULL, p->run.kinds, &all, e) < 0)
            goto out;
        ids = malloc((chosen.campaigns + 1) * sizeof *ids);
        if (!ids) {
            (void)err_oom(e);
            goto out;
        }
        for (c.n = 0; c.n < chosen.campaigns; c.n++)
            ids[c.n] = chosen.campaign[c.n].id;
    }
    c.campaigns = all ? NULL : ids;
    c.instance = instance;
    if (poll_plan(&p->poll, &p->polled, &p->archives, p->store, &c, e) < 0)
        goto out;
    status = store_snapshot_end(p->store, e);
out:
    free(chosen.campaign);
    free(ids);
    free(instance);
    return status;
}

static int ask(struct polling *g, struct err *e)
{
    struct pipeline *p = g->p;
    const struct options *o = p->o;
    char key[API_KEY_SIZE] = "";
    struct api_options api = {
        .url = o->evolution_url,
        .key = key,
        .cacert = o->cacert,
        .strategy = (enum api_strategy)o->strategy,
        .connections = (unsigned)o->connections,
        .page_size = (unsigned)o->page_size,
        .rate = o->rate,
        .request_timeout = o->request_timeout,
        .retry_time = o->retry_time,
        .events = {.codes = (enum status_codes)o->status_codes,
                   .codes_named = o->status_codes_named},
        .now = p->run.started_at,
        .progress = p->progress,
        .interrupted = p->interrupted,
    };
    const struct poll_sink sink = {on_answered, on_done, g};
    bool exposed;
    int status = api_key_read(o->api_key_file, key, &exposed, e);

    if (exposed) /* and not refused: a secret mounted into a container is often so */
        warnings_add(&p->warnings,
                     "every user may read the key file \"%s\"; take that right away (chmod o-r)",
                     o->api_key_file);
    g->part_ended = clock_monotonic();
    p->poll.progress = p->progress;
    progress_begin(p->progress, PROGRESS_ASKING, p->poll.row.n);
    p->poll.explain = o->explain ? &p->explain : NULL;
    /* a failure is final else, but here what follows may take it back */
    p->poll.whole = o->policy.failed_unless_delivered;
    if (status == 0)
        status = poll_run(&p->poll, &api, &sink, &g->requests, &p->run.input.events, e);
    explicit_bzero(key, sizeof key);
    p->run.input.requests = g->requests.requests;
    p->run.input.requests_failed = g->requests.requests_failed;
    return status;
}

/* Could no instance be asked at all? */
static bool all_given_up(const struct poll *poll)
{
    uint32_t i;

    for (i = 0; i < poll->instances; i++) {
        if (!poll->instance[i].given_up)
            return false;
    }
    return poll->instances > 0;
}

/* What earlier parts wrote to is to be counted once more in the end, too. */
static void mark_written(struct polling *g)
{
    struct run *r = &g->p->run;
    size_t i, k;

    for (i = 0; i < r->campaigns; i++) {
        for (k = 0; k < g->total.campaigns; k++) {
            if (ident_eq(g->total.campaign[k].id, r->campaign[i].id))
                r->campaign[i].recheck = g->total.campaign[k].written;
        }
    }
}

static uint64_t written(const struct run *r)
{
    uint64_t n = 0;
    size_t i;

    for (i = 0; i < r->corrections; i++)
        n += r->correction[i].outcome == OUTCOME_WRITTEN;
    return n;
}

/* What is left once all have been asked, and the report of it all. A refusal is
 * a failure (p->tells). */
static int apply_last(struct polling *g, struct err *e)
{
    struct pipeline *p = g->p;
    struct run_messages last;
    unsigned long long n;
    int status;

    mark_written(g);
    status = pipeline_apply(p, e);
    if (status < 0 && !p->tells)
        return -1;
    last = p->run.messages;
    g->total.gap = p->run.gap;
    g->total.gaps = p->run.gaps;
    p->run.gap = NULL;
    if (add_part(g, e) < 0 || pipeline_leave_part(p, true, e) < 0)
        return -1;
    take_total(g, &last);
    if (status < 0 && (n = written(&p->run)) > 0) {
        warnings_add(&p->warnings, "%llu correction(s) had been written before", n);
        (void)err_set(e, EXIT_FAILED, "nothing more was written");
    }
    return status;
}

static int finish(struct polling *g, struct err *e)
{
    struct pipeline *p = g->p;
    size_t from = p->warnings.n;
    uint32_t i;
    int status = 0;

    p->partial = false;
    for (i = 0; i < p->poll.instances; i++) {
        if (p->poll.instance[i].problem)
            warnings_keep(&p->warnings, p->poll.instance[i].problem);
    }
    warnings_sort(&p->warnings, from);
    if (p->poll.nobody > 0)
        warnings_add(&p->warnings, "%llu message(s) have no instance that could be asked",
                     (unsigned long long)p->poll.nobody);
    check_codes(&p->warnings, &p->run.input.events, p->o->apply, false);
    if (decide_part(p, e) < 0)
        return -1;
    if (g->as_it_goes)
        status = apply_last(g, e);
    else if (p->o->apply)
        status = pipeline_apply(p, e);
    p->run.messages.unsettled_not_asked = p->poll.not_asked;
    if (status == 0 && all_given_up(&p->poll)) {
        p->tells = true;
        p->run.failure = "every instance was given up";
        status = err_set(e, EXIT_FAILED, "%s", p->run.failure);
    }
    return status;
}

int pipeline_poll(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    struct polling g = {.p = p};
    int status;

    g.chosen = o->all || o->campaign.n > 0 || o->tenant.n > 0;
    g.as_it_goes = p->partial = o->apply && !o->max_corrections.set;
    status = plan(&g, e);
    if (status == 0)
        status = ask(&g, e);
    if (status == 0)
        status = finish(&g, e);
    idmap_release(&g.by_row);
    free(g.total.campaign);
    free(g.total.correction);
    free(g.total.gap);
    return status;
}
