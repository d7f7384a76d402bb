#include "apply_batch.h"

#include "sql.h"

#include <stdlib.h>

#define FIELDS 21
#define SEND_SIZE ((size_t)256 << 10) /* bytes gathered before they are sent */

int rows_prepare(struct applying *a, struct err *e)
{
    struct buf sql = BUF_INIT;
    int rc = schema_sql(a->schema, sql_batch_table, NULL, 0, &sql, e);

    if (rc == 0)
        rc = pg_script(a->pg, "create a temporary table", sql.data, e);
    buf_release(&sql);
    return rc;
}

/* ---- sending the batch ---- */

void apply_put_ascii(struct buf *b, struct slice text)
{
    size_t i;

    for (i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c & 0xc0) != 0x80)
            buf_addc(b, c < 0x80 ? text.p[i] : '?');
    }
}

/* Is it what apply_put_ascii makes of the text? */
static bool is_ascii_of(struct slice ascii, struct slice text)
{
    size_t at = 0;

    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];

        if ((c & 0xc0) == 0x80)
            continue;
        if (at == ascii.n || ascii.p[at] != (c < 0x80 ? text.p[i] : '?'))
            return false;
        at++;
    }
    return at == ascii.n;
}

bool apply_holds(const struct store *s, const struct row_state *now, const struct row_state *after)
{
    struct row_state written = *after;

    if (row_state_eq(now, after))
        return true;
    if (!now->error.p || !after->error.p || store_takes_any_text(s) ||
        !is_ascii_of(now->error, after->error))
        return false;
    written.error = now->error;
    return row_state_eq(now, &written);
}

static void put_ascii(struct buf *b, struct slice v)
{
    uint32_t n = 0;
    size_t i;

    if (!v.p || v.n > INT32_MAX) {
        pg_put_field(b, v);
        return;
    }
    for (i = 0; i < v.n; i++)
        n += ((unsigned char)v.p[i] & 0xc0) != 0x80; /* all but the later bytes of a letter */
    pg_put_u32(b, n);
    apply_put_ascii(b, v);
}

static void put_state(struct buf *b, const struct row_state *r, bool ascii)
{
    int m;

    pg_put_field(b, slice_of(row_status_name(r->status)));
    for (m = 0; m < M_COUNT; m++)
        pg_put_field_time(b, r->at[m]);
    if (ascii)
        put_ascii(b, r->error);
    else
        pg_put_field(b, r->error);
}

/* What log rows tell, of a correction that gives rise to some. */
static int put_effects(struct applying *a, const struct correction *c, struct buf *b, struct err *e)
{
    const struct apply_effects *f = a->o->effects;
    uint8_t exact = 0, logs = f ? effects_of(c, &exact) : 0;
    struct slice text = SLICE_NONE;

    pg_put_field_int2(b, logs);
    pg_put_field_int2(b, exact);
    pg_put_field(b, logs ? slice_of(cause_name(c->cause)) : SLICE_NONE);
    if (logs) {
        buf_clear(&a->text);
        if (f->put_evidence(f->ctx, c, &a->text, e) != 0)
            return -1;
        if (a->text.failed)
            return err_oom(e);
        text = (struct slice){buf_str(&a->text), a->text.len};
    }
    if (a->ascii_errors)
        put_ascii(b, text);
    else
        pg_put_field(b, text);
    return 0;
}

static int put_correction(struct applying *a, size_t i, bool again, struct buf *b, struct err *e)
{
    const struct correction *c = &a->c[i];

    pg_put_copy_row(b, FIELDS);
    pg_put_field_int4(b, (int32_t)i);
    pg_put_field_bool(b, again);
    pg_put_field_ident(b, a->schema->contact_id, c->id);
    pg_put_field_ident(b, a->schema->row_campaign_id, c->campaign);
    pg_put_field(b, c->message_id);
    put_state(b, &c->before, false);
    put_state(b, &c->after, a->ascii_errors && !slice_eq(c->before.error, c->after.error));
    return put_effects(a, c, b, e);
}

static int send_rows(struct applying *a, const size_t *at, size_t n, bool again, struct err *e)
{
    static const char what[] = "send a batch";
    struct buf *b = &a->data;
    size_t i;

    if (pg_copy_in_begin(a->pg, what, sql_batch_copy, e) != 0)
        return -1;
    buf_clear(b);
    pg_put_copy_header(b);
    for (i = 0; i < n; i++) {
        if (a->held[at[i]])
            continue;
        if (put_correction(a, at[i], again, b, e) != 0)
            return -1;
        if (b->len < SEND_SIZE)
            continue;
        if (b->failed)
            break;
        if (pg_copy_in_data(a->pg, what, b->data, b->len, e) != 0)
            return -1;
        buf_clear(b);
    }
    pg_put_copy_trailer(b);
    if (b->failed)
        return err_oom(e);
    if (pg_copy_in_data(a->pg, what, b->data, b->len, e) != 0)
        return -1;
    return pg_copy_in_end(a->pg, what, e);
}

/* ---- locking and writing ---- */

struct answer {
    struct applying *a;
    size_t n; /* rows written so far */
};

size_t rows_named(const struct applying *a, struct slice v, struct err *e)
{
    int64_t i = pg_get_int(v, -1);

    if (i >= 0 && (size_t)i < a->n)
        return (size_t)i;
    (void)err_set(e, EXIT_FAILED, "the server names a correction that was not sent");
    return SIZE_MAX;
}

static int take_locked(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct applying *a = ctx;
    size_t i = rows_named(a, v[0], e);

    (void)n;
    if (i == SIZE_MAX)
        return -1;
    if (a->fate[i] != FATE_WRITTEN)
        a->fate[i] = FATE_MOVED; /* until the update says otherwise */
    return 0;
}

/* The journal would tell of a row that there is not, and no run would undo it. */
static int fail_changed(const struct applying *a, const struct correction *c, struct err *e)
{
    char id[IDENT_TEXT_SIZE];

    return err_set(e, EXIT_FAILED,
                   "could not write rows: row %s of %s does not hold what was written to it, as a "
                   "trigger changes it",
                   ident_format(schema_kind(a->schema->contact_id), c->id, id),
                   store_row_table(a->store));
}

static struct ident take_ident(enum pg_type type, struct slice v)
{
    struct ident id;

    if (!v.p || !ident_decode(schema_kind(type), (const unsigned char *)v.p, v.n, &id))
        return IDENT_NONE;
    return id;
}

static int take_written(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct answer *w = ctx;
    size_t i = rows_named(w->a, v[0], e);

    (void)n;
    if (i == SIZE_MAX)
        return -1;
    w->a->fate[i] = FATE_WRITTEN;
    w->n++;
    w->a->person[i] = take_ident(w->a->schema->effects.person, v[1]);
    w->a->sender[i] = take_ident(w->a->schema->instance_id, v[2]);
    if (pg_get_bool(v[3]) && !w->a->o->any_order)
        leave_alone(w->a, w->a->c[i].campaign_index);
    return pg_get_bool(v[4]) ? 0 : fail_changed(w->a, &w->a->c[i], e);
}

/* Takes corrections out of the batch. */
static int drop(struct applying *a, const size_t *at, size_t n, struct err *e)
{
    struct pg_param param = {PG_INT4_ARRAY, SLICE_NONE};
    struct pg_query q = {"drop from the batch", sql_batch_drop, &param, 1, NULL, NULL};
    size_t i;

    buf_clear(&a->data);
    pg_put_array(&a->data, PG_INT4, n);
    for (i = 0; i < n; i++)
        pg_put_field_int4(&a->data, (int32_t)at[i]);
    if (a->data.failed)
        return err_oom(e);
    param.value = (struct slice){a->data.data, a->data.len};
    return pg_run(a->pg, &q, e);
}

int rows_write(struct applying *a, const size_t *at, size_t n, bool again, struct err *e)
{
    const char flag = again ? 1 : 0;
    struct pg_param param = {PG_BOOL, {&flag, 1}};
    struct answer w = {a, 0};
    struct pg_query update = {"write rows", a->sql.update.data, &param, 1, take_written, &w};
    struct pg_query lock = {"lock rows", a->sql.lock.data, &param, 1, take_locked, a};
    size_t i, sent = 0;

    if (again && drop(a, at, n, e) != 0)
        return -1;
    for (i = 0; i < n; i++) {
        a->fate[at[i]] = FATE_SKIPPED;
        sent += !a->held[at[i]];
    }
    if (send_rows(a, at, n, again, e) != 0 || pg_run(a->pg, &update, e) != 0)
        return -1;
    if (w.n == sent)
        return 0;
    /* Some had moved, or somebody has them: what is ours now tells which, and may
     * hold again what is expected. */
    return pg_run(a->pg, &lock, e) != 0 ? -1 : pg_run(a->pg, &update, e);
}

/* ---- deciding again ---- */

struct place {
    struct ident id;
    size_t at; /* the correction */
};

struct again {
    struct applying *a;
    struct place *places; /* by id */
    size_t n;
};

static int place_cmp(const void *x, const void *y)
{
    const struct place *p = x, *q = y;

    return ident_cmp(p->id, q->id);
}

/* What the row became while we were not looking. */
static int take_again(void *ctx, const struct store_row *now, struct err *e)
{
    struct again *again = ctx;
    struct applying *a = again->a;
    struct place key = {now->id, 0};
    const struct place *p = bsearch(&key, again->places, again->n, sizeof key, place_cmp);
    struct correction *c;
    int rc;

    if (!p)
        return 0;
    c = &a->c[p->at];
    c->outcome = OUTCOME_CONFLICT;
    /* Sent again under another id, it is another message: our evidence says
     * nothing about that one. */
    if (!slice_eq(now->message_id, c->message_id) || !ident_eq(now->campaign, c->campaign))
        return 0;
    if (!a->o->redecide) {
        if (row_state_eq(&now->state, &c->before))
            c->outcome = OUTCOME_PLANNED;
        else if (apply_holds(a->store, &now->state, &c->after))
            c->outcome = OUTCOME_MOOT;
        return 0;
    }
    rc = a->o->redecide(a->o->ctx, now, c, e);
    if (rc < 0)
        return -1;
    c->outcome = rc > 0 ? OUTCOME_PLANNED : OUTCOME_MOOT;
    return 0;
}

int rows_redecide(struct applying *a, size_t *at, size_t *n, struct err *e)
{
    struct again again = {a, calloc(*n, sizeof *again.places), *n};
    struct ident *ids = calloc(*n, sizeof *ids);
    size_t i, kept = 0;
    int rc = -1;

    if (!again.places || !ids) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < *n; i++) {
        ids[i] = a->c[at[i]].id;
        again.places[i] = (struct place){ids[i], at[i]};
        a->c[at[i]].outcome = OUTCOME_CONFLICT; /* gone, unless it is read */
    }
    qsort(again.places, *n, sizeof *again.places, place_cmp);
    rc = store_read_rows_by_id(a->store, ids, *n, take_again, &again, e);
    for (i = 0; i < *n; i++) {
        if (rc != 0)
            a->c[at[i]].outcome = OUTCOME_PLANNED;
        else if (a->c[at[i]].outcome == OUTCOME_PLANNED)
            at[kept++] = at[i];
    }
    *n = kept;
out:
    free(again.places);
    free(ids);
    return rc;
}
