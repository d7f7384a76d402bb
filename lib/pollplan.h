/* pollplan.h - whom to ask about which message, and what the answers say of which
 * row (docs/semantics.md 7).
 */
#ifndef RECONCILE_POLLPLAN_H
#define RECONCILE_POLLPLAN_H

#include "explain.h"
#include "match.h"
#include "source_api.h"

/* One row asked about at one instance. */
struct poll_ask {
    uint32_t instance; /* index of poll.instance */
    uint32_t row_number;
    struct slice message_id;
    struct ident row, campaign;
    int64_t sent_at, created_at;
    struct evidence evidence; /* the answer; of rows that share an id the first one's */
    bool answered;            /* or the instance is finished; likewise */
    bool released;            /* ... and the row need not wait for it any more; likewise */
};

/* An instance that is asked. */
struct poll_instance {
    uint32_t directory;    /* index of directory.instance */
    uint32_t place;        /* "api:NAME" among the archives */
    uint64_t heard;        /* messages it said something about */
    uint64_t timed, early; /* rows answered with a time of its own; long before their sent_at */
    bool tells_times;      /* it has told some, whose clock may be wrong */
    uint64_t held;         /* answers that wait until its clock is out of doubt */
    char *problem;         /* why not all was learned that was asked; NULL: it was. Owned. */
    bool done, given_up;
    bool left_out;   /* its clock is wrong: what it said is not used */
    int32_t minutes; /* ... by about so many */
};

struct poll {
    const struct directory *directory;
    struct names *archives;
    struct arena arena;
    struct poll_ask *ask; /* by (instance, message id) once planned */
    size_t asks, cap;
    struct poll_instance *instance;
    uint32_t instances;
    uint32_t *instance_of; /* by index of directory.instance; IDMAP_NONE: not asked */
    struct idmap row;      /* asked about -> its number */
    struct poll_row {
        uint32_t open;  /* instances whose answer it waits for */
        bool heard;     /* one of them said something */
    } * rows;           /* by number */
    uint64_t ready;     /* rows that wait no more, and were heard of; the caller may reset it */
    uint64_t not_asked; /* unsettled rows that are not asked about */
    struct progress *progress; /* told of each row that waits no more; NULL: nobody is */
    bool whole; /* no row is decided before its instances have finished: the caller sets it */
    struct explain *explain; /* gets the events of its message; NULL: nobody does */
    uint64_t nobody;         /* ... although their time would have them be: no instance to ask */
};

/* What chooses the rows. */
struct poll_choice {
    const struct ident *campaigns; /* n of them; NULL: all */
    size_t n;
    const bool *instance; /* by index of directory.instance: may be asked; NULL: all */
    int64_t since, until; /* TIME_NONE: no bound */
};

/* Reads within a snapshot whom to ask about what. archives gets the places. */
int poll_plan(struct poll *p, const struct directory *d, struct names *archives, struct store *s,
              const struct poll_choice *c, struct err *e);
void poll_release(struct poll *p);

/* What a poll under way tells; each returns 0, or -1 with *e filled. */
struct poll_sink {
    int (*answered)(void *ctx, struct err *e);                      /* p->ready has grown */
    int (*done)(void *ctx, struct poll_instance *i, struct err *e); /* finished or given up */
    void *ctx;
};

/* Asks them all; what they say is kept with the asks. */
int poll_run(struct poll *p, const struct api_options *o, const struct poll_sink *sink,
             struct api_counts *counts, struct event_counts *statuses, struct err *e);

/* Does the row wait for an answer? Also for one of an instance that tells
 * times, until its clock is out of doubt or all of it can be judged. */
bool poll_waits(const struct poll *p, struct ident row);

/* Fills *t with what instances have said so far of the rows asked about there,
 * those left out aside; evidence that more than one row bears is ambiguous. d: as
 * it is now, for *t to keep. */
int poll_match(const struct poll *p, const struct directory *d, struct match_table *t,
               struct err *e);

#endif
