#include "apply_batch.h"

#include "sql.h"

#include <stdio.h>

#define PEOPLE_WAIT INT64_C(10000)     /* µs before a contact is tried again, doubled each time */
#define PEOPLE_WAIT_MAX INT64_C(80000) /* µs */
#define DAY (24 * 3600 * US_PER_SECOND)

uint8_t effects_of(const struct correction *c, uint8_t *exact)
{
    static const struct {
        enum milestone m;
        enum effect bit;
    } effects[] = {
        {M_DELIVERED, EFFECT_DELIVERED}, {M_READ, EFFECT_READ}, {M_FAILED, EFFECT_FAILED}};
    uint8_t known = row_counts(&c->after) & (uint8_t)~row_counts(&c->before), bits = 0;
    size_t i;

    *exact = 0;
    for (i = 0; i < sizeof effects / sizeof effects[0]; i++) {
        if (!(known & M_BIT(effects[i].m)))
            continue;
        bits |= (uint8_t)effects[i].bit;
        if (c->after.at[effects[i].m] != TIME_NONE && !(c->approximate & M_BIT(effects[i].m)))
            *exact |= (uint8_t)effects[i].bit;
    }
    return bits;
}

int effects_prepare(struct applying *a, struct err *e)
{
    const struct schema_effects *can = &a->schema->effects;
    const struct apply_effects *f = a->o->effects;
    struct apply_sql *s = &a->sql;

    if (!f)
        return 0;
    if (can->logs && schema_sql(a->schema, sql_batch_logs, NULL, 0, &s->logs, e) != 0)
        return -1;
    if (can->last_interaction &&
        schema_sql(a->schema, sql_batch_people, NULL, 0, &s->people, e) != 0)
        return -1;
    if (f->health && can->health &&
        schema_sql(a->schema, sql_batch_health, NULL, 0, &s->health, e) != 0)
        return -1;
    return 0;
}

/* The day that it is now, as the application has it: the parameters $2 to $4 of
 * batch_health.sql. */
struct day {
    struct buf times; /* two, with their lengths before them */
    char date[11];
};

static int find_day(const struct zone *z, struct day *d, struct err *e)
{
    int64_t now = clock_now();
    int64_t local = z ? zone_from_utc(z, now) : now;
    int64_t midnight = local - (local % DAY + DAY) % DAY;
    char text[TIME_TEXT_SIZE];

    pg_put_field_time(&d->times, z ? zone_to_utc(z, midnight) : midnight);
    pg_put_field_time(&d->times, z ? zone_to_utc(z, midnight + DAY) : midnight + DAY);
    (void)snprintf(d->date, sizeof d->date, "%.10s", time_format(midnight, text));
    return d->times.failed ? err_oom(e) : 0;
}

/* Was it written, and makes a milestone known with one of `bits`, an exact time if
 * `exact`? */
static bool makes_known(const struct applying *a, size_t at, uint8_t bits, bool exact)
{
    uint8_t own, all;

    if (a->fate[at] != FATE_WRITTEN)
        return false;
    all = effects_of(&a->c[at], &own);
    return (exact ? own : all) & bits;
}

/* Runs q with params filled, of which the first `columns` are arrays over the rows
 * that make something known: the rows, their contacts, the instances that sent
 * them. Not at all where there are none. */
static int write_some(struct applying *a, const struct batch *b, struct pg_query *q,
                      struct pg_param *params, size_t columns, uint8_t bits, bool exact,
                      struct err *e)
{
    const enum pg_type types[] = {a->schema->contact_id, a->schema->effects.person,
                                  a->schema->instance_id};
    size_t begin[4], n = 0, k, i;

    for (i = 0; i < b->n; i++)
        n += makes_known(a, b->at[i], bits, exact);
    if (n == 0)
        return 0;
    buf_clear(&a->data);
    for (k = 0; k < columns; k++) {
        begin[k] = a->data.len;
        pg_put_array(&a->data, types[k], n);
        for (i = 0; i < b->n; i++) {
            size_t at = b->at[i];
            struct ident id = k == 0 ? a->c[at].id : k == 1 ? a->person[at] : a->sender[at];

            if (!makes_known(a, at, bits, exact))
                continue;
            if (ident_eq(id, IDENT_NONE))
                pg_put_field(&a->data, SLICE_NONE);
            else
                pg_put_field_ident(&a->data, types[k], id);
        }
    }
    begin[k] = a->data.len;
    if (a->data.failed)
        return err_oom(e);
    for (k = 0; k < columns; k++)
        params[k] = (struct pg_param){schema_array_type(types[k]),
                                      {a->data.data + begin[k], begin[k + 1] - begin[k]}};
    q->params = params;
    return pg_run_meanwhile(a->pg, q, batch_tell, a, e);
}

static int write_health(struct applying *a, const struct batch *b, struct err *e)
{
    struct pg_param params[4];
    struct pg_query q = {
        "write the instances' counters of the day", buf_str(&a->sql.health), NULL, 4, NULL, NULL};
    struct day d = {.times = BUF_INIT};
    int rc = find_day(a->o->effects->app_zone, &d, e);

    if (rc == 0) {
        params[1] = (struct pg_param){PG_TIMESTAMPTZ, {d.times.data + 4, 8}};
        params[2] = (struct pg_param){PG_TIMESTAMPTZ, {d.times.data + 16, 8}};
        params[3] = (struct pg_param){PG_TEXT, slice_of(d.date)};
        rc = write_some(a, b, &q, params, 1, EFFECT_DELIVERED | EFFECT_READ | EFFECT_FAILED, true,
                        e);
    }
    buf_release(&d.times);
    return rc;
}

static int write_logs(struct applying *a, const struct batch *b, struct err *e)
{
    struct pg_param params[4];
    struct pg_query q = {"write log rows", buf_str(&a->sql.logs), NULL, 4, NULL, NULL};

    params[3] = (struct pg_param){PG_TEXT, slice_of(a->o->effects->run)};
    return write_some(a, b, &q, params, 3, EFFECT_DELIVERED | EFFECT_READ | EFFECT_FAILED, false,
                      e);
}

struct holding {
    struct applying *a;
    size_t n; /* corrections held so far */
};

static int take_held(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct holding *w = ctx;
    size_t i = rows_named(w->a, v[0], e);

    (void)n;
    if (i == SIZE_MAX)
        return -1;
    w->a->held[i] = true;
    w->n++;
    return 0;
}

/* Does it move its contact's last interaction? */
static bool moves_person(const struct applying *a, size_t at)
{
    uint8_t exact;

    if (a->fate[at] != FATE_WRITTEN || ident_eq(a->person[at], IDENT_NONE))
        return false;
    (void)effects_of(&a->c[at], &exact);
    return exact & EFFECT_READ;
}

/* The arrays of batch_people.sql, one after the other in a->data, of n elements each. */
static int put_people(struct applying *a, const struct batch *b, size_t n,
                      struct pg_param params[3], struct err *e)
{
    const enum pg_type types[] = {a->schema->effects.person, PG_TIMESTAMPTZ, PG_INT4};
    size_t begin[4], p, i;

    buf_clear(&a->data);
    for (p = 0; p < 3; p++) {
        begin[p] = a->data.len;
        pg_put_array(&a->data, types[p], n);
        for (i = 0; i < b->n; i++) {
            if (!moves_person(a, b->at[i]))
                continue;
            if (p == 0)
                pg_put_field_ident(&a->data, types[p], a->person[b->at[i]]);
            else if (p == 1)
                pg_put_field_time(&a->data, a->c[b->at[i]].after.at[M_READ]);
            else
                pg_put_field_int4(&a->data, (int32_t)b->at[i]);
        }
    }
    begin[p] = a->data.len;
    if (a->data.failed)
        return err_oom(e);
    params[0].type = schema_array_type(types[0]);
    params[1].type = PG_TIMESTAMPTZ_ARRAY;
    params[2].type = PG_INT4_ARRAY;
    for (p = 0; p < 3; p++)
        params[p].value = (struct slice){a->data.data + begin[p], begin[p + 1] - begin[p]};
    return 0;
}

/* A contact that somebody has is tried again while others hardly notice that they
 * wait for us, and then left to a later batch with all that would move it. */
static int write_people(struct applying *a, const struct batch *b, struct err *e)
{
    struct holding w = {a, 0};
    struct pg_param params[3];
    struct pg_query q = {
        "write the contacts' last interaction", buf_str(&a->sql.people), params, 3, take_held, &w};
    int64_t wait;
    size_t i, n = 0;

    for (i = 0; i < b->n; i++)
        n += moves_person(a, b->at[i]);
    if (n == 0)
        return 0;
    for (wait = PEOPLE_WAIT;
         put_people(a, b, n, params, e) == 0 && pg_run_meanwhile(a->pg, &q, batch_tell, a, e) == 0;
         wait *= 2) {
        a->blocked = w.n > 0 && wait > PEOPLE_WAIT_MAX;
        if (w.n == 0 || a->blocked)
            return 0;
        for (i = 0; i < b->n; i++)
            a->held[b->at[i]] = a->held[b->at[i]] && a->fate[b->at[i]] != FATE_WRITTEN;
        w.n = 0;
        if (pg_pause(a->pg, wait, e) != 0)
            return -1;
    }
    return -1;
}

/* In the order of locks: instances, log rows, contacts. */
int effects_write(struct applying *a, const struct batch *b, struct err *e)
{
    if (a->sql.health.len > 0 && write_health(a, b, e) != 0)
        return -1;
    if (a->sql.logs.len > 0 && write_logs(a, b, e) != 0)
        return -1;
    return a->sql.people.len > 0 ? write_people(a, b, e) : 0;
}
