#include "api_key.h"

#include "helpers.h"

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

static char path[] = "/tmp/test_api_key.XXXXXX";

static void write_file(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static void assert_key(const char *from, const char *wanted)
{
    char key[API_KEY_SIZE];
    struct err e = ERR_INIT;
    bool exposed;

    assert_int_equal(api_key_read(from, key, &exposed, &e), 0);
    assert_string_equal(key, wanted);
}

static void assert_refused(const char *from, const char *why)
{
    char key[API_KEY_SIZE];
    struct err e = ERR_INIT;
    bool exposed;

    assert_int_equal(api_key_read(from, key, &exposed, &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
    assert_non_null(strstr(e.text, why));
    assert_non_null(strstr(e.text, from ? from : "EVOLUTION_API_KEY"));
    assert_null(strstr(e.text, "geheim"));
}

static void the_file_is_one_line(void **state)
{
    static const char *const good[][2] = {
        {"geheim", "geheim"},     {"geheim\n", "geheim"},   {"geheim\r\n", "geheim"},
        {"ge heim ", "ge heim "}, {"\xC3\xA9", "\xC3\xA9"},
        {"\xEF\xBB\xBFgeheim\r\n", "geheim"},
    };
    static const char *const bad[][2] = {
        {"", "empty"},
        {"\n", "empty"},
        {"\r\n", "empty"},
        {"\xEF\xBB\xBF\n", "empty"},
        {"geheim\nmehr", "more than one line"},
        {"geheim\nmehr\n", "more than one line"},
        {"geheim\n\n", "more than one line"},
        {"\ngeheim\n", "more than one line"},
        {"ge\rheim\n", "more than one line"},
        {"geheim\t", "control character"},
        {"geheim\x7f\n", "control character"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(good); i++) {
        write_file(good[i][0], strlen(good[i][0]));
        assert_key(path, good[i][1]);
    }
    for (i = 0; i < COUNT_OF(bad); i++) {
        write_file(bad[i][0], strlen(bad[i][0]));
        assert_refused(path, bad[i][1]);
    }
    write_file("geheim\0mehr", 11);
    assert_refused(path, "control character");
    assert_refused("/no/such/file", "could not open");
    assert_refused("/tmp", "could not read");
}

static void a_file_that_everybody_may_read_is_told(void **state)
{
    static const struct {
        mode_t mode;
        bool exposed;
    } cases[] = {{0600, false}, {0400, false}, {0640, false}, {0660, false},
                 {0644, true},  {0444, true},  {0604, true}};
    char key[API_KEY_SIZE];
    bool exposed;

    (void)state;
    write_file("geheim\n", 7);
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct err e = ERR_INIT;

        assert_int_equal(chmod(path, cases[i].mode), 0);
        exposed = !cases[i].exposed;
        assert_int_equal(api_key_read(path, key, &exposed, &e), 0);
        assert_string_equal(key, "geheim");
        assert_int_equal(exposed, cases[i].exposed);
    }
    assert_int_equal(chmod(path, 0600), 0);
}

static void a_key_is_not_cut(void **state)
{
    static const char *const ends[] = {"", "\n", "\r\n"};
    char text[4 * API_KEY_SIZE];
    size_t i, n;

    (void)state;
    memset(text, 'k', sizeof text);
    for (i = 0; i < COUNT_OF(ends); i++) {
        char key[API_KEY_SIZE];
        struct err e = ERR_INIT;
        bool exposed;

        memcpy(text + API_KEY_SIZE - 1, ends[i], strlen(ends[i]));
        write_file(text, API_KEY_SIZE - 1 + strlen(ends[i]));
        assert_int_equal(api_key_read(path, key, &exposed, &e), 0);
        assert_int_equal(strlen(key), API_KEY_SIZE - 1);
        memset(text, 'k', sizeof text);
    }
    for (n = API_KEY_SIZE; n < API_KEY_SIZE + 4; n++) {
        write_file(text, n);
        assert_refused(path, "too long");
    }
    write_file(text, sizeof text);
    assert_refused(path, "too long");
}

static void without_a_file_it_is_in_the_environment(void **state)
{
    char text[API_KEY_SIZE + 1];

    (void)state;
    (void)unsetenv("EVOLUTION_API_KEY");
    assert_refused(NULL, "is needed");
    (void)setenv("EVOLUTION_API_KEY", "", 1);
    assert_refused(NULL, "is needed");
    (void)setenv("EVOLUTION_API_KEY", "geheim", 1);
    assert_key(NULL, "geheim");
    (void)setenv("EVOLUTION_API_KEY", "geheim\n", 1);
    assert_refused(NULL, "more than one line");
    memset(text, 'k', sizeof text);
    text[API_KEY_SIZE] = '\0';
    (void)setenv("EVOLUTION_API_KEY", text, 1);
    assert_refused(NULL, "too long");
    text[API_KEY_SIZE - 1] = '\0';
    (void)setenv("EVOLUTION_API_KEY", text, 1);
    assert_key(NULL, text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_file_is_one_line),
        cmocka_unit_test(a_file_that_everybody_may_read_is_told),
        cmocka_unit_test(a_key_is_not_cut),
        cmocka_unit_test(without_a_file_it_is_in_the_environment),
    };
    int failed, fd = mkstemp(path);

    if (fd < 0)
        return 1;
    (void)close(fd);
    failed = cmocka_run_group_tests(tests, NULL, NULL);
    (void)unlink(path);
    return failed;
}
