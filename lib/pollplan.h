/* pollplan.h - whom to ask about which message, and what the answers say of which
 * row (docs/semantics.md 7).
 */
#ifndef RECONCILE_POLLPLAN_H
#define RECONCILE_POLLPLAN_H

#include "match.h"
#include "source_api.h"

/* One row asked about at one instance. */
struct poll_ask {
    uint32_t instance; /* index of poll.instance */
    struct slice message_id;
    struct ident row, campaign;
    int64_t sent_at, created_at;
};

/* An instance that is asked. */
struct poll_instance {
    uint32_t directory; /* index of directory.instance */
    uint32_t place;     /* "api:NAME" among the archives */
    struct fold fold;   /* what it said */
    char *problem;      /* why it was given up; NULL: it was not. Owned. */
    bool done;
    bool left_out; /* its clock is wrong: what it said is not used */
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
    uint64_t not_asked;    /* unsettled rows that are not asked about */
    uint64_t nobody;       /* ... although their time would have them be: no instance to ask */
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

/* Called as soon as an instance is finished, given up or not. */
typedef int poll_done_fn(void *ctx, struct poll_instance *i, struct err *e);

/* Asks them all; what they say goes to their folds. */
int poll_run(struct poll *p, const struct api_options *o, poll_done_fn *done, void *ctx,
             struct api_counts *counts, struct event_counts *statuses, struct err *e);

/* Fills *t with what instances said of the rows asked about there: of one
 * (index `only`), or of all (IDMAP_NONE); those left out aside. *keys: how many
 * pieces of evidence that is. d: as it is now, for *t to keep. */
int poll_match(const struct poll *p, const struct directory *d, uint32_t only,
               struct match_table *t, uint64_t *keys, struct err *e);

#endif
