/* htmlw.h - values put into HTML, so that they are text and nothing else.
 *
 * Safe in element content, in a quoted attribute and in SVG. Characters that a
 * person must not be shown as they are (utf8.h), and bytes that are no UTF-8,
 * become \xNN.
 */
#ifndef RECONCILE_HTMLW_H
#define RECONCILE_HTMLW_H

#include "buf.h"
#include "slice.h"

#include <stdint.h>

/* Appends s as content of an element: isolated in its direction, what is escaped
 * marked up as <span class="x">. Past `most` characters it is cut and ends with
 * an ellipsis. SIZE_MAX: never. */
void htmlw_name(struct buf *b, struct slice s, size_t most);

/* The same without markup: for attributes, and for <title> and SVG's text. */
void htmlw_text(struct buf *b, struct slice s, size_t most);

/* A number, its digits in groups of three from 10,000 on. */
void htmlw_uint(struct buf *b, uint64_t n);

/* The same with its sign: "+2". 0 is "0". */
void htmlw_difference(struct buf *b, int64_t n);

#endif
