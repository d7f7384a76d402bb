#include "records.h"

#include <malloc.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "helpers.h"
#include "records_found.h"

#define NO_LIMIT ((size_t)1 << 30)

/* --- reading in chunks --- */

struct feed {
    const char *p;
    size_t n;
    struct rng *r; /* NULL: as much as is asked for */
    unsigned most; /* bytes a read */
};

static ssize_t feed_read(void *ctx, void *p, size_t n)
{
    struct feed *f = ctx;
    size_t chunk = f->r ? 1 + rng_below(f->r, f->most) : n;

    assert_true(n > 0);
    chunk = chunk < n ? chunk : n;
    chunk = chunk < f->n ? chunk : f->n;
    memcpy(p, f->p, chunk);
    f->p += chunk;
    f->n -= chunk;
    return (ssize_t)chunk;
}

static const char *show(const char *p, size_t n)
{
    static char text[1024];
    size_t used = 0, i;

    for (i = 0; i < n && used < sizeof text - 8; i++) {
        unsigned char c = (unsigned char)p[i];

        used += (size_t)snprintf(text + used, sizeof text - used,
                                 c >= 0x20 && c < 0x7f ? "%c" : "<%02x>", c);
    }
    text[used] = '\0';
    return text;
}

static void check_record(const char *p, size_t n, const struct record *rec,
                         const struct records_found *l)
{
    const struct found *want = rec->number <= l->n ? &l->found[rec->number - 1] : NULL;

    if (!want || rec->kind != want->kind || rec->offset != want->offset ||
        rec->bytes != want->bytes)
        fail_msg("record %llu of %zu is of kind %d at %llu, %llu bytes; not kind %d at %zu, %zu "
                 "bytes: %s",
                 (unsigned long long)rec->number, l->n, rec->kind, (unsigned long long)rec->offset,
                 (unsigned long long)rec->bytes, want ? (int)want->kind : -1,
                 want ? want->offset : 0, want ? want->bytes : 0, show(p, n));
    if (rec->kind == RECORD_UNREAD)
        return;
    if (rec->bytes <= RECORD_HEAD || rec->kind == RECORD_TEXT)
        assert_int_equal(rec->len, rec->bytes);
    else
        assert_in_range(rec->len, RECORD_HEAD, rec->bytes);
    assert_memory_equal(rec->text, p + rec->offset, rec->len);
    if (rec->kind == RECORD_BROKEN)
        assert_in_range(rec->broke, rec->offset, n);
}

/* Reads p[0 .. n) and expects what the reference finds. r: chunks of 1 to most bytes. */
static void check(const char *p, size_t n, size_t max, struct rng *r, unsigned most,
                  struct records_found *l)
{
    struct feed f = {p, n, r, most};
    struct records *records = records_new(feed_read, &f, max);
    struct err e = ERR_INIT;
    struct record rec;
    uint64_t number = 0;
    int status;

    assert_non_null(records);
    while ((status = records_next(records, &rec, &e)) > 0) {
        assert_int_equal(rec.number, ++number);
        check_record(p, n, &rec, l);
    }
    assert_int_equal(status, 0);
    if (number != l->n)
        fail_msg("%llu records instead of %zu: %s", (unsigned long long)number, l->n, show(p, n));
    assert_int_equal(records_next(records, &rec, &e), 0); /* and it stays at the end */
    records_free(records);
}

static void agrees(const char *p, size_t n, size_t max, struct rng *r, struct records_found *l)
{
    records_find(p, n, max, l);
    check(p, n, max, NULL, 0, l);
    check(p, n, max, r, 1 + rng_below(r, n > 3000 ? 3000 : 12), l);
}

/* --- random archives --- */

static void gen_piece(struct rng *r, struct buf *b)
{
    static const char *const pieces[] = {
        "{\"event\":\"messages.update\",\"data\":{\"n\":1}}",
        "{\"event\":\"MESSAGES_UPDATE\",\"data\":[]}",
        "{\"event\":\"messages-Update\"}",
        "{\"event\":\"messages.upsert\",\"data\":{\"a\":\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\"}}",
        "{\"event\":\"messages\\u002eupdate\"}",
        "{\"a\":\"\\u00e9\"}",
        "{}",
        "{\"a\":\"b\\\\u\"}",
        "{not json}",
        "{\"a\":1}{\"b\":2}",
        "{\"a\":1} , {\"event\":\"messages.update\"}",
        "{\n  \"a\": 1,\n  \"b\": [\n    {}\n  ]\n}",
        "{\"event\":\n\"messages.update\",\r\n\"data\":\n\n{}\n}",
        "{\"a\":[",
        "{\"a\":\"messages.update",
        "{\"a\":1,",
        "{",
        "}",
        "]",
        "[",
        "[\n",
        ",",
        ",\n",
        " ",
        "\t",
        "\n",
        "\r\n",
        "\n\n",
        "garbage",
        "null",
        "\"text\"",
        "<html>messages.update</html>",
        "\xEF\xBB\xBF",
        "{\"a\":\"\xFF\"}",
        "{\"a\":\"messages.update\xFF\"}",
        "{\"a\":1}x",
        "x{\"a\":1}",
        "{\"a\":1}}",
        "{\"a\":01,\n\"event\":\"messages.update\"}",
        "{\"deep\":[[[[{\"a\":{}}]]]]}",
    };

    if (rng_one_in(r, 8)) {
        gen_document(r, b);
    } else {
        buf_adds(b, RNG_PICK(r, pieces));
    }
    if (!rng_one_in(r, 4))
        buf_adds(b, rng_one_in(r, 4) ? "\r\n" : "\n");
}

static void gen_archive(struct rng *r, struct buf *b)
{
    unsigned n = rng_below(r, 14);

    buf_clear(b);
    if (rng_one_in(r, 5))
        buf_adds(b, "\xEF\xBB\xBF");
    while (n-- > 0)
        gen_piece(r, b);
    for (n = rng_below(r, 4); n > 2; n--)
        gen_damage(r, b);
}

static void random_archives_are_read_as_the_rules_say(void **state)
{
    struct rng r = {21};
    struct buf b = BUF_INIT;
    struct records_found l = {NULL, 0, 0};
    int i;

    (void)state;
    for (i = 0; i < CASES(60000); i++) {
        gen_archive(&r, &b);
        agrees(buf_str(&b), b.len, NO_LIMIT, &r, &l);
    }
    free(l.found);
    buf_release(&b);
}

static void a_small_limit_on_records_is_kept_as_the_rules_say(void **state)
{
    struct rng r = {22};
    struct buf b = BUF_INIT;
    struct records_found l = {NULL, 0, 0};
    int i;

    (void)state;
    for (i = 0; i < CASES(60000); i++) {
        gen_archive(&r, &b);
        agrees(buf_str(&b), b.len, 1 + rng_below(&r, 90), &r, &l);
    }
    free(l.found);
    buf_release(&b);
}

/* All archives of up to six of these bytes, and longer ones at random. */
static void archives_of_few_kinds_of_bytes_are_read_as_the_rules_say(void **state)
{
    static const char letters[] = "{}\"\n:1,x";
    static const char more[] = "{{}}\"\"\n\n\r:1,[]x \\";
    struct rng r = {23};
    struct records_found l = {NULL, 0, 0};
    char text[48];
    unsigned i, n, k;

    (void)state;
    for (i = 0; i < 8u * 8 * 8 * 8 * 8 * 8; i += STRIDE) {
        unsigned code = i;

        for (k = 0; k < 6; k++, code /= 8)
            text[k] = letters[code % 8];
        records_find(text, 6, NO_LIMIT, &l);
        check(text, 6, NO_LIMIT, NULL, 0, &l);
    }
    for (i = 0; i < 200000; i += STRIDE) {
        n = rng_below(&r, sizeof text);
        for (k = 0; k < n; k++)
            text[k] = more[rng_below(&r, sizeof more - 1)];
        agrees(text, n, rng_one_in(&r, 2) ? NO_LIMIT : 1 + rng_below(&r, 12), &r, &l);
    }
    free(l.found);
}

/* Records longer than any window, at every limit around their size. */
static void long_records_are_read_as_the_rules_say(void **state)
{
    static const char *const ends[] = {"\"}\n", "\"}\r\n", "\"} {\"a\":1}\n", "\n",
                                       "",      "\"}x\n",  "\"\n}\n"};
    static const char *const beginnings[] = {"{\"a\":\"", "{\"messages.update\":\"", "x\"",
                                             "[{\n\"a\":\""};
    struct rng r = {24};
    struct buf b = BUF_INIT;
    struct records_found l = {NULL, 0, 0};
    int i;

    (void)state;
    for (i = 0; i < CASES(200); i++) {
        size_t n = rng_below(&r, 2) ? rng_below(&r, 900000) : (256u << 10) - 20 + rng_below(&r, 40);
        size_t max = rng_one_in(&r, 3) ? NO_LIMIT : n - n / 4 + rng_below(&r, (unsigned)n / 2 + 50);

        gen_archive(&r, &b);
        buf_addc(&b, '\n');
        if (rng_one_in(&r, 2))
            max = n + rng_below(&r, 24);
        buf_adds(&b, RNG_PICK(&r, beginnings));
        if (buf_reserve(&b, n)) {
            memset(b.data + b.len, 'y', n);
            b.len += n;
            b.data[b.len] = '\0';
        }
        buf_adds(&b, RNG_PICK(&r, ends));
        gen_piece(&r, &b);
        records_find(b.data, b.len, max, &l);
        check(b.data, b.len, max, NULL, 0, &l);
        check(b.data, b.len, max, &r, 1 + rng_below(&r, 200000), &l);
    }
    free(l.found);
    buf_release(&b);
}

/* The words for which a line is read, at every place of a line. */
static void no_line_that_may_concern_us_goes_unread(void **state)
{
    static const char *const words[] = {"messages.update", "MESSAGES_UPDATE", "mEsSaGeS-uPdAtE",
                                        "\\u0041"};
    static const char *const others[] = {"messages+update",
                                         "messages.updat",
                                         "nessages.update",
                                         "messagesNupdate",
                                         "\\n",
                                         "\\\\",
                                         "U0041",
                                         "M"};
    struct rng r = {25};
    struct records_found l = {NULL, 0, 0};
    size_t at, n, i;
    char line[128];

    (void)state;
    for (at = 0; at < 70; at += STRIDE) {
        for (n = at; n < 70; n += 1 + at % 3) {
            for (i = 0; i < COUNT_OF(words) + COUNT_OF(others); i++) {
                bool ours = i < COUNT_OF(words);
                const char *word = ours ? words[i] : others[i - COUNT_OF(words)];
                int len = snprintf(
                    line, sizeof line, "{\"%.*s%s%.*s\":1}", (int)at,
                    "xmxdx xmmddxmessages xxmmdd messages xxmxdxmx  xmdxdmxdmxx xxxxxxxxxxxxx",
                    word, (int)(n - at),
                    "xupdate xxmmmddxx mxmxmdmxdxmxdmxd xxmxdx xmmddxmxmxmxmxmdxxxxxxxxxxxxxxx");

                agrees(line, (size_t)len, NO_LIMIT, &r, &l);
                if (l.n != 1 || l.found[0].kind != (ours ? RECORD_TEXT : RECORD_UNREAD))
                    fail_msg("%s: %s", ours ? "unread" : "read", line);
            }
        }
    }
    free(l.found);
}

/* --- memory and time --- */

/* A line of as many reads as it likes, each as long as it may be; then a record. */
struct endless {
    unsigned reads;
    const char *begin, *end;
};

static ssize_t endless_read(void *ctx, void *p, size_t n)
{
    struct endless *f = ctx;
    const char *text = f->begin;
    size_t len;

    if (f->reads == 0)
        text = f->end;
    len = strlen(text);
    memcpy(p, text, len);
    if (f->reads == 0) {
        f->end = "";
        return (ssize_t)len;
    }
    memset((char *)p + len, 'y', n - len);
    f->begin = "";
    f->reads--;
    return (ssize_t)n;
}

static void a_stretch_of_any_length_is_read_in_bounded_memory(void **state)
{
    static const char *const begins[] = {"x", "{\"a\":\"", "{x", "{\"messages.update\":\"",
                                         "{\n\"a\":\n\""};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(begins); i++) {
        struct endless f = {600, begins[i], "\n{\"last\":1}\n"};
        struct records *records = records_new(endless_read, &f, 1 << 20);
        size_t before = mallinfo2().uordblks, bytes = 0;
        struct err e = ERR_INIT;
        struct record rec;

        assert_non_null(records);
        assert_int_equal(records_next(records, &rec, &e), 1);
        assert_int_equal(rec.kind, i == 0 || i == 2 ? RECORD_BROKEN : RECORD_TOO_LARGE);
        bytes = rec.bytes;
        assert_in_range(rec.len, RECORD_HEAD, (size_t)2 << 20);
        assert_memory_equal(rec.text, begins[i], strlen(begins[i]));
        assert_in_range(mallinfo2().uordblks, 0, before + ((size_t)4 << 20));
        assert_int_equal(records_next(records, &rec, &e), 1);
        assert_int_equal(rec.kind, RECORD_UNREAD);
        assert_int_equal(rec.number, 2);
        assert_int_equal(rec.offset, bytes + 1);
        assert_int_equal(rec.bytes, 10);
        assert_int_equal(records_next(records, &rec, &e), 0);
        records_free(records);
    }
}

/* Lines that each begin a text, as long runs of a broken archive do. */
static void a_broken_archive_is_read_in_linear_time(void **state)
{
    static const char *const lines[] = {"{\n", "{\"a\":[\n",   "{\"a\":\n", "[\n",
                                        "}\n", "{\"a\":1}x\n", "\n"};
    struct buf b = BUF_INIT;
    clock_t began = clock();
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT_OF(lines); i++) {
        struct feed f;
        struct records *records;
        struct err e = ERR_INIT;
        struct record rec;

        buf_clear(&b);
        for (k = 0; k < 300000 / STRIDE; k++)
            buf_adds(&b, lines[i]);
        f = (struct feed){b.data, b.len, NULL, 0};
        records = records_new(feed_read, &f, NO_LIMIT);
        assert_non_null(records);
        while (records_next(records, &rec, &e) > 0)
            ;
        records_free(records);
    }
    buf_release(&b);
    assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
}

static ssize_t failing_read(void *ctx, void *p, size_t n)
{
    (void)ctx;
    (void)p;
    (void)n;
    return -1;
}

static void a_read_without_memory_is_an_error(void **state)
{
    struct records *records = records_new(failing_read, NULL, NO_LIMIT);
    struct err e = ERR_INIT;
    struct record rec;

    (void)state;
    assert_non_null(records);
    assert_int_equal(records_next(records, &rec, &e), -1);
    assert_int_equal(e.status, EXIT_FAILED);
    records_free(records);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_archives_are_read_as_the_rules_say),
        cmocka_unit_test(a_small_limit_on_records_is_kept_as_the_rules_say),
        cmocka_unit_test(archives_of_few_kinds_of_bytes_are_read_as_the_rules_say),
        cmocka_unit_test(long_records_are_read_as_the_rules_say),
        cmocka_unit_test(no_line_that_may_concern_us_goes_unread),
        cmocka_unit_test(a_stretch_of_any_length_is_read_in_bounded_memory),
        cmocka_unit_test(a_broken_archive_is_read_in_linear_time),
        cmocka_unit_test(a_read_without_memory_is_an_error),
    };

    /* A reader's window is taken and given back a million times here. */
    (void)mallopt(M_MMAP_THRESHOLD, 64 << 20);
    (void)mallopt(M_TRIM_THRESHOLD, 256 << 20);
    return cmocka_run_group_tests_name("records", tests, NULL, NULL);
}
