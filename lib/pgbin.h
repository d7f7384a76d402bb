/* pgbin.h - PostgreSQL's binary forms: values, arrays, COPY's format.
 *
 * Bytes only, no connection. Integers are big-endian; a timestamptz is µs since
 * 2000-01-01 UTC. Infinite times are INT64_MAX and INT64_MIN + 1 here; a time
 * too late for µs since 1970 reads as infinite.
 */
#ifndef RECONCILE_PGBIN_H
#define RECONCILE_PGBIN_H

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "ident.h"
#include "slice.h"

/* Object ids of built-in types, the same in every installation. */
enum pg_type {
    PG_BOOL = 16,
    PG_BYTEA = 17,
    PG_NAME = 19,
    PG_INT8 = 20,
    PG_INT2 = 21,
    PG_INT4 = 23,
    PG_TEXT = 25,
    PG_OID = 26,
    PG_JSON = 114,
    PG_BYTEA_ARRAY = 1001,
    PG_NAME_ARRAY = 1003,
    PG_INT2_ARRAY = 1005,
    PG_INT4_ARRAY = 1007,
    PG_TEXT_ARRAY = 1009,
    PG_INT8_ARRAY = 1016,
    PG_VARCHAR = 1043,
    PG_DATE = 1082,
    PG_TIMESTAMPTZ = 1184,
    PG_TIMESTAMPTZ_ARRAY = 1185,
    PG_UUID = 2950,
    PG_UUID_ARRAY = 2951,
    PG_JSONB = 3802
};

#define TIME_INFINITY INT64_MAX
#define TIME_MINUS_INFINITY (INT64_MIN + 1)

/* A row: v[i].p is NULL for NULL, else the value's binary form. Returns 0 to go
 * on, or -1 with *e filled, which ends the read. */
typedef int pg_row_fn(void *ctx, const struct slice *v, size_t n, struct err *e);

/* ---- values ---- */

/* An int2, int4 or int8, by its length; `null` for NULL or any other length. */
int64_t pg_get_int(struct slice v, int64_t null);
bool pg_get_bool(struct slice v);    /* NULL: false */
int64_t pg_get_time(struct slice v); /* timestamptz; NULL: TIME_NONE */

void pg_put_u16(struct buf *b, uint16_t v);
void pg_put_u32(struct buf *b, uint32_t v);
void pg_put_u64(struct buf *b, uint64_t v);

/* The value alone, without its length. type: PG_UUID, PG_INT2, PG_INT4, PG_INT8. */
void pg_put_ident(struct buf *b, enum pg_type type, struct ident id);

/* ---- one-dimensional arrays without NULLs ---- */

void pg_put_array(struct buf *b, enum pg_type element, size_t n); /* n elements follow */
void pg_put_ident_array(struct buf *b, enum pg_type element, const struct ident *ids, size_t n);

/* ---- COPY ... (FORMAT binary), and elements of arrays: length, then value ---- */

void pg_put_field(struct buf *b, struct slice v); /* v.p NULL: NULL */
void pg_put_field_ident(struct buf *b, enum pg_type type, struct ident id);
void pg_put_field_bool(struct buf *b, bool v);
void pg_put_field_int2(struct buf *b, int16_t v);
void pg_put_field_int4(struct buf *b, int32_t v);
void pg_put_field_time(struct buf *b, int64_t us); /* TIME_NONE: NULL */

void pg_put_copy_header(struct buf *b);
void pg_put_copy_row(struct buf *b, size_t n_fields); /* n fields follow */
void pg_put_copy_trailer(struct buf *b);

#define PG_COPY_COLUMNS 24

/* Reads COPY's output, cut anywhere. */
struct pg_copy_reader {
    struct buf carry; /* the beginning of a row whose end has not come */
    bool started;     /* the header has been read */
    bool ended;       /* the trailer has been read */
};

#define PG_COPY_READER_INIT                                                                        \
    {                                                                                              \
        BUF_INIT, false, false                                                                     \
    }

/* Calls fn for each row that is complete with these n bytes. */
int pg_copy_read(struct pg_copy_reader *r, const char *p, size_t n, pg_row_fn *fn, void *ctx,
                 struct err *e);
void pg_copy_reader_release(struct pg_copy_reader *r);

#endif
