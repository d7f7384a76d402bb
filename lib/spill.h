/* spill.h - sorted runs on disk, for a fold that may not hold all it has.
 *
 * One file without a name holds all runs, so it is gone however the process
 * ends. It is made when the first run begins. Several threads may write, each
 * a run of its own; runs are read by one.
 */
#ifndef RECONCILE_SPILL_H
#define RECONCILE_SPILL_H

#include "err.h"

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct spill;
struct spill_run;

/* dir: where the file is to be; not copied. NULL: no memory. */
struct spill *spill_new(const char *dir);
void spill_free(struct spill *s); /* its runs too; s may be NULL */

uint64_t spill_bytes(const struct spill *s); /* that the file takes on disk */

/* Failures are EXIT_FAILED and name the directory: `could not write to a temporary
 * file in "/tmp": No space left on device`. */
struct spill_run *spill_begin(struct spill *s, struct err *e); /* owned by s; NULL on failure */
int spill_write(struct spill_run *r, const void *p, size_t n, struct err *e);
int spill_end(struct spill_run *r, struct err *e); /* nothing more is written */

/* From the beginning, after each spill_rewind. Less than n bytes only at the end. */
void spill_rewind(struct spill_run *r);
ssize_t spill_read(struct spill_run *r, void *p, size_t n, struct err *e);

#endif
