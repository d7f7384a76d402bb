#include "pgconn.h"

#include "buf.h"
#include "log.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#define OLDEST_SERVER 13 /* the first with pg_current_xact_id() */

void pgconn_line(const char *message, char *out, size_t size)
{
    const char *s = message;
    size_t n = 0;

    for (; *s && n + 1 < size; s++) {
        bool space = *s == ' ' || *s == '\n' || *s == '\t' || *s == '\r';

        if (space && (n == 0 || out[n - 1] == ' '))
            continue;
        out[n++] = space ? ' ' : *s;
    }
    while (n > 0 && out[n - 1] == ' ')
        n--;
    out[n] = '\0';
}

void pgconn_reason(const char *message, char *out, size_t size)
{
    char first[1000];

    (void)snprintf(first, sizeof first, "%.*s", (int)strcspn(message, "\n"), message);
    pgconn_line(strcmp(first, "invalid socket") == 0 ? "" : first, out, size);
}

/* Of each host that was tried a line, and behind it hints that begin with a tab: those
 * that ask a question help. */
static void drop_hints(const char *message, char *out, size_t size)
{
    struct buf kept = BUF_INIT;

    for (const char *line = message; *line;) {
        size_t n = strcspn(line, "\n");

        n += line[n] == '\n';
        if (*line != '\t' || memchr(line, '?', n))
            buf_add(&kept, line, n);
        line += n;
    }
    pgconn_line(kept.failed ? message : buf_str(&kept), out, size);
    buf_release(&kept);
}

static void notice(void *unused, const char *message)
{
    char line[1024];

    (void)unused;
    pgconn_line(message, line, sizeof line);
    log_detail("%s", line);
}

/* libpq's own words would quote what it could not read, which may be a password. */
static int check_conninfo(const char *s, struct err *e)
{
    bool uri = strncmp(s, "postgresql://", 13) == 0 || strncmp(s, "postgres://", 11) == 0;
    PQconninfoOption *parsed;
    char *reason = NULL;

    if (!uri && !strchr(s, '='))
        return 0; /* a database's name */
    parsed = PQconninfoParse(s, &reason);
    PQfreemem(reason);
    if (!parsed)
        return err_set(e, EXIT_USAGE,
                       "could not read the connection string: it is neither \"name=value\" pairs "
                       "nor a URI that libpq takes");
    PQconninfoFree(parsed);
    return 0;
}

/* libpq leaves connect_timeout to those who do not block, but only libpq can
 * pass on to the next host; so with a time-out, which bounds the wait, block. */
static bool has_timeout(PGconn *conn)
{
    PQconninfoOption *all = PQconninfo(conn);
    PQconninfoOption *o;
    bool found = false;

    for (o = all; o && o->keyword; o++) {
        if (strcmp(o->keyword, "connect_timeout") == 0)
            found = o->val && o->val[0] && strcmp(o->val, "0") != 0;
    }
    PQconninfoFree(all);
    return found;
}

static int fail(PGconn *conn, struct err *e)
{
    char line[900];

    drop_hints(PQerrorMessage(conn), line, sizeof line);
    return err_set(e, EXIT_FAILED, "could not connect to the database: %s",
                   line[0] ? line : "the connection is closed");
}

static int finish_connecting(PGconn *conn, const struct pg_options *o, struct err *e)
{
    PostgresPollingStatusType s = PGRES_POLLING_WRITING;

    while (s != PGRES_POLLING_OK) {
        struct pollfd p = {PQsocket(conn), s == PGRES_POLLING_READING ? POLLIN : POLLOUT, 0};
        int n;

        if (s == PGRES_POLLING_FAILED || PQstatus(conn) == CONNECTION_BAD)
            return fail(conn, e);
        if (o->interrupted && *o->interrupted)
            return err_set(e, EXIT_FAILED, "interrupted");
        n = poll(&p, 1, PGCONN_TICK_MS);
        if (n > 0 || (n < 0 && errno != EINTR))
            s = PQconnectPoll(conn);
    }
    return 0;
}

/* Older servers lack what tells a committed batch from one that is not. */
static int check_version(PGconn *conn, struct err *e)
{
    int version = PQserverVersion(conn);

    if (version >= OLDEST_SERVER * 10000)
        return 0;
    return err_set(e, EXIT_USAGE, "the server is PostgreSQL %d, and the oldest that will do is %d",
                   version / 10000, OLDEST_SERVER);
}

int pgconn_open(PGconn **conn, const struct pg_options *o, struct err *e)
{
    /* What comes before dbname can be overruled by the user, what comes after cannot. */
    const char *const names[] = {"fallback_application_name",
                                 "keepalives_idle",
                                 "keepalives_interval",
                                 "keepalives_count",
                                 "dbname",
                                 "client_encoding",
                                 NULL};
    const char *const values[] = {o->application, "60", "10", "5", o->conninfo, "UTF8", NULL};

    *conn = NULL;
    if (o->conninfo && check_conninfo(o->conninfo, e) != 0)
        return -1;
    *conn = PQconnectStartParams(names, values, 1);
    if (*conn && PQstatus(*conn) != CONNECTION_BAD && has_timeout(*conn)) {
        PQfinish(*conn);
        *conn = PQconnectdbParams(names, values, 1);
    }
    if (!*conn)
        return err_oom(e);
    (void)PQsetNoticeProcessor(*conn, notice, NULL);
    if (PQstatus(*conn) != CONNECTION_OK && finish_connecting(*conn, o, e) != 0)
        return -1;
    if (check_version(*conn, e) != 0)
        return -1;
    if (PQsetnonblocking(*conn, 1) != 0)
        return fail(*conn, e);
    return 0;
}

void pg_library_version(char *out, size_t size)
{
    int v = PQlibVersion();

    (void)snprintf(out, size, "libpq %d.%d", v / 10000, v % 10000);
}
