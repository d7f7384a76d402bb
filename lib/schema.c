#include "schema.h"

#include "log.h"
#include "schema_parts.h"
#include "sql.h"

#include <stdlib.h>
#include <string.h>

#define MICROSECOND_DIGITS 6
#define VARCHAR_HEADER 4 /* bytes that atttypmod counts besides a varchar's letters */

/* The first name is the design document's, the second the deployed one. */
static const struct {
    const char *var;
    const char *names[2];
    bool optional;
} tables[T_COUNT] = {
    [T_CAMPAIGNS] = {"campaigns", {"campaigns_campaign", NULL}, false},
    [T_CONTACTS] = {"contacts", {"campaigns_campaigncontact", "campaigns_contact"}, false},
    [T_INSTANCES] = {"instances",
                     {"notifications_whatsappinstance", "notifications_whatsapp_instance"},
                     false},
    [T_LOGS] = {"logs", {"campaigns_campaignlog", "campaigns_log"}, true},
    [T_ASSIGNED] = {"campaign_instances", {"campaigns_campaign_instances", NULL}, true},
    [T_PEOPLE] = {"people", {"contacts_contact", NULL}, true},
};

/* The columns that every statement may rely on. The first of a referent is the
 * one that the others are held to. */
static const struct column_need {
    enum table table;
    enum need need;
    enum referent referent;
    const char *name;
} needs[] = {
    {T_CAMPAIGNS, NEED_ID, R_CAMPAIGN, "id"},
    {T_CAMPAIGNS, NEED_ID, R_TENANT, "tenant_id"},
    {T_CAMPAIGNS, NEED_TEXT, R_NONE, "name"},
    {T_CAMPAIGNS, NEED_COUNT, R_NONE, "total_contacts"},
    {T_CONTACTS, NEED_ID, R_CONTACT, "id"},
    {T_CONTACTS, NEED_ID, R_CAMPAIGN, "campaign_id"},
    {T_CONTACTS, NEED_TEXT, R_NONE, "status"},
    {T_CONTACTS, NEED_TIME, R_NONE, "sent_at"},
    {T_CONTACTS, NEED_TIME, R_NONE, "delivered_at"},
    {T_CONTACTS, NEED_TIME, R_NONE, "read_at"},
    {T_CONTACTS, NEED_TIME, R_NONE, "failed_at"},
    {T_CONTACTS, NEED_TEXT, R_NONE, "error_message"},
    {T_CONTACTS, NEED_TEXT, R_NONE, "whatsapp_message_id"},
    {T_INSTANCES, NEED_ID, R_INSTANCE, "id"},
    {T_INSTANCES, NEED_ID, R_TENANT, "tenant_id"},
    {T_INSTANCES, NEED_TEXT, R_NONE, "instance_name"},
    {T_CONTACTS, NEED_ID, R_INSTANCE, "instance_used_id"},
    {T_LOGS, NEED_TEXT, R_NONE, "log_type"},
    {T_LOGS, NEED_TIME, R_NONE, "created_at"},
    {T_LOGS, NEED_ID, R_CAMPAIGN, "campaign_id"},
    {T_LOGS, NEED_ID, R_CONTACT, "campaign_contact_id"},
    {T_LOGS, NEED_ID, R_INSTANCE, "instance_id"},
    {T_ASSIGNED, NEED_ID, R_CAMPAIGN, "campaign_id"},
    {T_ASSIGNED, NEED_ID, R_INSTANCE, "whatsappinstance_id"},
};

static const char *const counter_vars[4] = {"sent_count", "delivered_count", "read_count",
                                            "failed_count"};
static const char *const counter_names[2][4] = {
    {"sent_count", "delivered_count", "read_count", "failed_count"},
    {"messages_sent", "messages_delivered", "messages_read", "messages_failed"}};

/* ---- types ---- */

enum ident_kind schema_kind(enum pg_type type)
{
    return type == PG_UUID ? IDENT_UUID : IDENT_INT;
}

const char *schema_type_name(enum pg_type type)
{
    if (type == PG_UUID)
        return "uuid";
    if (type == PG_INT8)
        return "bigint";
    return type == PG_INT4 ? "integer" : "smallint";
}

enum pg_type schema_array_type(enum pg_type type)
{
    if (type == PG_UUID)
        return PG_UUID_ARRAY;
    if (type == PG_INT8)
        return PG_INT8_ARRAY;
    return type == PG_INT4 ? PG_INT4_ARRAY : PG_INT2_ARRAY;
}

static bool is_integer(enum pg_type t)
{
    return t == PG_INT2 || t == PG_INT4 || t == PG_INT8;
}

bool schema_type_fits(enum need need, enum pg_type t)
{
    if (need == NEED_TEXT)
        return t == PG_TEXT || t == PG_VARCHAR;
    if (need == NEED_TIME)
        return t == PG_TIMESTAMPTZ;
    if (need == NEED_BOOL)
        return t == PG_BOOL;
    if (need == NEED_DATE)
        return t == PG_DATE;
    if (need == NEED_JSON)
        return t == PG_JSONB || t == PG_JSON || t == PG_TEXT;
    return is_integer(t) || (need == NEED_ID && t == PG_UUID);
}

static const char *type_wanted(enum need need)
{
    static const char *const words[] = {
        [NEED_ID] = "uuid, bigint, integer or smallint",
        [NEED_TEXT] = "text or character varying",
        [NEED_TIME] = "timestamp with time zone",
        [NEED_COUNT] = "integer",
        [NEED_BOOL] = "boolean",
        [NEED_DATE] = "date",
        [NEED_JSON] = "jsonb, json or text",
    };

    return words[need];
}

/* ---- reading the catalog ---- */

static const char *keep(struct search *s, struct slice v)
{
    return arena_dup(&s->schema->arena, v.p, v.n);
}

/* The table of that name, NULL where it is none of ours. */
static struct found *found_by_name(struct search *s, struct slice name, int64_t **place)
{
    int t, i;

    for (t = 0; t < T_COUNT; t++) {
        for (i = 0; i < 2; i++) {
            if (tables[t].names[i] && slice_is(name, tables[t].names[i])) {
                *place = &s->place[t][i];
                return &s->found[t][i];
            }
        }
    }
    return NULL;
}

/* A row of catalog.sql. They come by table and place, so that the first place
 * seen is the one that hides the others. */
static int take_column(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct search *s = ctx;
    int64_t place = pg_get_int(v[0], 0), *known = NULL;
    struct found *f = found_by_name(s, v[2], &known);
    struct column *c;

    (void)n;
    if (!f || (f->name && *known != place))
        return 0;
    if (!f->name) {
        *known = place;
        f->schema = keep(s, v[1]);
        f->name = keep(s, v[2]);
        f->kind = v[3].n > 0 ? v[3].p[0] : '?';
    }
    c = arena_alloc(&s->schema->arena, sizeof *c);
    if (!c || !f->schema || !f->name)
        return err_oom(e);
    c->name = keep(s, v[4]);
    c->type = (enum pg_type)pg_get_int(v[5], 0);
    c->type_name = keep(s, v[6]);
    c->modifier = pg_get_int(v[7], -1);
    c->next = f->columns;
    f->columns = c;
    return c->name && c->type_name ? 0 : err_oom(e);
}

static int read_catalog(struct search *s, struct pg *g, struct slice path, struct err *e)
{
    struct buf names = BUF_INIT;
    struct pg_param params[2] = {{PG_NAME_ARRAY, path}, {PG_TEXT_ARRAY, SLICE_NONE}};
    struct pg_query q = {"read the catalog", sql_catalog, params, 2, take_column, s};
    int t, i, n = 0, rc;

    for (t = 0; t < T_COUNT; t++)
        n += tables[t].names[1] ? 2 : 1;
    pg_put_array(&names, PG_TEXT, (size_t)n);
    for (t = 0; t < T_COUNT; t++) {
        for (i = 0; i < 2; i++) {
            if (tables[t].names[i])
                pg_put_field(&names, slice_of(tables[t].names[i]));
        }
    }
    params[1].value = (struct slice){names.data, names.len};
    rc = names.failed ? err_oom(e) : pg_run(g, &q, e);
    buf_release(&names);
    return rc;
}

const struct column *schema_column(const struct found *f, const char *name)
{
    const struct column *c = f->columns;

    while (c && strcmp(c->name, name) != 0)
        c = c->next;
    return c;
}

/* ---- tables ---- */

static int missing_table(const struct search *s, enum table t, struct err *e)
{
    const char *other = tables[t].names[1];

    return err_set(e, EXIT_USAGE,
                   "no table \"%s\"%s%s%s in database \"%s\". Its schema has to be in the "
                   "search_path, which is %s",
                   tables[t].names[0], other ? " or \"" : "", other ? other : "", other ? "\"" : "",
                   s->database, s->path[0] ? s->path : "empty");
}

static int choose_table(struct search *s, enum table t, struct err *e)
{
    struct found *first = &s->found[t][0], *second = &s->found[t][1];
    struct found *f = first->name ? first : second;

    if (first->name && second->name)
        return err_set(e, EXIT_USAGE,
                       "both \"%s\" and \"%s\" are in database \"%s\": which is in use cannot be "
                       "told. Set search_path so that it leads to one of them",
                       first->name, second->name, s->database);
    if (!f->name)
        return tables[t].optional ? 0 : missing_table(s, t, e);
    if (f->kind != 'r' && f->kind != 'p')
        return err_set(e, EXIT_USAGE, "\"%s\" in database \"%s\" is not a table", f->name,
                       s->database);
    s->table[t] = f;
    return 0;
}

/* ---- columns ---- */

static int missing_column(const struct search *s, const struct found *f, const char *name,
                          const char *other, struct err *e)
{
    return err_set(e, EXIT_USAGE, "no column \"%s\"%s%s%s in table \"%s.%s\" of database \"%s\"",
                   name, other ? " or \"" : "", other ? other : "", other ? "\"" : "", f->schema,
                   f->name, s->database);
}

static int check_type(const struct found *f, const struct column *c, enum need need, struct err *e)
{
    if (schema_type_fits(need, c->type))
        return 0;
    return err_set(e, EXIT_USAGE, "column \"%s\" of table \"%s.%s\" is of type %s, not %s", c->name,
                   f->schema, f->name, c->type_name, type_wanted(need));
}

/* What is written has to be what is there afterwards, or nothing could undo it. */
static int check_room(const struct found *f, const struct column *c, enum need need, struct err *e)
{
    static const size_t longest = sizeof "delivered" - 1;
    const char *what = NULL;

    if (need == NEED_TIME && c->modifier >= 0 && c->modifier < MICROSECOND_DIGITS)
        what = "keeps no microseconds";
    else if (strcmp(c->name, "status") == 0 && c->modifier >= VARCHAR_HEADER &&
             (size_t)c->modifier - VARCHAR_HEADER < longest)
        what = "is too short for \"delivered\"";
    if (!what)
        return 0;
    return err_set(e, EXIT_USAGE, "column \"%s\" of table \"%s.%s\" is of type %s, which %s",
                   c->name, f->schema, f->name, c->type_name, what);
}

static int check_referent(struct search *s, const struct found *f, const struct column *c,
                          enum referent r, struct err *e)
{
    const struct column *owner = s->owner[r];

    if (!owner) {
        s->owner[r] = c;
        s->owner_table[r] = f->name;
        return 0;
    }
    if (schema_kind(owner->type) == schema_kind(c->type))
        return 0;
    return err_set(e, EXIT_USAGE,
                   "column \"%s\" of table \"%s.%s\" is of type %s, but column \"%s\" of \"%s\" is "
                   "of type %s",
                   c->name, f->schema, f->name, c->type_name, owner->name, s->owner_table[r],
                   owner->type_name);
}

static int check_column(struct search *s, const struct column_need *need, struct err *e)
{
    const struct found *f = s->table[need->table];
    const struct column *c = schema_column(f, need->name);

    if (!c)
        return missing_column(s, f, need->name, NULL, e);
    if (check_type(f, c, need->need, e) != 0 ||
        (need->table == T_CONTACTS && check_room(f, c, need->need, e) != 0))
        return -1;
    return need->referent == R_NONE ? 0 : check_referent(s, f, c, need->referent, e);
}

static int check_columns(struct search *s, struct err *e)
{
    size_t i;

    for (i = 0; i < sizeof needs / sizeof needs[0]; i++) {
        if (!s->table[needs[i].table] || check_column(s, &needs[i], e) == 0)
            continue;
        if (!tables[needs[i].table].optional)
            return -1;
        log_detail("%s; going on without that table", e->text);
        s->table[needs[i].table] = NULL;
    }
    return 0;
}

/* ---- variables ---- */

int schema_add_var(struct schema *s, const char *name, const char *value, struct err *e)
{
    if (!value)
        return err_oom(e);
    if (s->n_vars == SCHEMA_VARS)
        return err_set(e, EXIT_FAILED, "more than %d variables of SQL", SCHEMA_VARS);
    s->vars[s->n_vars++] = (struct schema_var){name, value};
    return 0;
}

static void add_quoted(struct buf *b, const char *name)
{
    buf_addc(b, '"');
    for (; *name; name++) {
        if (*name == '"')
            buf_addc(b, '"');
        buf_addc(b, *name);
    }
    buf_addc(b, '"');
}

static int add_table_var(struct search *s, enum table t, struct err *e)
{
    struct buf b = BUF_INIT;
    int rc;

    if (!s->table[t])
        return 0;
    add_quoted(&b, s->table[t]->schema);
    buf_addc(&b, '.');
    add_quoted(&b, s->table[t]->name);
    rc = b.failed ? err_oom(e)
                  : schema_add_var(s->schema, tables[t].var,
                                   arena_dup(&s->schema->arena, b.data, b.len), e);
    buf_release(&b);
    return rc;
}

/* The naming of the counters, 0 or 1; -1 with *e filled. */
static int counters_naming(const struct search *s, struct err *e)
{
    const struct found *f = s->table[T_CAMPAIGNS];
    int have[2] = {0, 0}, naming, i;

    for (i = 0; i < 8; i++)
        have[i / 4] += schema_column(f, counter_names[i / 4][i % 4]) != NULL;
    if (have[0] == 4 && have[1] == 4)
        return err_set(e, EXIT_USAGE,
                       "table \"%s.%s\" has counters of both namings, \"%s\" and \"%s\": which are "
                       "in use cannot be told",
                       f->schema, f->name, counter_names[0][0], counter_names[1][0]);
    naming = have[1] > have[0] ? 1 : 0;
    for (i = 0; i < 4; i++) {
        if (!schema_column(f, counter_names[naming][i]))
            return missing_column(s, f, counter_names[naming][i],
                                  have[naming] == 0 ? counter_names[1][i] : NULL, e);
    }
    return naming;
}

static int add_counters(struct search *s, struct err *e)
{
    const struct found *f = s->table[T_CAMPAIGNS];
    int naming = counters_naming(s, e), i;

    if (naming < 0)
        return -1;
    for (i = 0; i < 4; i++) {
        const char *name = counter_names[naming][i];

        if (check_type(f, schema_column(f, name), NEED_COUNT, e) != 0 ||
            schema_add_var(s->schema, counter_vars[i], name, e) != 0)
            return -1;
    }
    return 0;
}

/* Columns that not every version of the application has, and what stands for
 * one that is not there. */
static const struct {
    enum table table;
    enum need need;
    const char *name, *without;
} optional_columns[] = {
    {T_INSTANCES, NEED_TEXT, "evolution_instance_name", "NULL::text"},
    {T_INSTANCES, NEED_TEXT, "integration_type", "'evolution'"},
    {T_INSTANCES, NEED_BOOL, "is_active", "true"},
    {T_CONTACTS, NEED_TIME, "row_created_at", "NULL::timestamptz"},
};

static int add_optional_columns(struct search *s, struct err *e)
{
    size_t i;

    for (i = 0; i < sizeof optional_columns / sizeof optional_columns[0]; i++) {
        const char *var = optional_columns[i].name;
        const char *name = strncmp(var, "row_", 4) == 0 ? var + 4 : var;
        const struct found *f = s->table[optional_columns[i].table];
        const struct column *c = schema_column(f, name);

        if (c && check_type(f, c, optional_columns[i].need, e) != 0)
            return -1;
        if (schema_add_var(s->schema, var, c ? name : optional_columns[i].without, e) != 0)
            return -1;
    }
    return 0;
}

static int describe(struct search *s, struct err *e)
{
    struct schema *out = s->schema;
    int t;

    for (t = 0; t < T_COUNT; t++) {
        if (add_table_var(s, (enum table)t, e) != 0)
            return -1;
    }
    out->contact_id = s->owner[R_CONTACT]->type;
    out->campaign_id = s->owner[R_CAMPAIGN]->type;
    out->instance_id = s->owner[R_INSTANCE]->type;
    out->tenant_id = s->owner[R_TENANT]->type;
    out->row_campaign_id = schema_column(s->table[T_CONTACTS], "campaign_id")->type;
    out->has_logs = s->table[T_LOGS] != NULL;
    out->has_campaign_instances = s->table[T_ASSIGNED] != NULL;
    if (add_counters(s, e) != 0 || add_optional_columns(s, e) != 0)
        return -1;
    if (schema_add_var(out, "contact_id_type", schema_type_name(out->contact_id), e) != 0)
        return -1;
    if (schema_add_var(out, "campaign_id_type", schema_type_name(out->row_campaign_id), e) != 0)
        return -1;
    return schema_find_effects(s, e);
}

int schema_find(struct schema *s, struct pg *g, struct slice path, const char *shown, struct err *e)
{
    struct search search = {.schema = s, .database = pg_database(g), .path = shown};
    int t;

    memset(s, 0, sizeof *s);
    if (read_catalog(&search, g, path, e) != 0)
        return -1;
    for (t = 0; t < T_COUNT; t++) {
        if (choose_table(&search, (enum table)t, e) != 0)
            return -1;
    }
    if (check_columns(&search, e) != 0)
        return -1;
    return describe(&search, e);
}

void schema_release(struct schema *s)
{
    arena_release(&s->arena);
    s->n_vars = 0;
}

/* ---- statements ---- */

static const char *lookup(const struct schema_var *vars, size_t n, const char *name, size_t length)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (strlen(vars[i].name) == length && memcmp(vars[i].name, name, length) == 0)
            return vars[i].value;
    }
    return NULL;
}

const char *schema_var(const struct schema *s, const char *name)
{
    return lookup(s->vars, s->n_vars, name, strlen(name));
}

int schema_sql(const struct schema *s, const char *sql, const struct schema_var *more, size_t n,
               struct buf *out, struct err *e)
{
    char quote = '\0';

    buf_clear(out);
    while (*sql) {
        const char *name = sql + 1, *value;
        size_t length = strspn(name, "abcdefghijklmnopqrstuvwxyz_");

        if (quote || *sql != ':' || *name == ':' || length == 0) {
            size_t step = !quote && *sql == ':' && *name == ':' ? 2 : 1;

            if (*sql == quote)
                quote = '\0';
            else if (!quote && (*sql == '\'' || *sql == '"'))
                quote = *sql;
            buf_add(out, sql, step);
            sql += step;
            continue;
        }
        value = lookup(more, n, name, length);
        if (!value)
            value = lookup(s->vars, s->n_vars, name, length);
        if (!value)
            return err_set(e, EXIT_FAILED, "a statement names :%.*s, which is nothing", (int)length,
                           name);
        buf_adds(out, value);
        sql = name + length;
    }
    return out->failed ? err_oom(e) : 0;
}
