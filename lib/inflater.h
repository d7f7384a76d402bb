/* inflater.h - raw deflate data -> bytes, and the checksum of gzip.
 *
 * All that gzin needs of a compression library, so that another one can take
 * zlib's place. The gzip format around the data is gzin's own business: its
 * damage reports must not depend on the library. One inflater per thread.
 */
#ifndef RECONCILE_INFLATER_H
#define RECONCILE_INFLATER_H

#include <stddef.h>
#include <stdint.h>

struct inflater;

enum inflater_state {
    INFLATER_MORE, /* needs input, or room for output */
    INFLATER_END,  /* the deflate stream is complete; *in points behind it */
    INFLATER_BAD,  /* impossible data; what came before it is in the output */
    INFLATER_NOMEM
};

struct inflater *inflater_new(void); /* NULL without memory */
void inflater_free(struct inflater *f);
void inflater_reset(struct inflater *f); /* for the next stream */

/* Inflates from *in, *in_n bytes, to *out, room for *out_n, and advances all
 * four. Takes input and fills output as far as it can: INFLATER_MORE is
 * returned only with one of the two used up. */
enum inflater_state inflater_run(struct inflater *f, const unsigned char **in, size_t *in_n,
                                 unsigned char **out, size_t *out_n);

/* The CRC-32 of gzip, continued over n bytes; begins with 0. */
uint32_t inflater_crc(uint32_t crc, const unsigned char *p, size_t n);

const char *inflater_library(void); /* "zlib 1.2.13", as loaded; static */

#endif
