/* senders.h - which instances sent rows that do not say so themselves: that of
 * the row's latest message_sent log row (docs/semantics.md 7, 9).
 */
#ifndef RECONCILE_SENDERS_H
#define RECONCILE_SENDERS_H

#include "idmap.h"
#include "store.h"

struct senders {
    struct idmap row; /* -> index of sender */
    struct sender {
        int64_t at;        /* created_at of the log row */
        struct ident id;   /* of its instance */
        uint32_t instance; /* index of the caller's; IDMAP_NONE: it knows none of that id */
    } * sender;
    size_t n, cap;
};

/* Reads the log of n campaigns (NULL: of all). instance: id -> index. wanted: the
 * rows that are to be kept; NULL: all. Finds nothing where there is no usable log. */
int senders_read(struct senders *x, struct store *s, const struct ident *campaigns, size_t n,
                 const struct idmap *instance, const struct idmap *wanted, struct err *e);

/* The index of the instance that sent the row; IDMAP_NONE: not known. */
uint32_t senders_find(const struct senders *x, struct ident row);

void senders_release(struct senders *x);

#endif
