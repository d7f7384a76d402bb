/* apply.h - the only writer: corrections to rows, counters of campaigns.
 *
 * Batches in the lock order of docs/architecture.md: contact rows that still hold
 * the expected values are locked with FOR NO KEY UPDATE SKIP LOCKED and updated
 * from a COPYed temporary table, then their campaigns are locked by id and
 * recounted in the same transaction.
 */
#ifndef RECONCILE_APPLY_H
#define RECONCILE_APPLY_H

#include "buf.h"
#include "progress.h"
#include "store.h"

enum outcome {
    OUTCOME_PLANNED, /* not written (yet): a dry run, or the run ended before */
    OUTCOME_WRITTEN,
    OUTCOME_MOOT,     /* decided again on the row as it was by then: nothing left to correct */
    OUTCOME_CONFLICT, /* moved again, or is gone: left alone */
    OUTCOME_BUSY,     /* locked by another session until the end: left alone */
    OUTCOME_LEFT      /* its campaign would break its invariants: left alone */
};

/* One correction. before is a guard: the row is written only where it still
 * holds these values and this message id. All slices are owned by the caller. */
struct correction {
    struct ident id, campaign;
    struct slice message_id; /* p NULL: NULL */
    struct row_state before, after;
    const struct evidence *evidence; /* NULL: decided without */
    size_t campaign_index;           /* into the array of struct campaign_result */
    uint64_t place; /* which row it was of all that were read, as they lie in the table: in this
                     * order those of a campaign are written */
    enum cause cause;
    enum outcome outcome; /* filled by apply */
    uint8_t approximate;  /* as in struct decision */
    bool regression;
    bool ascii_error; /* filled by apply: after.error was written with '?' for its letters, which
                       * the server's encoding lacks */
};

/* A campaign in scope. */
struct campaign_result {
    struct ident id, tenant;
    struct slice name;
    struct counters stored; /* in the snapshot */
    struct counters
        recomputed; /* over its rows after their corrections; after apply: as recounted */
    size_t corrections;
    bool left_alone;  /* set by the caller, or by apply where what is written breaks
                      * read <= delivered <= sent <= total: nothing of it is written */
    bool left_late;   /* filled by apply: it set left_alone */
    bool written;     /* filled by apply: its counters were updated */
    bool busy;        /* filled by apply: a lock was not to be had, its counters were not written */
    const char *lock; /* filled by apply where busy: what was locked, in the server's words, in the
                       * arena of the options; NULL: not known */
    bool recheck;     /* set by the caller: an earlier apply of this run wrote to it */
};

/* Decides a row again that moved since the snapshot. Returns 1 with
 * before, after, cause, approximate and regression of *c filled anew (their
 * slices live until apply_run returns), 0 if nothing is left to correct, -1 on
 * failure. Not called where the message id or the campaign changed: that is a
 * conflict. *now lives until it returns, and it must not use the store. */
typedef int apply_redecide_fn(void *ctx, const struct store_row *now, struct correction *c,
                              struct err *e);

/* What is told of every batch that changes rows; each returns 0, or -1 with *e
 * filled. */
struct apply_journal {
    /* The n corrections that transaction xid has written, about to be
     * committed. On disk before it returns 0; -1 rolls the batch back. */
    int (*intent)(void *ctx, int64_t xid, const struct correction *const *c, size_t n,
                  struct err *e);
    /* They were rolled back after all. */
    void (*withdrawn)(void *ctx);
    /* They are committed. -1 ends the run after this batch, which stays. */
    int (*committed)(void *ctx, struct err *e);
    void *ctx;
};

/* What a correction also writes (docs/semantics.md 8). */
struct apply_effects {
    const char *run;             /* its id, for the log rows */
    bool health;                 /* the instances' counters of the day */
    const struct zone *app_zone; /* whose day it is; NULL: UTC */
    /* Appends the evidence of a correction as a JSON object. -1: *e is filled. */
    int (*put_evidence)(void *ctx, const struct correction *c, struct buf *b, struct err *e);
    void *ctx;
};

struct apply_options {
    size_t batch;            /* corrections per transaction at most */
    bool single_transaction; /* all contacts, then all campaigns, one COMMIT */
    bool fix_total;          /* write total_contacts too */
    bool any_order;          /* write what breaks read <= delivered <= sent <= total, too */
    int64_t lock_timeout;    /* µs to wait for a campaign's lock; 0 = for ever */
    int retries;        /* of a batch after a deadlock, lock time-out or serialization failure */
    int64_t pause;      /* µs between batches */
    int64_t batch_time; /* µs that a batch should take: their size adapts to it, up to `batch`; 0:
                         * it does not */
    int64_t max_lag;    /* µs that a standby may be behind what was committed; 0: not looked at */
    int64_t recheck;    /* µs after the last batch: then the campaigns it touched are counted once
                      * more, and those marked `recheck`; 0: they are not */
    apply_redecide_fn *redecide; /* NULL: a row that moved is a conflict, but moot if it holds
                                  * what would be written */
    void *ctx;                   /* of redecide */
    const struct apply_journal *journal; /* NULL: none */
    const struct apply_effects *effects; /* NULL: the rows and their campaigns alone */
    struct progress *progress;           /* corrections and batches; NULL: nobody's */
    struct arena *arena;                 /* for texts of the results; NULL: they are left out */
};

struct apply_summary {
    size_t written, moot, conflicts, busy; /* corrections by outcome */
    size_t batches;                        /* transactions committed */
    size_t campaigns;                      /* campaigns whose counters were updated */
    bool in_doubt; /* it failed in a COMMIT of which it is not known whether it was done */
};

/* Writes corrections (sorted by campaign and id) and the counters of the
 * campaigns that differ; store_lock has been called. Fills outcome,
 * campaign_result and *sum, also when it fails midway: then sum says what had
 * been committed, and what was not is OUTCOME_PLANNED. Campaigns with
 * left_alone set are not touched, their corrections are OUTCOME_LEFT. A
 * correction of which an earlier batch was committed before its campaign was
 * left alone stays OUTCOME_WRITTEN. */
int apply_run(struct store *s, const struct apply_options *o, struct correction *c, size_t n,
              struct campaign_result *campaigns, size_t n_campaigns, struct apply_summary *sum,
              struct err *e);

/* Appends the text as it is written where the server's encoding lacks letters:
 * a '?' for each that is not ASCII. */
void apply_put_ascii(struct buf *b, struct slice text);

/* Does a row hold what was to be written, be it with a '?' for each letter of its error
 * text that is not ASCII, where the server's encoding lacks letters? */
bool apply_holds(const struct store *s, const struct row_state *now, const struct row_state *after);

#endif
