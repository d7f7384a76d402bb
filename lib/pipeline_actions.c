#include "command.h"
#include "pipeline_parts.h"
#include "statedir.h"

#include <inttypes.h>
#include <stdlib.h>

#define NOWHERE UINT32_MAX

/* ---- what a run leaves behind for later ones ---- */

int pipeline_open_journal(struct pipeline *p, struct err *e)
{
    const struct options *o = p->o;
    struct buf path = BUF_INIT;
    int status = -1;

    if (!o->apply || o->no_journal)
        return 0;
    if (o->journal)
        return actions_journal_open(&p->journal, o->journal, &p->origin, e);
    if (statedir_make(o->state_dir, &path, e) == 0) {
        buf_addf(&path, "/journal-%s.jsonl.gz", p->run.id);
        status =
            path.failed ? err_oom(e) : actions_journal_open(&p->journal, path.data, &p->origin, e);
    }
    if (status < 0)
        (void)err_prefix(e, "no journal can be kept");
    buf_release(&path);
    return status;
}

int pipeline_read_origin(struct pipeline *p, struct err *e)
{
    int known;

    p->origin.database = store_database(p->store);
    p->origin.kinds = p->run.kinds;
    if (!p->journal && !p->o->plan_out && !p->o->acts)
        return 0;
    known = store_read_system(p->store, p->system, e);
    if (known == 0)
        warnings_add(&p->warnings,
                     "the role may not execute pg_control_system(), so plans and journals know "
                     "their database by its name \"%s\" alone",
                     p->origin.database);
    return known < 0 ? -1 : 0;
}

int pipeline_write_plan(struct pipeline *p, struct err *e)
{
    if (!p->o->plan_out)
        return 0;
    if (p->warnings.refused) {
        p->tells = true;
        return err_set(e, EXIT_FAILED,
                       "plan \"%s\" was not written, as --apply would refuse to write it",
                       p->o->plan_out);
    }
    return actions_write_plan(p->o->plan_out, &p->origin, p->run.campaign, p->run.campaigns,
                              p->run.correction, p->run.corrections, e);
}

void pipeline_put_undo(struct pipeline *p, const char *program)
{
    if (!p->journal || !actions_journal_used(p->journal))
        return;
    buf_clear(&p->command);
    command_put_acting(&p->command, program, "revert", pipeline_config(p->o), pipeline_dbname(p->o),
                       p->o->fix_total, actions_journal_path(p->journal));
    p->run.command = buf_str(&p->command);
}

/* ---- a file of actions to carry out ---- */

struct acting {
    struct pipeline *p;
    bool revert;
    struct idmap campaigns; /* in scope -> index into run->campaign */
    struct idmap rows;      /* -> index of the latest action that counts */
    uint32_t *older;        /* by action: the one before of the same row; NOWHERE: none */
    bool *met;              /* by action: its row has come. Of the latest actions alone */
    size_t cap;             /* of run->correction */
    uint64_t seen;          /* rows in scope */
};

/* Does the file speak of the database that we are connected to? */
static int check_database(struct pipeline *p, struct err *e)
{
    const struct actions *a = &p->actions;
    const char *path = p->o->archive[0], *kind = actions_kind_name(a->kind);

    if (strcmp(a->database, p->origin.database) != 0)
        return err_set(e, EXIT_FAILED, "%s \"%s\" is of database \"%s\", not of \"%s\"", kind, path,
                       a->database, p->origin.database);
    if (*a->system && *p->system && strcmp(a->system, p->system) != 0)
        return err_set(e, EXIT_FAILED,
                       "%s \"%s\" is of database \"%s\" of another server: its system identifier "
                       "is %s, not %s",
                       kind, path, a->database, a->system, p->system);
    if (!*a->system && *p->system)
        warnings_add(&p->warnings,
                     "%s \"%s\" knows its database by the name \"%s\" alone, as whoever wrote it "
                     "could not ask for the system identifier",
                     kind, path, a->database);
    return 0;
}

/* ---- which batches of a journal count ---- */

static int weigh_unmarked(struct pipeline *p, struct actions_batch *b, struct err *e)
{
    const char *path = p->o->archive[0];
    enum store_xact status;

    if (store_xact_status(p->store, b->xid, &status, e) < 0)
        return -1;
    switch (status) {
    case STORE_XACT_COMMITTED:
        b->committed = true;
        if (!b->cut)
            return 0;
        return err_set(e, EXIT_FAILED,
                       "journal \"%s\" is cut off within batch %" PRIu64
                       ", which was committed: a whole copy of it is needed",
                       path, b->number);
    case STORE_XACT_ABORTED:
        return 0;
    case STORE_XACT_IN_PROGRESS:
        return err_set(e, EXIT_FAILED,
                       "batch %" PRIu64 " of journal \"%s\" is not committed yet: transaction "
                       "%" PRId64 " is in progress",
                       b->number, path, b->xid);
    case STORE_XACT_FUTURE:
        return err_set(e, EXIT_FAILED,
                       "batch %" PRIu64 " of journal \"%s\" is of transaction %" PRId64
                       ", to which the server has not come: it has been set back since",
                       b->number, path, b->xid);
    case STORE_XACT_FORGOTTEN:
        break;
    }
    warnings_add(&p->warnings,
                 "batch %" PRIu64 " of journal \"%s\" left alone: it is not marked as committed, "
                 "and the server no longer knows what became of transaction %" PRId64,
                 b->number, path, b->xid);
    p->incomplete = true;
    return 0;
}

static int weigh_batches(struct pipeline *p, struct err *e)
{
    size_t i;

    if (p->actions.cut)
        warnings_add(&p->warnings,
                     "journal \"%s\" ends early, as that of a run that was killed does: %s",
                     p->o->archive[0], p->actions.cut);
    for (i = 0; i < p->actions.batches; i++) {
        struct actions_batch *b = &p->actions.batch[i];

        if (!b->committed && weigh_unmarked(p, b, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- rows and campaigns that the file names ---- */

static int enter_action(struct acting *w, uint32_t i, struct idmap *touched, struct err *e)
{
    const struct correction *c = &w->p->actions.action[i];
    uint32_t before = idmap_find(&w->rows, c->id);

    w->older[i] = before;
    if (idmap_set(&w->rows, c->id, i) == IDMAP_NONE ||
        idmap_add(touched, c->campaign, 0) == IDMAP_NONE)
        return err_oom(e);
    return 0;
}

static int enter_all(struct acting *w, struct idmap *touched, struct err *e)
{
    const struct actions *a = &w->p->actions;
    size_t i, k;

    w->older = calloc(a->n + 1, sizeof *w->older);
    w->met = calloc(a->n + 1, sizeof *w->met);
    if (!w->older || !w->met)
        return err_oom(e);
    for (i = 0; i < a->campaigns; i++) {
        if (idmap_add(touched, a->campaign[i], 0) == IDMAP_NONE)
            return err_oom(e);
    }
    for (i = 0; !w->revert && i < a->n; i++) {
        if (enter_action(w, (uint32_t)i, touched, e) < 0)
            return -1;
    }
    for (k = 0; k < a->batches; k++) {
        const struct actions_batch *b = &a->batch[k];

        for (i = b->first; b->committed && i < b->first + b->n; i++) {
            if (enter_action(w, (uint32_t)i, touched, e) < 0)
                return -1;
        }
    }
    return 0;
}

/* The campaigns of the file that are still there, to be recounted. */
static int find_campaigns(struct acting *w, const struct idmap *touched, bool *all, struct err *e)
{
    const struct scope_options none = {.all = false};
    struct run *r = &w->p->run;
    size_t i;

    if (scope_campaigns(r, &none, &w->p->directory, touched, r->kinds, all, e) < 0)
        return -1;
    for (i = 0; i < r->campaigns; i++) {
        if (idmap_add(&w->campaigns, r->campaign[i].id, (uint32_t)i) == IDMAP_NONE)
            return err_oom(e);
    }
    return 0;
}

/* ---- a row ---- */

static struct correction *add_correction(struct acting *w, const struct correction *action,
                                         struct err *e)
{
    struct run *r = &w->p->run;
    struct correction *c;

    if (r->corrections == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 1024;
        struct correction *grown = realloc(r->correction, cap * sizeof *grown);

        if (!grown) {
            (void)err_oom(e);
            return NULL;
        }
        r->correction = grown;
        w->cap = cap;
    }
    c = &r->correction[r->corrections++];
    *c = *action;
    c->campaign_index = idmap_find(&w->campaigns, c->campaign);
    c->place = w->seen;
    return c;
}

/* What the actions make of a row. */
struct walk {
    struct row_state state; /* in the end; its text is the file's, or the row's */
    bool changed;           /* some action could be carried out */
    bool refused;           /* some could not */
};

/* Does the row hold what an action leads to? What a revert restores was in the row as
 * it is; a plan may have been written before in the letters that the encoding has. */
static bool holds(const struct acting *w, const struct row_state *now, const struct row_state *to)
{
    return w->revert ? row_state_eq(now, to) : apply_holds(w->p->store, now, to);
}

static void walk_row(const struct acting *w, const struct store_row *row, uint32_t newest,
                     struct walk *k)
{
    const struct correction *action = w->p->actions.action;
    const struct row_state *last = NULL;
    uint32_t i;

    *k = (struct walk){.state = row->state};
    for (i = newest; i != NOWHERE; i = w->older[i]) {
        const struct correction *c = &action[i];
        const struct row_state *from = w->revert ? &c->after : &c->before;
        const struct row_state *to = w->revert ? &c->before : &c->after;

        bool same =
            slice_eq(row->message_id, c->message_id) && ident_eq(row->campaign, c->campaign);

        last = to;
        if (same && row_state_eq(&k->state, from)) {
            k->state = *to;
            k->changed = true;
        } else if (!same || !holds(w, &k->state, to)) {
            k->refused = true;
        }
    }
    /* It holds already what the last of them leads to. */
    if (!k->changed && last && holds(w, &k->state, last) &&
        slice_eq(row->message_id, action[newest].message_id))
        k->refused = false;
    k->changed = k->changed && !row_state_eq(&k->state, &row->state);
}

static bool regresses(const struct acting *w, const struct correction *c)
{
    return (!w->revert && c->cause == CAUSE_UNPROVEN) ||
           (c->after.status == ROW_FAILED &&
            (c->before.status == ROW_DELIVERED || c->before.status == ROW_READ));
}

/* A row that cannot be written. Apply will find the same, unless it moves back. */
static int add_conflict(struct acting *w, const struct correction *action, struct err *e)
{
    struct correction *c;

    if (idmap_find(&w->campaigns, action->campaign) == IDMAP_NONE) {
        w->p->conflicts++; /* no campaign to list it under */
        return 0;
    }
    c = add_correction(w, action, e);
    if (!c)
        return -1;
    if (w->revert) {
        c->before = action->after;
        c->after = action->before;
    }
    c->outcome = OUTCOME_CONFLICT;
    return 0;
}

static int add_change(struct acting *w, const struct correction *action,
                      const struct store_row *row, const struct walk *k, struct err *e)
{
    struct correction *c = add_correction(w, action, e);
    struct campaign_result *campaign;

    if (!c)
        return -1;
    c->before = row->state;
    c->after = k->state;
    if (row->state.error.p) {
        c->before.error.p = arena_dup(&w->p->actions.arena, row->state.error.p, row->state.error.n);
        if (!c->before.error.p)
            return err_oom(e);
        if (k->state.error.p == row->state.error.p)
            c->after.error = c->before.error;
    }
    c->regression = regresses(w, c);
    campaign = &w->p->run.campaign[c->campaign_index];
    campaign->corrections++;
    if (!w->revert && row_breaks_order(&c->after))
        campaign->left_alone = true;
    w->p->conflicts += k->refused; /* an older action of the same row */
    return 0;
}

static int on_row(void *ctx, const struct store_row *row, struct err *e)
{
    struct acting *w = ctx;
    uint32_t campaign = idmap_find(&w->campaigns, row->campaign);
    uint32_t newest = idmap_find(&w->rows, row->id);
    const struct correction *action;
    struct walk k = {.state = row->state};
    int status = 0;

    if (campaign == IDMAP_NONE)
        return 0; /* all campaigns are read, and this one is new */
    w->seen++;
    if (newest != IDMAP_NONE) {
        action = &w->p->actions.action[newest];
        w->met[newest] = true;
        walk_row(w, row, newest, &k);
        if (k.changed)
            status = add_change(w, action, row, &k, e);
        else if (k.refused)
            status = add_conflict(w, action, e);
        else
            w->p->run.messages.already_processed++;
    }
    counters_add(&w->p->run.campaign[campaign].recomputed, k.changed ? &k.state : &row->state);
    return status;
}

/* Rows that did not come: gone, or of another campaign by now. */
static int add_missing(struct acting *w, struct err *e)
{
    const struct actions *a = &w->p->actions;
    size_t i;

    for (i = 0; i < a->n; i++) {
        if (idmap_find(&w->rows, a->action[i].id) != i)
            continue;
        w->p->action_rows++;
        if (!w->met[i] && add_conflict(w, &a->action[i], e) < 0)
            return -1;
    }
    return 0;
}

/* ---- all of them ---- */

static int read_rows(struct acting *w, bool all, struct err *e)
{
    struct run *r = &w->p->run;
    struct ident *ids = malloc((r->campaigns + 1) * sizeof *ids);
    size_t i;
    int status;

    if (!ids)
        return err_oom(e);
    for (i = 0; i < r->campaigns; i++)
        ids[i] = r->campaign[i].id;
    status = r->campaigns
                 ? store_read_rows(w->p->store, all ? NULL : ids, r->campaigns, on_row, w, e)
                 : 0;
    free(ids);
    return status;
}

/* Nothing is decided here that could be left alone: a journal's values were there before. */
static void warn_of_disorder(struct pipeline *p)
{
    char id[IDENT_TEXT_SIZE];
    size_t i;

    for (i = 0; i < p->run.campaigns; i++) {
        const struct campaign_result *c = &p->run.campaign[i];

        if (!counters_in_order(&c->recomputed))
            warnings_add(&p->warnings,
                         "campaign \"%s\" (%s): read <= delivered <= sent <= total does not hold "
                         "with its rows restored",
                         c->name.p, ident_format(p->run.kinds.campaign, c->id, id));
    }
}

static int compare(struct acting *w, int64_t *at, struct err *e)
{
    struct pipeline *p = w->p;
    struct run *r = &p->run;
    struct idmap touched = IDMAP_INIT;
    bool all = false;
    size_t i;
    int status = -1;

    if (enter_all(w, &touched, e) < 0 || store_snapshot_begin(p->store, at, e) < 0 ||
        directory_read(&p->directory, p->store, e) < 0 ||
        find_campaigns(w, &touched, &all, e) < 0 || read_rows(w, all, e) < 0 ||
        add_missing(w, e) < 0)
        goto out;
    if (r->corrections > 0)
        qsort(r->correction, r->corrections, sizeof *r->correction, correction_cmp);
    for (i = 0; i < r->campaigns && !w->revert; i++) {
        if (!counters_in_order(&r->campaign[i].recomputed))
            r->campaign[i].left_alone = true;
    }
    status = store_snapshot_end(p->store, e);
out:
    idmap_release(&touched);
    return status;
}

static void count(struct pipeline *p)
{
    struct run_messages *n = &p->run.messages;
    size_t i;

    n->conflicts = p->conflicts;
    for (i = 0; i < p->run.corrections; i++)
        n->conflicts += p->run.correction[i].outcome == OUTCOME_CONFLICT;
    if (n->conflicts > 0)
        p->incomplete = true;
    if (p->conflicts > 0)
        warnings_add(&p->warnings,
                     "%" PRIu64 " action(s) left alone: the row moved between two batches, or its "
                     "campaign is gone",
                     p->conflicts);
    n->matched = p->action_rows - n->updated_without_evidence;
}

static void acting_release(struct acting *w)
{
    free(w->older);
    free(w->met);
    idmap_release(&w->rows);
    idmap_release(&w->campaigns);
}

int pipeline_act(struct pipeline *p, struct err *e)
{
    struct acting w = {.p = p, .revert = p->o->tool == TOOL_REVERT};
    int status;

    if (actions_read(&p->actions, p->o->archive[0], w.revert ? ACTIONS_JOURNAL : ACTIONS_PLAN,
                     p->run.kinds, &p->archives, p->run.started_at, p->interrupted, e) < 0 ||
        check_database(p, e) < 0 || weigh_batches(p, e) < 0)
        return -1;
    status = compare(&w, &p->run.snapshot_at, e);
    if (status == 0) {
        p->judge.rows = w.seen;
        pipeline_check(p);
        count(p);
        if (w.revert)
            warn_of_disorder(p);
    }
    acting_release(&w);
    return status;
}

int pipeline_act_again(struct pipeline *p, struct err *e)
{
    struct acting w = {.p = p, .revert = p->o->tool == TOOL_REVERT};
    const uint64_t rows = p->action_rows, conflicts = p->conflicts;
    struct run *r = &p->run;
    size_t i, n = 0;
    int64_t at;
    int status = compare(&w, &at, e);

    for (i = 0; i < r->corrections; i++) {
        if (r->correction[i].outcome == OUTCOME_PLANNED)
            r->correction[n++] = r->correction[i];
    }
    r->corrections = n;
    p->action_rows = rows;
    p->conflicts = conflicts;
    acting_release(&w);
    return status;
}
