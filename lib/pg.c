#include "pg.h"

#include "pgconn.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define GRACE 10.0 /* seconds that an interrupted server gets to answer */
#define COPY_PIECE ((size_t)64 << 10)

struct pg {
    PGconn *conn;
    const volatile sig_atomic_t *interrupted;
    double deadline;  /* by clock_monotonic; counts once the flag is up */
    char sqlstate[6]; /* of the last failure */
    bool flagged;     /* the flag was seen, the deadline is set */
    bool cancelled;   /* what ran then has been cancelled */
    bool shielded;    /* a commit or rollback is under way: not to be cancelled */
    bool lost;        /* no use any more */
};

/* ---- messages ---- */

static bool raised(const struct pg *g)
{
    return g->interrupted && *g->interrupted != 0;
}

static int fail_interrupted(struct err *e)
{
    return err_set(e, EXIT_FAILED, "interrupted");
}

static int fail_connection(struct pg *g, const char *what, struct err *e)
{
    char line[900];

    if (g->cancelled || (raised(g) && !g->shielded))
        return fail_interrupted(e);
    if (PQstatus(g->conn) == CONNECTION_BAD)
        g->lost = true;
    pgconn_reason(PQerrorMessage(g->conn), line, sizeof line);
    return err_set(e, EXIT_FAILED, "could not %s: %s", what,
                   line[0] ? line : "the connection is closed");
}

/* Errors that only their context places: it names table and row of a lock that was not
 * to be had, and the function whose own words these are. */
static bool context_tells(const char *sqlstate)
{
    return strcmp(sqlstate, "55P03") == 0 || strncmp(sqlstate, "P0", 2) == 0;
}

/* Errors whose detail is the whole row, with names and telephone numbers of people. */
static bool detail_is_row(const char *sqlstate)
{
    return strcmp(sqlstate, "23502") == 0 || strcmp(sqlstate, "23514") == 0;
}

static int fail_result(struct pg *g, const char *what, const PGresult *r, struct err *e)
{
    const char *state = PQresultErrorField(r, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
    const char *detail = PQresultErrorField(r, PG_DIAG_MESSAGE_DETAIL);
    char line[600], more[300];

    (void)snprintf(g->sqlstate, sizeof g->sqlstate, "%s", state ? state : "");
    if (PQstatus(g->conn) == CONNECTION_BAD)
        g->lost = true;
    if (g->cancelled)
        return fail_interrupted(e);
    if (primary)
        pgconn_line(primary, line, sizeof line);
    else
        pgconn_reason(PQresultErrorMessage(r), line, sizeof line);
    if (detail_is_row(g->sqlstate))
        detail = NULL;
    else if (!detail && context_tells(g->sqlstate))
        detail = PQresultErrorField(r, PG_DIAG_CONTEXT);
    pgconn_line(detail ? detail : "", more, sizeof more);
    return err_set(e, EXIT_FAILED, more[0] ? "could not %s: %s (%s)" : "could not %s: %s", what,
                   line[0] ? line : PQresStatus(PQresultStatus(r)), more);
}

/* ---- waiting ---- */

static void cancel(struct pg *g)
{
    PGcancel *c = PQgetCancel(g->conn);
    char reason[256];

    if (c)
        (void)PQcancel(c, reason, sizeof reason);
    PQfreeCancel(c);
}

/* Looks at the flag. False when an interrupted server has had its time. */
static bool heed_flag(struct pg *g)
{
    if (!raised(g))
        return true;
    if (!g->flagged) {
        g->flagged = true;
        g->deadline = clock_monotonic() + GRACE;
    }
    if (!g->shielded && !g->cancelled) {
        g->cancelled = true;
        cancel(g);
    }
    return clock_monotonic() < g->deadline;
}

static int wait_for(struct pg *g, short events, const char *what, struct err *e)
{
    struct pollfd p = {PQsocket(g->conn), events, 0};
    int n;

    if (p.fd < 0)
        return fail_connection(g, what, e);
    do {
        if (!heed_flag(g)) {
            g->lost = true;
            return err_set(e, EXIT_FAILED, "interrupted while waiting for the server to %s", what);
        }
        n = poll(&p, 1, PGCONN_TICK_MS);
    } while (n == 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        return err_set(e, EXIT_FAILED, "could not %s: %s", what, strerror(errno));
    return 0;
}

/* Everything queued goes out; what the server says meanwhile is taken in, or
 * both sides would wait for each other. */
static int flush(struct pg *g, const char *what, struct err *e)
{
    int left;

    while ((left = PQflush(g->conn)) > 0) {
        if (wait_for(g, POLLIN | POLLOUT, what, e) != 0)
            return -1;
        (void)PQconsumeInput(g->conn);
    }
    return left == 0 ? 0 : fail_connection(g, what, e);
}

/* The next result, NULL after the last. A broken connection shows as a result. */
static int next_result(struct pg *g, const char *what, PGresult **r, struct err *e)
{
    while (PQisBusy(g->conn)) {
        if (wait_for(g, POLLIN, what, e) != 0)
            return -1;
        if (!PQconsumeInput(g->conn))
            break;
    }
    *r = PQgetResult(g->conn);
    return 0;
}

/* Before a statement: is it worth sending? */
static int ready(struct pg *g, const char *what, struct err *e)
{
    g->sqlstate[0] = '\0';
    if (g->cancelled || (raised(g) && !g->shielded))
        return fail_interrupted(e);
    if (g->lost)
        return err_set(e, EXIT_FAILED, "could not %s: the connection is lost", what);
    return 0;
}

static bool is_error(const PGresult *r)
{
    ExecStatusType s = PQresultStatus(r);

    return s == PGRES_FATAL_ERROR || s == PGRES_BAD_RESPONSE || s == PGRES_NONFATAL_ERROR;
}

/* Ends a COPY that r begins, so that the next result can come. */
static int leave_copy(struct pg *g, const PGresult *r, struct err *e)
{
    static const char what[] = "abandon a COPY";
    char *p = NULL;
    int n;

    if (PQresultStatus(r) == PGRES_COPY_IN) {
        while ((n = PQputCopyEnd(g->conn, "abandoned")) == 0) {
            if (wait_for(g, POLLOUT, what, e) != 0)
                return -1;
        }
        return n < 0 ? fail_connection(g, what, e) : flush(g, what, e);
    }
    while (PQresultStatus(r) == PGRES_COPY_OUT && (n = PQgetCopyData(g->conn, &p, 1)) >= 0) {
        PQfreemem(p);
        p = NULL;
        if (n > 0)
            continue;
        if (wait_for(g, POLLIN, what, e) != 0)
            return -1;
        if (!PQconsumeInput(g->conn))
            break;
    }
    return 0;
}

/* Takes all results to the end. The first error is kept in *e, unless `failed`
 * says that there is one already. */
static int finish(struct pg *g, const char *what, bool failed, struct err *e)
{
    struct err unused = ERR_INIT;
    PGresult *r;
    int rc = failed ? -1 : 0;

    for (;;) {
        if (next_result(g, what, &r, rc ? &unused : e) != 0)
            return -1;
        if (!r)
            break;
        if (rc == 0 && is_error(r))
            rc = fail_result(g, what, r, e);
        if (leave_copy(g, r, rc ? &unused : e) != 0)
            rc = -1;
        PQclear(r);
        if (PQstatus(g->conn) == CONNECTION_BAD)
            g->lost = true;
        if (g->lost)
            break;
    }
    if (rc == 0 && g->cancelled)
        rc = fail_interrupted(e); /* it was done before the cancel came */
    return rc;
}

/* A callback does not want the rest: stops the server, drops what is still coming. */
static int abandon(struct pg *g, const char *what)
{
    struct err unused = ERR_INIT;
    bool shielded = g->shielded;

    g->shielded = true;
    cancel(g);
    (void)finish(g, what, true, &unused);
    g->shielded = shielded;
    return -1;
}

/* ---- opening and closing ---- */

int pg_open(struct pg **g, const struct pg_options *o, struct err *e)
{
    struct pg *p;

    *g = NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return err_oom(e);
    p->interrupted = o->interrupted;
    if (pgconn_open(&p->conn, o, e) != 0) {
        pg_close(p);
        return -1;
    }
    *g = p;
    return 0;
}

void pg_close(struct pg *g)
{
    if (!g)
        return;
    PQfinish(g->conn);
    free(g);
}

const char *pg_database(const struct pg *g)
{
    const char *name = PQdb(g->conn);

    return name ? name : "";
}

const char *pg_server_encoding(const struct pg *g)
{
    const char *name = PQparameterStatus(g->conn, "server_encoding");

    return name ? name : "";
}

const char *pg_sqlstate(const struct pg *g)
{
    return g->sqlstate;
}

bool pg_retryable(const struct pg *g)
{
    return !g->lost && !g->cancelled &&
           (strcmp(g->sqlstate, "40P01") == 0 || strcmp(g->sqlstate, "40001") == 0 ||
            strcmp(g->sqlstate, "55P03") == 0);
}

bool pg_lost(const struct pg *g)
{
    return g->lost;
}

/* ---- statements ---- */

static int send_query(struct pg *g, const struct pg_query *q, struct err *e)
{
    const char *values[PG_PARAMS];
    int lengths[PG_PARAMS], formats[PG_PARAMS];
    Oid types[PG_PARAMS];
    size_t i;

    for (i = 0; i < q->n_params; i++) {
        if (i == PG_PARAMS || q->params[i].value.n > INT32_MAX)
            return err_set(e, EXIT_FAILED, "could not %s: too large a parameter", q->what);
        values[i] = q->params[i].value.p;
        lengths[i] = (int)q->params[i].value.n;
        types[i] = (Oid)q->params[i].type;
        formats[i] = 1;
    }
    if (!PQsendQueryParams(g->conn, q->sql, (int)q->n_params, types, values, lengths, formats, 1))
        return fail_connection(g, q->what, e);
    (void)PQsetSingleRowMode(g->conn);
    return flush(g, q->what, e);
}

static int hand_over(const struct pg_query *q, const PGresult *r, struct err *e)
{
    struct slice v[PG_COPY_COLUMNS];
    int rows = PQntuples(r), columns = PQnfields(r), i, j;

    if (columns > PG_COPY_COLUMNS)
        return err_set(e, EXIT_FAILED, "could not %s: too many columns", q->what);
    for (i = 0; i < rows; i++) {
        for (j = 0; j < columns; j++) {
            v[j] = PQgetisnull(r, i, j)
                       ? SLICE_NONE
                       : (struct slice){PQgetvalue(r, i, j), (size_t)PQgetlength(r, i, j)};
        }
        if (q->row(q->ctx, v, (size_t)columns, e) != 0)
            return -1;
    }
    return 0;
}

int pg_run(struct pg *g, const struct pg_query *q, struct err *e)
{
    return pg_run_meanwhile(g, q, NULL, NULL, e);
}

int pg_run_meanwhile(struct pg *g, const struct pg_query *q,
                     int (*meanwhile)(void *ctx, struct err *e), void *ctx, struct err *e)
{
    PGresult *r;
    int rc = 0;

    if (ready(g, q->what, e) != 0 || send_query(g, q, e) != 0)
        return -1;
    if (meanwhile && meanwhile(ctx, e) != 0)
        return abandon(g, q->what);
    for (;;) {
        if (next_result(g, q->what, &r, e) != 0)
            return -1;
        if (!r)
            break;
        if (is_error(r)) {
            (void)fail_result(g, q->what, r, e);
            PQclear(r);
            return finish(g, q->what, true, e);
        }
        if (q->row)
            rc = hand_over(q, r, e);
        PQclear(r);
        if (rc != 0)
            return abandon(g, q->what);
    }
    return g->cancelled ? fail_interrupted(e) : 0;
}

int pg_script(struct pg *g, const char *what, const char *sql, struct err *e)
{
    if (ready(g, what, e) != 0)
        return -1;
    if (!PQsendQuery(g->conn, sql))
        return fail_connection(g, what, e);
    if (flush(g, what, e) != 0)
        return -1;
    return finish(g, what, false, e);
}

/* ---- COPY ---- */

static int copy_begin(struct pg *g, const char *what, const char *sql, ExecStatusType wanted,
                      struct err *e)
{
    PGresult *r;
    int rc = 0;

    if (ready(g, what, e) != 0)
        return -1;
    if (!PQsendQuery(g->conn, sql))
        return fail_connection(g, what, e);
    if (flush(g, what, e) != 0 || next_result(g, what, &r, e) != 0)
        return -1;
    if (!r)
        return fail_connection(g, what, e);
    if (is_error(r))
        rc = fail_result(g, what, r, e);
    else if (PQresultStatus(r) != wanted)
        rc = err_set(e, EXIT_FAILED, "could not %s: the server did not begin a COPY", what);
    PQclear(r);
    return rc == 0 ? 0 : finish(g, what, true, e);
}

int pg_copy_out(struct pg *g, const char *what, const char *sql, pg_row_fn *fn, void *ctx,
                struct err *e)
{
    struct pg_copy_reader reader = PG_COPY_READER_INIT;
    int rc = 0, n = 0;

    if (copy_begin(g, what, sql, PGRES_COPY_OUT, e) != 0)
        return -1;
    while (rc == 0) {
        char *p = NULL;

        n = PQgetCopyData(g->conn, &p, 1);
        if (n < 0)
            break;
        if (n > 0)
            rc = pg_copy_read(&reader, p, (size_t)n, fn, ctx, e);
        else if (wait_for(g, POLLIN, what, e) != 0)
            rc = -1;
        else
            (void)PQconsumeInput(g->conn); /* a failure shows in the next round */
        PQfreemem(p);
    }
    pg_copy_reader_release(&reader);
    if (rc != 0)
        return abandon(g, what);
    return finish(g, what, false, e);
}

int pg_copy_in_begin(struct pg *g, const char *what, const char *sql, struct err *e)
{
    return copy_begin(g, what, sql, PGRES_COPY_IN, e);
}

int pg_copy_in_data(struct pg *g, const char *what, const char *p, size_t n, struct err *e)
{
    while (n > 0) {
        size_t piece = n < COPY_PIECE ? n : COPY_PIECE;
        int rc = PQputCopyData(g->conn, p, (int)piece);

        if (rc < 0)
            return finish(g, what, false, e) != 0 ? -1 : fail_connection(g, what, e);
        if (rc == 0) {
            if (wait_for(g, POLLIN | POLLOUT, what, e) != 0)
                return -1;
            (void)PQconsumeInput(g->conn);
            continue;
        }
        /* Waiting for it to leave keeps libpq's buffer small. */
        if (flush(g, what, e) != 0)
            return -1;
        p += piece;
        n -= piece;
    }
    return g->cancelled ? fail_interrupted(e) : 0;
}

int pg_copy_in_end(struct pg *g, const char *what, struct err *e)
{
    int rc;

    while ((rc = PQputCopyEnd(g->conn, NULL)) == 0) {
        if (wait_for(g, POLLOUT, what, e) != 0)
            return -1;
    }
    if (rc > 0 && flush(g, what, e) != 0)
        return -1;
    if (finish(g, what, false, e) != 0)
        return -1;
    return rc > 0 ? 0 : fail_connection(g, what, e);
}

/* ---- transactions ---- */

/* A session that ends, or an answer that libpq made up because none came: the
 * commit may have been done before. A plain error undoes it. */
static bool is_last_word(const PGresult *r)
{
    const char *severity = PQresultErrorField(r, PG_DIAG_SEVERITY_NONLOCALIZED);

    return is_error(r) && (!severity || strcmp(severity, "ERROR") != 0);
}

int pg_commit(struct pg *g, bool *unknown, struct err *e)
{
    static const char what[] = "commit";
    PGresult *r = NULL;
    int rc = -1;

    *unknown = false;
    if (ready(g, what, e) != 0)
        return -1;
    g->shielded = true;
    if (PQsendQuery(g->conn, "COMMIT")) {
        *unknown = true;
        if (flush(g, what, e) == 0 && next_result(g, what, &r, e) == 0 && r) {
            *unknown = is_last_word(r);
            if (is_error(r))
                rc = fail_result(g, what, r, e);
            else if (strcmp(PQcmdStatus(r), "COMMIT") == 0)
                rc = 0;
            else
                rc = err_set(e, EXIT_FAILED, "could not commit: the server rolled back");
            PQclear(r);
            (void)finish(g, what, true, &(struct err)ERR_INIT);
        }
    } else {
        rc = fail_connection(g, what, e);
    }
    g->shielded = false;
    return rc;
}

void pg_rollback(struct pg *g)
{
    static const char what[] = "roll back";
    struct err unused = ERR_INIT;
    char sqlstate[sizeof g->sqlstate];

    if (g->lost)
        return;
    memcpy(sqlstate, g->sqlstate, sizeof sqlstate);
    g->shielded = true;
    (void)finish(g, what, true, &unused);
    if (!g->lost && PQtransactionStatus(g->conn) != PQTRANS_IDLE) {
        if (!PQsendQuery(g->conn, "ROLLBACK") || flush(g, what, &unused) != 0)
            g->lost = true;
        else
            (void)finish(g, what, true, &unused);
    }
    g->shielded = false;
    memcpy(g->sqlstate, sqlstate, sizeof sqlstate);
}

int pg_pause(struct pg *g, int64_t us, struct err *e)
{
    double end = clock_monotonic() + (double)us / (double)US_PER_SECOND;
    double left;

    while (!raised(g) && (left = end - clock_monotonic()) > 0) {
        double ms = left * 1000 + 1;

        (void)poll(NULL, 0, ms < PGCONN_TICK_MS ? (int)ms : PGCONN_TICK_MS);
    }
    return raised(g) ? fail_interrupted(e) : 0;
}
