/* store.h - what is read from the application's database.
 *
 * Verbs, not queries: each runs one statement of lib/sql/ in the naming that
 * schema.h found. Rows arrive through a callback, one at a time; the pointers
 * in them are valid until it returns. A callback returns 0 to go on or -1 with
 * its struct err filled, which ends the read and is passed on.
 */
#ifndef RECONCILE_STORE_H
#define RECONCILE_STORE_H

#include "decide.h"
#include "err.h"
#include "ident.h"

#include <signal.h>

struct store;

struct store_options {
    const char *conninfo;    /* libpq connection string or URI; NULL or "" = libpq's defaults */
    const char *application; /* application_name, e.g. "replay" */
    const volatile sig_atomic_t *interrupted; /* non-zero: cancel what runs and fail; may be NULL */
};

/* The kinds of the ids, by table. */
struct store_kinds {
    enum ident_kind contact, campaign, instance, tenant;
};

/* Connects, sets the session up and finds tables and columns in the catalog.
 * No connection: EXIT_FAILED with libpq's reason in one line. A missing table
 * or column, or an id of another type: EXIT_USAGE naming it. */
int store_open(struct store **s, const struct store_options *o, struct err *e);
void store_close(struct store *s); /* s may be NULL */

struct store_kinds store_kinds(const struct store *s);
/* What a correction should write besides the row and cannot, for want of a table
 * or column: note i, NULL after the last. health: the counters of the day, too. */
const char *store_note(const struct store *s, size_t i, bool health);

const char *store_database(const struct store *s);  /* its name, for messages */
const char *store_row_table(const struct store *s); /* of the contact rows, as SQL names it */

/* Can every text be sent? A database of another encoding than UTF8 refuses the letters
 * that it lacks. */
bool store_takes_any_text(const struct store *s);

/* The lock of writing runs, an advisory lock of the session: tried until `wait`
 * µs have passed; EXIT_LOCKED. Its key is the bytes "reconcil" as a bigint. */
#define STORE_LOCK_KEY INT64_C(8243104023216089452)
int store_lock(struct store *s, int64_t wait, struct err *e);

/* One REPEATABLE READ READ ONLY transaction around all reads of a run.
 * *at is the database's now(). store_snapshot_end is harmless without one. */
int store_snapshot_begin(struct store *s, int64_t *at, struct err *e);
int store_snapshot_end(struct store *s, struct err *e);

struct store_instance {
    struct ident id, tenant;
    bool has_tenant;             /* false: a global instance */
    struct slice name;           /* instance_name */
    struct slice evolution_name; /* p NULL where the column is absent or NULL */
    bool is_evolution;           /* integration_type; true where the column is absent */
    bool is_active;              /* likewise */
};

struct counters {
    int64_t total, count[M_COUNT]; /* -1 where NULL is stored */
};

struct store_campaign {
    struct ident id, tenant;
    struct slice name;
    struct counters stored;
};

/* A CampaignContact. */
struct store_row {
    struct ident id, campaign, instance_used;
    bool has_instance;       /* instance_used is set */
    struct slice message_id; /* whatsapp_message_id; p NULL for NULL */
    struct slice status;     /* as stored, for the warning about an unknown one */
    struct row_state state;
};

typedef int store_instance_fn(void *ctx, const struct store_instance *i, struct err *e);
typedef int store_campaign_fn(void *ctx, const struct store_campaign *c, struct err *e);
typedef int store_row_fn(void *ctx, const struct store_row *r, struct err *e);

int store_read_instances(struct store *s, store_instance_fn *fn, void *ctx, struct err *e);

/* All campaigns. */
int store_read_campaigns(struct store *s, store_campaign_fn *fn, void *ctx, struct err *e);

/* The rows of the whole database whose message id is one of the n given (which
 * are distinct; the caller bounds n, about 50,000 at a time). `state` and
 * `status` are not filled. */
int store_find_rows(struct store *s, const struct slice *message_ids, size_t n, store_row_fn *fn,
                    void *ctx, struct err *e);

/* All rows of n campaigns (ids NULL: of all campaigns) through one COPY, in no
 * order. */
int store_read_rows(struct store *s, const struct ident *campaigns, size_t n, store_row_fn *fn,
                    void *ctx, struct err *e);

/* The rows with these ids, as they are now. */
int store_read_rows_by_id(struct store *s, const struct ident *ids, size_t n, store_row_fn *fn,
                          void *ctx, struct err *e);

/* The campaigns with a row whose sent_at lies in [since, until); TIME_NONE: no bound. */
typedef int store_campaign_id_fn(void *ctx, struct ident campaign, struct err *e);
int store_find_sent(struct store *s, int64_t since, int64_t until, store_campaign_id_fn *fn,
                    void *ctx, struct err *e);

/* A row whose message may still move: sending, sent or delivered, with a
 * message id. */
struct store_unsettled {
    struct ident id, campaign, instance_used;
    bool has_instance;
    struct slice message_id;
    int64_t sent_at,
        created_at; /* TIME_NONE: NULL; created_at also where there is no such column */
};

/* Those of n campaigns (ids NULL: of all) sent, or where sent_at is NULL made,
 * in [since, until). *total: how many there are of any time. */
typedef int store_unsettled_fn(void *ctx, const struct store_unsettled *r, struct err *e);
int store_read_unsettled(struct store *s, const struct ident *campaigns, size_t n, int64_t since,
                         int64_t until, store_unsettled_fn *fn, void *ctx, uint64_t *total,
                         struct err *e);

/* Which instances campaigns may use; nothing where there is no such table. */
typedef int store_assigned_fn(void *ctx, struct ident campaign, struct ident instance,
                              struct err *e);
int store_read_assigned(struct store *s, store_assigned_fn *fn, void *ctx, struct err *e);

/* A message_sent row of the log that names its instance. */
struct store_sender {
    struct ident row, instance;
    int64_t at; /* created_at */
};

/* All of n campaigns (ids NULL: of all), in no order. Tells nothing where there
 * is no usable log table. */
typedef int store_sender_fn(void *ctx, const struct store_sender *x, struct err *e);
int store_read_senders(struct store *s, const struct ident *campaigns, size_t n,
                       store_sender_fn *fn, void *ctx, struct err *e);

/* For --rebuild: per campaign and instance that sent its rows (instance_used,
 * else that of the row's latest message_sent log row, else none), over rows
 * with a sent_at: the first sent_at and the latest of all four times. */
struct store_span {
    struct ident campaign, instance;
    bool has_instance;
    int64_t first_sent, last;
};
typedef int store_span_fn(void *ctx, const struct store_span *s, struct err *e);
int store_read_spans(struct store *s, const struct ident *campaigns, size_t n, store_span_fn *fn,
                     void *ctx, struct err *e);

/* For plans and journals. */
#define STORE_TEXT_SIZE 32

/* The system identifier of the cluster, in digits. 1; 0 where the role may not
 * ask, and then out is "". */
int store_read_system(struct store *s, char out[STORE_TEXT_SIZE], struct err *e);

/* What became of a transaction. */
enum store_xact {
    STORE_XACT_COMMITTED,
    STORE_XACT_ABORTED,
    STORE_XACT_IN_PROGRESS,
    STORE_XACT_FORGOTTEN, /* too old: the server no longer knows */
    STORE_XACT_FUTURE     /* the server has not come to that number */
};
int store_xact_status(struct store *s, int64_t xid, enum store_xact *status, struct err *e);

#endif
