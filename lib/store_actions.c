#include "store_pg.h"

#include "sql.h"

#include <stdio.h>

static int take_text(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    char *out = ctx;

    (void)n;
    (void)e;
    (void)snprintf(out, STORE_TEXT_SIZE, "%.*s", (int)v[0].n, v[0].p ? v[0].p : "");
    return 0;
}

int store_read_system(struct store *s, char out[STORE_TEXT_SIZE], struct err *e)
{
    struct err denied = ERR_INIT;
    struct pg_query q = {
        "read the system identifier", sql_system_identifier, NULL, 0, take_text, out};

    out[0] = '\0';
    if (pg_run(store_pg(s), &q, &denied) == 0)
        return 1;
    if (strcmp(pg_sqlstate(store_pg(s)), "42501") == 0) /* insufficient_privilege */
        return 0;
    *e = denied;
    return -1;
}

int store_xact_status(struct store *s, int64_t xid, enum store_xact *status, struct err *e)
{
    char word[STORE_TEXT_SIZE] = "";
    struct buf number = BUF_INIT;
    struct pg_param param = {PG_INT8, SLICE_NONE};
    struct pg_query q = {
        "ask what became of a transaction", sql_xact_status, &param, 1, take_text, word};
    int rc;

    pg_put_u64(&number, (uint64_t)xid);
    param.value = (struct slice){number.data, number.len};
    rc = number.failed ? err_oom(e) : pg_run(store_pg(s), &q, e);
    buf_release(&number);
    if (rc == 0)
        *status = strcmp(word, "committed") == 0     ? STORE_XACT_COMMITTED
                  : strcmp(word, "aborted") == 0     ? STORE_XACT_ABORTED
                  : strcmp(word, "in progress") == 0 ? STORE_XACT_IN_PROGRESS
                                                     : STORE_XACT_FORGOTTEN;
    else if (strcmp(pg_sqlstate(store_pg(s)), "22023") == 0) /* "is in the future" */
        *status = STORE_XACT_FUTURE;
    else
        return -1;
    return 0;
}
