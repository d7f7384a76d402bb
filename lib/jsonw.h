/* jsonw.h - JSON text, written to a buffer piece by piece.
 *
 * Compact, as jansson writes it with JSON_COMPACT and without JSON_ENSURE_ASCII,
 * so that reading and writing again changes nothing. Failures show in the
 * buffer's `failed`.
 */
#ifndef RECONCILE_JSONW_H
#define RECONCILE_JSONW_H

#include "buf.h"
#include "slice.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Appends the n bytes at p as a JSON string, quotes included. Each byte that is
 * no part of well-formed UTF-8 becomes U+FFFD. */
void jsonw_string(struct buf *b, const char *p, size_t n);

/* Puts the commas. Starts as {&buf, true}, at the top level, and again after a
 * line break that the caller added. */
struct jsonw {
    struct buf *b;
    bool fresh; /* nothing has been written into the innermost object or array yet */
};

#define JSONW_INIT(buffer)                                                                         \
    {                                                                                              \
        (buffer), true                                                                             \
    }

/* Each appends one value. key is the member's name within an object, and NULL
 * within an array or at the top level. */
void jsonw_object(struct jsonw *w, const char *key); /* opens it */
void jsonw_object_end(struct jsonw *w);
void jsonw_array(struct jsonw *w, const char *key);
void jsonw_array_end(struct jsonw *w);
void jsonw_slice(struct jsonw *w, const char *key, struct slice s); /* p NULL: null */
void jsonw_text(struct jsonw *w, const char *key, const char *s);   /* NULL: null */
void jsonw_int(struct jsonw *w, const char *key, int64_t value);
void jsonw_uint(struct jsonw *w, const char *key, uint64_t value);
void jsonw_bool(struct jsonw *w, const char *key, bool value);
void jsonw_null(struct jsonw *w, const char *key);
void jsonw_time(struct jsonw *w, const char *key, int64_t us); /* TIME_NONE: null */

/* A number with two decimals, given in hundredths: 9750 is 97.50. */
void jsonw_hundredths(struct jsonw *w, const char *key, int64_t hundredths);

/* The same of a double, rounded half away from zero; null where it is not
 * finite or beyond 10^15. */
void jsonw_double(struct jsonw *w, const char *key, double value);

/* JSON text made elsewhere, as it is. */
void jsonw_raw(struct jsonw *w, const char *key, struct slice json);

#endif
