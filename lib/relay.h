/* relay.h - reading that one thread begins and another may take over, while the
 * first goes on with what is read: decompression on one core, all else on
 * another.
 */
#ifndef RECONCILE_RELAY_H
#define RECONCILE_RELAY_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

/* Reads up to n bytes to p; less than n only at the end, -1 without memory. */
typedef ssize_t relay_read_fn(void *ctx, void *p, size_t n);

struct relay;

struct relay *relay_new(relay_read_fn *fn, void *ctx); /* NULL: no memory */

/* What fn gives, whichever thread calls it: up to n bytes, 0 at the end. For the
 * thread that made r. */
ssize_t relay_read(struct relay *r, void *p, size_t n);

/* Another thread offers to call fn. False: somebody has already, or there is no
 * memory to read ahead. After true it must call relay_help, which returns when
 * all is read or relay_end was called. */
bool relay_offer(struct relay *r);
void relay_help(struct relay *r);

/* Nothing more will be read: waits until a helper has let go. After it fn is
 * not called any more. Frees r, which may be NULL; nobody may offer by now. */
void relay_end(struct relay *r);

#endif
