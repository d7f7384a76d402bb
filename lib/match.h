/* match.h - which rows does evidence speak for? (docs/semantics.md 4) */
#ifndef RECONCILE_MATCH_H
#define RECONCILE_MATCH_H

#include "directory.h"
#include "fold.h"
#include "run.h"

/* Whose evidence it is: an instance as it is named, and the clock it shows. */
struct match_source {
    struct slice name;
    const struct histogram *lag; /* NULL: not known */
};

/* One source's evidence for a row. */
struct speaker {
    struct speaker *next;
    uint32_t source; /* index of match_table.source */
    int64_t exact;   /* the least exact time; TIME_NONE: none */
};

/* A row whose message id evidence bears. */
struct match {
    struct ident row;
    struct slice message_id;  /* that the evidence bears: a row sent again has another by then */
    struct evidence evidence; /* merged of all that speaks for it */
    struct speaker *speaker;  /* p NULL: no evidence speaks for it */
    bool doubtful;            /* ambiguous or mismatched evidence bears its id, too */
};

struct match_table {
    const struct names *archives; /* what sightings index */
    struct match_source *source;
    uint32_t sources;
    const struct directory *directory;
    const struct directory_named **named; /* by source; NULL where evidence is asked for */
    bool any_instance;
    struct match *match;
    uint32_t n, cap;
    struct idmap by_row;
    struct idmap campaigns; /* of rows that evidence speaks for */
    struct arena arena;
    uint64_t used, not_campaign_message, ambiguous, instance_mismatch; /* evidence keys */
    uint64_t *mismatch;                                                /* evidence keys by source */
};

/* Asks the database about all entries of the fold that `keep` wants (NULL: all),
 * in slices of bounded size. What has a row is copied. */
int match_run(struct match_table *t, struct fold *f, const struct directory *d, struct store *s,
              bool any_instance, bool (*keep)(void *, const struct fold_entry *), void *ctx,
              struct err *e);

/* A table that is filled by match_use: sources are known, rows too. The names of
 * the sources are not copied. */
int match_init(struct match_table *t, const struct names *archives, const struct directory *d,
               const struct match_source *source, uint32_t n, struct err *e);

/* Evidence of a source about a message that speaks for a row of a campaign. The
 * id is not copied. */
int match_use(struct match_table *t, uint32_t source, struct slice message_id,
              const struct evidence *evidence, struct ident row, struct ident campaign,
              struct err *e);

/* Evidence that may speak for several rows, of which this is one: ambiguous. */
int match_doubt(struct match_table *t, struct ident row, struct slice message_id, struct err *e);

/* NULL: no evidence bears the message id that the row has now. */
const struct match *match_find(const struct match_table *t, struct ident row,
                               struct slice message_id);

void match_release(struct match_table *t);

#endif
