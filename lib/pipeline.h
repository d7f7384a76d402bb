/* pipeline.h - a run from its options to its exit status: fold, match, judge,
 * apply, report. Both tools are this with other options.
 */
#ifndef RECONCILE_PIPELINE_H
#define RECONCILE_PIPELINE_H

#include "options.h"

#include <signal.h>

/* interrupted: set by the signal handler to the signal's number; 0 while none
 * came. started: µs, when the run began. Tells on stderr whatever goes wrong;
 * returns the exit status. */
int pipeline_run(const struct options *o, int argc, char *const *argv, int64_t started,
                 const volatile sig_atomic_t *interrupted);

#endif
