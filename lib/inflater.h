/* inflater.h - raw deflate data -> bytes, and the checksum of gzip.
 *
 * All that gzin needs of a compression library. The fastest one that the build
 * found does the work; zlib is always there and has the last word on data that
 * is damaged, so that what a damaged archive gives does not depend on the build.
 * The gzip format around the data is gzin's own business. One inflater per
 * thread.
 */
#ifndef RECONCILE_INFLATER_H
#define RECONCILE_INFLATER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* *in may come back by this many bytes at the end of a stream: a library reads
 * ahead, and these may have been given to it by an earlier call. */
#define INFLATER_BACK 8

struct inflater;

enum inflater_state {
    INFLATER_MORE, /* needs input, or room for output */
    INFLATER_END,  /* the deflate stream is complete; *in points behind it */
    INFLATER_BAD,  /* impossible data; what came before it is in the output of zlib, and any
                      other has left input and output where they were */
    INFLATER_NOMEM
};

/* exact: zlib, whatever else there is. NULL without memory. */
struct inflater *inflater_new(bool exact);
void inflater_free(struct inflater *f);
void inflater_reset(struct inflater *f); /* for the next stream */

/* Is it zlib? Any other may give fewer bytes before a cut, and notice
 * impossible data elsewhere. */
bool inflater_is_exact(const struct inflater *f);

/* Inflates from *in, *in_n bytes, to *out, room for *out_n, and advances all
 * four. Takes input and fills output as far as it can: INFLATER_MORE is
 * returned only with one of the two used up. *in_n may be 0: there may be
 * output that had no room before. */
enum inflater_state inflater_run(struct inflater *f, const unsigned char **in, size_t *in_n,
                                 unsigned char **out, size_t *out_n);

/* The CRC-32 of gzip, continued over n bytes; begins with 0. */
uint32_t inflater_crc(uint32_t crc, const unsigned char *p, size_t n);

const char *inflater_library(void); /* "ISA-L 2.30.0, zlib 1.2.13"; static */

#endif
