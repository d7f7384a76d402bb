/* scope.h - which campaigns, which evidence (docs/semantics.md 6 "Scope"). */
#ifndef RECONCILE_SCOPE_H
#define RECONCILE_SCOPE_H

#include "match.h"

/* A list of texts from the command line. */
struct scope_list {
    const char *const *item;
    size_t n;
};

struct scope_options {
    struct scope_list campaign, tenant, instance;
    bool all;
};

/* Which evidence counts: all, or that of the instances chosen. */
struct scope_instances {
    bool *keep; /* by number of the name in the fold; NULL: all */
};

/* Offline: an instance's name must equal one of the list as names are compared. */
int scope_instances_by_name(struct scope_instances *s, const struct scope_list *list,
                            const struct names *names, struct err *e);

/* With a database: each of the list must name one instance; evidence that
 * names it counts, whichever of its names it uses. Else EXIT_USAGE. */
int scope_instances_by_directory(struct scope_instances *s, const struct scope_list *list,
                                 const struct names *names, const struct directory *d,
                                 struct err *e);

bool scope_keeps(void *ctx, const struct fold_entry *x); /* ctx: struct scope_instances */
void scope_instances_release(struct scope_instances *s);

/* Fills run->campaign, by id, with those chosen; where none are chosen, with
 * those in `touched` (NULL: all). Sets *all where that is every campaign of the
 * database. A name that is unknown or not unique: EXIT_USAGE. */
int scope_campaigns(struct run *run, const struct scope_options *o, const struct directory *d,
                    const struct idmap *touched, struct store_kinds kinds, bool *all,
                    struct err *e);

#endif
