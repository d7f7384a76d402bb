/* mask.h - API keys taken out of bytes that are about to be kept.
 *
 * The bytes are whatever an archive held: broken JSON, JSON within the strings
 * of JSON, or no JSON at all. So nothing is parsed; every "apikey" in any case
 * is looked at, and has to be followed by a string in the one form that JSON
 * gives it at that depth of quoting. Where it is not, or where another spelling
 * of the key cannot be ruled out, masking is not certain.
 */
#ifndef RECONCILE_MASK_H
#define RECONCILE_MASK_H

#include "buf.h"
#include "slice.h"

#include <stdbool.h>

struct masked {
    bool certain;  /* false: the bytes must not be kept */
    unsigned open; /* unescaped quotes still to come before a value that the end of the
                      bytes cut is over; 0: none was cut */
};

/* Appends the bytes to `out` with each key's value replaced by ***. A value cut
 * off by the end is masked to the end. `out` is of no use if it is not certain. */
struct masked mask_api_keys(struct slice bytes, struct buf *out);

/* Unescaped quotes in the bytes. */
unsigned mask_quotes(struct slice bytes);

#endif
