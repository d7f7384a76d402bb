#include "schema.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

/* The statement with :t and :list replaced; static. */
static const char *expanded(const char *sql)
{
    static const struct schema_var list = {"list", "1, 2"};
    static char text[1024];
    struct schema s = {.vars = {{"t", "\"a\".\"b\""}}, .n_vars = 1};
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;

    if (schema_sql(&s, sql, &list, 1, &b, &e) != 0)
        (void)snprintf(text, sizeof text, "%s", e.text);
    else
        (void)snprintf(text, sizeof text, "%s", buf_str(&b));
    buf_release(&b);
    return text;
}

static void names_in_a_statement_are_replaced_as_psql_does(void **state)
{
    (void)state;
    assert_string_equal(expanded("SELECT x.:t FROM :t"), "SELECT x.\"a\".\"b\" FROM \"a\".\"b\"");
    assert_string_equal(expanded("SELECT 1::t, '{:t}'::text[]"), "SELECT 1::t, '{:t}'::text[]");
    assert_string_equal(expanded("SELECT ':t', \":t\", 'it''s :t', :list"),
                        "SELECT ':t', \":t\", 'it''s :t', 1, 2");
    assert_string_equal(expanded("SELECT :list::text"), "SELECT 1, 2::text");
    assert_string_equal(expanded("SELECT :tt"), "a statement names :tt, which is nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_in_a_statement_are_replaced_as_psql_does),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
