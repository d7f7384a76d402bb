/* statedir.h - the directory for what a run leaves behind for later runs.
 */
#ifndef RECONCILE_STATEDIR_H
#define RECONCILE_STATEDIR_H

#include "buf.h"
#include "err.h"

/* Puts the path of the directory into *path, without a '/' at its end: `given`
 * (--state-dir) unless NULL, else the first of $STATE_DIRECTORY,
 * $XDG_STATE_HOME/reconcile, ~/.local/state/reconcile. What is missing of it
 * is made, for its owner only. EXIT_FAILED naming the directory. */
int statedir_make(const char *given, struct buf *path, struct err *e);

#endif
