#include "log.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

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
    static char text[131072];
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
    free(name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_names_program_and_level),
        cmocka_unit_test(levels_hide_what_is_below_them),
        cmocka_unit_test(hostile_bytes_are_escaped_and_utf8_is_kept),
        cmocka_unit_test(a_long_message_is_cut_at_a_bound),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
