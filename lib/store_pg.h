/* store_pg.h - what apply shares with store: the connection, the names of
 * things, and the statements that hold both. For lib/apply*.c and lib/store*.c alone.
 */
#ifndef RECONCILE_STORE_PG_H
#define RECONCILE_STORE_PG_H

#include "schema.h"
#include "store.h"

struct pg *store_pg(struct store *s);
const struct schema *store_schema(const struct store *s);

/* Appends "campaign_id = ANY (...)", a condition of lib/sql/ on n campaigns. */
int store_put_scope(const struct store *s, const struct ident *campaigns, size_t n,
                    struct buf *scope, struct err *e);

/* Fails where another backend serves us than at the beginning, which a pooler
 * in transaction mode does, or where the lock of store_lock is gone. */
int store_check_backend(struct store *s, struct err *e);

#endif
