#include "pipeline.h"

#include "command.h"
#include "log.h"
#include "metrics.h"
#include "pipeline_parts.h"
#include "report.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

static int count_entry(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct pipeline *p = ctx;

    (void)e;
    p->run.messages.distinct += scope_keeps(&p->instances, x);
    return 0;
}

static int count_distinct(struct pipeline *p, struct err *e)
{
    if (!p->instances.keep && fold_count(&p->fold, &p->run.messages.distinct))
        return 0;
    p->run.messages.distinct = 0;
    return fold_walk(&p->fold, false, count_entry, p, e);
}

/* Colour is for a terminal, and only where nobody said no (no-color.org). */
static bool wants_color(const char *output)
{
    const char *no = getenv("NO_COLOR"), *terminal = getenv("TERM");

    return strcmp(output, "-") == 0 && isatty(STDOUT_FILENO) && !(no && *no) && terminal &&
           *terminal && strcmp(terminal, "dumb") != 0;
}

static int write_report(struct pipeline *p, struct err *e)
{
    struct report_options how = p->o->report;
    struct outfile *f;

    how.color = wants_color(p->o->output);
    p->run.finished_at = clock_now();
    p->run.warning = p->warnings.text;
    p->run.warnings = p->warnings.n;
    if (p->warnings.lost || p->command.failed) /* it would leave out what one has to know */
        return err_oom(e);
    if (outfile_open(&f, p->o->output, 0600, false, e) < 0)
        return -1;
    outfile_set_interrupt(f, p->interrupted);
    if (report_write(f, &p->run, &how, e) < 0) {
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
    uint32_t random;

    memset(p, 0, sizeof *p);
    p->o = o;
    p->interrupted = interrupted;
    fold_init(&p->fold, &p->archives);
    directory_init(&p->directory);
    directory_init(&p->polled);
    (void)time_format(started, at);
    /* Names files, and in a container process ids come again. */
    if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
        random = (uint32_t)getpid();
    (void)snprintf(p->run.id, sizeof p->run.id, "%.4s%.2s%.2sT%.2s%.2s%.2s%.3sZ-%08" PRIx32, at,
                   at + 5, at + 8, at + 11, at + 14, at + 17, at + 20, random);
    p->run.tool = tool_name(o->tool);
    p->run.offline = o->offline;
    p->run.rebuild = o->policy.rebuild;
    p->run.apply = o->apply;
    p->run.fix_total = o->fix_total;
    p->run.snapshot_at = TIME_NONE;
    p->run.started_at = started;
    p->run.finished_at = TIME_NONE;
    p->run.archives = &p->archives;
    explain_init(&p->explain, o->explain);
    p->run.explain = o->explain ? &p->explain : NULL;
    p->origin.run = p->run.id;
    p->origin.system = p->system;
    p->origin.archives = &p->archives;
}

static void pipeline_release(struct pipeline *p)
{
    size_t i;

    store_close(p->store);
    pipeline_release_parts(p);
    poll_release(&p->poll);
    directory_release(&p->polled);
    judge_release(&p->judge);
    match_release(&p->matches);
    scope_instances_release(&p->instances);
    idmap_release(&p->sent);
    idmap_release(&p->committed.campaigns);
    directory_release(&p->directory);
    fold_release(&p->fold);
    spill_free(p->spill);
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
    explain_release(&p->explain);
    actions_release(&p->actions);
    warnings_release(&p->warnings);
    buf_release(&p->command);
}

static int connect_store(struct pipeline *p, struct err *e)
{
    const struct store_options so = {p->o->dbname, p->run.tool, p->interrupted};
    const char *note;
    size_t i = 0;

    if (store_open(&p->store, &so, e) < 0)
        return -1;
    p->run.kinds = store_kinds(p->store);
    if (pipeline_read_origin(p, e) < 0)
        return -1;
    if (!p->o->apply)
        return 0;
    while (p->o->tool != TOOL_REVERT &&
           (note = store_note(p->store, i++, p->o->instance_health)) != NULL)
        warnings_add(&p->warnings, "%s", note);
    return store_lock(p->store, p->o->lock_wait, e);
}

static int run_offline(struct pipeline *p, struct err *e)
{
    const struct scope_list instances = pipeline_list(&p->o->instance);

    if (pipeline_fold(p, e) < 0 ||
        scope_instances_by_name(&p->instances, &instances, &p->fold.names, e) < 0)
        return -1;
    return count_distinct(p, e) < 0 ? -1 : pipeline_write_states(p, e);
}

/* Replay and audit. */
static int run_archives(struct pipeline *p, struct err *e)
{
    if (pipeline_fold(p, e) < 0 || pipeline_decide(p, e) < 0)
        return -1;
    return count_distinct(p, e) < 0 ? -1 : pipeline_write_states(p, e);
}

/* Before anything is asked or written: can the report be, in the end? What is no
 * regular file is not opened for nothing. */
static int try_report(const struct options *o, struct err *e)
{
    struct outfile *f;
    struct stat st;

    if (!o->apply || strcmp(o->output, "-") == 0 ||
        (stat(o->output, &st) == 0 && !S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode)))
        return 0;
    if (outfile_open(&f, o->output, 0600, false, e) < 0)
        return -1;
    outfile_abort(f);
    return 0;
}

static int run_online(struct pipeline *p, struct err *e)
{
    bool polls = p->o->tool == TOOL_POLL;
    int status;

    if (pipeline_open_journal(p, e) < 0 || connect_store(p, e) < 0 || try_report(p->o, e) < 0)
        return -1;
    status = polls        ? pipeline_poll(p, e) /* which writes as it goes */
             : p->o->acts ? pipeline_act(p, e)
                          : run_archives(p, e);
    if (status < 0)
        return -1;
    if (!p->o->apply)
        return pipeline_write_plan(p, e);
    if (!polls && pipeline_apply(p, e) < 0)
        return -1;
    return p->o->verify ? pipeline_verify(p, e) : 0;
}

/* The command that goes on from here: writes what a dry run found, or undoes
 * what was written. */
static void put_command(struct pipeline *p, int argc, char *const *argv)
{
    const struct options *o = p->o;

    if (o->offline)
        return;
    if (o->apply) {
        pipeline_put_undo(p, argv[0]);
        return;
    }
    if (options_configured_dry(o)) {
        if (finds_difference(&p->run))
            warnings_add(&p->warnings,
                         "dry-run is in configuration file \"%s\", so no command writes: take it "
                         "out there, or name another file with --config",
                         o->config_path);
        return;
    }
    if (o->plan_out && !p->warnings.refused) {
        command_put_acting(&p->command, argv[0], "apply", pipeline_config(o), pipeline_dbname(o),
                           o->fix_total, o->plan_out);
        if (o->single_transaction)
            buf_adds(&p->command, " --single-transaction");
        if (o->instance_health)
            buf_adds(&p->command, " --instance-health");
        if (o->instance_health && options_given(o, "app-zone")) {
            buf_adds(&p->command, " --app-zone ");
            command_put_word(&p->command, o->app_zone);
        }
    } else {
        command_put_applying(&p->command, argc, argv, o->word,
                             o->acts                  ? 0
                             : o->tool == TOOL_REPLAY ? 1
                                                      : 2);
    }
    p->run.command = buf_str(&p->command);
}

/* A journal whose last mark is lost still counts: the server is asked. */
static void close_journal(struct pipeline *p)
{
    struct err e = ERR_INIT;

    if (actions_journal_close(p->journal, &e) < 0)
        log_warning("%s", e.text);
    p->journal = NULL;
}

/* However the run ended. Returns its status, or that of not being able to. */
static int write_metrics(struct pipeline *p, bool whole, int status, double seconds)
{
    const struct metrics m = {p->run.tool, &p->run, whole, status, clock_system(), seconds};
    struct err e = ERR_INIT;

    if (!p->o->metrics || metrics_write(p->o->metrics, &m, &e) == 0)
        return status;
    if (p->run.applied)
        pipeline_tell_committed(p, &e);
    log_error("%s", e.text);
    return status < e.status && status != EXIT_USAGE ? e.status : status;
}

/* What a writing run had committed that failed or was interrupted. One that
 * could not connect, or was refused, says enough by that. */
static void tell_committed(const struct pipeline *p, struct err *e)
{
    if (p->committed.transactions > 0 ||
        (p->o->apply && (p->store || *p->interrupted) && !p->tells && e->status == EXIT_FAILED))
        pipeline_tell_committed(p, e);
}

/* Of a run that failed after it wrote, or whose report, which would say so, could not be
 * written. */
static void tell_undo(const struct pipeline *p)
{
    if (p->o->apply && p->run.command && !p->command.failed)
        log_needed_note("to undo what was written: %s", p->run.command);
}

/* The status says that it was interrupted, and no error says what became of it. */
static void tell_too_late(const struct pipeline *p)
{
    struct err e = ERR_INIT;

    (void)err_set(&e, EXIT_FAILED, "interrupted when all was done");
    if (p->run.applied)
        pipeline_tell_committed(p, &e);
    log_warning("%s", e.text);
}

int pipeline_run(const struct options *o, int argc, char *const *argv, int64_t started,
                 const volatile sig_atomic_t *interrupted)
{
    struct err failure = ERR_INIT, second = ERR_INIT;
    double since = clock_monotonic();
    struct pipeline p;
    int status;

    pipeline_init(&p, o, started, interrupted);
    log_set_run(p.run.id);
    if (!o->quiet)
        p.progress = progress_new((enum progress_mode)o->progress, o->log_format == 0);
    status = o->offline ? run_offline(&p, &failure) : run_online(&p, &failure);
    progress_free(p.progress);
    p.progress = NULL;
    if (status < 0) {
        tell_committed(&p, &failure);
        log_error("%s", failure.text);
        status = failure.status;
    } else {
        status = exit_status(&p);
    }
    put_command(&p, argc, argv);
    if (failure.status != 0)
        tell_undo(&p);
    close_journal(&p);
    /* A refused run still shows what it found; one that failed has found nothing whole. */
    if (failure.status == 0 || p.tells) {
        if (write_report(&p, &second) < 0) {
            if (p.run.applied)
                pipeline_tell_committed(&p, &second);
            log_error("%s", second.text);
            status = second.status;
            if (failure.status == 0)
                tell_undo(&p);
        }
    }
    if (*interrupted) {
        status = EXIT_SIGNAL + (int)*interrupted;
        if (failure.status == 0)
            tell_too_late(&p);
    }
    status = write_metrics(&p, failure.status == 0 || p.tells, status, clock_monotonic() - since);
    log_set_run(NULL);
    pipeline_release(&p);
    return status;
}
