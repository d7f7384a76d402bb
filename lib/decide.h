/* decide.h - row x evidence x policy -> the row as it should be, and why
 * (docs/semantics.md 5). Pure: no database, no clock, no memory.
 */
#ifndef RECONCILE_DECIDE_H
#define RECONCILE_DECIDE_H

#include "evidence.h"

/* The columns of a CampaignContact that a correction may change. */
struct row_state {
    enum row_status status;
    int64_t at[M_COUNT]; /* sent_at, delivered_at, read_at, failed_at; TIME_NONE for NULL */
    struct slice error;  /* error_message; p NULL for NULL */
};

struct policy {
    bool rebuild;  /* --rebuild: only what the evidence proves */
    bool by_merge; /* ... but this row by merge: no message id, or doubtful evidence */
    bool failed_unless_delivered; /* --failed-wins=unless-delivered */
    bool earliest;                /* --timestamps=earliest */
    bool null_approximate;        /* --approximate-times=null */
    int64_t tolerance;            /* --time-tolerance, µs */
};

enum cause {
    CAUSE_NONE,           /* nothing differs */
    CAUSE_MISSED_WEBHOOK, /* the row does not prove the final status */
    CAUSE_OVERWRITTEN,    /* the row's own times prove a higher status than its status */
    CAUSE_INCONSISTENT,   /* the row contradicts itself otherwise */
    CAUSE_UNPROVEN,       /* a known milestone was taken back */
    CAUSE_TIMESTAMP,      /* only times or the error text change */
    CAUSE_COUNT
};

struct decision {
    struct row_state after; /* equals the row where cause is CAUSE_NONE */
    enum cause cause;
    uint8_t approximate; /* M_BITs of the times in after that came from an approximate sighting */
    bool left_alone;     /* pending, unknown, or sending without proof: not decided at all */
    bool regression;     /* delivered or read became failed, or CAUSE_UNPROVEN */
};

/* e may be NULL: no evidence. after.error may point into r, into e or to a
 * constant, except where e's text holds NULs: then into scratch, which must
 * have room for e->error.n bytes (NULL if no NUL can occur). */
void decide(const struct row_state *r, const struct evidence *e, const struct policy *p,
            char *scratch, struct decision *d);

/* What a row counts for, by its columns alone (docs/semantics.md 6): M_BITs. */
uint8_t row_counts(const struct row_state *r);

/* read without delivered, or delivered without sent: what no decided row may be. */
bool row_breaks_order(const struct row_state *r);

bool row_state_eq(const struct row_state *a, const struct row_state *b);
const char *cause_name(enum cause c); /* "missed_webhook" */

#endif
