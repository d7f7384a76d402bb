/* jmemory.h - what jansson allocates, so that out of memory can be told from a
 * text that is no JSON, and from one that is: jansson says that a text is none, or
 * leaves out the character of a string for which its buffer could not grow.
 */
#ifndef RECONCILE_JMEMORY_H
#define RECONCILE_JMEMORY_H

#include "slice.h"

#include <jansson.h>
#include <stdbool.h>

/* From now on jansson allocates through this module; before any other use of it. */
void jmemory_watch(void);

/* Whether an allocation of jansson's has failed in this thread since it was last asked. */
bool jmemory_failed(void);

/* Loads a text with jansson's flags. 1: *root is the caller's; 0: it is no JSON; -1: no
 * memory. *root is NULL unless 1. */
int jmemory_load(json_t **root, struct slice text, size_t flags);

#endif
