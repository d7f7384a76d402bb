/* pg.h - the connection to PostgreSQL; the only user of libpq.
 *
 * One statement at a time. All waiting is non-blocking, so that a raised
 * interrupt flag cancels what runs; the call then fails with the text
 * "interrupted", and so does every later one but a rollback. Failures are
 * EXIT_FAILED with one line, "could not WHAT: the server's words"; neither the
 * connection string nor a password is ever part of it.
 */
#ifndef RECONCILE_PG_H
#define RECONCILE_PG_H

#include "pgbin.h"

#include <signal.h>

struct pg;

struct pg_options {
    const char *conninfo;    /* string, URI or database name; NULL or "" = libpq's defaults */
    const char *application; /* application_name, unless the user sets one */
    const volatile sig_atomic_t *interrupted; /* may be NULL */
};

/* "libpq 15.3", of the library in use. */
void pg_library_version(char *out, size_t size);

/* A connection string that libpq cannot read is EXIT_USAGE, all else EXIT_FAILED. */
int pg_open(struct pg **g, const struct pg_options *o, struct err *e);
void pg_close(struct pg *g); /* g may be NULL; an open transaction is rolled back by the server */

const char *pg_database(const struct pg *g);
const char *pg_server_encoding(const struct pg *g);

/* SQLSTATE of the last failure, "" where there was none or it was not the server's. */
const char *pg_sqlstate(const struct pg *g);
bool pg_retryable(const struct pg *g); /* deadlock, serialization failure, lock not available */
bool pg_lost(const struct pg *g);      /* the connection is gone */

struct pg_param {
    enum pg_type type;
    struct slice value; /* binary form; p NULL: NULL */
};

struct pg_query {
    const char *what; /* for messages: "read campaigns" */
    const char *sql;  /* one statement */
    const struct pg_param *params;
    size_t n_params; /* at most PG_PARAMS */
    pg_row_fn *row;  /* values in binary form, valid until it returns; NULL: rows are dropped */
    void *ctx;
};

#define PG_PARAMS 8

/* Rows arrive as the server sends them, so memory does not grow with them. */
int pg_run(struct pg *g, const struct pg_query *q, struct err *e);

/* The same, with something to do while the server works on it: `meanwhile` must
 * not use the connection; -1 with *e filled stops the statement. */
int pg_run_meanwhile(struct pg *g, const struct pg_query *q,
                     int (*meanwhile)(void *ctx, struct err *e), void *ctx, struct err *e);

/* Statements without parameters whose rows do not matter, in one round trip. */
int pg_script(struct pg *g, const char *what, const char *sql, struct err *e);

/* COPY (...) TO STDOUT (FORMAT binary). */
int pg_copy_out(struct pg *g, const char *what, const char *sql, pg_row_fn *fn, void *ctx,
                struct err *e);

/* COPY ... FROM STDIN: begin, data in pieces of any size, end. After a failure
 * only a rollback follows. */
int pg_copy_in_begin(struct pg *g, const char *what, const char *sql, struct err *e);
int pg_copy_in_data(struct pg *g, const char *what, const char *p, size_t n, struct err *e);
int pg_copy_in_end(struct pg *g, const char *what, struct err *e);

/* COMMIT, which an interrupt does not cancel. On failure *unknown says that the
 * connection broke before the answer: it may have been committed. */
int pg_commit(struct pg *g, bool *unknown, struct err *e);

/* Ends whatever is under way, without a word; harmless outside a transaction. */
void pg_rollback(struct pg *g);

/* Sleeps; fails when interrupted. */
int pg_pause(struct pg *g, int64_t us, struct err *e);

#endif
