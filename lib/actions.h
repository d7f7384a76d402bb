/* actions.h - plans and journals: corrections as a file, to be carried out or
 * undone by a later run (docs/formats.md, "Actions file").
 *
 * gzip JSON Lines: a header, then an action a line. A plan is there whole or
 * not at all. A journal grows batch by batch, each durable before it is
 * committed: a batch line, its actions, and after the COMMIT a mark.
 */
#ifndef RECONCILE_ACTIONS_H
#define RECONCILE_ACTIONS_H

#include "apply.h"
#include "arena.h"
#include "names.h"

#include <signal.h>

#define ACTIONS_FORMAT 1
#define ACTIONS_LINE_MAX ((size_t)256 << 20) /* bytes; longer ones are neither written nor read */

enum actions_kind { ACTIONS_PLAN, ACTIONS_JOURNAL };

const char *actions_kind_name(enum actions_kind kind); /* "plan" */

/* Whose corrections, of which database: what the header says. */
struct actions_origin {
    const char *run;      /* its id */
    const char *database; /* its name */
    const char *system;   /* the cluster's system identifier, in digits; "": not known */
    struct store_kinds kinds;
    const struct names *archives; /* what evidence refers to */
};

/* ---- writing: actions_write.c ---- */

/* Writes what is OUTCOME_PLANNED of n corrections; the campaigns are those in
 * scope, to be recounted but for those left alone. */
int actions_write_plan(const char *path, const struct actions_origin *o,
                       const struct campaign_result *campaigns, size_t n_campaigns,
                       const struct correction *c, size_t n, struct err *e);

/* Appends a line each, for the two kinds of file. */
void actions_put_header(struct buf *b, enum actions_kind kind, const struct actions_origin *o,
                        int64_t created_at, const struct campaign_result *campaigns, size_t n);
int actions_put(struct buf *b, const struct actions_origin *o, const struct correction *c,
                struct err *e);

/* ---- the journal of a run: actions_journal.c ---- */

struct actions_journal;

/* Sees to it that a file could be made at path, whose name must be free, and
 * makes nothing yet: a run with nothing to write leaves no journal. o stays
 * with the caller; it is read when the file is made. */
int actions_journal_open(struct actions_journal **j, const char *path,
                         const struct actions_origin *o, struct err *e);

/* The campaigns in scope, for the header: to be set before the first intent. */
void actions_journal_scope(struct actions_journal *j, const struct campaign_result *campaigns,
                           size_t n);

/* Those of struct apply_journal; ctx is the journal. */
int actions_journal_intent(void *ctx, int64_t xid, const struct correction *const *c, size_t n,
                           struct err *e);
void actions_journal_withdrawn(void *ctx);
int actions_journal_committed(void *ctx, struct err *e);

/* Has a batch been entered? Then revert has something to look at. */
bool actions_journal_used(const struct actions_journal *j);
const char *actions_journal_path(const struct actions_journal *j);

/* Syncs and frees j, which may be NULL. */
int actions_journal_close(struct actions_journal *j, struct err *e);

/* ---- reading: actions_read.c ---- */

/* A batch of a journal. */
struct actions_batch {
    uint64_t number; /* as the file has it, from 1 up */
    int64_t xid;
    size_t first, n; /* its actions */
    bool committed;  /* its mark is there */
    bool cut;        /* the file ends before its last action is known to be there */
};

struct actions {
    enum actions_kind kind;
    const char *run, *database, *system; /* as in the header; system "": not known */
    int64_t created_at;
    struct ident *campaign; /* of the header */
    size_t campaigns;
    /* id, campaign, message_id, before, after, approximate, cause and evidence are set */
    struct correction *action;
    size_t n, cap;
    struct actions_batch *batch; /* of a journal */
    size_t batches, batches_cap;
    const char *cut;    /* how a journal ends early; NULL: it does not */
    struct arena arena; /* holds the texts and the evidence */
};

/* Reads the file at path ("-": stdin), gzip or plain, whose ids are of the
 * given kinds and which must be of the given kind; the names of archives go to
 * `archives`. Whatever is wrong with it is EXIT_FAILED, naming file, line and
 * reason, but for one thing: a journal may end anywhere behind its header, as
 * that of a run that was killed does. now: µs; interrupted: as of gzin_open.
 * To be released whatever it returns. */
int actions_read(struct actions *a, const char *path, enum actions_kind kind,
                 struct store_kinds kinds, struct names *archives, int64_t now,
                 const volatile sig_atomic_t *interrupted, struct err *e);
void actions_release(struct actions *a);

#endif
