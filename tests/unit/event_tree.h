/* event_tree.h - what a record says by docs/semantics.md 1 and 2, read off jansson's
 * tree: for the unit test and the fuzzer, which hold event_read to it.
 */
#ifndef TESTS_UNIT_EVENT_TREE_H
#define TESTS_UNIT_EVENT_TREE_H

#include "event.h"

/* The archive's own time in all of this. */
#define EVENT_TREE_MTIME INT64_C(1793620800123456)

/* Appends what event_read says of the n bytes at p, of a copy with nothing
 * readable behind it. */
void event_told(struct event_reader *reader, const char *p, size_t n, struct event_counts *counts,
                struct buf *out);

/* Reads a record, one JSON object, in both ways. False where they may differ: where
 * jansson has no tree of it, or a number lies where two right ways to read it
 * differ. Else *why is empty, or says what differs. */
bool event_by_tree(struct event_reader *reader, const struct event_options *o, const char *p,
                   size_t n, struct buf *why);

/* Appends what differs between two counts, if anything does. */
void event_compare_counts(const struct event_counts *a, const struct event_counts *b,
                          struct buf *why);

#endif
