#include "pipeline.h"

#include "apply.h"
#include "archives.h"
#include "checks.h"
#include "command.h"
#include "judge.h"
#include "log.h"
#include "rejects.h"
#include "report.h"
#include "scope.h"
#include "source_archive.h"
#include "states.h"
#include "version.h"
#include "warnings.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define REJECTS_SHOWN 10      /* rejected records told one by one; all with -v */
#define LOCK_TIMEOUT (2 * US_PER_SECOND)
#define BATCH_RETRIES 5

/* All that a run holds, so that one place releases it. */
struct pipeline {
    const struct options *o;
    const volatile sig_atomic_t *interrupted;
    struct store *store;
    struct archive_list list;
    struct archive *archive;
    struct names archives; /* their names, and those of states files */
    struct fold fold;
    struct directory directory;
    struct scope_instances instances;
    struct match_table matches;
    struct idmap sent; /* campaigns that --sent-since and --sent-until choose */
    struct judge_options judge_options;
    struct judge judge;
    struct warnings warnings;
    struct buf command;
    struct run run;
    bool incomplete; /* some input could not be read or used: EXIT_INPUT */
};

static struct scope_list list_of(const struct opt_list *l)
{
    return (struct scope_list){l->item, l->n};
}

/* Reasons not to write are errors with --apply, but in a rehearsal warnings. */
static bool writes(const struct pipeline *p)
{
    return p->o->apply;
}

/* --- reading --- */

static int name_archives(struct pipeline *p, struct err *e)
{
    size_t i;

    if (archives_expand(&p->list, p->o->archive, p->o->archives, e) < 0)
        return -1;
    p->archive = calloc(p->list.n + 1, sizeof *p->archive);
    if (!p->archive)
        return err_oom(e);
    for (i = 0; i < p->list.n; i++) {
        p->archive[i].name = p->list.archive[i].name;
        p->archive[i].error = p->list.archive[i].error;
        if (names_add(&p->archives, slice_of(p->list.archive[i].name)) == NAMES_NONE)
            return err_oom(e);
    }
    return 0;
}

static int read_archives(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    struct source_options so = {
        .events = {.codes = (enum status_codes)o->status_codes,
                   .codes_named = o->status_codes_named,
                   .date_time_zone = o->date_time_table},
        .max_record = (size_t)o->max_record,
        .jobs = (unsigned)o->jobs,
        .shown = o->verbose ? UINT32_MAX - 1 : o->quiet ? 0 : REJECTS_SHOWN,
        .now = p->run.started_at,
        .since = o->since,
        .until = o->until,
        .interrupted = p->interrupted,
    };
    int status = -1;

    if (o->rejects && rejects_open(&so.rejects, o->rejects, e) < 0)
        return -1;
    status = source_archive_fold(p->archive, (uint32_t)p->list.n, &so, &p->fold,
                                 &p->run.input.events, e);
    if (status == 0 && so.rejects) {
        status = rejects_commit(so.rejects, e);
        so.rejects = NULL;
    }
    rejects_abort(so.rejects);
    return status;
}

static void count_archives(struct pipeline *p)
{
    struct run_input *in = &p->run.input;
    size_t i;

    in->archives = p->list.n;
    for (i = 0; i < p->list.n; i++) {
        const struct archive *a = &p->archive[i];

        in->bytes_compressed += a->bytes_in;
        in->bytes += a->bytes_out;
        if (a->damage == GZIN_GROWING)
            in->archives_growing++;
        else if (a->damage != GZIN_WHOLE)
            in->archives_damaged++;
        if (a->damage == GZIN_GROWING)
            log_note("%s, but it is still being written", a->problem);
        else if (a->problem)
            warnings_add(&p->warnings, "%s", a->problem);
    }
    if (in->archives_damaged > 0)
        p->incomplete = true;
}

static int read_states(struct pipeline *p, struct err *e)
{
    char problem[1200];
    size_t i;

    for (i = 0; i < p->o->states_in.n; i++) {
        int status = states_read(&p->fold, &p->archives, p->o->states_in.item[i],
                                 p->run.started_at, problem, sizeof problem, e);

        if (status < 0)
            return -1;
        if (status == 0)
            continue;
        p->incomplete = true;
        p->run.input.archives_damaged++;
        if (p->o->accept_damaged)
            warnings_add(&p->warnings, "%s", problem);
        else
            warnings_refuse(&p->warnings, writes(p),
                            "%s; --accept-damaged writes all the same", problem);
    }
    return 0;
}

static bool ends_in_gz(const char *path)
{
    size_t n = strlen(path);

    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

static bool keep_state(void *ctx, const struct fold *f, const struct fold_entry *x)
{
    (void)f;
    return scope_keeps(ctx, x);
}

static int write_states(struct pipeline *p, struct err *e)
{
    const char *path = p->o->states_out;
    struct outfile *f;

    if (!path)
        return 0;
    if (outfile_open(&f, path, 0600, ends_in_gz(path), e) < 0)
        return -1;
    if (states_write(f, &p->fold, p->o->policy.failed_unless_delivered, keep_state, &p->instances,
                     e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}

static int fold_all(struct pipeline *p, struct err *e)
{
    if (name_archives(p, e) < 0 || read_archives(p, e) < 0)
        return -1;
    count_archives(p);
    check_archives(&p->warnings, p->archive, (uint32_t)p->list.n, writes(p),
                   p->o->accept_damaged || p->o->offline);
    check_codes(&p->warnings, &p->run.input.events, writes(p), p->o->offline);
    if (read_states(p, e) < 0 || fold_sort(&p->fold, e) < 0)
        return -1;
    return 0;
}

/* --- deciding --- */

static void count_distinct(struct pipeline *p)
{
    size_t i;

    for (i = 0; i < p->fold.n; i++)
        p->run.messages.distinct += scope_keeps(&p->instances, p->fold.entry[i]);
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

        if (r->campaign[c->campaign_index].left_alone)
            c->outcome = OUTCOME_LEFT;
        if (c->outcome != OUTCOME_PLANNED && c->outcome != OUTCOME_WRITTEN)
            continue;
        r->messages.updated++;
        r->messages.updated_without_evidence += !c->evidence;
        r->messages.regressions += c->regression;
        r->causes[c->cause]++;
    }
}

static void warn_of_rows(struct pipeline *p)
{
    const struct tally *t = &p->judge.unknown;
    char id[IDENT_TEXT_SIZE];
    size_t i;

    for (i = 0; i < t->n; i++)
        warnings_add(&p->warnings, "%llu row(s) left alone: their status \"%s\" is not known",
                     (unsigned long long)t->entry[i].count, t->entry[i].text);
    if (t->others > 0)
        warnings_add(&p->warnings, "%llu more row(s) left alone for statuses that are not known",
                     (unsigned long long)t->others);
    for (i = 0; i < p->run.campaigns; i++) {
        const struct campaign_result *c = &p->run.campaign[i];

        if (!c->left_alone)
            continue;
        warnings_add(&p->warnings,
                     "campaign \"%s\" (%s) left alone: read <= delivered <= sent <= total would "
                     "not hold",
                     c->name.p, ident_format(p->run.kinds.campaign, c->id, id));
        p->incomplete = true;
    }
}

/* The poll that would ask about the messages of a gap. */
static struct slice gap_command(struct pipeline *p, struct slice instance, const struct gap *g)
{
    struct buf b = BUF_INIT;
    char since[TIME_TEXT_SIZE], until[TIME_TEXT_SIZE];
    struct slice command;

    buf_adds(&b, "reconcile poll --instance ");
    command_put_argument(&b, instance.p);
    buf_addf(&b, " --sent-since %s --sent-until %s --apply", time_format(g->from, since),
             time_format(g->until + 1, until));
    command = (struct slice){b.failed ? NULL : arena_dup(&p->judge.arena, b.data, b.len), b.len};
    buf_release(&b);
    return command;
}

static int on_gap(void *ctx, const struct gap *g, struct err *e)
{
    struct pipeline *p = ctx;
    struct slice name = p->directory.instance[g->instance].name;
    struct run_gap *grown = realloc(p->run.gap, (p->run.gaps + 1) * sizeof *grown);

    if (!grown)
        return err_oom(e);
    p->run.gap = grown;
    grown[p->run.gaps] =
        (struct run_gap){name, g->from, g->until, g->messages, gap_command(p, name, g)};
    return grown[p->run.gaps++].command.p ? 0 : err_oom(e);
}

static int judge_all(struct pipeline *p, bool all, struct err *e)
{
    p->judge_options = (struct judge_options){
        .policy = p->o->policy, .settle = p->o->settle, .now = p->run.started_at};
    if (judge_init(&p->judge, &p->judge_options, &p->directory, &p->matches, &p->run, e) < 0 ||
        judge_rows(&p->judge, p->store, all, e) < 0 ||
        gapbook_find(&p->judge.gaps, false, on_gap, p, e) < 0)
        return -1;
    if (p->o->policy.rebuild && !p->o->accept_partial &&
        check_gaps(&p->warnings, &p->judge, writes(p), e) < 0)
        return -1;
    count_corrections(p);
    warn_of_rows(p);
    check_clocks(&p->warnings, &p->judge, writes(p), p->o->accept_clock);
    check_corrections(&p->warnings, &p->run, p->judge.rows,
                      p->o->max_corrections.set && !p->o->max_corrections.percent
                          ? p->o->max_corrections.number
                          : -1,
                      p->o->max_corrections.set && p->o->max_corrections.percent,
                      p->o->max_corrections.share, writes(p));
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

/* Everything that is read of the database, within one snapshot. */
static int decide_all(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    const struct scope_list instances = list_of(&o->instance);
    const struct scope_options scope = {list_of(&o->campaign), list_of(&o->tenant), instances,
                                        o->all};
    const struct idmap *touched;
    bool all;

    if (store_snapshot_begin(p->store, &p->run.snapshot_at, e) < 0)
        return -1;
    if (directory_read(&p->directory, p->store, e) < 0 ||
        scope_instances_by_directory(&p->instances, &instances, &p->fold.names, &p->directory,
                                     e) < 0 ||
        match_run(&p->matches, &p->fold, &p->directory, p->store, o->any_instance, scope_keeps,
                  &p->instances, e) < 0 ||
        take_matches(p, e) < 0 ||
        find_touched(p, &touched, e) < 0 ||
        scope_campaigns(&p->run, &scope, &p->directory, touched, p->run.kinds, &all, e) < 0)
        return -1;
    if (o->policy.rebuild && !o->accept_partial &&
        check_rebuild(&p->warnings, &p->run, &p->matches, p->store,
                      p->run.input.archives_damaged > 0, writes(p), e) < 0)
        return -1;
    if (judge_all(p, all, e) < 0)
        return -1;
    return store_snapshot_end(p->store, e);
}

/* --- writing --- */

static void take_outcomes(struct pipeline *p, const struct apply_summary *sum)
{
    struct run_messages *n = &p->run.messages;
    size_t i;

    n->updated = n->updated_without_evidence = n->regressions = 0;
    memset(p->run.causes, 0, sizeof p->run.causes);
    count_corrections(p);
    for (i = 0; i < p->run.corrections; i++) {
        const struct correction *c = &p->run.correction[i];

        if (c->outcome == OUTCOME_MOOT && c->evidence)
            n->already_processed++;
    }
    n->conflicts = sum->conflicts;
    n->busy = sum->busy;
    if (sum->conflicts > 0 || sum->busy > 0)
        p->incomplete = true;
}

static int apply_all(struct pipeline *p, struct err *e)
{
    const struct apply_options ao = {
        .batch = (size_t)p->o->batch,
        .single_transaction = p->o->single_transaction,
        .fix_total = p->o->fix_total,
        .lock_timeout = LOCK_TIMEOUT,
        .retries = BATCH_RETRIES,
        .pause = p->o->pause,
        .redecide = judge_again,
        .ctx = &p->judge,
    };
    struct apply_summary sum = {0};
    int status;

    if (p->warnings.refused)
        return err_set(e, EXIT_FAILED, "nothing was written");
    status = apply_run(p->store, &ao, p->run.correction, p->run.corrections, p->run.campaign,
                       p->run.campaigns, &sum, e);
    if (status < 0) {
        (void)err_prefix(e, "%zu correction(s) in %zu transaction(s) had been committed", sum.written,
                         sum.batches);
        return -1;
    }
    p->run.applied = true;
    take_outcomes(p, &sum);
    return 0;
}

/* --- the end --- */

static int write_report(struct pipeline *p, struct err *e)
{
    struct outfile *f;

    p->run.finished_at = clock_now();
    p->run.warning = p->warnings.text;
    p->run.warnings = p->warnings.n;
    if (outfile_open(&f, p->o->output, 0600, false, e) < 0)
        return -1;
    if (report_write(f, &p->run, &p->o->report, e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}

static bool finds_difference(const struct run *r)
{
    size_t i;

    for (i = 0; i < r->campaigns; i++) {
        if (r->campaign[i].corrections > 0 || campaign_differs(&r->campaign[i], r->fix_total))
            return true;
    }
    return false;
}

static int exit_status(const struct pipeline *p)
{
    if (p->incomplete)
        return EXIT_INPUT;
    if (!p->run.offline && !p->run.applied && finds_difference(&p->run))
        return EXIT_DIFFERENT;
    return EXIT_CLEAN;
}

static void pipeline_init(struct pipeline *p, const struct options *o, int64_t started,
                          const volatile sig_atomic_t *interrupted)
{
    char at[TIME_TEXT_SIZE];

    memset(p, 0, sizeof *p);
    p->o = o;
    p->interrupted = interrupted;
    fold_init(&p->fold, &p->archives);
    directory_init(&p->directory);
    (void)time_format(started, at);
    (void)snprintf(p->run.id, sizeof p->run.id, "%.4s%.2s%.2sT%.2s%.2s%.2s%.3sZ-%d", at, at + 5,
                   at + 8, at + 11, at + 14, at + 17, at + 20, (int)getpid());
    p->run.tool = tool_name(o->tool);
    p->run.offline = o->offline;
    p->run.rebuild = o->policy.rebuild;
    p->run.apply = o->apply;
    p->run.fix_total = o->fix_total;
    p->run.snapshot_at = TIME_NONE;
    p->run.started_at = started;
    p->run.finished_at = TIME_NONE;
    p->run.archives = &p->archives;
}

static void pipeline_release(struct pipeline *p)
{
    size_t i;

    store_close(p->store);
    judge_release(&p->judge);
    match_release(&p->matches);
    scope_instances_release(&p->instances);
    idmap_release(&p->sent);
    directory_release(&p->directory);
    fold_release(&p->fold);
    names_release(&p->archives);
    for (i = 0; p->archive && i < p->list.n; i++)
        free(p->archive[i].problem);
    free(p->archive);
    archives_release(&p->list);
    event_counts_release(&p->run.input.events);
    free(p->run.mismatch);
    free(p->run.campaign);
    free(p->run.correction);
    free(p->run.gap);
    warnings_release(&p->warnings);
    buf_release(&p->command);
}

static int connect_store(struct pipeline *p, struct err *e)
{
    const struct store_options so = {p->o->dbname, p->run.tool, p->interrupted};

    if (store_open(&p->store, &so, e) < 0)
        return -1;
    p->run.kinds = store_kinds(p->store);
    return p->o->apply ? store_lock(p->store, p->o->lock_wait, e) : 0;
}

static int run_offline(struct pipeline *p, struct err *e)
{
    const struct scope_list instances = list_of(&p->o->instance);

    if (fold_all(p, e) < 0 ||
        scope_instances_by_name(&p->instances, &instances, &p->fold.names, e) < 0)
        return -1;
    count_distinct(p);
    return write_states(p, e);
}

static int run_online(struct pipeline *p, struct err *e)
{
    if (connect_store(p, e) < 0 || fold_all(p, e) < 0 || decide_all(p, e) < 0)
        return -1;
    count_distinct(p);
    if (write_states(p, e) < 0)
        return -1;
    return p->o->apply ? apply_all(p, e) : 0;
}

int pipeline_run(const struct options *o, int argc, char *const *argv, int64_t started,
                 const volatile sig_atomic_t *interrupted)
{
    struct err failure = ERR_INIT, second = ERR_INIT;
    struct pipeline p;
    int status;

    pipeline_init(&p, o, started, interrupted);
    if (!o->offline && !o->apply) {
        command_put_applying(&p.command, argc, argv, o->tool == TOOL_REPLAY ? 1 : 2);
        p.run.command = buf_str(&p.command);
    }
    status = o->offline ? run_offline(&p, &failure) : run_online(&p, &failure);
    if (status < 0) {
        log_error("%s", failure.text);
        status = failure.status;
    } else {
        status = exit_status(&p);
    }
    /* A refused run still shows what it found; one that failed has found nothing whole. */
    if (failure.status == 0 || p.warnings.refused) {
        if (write_report(&p, &second) < 0) {
            log_error("%s", second.text);
            status = second.status;
        }
    }
    if (*interrupted)
        status = EXIT_SIGNAL + (int)*interrupted;
    pipeline_release(&p);
    return status;
}
