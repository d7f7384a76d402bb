/* gaps.h - silent gaps: stretches of messages without any receipt between
 * messages that have them (docs/semantics.md 9). Pure.
 */
#ifndef RECONCILE_GAPS_H
#define RECONCILE_GAPS_H

#include "err.h"
#include "ident.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define GAP_MESSAGES 20 /* a gap's least length, and how many are looked at on either side */

/* One message of one instance. */
struct gap_message {
    int64_t sent_at;  /* µs UTC */
    struct ident row; /* breaks ties */
    bool receipt;     /* delivered, read or failed, by row and evidence together */
    bool proven;      /* ... by evidence alone */
};

struct gap_list {
    struct gap_message *message;
    size_t n, cap;
};

struct gap {
    uint32_t instance;   /* the caller's number */
    int64_t from, until; /* sent_at of its first and of its last message */
    uint64_t messages;
};

int gap_list_add(struct gap_list *l, const struct gap_message *m, struct err *e);
void gap_list_release(struct gap_list *l);

/* Sorts the messages and tells each gap among them, in order of time. fn
 * returns 0, or -1 with *e filled, which ends the search. */
typedef int gap_fn(void *ctx, const struct gap *g, struct err *e);
int gap_list_find(struct gap_list *l, uint32_t instance, bool proven, gap_fn *fn, void *ctx,
                  struct err *e);

#endif
