/* jwalk.h - a walk over a JSON text that jsonscan.h found whole, without
 * building a tree: a member is found by stepping over those before it.
 *
 * Linear in the bytes and without memory of its own, whatever a text holds.
 * Values are slices of the text, quotes included. None of these functions may
 * see bytes that jsonscan_feed has not accepted.
 */
#ifndef RECONCILE_JWALK_H
#define RECONCILE_JWALK_H

#include "buf.h"
#include "jsonbytes.h"
#include "slice.h"

enum jwalk_type { JWALK_OBJECT, JWALK_ARRAY, JWALK_STRING, JWALK_NUMBER, JWALK_LITERAL };

enum jwalk_type jwalk_type_of(struct slice value);

#define JWALK_KEYS 16 /* that jwalk_find looks for at once, of at most 64 bytes each */

/* The last value of each of n keys among the members of an object; found[i]
 * is SLICE_NONE where the key is absent. A value is its bytes, quotes
 * included. Keys are compared after their escapes are read. */
void jwalk_find(struct slice object, const char *const *keys, size_t n, struct slice *found);

/* Steps through an array: *pos starts at 0; false after the last element. */
bool jwalk_next(struct slice array, size_t *pos, struct slice *element);

/* Reads the inside of a string that has escapes, as jwalk_string does. */
bool jwalk_unescape(struct slice inside, struct buf *tmp, struct slice *out);

/* The bytes of a string value. Without escapes they are those between the
 * quotes; else they are written to tmp (cleared first). False without memory. */
static inline bool jwalk_string(struct slice value, struct buf *tmp, struct slice *out)
{
    *out = (struct slice){value.p + 1, value.n - 2};
    return !json_has_backslash(out->p, out->n) || jwalk_unescape(*out, tmp, out);
}

/* The number as a double; value is a whole number token. */
double jwalk_number(struct slice value);

/* Is the value there, and a string of at least one character? */
static inline bool jwalk_is_text(struct slice value)
{
    return value.p && value.p[0] == '"' && value.n > 2;
}

#endif
