/* pgconn.h - what pg.c has of libpq's making of connections; for pg.c alone. */
#ifndef RECONCILE_PGCONN_H
#define RECONCILE_PGCONN_H

#include "pg.h"

#include <libpq-fe.h>

#define PGCONN_TICK_MS 100 /* how often a wait looks at the interrupt flag */

/* Connects, without blocking where libpq lets us; notices go to log_detail.
 * *conn is to be finished by the caller also on failure, and may be NULL. */
int pgconn_open(PGconn **conn, const struct pg_options *o, struct err *e);

/* libpq's messages span lines and are indented; ours are one line. */
void pgconn_line(const char *message, char *out, size_t size);

/* What libpq says of a connection that broke: its first line. Hints follow on lines of
 * their own, and what each call after it failed of. "" where it knows no reason. */
void pgconn_reason(const char *message, char *out, size_t size);

#endif
