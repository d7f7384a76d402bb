#include "log.h"

#include "clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

static int saved_stderr, captured;

static void capture_begin(void)
{
    char name[] = "/tmp/test_log.XXXXXX";

    saved_stderr = dup(STDERR_FILENO);
    captured = mkstemp(name);
    assert_true(captured >= 0);
    (void)unlink(name);
    assert_true(dup2(captured, STDERR_FILENO) >= 0);
}

/* What was written since capture_begin; static. */
static const char *capture_end(void)
{
    static char text[262144];
    ssize_t n;

    assert_true(dup2(saved_stderr, STDERR_FILENO) >= 0);
    (void)close(saved_stderr);
    n = pread(captured, text, sizeof text - 1, 0);
    assert_true(n >= 0);
    text[n] = '\0';
    (void)close(captured);
    return text;
}

static void a_line_names_program_and_level(void **state)
{
    (void)state;
    log_open("replay", LOG_LEVEL_DETAIL);
    capture_begin();
    log_error("could not open \"%s\"", "x");
    log_warning("two");
    log_note("three");
    log_detail("%d", 4);
    assert_string_equal(capture_end(), "replay: error: could not open \"x\"\n"
                                       "replay: warning: two\n"
                                       "replay: note: three\n"
                                       "replay: detail: 4\n");
}

static void levels_hide_what_is_below_them(void **state)
{
    (void)state;
    log_open("replay", LOG_LEVEL_ERROR);
    capture_begin();
    log_error("a");
    log_warning("b");
    log_note("c");
    log_detail("d");
    assert_string_equal(capture_end(), "replay: error: a\n");

    log_open("replay", LOG_LEVEL_NOTE);
    capture_begin();
    log_note("c");
    log_detail("d");
    assert_string_equal(capture_end(), "replay: note: c\n");
}

static void hostile_bytes_are_escaped_and_utf8_is_kept(void **state)
{
    (void)state;
    log_open("p", LOG_LEVEL_NOTE);
    capture_begin();
    log_note("%s", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80");
    log_note("%s", "a\nb\tc\x1b[31md\x7f");
    log_note("%s", "\xff \xc3 \xc0\xaf \xed\xa0\x80");
    log_note("%s", "\xc2\x9b"
                   "31m");
    log_note("%s", "\xe2\x80\xae"
                   "gpj.exe");
    assert_string_equal(capture_end(), "p: note: caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80\n"
                                       "p: note: a\\x0Ab\\x09c\\x1B[31md\\x7F\n"
                                       "p: note: \\xFF \\xC3 \\xC0\\xAF \\xED\\xA0\\x80\n"
                                       "p: note: \\xC2\\x9B31m\n"
                                       "p: note: \\xE2\\x80\\xAEgpj.exe\n");
}

static void a_long_message_is_cut_at_a_bound(void **state)
{
    char *name = malloc(200001);
    const char *got;

    (void)state;
    assert_non_null(name);
    memset(name, 'x', 10000);
    name[10000] = '\0';
    log_open("p", LOG_LEVEL_NOTE);
    capture_begin();
    log_note("%s", name);
    assert_int_equal(strlen(capture_end()), 10000 + strlen("p: note: \n"));

    memset(name, 'x', 200000);
    name[200000] = '\0';
    capture_begin();
    log_note("%s", name);
    got = capture_end();
    assert_true(strlen(got) <= 65536 + 4);
    assert_string_equal(got + strlen(got) - 4, "...\n");

    /* nothing is said behind what there was no room for */
    strcpy(name + 65536 - strlen("p: note: ") - 2, "\nyy");
    capture_begin();
    log_note("%s", name);
    got = capture_end();
    assert_string_equal(got + strlen(got) - 5, "x...\n");
    free(name);
}

/* The value of a member of the line, which is freed by the caller. */
static json_t *member(const char *line, const char *name)
{
    json_t *o = json_loads(line, JSON_DISABLE_EOF_CHECK, NULL), *value;

    assert_non_null(o);
    assert_int_equal(json_object_size(o), 5);
    value = json_incref(json_object_get(o, name));
    json_decref(o);
    return value;
}

static void assert_member(const char *line, const char *name, const char *wanted)
{
    json_t *value = member(line, name);

    assert_string_equal(json_string_value(value), wanted);
    json_decref(value);
}

static void as_json_a_line_is_an_object(void **state)
{
    const char *got;
    json_t *value;
    enum time_offset offset;
    int64_t us, now = clock_system();

    (void)state;
    log_open("replay", LOG_LEVEL_NOTE);
    log_set_format(LOG_JSON);
    assert_int_equal(setenv("RECONCILE_NOW", "2001-01-01T00:00:00Z", 1), 0);
    capture_begin();
    log_error("could not open \"%s\"", "a\n\xff\\b\x1b[31m\xe2\x80\xae");
    log_set_run("20261122T120000000Z-1");
    log_detail("hidden");
    log_note("caf\xc3\xa9");
    got = capture_end();
    assert_int_equal(unsetenv("RECONCILE_NOW"), 0);
    log_set_format(LOG_TEXT);
    log_set_run(NULL);

    assert_member(got, "level", "error");
    assert_member(got, "program", "replay");
    assert_member(got, "message", "could not open \"a\\x0A\\xFF\\b\\x1B[31m\\xE2\\x80\\xAE\"");
    value = member(got, "run");
    assert_true(json_is_null(value));
    json_decref(value);
    value = member(got, "time");
    assert_true(
        time_read(json_string_value(value), strlen(json_string_value(value)), &us, &offset));
    assert_int_equal(offset, TIME_OFFSET_Z);
    assert_true(us >= now && us < now + 60 * US_PER_SECOND);
    json_decref(value);

    got = strchr(got, '\n') + 1;
    assert_member(got, "level", "note");
    assert_member(got, "run", "20261122T120000000Z-1");
    assert_member(got, "message", "caf\xc3\xa9");
    assert_string_equal(strchr(got, '\n'), "\n");
}

static void as_json_a_long_message_is_cut_and_still_an_object(void **state)
{
    char *name = malloc(200001);
    json_t *value;

    (void)state;
    assert_non_null(name);
    memset(name, '"', 200000);
    name[200000] = '\0';
    log_open("p", LOG_LEVEL_NOTE);
    log_set_format(LOG_JSON);
    capture_begin();
    log_note("%s", name);
    value = member(capture_end(), "message");
    log_set_format(LOG_TEXT);
    assert_int_equal(json_string_length(value), 65536 + 3);
    assert_string_equal(json_string_value(value) + 65536, "...");
    json_decref(value);
    free(name);
}

static void a_message_pushes_the_status_line_down(void **state)
{
    (void)state;
    log_open("p", LOG_LEVEL_NOTE);
    capture_begin();
    log_status_line("reading 10%", 79);
    log_status_line("reading 20%", 9);
    log_note("hello");
    log_note("again");
    log_status_line("", 79);
    log_status_line("reading 30%", 79);
    log_status_line("", 79);
    log_progress("done");
    assert_string_equal(capture_end(), "\r\x1b[Kreading 10%"
                                       "\r\x1b[Kreading 2"
                                       "\r\x1b[Kp: note: hello\n"
                                       "p: note: again\n"
                                       "\r\x1b[Kreading 30%"
                                       "\r\x1b[K"
                                       "p: progress: done\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_program_and_level),
        cmocka_unit_test(levels_hide_what_is_below_them),
        cmocka_unit_test(hostile_bytes_are_escaped_and_utf8_is_kept),
        cmocka_unit_test(a_long_message_is_cut_at_a_bound),
        cmocka_unit_test(as_json_a_line_is_an_object),
        cmocka_unit_test(as_json_a_long_message_is_cut_and_still_an_object),
        cmocka_unit_test(a_message_pushes_the_status_line_down),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
