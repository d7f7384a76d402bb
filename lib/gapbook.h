/* gapbook.h - the sent messages of a run by the instance that sent them, in
 * search of silent gaps (docs/semantics.md 9).
 *
 * A row whose sender is not known counts for each instance that may speak for
 * it; such rows are kept once for each tenant, so memory grows with rows only.
 */
#ifndef RECONCILE_GAPBOOK_H
#define RECONCILE_GAPBOOK_H

#include "directory.h"
#include "gaps.h"
#include "senders.h"

struct gapbook {
    const struct directory *directory;
    struct idmap instance;       /* id -> index of directory.instance */
    struct senders senders;      /* of rows that do not name theirs */
    struct idmap tenant;         /* id -> index of shared */
    struct gap_list *own;        /* by index of directory.instance */
    struct gap_list *shared;     /* of unknown senders, by tenant */
    uint32_t instances, tenants; /* how many lists there are */
};

int gapbook_init(struct gapbook *b, const struct directory *d, struct err *e);
void gapbook_release(struct gapbook *b);

/* Asks the log who sent what the rows do not say, where more than one instance
 * may have. */
int gapbook_read_senders(struct gapbook *b, struct store *s, const struct ident *campaigns,
                         size_t n, struct err *e);

/* Adds a row that was sent. receipt, proven: as in struct gap_message. */
int gapbook_add(struct gapbook *b, const struct store_row *r, bool receipt, bool proven,
                struct err *e);

/* Tells the gaps of every instance; gap.instance is an index of
 * directory.instance. proven: judge by evidence alone. */
int gapbook_find(struct gapbook *b, bool proven, gap_fn *fn, void *ctx, struct err *e);

#endif
