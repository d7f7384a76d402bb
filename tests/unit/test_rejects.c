#include "rejects.h"

#include "buf.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static char dir[] = "/tmp/test_rejects.XXXXXX";
static char path[64];

static int set_up(void **state)
{
    (void)state;
    if (!mkdtemp(dir))
        return -1;
    (void)snprintf(path, sizeof path, "%s/rejects.jsonl", dir);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    return rmdir(dir); /* fails if anything else was left */
}

static struct rejects *open_rejects(void)
{
    struct rejects *r;
    struct err e = ERR_INIT;

    if (rejects_open(&r, path, &e) < 0)
        fail_msg("%s", e.text);
    return r;
}

static struct reject_sink *new_sink(struct rejects *r)
{
    struct reject_sink *s;
    struct err e = ERR_INIT;

    assert_int_equal(rejects_sink_new(r, &s, &e), 0);
    return s;
}

static void add(struct reject_sink *s, uint32_t archive, uint64_t record, const char *reason,
                const char *head, size_t n)
{
    char name[32];
    struct err e = ERR_INIT;

    (void)snprintf(name, sizeof name, "w-%u.gz", (unsigned)archive);
    if (rejects_add(s, archive, name, record, record * 100, reason, "why", (struct slice){head, n},
                    n, &e) < 0)
        fail_msg("%s", e.text);
}

/* The file's bytes; to be released. */
static struct buf commit(struct rejects *r)
{
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    char bytes[4096];
    ssize_t n;
    int fd;

    if (rejects_commit(r, &e) < 0)
        fail_msg("%s", e.text);
    fd = open(path, O_RDONLY);
    assert_true(fd >= 0);
    while ((n = read(fd, bytes, sizeof bytes)) > 0)
        buf_add(&b, bytes, (size_t)n);
    (void)close(fd);
    return b;
}

static int digit(char c)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

    return (int)(strchr(digits, c) - digits);
}

/* Appends what the base64 text stands for. */
static void decode(const char *s, struct buf *b)
{
    for (; s[0] && s[1]; s += 4) {
        buf_addc(b, (char)(digit(s[0]) << 2 | digit(s[1]) >> 4));
        if (s[2] != '=')
            buf_addc(b, (char)((digit(s[1]) & 15) << 4 | digit(s[2]) >> 2));
        if (s[3] != '=')
            buf_addc(b, (char)((digit(s[2]) & 3) << 6 | digit(s[3])));
    }
}

static void a_line_tells_where_and_why(void **state)
{
    struct rejects *r = open_rejects();
    struct reject_sink *s = new_sink(r);
    struct err e = ERR_INIT;
    struct stat st;
    struct buf b;

    (void)state;
    assert_int_equal(rejects_add(s, 0, "logs/\"w\".gz", 812, 90210, "invalid_json", "at byte 7",
                                 slice_of("{\"a\":"), 5, &e),
                     0);
    assert_int_equal(rejects_add(s, 0, "logs/\"w\".gz", 813, 90216, "missing_field", "data",
                                 slice_of("{\"apikey\":\"S\"}"), 14, &e),
                     0);
    b = commit(r);
    assert_string_equal(buf_str(&b),
                        "{\"archive\":\"logs/\\\"w\\\".gz\",\"record\":812,\"offset\":90210,"
                        "\"reason\":\"invalid_json\",\"detail\":\"at byte 7\",\"bytes\":5,"
                        "\"head\":\"eyJhIjo=\"}\n"
                        "{\"archive\":\"logs/\\\"w\\\".gz\",\"record\":813,\"offset\":90216,"
                        "\"reason\":\"missing_field\",\"detail\":\"data\",\"bytes\":14,"
                        "\"head\":\"eyJhcGlrZXkiOiIqKioifQ==\"}\n");
    buf_release(&b);
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
}

/* The heads of the records added, joined by '|', "null" where left out. */
static struct buf heads(struct rejects *r)
{
    struct buf file = commit(r), b = BUF_INIT;
    size_t at = 0;

    while (at < file.len) {
        json_error_t why;
        json_t *line = json_loadb(file.data + at, file.len - at, JSON_DISABLE_EOF_CHECK, &why);
        json_t *head = json_object_get(line, "head");

        assert_non_null(head);
        if (at > 0)
            buf_addc(&b, '|');
        if (json_is_null(head))
            buf_adds(&b, "null");
        else
            decode(json_string_value(head), &b);
        json_decref(line);
        at += (size_t)why.position + 1;
    }
    buf_release(&file);
    return b;
}

static void expect_heads(const char *want, const char *const *head, const char *reason)
{
    struct rejects *r = open_rejects();
    struct reject_sink *s = new_sink(r);
    struct buf b;

    for (uint64_t i = 0; head[i]; i++)
        add(s, 0, i + 1, reason, head[i], strlen(head[i]));
    b = heads(r);
    assert_string_equal(buf_str(&b), want);
    buf_release(&b);
}

#define HEADS(want, reason, ...)                                                                   \
    expect_heads(want, (const char *const[]){__VA_ARGS__, NULL}, reason)

static void the_rest_of_a_cut_value_is_left_out(void **state)
{
    (void)state;
    HEADS("{\"apikey\":\"***|null|x", "invalid_json", "{\"apikey\":\"SEC", "RET\"}", "x");
    HEADS("{\"apikey\":|null|x", "invalid_json", "{\"apikey\":", "\"SECRET\"}", "x");
    HEADS("{\"apikey\":|null|null|x", "invalid_json", "{\"apikey\":", "\"SEC", "RET\"}", "x");
    HEADS("{\"apikey\":\"***|null|null|null|x", "invalid_json", "{\"apikey\":\"SEC", "RE", "T",
          "\"}", "x");
    HEADS("{\"api|null|null|x", "invalid_json", "{\"api", "key\":\"SEC", "RET\"}", "x");
    /* The rest of one value, and the beginning of another. */
    HEADS("{\"apikey\":\"***|null|null|x", "invalid_json", "{\"apikey\":\"SEC",
          "RET\"},{\"apikey\":\"SEC", "RET\"}", "x");
    HEADS("null|null|x", "invalid_json", "apikey: SEC", "RET \"a\" \"b\"", "x");
    /* A whole record cuts nothing. */
    HEADS("null|{\"a\":1}", "missing_field", "{\"apikey\":1}", "{\"a\":1}");
}

static void a_cut_value_goes_on_until_its_quotes_have_come(void **state)
{
    struct rejects *r = open_rejects();
    struct reject_sink *s = new_sink(r);
    struct buf b;

    (void)state;
    add(s, 0, 5, "invalid_json", "{\"apikey\":\"SEC", 14);
    add(s, 0, 7, "invalid_json", "seven", 5);
    add(s, 0, 8, "invalid_json", "{\"apikey\":\"SEC", 14);
    add(s, 1, 1, "invalid_json", "first", 5);
    add(s, 1, 2, "invalid_json", "{\"apikey\":\"SEC", 14);
    add(s, 3, 3, "invalid_json", "third", 5);
    b = heads(r);
    assert_string_equal(buf_str(&b), "{\"apikey\":\"***|null|null|first|{\"apikey\":\"***|third");
    buf_release(&b);
}

static void only_64_kib_are_kept(void **state)
{
    struct rejects *r = open_rejects();
    struct reject_sink *s = new_sink(r);
    struct err e = ERR_INIT;
    size_t n = 100000, kept = 65536;
    char *head = malloc(n);
    struct buf b;

    (void)state;
    assert_non_null(head);
    memset(head, 'x', n);
    memcpy(head + kept - 14, "{\"apikey\":\"SECRET\"}", 19);
    add(s, 0, 1, "too_large", head, n);
    add(s, 0, 2, "invalid_json", "what follows may go on with what was not seen", 45);
    memset(head, 'y', n);
    assert_int_equal(
        rejects_add(s, 0, "w", 4, 0, "missing_field", "", (struct slice){head, n}, 1000000, &e), 0);
    add(s, 0, 5, "invalid_json", "z", 1);
    b = heads(r);
    assert_int_equal(b.len, kept + 1 + strlen("|null|") + kept + strlen("|null") - 1);
    assert_memory_equal(b.data + kept - 14, "{\"apikey\":\"***|null|yyy", 22);
    assert_string_equal(b.data + b.len - 6, "y|null");
    buf_release(&b);
    free(head);
}

/* A record of many rejected parts must not fill a disk. */
static void the_parts_of_a_record_share_one_head(void **state)
{
    struct rejects *r = open_rejects();
    struct reject_sink *s = new_sink(r);
    size_t lines = 0, kept = 0, i;
    struct buf b;

    (void)state;
    for (i = 0; i < 5000; i++)
        add(s, 0, 7, "missing_field", "{\"a\":[3,3,3]}", 13);
    add(s, 0, 8, "missing_field", "{}", 2);
    b = heads(r);
    for (i = 0; i < b.len; i++)
        lines += b.data[i] == '|';
    for (i = 0; i < b.len; i++)
        kept += b.data[i] == '[';
    assert_int_equal(kept, 1);
    assert_int_equal(lines, 101);
    assert_string_equal(b.data + b.len - 3, "|{}");
    buf_release(&b);
}

/* The same lines spread over sinks in any way give the same file. */
static void the_file_does_not_depend_on_the_sinks(void **state)
{
    static char line[3000];
    struct buf want = BUF_INIT;

    (void)state;
    memset(line, 'x', sizeof line);
    for (unsigned sinks = 1; sinks <= 5; sinks++) {
        struct rejects *r = open_rejects();
        struct reject_sink *s[5];
        struct buf b;

        for (unsigned i = 0; i < sinks; i++)
            s[i] = new_sink(r);
        for (uint32_t archive = 0; archive < 17; archive++)
            for (uint64_t record = 1; record <= archive * 10; record++)
                add(s[archive * 7 % sinks], archive, record, "invalid_json", line,
                    sizeof line - (size_t)record);
        b = commit(r);
        if (sinks == 1) {
            want = b;
            continue;
        }
        assert_int_equal(b.len, want.len);
        assert_memory_equal(b.data, want.data, b.len);
        buf_release(&b);
    }
    assert_true(want.len > 4000000); /* more than the sinks hold in memory */
    buf_release(&want);
}

/* A body with a secret at some depth, cut into pieces anywhere: no unit of the
 * secret is ever kept. */
static void no_cut_gives_a_key_away(void **state)
{
    static const char secret[] = "QQQ\\QQQ\"QQQ/QQQ\xc3\xa9QQQ\nQQQ";
    uint32_t random = 7;

    (void)state;
    for (int depth = 0; depth < 3; depth++) {
        json_t *body = json_pack("{s:s, s:s, s:{s:s}}", "event", "x", "apikey", secret, "headers",
                                 "ApiKey", secret);
        struct buf text = BUF_INIT;
        char *dumped = json_dumps(body, depth % 2 ? JSON_INDENT(2) : 0);

        json_decref(body);
        for (int i = 0; i < depth; i++) {
            body = json_pack("{s:s}", "body", dumped);
            free(dumped);
            dumped = json_dumps(body, JSON_INDENT(1));
            json_decref(body);
        }
        buf_adds(&text, dumped);
        free(dumped);
        for (int i = 0; i < 500; i++) {
            struct rejects *r = open_rejects();
            struct reject_sink *s = new_sink(r);
            struct buf b;
            size_t at = 0;

            for (uint64_t record = 1; at < text.len; record++) {
                size_t n;

                random = random * 1664525 + 1013904223;
                n = (random >> 16) % (i % 2 ? 200 : 30) + 1;
                n = n < text.len - at ? n : text.len - at;
                add(s, 0, record, "invalid_json", text.data + at, n);
                at += n;
            }
            b = heads(r);
            if (memchr(b.data, 'Q', b.len))
                fail_msg("depth %d: %s", depth, buf_str(&b));
            buf_release(&b);
        }
        buf_release(&text);
    }
}

static void nothing_appears_until_it_is_committed(void **state)
{
    struct rejects *r;
    struct err e = ERR_INIT;

    (void)state;
    (void)unlink(path);
    r = open_rejects();
    add(new_sink(r), 0, 1, "invalid_json", "x", 1);
    assert_int_not_equal(access(path, F_OK), 0);
    rejects_abort(r);
    assert_int_not_equal(access(path, F_OK), 0);
    rejects_abort(NULL);
    assert_int_equal(rejects_open(&r, "/nonexistent/rejects", &e), -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_non_null(strstr(e.text, "/nonexistent/rejects"));
}

static void a_full_disk_is_a_failure(void **state)
{
    struct rejects *r;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(rejects_open(&r, "/dev/full", &e), 0);
    add(new_sink(r), 0, 1, "invalid_json", "x", 1);
    assert_int_equal(rejects_commit(r, &e), -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_non_null(strstr(e.text, "/dev/full"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_tells_where_and_why),
        cmocka_unit_test(the_rest_of_a_cut_value_is_left_out),
        cmocka_unit_test(a_cut_value_goes_on_until_its_quotes_have_come),
        cmocka_unit_test(only_64_kib_are_kept),
        cmocka_unit_test(the_parts_of_a_record_share_one_head),
        cmocka_unit_test(the_file_does_not_depend_on_the_sinks),
        cmocka_unit_test(no_cut_gives_a_key_away),
        cmocka_unit_test(nothing_appears_until_it_is_committed),
        cmocka_unit_test(a_full_disk_is_a_failure),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
