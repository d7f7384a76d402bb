/* options_parts.h - what the parts of options share; for lib/options*.c alone. */
#ifndef RECONCILE_OPTIONS_PARTS_H
#define RECONCILE_OPTIONS_PARTS_H

#include "options.h"

#define REPLAY TOOL_BIT(TOOL_REPLAY)
#define AUDIT TOOL_BIT(TOOL_AUDIT)
#define POLL TOOL_BIT(TOOL_POLL)
#define APPLY TOOL_BIT(TOOL_APPLY)
#define REVERT TOOL_BIT(TOOL_REVERT)
#define RECONCILE TOOL_BIT(TOOL_RECONCILE)
#define EVIDENCE (REPLAY | POLL) /* those that bring evidence */
#define DECIDING (REPLAY | AUDIT | POLL)
#define ACTING (APPLY | REVERT) /* those that carry out what was decided before */
#define EVERY (DECIDING | ACTING)

#define POLL_SINCE "7d" /* what a poll asks about unless told otherwise */

/* marks in the table */
enum {
    NEEDS_DATABASE = 1, /* no use with --offline */
    MAY_BE_SECRET = 2,  /* its value may hold a password */
    NOT_IN_FILE = 4     /* has no meaning in a configuration file */
};

/* The place in the table of the tool's own option of that long name; behind its
 * end: it has none. */
size_t options_find(const struct options *o, const char *name);

/* Where its value comes from. */
enum opt_origin options_origin(const struct options *o, const char *name);

/* Sets what the configuration file at o->config_path says: as EXIT_USAGE, what
 * no tool has, what cannot be, and a password in a file that all may read.
 * named: it must be there. Behind an error, what says how errors are told is set
 * all the same. */
int options_read_config(struct options *o, bool named, struct err *e);

/* Of two options that do not go together, takes the one back that the
 * configuration file gives where the other is given nearer to the run. */
void options_yield(struct options *o);

/* What does not go together, or is missing: EXIT_USAGE. Of options that have
 * been read and derived. */
int options_check(const struct options *o, struct err *e);

#endif
