#include "pgbin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

/* What the rows of a COPY said, as text: values by ',', rows by ';'. */
struct seen {
    char text[256];
    size_t n, stop_at;
};

static int see(void *ctx, const struct slice *v, size_t n, struct err *e)
{
    struct seen *s = ctx;
    size_t i;

    for (i = 0; i < n; i++) {
        size_t used = strlen(s->text);

        (void)snprintf(s->text + used, sizeof s->text - used, "%.*s%s", v[i].p ? (int)v[i].n : 4,
                       v[i].p ? v[i].p : "null", i + 1 < n ? "," : ";");
    }
    return ++s->n == s->stop_at ? err_set(e, EXIT_FAILED, "enough") : 0;
}

static void put_rows(struct buf *b)
{
    pg_put_copy_header(b);
    pg_put_copy_row(b, 2);
    pg_put_field(b, slice_of("one"));
    pg_put_field(b, SLICE_NONE);
    pg_put_copy_row(b, 1);
    pg_put_field(b, slice_of(""));
    pg_put_copy_row(b, 2);
    pg_put_field(b, slice_of("two"));
    pg_put_field(b, slice_of("three"));
    pg_put_copy_trailer(b);
    assert_false(b->failed);
}

static void a_copy_is_read_however_it_is_cut(void **state)
{
    struct buf b = BUF_INIT;
    size_t piece, at;

    (void)state;
    put_rows(&b);
    for (piece = 1; piece <= b.len; piece++) {
        struct pg_copy_reader r = PG_COPY_READER_INIT;
        struct seen seen = {"", 0, 0};
        struct err e = ERR_INIT;

        for (at = 0; at < b.len; at += piece) {
            size_t n = b.len - at < piece ? b.len - at : piece;

            assert_int_equal(pg_copy_read(&r, b.data + at, n, see, &seen, &e), 0);
        }
        assert_true(r.ended);
        assert_string_equal(seen.text, "one,null;;two,three;");
        pg_copy_reader_release(&r);
    }
    buf_release(&b);
}

static void a_copy_of_another_format_is_refused(void **state)
{
    struct pg_copy_reader r = PG_COPY_READER_INIT;
    struct seen seen = {"", 0, 0};
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(pg_copy_read(&r, "1\tone\n", 6, see, &seen, &e), -1);
    assert_int_equal(e.status, EXIT_FAILED);
    pg_copy_reader_release(&r);
}

static void a_callback_ends_the_copy(void **state)
{
    struct pg_copy_reader r = PG_COPY_READER_INIT;
    struct seen seen = {"", 0, 2};
    struct err e = ERR_INIT;
    struct buf b = BUF_INIT;

    (void)state;
    put_rows(&b);
    assert_int_equal(pg_copy_read(&r, b.data, b.len, see, &seen, &e), -1);
    assert_string_equal(e.text, "enough");
    assert_string_equal(seen.text, "one,null;;");
    pg_copy_reader_release(&r);
    buf_release(&b);
}

/* The time after a way to the server and back. */
static int64_t there_and_back(int64_t us)
{
    struct buf b = BUF_INIT;
    int64_t back = TIME_NONE;

    pg_put_field_time(&b, us);
    assert_false(b.failed);
    if (b.len == 12)
        back = pg_get_time((struct slice){b.data + 4, 8});
    else
        assert_memory_equal(b.data, "\377\377\377\377", 4); /* NULL */
    buf_release(&b);
    return back;
}

static void times_survive_the_way_there_and_back(void **state)
{
    static const int64_t times[] = {
        TIME_NONE,          TIME_MINUS_INFINITY, TIME_INFINITY, 0, -1, 1,
        INT64_C(946684800000000) /* PostgreSQL's epoch */,
        TIME_EVENT_MIN,     TIME_EVENT_MAX,
        -INT64_C(210866803200000000) /* 4714 BC, its first */,
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_true(there_and_back(times[i]) == times[i]);
    /* 2000-01-01 is its zero. */
    assert_true(pg_get_time((struct slice){"\0\0\0\0\0\0\0\0", 8}) == INT64_C(946684800000000));
    /* The year 294276, too late for µs since 1970, is not another time. */
    assert_true(pg_get_time((struct slice){"\177\377\377\377\0\0\0\0", 8}) == TIME_INFINITY);
}

static void ids_have_the_width_of_their_type(void **state)
{
    static const enum pg_type types[] = {PG_INT2, PG_INT4, PG_INT8, PG_UUID};
    static const size_t sizes[] = {2, 4, 8, 16};
    static const char *const texts[] = {"-2", "300", "-9000000000",
                                        "0f8fad5b-d9cb-469f-a165-70867728950e"};
    struct ident id, back;
    size_t i;

    (void)state;
    for (i = 0; i < 4; i++) {
        enum ident_kind kind = types[i] == PG_UUID ? IDENT_UUID : IDENT_INT;
        struct buf b = BUF_INIT;

        assert_true(ident_parse(kind, texts[i], strlen(texts[i]), &id));
        pg_put_ident(&b, types[i], id);
        assert_int_equal(b.len, sizes[i]);
        assert_true(ident_decode(kind, (const unsigned char *)b.data, b.len, &back));
        assert_true(ident_eq(id, back));
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_copy_is_read_however_it_is_cut),
        cmocka_unit_test(a_copy_of_another_format_is_refused),
        cmocka_unit_test(a_callback_ends_the_copy),
        cmocka_unit_test(times_survive_the_way_there_and_back),
        cmocka_unit_test(ids_have_the_width_of_their_type),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
