/* buf.h - a growing byte buffer with a ceiling.
 *
 * A failed growth (no memory, or past the ceiling) sets `failed`, which stays
 * set until buf_clear: a writer may add a whole line and test once at its end.
 * The bytes are always followed by a NUL that `len` does not count.
 */
#ifndef RECONCILE_BUF_H
#define RECONCILE_BUF_H

#include <stdbool.h>
#include <stddef.h>

#define BUF_MAX ((size_t)1 << 34) /* default ceiling: 16 GiB, bytes */

struct buf {
    char *data;  /* owned; NULL until the first byte */
    size_t len;  /* bytes used */
    size_t cap;  /* bytes allocated */
    size_t max;  /* ceiling of len; 0 = BUF_MAX */
    bool failed; /* an addition was lost */
};

#define BUF_INIT                                                                                   \
    {                                                                                              \
        NULL, 0, 0, 0, false                                                                       \
    }

void buf_release(struct buf *b);                      /* frees the contents; b is as new */
void buf_clear(struct buf *b);                        /* empties b, keeps its memory */
bool buf_reserve(struct buf *b, size_t n);            /* room for n more bytes? */
void buf_add(struct buf *b, const void *p, size_t n); /* appends n bytes */
void buf_addc(struct buf *b, char c);
void buf_adds(struct buf *b, const char *s);
void buf_addf(struct buf *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
const char *buf_str(const struct buf *b); /* the bytes as a C string, never NULL */

#endif
