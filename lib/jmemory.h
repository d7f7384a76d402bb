/* jmemory.h - what jansson allocates, so that out of memory can be told from a
 * text that is no JSON: jansson says the same of both.
 */
#ifndef RECONCILE_JMEMORY_H
#define RECONCILE_JMEMORY_H

#include <stdbool.h>

/* From now on jansson allocates through this module; before any other use of it. */
void jmemory_watch(void);

/* Whether an allocation of jansson's has failed in this thread since it was last asked. */
bool jmemory_failed(void);

#endif
