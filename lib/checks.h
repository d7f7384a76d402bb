/* checks.h - the reasons not to write (docs/semantics.md 5): each is an error
 * with --apply and a warning in a dry run, and each has an option that says
 * the operator knows.
 */
#ifndef RECONCILE_CHECKS_H
#define RECONCILE_CHECKS_H

#include "judge.h"
#include "source_archive.h"
#include "warnings.h"

/* An archive whose rest could not be read because it is corrupt. */
void check_archives(struct warnings *w, const struct archive *a, uint32_t n, bool apply,
                    bool accept_damaged);

/* Statuses 4 and 5 in numbers while no dialect was named. */
void check_codes(struct warnings *w, const struct event_counts *c, bool apply, bool offline);

/* Clocks that are off by more than 10 minutes, by name. */
int check_clocks(struct warnings *w, struct judge *j, bool apply, bool accept_clock, struct err *e);

/* Do the archives reach over all that happened to the rows of the campaigns? */
int check_rebuild(struct warnings *w, const struct run *run, const struct fold *f,
                  const struct match_table *t, struct store *s, bool damaged, bool apply,
                  struct err *e);

/* A rebuild over silent gaps in the evidence, of all instances. */
int check_gaps(struct warnings *w, struct judge *j, bool apply, struct err *e);

/* --max-corrections: limit < 0: none; share: of a hundred. */
void check_corrections(struct warnings *w, const struct run *run, uint64_t rows, int64_t limit,
                       bool is_share, double share, bool apply);

#endif
