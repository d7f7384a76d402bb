#include "apply.h"
#include "command.h"
#include "pipeline_parts.h"
#include "states.h"

#include <stdio.h>
#include <stdlib.h>

/* Shorter than PostgreSQL's deadlock_timeout, 1 s: where somebody locks in another
 * order than ours, it is we who give way. */
#define LOCK_TIMEOUT (800 * US_PER_SECOND / 1000)
#define BATCH_RETRIES 5
#define BATCH_TIME (US_PER_SECOND / 2)

struct scope_list pipeline_list(const struct opt_list *l)
{
    return (struct scope_list){l->item, l->n};
}

const char *pipeline_config(const struct options *o)
{
    return options_config_named(o) ? o->config_path : NULL;
}

const char *pipeline_dbname(const struct options *o)
{
    return options_configured(o, "dbname") ? NULL : o->dbname;
}

static int by_instance(const void *a, const void *b)
{
    return slice_cmp(((const struct run_mismatch *)a)->instance,
                     ((const struct run_mismatch *)b)->instance);
}

static int take_matches(struct pipeline *p, struct err *e)
{
    struct run_messages *n = &p->run.messages;
    uint32_t i;

    n->used = p->matches.used;
    n->not_campaign_message = p->matches.not_campaign_message;
    n->ambiguous = p->matches.ambiguous;
    n->instance_mismatch = p->matches.instance_mismatch;
    p->run.mismatch = calloc((size_t)p->fold.names.n + 1, sizeof *p->run.mismatch);
    if (!p->run.mismatch)
        return err_oom(e);
    for (i = 0; i < p->fold.names.n; i++) {
        if (p->matches.mismatch[i] > 0)
            p->run.mismatch[p->run.mismatches++] =
                (struct run_mismatch){p->fold.names.name[i], p->matches.mismatch[i]};
    }
    if (p->run.mismatches > 0)
        qsort(p->run.mismatch, p->run.mismatches, sizeof *p->run.mismatch, by_instance);
    if (n->ambiguous > 0 || n->instance_mismatch > 0)
        p->incomplete = true;
    return 0;
}

/* What the corrections amount to; those of campaigns left alone are none. */
static void count_corrections(struct pipeline *p)
{
    struct run *r = &p->run;
    size_t i;

    for (i = 0; i < r->corrections; i++) {
        struct correction *c = &r->correction[i];

        if (r->campaign[c->campaign_index].left_alone && c->outcome == OUTCOME_PLANNED)
            c->outcome = OUTCOME_LEFT;
        if (c->outcome != OUTCOME_PLANNED && c->outcome != OUTCOME_WRITTEN)
            continue;
        r->messages.updated++;
        r->messages.updated_without_evidence += !c->evidence;
        r->messages.regressions += c->regression;
        r->causes[c->cause]++;
    }
}

static void warn_of_order(struct pipeline *p, const struct campaign_result *c)
{
    char id[IDENT_TEXT_SIZE];

    warnings_add(&p->warnings,
                 "campaign \"%s\" (%s) left alone: read <= delivered <= sent <= total would "
                 "not hold",
                 c->name.p, ident_format(p->run.kinds.campaign, c->id, id));
    p->incomplete = true;
}

static void warn_of_rows(struct pipeline *p)
{
    const struct tally *t = &p->judge.unknown;
    size_t i;

    for (i = 0; i < t->n; i++)
        warnings_add(&p->warnings, "%llu row(s) left alone: their status \"%s\" is not known",
                     (unsigned long long)t->entry[i].count, t->entry[i].text);
    if (t->others > 0)
        warnings_add(&p->warnings, "%llu more row(s) left alone for statuses that are not known",
                     (unsigned long long)t->others);
    for (i = 0; i < p->run.campaigns; i++) {
        if (p->run.campaign[i].left_alone)
            warn_of_order(p, &p->run.campaign[i]);
    }
}

/* Where a poll has to go, as this run was told; what the environment says need not be
 * repeated. */
static void put_connections(struct buf *b, const struct options *o)
{
    const char *url = getenv("EVOLUTION_API_URL");

    if (pipeline_config(o))
        command_put_option(b, "--config", pipeline_config(o));
    if (pipeline_dbname(o))
        command_put_option(b, "-d", pipeline_dbname(o));
    if (o->evolution_url && !options_configured(o, "evolution-url") &&
        (!url || strcmp(url, o->evolution_url) != 0))
        command_put_option(b, "--evolution-url", o->evolution_url);
}

/* The poll that would ask about the messages of a gap; p NULL: nobody can be
 * asked. A name that several instances bear is left out, so all are asked. */
static int gap_command(struct pipeline *p, const struct gap *g, struct slice *command,
                       struct err *e)
{
    const struct directory_instance *in = &p->directory.instance[g->instance];
    const struct directory_named *named;
    struct buf b = BUF_INIT;
    char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];

    *command = SLICE_NONE;
    if (!in->is_evolution)
        return 0;
    if (directory_lookup(&p->directory, in->name, &named, e) < 0)
        return -1;
    buf_adds(&b, "reconcile poll");
    put_connections(&b, p->o);
    if (named && named->n == 1) {
        buf_adds(&b, " --instance ");
        command_put_word(&b, in->name.p);
    }
    buf_addf(&b, " --sent-since %s --sent-until %s --apply", time_format(g->from, since),
             time_format(g->until + 1, until));
    if (!b.failed)
        *command = (struct slice){arena_dup(&p->judge.arena, b.data, b.len), b.len};
    buf_release(&b);
    return command->p ? 0 : err_oom(e);
}

static int on_gap(void *ctx, const struct gap *g, struct err *e)
{
    struct pipeline *p = ctx;
    struct run_gap *grown = realloc(p->run.gap, (p->run.gaps + 1) * sizeof *grown);

    if (!grown)
        return err_oom(e);
    p->run.gap = grown;
    grown += p->run.gaps++;
    *grown = (struct run_gap){p->directory.instance[g->instance].name, g->from, g->until,
                              g->messages, SLICE_NONE};
    return gap_command(p, g, &grown->command, e);
}

static bool waits(const void *ctx, struct ident row)
{
    return poll_waits(ctx, row);
}

static int judge_all(struct pipeline *p, bool all, struct err *e)
{
    p->judge_options = (struct judge_options){.policy = p->o->policy,
                                              .settle = p->o->settle,
                                              .now = p->run.started_at,
                                              .waits = p->partial ? waits : NULL,
                                              .waits_ctx = &p->poll,
                                              .progress = p->partial ? NULL : p->progress};
    progress_begin(p->judge_options.progress, PROGRESS_DECIDING, 0);
    if (judge_init(&p->judge, &p->judge_options, &p->directory, &p->matches, &p->run, e) < 0 ||
        judge_rows(&p->judge, p->store, all, e) < 0)
        return -1;
    return p->partial ? 0 : gapbook_find(&p->judge.gaps, false, on_gap, p, e);
}

void pipeline_check(struct pipeline *p)
{
    const struct opt_limit *most = &p->o->max_corrections;

    count_corrections(p);
    if (p->partial)
        return;
    warn_of_rows(p);
    check_corrections(&p->warnings, &p->run, p->judge.rows,
                      most->set && !most->percent ? most->number : -1, most->set && most->percent,
                      most->share, p->o->apply);
}

int pipeline_judge(struct pipeline *p, const struct idmap *touched, struct err *e)
{
    const struct options *o = p->o;
    const struct scope_options scope = {pipeline_list(&o->campaign), pipeline_list(&o->tenant),
                                        pipeline_list(&o->instance), o->all};
    bool all;

    if (scope_campaigns(&p->run, &scope, &p->directory, touched, p->run.kinds, &all, e) < 0)
        return -1;
    if (o->policy.rebuild && !o->accept_partial && !p->partial &&
        check_rebuild(&p->warnings, &p->run, &p->fold, &p->matches, p->store,
                      p->run.input.archives_damaged > 0, o->apply, e) < 0)
        return -1;
    if (judge_all(p, all, e) < 0)
        return -1;
    if (o->explain && explain_rows(&p->explain, &p->judge, p->store, &p->archives, e) < 0)
        return -1;
    if (o->policy.rebuild && !o->accept_partial && !p->partial)
        return check_gaps(&p->warnings, &p->judge, o->apply, e);
    return 0;
}

static int on_sent(void *ctx, struct ident campaign, struct err *e)
{
    struct pipeline *p = ctx;

    return idmap_add(&p->sent, campaign, 0) == IDMAP_NONE ? err_oom(e) : 0;
}

/* The campaigns in scope where none are chosen; NULL: all. */
static int find_touched(struct pipeline *p, const struct idmap **touched, struct err *e)
{
    const struct options *o = p->o;

    *touched = &p->matches.campaigns;
    if (o->tool != TOOL_AUDIT)
        return 0;
    *touched = NULL;
    if (o->sent_since == TIME_NONE && o->sent_until == TIME_NONE)
        return 0;
    *touched = &p->sent;
    return store_find_sent(p->store, o->sent_since, o->sent_until, on_sent, p, e);
}

static int match_rows(struct pipeline *p, struct err *e)
{
    return match_run(&p->matches, &p->fold, &p->directory, p->store, p->o->any_instance,
                     scope_keeps, &p->instances, e);
}

int pipeline_decide(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    const struct scope_list instances = pipeline_list(&o->instance);
    const struct idmap *touched;

    if (store_snapshot_begin(p->store, &p->run.snapshot_at, e) < 0)
        return -1;
    if (directory_read(&p->directory, p->store, e) < 0 ||
        scope_instances_by_directory(&p->instances, &instances, &p->fold.names, &p->directory, e) <
            0 ||
        match_rows(p, e) < 0 || take_matches(p, e) < 0 || find_touched(p, &touched, e) < 0 ||
        pipeline_judge(p, touched, e) < 0)
        return -1;
    pipeline_check(p);
    if (check_clocks(&p->warnings, &p->judge, o->apply, o->accept_clock, e) < 0)
        return -1;
    return store_snapshot_end(p->store, e);
}

int pipeline_judge_again(struct pipeline *p, struct err *e)
{
    const struct idmap *touched;
    int64_t at;

    if (store_snapshot_begin(p->store, &at, e) < 0)
        return -1;
    if (directory_read(&p->directory, p->store, e) < 0 || match_rows(p, e) < 0 ||
        find_touched(p, &touched, e) < 0 || pipeline_judge(p, touched, e) < 0)
        return -1;
    return store_snapshot_end(p->store, e);
}

/* --- writing --- */

/* A poll comes here for each of its parts. */
static void count_written(struct run *r)
{
    for (size_t i = 0; i < r->corrections; i++) {
        if (r->correction[i].outcome == OUTCOME_WRITTEN)
            r->written[r->correction[i].cause]++;
    }
}

static int count_committed(struct pipeline *p, const struct apply_summary *sum, struct err *e)
{
    const struct run *r = &p->run;
    size_t i;

    p->committed.corrections += sum->written;
    p->committed.transactions += sum->batches;
    p->committed.in_doubt = sum->in_doubt;
    for (i = 0; i < r->campaigns; i++) {
        if (r->campaign[i].written &&
            idmap_add(&p->committed.campaigns, r->campaign[i].id, 0) == IDMAP_NONE)
            return err_oom(e);
    }
    return 0;
}

void pipeline_tell_committed(const struct pipeline *p, struct err *e)
{
    if (p->committed.transactions == 0)
        (void)err_prefix(e, "nothing had been committed%s", p->committed.in_doubt ? " before" : "");
    else
        (void)err_prefix(
            e,
            "%llu correction(s) had been committed in %llu transaction(s), with the counters of "
            "%zu campaign(s)",
            (unsigned long long)p->committed.corrections,
            (unsigned long long)p->committed.transactions, p->committed.campaigns.n);
}

/* The corrections of a campaign, which follow each other, that a lock kept from being written. */
static size_t count_busy(const struct run *r, struct ident campaign)
{
    size_t low = 0, high = r->corrections, n = 0;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ident_cmp(r->correction[middle].campaign, campaign) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    for (; low < r->corrections && ident_eq(r->correction[low].campaign, campaign); low++)
        n += r->correction[low].outcome == OUTCOME_BUSY;
    return n;
}

/* A lock that a campaign's batches need: of the campaign itself, or of what else
 * they write. */
static void warn_of_lock(struct pipeline *p, size_t campaign)
{
    const struct campaign_result *k = &p->run.campaign[campaign];
    char id[IDENT_TEXT_SIZE], what[80] = "its counters are";
    size_t n = count_busy(&p->run, k->id);

    if (n > 0)
        (void)snprintf(what, sizeof what, "%zu correction(s), and their part in its counters, are",
                       n);
    warnings_add(&p->warnings,
                 "campaign \"%s\" (%s): %s not written, as something stayed locked: %s", k->name.p,
                 ident_format(p->run.kinds.campaign, k->id, id), what,
                 k->lock ? k->lock : "the server does not say what");
    p->incomplete = true;
}

#define ROWS_TOLD 3

/* Rows that were passed over because somebody else held them. */
static void warn_of_locked_rows(struct pipeline *p)
{
    char ids[ROWS_TOLD * (IDENT_TEXT_SIZE + 2)] = "", id[IDENT_TEXT_SIZE];
    size_t i, n = 0, at = 0;

    for (i = 0; i < p->run.corrections; i++) {
        const struct correction *c = &p->run.correction[i];

        if (c->outcome != OUTCOME_BUSY || p->run.campaign[c->campaign_index].busy)
            continue;
        if (n++ < ROWS_TOLD)
            at += (size_t)snprintf(ids + at, sizeof ids - at, "%s%s", n > 1 ? ", " : "",
                                   ident_format(p->run.kinds.contact, c->id, id));
    }
    if (n > 0)
        warnings_add(
            &p->warnings,
            "%zu row(s) of table %s are not written, as they or their contacts stayed locked: "
            "%s%s",
            n, store_row_table(p->store), ids, n > ROWS_TOLD ? ", ..." : "");
}

static void take_outcomes(struct pipeline *p, const struct apply_summary *sum)
{
    struct run_messages *n = &p->run.messages;
    size_t i;

    n->updated = n->updated_without_evidence = n->regressions = 0;
    memset(p->run.causes, 0, sizeof p->run.causes);
    count_corrections(p);
    for (i = 0; i < p->run.corrections; i++) {
        const struct correction *c = &p->run.correction[i];

        if (c->outcome == OUTCOME_MOOT && (c->evidence || p->o->acts))
            n->already_processed++;
    }
    if (p->o->acts)
        n->matched = p->action_rows - n->updated_without_evidence;
    if (p->partial)
        return; /* the last part will see what is left */
    for (i = 0; i < p->run.campaigns; i++) {
        const struct campaign_result *c = &p->run.campaign[i];

        if (c->left_late)
            warn_of_order(p, c);
        if (c->busy)
            warn_of_lock(p, i);
    }
    if (sum->busy > 0)
        warn_of_locked_rows(p);
    n->conflicts = sum->conflicts + p->conflicts;
    n->busy = sum->busy;
    if (n->conflicts > 0 || sum->busy > 0)
        p->incomplete = true;
}

static int put_evidence(void *ctx, const struct correction *c, struct buf *b, struct err *e)
{
    const struct pipeline *p = ctx;

    if (c->evidence)
        states_put_evidence(b, &p->archives, c->evidence, EVIDENCE_PROVES(c->evidence));
    else
        buf_adds(b, "{}");
    return b->failed ? err_oom(e) : 0;
}

int pipeline_apply(struct pipeline *p, struct err *e)
{
    bool reverts = p->o->tool == TOOL_REVERT;
    const struct apply_effects effects = {p->run.id, p->o->instance_health, p->o->app_zone_table,
                                          put_evidence, p};
    const struct apply_journal journal = {actions_journal_intent, actions_journal_withdrawn,
                                          actions_journal_committed, p->journal};
    const struct apply_options ao = {
        .batch = (size_t)p->o->batch,
        .single_transaction = p->o->single_transaction,
        .fix_total = p->o->fix_total,
        .lock_timeout = LOCK_TIMEOUT,
        .retries = BATCH_RETRIES,
        .pause = p->o->pause,
        .batch_time = BATCH_TIME,
        .max_lag = p->o->max_lag,
        .recheck = p->partial ? 0 : p->o->recheck,
        .any_order = reverts,
        .redecide = p->o->acts ? NULL : judge_again,
        .ctx = &p->judge,
        .journal = p->journal ? &journal : NULL,
        .effects = reverts ? NULL : &effects, /* what was written besides stays */
        .progress = p->partial ? NULL : p->progress,
        .arena = &p->warnings.arena,
    };
    struct apply_summary sum = {0};
    struct err unused = ERR_INIT;
    int status;

    if (p->warnings.refused) {
        p->tells = p->run.refused = true;
        return err_set(e, EXIT_FAILED, "nothing was written");
    }
    if (p->journal)
        actions_journal_scope(p->journal, p->run.campaign, p->run.campaigns);
    progress_begin(ao.progress, PROGRESS_WRITING, p->run.corrections);
    status = apply_run(p->store, &ao, p->run.correction, p->run.corrections, p->run.campaign,
                       p->run.campaigns, &sum, e);
    count_written(&p->run);
    if (count_committed(p, &sum, status < 0 ? &unused : e) < 0 || status < 0)
        return -1;
    p->run.applied = true;
    take_outcomes(p, &sum);
    return 0;
}
