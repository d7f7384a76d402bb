/* look_alike.h - holds the fast way through a record (event_look) to the careful
 * one (jsonscan_feed and event_read): for the unit test and the fuzzer.
 */
#ifndef TESTS_UNIT_LOOK_ALIKE_H
#define TESTS_UNIT_LOOK_ALIKE_H

#include "buf.h"

#include <stddef.h>

/* Reads the n bytes at text, the first of them '{', in both ways, each on a copy
 * of its own with nothing readable behind it but what the way asks for.
 * Returns the length the fast way gave. *why is empty where it gave 0, or where
 * both agree on length, events, rejects and counts, and so do the walks for all
 * processors; else it says what differs. */
size_t look_alike(const char *text, size_t n, struct buf *why);

#endif
