/* explain.h - everything known about one message (--explain): what was seen of
 * it and where, the rows that bear its id, what was decided of them and by which
 * rule.
 *
 * Filled in two steps: explain_see by the sources, while they read;
 * explain_rows once the run has judged its rows. Not thread-safe.
 */
#ifndef RECONCILE_EXPLAIN_H
#define RECONCILE_EXPLAIN_H

#include "buf.h"
#include "event.h"
#include "judge.h"

/* One event, as it went into the fold. */
struct explain_event {
    struct slice instance; /* as given */
    struct slice error;    /* p NULL: none */
    int64_t time;
    uint64_t record;
    uint32_t archive; /* index of the names of archives */
    enum status_meaning what;
    bool approximate;
    bool used; /* its instance speaks for the row that is decided */
};

/* One row that bears the id. */
struct explain_row {
    struct ident id, campaign;
    struct slice status;     /* as stored */
    struct row_state before; /* likewise */
    struct row_state after;  /* as decided; the same where it is left alone */
    enum cause cause;        /* CAUSE_NONE: nothing to correct */
    uint8_t approximate;     /* as in struct decision */
    bool spoken_for;         /* evidence speaks for it */
    struct slice rule;       /* what made the decision, in words */
};

struct explain {
    struct slice message_id;     /* p NULL: nothing is to be explained */
    struct arena arena;          /* of all texts */
    struct explain_event *event; /* by time, then archive and record */
    size_t events, event_cap;
    struct explain_row *row; /* those spoken for first, then by id */
    size_t rows, row_cap;
    struct slice rule; /* where no row bears the id; else that of the first */
};

void explain_init(struct explain *x, const char *message_id); /* NULL: nothing */
void explain_release(struct explain *x);

/* Keeps an event of that message; others are passed over. */
int explain_see(struct explain *x, const struct event *ev, uint32_t archive, uint64_t record,
                struct err *e);

/* Keeps what evidence that was folded before says of the message, but for
 * sightings that explain_see has. */
int explain_see_evidence(struct explain *x, struct slice instance, struct slice message_id,
                         const struct evidence *evidence, struct err *e);

/* Within the snapshot that j has judged: reads the rows, and tells what j decides
 * of each; those that wait are left out. Once it has found a correction, what a
 * later decision finds is not asked for any more. archives: what sightings index. */
int explain_rows(struct explain *x, struct judge *j, struct store *s, const struct names *archives,
                 struct err *e);

/* Without a database: puts the events into their order. */
void explain_events(struct explain *x, const struct names *archives);

/* "read"; "pending" */
const char *explain_event_name(enum status_meaning what);

#endif
