/* csvw.h - CSV (RFC 4180) for spreadsheets, written to a buffer cell by cell.
 *
 * Rows end with CR LF. What others named is always in quotes, so that an empty
 * text and none at all differ; numbers and our own words never are. Unsafe and
 * malformed characters are shown as in textw.h, so a row is one line.
 *
 * A spreadsheet computes what begins with = + - @, whatever the quotes around
 * it. Such a text gets an apostrophe in front, also where the signs come after
 * blanks and quotes, or after a ; within it, where a spreadsheet that takes ; for
 * the separator would begin a cell. To take them away again: an apostrophe at
 * one of these places, where the rest would have needed one.
 */
#ifndef RECONCILE_CSVW_H
#define RECONCILE_CSVW_H

#include "buf.h"
#include "slice.h"

#include <stdbool.h>
#include <stdint.h>

/* Puts the commas. Starts as {&buf, true}. */
struct csvw {
    struct buf *b;
    bool fresh; /* the row has no cell yet */
};

/* Each appends one cell. */
void csvw_text(struct csvw *w, struct slice s);   /* p NULL: empty, without quotes */
void csvw_word(struct csvw *w, const char *word); /* needs no quotes */
void csvw_int(struct csvw *w, int64_t n);
void csvw_uint(struct csvw *w, uint64_t n);
void csvw_hundredths(struct csvw *w, uint64_t n); /* 9750 is 97.50 */
void csvw_time(struct csvw *w, int64_t us);       /* TIME_NONE: empty */
void csvw_none(struct csvw *w);

void csvw_end(struct csvw *w); /* of the row */

#endif
