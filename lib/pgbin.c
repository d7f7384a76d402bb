#include "pgbin.h"

#include <string.h>

/* 2000-01-01, PostgreSQL's epoch, in µs since 1970. */
#define EPOCH INT64_C(946684800000000)

#define COPY_SIGNATURE_SIZE 11
#define COPY_HEADER_SIZE 19 /* the signature, flags, length of the extension */

static const char copy_signature[] = "PGCOPY\n\377\r\n";

static uint64_t get_unsigned(const char *p, size_t n)
{
    uint64_t v = 0;
    size_t i;

    for (i = 0; i < n; i++)
        v = v << 8 | (unsigned char)p[i];
    return v;
}

int64_t pg_get_int(struct slice v, int64_t null)
{
    if (!v.p)
        return null;
    if (v.n == 2)
        return (int16_t)get_unsigned(v.p, 2);
    if (v.n == 4)
        return (int32_t)get_unsigned(v.p, 4);
    return v.n == 8 ? (int64_t)get_unsigned(v.p, 8) : null;
}

bool pg_get_bool(struct slice v)
{
    return v.p && v.n == 1 && v.p[0] != 0;
}

int64_t pg_get_time(struct slice v)
{
    int64_t t;

    if (!v.p || v.n != 8)
        return TIME_NONE;
    t = (int64_t)get_unsigned(v.p, 8);
    if (t == INT64_MIN)
        return TIME_MINUS_INFINITY;
    return t > INT64_MAX - EPOCH ? TIME_INFINITY : t + EPOCH;
}

static uint64_t time_to_pg(int64_t us)
{
    if (us == TIME_INFINITY)
        return INT64_MAX;
    /* Earlier than any time that pg_get_time gives: there is no such time. */
    if (us < INT64_MIN + EPOCH)
        return (uint64_t)1 << 63;
    return (uint64_t)(us - EPOCH);
}

static void put_unsigned(struct buf *b, uint64_t v, size_t n)
{
    char bytes[8];
    size_t i;

    for (i = 0; i < n; i++)
        bytes[i] = (char)(unsigned char)(v >> (8 * (n - 1 - i)));
    buf_add(b, bytes, n);
}

void pg_put_u16(struct buf *b, uint16_t v)
{
    put_unsigned(b, v, 2);
}

void pg_put_u32(struct buf *b, uint32_t v)
{
    put_unsigned(b, v, 4);
}

void pg_put_u64(struct buf *b, uint64_t v)
{
    put_unsigned(b, v, 8);
}

static size_t ident_size(enum pg_type type)
{
    if (type == PG_UUID)
        return 16;
    if (type == PG_INT8)
        return 8;
    return type == PG_INT4 ? 4 : 2;
}

void pg_put_ident(struct buf *b, enum pg_type type, struct ident id)
{
    if (type == PG_UUID) {
        pg_put_u64(b, id.hi);
        pg_put_u64(b, id.lo);
    } else {
        put_unsigned(b, id.lo ^ UINT64_C(1) << 63, ident_size(type));
    }
}

void pg_put_array(struct buf *b, enum pg_type element, size_t n)
{
    pg_put_u32(b, n > 0 ? 1 : 0); /* dimensions */
    pg_put_u32(b, 0);             /* no NULL in it */
    pg_put_u32(b, (uint32_t)element);
    if (n > 0) {
        pg_put_u32(b, (uint32_t)n);
        pg_put_u32(b, 1); /* lower bound */
    }
}

void pg_put_ident_array(struct buf *b, enum pg_type element, const struct ident *ids, size_t n)
{
    size_t i;

    pg_put_array(b, element, n);
    for (i = 0; i < n; i++)
        pg_put_field_ident(b, element, ids[i]);
}

void pg_put_field(struct buf *b, struct slice v)
{
    if (!v.p) {
        pg_put_u32(b, UINT32_MAX);
    } else if (v.n > INT32_MAX) {
        b->failed = true;
    } else {
        pg_put_u32(b, (uint32_t)v.n);
        buf_add(b, v.p, v.n);
    }
}

void pg_put_field_ident(struct buf *b, enum pg_type type, struct ident id)
{
    pg_put_u32(b, (uint32_t)ident_size(type));
    pg_put_ident(b, type, id);
}

void pg_put_field_bool(struct buf *b, bool v)
{
    pg_put_u32(b, 1);
    buf_addc(b, v ? 1 : 0);
}

void pg_put_field_int2(struct buf *b, int16_t v)
{
    pg_put_u32(b, 2);
    pg_put_u16(b, (uint16_t)v);
}

void pg_put_field_int4(struct buf *b, int32_t v)
{
    pg_put_u32(b, 4);
    pg_put_u32(b, (uint32_t)v);
}

void pg_put_field_time(struct buf *b, int64_t us)
{
    if (us == TIME_NONE) {
        pg_put_u32(b, UINT32_MAX);
    } else {
        pg_put_u32(b, 8);
        pg_put_u64(b, time_to_pg(us));
    }
}

void pg_put_copy_header(struct buf *b)
{
    buf_add(b, copy_signature, COPY_SIGNATURE_SIZE);
    pg_put_u32(b, 0);
    pg_put_u32(b, 0);
}

void pg_put_copy_row(struct buf *b, size_t n_fields)
{
    pg_put_u16(b, (uint16_t)n_fields);
}

void pg_put_copy_trailer(struct buf *b)
{
    pg_put_u16(b, UINT16_MAX);
}

/* Bytes of the header at p, 0 where they are not all there yet, -1 where it is none. */
static int64_t header_size(const char *p, size_t n)
{
    size_t seen = n < COPY_SIGNATURE_SIZE ? n : COPY_SIGNATURE_SIZE;
    size_t size;

    if (memcmp(p, copy_signature, seen) != 0)
        return -1;
    if (n < COPY_HEADER_SIZE)
        return 0;
    size = COPY_HEADER_SIZE + (size_t)get_unsigned(p + 15, 4);
    return n < size ? 0 : (int64_t)size;
}

/* As header_size, for the row at p, whose fields are pointed to by v. A trailer
 * is a row of *columns = SIZE_MAX. */
static int64_t row_size(const char *p, size_t n, struct slice *v, size_t *columns)
{
    size_t at = 2, i;

    if (n < 2)
        return 0;
    *columns = (size_t)get_unsigned(p, 2);
    if (*columns == UINT16_MAX) {
        *columns = SIZE_MAX;
        return 2;
    }
    if (*columns > PG_COPY_COLUMNS)
        return -1;
    for (i = 0; i < *columns; i++) {
        uint32_t length;

        if (n - at < 4)
            return 0;
        length = (uint32_t)get_unsigned(p + at, 4);
        at += 4;
        v[i] = SLICE_NONE;
        if (length == UINT32_MAX)
            continue;
        if (n - at < length)
            return 0;
        v[i] = (struct slice){p + at, length};
        at += length;
    }
    return (int64_t)at;
}

/* Takes what is complete of the n bytes at p; *used says how much that was. */
static int read_rows(struct pg_copy_reader *r, const char *p, size_t n, size_t *used, pg_row_fn *fn,
                     void *ctx, struct err *e)
{
    struct slice v[PG_COPY_COLUMNS];
    size_t columns = 0, at = 0;

    while (at < n && !r->ended) {
        int64_t size =
            r->started ? row_size(p + at, n - at, v, &columns) : header_size(p + at, n - at);

        if (size < 0)
            return err_set(e, EXIT_FAILED, "COPY sent something that is not its binary format");
        if (size == 0)
            break;
        at += (size_t)size;
        if (!r->started)
            r->started = true;
        else if (columns == SIZE_MAX)
            r->ended = true;
        else if (fn(ctx, v, columns, e) != 0)
            return -1;
    }
    *used = r->ended ? n : at;
    return 0;
}

int pg_copy_read(struct pg_copy_reader *r, const char *p, size_t n, pg_row_fn *fn, void *ctx,
                 struct err *e)
{
    size_t used = 0;

    /* The server sends whole rows, so there is normally nothing to carry. */
    if (r->carry.len > 0) {
        buf_add(&r->carry, p, n);
        if (r->carry.failed)
            return err_oom(e);
        if (read_rows(r, r->carry.data, r->carry.len, &used, fn, ctx, e) != 0)
            return -1;
        memmove(r->carry.data, r->carry.data + used, r->carry.len - used);
        r->carry.len -= used;
        return 0;
    }
    if (read_rows(r, p, n, &used, fn, ctx, e) != 0)
        return -1;
    buf_add(&r->carry, p + used, n - used);
    return r->carry.failed ? err_oom(e) : 0;
}

void pg_copy_reader_release(struct pg_copy_reader *r)
{
    buf_release(&r->carry);
}
