#include "log.h"
#include "pipeline_parts.h"
#include "rejects.h"
#include "states.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define REJECTS_TOLD 10 /* rejected records told one by one; all with -v */

/* Is the file one of the archives? Then writing it would destroy what is read. */
static int refuse_archive(const struct pipeline *p, const char *option, const char *path,
                          struct err *e)
{
    struct stat out, in;
    size_t i;

    if (!path || stat(path, &out) < 0 || !S_ISREG(out.st_mode))
        return 0;
    for (i = 0; i < p->list.n; i++) {
        if (stat(p->list.archive[i].name, &in) == 0 && in.st_dev == out.st_dev &&
            in.st_ino == out.st_ino)
            return err_set(e, EXIT_USAGE, "--%s names the archive \"%s\"", option,
                           p->list.archive[i].name);
    }
    return 0;
}

static int name_archives(struct pipeline *p, struct err *e)
{
    size_t i;

    if (archives_expand(&p->list, p->o->archive, p->o->archives, e) < 0)
        return -1;
    if (refuse_archive(p, "output", p->o->output, e) < 0 ||
        refuse_archive(p, "states-out", p->o->states_out, e) < 0 ||
        refuse_archive(p, "rejects", p->o->rejects, e) < 0 ||
        refuse_archive(p, "metrics", p->o->metrics, e) < 0 ||
        refuse_archive(p, "plan-out", p->o->plan_out, e) < 0)
        return -1;
    if (p->list.n == 0 && p->o->archives > 0)
        warnings_add(&p->warnings, "no archive found: the directories given hold no files");
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

static int on_watched(void *ctx, const struct event *ev, uint32_t archive, uint64_t record,
                      struct err *e)
{
    return explain_see(ctx, ev, archive, record, e);
}

/* Of all archives; 0: one of them does not tell. */
static uint64_t stored_bytes(const struct archive_list *l)
{
    uint64_t sum = 0;
    struct stat st;

    for (size_t i = 0; i < l->n; i++) {
        if (l->archive[i].error)
            continue;
        if (stat(l->archive[i].name, &st) != 0 || !S_ISREG(st.st_mode))
            return 0;
        sum += (uint64_t)st.st_size;
    }
    return sum;
}

static int read_archives(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    const struct source_watch watch = {p->explain.message_id, on_watched, &p->explain};
    struct source_options so = {
        .events = {.codes = (enum status_codes)o->status_codes,
                   .codes_named = o->status_codes_named,
                   .date_time_zone = o->date_time_table},
        .max_record = (size_t)o->max_record,
        .jobs = (unsigned)o->jobs,
        .told = REJECTS_TOLD,
        .tell_all = o->verbose,
        .now = p->run.started_at,
        .since = o->since,
        .until = o->until,
        .watch = o->explain ? &watch : NULL,
        .progress = p->progress,
        .interrupted = p->interrupted,
    };
    int status = -1;

    progress_begin(p->progress, PROGRESS_READING, stored_bytes(&p->list));
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
        int status = states_read(&p->fold, &p->archives, p->o->states_in.item[i], p->run.started_at,
                                 p->interrupted, problem, sizeof problem, e);

        if (status < 0)
            return -1;
        if (*p->interrupted)
            return err_set(e, EXIT_FAILED, "interrupted");
        if (status == 0)
            continue;
        p->incomplete = true;
        p->run.input.archives_damaged++;
        if (p->o->accept_damaged)
            warnings_add(&p->warnings, "%s", problem);
        else
            warnings_refuse(&p->warnings, p->o->apply, "%s; --accept-damaged writes all the same",
                            problem);
    }
    return 0;
}

static bool ends_in_gz(const char *path)
{
    size_t n = strlen(path);

    return n > 3 && strcmp(path + n - 3, ".gz") == 0;
}

int pipeline_write_states(struct pipeline *p, struct err *e)
{
    const char *path = p->o->states_out;
    struct outfile *f;

    if (!path)
        return 0;
    if (outfile_open(&f, path, 0600, ends_in_gz(path), e) < 0)
        return -1;
    outfile_set_interrupt(f, p->interrupted);
    if (states_write(f, &p->fold, p->o->policy.failed_unless_delivered, scope_keeps, &p->instances,
                     e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}

static int see_entry(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct pipeline *p = ctx;

    return explain_see_evidence(&p->explain, p->fold.names.name[x->instance], x->message_id,
                                &x->evidence, e);
}

/* What states files say of the message that is to be explained. */
static int explain_states(struct pipeline *p, struct err *e)
{
    if (!p->o->explain || p->o->states_in.n == 0)
        return 0;
    return fold_walk(&p->fold, false, see_entry, p, e);
}

/* ---- what the fold spills ---- */

static void *begin_run(void *ctx, struct err *e)
{
    return spill_begin(ctx, e);
}

static int write_run(void *run, const void *data, size_t n, struct err *e)
{
    return spill_write(run, data, n, e);
}

static int end_run(void *run, struct err *e)
{
    return spill_end(run, e);
}

static void rewind_run(void *run)
{
    spill_rewind(run);
}

static ssize_t read_run(void *run, void *data, size_t n, struct err *e)
{
    return spill_read(run, data, n, e);
}

static int open_spill(struct pipeline *p, struct err *e)
{
    p->spill = spill_new(*p->o->tmpdir ? p->o->tmpdir : "/tmp"); /* an empty TMPDIR is none */
    if (!p->spill)
        return err_oom(e);
    p->spills = (struct fold_store){p->spill, begin_run, write_run, end_run, rewind_run, read_run};
    fold_spill_to(&p->fold, &p->spills, (size_t)p->o->memory);
    return 0;
}

int pipeline_fold(struct pipeline *p, struct err *e)
{
    if (open_spill(p, e) < 0 || name_archives(p, e) < 0 || read_archives(p, e) < 0)
        return -1;
    count_archives(p);
    check_archives(&p->warnings, p->archive, (uint32_t)p->list.n, p->o->apply,
                   p->o->accept_damaged || p->o->offline);
    check_codes(&p->warnings, &p->run.input.events, p->o->apply, p->o->offline);
    if (read_states(p, e) < 0 || explain_states(p, e) < 0)
        return -1;
    if (p->o->explain)
        explain_events(&p->explain, &p->archives);
    return 0;
}
