/* tally.h - how often each of some texts was seen, in bounded memory.
 *
 * The least TALLY_MAX texts by bytes are kept; what is counted beyond them is
 * `others`. So the result is the same in whatever order texts are added and
 * tallies merged: a text once pushed out can never come back.
 */
#ifndef RECONCILE_TALLY_H
#define RECONCILE_TALLY_H

#include "slice.h"

#include <stdint.h>

#define TALLY_MAX 1000 /* texts kept */
#define TALLY_TEXT 128 /* bytes kept of a text */

struct tally_entry {
    char *text; /* owned, n bytes and a NUL */
    size_t n;
    uint64_t count;
};

struct tally {
    struct tally_entry *entry; /* sorted by bytes */
    size_t n;
    uint64_t others; /* counted for texts that are not kept */
};

#define TALLY_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

int tally_add(struct tally *t, struct slice text, uint64_t count); /* -1: no memory */
int tally_merge(struct tally *into, const struct tally *from);
void tally_release(struct tally *t);

#endif
