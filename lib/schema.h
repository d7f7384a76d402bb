/* schema.h - the application's tables as this database has them.
 *
 * Either naming of docs/domain.md 1 is found, for each table by itself, among
 * the tables that the user's search_path leads to; ids may be uuid, smallint,
 * integer or bigint.
 */
#ifndef RECONCILE_SCHEMA_H
#define RECONCILE_SCHEMA_H

#include "arena.h"
#include "pg.h"

/* A :name of lib/sql/ and what stands for it. */
struct schema_var {
    const char *name, *value;
};

#define SCHEMA_VARS 40
#define SCHEMA_NOTES 8

/* What a correction can write besides the row and its campaign
 * (docs/semantics.md 8), and what it cannot here. */
struct schema_effects {
    bool logs;                      /* log rows */
    bool last_interaction;          /* the contact's last_interaction_date */
    enum pg_type person;            /* of the column that refers to the contact */
    bool health;                    /* the instance's counters of the day */
    const char *note[SCHEMA_NOTES]; /* what is left out for want of a table or column */
    size_t notes;
    const char *health_note; /* the same of health; NULL: nothing */
};

struct schema {
    struct arena arena; /* holds what vars point to */
    struct schema_var vars[SCHEMA_VARS];
    size_t n_vars;
    /* The types of the primary keys, and of those columns of the contacts that
     * refer to them. */
    enum pg_type contact_id, campaign_id, instance_id, tenant_id, row_campaign_id;
    bool has_logs;               /* a usable log table */
    bool has_campaign_instances; /* a usable table of which instances a campaign may use */
    struct schema_effects effects;
};

/* `path` is current_schemas(true) as the server sent it, shown how it reads in
 * messages. What is missing or of a type that does not fit: EXIT_USAGE, naming
 * it. Released by schema_release also after a failure. */
int schema_find(struct schema *s, struct pg *g, struct slice path, const char *shown,
                struct err *e);
void schema_release(struct schema *s);

/* Puts a statement of lib/sql/ into *out, with its :names replaced by those of
 * the n in `more`, else of the schema. Not within quotes, and not the :: of a
 * cast. */
int schema_sql(const struct schema *s, const char *sql, const struct schema_var *more, size_t n,
               struct buf *out, struct err *e);

enum ident_kind schema_kind(enum pg_type type);
const char *schema_type_name(enum pg_type type);   /* "bigint" */
enum pg_type schema_array_type(enum pg_type type); /* PG_INT8 -> PG_INT8_ARRAY */

#endif
