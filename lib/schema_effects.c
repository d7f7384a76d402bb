#include "schema_parts.h"

#include <stdlib.h>
#include <string.h>

/* A column of a log row, and what is written there, in the words of
 * lib/sql/batch_logs.sql. */
static const struct log_column {
    const char *name;
    enum need need;
    const char *value; /* NULL: by the type of the column */
    bool required;
} log_columns[] = {
    {"log_type", NEED_TEXT, "f.log_type", true},
    {"severity", NEED_TEXT, "f.severity", true},
    {"message", NEED_TEXT, "f.message", true},
    {"created_at", NEED_TIME, "now()", true},
    {"campaign_id", NEED_ID, "f.campaign_id", true},
    {"campaign_contact_id", NEED_ID, "f.id", true},
    {"id", NEED_ID, NULL, true},
    {"details", NEED_JSON, NULL, false},
    {"contact_id", NEED_ID, "f.contact_id", false},
    {"instance_id", NEED_ID, "f.instance_used_id", false},
    {"tenant_id", NEED_ID, "f.tenant_id", false},
};

static int add_note(struct search *s, const struct buf *text, struct err *e)
{
    struct schema_effects *f = &s->schema->effects;
    const char *kept = text->failed ? NULL : arena_dup(&s->schema->arena, text->data, text->len);

    if (!kept)
        return err_oom(e);
    if (f->notes < SCHEMA_NOTES)
        f->note[f->notes++] = kept;
    return 0;
}

/* Is a column there and of a type that fits? Else *why says what is wrong. */
static const struct column *usable(const struct search *s, enum table t, const char *name,
                                   enum need need, struct buf *why)
{
    const struct found *f = s->table[t];
    const struct column *c = f ? schema_column(f, name) : NULL;

    if (c && schema_type_fits(need, c->type))
        return c;
    buf_clear(why);
    if (!f)
        buf_adds(why, t == T_LOGS ? "no usable log table" : "no usable table of contacts");
    else if (!c)
        buf_addf(why, "no column \"%s\" in table \"%s.%s\"", name, f->schema, f->name);
    else
        buf_addf(why, "column \"%s\" of table \"%s.%s\" is of type %s", name, f->schema, f->name,
                 c->type_name);
    return NULL;
}

/* ---- log rows ---- */

/* What is put into a column whose type decides; NULL: nothing, its default. */
static const char *value_for(const struct column *c)
{
    if (strcmp(c->name, "id") == 0)
        return c->type == PG_UUID
                   ? "((SELECT head FROM stamp) || lpad(to_hex(f.number), 9, '0'))::uuid"
                   : NULL;
    return c->type == PG_JSONB  ? "f.details"
           : c->type == PG_JSON ? "f.details::json"
                                : "f.details::text";
}

static int note_column(struct search *s, const struct log_column *l, struct buf *why, struct err *e)
{
    if (l->required) {
        buf_adds(why, ": no log rows are written");
        s->schema->effects.logs = false;
    } else {
        buf_addf(why, ": log rows are written without \"%s\"", l->name);
    }
    return add_note(s, why, e);
}

static int find_logs(struct search *s, struct buf *names, struct buf *values, struct buf *why,
                     struct err *e)
{
    size_t i;

    s->schema->effects.logs = true;
    for (i = 0; s->schema->effects.logs && i < sizeof log_columns / sizeof log_columns[0]; i++) {
        const struct log_column *l = &log_columns[i];
        const struct column *c;
        const char *value = l->value;

        if (strcmp(l->name, "contact_id") == 0 && !schema_column(s->table[T_CONTACTS], l->name))
            continue; /* find_person tells */
        c = usable(s, T_LOGS, l->name, l->need, why);
        if (!c) {
            if (note_column(s, l, why, e) != 0)
                return -1;
            continue;
        }
        if (!value)
            value = value_for(c);
        if (!value)
            continue;
        buf_addf(names, "%s%s", names->len ? ", " : "", l->name);
        buf_addf(values, "%s%s", values->len ? ", " : "", value);
    }
    return 0;
}

static int keep_var(struct search *s, const char *name, const struct buf *b, struct err *e)
{
    if (b->failed)
        return err_oom(e);
    return schema_add_var(s->schema, name, arena_dup(&s->schema->arena, buf_str(b), b->len), e);
}

/* ---- contacts ---- */

/* How a contact is found from its row, and what is told of it in a log row. */
static int find_person(struct search *s, struct buf *why, struct err *e)
{
    const struct column *ref = usable(s, T_CONTACTS, "contact_id", NEED_ID, why);
    const struct column *key = ref ? usable(s, T_PEOPLE, "id", NEED_ID, why) : NULL;
    bool known = key && schema_kind(key->type) == schema_kind(ref->type);
    struct schema_effects *f = &s->schema->effects;
    struct buf join = BUF_INIT;
    int rc = 0;

    f->person = ref ? ref->type : PG_INT8;
    if (known)
        buf_addf(&join, "LEFT JOIN %s k ON k.id = w.contact_id", schema_var(s->schema, "people"));
    if (!known && f->logs) {
        buf_adds(why, ": log rows do not name the contact");
        rc = add_note(s, why, e);
    }
    if (rc == 0)
        rc = keep_var(s, "person_join", &join, e);
    if (rc == 0)
        rc = schema_add_var(s->schema, "person_ref", ref ? "c.contact_id" : "NULL::text", e);
    if (rc == 0)
        rc = schema_add_var(
            s->schema, "person_name",
            known && usable(s, T_PEOPLE, "name", NEED_TEXT, why) ? "k.name" : "NULL", e);
    if (rc == 0)
        rc = schema_add_var(
            s->schema, "person_phone",
            known && usable(s, T_PEOPLE, "phone", NEED_TEXT, why) ? "k.phone" : "NULL", e);
    f->last_interaction =
        known && usable(s, T_PEOPLE, "last_interaction_date", NEED_TIME, why) != NULL;
    if (rc == 0 && known && !f->last_interaction) {
        buf_adds(why, ": it is not written");
        rc = add_note(s, why, e);
    }
    buf_release(&join);
    return rc;
}

/* ---- instances ---- */

static int find_health(struct search *s, struct buf *why, struct err *e)
{
    static const struct {
        const char *name;
        enum need need;
    } columns[] = {
        {"msgs_sent_today", NEED_COUNT}, {"msgs_delivered_today", NEED_COUNT},
        {"msgs_read_today", NEED_COUNT}, {"msgs_failed_today", NEED_COUNT},
        {"health_score", NEED_COUNT},    {"health_last_reset", NEED_DATE},
    };
    struct schema_effects *f = &s->schema->effects;
    size_t i;

    f->health = true;
    for (i = 0; i < sizeof columns / sizeof columns[0]; i++) {
        if (usable(s, T_INSTANCES, columns[i].name, columns[i].need, why))
            continue;
        f->health = false;
        buf_adds(why, ": the instances' counters of the day are not written");
        f->health_note = why->failed ? NULL : arena_dup(&s->schema->arena, why->data, why->len);
        return f->health_note ? 0 : err_oom(e);
    }
    return 0;
}

int schema_find_effects(struct search *s, struct err *e)
{
    struct buf names = BUF_INIT, values = BUF_INIT, why = BUF_INIT;
    int rc = find_logs(s, &names, &values, &why, e);

    if (rc == 0)
        rc = keep_var(s, "log_columns", &names, e);
    if (rc == 0)
        rc = keep_var(s, "log_values", &values, e);
    if (rc == 0)
        rc = find_person(s, &why, e);
    if (rc == 0)
        rc = find_health(s, &why, e);
    buf_release(&names);
    buf_release(&values);
    buf_release(&why);
    return rc;
}
