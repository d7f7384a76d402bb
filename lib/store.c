#include "store.h"

#include "sql.h"
#include "store_pg.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* store.h: STORE_LOCK_KEY, in the two halves that pg_locks shows. */
#define LOCK_HIGH "1919247215"
#define LOCK_LOW "1852008812"
#define LOCK_INTERVAL INT64_C(200000) /* µs between two tries */

struct store {
    struct pg *pg;
    struct schema schema;
    struct store_kinds kinds;
    struct buf sql;  /* the statement being run */
    int64_t backend; /* pg_backend_pid() when the session was set up */
    bool locked;
    bool in_snapshot;
};

static const struct schema_var lock_vars[] = {{"lock_high", LOCK_HIGH}, {"lock_low", LOCK_LOW}};

static int moved(const struct store *s, struct err *e)
{
    return err_set(e, EXIT_FAILED,
                   "the connection to database \"%s\" moves between servers, as a pooler in "
                   "transaction mode has it. Connect to the server itself, or in session mode",
                   store_database(s));
}

/* ---- opening ---- */

struct session {
    struct buf path; /* current_schemas(true), binary */
    char shown[256]; /* search_path */
    int64_t backend;
};

static int take_session(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct session *s = ctx;

    (void)n;
    if (!v[0].p || !v[1].p)
        return err_set(e, EXIT_FAILED, "the server has no search_path");
    buf_clear(&s->path);
    buf_add(&s->path, v[0].p, v[0].n);
    (void)snprintf(s->shown, sizeof s->shown, "%.*s", (int)v[1].n, v[1].p);
    s->backend = pg_get_int(v[2], 0);
    return s->path.failed ? err_oom(e) : 0;
}

static int set_up(struct store *s, struct session *session, struct err *e)
{
    struct pg_query q = {"read the search_path", sql_search_path, NULL, 0, take_session, session};

    if (pg_run(s->pg, &q, e) != 0 || pg_script(s->pg, "set up the session", sql_session, e) != 0)
        return -1;
    s->backend = session->backend;
    if (schema_find(&s->schema, s->pg, (struct slice){session->path.data, session->path.len},
                    session->shown, e) != 0)
        return -1;
    s->kinds =
        (struct store_kinds){schema_kind(s->schema.contact_id), schema_kind(s->schema.campaign_id),
                             schema_kind(s->schema.instance_id), schema_kind(s->schema.tenant_id)};
    return 0;
}

int store_open(struct store **s, const struct store_options *o, struct err *e)
{
    struct pg_options po = {o->conninfo, o->application, o->interrupted};
    struct session session = {BUF_INIT, "", 0};
    struct store *p = calloc(1, sizeof *p);
    int rc;

    *s = NULL;
    if (!p)
        return err_oom(e);
    rc = pg_open(&p->pg, &po, e);
    if (rc == 0)
        rc = set_up(p, &session, e);
    buf_release(&session.path);
    if (rc != 0)
        store_close(p);
    else
        *s = p;
    return rc;
}

/* The server would let go of the lock by itself, but only some time after we
 * are gone: a run that follows at once must not find it taken. */
static void unlock(struct store *s)
{
    struct err unused = ERR_INIT;

    if (s->locked && !pg_lost(s->pg) &&
        schema_sql(&s->schema, sql_unlock, lock_vars, 2, &s->sql, &unused) == 0)
        (void)pg_script(s->pg, "unlock", s->sql.data, &unused);
}

void store_close(struct store *s)
{
    if (!s)
        return;
    unlock(s);
    pg_close(s->pg);
    schema_release(&s->schema);
    buf_release(&s->sql);
    free(s);
}

struct store_kinds store_kinds(const struct store *s)
{
    return s->kinds;
}

const char *store_note(const struct store *s, size_t i, bool health)
{
    const struct schema_effects *f = &s->schema.effects;

    if (i < f->notes)
        return f->note[i];
    return i == f->notes && health ? f->health_note : NULL;
}

const char *store_database(const struct store *s)
{
    return pg_database(s->pg);
}

const char *store_row_table(const struct store *s)
{
    size_t i;

    for (i = 0; i < s->schema.n_vars; i++) {
        if (strcmp(s->schema.vars[i].name, "contacts") == 0)
            return s->schema.vars[i].value;
    }
    return "";
}

struct pg *store_pg(struct store *s)
{
    return s->pg;
}

const struct schema *store_schema(const struct store *s)
{
    return &s->schema;
}

/* ---- the lock and the snapshot ---- */

struct lock_answer {
    bool yes;        /* it is ours */
    int64_t backend; /* who has it, or who serves us */
};

static int take_lock(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct lock_answer *a = ctx;

    (void)n;
    (void)e;
    a->yes = pg_get_bool(v[0]);
    a->backend = pg_get_int(v[1], 0);
    return 0;
}

int store_lock(struct store *s, int64_t wait, struct err *e)
{
    struct lock_answer a = {false, 0};
    struct pg_query q = {"take the lock of writing runs", NULL, NULL, 0, take_lock, &a};
    double end = clock_monotonic() + (double)wait / (double)US_PER_SECOND;

    if (schema_sql(&s->schema, sql_lock, lock_vars, 2, &s->sql, e) != 0)
        return -1;
    q.sql = s->sql.data;
    for (;;) {
        if (pg_run(s->pg, &q, e) != 0)
            return -1;
        if (a.yes) {
            s->locked = true;
            return 0;
        }
        if (clock_monotonic() >= end)
            return err_set(e, EXIT_LOCKED,
                           "another run is writing to database \"%s\" (its backend is %" PRId64 ")",
                           store_database(s), a.backend);
        if (pg_pause(s->pg, LOCK_INTERVAL, e) != 0)
            return -1;
    }
}

int store_check_backend(struct store *s, struct err *e)
{
    struct lock_answer a = {false, 0};
    struct pg_query q = {"look for the lock of writing runs", NULL, NULL, 0, take_lock, &a};

    if (!s->locked)
        return err_set(e, EXIT_FAILED, "the lock of writing runs has not been taken");
    if (schema_sql(&s->schema, sql_backend, lock_vars, 2, &s->sql, e) != 0)
        return -1;
    q.sql = s->sql.data;
    if (pg_run(s->pg, &q, e) != 0)
        return -1;
    if (a.backend != s->backend)
        return moved(s, e);
    return a.yes ? 0
                 : err_set(e, EXIT_FAILED, "the lock of writing runs on database \"%s\" is gone",
                           store_database(s));
}

struct snapshot {
    int64_t at, backend;
};

static int take_snapshot(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct snapshot *snapshot = ctx;

    (void)n;
    (void)e;
    snapshot->at = pg_get_time(v[0]);
    snapshot->backend = pg_get_int(v[1], 0);
    return 0;
}

int store_snapshot_begin(struct store *s, int64_t *at, struct err *e)
{
    static const char begin[] = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";
    struct snapshot snapshot = {TIME_NONE, 0};
    struct pg_query q = {"take a snapshot", sql_snapshot, NULL, 0, take_snapshot, &snapshot};

    if (pg_script(s->pg, "begin a snapshot", begin, e) != 0)
        return -1;
    s->in_snapshot = true;
    if (pg_run(s->pg, &q, e) != 0)
        return -1;
    *at = snapshot.at;
    return snapshot.backend == s->backend ? 0 : moved(s, e);
}

int store_snapshot_end(struct store *s, struct err *e)
{
    (void)e;
    if (s->in_snapshot)
        pg_rollback(s->pg); /* nothing was written */
    s->in_snapshot = false;
    return 0;
}

/* ---- decoding ---- */

static int get_ident(enum ident_kind kind, struct slice v, struct ident *id, struct err *e)
{
    if (v.p && ident_decode(kind, (const unsigned char *)v.p, v.n, id))
        return 0;
    return err_set(e, EXIT_FAILED, "a row without an id, or with one of an unexpected size");
}

/* One that may be NULL; *set says whether it is not. */
static int get_optional(enum ident_kind kind, struct slice v, struct ident *id, bool *set,
                        struct err *e)
{
    *id = IDENT_NONE;
    *set = v.p != NULL;
    return *set ? get_ident(kind, v, id, e) : 0;
}

/* What a statement's rows are turned into, and for whom. */
struct reading {
    const struct store *s;
    store_instance_fn *instance;
    store_campaign_fn *campaign;
    store_row_fn *row;
    store_span_fn *span;
    store_sender_fn *sender;
    void *ctx;
};

static int take_instance(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_instance i;

    (void)n;
    if (get_ident(r->s->kinds.instance, v[0], &i.id, e) != 0 ||
        get_optional(r->s->kinds.tenant, v[1], &i.tenant, &i.has_tenant, e) != 0)
        return -1;
    i.name = v[2];
    i.evolution_name = v[3];
    i.is_evolution = pg_get_bool(v[4]);
    i.is_active = pg_get_bool(v[5]);
    return r->instance(r->ctx, &i, e);
}

static int take_campaign(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_campaign c;
    bool has_tenant;
    int m;

    (void)n;
    if (get_ident(r->s->kinds.campaign, v[0], &c.id, e) != 0 ||
        get_optional(r->s->kinds.tenant, v[1], &c.tenant, &has_tenant, e) != 0)
        return -1;
    c.name = v[2];
    c.stored.total = pg_get_int(v[3], -1);
    for (m = 0; m < M_COUNT; m++)
        c.stored.count[m] = pg_get_int(v[4 + m], -1);
    return r->campaign(r->ctx, &c, e);
}

/* The columns that find_rows.sql, rows.sql and rows_by_id.sql begin with. */
static int get_row(const struct reading *r, const struct slice *v, struct store_row *row,
                   struct err *e)
{
    if (get_ident(r->s->kinds.contact, v[0], &row->id, e) != 0 ||
        get_ident(r->s->kinds.campaign, v[1], &row->campaign, e) != 0 ||
        get_optional(r->s->kinds.instance, v[2], &row->instance_used, &row->has_instance, e) != 0)
        return -1;
    row->message_id = v[3];
    return 0;
}

static int take_found_row(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_row row = {.status = SLICE_NONE};

    (void)n;
    if (get_row(r, v, &row, e) != 0)
        return -1;
    return r->row(r->ctx, &row, e);
}

static int take_row(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_row row;
    int m;

    (void)n;
    if (get_row(r, v, &row, e) != 0)
        return -1;
    row.status = v[4];
    row.state.status = row_status_read(v[4]);
    for (m = 0; m < M_COUNT; m++)
        row.state.at[m] = pg_get_time(v[5 + m]);
    row.state.error = v[9];
    return r->row(r->ctx, &row, e);
}

static int take_span(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_span span = {.has_instance = false};

    (void)n;
    if (get_ident(r->s->kinds.campaign, v[0], &span.campaign, e) != 0 ||
        get_optional(r->s->kinds.instance, v[1], &span.instance, &span.has_instance, e) != 0)
        return -1;
    span.first_sent = pg_get_time(v[2]);
    span.last = pg_get_time(v[3]);
    return r->span(r->ctx, &span, e);
}

static int take_sender(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    const struct reading *r = ctx;
    struct store_sender x = {.at = pg_get_time(v[2])};

    (void)n;
    if (get_ident(r->s->kinds.contact, v[0], &x.row, e) != 0 ||
        get_ident(r->s->kinds.instance, v[1], &x.instance, e) != 0)
        return -1;
    return r->sender(r->ctx, &x, e);
}

/* ---- reading ---- */

/* Runs a statement of lib/sql/ with at most one parameter. */
static int read_sql(struct store *s, const char *what, const char *sql,
                    const struct pg_param *param, pg_row_fn *row, struct reading *r, struct err *e)
{
    struct pg_query q = {what, NULL, param, param ? 1 : 0, row, r};

    r->s = s;
    if (schema_sql(&s->schema, sql, NULL, 0, &s->sql, e) != 0)
        return -1;
    q.sql = s->sql.data;
    return pg_run(s->pg, &q, e);
}

static int read_with_ids(struct store *s, const char *what, const char *sql, enum pg_type type,
                         const struct ident *ids, size_t n, pg_row_fn *row, struct reading *r,
                         struct err *e)
{
    struct pg_param param = {schema_array_type(type), SLICE_NONE};
    struct buf array = BUF_INIT;
    int rc;

    if (n == 0)
        return 0;
    pg_put_ident_array(&array, type, ids, n);
    param.value = (struct slice){array.data, array.len};
    rc = array.failed ? err_oom(e) : read_sql(s, what, sql, &param, row, r, e);
    buf_release(&array);
    return rc;
}

int store_read_instances(struct store *s, store_instance_fn *fn, void *ctx, struct err *e)
{
    struct reading r = {.instance = fn, .ctx = ctx};

    return read_sql(s, "read the instances", sql_instances, NULL, take_instance, &r, e);
}

int store_read_campaigns(struct store *s, store_campaign_fn *fn, void *ctx, struct err *e)
{
    struct reading r = {.campaign = fn, .ctx = ctx};

    return read_sql(s, "read the campaigns", sql_campaigns, NULL, take_campaign, &r, e);
}

static bool is_ascii(struct slice s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        if ((unsigned char)s.p[i] >= 0x80)
            return false;
    }
    return true;
}

/* SQL_ASCII takes any bytes. */
bool store_takes_any_text(const struct store *s)
{
    const char *encoding = pg_server_encoding(s->pg);

    return strcmp(encoding, "UTF8") == 0 || strcmp(encoding, "SQL_ASCII") == 0;
}

/* Looks up the ids that are ASCII, or those that are not. */
static int find_some(struct store *s, const struct slice *ids, size_t n, bool all, bool ascii,
                     struct reading *r, struct err *e)
{
    struct pg_param param = {ascii ? PG_TEXT_ARRAY : PG_BYTEA_ARRAY, SLICE_NONE};
    struct buf array = BUF_INIT;
    size_t i, wanted = 0;
    int rc = 0;

    for (i = 0; i < n; i++)
        wanted += all || is_ascii(ids[i]) == ascii;
    pg_put_array(&array, ascii ? PG_TEXT : PG_BYTEA, wanted);
    for (i = 0; i < n; i++) {
        if (all || is_ascii(ids[i]) == ascii)
            pg_put_field(&array, ids[i]);
    }
    param.value = (struct slice){array.data, array.len};
    if (array.failed)
        rc = err_oom(e);
    else if (wanted > 0)
        rc = read_sql(s, "look up message ids", ascii ? sql_find_rows : sql_find_rows_utf8, &param,
                      take_found_row, r, e);
    buf_release(&array);
    return rc;
}

int store_find_rows(struct store *s, const struct slice *message_ids, size_t n, store_row_fn *fn,
                    void *ctx, struct err *e)
{
    struct reading r = {.row = fn, .ctx = ctx};

    if (store_takes_any_text(s))
        return find_some(s, message_ids, n, true, true, &r, e);
    if (find_some(s, message_ids, n, false, true, &r, e) != 0)
        return -1;
    return find_some(s, message_ids, n, false, false, &r, e);
}

/* COPY takes no parameters: the ids stand in the statement, and nothing in
 * their text needs quoting. */
int store_put_scope(const struct store *s, const struct ident *campaigns, size_t n,
                    struct buf *scope, struct err *e)
{
    char text[IDENT_TEXT_SIZE];
    size_t i;

    buf_adds(scope, "campaign_id = ANY ('{");
    for (i = 0; i < n; i++) {
        if (i > 0)
            buf_addc(scope, ',');
        buf_adds(scope, ident_format(s->kinds.campaign, campaigns[i], text));
    }
    buf_addf(scope, "}'::%s[])", schema_type_name(s->schema.row_campaign_id));
    return scope->failed ? err_oom(e) : 0;
}

/* Copies out what a statement selects of n campaigns, NULL: of all. */
static int copy_scope(struct store *s, const char *what, const char *sql,
                      const struct ident *campaigns, size_t n, pg_row_fn *row, struct reading *r,
                      struct err *e)
{
    struct schema_var var = {"scope", "true"};
    struct buf scope = BUF_INIT;
    int rc = 0;

    r->s = s;
    if (campaigns && n == 0)
        return 0;
    if (campaigns) {
        rc = store_put_scope(s, campaigns, n, &scope, e);
        var.value = buf_str(&scope);
    }
    if (rc == 0)
        rc = schema_sql(&s->schema, sql, &var, 1, &s->sql, e);
    if (rc == 0)
        rc = pg_copy_out(s->pg, what, s->sql.data, row, r, e);
    buf_release(&scope);
    return rc;
}

int store_read_rows(struct store *s, const struct ident *campaigns, size_t n, store_row_fn *fn,
                    void *ctx, struct err *e)
{
    struct reading r = {.row = fn, .ctx = ctx};

    return copy_scope(s, "read the rows of campaigns", sql_rows, campaigns, n, take_row, &r, e);
}

int store_read_rows_by_id(struct store *s, const struct ident *ids, size_t n, store_row_fn *fn,
                          void *ctx, struct err *e)
{
    struct reading r = {.row = fn, .ctx = ctx};

    return read_with_ids(s, "read rows", sql_rows_by_id, s->schema.contact_id, ids, n, take_row, &r,
                         e);
}

int store_read_senders(struct store *s, const struct ident *campaigns, size_t n,
                       store_sender_fn *fn, void *ctx, struct err *e)
{
    struct reading r = {.sender = fn, .ctx = ctx};

    if (!s->schema.has_logs)
        return 0;
    return copy_scope(s, "read who sent", sql_senders, campaigns, n, take_sender, &r, e);
}

int store_read_spans(struct store *s, const struct ident *campaigns, size_t n, store_span_fn *fn,
                     void *ctx, struct err *e)
{
    struct reading r = {.span = fn, .ctx = ctx};
    const char *sql = s->schema.has_logs ? sql_spans : sql_spans_without_log;

    return read_with_ids(s, "read the times of campaigns", sql, s->schema.row_campaign_id,
                         campaigns, n, take_span, &r, e);
}
