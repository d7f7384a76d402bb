/* judge.h - every row in scope x its evidence -> corrections and counters, in
 * one pass over the rows (docs/semantics.md 5, 6).
 */
#ifndef RECONCILE_JUDGE_H
#define RECONCILE_JUDGE_H

#include "gapbook.h"
#include "histogram.h"
#include "match.h"
#include "progress.h"

struct judge_options {
    struct policy policy;
    int64_t settle; /* µs; 0: nothing is too young */
    int64_t now;
    bool (*waits)(const void *ctx, struct ident row); /* is to be left alone yet; NULL: none is */
    const void *waits_ctx;
    struct progress *progress; /* rows; NULL: nobody's */
};

/* What the clock of one instance name looks like (docs/semantics.md 5, "Wrong clock"). */
struct judge_clock {
    uint64_t rows;             /* matched rows with an exact time */
    uint64_t early;            /* ... that lies more than 10 minutes before their sent_at */
    struct histogram early_by; /* how much, of those */
    struct histogram lag;      /* received time - date_time, of all its status events */
};

struct judge {
    const struct judge_options *o;
    const struct match_table *matches; /* NULL: no evidence at all */
    struct run *run;                   /* campaigns in scope are there; the rest is filled */
    struct idmap scope;                /* campaign -> index into run->campaign */
    struct arena arena;                /* texts of corrections */
    size_t cap;                        /* of run->correction */
    uint64_t rows;                     /* in scope */
    struct tally unknown;              /* statuses that are not the application's */
    struct names clock_names;          /* instance names as they are compared */
    struct judge_clock *clock;         /* by number of that name */
    uint32_t *clock_of;                /* by source of the matches */
    struct gapbook gaps;
};

/* o, d, matches and run stay with the caller and must outlive j. */
int judge_init(struct judge *j, const struct judge_options *o, const struct directory *d,
               const struct match_table *matches, struct run *run, struct err *e);
void judge_release(struct judge *j);

/* What is decided of a row. */
struct judge_verdict {
    const struct match *match;       /* evidence bears its message id; NULL: none does */
    const struct evidence *evidence; /* what speaks for it; NULL: nothing */
    struct policy policy;            /* by which it was decided */
    struct decision decision;
    bool doubtful; /* some evidence of its id is ambiguous or mismatched */
    bool deferred; /* it would be corrected, but is too young */
};

/* The verdict lives as long as j. */
int judge_row(struct judge *j, const struct store_row *r, struct judge_verdict *v, struct err *e);

/* Reads all rows of the campaigns in scope (all: those are all of the
 * database) and fills counters, corrections and counts of j->run. */
int judge_rows(struct judge *j, struct store *s, bool all, struct err *e);

/* An apply_redecide_fn; ctx is the judge. */
int judge_again(void *ctx, const struct store_row *now, struct correction *c, struct err *e);

/* Is the clock of name i wrong? Then *minutes is the offset that would close
 * it, rounded to 15 minutes. */
bool judge_clock_is_wrong(const struct judge_clock *c, int32_t *minutes);

/* Do more than a fifth of its rows say so? Else received times do. */
bool judge_clock_has_early_rows(const struct judge_clock *c);

#endif
