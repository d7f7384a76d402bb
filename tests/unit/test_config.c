#include "config.h"

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

static char path[] = "/tmp/test_config.XXXXXX";
static struct config config;

static void write_bytes(const char *text, size_t n)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(text, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

static int read_bytes(const char *text, size_t n, struct err *e)
{
    *e = (struct err)ERR_INIT;
    config_release(&config);
    write_bytes(text, n);
    return config_read(&config, path, false, e);
}

static void assert_read(const char *text)
{
    struct err e;

    if (read_bytes(text, strlen(text), &e) != 0)
        fail_msg("%s", e.text);
}

static void assert_entry(size_t i, unsigned line, const char *name, const char *value)
{
    assert_true(i < config.n);
    assert_int_equal(config.entry[i].line, line);
    assert_string_equal(config.entry[i].name, name);
    if (value)
        assert_string_equal(config.entry[i].value, value);
    else
        assert_null(config.entry[i].value);
}

/* The message names the file and the line, and no value. */
static void assert_refused(const char *text, size_t n, unsigned line, const char *why)
{
    char wanted[512];
    struct err e;

    assert_int_equal(read_bytes(text, n, &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
    (void)snprintf(wanted, sizeof wanted, "configuration file \"%s\", line %u: %s", path, line,
                   why);
    assert_string_equal(e.text, wanted);
    assert_null(strstr(e.text, "geheim"));
}

static void a_line_is_a_name_and_maybe_a_value(void **state)
{
    (void)state;
    assert_read("# a comment\n"
                "\n"
                "settle = 15m\n"
                "  date-time-zone=America/Sao_Paulo  \t\n"
                "apply\n"
                " \t# another\r\n"
                "format = json\r\n"
                "dbname = host=/run/pg dbname='a b'\n"
                "output =\n"
                "cacert = /a#b");
    assert_int_equal(config.n, 7);
    assert_entry(0, 3, "settle", "15m");
    assert_entry(1, 4, "date-time-zone", "America/Sao_Paulo");
    assert_entry(2, 5, "apply", NULL);
    assert_entry(3, 7, "format", "json");
    assert_entry(4, 8, "dbname", "host=/run/pg dbname='a b'");
    assert_entry(5, 9, "output", "");
    assert_entry(6, 10, "cacert", "/a#b");
}

static void nothing_and_no_more_than_a_mebibyte(void **state)
{
    size_t n = CONFIG_MAX + 1;
    char *text = malloc(n);
    struct err e;

    (void)state;
    assert_non_null(text);
    for (size_t i = 0; i < n; i++)
        text[i] = i % 64 == 63 ? '\n' : '#';
    assert_read("");
    assert_int_equal(config.n, 0);
    assert_int_equal(read_bytes(text, n - 1, &e), 0);
    assert_int_equal(read_bytes(text, n, &e), -1);
    assert_non_null(strstr(e.text, "larger than 1 MiB"));
    free(text);
}

static void quotes_keep_what_they_hold(void **state)
{
    (void)state;
    assert_read("campaign = \" Promo #1 \"\n"
                "campaign=\"say \\\"yes\\\", C:\\\\x\"   # and a comment\n"
                "campaign = \"\"\n"
                "campaign = it's = \"fine\"\n");
    assert_int_equal(config.n, 4);
    assert_entry(0, 1, "campaign", " Promo #1 ");
    assert_entry(1, 2, "campaign", "say \"yes\", C:\\x");
    assert_entry(2, 3, "campaign", "");
    assert_entry(3, 4, "campaign", "it's = \"fine\"");
}

static void what_is_no_line_is_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *why;
    } bad[] = {
        {"= geheim\n", 1, "\"name = value\", or a name alone, is needed"},
        {"\nsettle geheim\n", 2, "\"name = value\", or a name alone, is needed"},
        {"[geheim]", 1, "\"name = value\", or a name alone, is needed"},
        {"\n\xEF\xBB\xBFsettle = geheim", 2, "\"name = value\", or a name alone, is needed"},
        {"a = \"geheim", 1, "a quote has no end"},
        {"a = \"geheim\\", 1, "after \\ in quotes, only \" or \\ can come"},
        {"a = \"geheim\\n\"", 1, "after \\ in quotes, only \" or \\ can come"},
        {"a = \"geheim\" x", 1, "something follows the closing quote"},
        {"a = 'geheim'", 1, "a value that begins with ' has to be in double quotes"},
        {"a\n# b\na = geheim # x\n", 3,
         "a value with a # after a blank has to be in double quotes, and a comment on a line of "
         "its own"},
        {"a = # x\n", 1,
         "a value with a # after a blank has to be in double quotes, and a comment on a line of "
         "its own"},
        {"a = geheim\x1b[0m\n", 1, "it holds a control character"},
        {"a = geheim\rb = c\n", 1, "it holds a control character"},
    };
    char *text = malloc(CONFIG_LINE_MAX + 2);

    (void)state;
    for (size_t i = 0; i < COUNT_OF(bad); i++)
        assert_refused(bad[i].text, strlen(bad[i].text), bad[i].line, bad[i].why);
    assert_refused("a = b\nc = ge\0heim\n", 17, 2, "it holds a NUL byte");
    assert_non_null(text);
    memset(text, '#', CONFIG_LINE_MAX + 1);
    assert_refused(text, CONFIG_LINE_MAX + 1, 1, "it is longer than 8192 bytes");
    text[CONFIG_LINE_MAX] = '\0';
    assert_read(text);
    free(text);
}

static void only_a_regular_file_that_is_ours_to_write_is_read(void **state)
{
    char fifo[64];
    struct err e = ERR_INIT;

    (void)state;
    config_release(&config);
    write_bytes("a = b\n", 6);
    assert_int_equal(chmod(path, 0646), 0);
    assert_int_equal(config_read(&config, path, true, &e), -1);
    assert_non_null(strstr(e.text, "every user may write to it"));
    assert_int_equal(chmod(path, 0644), 0);
    config_release(&config);
    assert_int_equal(config_read(&config, path, true, &e), 0);
    assert_true(config.exposed);
    config_release(&config);
    assert_int_equal(chmod(path, 0640), 0);
    assert_int_equal(config_read(&config, path, true, &e), 0);
    assert_false(config.exposed);
    config_release(&config);

    assert_int_equal(config_read(&config, "/tmp", true, &e), -1);
    assert_string_equal(e.text, "could not use configuration file \"/tmp\": it is no regular file");
    assert_int_equal(config_read(&config, "/dev/zero", true, &e), -1);
    assert_non_null(strstr(e.text, "no regular file"));
    (void)snprintf(fifo, sizeof fifo, "%s.fifo", path);
    assert_int_equal(mkfifo(fifo, 0600), 0);
    assert_int_equal(config_read(&config, fifo, true, &e), -1); /* and nobody is waited for */
    assert_non_null(strstr(e.text, "no regular file"));
    (void)unlink(fifo);
    assert_int_equal(config_read(&config, "/dev/null", false, &e), 0);
    assert_int_equal(config.n, 0);
}

static void one_that_is_not_there_matters_if_it_was_named(void **state)
{
    struct err e = ERR_INIT;

    (void)state;
    config_release(&config);
    assert_int_equal(config_read(&config, "/nonexistent/x", true, &e), 0);
    assert_int_equal(config.n, 0);
    assert_int_equal(config_read(&config, "/nonexistent/x", false, &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
    assert_string_equal(e.text, "could not open configuration file \"/nonexistent/x\": No such "
                                "file or directory");
    assert_int_equal(config_read(&config, "/dev/null/x", true, &e), -1);
}

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    config_release(&config);
    return unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_is_a_name_and_maybe_a_value),
        cmocka_unit_test(nothing_and_no_more_than_a_mebibyte),
        cmocka_unit_test(quotes_keep_what_they_hold),
        cmocka_unit_test(what_is_no_line_is_refused),
        cmocka_unit_test(only_a_regular_file_that_is_ours_to_write_is_read),
        cmocka_unit_test(one_that_is_not_there_matters_if_it_was_named),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
