/* outfile.h - a file that is there whole or not at all.
 *
 * A regular file is written to a temporary name beside it, synced, and renamed
 * over the name asked for by outfile_commit. A device or a pipe is written as
 * it is, and so is stdout ("-").
 */
#ifndef RECONCILE_OUTFILE_H
#define RECONCILE_OUTFILE_H

#include "buf.h"
#include "err.h"

#include <signal.h>
#include <stdbool.h>
#include <sys/types.h>

struct outfile;

/* Do two names stand for one regular file, there or still to be made, however they are
 * spelled and linked? "-" is stdout. Devices, pipes and names in /dev are no file. */
int outfile_same(const char *one, const char *other, bool *same, struct err *e);

/* mode: of a new file, e.g. 0600. gzip: deflate what is written; the bytes
 * depend on the content alone. EXIT_FAILED naming the file. */
int outfile_open(struct outfile **f, const char *path, mode_t mode, bool gzip, struct err *e);

/* A pipe that nobody reads on from is waited for until *interrupted is not zero,
 * and 3 seconds more: then a write fails. It has to last as long as f. */
void outfile_set_interrupt(struct outfile *f, const volatile sig_atomic_t *interrupted);

/* The mode whatever the umask is, of a regular file. */
int outfile_set_mode(struct outfile *f, mode_t mode, struct err *e);

int outfile_write(struct outfile *f, const void *p, size_t n, struct err *e);

/* Writes what is left, checks the close and puts the file in its place. Frees
 * f, whatever happens; on failure nothing of it remains. */
int outfile_commit(struct outfile *f, struct err *e);

/* Gives the file up, leaving nothing behind. f may be NULL. */
void outfile_abort(struct outfile *f);

#endif
