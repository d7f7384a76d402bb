/* schema_parts.h - what the search for tables and columns works with; for
 * lib/schema*.c alone.
 */
#ifndef RECONCILE_SCHEMA_PARTS_H
#define RECONCILE_SCHEMA_PARTS_H

#include "schema.h"

enum table { T_CAMPAIGNS, T_CONTACTS, T_INSTANCES, T_LOGS, T_ASSIGNED, T_PEOPLE, T_COUNT };

enum need { NEED_ID, NEED_TEXT, NEED_TIME, NEED_COUNT, NEED_BOOL, NEED_DATE, NEED_JSON };

/* Whose id a column holds: it has to be of that id's kind. */
enum referent { R_NONE, R_CONTACT, R_CAMPAIGN, R_INSTANCE, R_TENANT, R_COUNT };

struct column {
    struct column *next;
    const char *name, *type_name;
    enum pg_type type; /* any object id, of which enum pg_type names a few */
    int64_t modifier;  /* pg_attribute.atttypmod; -1: none */
};

struct found {
    const char *schema, *name; /* name NULL: no such table */
    char kind;                 /* pg_class.relkind */
    struct column *columns;
};

struct search {
    struct schema *schema;
    const char *database, *path; /* for messages */
    struct found found[T_COUNT][2];
    int64_t place[T_COUNT][2];    /* in the search_path, of what was found */
    struct found *table[T_COUNT]; /* the naming that is there */
    const struct column *owner[R_COUNT];
    const char *owner_table[R_COUNT];
};

bool schema_type_fits(enum need need, enum pg_type t);
const struct column *schema_column(const struct found *f, const char *name); /* NULL: none */

/* What stands for a variable of the schema; NULL: it has none of this name. */
const char *schema_var(const struct schema *s, const char *name);

/* value lives as long as s. */
int schema_add_var(struct schema *s, const char *name, const char *value, struct err *e);

/* ---- schema_effects.c ---- */

/* What a correction can write besides: fills s->schema->effects, and adds the
 * variables of the statements that do. */
int schema_find_effects(struct search *s, struct err *e);

#endif
