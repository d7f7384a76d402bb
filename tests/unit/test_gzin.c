#include "gzin.h"

#include "buf.h"
#include "clock.h"
#include "helpers.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#define NOW INT64_C(1793534400000000)
#define HOUR (3600 * US_PER_SECOND)

static char path[] = "/tmp/test_gzin.XXXXXX";

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void write_file(const void *p, size_t n, int64_t mtime)
{
    int fd = open(path, O_WRONLY | O_TRUNC);
    struct timespec times[2] = {{0, UTIME_OMIT}, {0, 0}};

    assert_true(fd >= 0);
    assert_int_equal(write(fd, p, n), n);
    times[1].tv_sec = mtime / US_PER_SECOND;
    times[1].tv_nsec = mtime % US_PER_SECOND * 1000;
    assert_int_equal(futimens(fd, times), 0);
    assert_int_equal(close(fd), 0);
}

/* Adds p as one member. */
static void add_member(struct buf *b, const void *p, size_t n, gz_header *header)
{
    z_stream z = {0};
    Bytef *copy = malloc(n + 1);
    size_t bound;

    assert_non_null(copy);
    if (n > 0)
        memcpy(copy, p, n);
    assert_int_equal(deflateInit2(&z, 6, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY), Z_OK);
    if (header)
        assert_int_equal(deflateSetHeader(&z, header), Z_OK);
    bound = deflateBound(&z, n) + 1000;
    assert_true(buf_reserve(b, bound));
    z.next_in = copy;
    z.avail_in = (uInt)n;
    z.next_out = (Bytef *)b->data + b->len;
    z.avail_out = (uInt)bound;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    b->len += bound - z.avail_out;
    (void)deflateEnd(&z);
    free(copy);
}

struct result {
    struct buf bytes;
    enum gzin_damage damage;
    char reason[200];
};

static void read_all(const char *name, size_t step, struct result *r)
{
    struct gzin *g;
    struct err e = ERR_INIT;
    ssize_t got;
    char *p = malloc(step);

    assert_non_null(p);
    *r = (struct result){.bytes = BUF_INIT};
    if (gzin_open(&g, name, NOW, NULL, &e) < 0)
        fail_msg("%s", e.text);
    do {
        got = gzin_read(g, p, step);
        assert_true(got >= 0);
        buf_add(&r->bytes, p, (size_t)got);
    } while ((size_t)got == step);
    assert_int_equal(gzin_read(g, p, step), 0);
    assert_int_equal(gzin_bytes_out(g), r->bytes.len);
    r->damage = gzin_damage(g);
    (void)snprintf(r->reason, sizeof r->reason, "%s", gzin_reason(g));
    gzin_close(g);
    free(p);
}

/* Writes the bytes as a file of an hour ago and reads it. */
static void read_bytes(const void *p, size_t n, size_t step, struct result *r)
{
    write_file(p, n, NOW - HOUR);
    read_all(path, step, r);
}

static void expect(const void *p, size_t n, const char *bytes, enum gzin_damage damage,
                   const char *reason)
{
    struct result r;

    read_bytes(p, n, 4096, &r);
    assert_string_equal(buf_str(&r.bytes), bytes);
    assert_int_equal(r.damage, damage);
    assert_string_equal(r.reason, reason);
    buf_release(&r.bytes);
}

/* Text that compresses, but not to nothing. */
static void add_text(struct buf *b, size_t n, uint64_t random)
{
    while (b->len < n) {
        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        buf_addf(b, "{\"id\":\"%05x\"}\n", (unsigned)(random >> 44));
    }
}

static void plain_files_are_delivered_as_they_are(void **state)
{
    static const size_t sizes[] = {0, 1, 2, 4095, 262143, 262144, 262145, 1000000};
    static const size_t steps[] = {1000, 65536, 262144, 300000, 2000000};

    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (size_t k = 0; k < sizeof steps / sizeof *steps; k++) {
            struct buf text = BUF_INIT;
            struct result r;

            add_text(&text, sizes[i], i);
            text.len = sizes[i];
            read_bytes(buf_str(&text), text.len, steps[k], &r);
            assert_int_equal(r.damage, GZIN_WHOLE);
            assert_string_equal(r.reason, "");
            assert_int_equal(r.bytes.len, text.len);
            assert_memory_equal(buf_str(&r.bytes), buf_str(&text), text.len);
            buf_release(&text);
            buf_release(&r.bytes);
        }
}

static void two_bytes_tell_gzip_from_plain(void **state)
{
    (void)state;
    expect("", 0, "", GZIN_WHOLE, "");
    expect("\x1f", 1, "\x1f", GZIN_WHOLE, "");
    expect("\x1fx", 2, "\x1fx", GZIN_WHOLE, "");
    expect("\x1f\x8b", 2, "", GZIN_TRUNCATED, "unexpected end of file at byte 2");
    expect("\x1f\x8b\x08", 3, "", GZIN_TRUNCATED, "unexpected end of file at byte 3");
    expect("\x1f\x8b\x07", 3, "", GZIN_CORRUPT, "unknown kind of gzip at byte 0");
    expect("\x1f\x8b\x08\x20", 4, "", GZIN_CORRUPT, "unknown kind of gzip at byte 0");
}

static void members_follow_one_another(void **state)
{
    struct buf file = BUF_INIT;
    size_t first;

    (void)state;
    add_member(&file, "one\n", 4, NULL);
    first = file.len;
    add_member(&file, "", 0, NULL);
    add_member(&file, "two\n", 4, NULL);
    expect(file.data, file.len, "one\ntwo\n", GZIN_WHOLE, "");
    for (int i = 0; i < 300000; i++)
        buf_addc(&file, '\0');
    expect(file.data, file.len, "one\ntwo\n", GZIN_WHOLE, "");
    add_member(&file, "three\n", 6, NULL);
    expect(file.data, file.len, "one\ntwo\nthree\n", GZIN_WHOLE, "");
    for (int i = 0; i < 20000; i++)
        add_member(&file, "", 0, NULL);
    add_member(&file, "four\n", 5, NULL);
    expect(file.data, file.len, "one\ntwo\nthree\nfour\n", GZIN_WHOLE, "");

    file.len = first;
    buf_add(&file, "\0\0\0\x1f", 4);
    expect(file.data, file.len, "one\n", GZIN_TRUNCATED, "unexpected end of file at byte 28");
    file.len = first;
    buf_add(&file, "\0\0hello", 7);
    expect(file.data, file.len, "one\n", GZIN_CORRUPT,
           "bytes after member 1 are no gzip header, at byte 26");
    file.len = first;
    buf_add(&file, "\x1f\x8b\x08\xff", 4);
    expect(file.data, file.len, "one\n", GZIN_CORRUPT,
           "bytes after member 1 are no gzip header, at byte 24");
    buf_release(&file);
}

static void all_parts_of_a_header_are_passed_over(void **state)
{
    Bytef extra[300], name[] = "w-001.jsonl", comment[] = "from the gateway";
    gz_header header = {.extra = extra,
                        .extra_len = sizeof extra,
                        .name = name,
                        .comment = comment,
                        .hcrc = 1,
                        .time = 12345};
    struct buf file = BUF_INIT;

    (void)state;
    memset(extra, 'e', sizeof extra);
    add_member(&file, "one\n", 4, &header);
    add_member(&file, "two\n", 4, &header);
    expect(file.data, file.len, "one\ntwo\n", GZIN_WHOLE, "");
    for (size_t n = 2; n < 340; n++) {
        char reason[64];

        (void)snprintf(reason, sizeof reason, "unexpected end of file at byte %zu", n);
        expect(file.data, n, "", GZIN_TRUNCATED, reason);
    }
    file.data[20] = 'E';
    expect(file.data, file.len, "", GZIN_CORRUPT, "bad header checksum in member 1 at byte 0");
    buf_release(&file);
}

static void a_cut_keeps_everything_before_it(void **state)
{
    struct buf file = BUF_INIT, text = BUF_INIT;
    size_t first_in, first_out, before = 0;

    (void)state;
    add_text(&text, 700, 7);
    add_member(&file, text.data, text.len, NULL);
    first_in = file.len;
    first_out = text.len;
    add_text(&text, 1500, 8);
    add_member(&file, text.data + first_out, text.len - first_out, NULL);
    for (size_t n = 2; n <= file.len; n++) {
        bool whole = n == first_in || n == file.len;
        struct result r;
        char reason[64];

        read_bytes(file.data, n, 100, &r);
        (void)snprintf(reason, sizeof reason, "unexpected end of file at byte %zu", n);
        assert_int_equal(r.damage, whole ? GZIN_WHOLE : GZIN_TRUNCATED);
        assert_string_equal(r.reason, whole ? "" : reason);
        assert_true(r.bytes.len >= before);
        assert_memory_equal(buf_str(&r.bytes), text.data, r.bytes.len);
        if (n >= first_in - 8)
            assert_true(r.bytes.len >= first_out);
        if (n >= file.len - 8)
            assert_int_equal(r.bytes.len, text.len);
        before = r.bytes.len;
        buf_release(&r.bytes);
    }
    buf_release(&file);
    buf_release(&text);
}

static bool equal(const struct buf *a, const struct buf *b)
{
    return a->len == b->len && memcmp(buf_str(a), buf_str(b), a->len) == 0;
}

static void no_changed_byte_goes_unnoticed(void **state)
{
    struct buf file = BUF_INIT, text = BUF_INIT;

    (void)state;
    add_text(&text, 600, 9);
    add_member(&file, text.data, 300, NULL);
    add_member(&file, text.data + 300, text.len - 300, NULL);
    for (size_t i = 2; i < file.len; i++)
        for (unsigned k = 0; k < 9; k++) { /* every bit, and all of them */
            unsigned change = k < 8 ? 1u << k : 0xff;
            struct result r;

            file.data[i] = (char)((unsigned char)file.data[i] ^ change);
            read_bytes(file.data, file.len, 512, &r);
            if (r.damage == GZIN_WHOLE && !equal(&r.bytes, &text))
                fail_msg("byte %zu changed by %02x", i, change);
            if (r.damage != GZIN_WHOLE)
                assert_true(r.reason[0] != '\0');
            assert_true(r.damage != GZIN_UNREADABLE && r.damage != GZIN_GROWING);
            buf_release(&r.bytes);
            file.data[i] = (char)((unsigned char)file.data[i] ^ change);
        }
    buf_release(&file);
    buf_release(&text);
}

static void damage_names_member_and_place(void **state)
{
    struct buf file = BUF_INIT;
    size_t first;

    (void)state;
    add_member(&file, "one\n", 4, NULL);
    first = file.len;
    add_member(&file, "two\n", 4, NULL);
    file.data[file.len - 8] ^= 1;
    expect(file.data, file.len, "one\ntwo\n", GZIN_CORRUPT, "bad checksum in member 2 at byte 40");
    file.data[file.len - 8] ^= 1;
    file.data[file.len - 4] ^= 1;
    expect(file.data, file.len, "one\ntwo\n", GZIN_CORRUPT, "bad length in member 2 at byte 44");
    file.data[file.len - 4] ^= 1;
    file.data[first + 10] |= 6; /* a block type that does not exist */
    add_member(&file, "three\n", 6, NULL);
    expect(file.data, file.len, "one\n", GZIN_CORRUPT,
           "impossible data in member 2, which begins at byte 24");
    buf_release(&file);
}

static void read_sizes_do_not_change_the_bytes(void **state)
{
    static const size_t steps[] = {1, 2, 3, 7, 100, 4096, 65537, 262144, 5000000};
    struct buf file = BUF_INIT, text = BUF_INIT;

    (void)state;
    add_text(&text, 1500000, 11);
    for (size_t at = 0, n = 100000; at < text.len; at += n, n += 77777) {
        size_t left = text.len - at;

        add_member(&file, text.data + at, left < n ? left : n, NULL);
        buf_add(&file, "\0\0\0\0\0", at % 5);
    }
    file.len -= 3;
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
        struct result r;
        char reason[64];

        read_bytes(file.data, file.len, steps[i], &r);
        (void)snprintf(reason, sizeof reason, "unexpected end of file at byte %zu", file.len);
        assert_int_equal(r.damage, GZIN_TRUNCATED);
        assert_string_equal(r.reason, reason);
        assert_true(equal(&r.bytes, &text));
        buf_release(&r.bytes);
    }
    buf_release(&file);
    buf_release(&text);
}

static void a_young_cut_file_is_growing(void **state)
{
    struct buf file = BUF_INIT;
    struct result r;

    (void)state;
    add_member(&file, "one\n", 4, NULL);
    write_file(file.data, file.len - 5, NOW - 599 * US_PER_SECOND);
    read_all(path, 100, &r);
    assert_int_equal(r.damage, GZIN_GROWING);
    assert_string_equal(buf_str(&r.bytes), "one\n");
    assert_string_equal(r.reason, "unexpected end of file at byte 19");
    buf_release(&r.bytes);
    write_file(file.data, file.len - 5, NOW - 600 * US_PER_SECOND);
    read_all(path, 100, &r);
    assert_int_equal(r.damage, GZIN_TRUNCATED);
    buf_release(&r.bytes);
    file.data[file.len - 1] ^= 1;
    write_file(file.data, file.len, NOW);
    read_all(path, 100, &r);
    assert_int_equal(r.damage, GZIN_CORRUPT);
    buf_release(&r.bytes);
    buf_release(&file);
}

/* Reads the bytes at p, n of them, from stdin, a pipe. */
static void read_stdin(const char *p, size_t n, struct result *r)
{
    int saved = dup(STDIN_FILENO), ends[2];
    pid_t child;

    assert_int_equal(pipe(ends), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        for (size_t at = 0; at < n; at += 10)
            if (write(ends[1], p + at, n - at < 10 ? n - at : 10) < 0)
                _exit(1);
        _exit(0);
    }
    (void)close(ends[1]);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    (void)close(ends[0]);
    read_all("-", 1000, r);
    assert_true(fcntl(STDIN_FILENO, F_GETFD) >= 0); /* not closed */
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    (void)close(saved);
    assert_int_equal(waitpid(child, NULL, 0), child);
}

static void stdin_is_read_like_a_file(void **state)
{
    struct buf file = BUF_INIT, text = BUF_INIT;
    struct result r;

    (void)state;
    add_text(&text, 3000, 5);
    add_member(&file, text.data, text.len, NULL);
    read_stdin(file.data, file.len, &r);
    assert_int_equal(r.damage, GZIN_WHOLE);
    assert_true(equal(&r.bytes, &text));
    buf_release(&r.bytes);
    read_stdin(text.data, text.len, &r);
    assert_int_equal(r.damage, GZIN_WHOLE);
    assert_true(equal(&r.bytes, &text));
    buf_release(&r.bytes);
    read_stdin(file.data, file.len - 1, &r);
    assert_int_equal(r.damage, GZIN_TRUNCATED); /* never growing */
    assert_true(equal(&r.bytes, &text));
    buf_release(&r.bytes);
    buf_release(&file);
    buf_release(&text);
}

/* Reads n bytes, at most what a pipe holds, from a pipe: it cannot be sought,
 * so zlib alone inflates it. */
static void read_pipe(const char *p, size_t n, struct result *r)
{
    int saved = dup(STDIN_FILENO), ends[2];

    assert_int_equal(pipe(ends), 0);
    assert_int_equal(write(ends[1], p, n), n);
    (void)close(ends[1]);
    assert_true(dup2(ends[0], STDIN_FILENO) >= 0);
    (void)close(ends[0]);
    read_all("-", 777, r);
    assert_true(dup2(saved, STDIN_FILENO) >= 0);
    (void)close(saved);
}

static void expect_alike(const struct buf *file, size_t n, size_t changed, unsigned by)
{
    struct result one, other;

    read_bytes(file->data, n, 1000, &one);
    read_pipe(file->data, n, &other);
    if (one.damage != other.damage || strcmp(one.reason, other.reason) != 0 ||
        !equal(&one.bytes, &other.bytes))
        fail_msg("%zu bytes, byte %zu changed by %02x: %zu bytes, \"%s\" from the file; %zu bytes, "
                 "\"%s\" from zlib",
                 n, changed, by, one.bytes.len, one.reason, other.bytes.len, other.reason);
    buf_release(&one.bytes);
    buf_release(&other.bytes);
}

/* Members of every kind of block: stored, of fixed codes, of codes of their own. */
static void add_blocks(struct buf *file)
{
    struct buf text = BUF_INIT;

    for (int level = 0; level < 4; level++) {
        static const int strategies[] = {Z_DEFAULT_STRATEGY, Z_FIXED, Z_DEFAULT_STRATEGY,
                                         Z_HUFFMAN_ONLY};
        z_stream z = {0};
        Bytef out[16384];

        text.len = 0;
        add_text(&text, 6000, (uint64_t)level + 20);
        assert_int_equal(deflateInit2(&z, level == 0 ? 0 : 9, Z_DEFLATED, 31, 8, strategies[level]),
                         Z_OK);
        z.next_in = (Bytef *)text.data;
        z.avail_in = (uInt)text.len;
        z.next_out = out;
        z.avail_out = sizeof out;
        assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
        buf_add(file, out, sizeof out - z.avail_out);
        (void)deflateEnd(&z);
    }
    buf_release(&text);
}

static void every_library_tells_the_same_of_a_damaged_file(void **state)
{
    struct buf file = BUF_INIT;

    (void)state;
    add_blocks(&file);
    /* Under a sanitizer too each: what libraries do with damage is what it is there for. */
    for (size_t n = 2; n <= file.len; n += stride_or(1))
        expect_alike(&file, n, 0, 0);
    for (size_t i = 2; i < file.len; i += stride_or(1)) {
        unsigned change = i % 9 < 8 ? 1u << (i % 9) : 0xff;

        file.data[i] = (char)((unsigned char)file.data[i] ^ change);
        expect_alike(&file, file.len, i, change);
        file.data[i] = (char)((unsigned char)file.data[i] ^ change);
    }
    buf_release(&file);
}

static void what_cannot_be_opened_is_an_error(void **state)
{
    struct gzin *g;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(gzin_open(&g, "/nonexistent/x", NOW, NULL, &e), -1);
    assert_int_equal(e.status, EXIT_INPUT);
    assert_string_equal(e.text,
                        "could not open archive \"/nonexistent/x\": No such file or directory");
    assert_null(g);
    assert_int_equal(gzin_open(&g, "/tmp", NOW, NULL, &e), -1);
    assert_string_equal(e.text, "could not open archive \"/tmp\": Is a directory");
    gzin_close(NULL);
}

static void a_failing_read_is_damage(void **state)
{
    struct result r;

    (void)state;
    if (access("/proc/self/mem", R_OK) != 0)
        skip();
    read_all("/proc/self/mem", 100, &r); /* opens, but there is nothing mapped at 0 */
    assert_int_equal(r.damage, GZIN_UNREADABLE);
    assert_string_equal(r.reason, "Input/output error at byte 0");
    buf_release(&r.bytes);
}

static void times_and_sizes_are_told(void **state)
{
    struct buf file = BUF_INIT;
    struct gzin *g;
    struct err e = ERR_INIT;
    char p[10];

    (void)state;
    add_member(&file, "one\n", 4, NULL);
    write_file(file.data, file.len, NOW - HOUR + 123456);
    assert_int_equal(gzin_open(&g, path, NOW, NULL, &e), 0);
    assert_int_equal(gzin_mtime(g), NOW - HOUR + 123456);
    assert_int_equal(gzin_read(g, p, sizeof p), 4);
    assert_int_equal(gzin_bytes_in(g), file.len);
    assert_int_equal(gzin_bytes_out(g), 4);
    gzin_close(g);
    assert_int_equal(gzin_open(&g, "-", NOW, NULL, &e), 0);
    assert_int_equal(gzin_mtime(g), NOW);
    gzin_close(g);
    buf_release(&file);
}

/* A set of codes that leaves some bits without a meaning: ISA-L reads on, and finds
 * three bytes before the checksum is wrong, or cut off. */
static void codes_that_zlib_finds_impossible_give_nothing(void **state)
{
    static const char data[] =
        "\x1f\x8b\x08\0\0\0\0\0\0\x03"
        "\xed\xc1\x01\x0d\0\0\0\xc2\xa0\xf7\x4f\x6d\x0f\x27\x07\x14\0\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";

    (void)state;
    for (size_t n = sizeof data - 1; n > 33; n--)
        expect(data, n, "", GZIN_CORRUPT, "impossible data in member 1, which begins at byte 0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(codes_that_zlib_finds_impossible_give_nothing),
        cmocka_unit_test(plain_files_are_delivered_as_they_are),
        cmocka_unit_test(two_bytes_tell_gzip_from_plain),
        cmocka_unit_test(members_follow_one_another),
        cmocka_unit_test(all_parts_of_a_header_are_passed_over),
        cmocka_unit_test(a_cut_keeps_everything_before_it),
        cmocka_unit_test(no_changed_byte_goes_unnoticed),
        cmocka_unit_test(damage_names_member_and_place),
        cmocka_unit_test(read_sizes_do_not_change_the_bytes),
        cmocka_unit_test(a_young_cut_file_is_growing),
        cmocka_unit_test(stdin_is_read_like_a_file),
        cmocka_unit_test(every_library_tells_the_same_of_a_damaged_file),
        cmocka_unit_test(what_cannot_be_opened_is_an_error),
        cmocka_unit_test(a_failing_read_is_damage),
        cmocka_unit_test(times_and_sizes_are_told),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
