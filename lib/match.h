/* match.h - which rows does evidence speak for? (docs/semantics.md 4) */
#ifndef RECONCILE_MATCH_H
#define RECONCILE_MATCH_H

#include "directory.h"
#include "fold.h"
#include "run.h"

/* One instance name's evidence for a row, for judging that name's clock. */
struct speaker {
    struct speaker *next;
    uint32_t instance; /* number of the name in the fold */
    int64_t exact;     /* the least exact time; TIME_NONE: none */
};

/* A row whose message id evidence bears. */
struct match {
    struct ident row;
    struct evidence evidence; /* merged of all that speaks for it */
    struct speaker *speaker;  /* p NULL: no evidence speaks for it */
    bool doubtful;            /* ambiguous or mismatched evidence bears its id, too */
};

struct match_table {
    const struct fold *fold;
    const struct directory *directory;
    const struct directory_named **named; /* by number of the instance name in the fold */
    bool any_instance;
    struct match *match;
    uint32_t n, cap;
    struct idmap by_row;
    struct idmap campaigns; /* of rows that evidence speaks for */
    struct arena arena;
    uint64_t used, not_campaign_message, ambiguous, instance_mismatch; /* evidence keys */
    uint64_t *mismatch; /* evidence keys by number of the instance name in the fold */
};

/* Asks the database about all entries of the sorted fold that `keep` wants
 * (NULL: all), in slices of bounded size. */
int match_run(struct match_table *t, const struct fold *f, const struct directory *d,
              struct store *s, bool any_instance, bool (*keep)(void *, const struct fold_entry *),
              void *ctx, struct err *e);

/* NULL: no evidence bears the row's message id. */
const struct match *match_find(const struct match_table *t, struct ident row);

void match_release(struct match_table *t);

#endif
