/* pipeline_parts.h - a run under way; for lib/pipeline*.c alone.
 *
 * Each step returns 0, or -1 with *e filled. They come in this order: fold or
 * poll, decide, apply.
 */
#ifndef RECONCILE_PIPELINE_PARTS_H
#define RECONCILE_PIPELINE_PARTS_H

#include "actions.h"
#include "archives.h"
#include "checks.h"
#include "explain.h"
#include "judge.h"
#include "pipeline.h"
#include "pollplan.h"
#include "progress.h"
#include "scope.h"
#include "source_archive.h"
#include "spill.h"
#include "warnings.h"

/* All that a run holds, so that one place releases it. */
struct pipeline {
    const struct options *o;
    const volatile sig_atomic_t *interrupted;
    struct store *store;
    struct archive_list list;
    struct archive *archive;
    struct names archives; /* their names, and those of states files */
    struct fold fold;
    struct spill *spill;      /* what the fold does not hold in memory */
    struct fold_store spills; /* the same, as the fold sees it */
    struct directory directory;
    struct scope_instances instances;
    struct poll poll;
    struct directory polled;     /* as it was when the poll was planned */
    struct pipeline_part *parts; /* what earlier parts of a poll hold */
    struct match_table matches;
    struct idmap sent; /* campaigns that --sent-since and --sent-until choose */
    struct judge_options judge_options;
    struct judge judge;
    struct explain explain;
    struct warnings warnings;
    struct progress *progress; /* NULL: nobody wants to know */
    struct buf command;
    struct actions_origin origin;
    char system[STORE_TEXT_SIZE];
    struct actions_journal *journal; /* of a run that writes; NULL: none is kept */
    struct actions actions;          /* what apply and revert carry out */
    uint64_t action_rows;            /* rows that these name */
    uint64_t conflicts;              /* actions that no correction stands for, and left alone */
    struct {
        uint64_t corrections, transactions;
        struct idmap campaigns; /* whose counters were written */
        bool in_doubt;          /* the batch after that may be, too */
    } committed;                /* by all parts of the run */
    struct run run;
    bool partial;    /* not the last decision of a run: what it finds is not told */
    bool tells;      /* the run failed, but its report is worth having */
    bool incomplete; /* some input could not be read or used: EXIT_INPUT */
};

/* ---- pipeline_fold.c: archives and states files ---- */

int pipeline_fold(struct pipeline *p, struct err *e); /* -> p->fold */
int pipeline_write_states(struct pipeline *p, struct err *e);

/* ---- pipeline_decide.c: the database ---- */

/* Reads everything in one snapshot and decides -> p->run. */
int pipeline_decide(struct pipeline *p, struct err *e);

/* The same once more, in a snapshot of its own and without a word -> p->run. */
int pipeline_judge_again(struct pipeline *p, struct err *e);

/* Within a snapshot: the campaigns in scope (where none are chosen, those in
 * `touched`, or all where that is NULL), their rows by p->matches -> p->run. */
int pipeline_judge(struct pipeline *p, const struct idmap *touched, struct err *e);

/* Counts what p->run found and, unless it is partial, looks for reasons not to write. */
void pipeline_check(struct pipeline *p);

/* Writes what was decided, if nothing refuses. */
int pipeline_apply(struct pipeline *p, struct err *e);

/* Puts before *e what the run had committed by then. */
void pipeline_tell_committed(const struct pipeline *p, struct err *e);

/* ---- pipeline_actions.c: plans and journals ---- */

/* With --apply: sees to it that a journal can be kept. Before all else. */
int pipeline_open_journal(struct pipeline *p, struct err *e);

/* What plans and journals say of the database; once it is connected. */
int pipeline_read_origin(struct pipeline *p, struct err *e);

/* --plan-out, of what a dry run has decided. */
int pipeline_write_plan(struct pipeline *p, struct err *e);

/* Makes run.command what would undo the run, if it wrote. program: argv[0]. */
void pipeline_put_undo(struct pipeline *p, const char *program);

/* Reads the plan or journal and compares it with the database -> p->run. */
int pipeline_act(struct pipeline *p, struct err *e);

/* Compares once more, in a snapshot of its own and without a word -> p->run,
 * which then holds what could still be written, conflicts left out. */
int pipeline_act_again(struct pipeline *p, struct err *e);

/* ---- pipeline_poll.c: asking Evolution ---- */

/* Asks, decides and, with --apply, writes as it goes. */
int pipeline_poll(struct pipeline *p, struct err *e);

/* Decides by what has been said so far -> p->run. */
int pipeline_judge_poll(struct pipeline *p, struct err *e);

/* ---- pipeline_verify.c: deciding more than once ---- */

/* Makes room for deciding again; what p->run points to is kept for the report
 * if `keep`. */
int pipeline_leave_part(struct pipeline *p, bool keep, struct err *e);
void pipeline_release_parts(struct pipeline *p);

/* Decides again after all was written, and fails (p->tells) if anything is left. */
int pipeline_verify(struct pipeline *p, struct err *e);

struct scope_list pipeline_list(const struct opt_list *l);

/* What a command that goes on from here has to be told, as it would not find it
 * by itself: --config, -d; NULL: nothing. What the configuration file says is
 * not taken out of it. */
const char *pipeline_config(const struct options *o);
const char *pipeline_dbname(const struct options *o);

#endif
