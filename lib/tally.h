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
#include <string.h>

#define TALLY_MAX 1000 /* texts kept */
#define TALLY_TEXT 128 /* bytes kept of a text */
#define TALLY_HINTS 16 /* places remembered of texts that come often */

struct tally_entry {
    char *text; /* owned, n bytes and a NUL */
    size_t n;
    uint64_t count;
};

struct tally {
    struct tally_entry *entry; /* sorted by bytes */
    size_t n;
    uint64_t others;            /* counted for texts that are not kept */
    uint16_t hint[TALLY_HINTS]; /* where such a text was, by its length and first byte */
};

#define TALLY_INIT                                                                                 \
    {                                                                                              \
        NULL, 0, 0,                                                                                \
        {                                                                                          \
            0                                                                                      \
        }                                                                                          \
    }

int tally_add(struct tally *t, struct slice text, uint64_t count); /* -1: no memory */

/* Counts a text that is there already, and where it was found the last time. False:
 * not counted, tally_add knows. */
static inline bool tally_again(struct tally *t, struct slice text)
{
    size_t at = text.n > 0 ? t->hint[(text.n ^ (unsigned char)text.p[0]) % TALLY_HINTS] : t->n;

    if (at >= t->n || t->entry[at].n != text.n || memcmp(t->entry[at].text, text.p, text.n) != 0)
        return false;
    t->entry[at].count++;
    return true;
}

int tally_merge(struct tally *into, const struct tally *from);
void tally_release(struct tally *t);

#endif
