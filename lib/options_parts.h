/* options_parts.h - what the parts of options share; for lib/options*.c alone. */
#ifndef RECONCILE_OPTIONS_PARTS_H
#define RECONCILE_OPTIONS_PARTS_H

#include "options.h"

/* marks in the table */
enum {
    NEEDS_DATABASE = 1, /* no use with --offline */
    MAY_BE_SECRET = 2,  /* its value may hold a password */
    NOT_IN_FILE = 4     /* has no meaning in a configuration file */
};

/* Sets what the configuration file at o->config_path says: as EXIT_USAGE, what
 * no tool has, what cannot be, and a password in a file that all may read.
 * named: it must be there. Behind an error, what says how errors are told is set
 * all the same. */
int options_read_config(struct options *o, bool named, struct err *e);

#endif
