/* apply_batch.h - one transaction of apply; for lib/apply*.c alone. */
#ifndef RECONCILE_APPLY_BATCH_H
#define RECONCILE_APPLY_BATCH_H

#include "apply.h"
#include "store_pg.h"

/* What became of a correction in its last batch. */
enum fate { FATE_NONE, FATE_SKIPPED, FATE_MOVED, FATE_WRITTEN };

struct campaign_state {
    size_t corrections, first; /* they follow one another */
    size_t reads;              /* of them, that have a read_at */
    double read;               /* µs since 1970, the mean of those */
    size_t open;               /* corrections of the pass under way that no batch has tried */
    size_t put_off;            /* corrections that are left to the last pass */
    bool missed;               /* a correction stays unwritten, for a lock or a conflict */
    bool recounted;            /* by a committed batch of this run */
    bool current;              /* and nothing of it was written after that */
    bool suspect;              /* a batch with it failed for good: something keeps it locked */
    bool given_up;             /* the last pass failed on it too */
};

/* The statements, with the names of this database in them. */
struct apply_sql {
    struct buf begin, lock, update, campaign_lock, campaign_recount, campaign_add;
    struct buf logs, people, health; /* empty: not to be written */
};

/* Where the database's log was when we had committed something. */
struct lag_mark {
    double at; /* s, clock_monotonic */
    int64_t lsn;
};

#define LAG_MARKS 64

/* A run of apply. */
struct applying {
    struct store *store;
    struct pg *pg;
    const struct schema *schema;
    const struct apply_options *o;
    struct correction *c;
    size_t n;
    struct campaign_result *campaigns;
    size_t n_campaigns;
    struct apply_summary *sum;
    uint8_t *fate;                /* enum fate, by correction */
    struct ident *person;         /* the contact of a row that was written; likewise */
    struct ident *sender;         /* its instance; IDENT_NONE: none */
    bool *held;                   /* somebody has what else it writes to: not in this batch */
    struct campaign_state *state; /* by campaign */
    struct apply_sql sql;
    struct buf data;                 /* what is being sent */
    struct buf text;                 /* JSON on its way there */
    const struct batch *untold;      /* of which the journal is to be told; NULL: it has been */
    bool told;                       /* it has, and the batch is not known to be committed */
    int64_t xid;                     /* of the batch's transaction */
    size_t size;                     /* of the next batch */
    struct lag_mark mark[LAG_MARKS]; /* the latest, at n_marks - 1 modulo their number */
    size_t n_marks;
    bool lag_told;     /* that a standby is being waited for */
    uint64_t random;   /* of the back-off */
    bool blocked;      /* this attempt found corrections to be held */
    bool broken;       /* this attempt found a campaign that is to be left alone */
    bool ascii_errors; /* the server's encoding lacks letters of an error text */
    bool halted;       /* the journal failed after a batch was committed */
    char lock[400];    /* what the latest batch that was given up for a lock says of it */
};

/* A campaign of a batch, and its counters once counted. */
struct batch_campaign {
    struct ident id;
    size_t index;
    size_t corrections; /* of this batch */
    bool recount;       /* else its counters are added to */
    bool final;         /* nothing of it is left to write after this batch */
    bool judged;        /* and nothing unwritten: its counters are to be in order */
    bool written;
    struct counters now; /* where recounted */
};

struct batch {
    size_t *at; /* corrections, as those of a pass */
    size_t n;
    struct batch_campaign *campaigns; /* by id */
    size_t n_campaigns;
    bool last; /* what it does not write is not put off any more */
};

enum batch_result {
    BATCH_FAILED = -1, /* *e is filled */
    BATCH_COMMITTED,
    BATCH_AGAIN, /* to be done without a campaign that was marked left_alone, or corrections that are
                  * held */
    BATCH_BUSY   /* deadlock, lock or serialization failure, the retries are used up */
};

/* Writes the batch in one transaction. Only after BATCH_COMMITTED do the fates
 * and the campaigns' results say what is in the database. */
enum batch_result batch_write(struct applying *a, struct batch *b, struct err *e);

/* Tells the journal of the batch, once; ctx is a struct applying. */
int batch_tell(void *ctx, struct err *e);

/* What the campaign could not be written for: the lock of the latest such batch. */
void name_lock(struct applying *a, size_t campaign);

/* ---- apply_pass.c: corrections in batches ---- */

struct pass {
    size_t *at; /* corrections to write, each campaign's together */
    size_t n;
    size_t *later; /* those that could not be written, with room for n; NULL: the last pass */
    size_t n_later;
    bool skipped; /* some of later were locked by somebody */
    bool counts;  /* the campaigns that are only to be recounted come in the last batch */
};

/* Writes p's corrections, batch after batch. */
int pass_run(struct applying *a, struct pass *p, struct err *e);

/* Its rows or counters would break the order of milestones: this attempt ends,
 * and the next is made without it. */
void leave_alone(struct applying *a, size_t campaign);

/* The outcome of a correction, and its place in the summary. */
void settle(struct applying *a, size_t i, enum outcome outcome);

int batch_init(struct batch *b, size_t n, size_t n_campaigns, struct err *e);
void batch_release(struct batch *b);
void batch_add_campaign(struct applying *a, struct batch *b, size_t campaign);

/* batch_write until no campaign breaks the order any more; then what a
 * committed batch says of its campaigns is kept. */
enum batch_result batch_finish(struct applying *a, struct batch *b, struct err *e);

/* Its counters are not those of its rows, as far as is known. */
bool wants_count(const struct applying *a, size_t campaign);

/* ---- apply_pace.c: between batches ---- */

/* The size of the next batch, after one of n corrections took `seconds`. */
void pace_adapt(struct applying *a, size_t n, double seconds);

/* Fails where the role cannot see how far standbys are. */
int pace_prepare(struct applying *a, struct err *e);

/* Pauses, and waits for standbys. last: nothing follows. */
int pace_wait(struct applying *a, bool last, struct err *e);

/* ---- apply_rows.c: the contact rows, within a transaction ---- */

int rows_prepare(struct applying *a, struct err *e); /* the temporary table */

/* The correction that the server names, SIZE_MAX with *e filled where it is none. */
size_t rows_named(const struct applying *a, struct slice v, struct err *e);

/* Locks and writes the n corrections, sets their fates. Where a row as written
 * breaks the order of milestones its campaign is marked left_alone, and a is
 * broken. again: they are in the batch already, and were decided again. */
int rows_write(struct applying *a, const size_t *at, size_t n, bool again, struct err *e);

/* Reads the rows of the *n corrections again and decides on them again; keeps
 * in at those to be written after all, fills the outcome of the others. */
int rows_redecide(struct applying *a, size_t *at, size_t *n, struct err *e);

/* ---- apply_effects.c: what else a correction writes, within a transaction ---- */

/* Bits of a batch's columns `logs` and `exact`. */
enum effect { EFFECT_DELIVERED = 1, EFFECT_READ = 2, EFFECT_FAILED = 4 };

/* The milestones that a correction makes known; of these, those that have a
 * time of their own. */
uint8_t effects_of(const struct correction *c, uint8_t *exact);

int effects_prepare(struct applying *a, struct err *e); /* the statements */

/* The first statement runs while batch_tell does. Where somebody has a contact to
 * be written, its corrections are held, and a is blocked. */
int effects_write(struct applying *a, const struct batch *b, struct err *e);

/* ---- apply_counters.c: the campaigns, within a transaction ---- */

/* Locks the batch's campaigns, recounts or adds. Judges the counters as
 * rows_write does the rows. */
int counters_write(struct applying *a, struct batch *b, struct err *e);

/* Whether the campaign's counters in the snapshot have to be written. */
bool counters_differ(const struct applying *a, const struct campaign_result *r);

#endif
