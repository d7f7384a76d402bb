#include "command.h"

#include "helpers.h"
#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void assert_shown(const char *arg, const char *wanted)
{
    struct buf b = BUF_INIT;

    command_put_argument(&b, arg);
    assert_string_equal(buf_str(&b), wanted);
    buf_release(&b);
}

static void what_sets_no_password_stays(void **state)
{
    static const char *const cases[][2] = {
        {"Password promo", "'Password promo'"},
        {"password", "password"},
        {"a\nb'c\\", "$'a\\x0ab\\x27c\\x5c'"},
        {"loja\xe2\x80\xae \xc3\xa9", "$'loja\\xe2\\x80\\xae \xc3\xa9'"},
        {"loja\xff", "$'loja\\xff'"},
        {"loja \xc3\xa9", "'loja \xc3\xa9'"},
        {"my password is", "'my password is'"},
        {"--campaign=password 123", "'--campaign=password 123'"},
        {"dbname=campaigns", "dbname=campaigns"},
        {"host=x passfile=/p", "'host=x passfile=/p'"},
        {"service = campaigns ", "'service = campaigns '"},
        {"host='it is password=x' user=me", "'host='\\''it is password=x'\\'' user=me'"},
        {"postgresql://host:5432/db?sslmode=require",
         "'postgresql://host:5432/db?sslmode=require'"},
        {"postgresql://me@host/db", "postgresql://me@host/db"},
        {"postgresql:///db?passwords=1", "'postgresql:///db?passwords=1'"},
        {"https://host:8080/a:b@c", "https://host:8080/a:b@c"},
        {"https://host:8080/100%25", "https://host:8080/100%25"},
        {"logs/a@b:c", "logs/a@b:c"},
        {"", "''"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++)
        assert_shown(cases[i][0], cases[i][1]);
}

static void passwords_are_left_out_of_conninfos(void **state)
{
    static const char *const cases[][2] = {
        {"host=x password=geheim user=me", "'host=x user=me'"},
        {"password=geheim host=x", "host=x"},
        {"host=x password = geheim", "host=x"},
        {"host=x\tpassword\n=\n'ge heim\\' \\\\' user=me", "'host=x user=me'"},
        {"host=x password=ge\\ heim user=me", "'host=x user=me'"},
        {"host=x sslpassword=geheim", "host=x"},
        {"password=a host=x password=b", "host=x"},
        {"password=", "''"},
        {"--dbname=host=x password=geheim", "--dbname=host=x"},
        {"-dhost=x password=geheim", "-dhost=x"},
        {"-nqdpassword=geheim host=x", "-nqdhost=x"},
        {"-dpassword=geheim", "-d ''"},
        {"--dbname=password=geheim", "--dbname="},
        {"host=x password='geheim", "..."},
        {"password=geheim and more", "..."},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++)
        assert_shown(cases[i][0], cases[i][1]);
}

static void passwords_are_left_out_of_uris(void **state)
{
    static const char *const cases[][2] = {
        {"postgresql://me:geheim@host/db", "postgresql://me@host/db"},
        {"postgres://:geheim@/db", "postgres://@/db"},
        {"postgresql://me:ge@heim@host", "postgresql://me@host"},
        {"postgresql://me:@host", "postgresql://me@host"},
        {"postgresql:///db?password=geheim", "postgresql:///db"},
        {"postgresql:///db?host=x&password=geheim&user=me", "'postgresql:///db?host=x&user=me'"},
        {"postgresql:///db?p%61ssword=geheim&host=x", "'postgresql:///db?host=x'"},
        {"postgresql:///db?sslpassword=geheim", "postgresql:///db"},
        {"--dbname=postgresql://me:geheim@host/db", "--dbname=postgresql://me@host/db"},
        {"-dpostgresql://me:geheim@host/db", "-dpostgresql://me@host/db"},
        {"https://me:geheim@host/x", "https://host/x"},
        {"--evolution-url=https://geheim@host", "--evolution-url=https://host"},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++)
        assert_shown(cases[i][0], cases[i][1]);
}

static void an_option_is_put_with_its_value(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    command_put_option(&b, "-d", "host=x password=y dbname=z");
    command_put_option(&b, "--instance", "it's");
    assert_string_equal(buf_str(&b), " -d 'host=x dbname=z' --instance 'it'\\''s'");
    buf_release(&b);
}

static void what_would_be_left_out_is_known(void **state)
{
    (void)state;
    assert_true(command_hides("--dbname=host=x password=y"));
    assert_true(command_hides("--dbname=postgresql://u:p@h/d"));
    assert_true(command_hides("--evolution-url=https://me@h"));
    assert_false(command_hides("--dbname=host=x user='a b'"));
    assert_false(command_hides("--dbname=postgresql://u@h/d?a=b&c=d"));
    assert_false(command_hides("--evolution-url=https://h/p?q=r#s"));
}

static void the_command_that_acts_lies_beside_the_one_that_runs(void **state)
{
    static const struct {
        const char *program, *verb, *config, *dbname, *file, *wanted;
        bool fix_total;
    } cases[] = {
        {"replay", "revert", NULL, NULL, "j.gz", "reconcile revert j.gz", false},
        {"/opt/my bin/replay", "apply", NULL, "dbname=app", "/tmp/p",
         "'/opt/my bin/reconcile' apply -d dbname=app /tmp/p", false},
        {"./reconcile", "apply", NULL, "host=x password=geheim", "-p",
         "./reconcile apply -d host=x --fix-total ./-p", true},
        {"replay", "revert", NULL, "app", "it's", "reconcile revert -d app 'it'\\''s'", false},
        {"replay", "revert", "my conf", NULL, "j", "reconcile revert --config 'my conf' j", false},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) {
        struct buf b = BUF_INIT;

        command_put_acting(&b, cases[i].program, cases[i].verb, cases[i].config, cases[i].dbname,
                           cases[i].fix_total, cases[i].file);
        assert_string_equal(buf_str(&b), cases[i].wanted);
        buf_release(&b);
    }
}

/* The command that writes, of a command line as it was parsed. */
static void assert_applying(enum tool tool, const char *line, int words, const char *wanted)
{
    char text[256], *argv[16], *rest = text;
    struct buf b = BUF_INIT;
    struct options o;
    struct err e = ERR_INIT;
    int argc = 0;

    (void)snprintf(text, sizeof text, "%s", line);
    for (char *word; (word = strtok_r(rest, " ", &rest));)
        argv[argc++] = word;
    if (options_parse(&o, tool, argc, argv, 0, &e) != 0)
        fail_msg("%s: %s", line, e.text);
    command_put_applying(&b, argc, argv, o.word, words);
    assert_string_equal(buf_str(&b), wanted);
    buf_release(&b);
    options_release(&o);
}

static void a_dry_run_is_repeated_without_its_n(void **state)
{
    static const char *const cases[][2] = {
        {"replay -n -d c1 A", "replay --apply -d c1 A"},
        {"replay -nd c1 A", "replay --apply -d c1 A"},
        {"replay -ndc1 A", "replay --apply -dc1 A"},
        {"replay -qnd c1 A", "replay --apply -qd c1 A"},
        {"replay -nqo x A", "replay --apply -qo x A"},
        {"replay -nqnv --dry-run --apply A", "replay --apply -qv A"},
        {"replay -dn A", "replay --apply -dn A"},
        {"replay -on A -n", "replay --apply -on A"},
        {"replay -ndpassword=geheim A", "replay --apply -d '' A"},
        {"replay -d c1 -- -n B", "replay --apply -d c1 -- -n B"},
        {"replay -n -- --apply --dry-run -qn", "replay --apply -- --apply --dry-run -qn"},
        {"replay --campaign -n A", "replay --apply --campaign -n A"},
        {"replay -o --dry-run --campaign --apply A",
         "replay --apply -o --dry-run --campaign --apply A"},
        {"replay -d -- -n A", "replay --apply -d -- A"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++)
        assert_applying(TOOL_REPLAY, cases[i][0], 1, cases[i][1]);
    assert_applying(TOOL_RECONCILE, "reconcile audit -nv --campaign -n", 2,
                    "reconcile audit --apply -v --campaign -n");
}

static void a_rehearsal_goes_without_its_n(void **state)
{
    (void)state;
    assert_applying(TOOL_RECONCILE, "reconcile apply -n -d app -qn plan --dry-run", 0,
                    "reconcile apply -d app -q plan");
    assert_applying(TOOL_RECONCILE, "reconcile revert -nd app -- -n", 0,
                    "reconcile revert -d app -- -n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_sets_no_password_stays),
        cmocka_unit_test(passwords_are_left_out_of_conninfos),
        cmocka_unit_test(passwords_are_left_out_of_uris),
        cmocka_unit_test(an_option_is_put_with_its_value),
        cmocka_unit_test(what_would_be_left_out_is_known),
        cmocka_unit_test(the_command_that_acts_lies_beside_the_one_that_runs),
        cmocka_unit_test(a_dry_run_is_repeated_without_its_n),
        cmocka_unit_test(a_rehearsal_goes_without_its_n),
    };

    /* The machine's own must not count. */
    return setenv("RECONCILE_CONFIG", "", 1) != 0 || cmocka_run_group_tests(tests, NULL, NULL);
}
