#include "opt.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

struct values {
    bool flag, other, stop;
    const char *text, *file, *disk;
    struct opt_list list, files;
    int choice;
    int64_t age, seconds, ms, number, size;
    struct opt_limit limit;
};

#define AT(member) offsetof(struct values, member)

enum { ONE = 1, TWO = 2 };

static const struct opt entries[] = {
    {.tools = ONE, .help = "First"},
    {"flag", 'f', NULL, ONE | TWO, OPT_FLAG, AT(flag), "a flag", NULL, NULL, NULL, 0, 0, 0},
    {"other", 'x', NULL, ONE, OPT_FLAG, AT(other), "another", NULL, NULL, NULL, 0, 0, 0},
    {"stop", 0, NULL, ONE, OPT_STOP, AT(stop), "stops", NULL, NULL, NULL, 0, 0, 0},
    {"text", 't', "TEXT", ONE, OPT_TEXT, AT(text), "a text", "initial", NULL, NULL, 0, 0, 0},
    {"file", 'o', "FILE", ONE, OPT_FILE, AT(file), "a file", NULL, NULL, NULL, 0, 0, 0},
    {"disk", 0, "FILE", ONE, OPT_DISK_FILE, AT(disk), "a file", NULL, NULL, NULL, 0, 0, 0},
    {"list", 'l', "TEXT", ONE, OPT_LIST, AT(list), "a list", NULL, NULL, NULL, 0, 0, 0},
    {"files", 0, "FILE", ONE, OPT_FILE_LIST, AT(files), "files", NULL, NULL, NULL, 0, 0, 0},
    {"choice", 0, "red|green|blue", ONE, OPT_CHOICE, AT(choice), "a colour", "green", NULL,
     "TEST_OPT_CHOICE", 0, 0, 0},
    {.tools = TWO, .help = "Second"},
    {"age", 0, "AGE", ONE, OPT_AGE, AT(age), "an age", NULL, NULL, NULL, 0, 0, 0},
    {"seconds", 0, "SECONDS", ONE, OPT_SECONDS, AT(seconds), "a time", NULL, NULL, NULL, 0, 0, 0},
    {"span", 0, "SECONDS", ONE, OPT_SECONDS, AT(seconds), "a time", NULL, NULL, NULL, 0, 1, 60},
    {"ms", 0, "MS", ONE, OPT_MILLISECONDS, AT(ms), "a time", NULL, NULL, NULL, 0, 0, 0},
    {"number", 'j', "N", ONE, OPT_NUMBER, AT(number), "a number", "7", NULL, NULL, 0, 1, 100},
    {"number", 0, "N", TWO, OPT_NUMBER, AT(number), "a number", "9", NULL, NULL, 0, 1, 100},
    {"size", 0, "SIZE", ONE, OPT_SIZE, AT(size), "a size", NULL, NULL, NULL, 0, 1,
     INT64_C(1) << 40},
    {"limit", 0, "N|P%", ONE, OPT_LIMIT, AT(limit),
     "a limit, with a text that is too long for one line of eighty columns", NULL, NULL, NULL, 0, 0,
     0},
};

static const struct opt_table table = {entries, sizeof entries / sizeof *entries};

static struct values v;
static uint8_t given[sizeof entries / sizeof *entries];
static char *operand[16];
static size_t operands;
static struct err err;

/* Of tool ONE: the defaults, the environment, then the arguments, up to NULL. */
static int parse_after(struct opt_target to, const char *const *args)
{
    static char copies[16][256];
    char *argv[16];
    int argc = 1;

    err = (struct err)ERR_INIT;
    argv[0] = copies[0];
    for (; args[argc - 1]; argc++) {
        (void)snprintf(copies[argc], sizeof copies[argc], "%s", args[argc - 1]);
        argv[argc] = copies[argc];
    }
    to.origin = OPT_ENVIRONMENT;
    assert_int_equal(opt_set_environment(&table, ONE, NULL, to, &err), 0);
    to.origin = OPT_ARGUMENT;
    return opt_parse(&table, ONE, to, argc, argv, operand, &operands, NULL, &err);
}

/* The same, with nothing set before. */
static int parse(const char *const *args)
{
    struct opt_target to = {&v, given, OPT_DEFAULT};

    opt_release(&table, &v);
    memset(&v, 0, sizeof v);
    memset(given, 0, sizeof given);
    assert_int_equal(opt_set_defaults(&table, ONE, to, &err), 0);
    return parse_after(to, args);
}

#define PARSE(...) parse((const char *const[]){__VA_ARGS__, NULL})

static void refused(const char *const *args, const char *message)
{
    assert_int_equal(parse(args), -1);
    assert_int_equal(err.status, EXIT_USAGE);
    assert_string_equal(err.text, message);
}

#define REFUSED(message, ...) refused((const char *const[]){__VA_ARGS__, NULL}, message)

static void values_are_given_in_every_way_of_gnu(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--text", "a", "--choice=blue", "-ob", "-j", "3"), 0);
    assert_string_equal(v.text, "a");
    assert_int_equal(v.choice, 2);
    assert_string_equal(v.file, "b");
    assert_int_equal(v.number, 3);
    assert_int_equal(operands, 0);
    assert_int_equal(PARSE("-fxj4"), 0);
    assert_true(v.flag && v.other);
    assert_int_equal(v.number, 4);
    assert_int_equal(PARSE("--text=", "-o-", "-l", "-f"), 0);
    assert_string_equal(v.text, "");
    assert_string_equal(v.file, "-");
    assert_string_equal(v.list.item[0], "-f"); /* a value may look like an option */
    assert_false(v.flag);
    assert_int_equal(PARSE("--text=a=b"), 0);
    assert_string_equal(v.text, "a=b");
    assert_int_equal(PARSE("-t", "a", "-t", "b"), 0);
    assert_string_equal(v.text, "b"); /* the last one counts */
}

static void operands_and_options_mix(void **state)
{
    (void)state;
    assert_int_equal(PARSE("a", "-f", "-", "--", "-x", "--", "b"), 0);
    assert_true(v.flag);
    assert_false(v.other);
    assert_int_equal(operands, 5);
    assert_string_equal(operand[0], "a");
    assert_string_equal(operand[1], "-");
    assert_string_equal(operand[2], "-x");
    assert_string_equal(operand[3], "--");
    assert_string_equal(operand[4], "b");
    assert_int_equal(PARSE("-f", "--stop", "--nonsense"), 0);
    assert_true(v.stop);
}

static void lists_keep_all_values(void **state)
{
    (void)state;
    assert_int_equal(PARSE("-l", "a", "--list=b", "-lc", "--files", "-", "--files", "d"), 0);
    assert_int_equal(v.list.n, 3);
    assert_string_equal(v.list.item[0], "a");
    assert_string_equal(v.list.item[2], "c");
    assert_int_equal(v.files.n, 2);
    opt_release(&table, &v);
    assert_int_equal(v.list.n, 0);
}

static void numbers_and_sizes_and_limits_are_read(void **state)
{
    (void)state;
    assert_int_equal(PARSE("--size", "10", "--seconds=60", "--ms", "250", "--age", "2h"), 0);
    assert_int_equal(v.size, 10);
    assert_int_equal(v.seconds, 60000000);
    assert_int_equal(v.ms, 250000);
    assert_int_equal(v.age, INT64_C(7200000000));
    assert_int_equal(PARSE("--size", "4K"), 0);
    assert_int_equal(v.size, 4096);
    assert_int_equal(PARSE("--size", "256MiB"), 0);
    assert_int_equal(v.size, 256 << 20);
    assert_int_equal(PARSE("--size", "3g"), 0);
    assert_int_equal(v.size, INT64_C(3) << 30);
    assert_int_equal(PARSE("--limit", "0"), 0);
    assert_true(v.limit.set && !v.limit.percent && v.limit.number == 0);
    assert_int_equal(PARSE("--limit", "2.5%"), 0);
    assert_true(v.limit.percent && v.limit.share > 2.4999 && v.limit.share < 2.5001);
    assert_int_equal(PARSE("--limit", "100%"), 0);
    assert_true(v.limit.percent && v.limit.share > 99.9999);
    assert_int_equal(PARSE("-f"), 0);
    assert_false(v.limit.set);
    assert_int_equal(PARSE("--span", "60"), 0);
    assert_int_equal(v.seconds, 60000000);
}

static void defaults_are_those_of_the_tool(void **state)
{
    struct opt_target to = {&v, given, OPT_ARGUMENT};

    (void)state;
    assert_int_equal(PARSE("-f"), 0);
    assert_string_equal(v.text, "initial");
    assert_int_equal(v.choice, 1);
    assert_int_equal(v.number, 7);
    assert_int_equal(opt_set_defaults(&table, TWO, to, &err), 0);
    assert_int_equal(v.number, 9);
}

static void the_environment_gives_what_the_command_line_does_not(void **state)
{
    struct opt_target to = {&v, given, OPT_ENVIRONMENT};
    size_t i = opt_find(&table, ONE, "choice", 6);

    (void)state;
    assert_int_equal(PARSE("-f"), 0);
    assert_false(given[i]);
    assert_int_equal(setenv("TEST_OPT_CHOICE", "blue", 1), 0);
    assert_int_equal(PARSE("-f"), 0);
    assert_int_equal(v.choice, 2);
    assert_int_equal(given[i], OPT_ENVIRONMENT);
    assert_int_equal(PARSE("--choice", "red"), 0);
    assert_int_equal(v.choice, 0);
    assert_int_equal(given[i], OPT_ARGUMENT);
    assert_int_equal(setenv("TEST_OPT_CHOICE", "mauve", 1), 0);
    assert_int_equal(opt_set_environment(&table, ONE, NULL, to, &err), -1);
    assert_string_equal(err.text, "invalid value \"mauve\" for TEST_OPT_CHOICE: red, green or blue "
                                  "is needed");
    assert_int_equal(setenv("TEST_OPT_CHOICE", "", 1), 0);
    assert_int_equal(PARSE("-f"), 0);
    assert_int_equal(v.choice, 1);
    assert_int_equal(unsetenv("TEST_OPT_CHOICE"), 0);
}

static void what_is_nearer_replaces_what_is_further_off(void **state)
{
    struct opt_target to = {&v, given, OPT_CONFIGURED};
    size_t list = opt_find(&table, ONE, "list", 4), number = opt_find(&table, ONE, "number", 6);

    (void)state;
    assert_int_equal(PARSE("-f"), 0);
    assert_int_equal(opt_set(&table, list, to, "list", "far", &err), 0);
    assert_int_equal(opt_set(&table, list, to, "list", "off", &err), 0);
    assert_int_equal(opt_set(&table, number, to, "number", "50", &err), 0);
    assert_int_equal(v.list.n, 2);
    assert_int_equal(parse_after(to, (const char *const[]){"-l", "a", "-l", "b", "-j8", NULL}), 0);
    assert_int_equal(v.list.n, 2);
    assert_string_equal(v.list.item[0], "a");
    assert_string_equal(v.list.item[1], "b");
    assert_int_equal(v.number, 8);
    assert_int_equal(given[list], OPT_ARGUMENT);
}

static void an_option_taken_back_is_as_by_default(void **state)
{
    struct opt_target to = {&v, given, OPT_ARGUMENT};

    (void)state;
    assert_int_equal(PARSE("-f", "-t", "x", "-l", "a", "-o", "b", "--choice=blue", "--age=1h", "-j",
                           "5", "--limit=2%", "--size=1M"),
                     0);
    for (size_t i = 0; i < table.n; i++)
        if (table.opt[i].name && (table.opt[i].tools & ONE))
            opt_unset(&table, i, to);
    assert_false(v.flag);
    assert_string_equal(v.text, "initial");
    assert_int_equal(v.list.n, 0);
    assert_null(v.file);
    assert_int_equal(v.choice, 1);
    assert_int_equal(v.age, 0);
    assert_int_equal(v.number, 7);
    assert_int_equal(v.size, 0);
    assert_false(v.limit.set);
    for (size_t i = 0; i < table.n; i++)
        assert_int_equal(given[i], OPT_DEFAULT);
}

static void the_first_error_is_told_and_the_rest_is_read(void **state)
{
    (void)state;
    REFUSED("unknown option \"--foo\"", "--foo", "--choice", "mauve", "-t", "x", "y");
    assert_string_equal(v.text, "x");
    assert_int_equal(operands, 1);
}

static void wrong_options_are_named(void **state)
{
    (void)state;
    REFUSED("unknown option \"--foo\"", "--foo");
    REFUSED("unknown option \"--foo\"", "--foo=bar");
    REFUSED("unknown option \"--fla\"", "--fla"); /* no abbreviations */
    REFUSED("unknown option \"-z\"", "-z");
    REFUSED("unknown option \"-z\"", "-fz");
    REFUSED("unknown option \"-zoo\"", "-zoo");
    REFUSED("--flag takes no value", "--flag=1");
    REFUSED("--text needs a value: TEXT", "--text");
    REFUSED("-o needs a value: FILE", "-fo");
    REFUSED("invalid value \"x\" for --age: an age such as 15m is needed", "--age", "x");
    REFUSED("invalid value \"mauve\" for --choice: red, green or blue is needed", "--choice=mauve");
    REFUSED("invalid value \"\" for --choice: red, green or blue is needed", "--choice=");
    REFUSED("invalid value \"red|green\" for --choice: red, green or blue is needed",
            "--choice=red|green");
    REFUSED("invalid value \"0\" for -j: a whole number from 1 to 100 is needed", "-j0");
    REFUSED("invalid value \"101\" for --number: a whole number from 1 to 100 is needed",
            "--number=101");
    REFUSED("invalid value \"-1\" for --number: a whole number from 1 to 100 is needed",
            "--number=-1");
    REFUSED("invalid value \"1e3\" for --seconds: a whole number of seconds is needed",
            "--seconds=1e3");
    REFUSED("invalid value \"0\" for --span: a whole number of seconds from 1 to 60 is needed",
            "--span=0");
    REFUSED("invalid value \"61\" for --span: a whole number of seconds from 1 to 60 is needed",
            "--span=61");
    REFUSED("invalid value \"9223372036854775807\" for --ms: a whole number of milliseconds is "
            "needed",
            "--ms=9223372036854775807");
    REFUSED("invalid value \"4X\" for --size: a size such as 64M is needed", "--size=4X");
    REFUSED("invalid value \"4MB\" for --size: a size such as 64M is needed", "--size=4MB");
    REFUSED("invalid value \"0\" for --size: a size from 1 to 1099511627776 bytes is needed",
            "--size=0");
    REFUSED("invalid value \"99999999999G\" for --size: a size from 1 to 1099511627776 bytes is "
            "needed",
            "--size=99999999999G");
    REFUSED("invalid value \"101%\" for --limit: a number or a percentage such as 2.5% is needed",
            "--limit=101%");
    REFUSED("invalid value \"5 %\" for --limit: a number or a percentage such as 2.5% is needed",
            "--limit=5 %");
    REFUSED("invalid value \".5%\" for --limit: a number or a percentage such as 2.5% is needed",
            "--limit=.5%");
    REFUSED("invalid value \"\" for --file: a file name is needed", "--file=");
    REFUSED("invalid value \"-\" for --disk: a file name is needed", "--disk=-");
    REFUSED("invalid value \"\" for --list: it must not be empty", "--list=");
    REFUSED("invalid value \"\" for --files: a file name is needed", "--files=");
}

static void help_shows_the_options_of_the_tool(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    opt_help(&table, TWO, &b);
    assert_string_equal(buf_str(&b), "  -f, --flag                  a flag\n"
                                     "\nSecond:\n"
                                     "      --number N              a number (default: 9)\n");
    buf_clear(&b);
    opt_help(&table, ONE, &b);
    assert_non_null(strstr(buf_str(&b), "\nFirst:\n  -f, --flag "));
    assert_non_null(strstr(buf_str(&b),
                           "      --choice red|green|blue\n"
                           "                              a colour; also from TEST_OPT_CHOICE\n"
                           "                              (default: green)\n"));
    assert_non_null(strstr(buf_str(&b),
                           "      --limit N|P%            a limit, with a text that is too long for"
                           " one line\n                              of eighty columns\n"));
    buf_release(&b);
}

static int tear_down(void **state)
{
    (void)state;
    opt_release(&table, &v);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(values_are_given_in_every_way_of_gnu),
        cmocka_unit_test(operands_and_options_mix),
        cmocka_unit_test(lists_keep_all_values),
        cmocka_unit_test(numbers_and_sizes_and_limits_are_read),
        cmocka_unit_test(defaults_are_those_of_the_tool),
        cmocka_unit_test(the_environment_gives_what_the_command_line_does_not),
        cmocka_unit_test(what_is_nearer_replaces_what_is_further_off),
        cmocka_unit_test(an_option_taken_back_is_as_by_default),
        cmocka_unit_test(the_first_error_is_told_and_the_rest_is_read),
        cmocka_unit_test(wrong_options_are_named),
        cmocka_unit_test(help_shows_the_options_of_the_tool),
    };

    return cmocka_run_group_tests(tests, NULL, tear_down);
}
