/* api_key.h - where the key of Evolution's API comes from. A part of source_api. */
#ifndef RECONCILE_API_KEY_H
#define RECONCILE_API_KEY_H

#include "err.h"

#include <stdbool.h>

#define API_KEY_SIZE 1024 /* bytes of a key, its NUL included */

/* Reads the key: the one line of the file, or EVOLUTION_API_KEY where path is NULL.
 * A key that is missing, too long, of more than one line, or that holds a control
 * character is EXIT_USAGE; no message repeats any of it. The caller wipes key.
 * *exposed: it is in a file that every user may read. */
int api_key_read(const char *path, char key[API_KEY_SIZE], bool *exposed, struct err *e);

#endif
