#include "pipeline.h"

#include "command.h"
#include "log.h"
#include "pipeline_parts.h"
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static void count_distinct(struct pipeline *p)
{
    size_t i;

    for (i = 0; i < p->fold.n; i++)
        p->run.messages.distinct += scope_keeps(&p->instances, p->fold.entry[i]);
}

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
    directory_init(&p->polled);
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
    explain_init(&p->explain, o->explain);
    p->run.explain = o->explain ? &p->explain : NULL;
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
    explain_release(&p->explain);
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
    if (!p->o->apply)
        return 0;
    while ((note = store_note(p->store, i++, p->o->instance_health)))
        warnings_add(&p->warnings, "%s", note);
    return store_lock(p->store, p->o->lock_wait, e);
}

static int run_offline(struct pipeline *p, struct err *e)
{
    const struct scope_list instances = pipeline_list(&p->o->instance);

    if (pipeline_fold(p, e) < 0 ||
        scope_instances_by_name(&p->instances, &instances, &p->fold.names, e) < 0)
        return -1;
    count_distinct(p);
    return pipeline_write_states(p, e);
}

static int run_online(struct pipeline *p, struct err *e)
{
    if (p->o->tool == TOOL_POLL) {
        if (connect_store(p, e) < 0 || pipeline_poll(p, e) < 0)
            return -1;
        return p->o->apply && p->o->verify ? pipeline_verify(p, e) : 0;
    }
    if (connect_store(p, e) < 0 || pipeline_fold(p, e) < 0 || pipeline_decide(p, e) < 0)
        return -1;
    count_distinct(p);
    if (pipeline_write_states(p, e) < 0)
        return -1;
    if (p->o->apply && pipeline_apply(p, e) < 0)
        return -1;
    return p->o->apply && p->o->verify ? pipeline_verify(p, e) : 0;
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
    if (failure.status == 0 || p.tells) {
        if (write_report(&p, &second) < 0) {
            if (p.run.applied)
                (void)err_prefix(&second, "%llu correction(s) had been committed",
                                 (unsigned long long)p.run.messages.updated);
            log_error("%s", second.text);
            status = second.status;
        }
    }
    if (*interrupted)
        status = EXIT_SIGNAL + (int)*interrupted;
    pipeline_release(&p);
    return status;
}
