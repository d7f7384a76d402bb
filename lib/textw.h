/* textw.h - text for a person's terminal: names made harmless, cut and wrapped.
 *
 * A column is a code point; combining and wide characters are not told apart.
 * What a terminal would act on and what is no UTF-8 is shown byte by byte as
 * \xNN.
 */
#ifndef RECONCILE_TEXTW_H
#define RECONCILE_TEXTW_H

#include "buf.h"
#include "slice.h"

#include <stdint.h>

/* Appends s; with more than `most` columns its end is cut and shown as an
 * ellipsis. SIZE_MAX: never. */
void textw_name(struct buf *b, struct slice s, size_t most);

/* The same, but cuts the beginning: of a path the end tells more. */
void textw_path(struct buf *b, struct slice s, size_t most);

/* Appends s as a paragraph: "lead" and then lines of at most `most` columns,
 * those after the first indented by as many columns as lead has. Words longer
 * than a line are broken. Ends with a line feed. */
void textw_wrap(struct buf *b, const char *lead, struct slice s, size_t most);

/* The same without cutting, for other formats: bytes of the longest beginning of
 * s that is shown as it is (*plain), or else of which every byte is escaped. 0
 * only where s is empty. */
size_t textw_run(struct slice s, bool *plain);

/* Appends each byte as \xNN. */
void textw_escape(struct buf *b, const char *p, size_t n);

/* Columns of text that is known to be harmless. */
size_t textw_columns(const char *s, size_t n);

/* Appends spaces. */
void textw_pad(struct buf *b, size_t n);

#endif
