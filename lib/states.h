/* states.h - folded evidence as JSON Lines, one per (instance, message id)
 * (docs/formats.md, "States file").
 */
#ifndef RECONCILE_STATES_H
#define RECONCILE_STATES_H

#include "buf.h"
#include "fold.h"
#include "outfile.h"

#include <signal.h>

/* Appends ["sent","read"], the milestones of M_BITs. */
void states_put_milestones(struct buf *b, uint8_t which);

/* Appends {"read":["archive",17],...} for the milestones in `which` that were seen. */
void states_put_evidence(struct buf *b, const struct names *archives, const struct evidence *e,
                         uint8_t which);

/* Writes the entries of a fold that `keep` wants (NULL: all), in order. */
typedef bool states_keep_fn(void *ctx, const struct fold_entry *x);
int states_write(struct outfile *out, struct fold *f, bool failed_unless_delivered,
                 states_keep_fn *keep, void *ctx, struct err *e);

/* Adds the evidence of a file written by states_write (gzip or plain) to the
 * fold; the names of its archives go to `archives`, which f refers to. What
 * is wrong with the file is told through `problem`, once, naming the line (0
 * lines read on after it): then 1 is returned and what came before is kept. -1:
 * no memory. interrupted: as of gzin_open. */
int states_read(struct fold *f, struct names *archives, const char *path, int64_t now,
                const volatile sig_atomic_t *interrupted, char *problem, size_t problem_size,
                struct err *e);

#endif
