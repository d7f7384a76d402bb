/* directory.h - the application's instances and campaigns, as looked up while
 * evidence is matched to rows (docs/domain.md "Instance names").
 */
#ifndef RECONCILE_DIRECTORY_H
#define RECONCILE_DIRECTORY_H

#include "arena.h"
#include "buf.h"
#include "idmap.h"
#include "names.h"
#include "store.h"

struct directory_instance {
    struct ident id, tenant;
    struct slice name;     /* for messages */
    struct slice url_name; /* as Evolution calls it: its own name there, unless blank */
    bool has_tenant;       /* false: global, speaks for every tenant */
    bool is_evolution, is_active;
};

/* The instances that bear one name. */
struct directory_named {
    uint32_t *instance; /* indices into directory.instance */
    uint32_t n, cap;
};

struct directory {
    struct arena arena;
    struct directory_instance *instance;
    uint32_t instances, instance_cap;
    struct names names;            /* trimmed, in ASCII lower case */
    struct directory_named *named; /* by number of the name */
    uint32_t named_cap;
    struct store_campaign *campaign; /* all of the database, in no order */
    uint32_t campaigns, campaign_cap;
    struct idmap campaign_by_id;
};

void directory_init(struct directory *d);
void directory_release(struct directory *d);

/* Reads instances and campaigns within the store's snapshot. */
int directory_read(struct directory *d, struct store *s, struct err *e);

/* The instances that an event's name names; NULL: none. A name that memory does not
 * suffice to look up is an error, not one that names nothing. */
int directory_lookup(const struct directory *d, struct slice name,
                     const struct directory_named **named, struct err *e);

const struct store_campaign *directory_campaign(const struct directory *d, struct ident id);

/* Does one of the named instances speak for a row that was sent by
 * `instance_used` (has_instance) or by an unknown instance of the tenant? */
bool directory_may_speak(const struct directory *d, const struct directory_named *named,
                         bool has_instance, struct ident instance_used, struct ident tenant);

/* A name as names are compared: trimmed of ASCII white space, ASCII lower
 * case. Appends to b, which it clears first; false without memory. */
bool directory_fold_name(struct buf *b, struct slice name);

#endif
