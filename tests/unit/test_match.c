/* What evidence a row is given. */
#include "match.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

/* A row that is sent again bears another message id: what is known of the old
 * message says nothing about the new one. */
static void evidence_does_not_follow_a_row_to_another_message(void **state)
{
    const struct match_source source = {{"i", 1}, NULL};
    const struct ident row = {1, 2}, other = {1, 3}, campaign = {4, 5};
    struct evidence e = {.seen = M_BIT(M_READ)};
    struct names archives = NAMES_INIT;
    struct match_table t;
    struct err err = ERR_INIT;
    const struct match *m;

    (void)state;
    e.at[M_READ] = (struct sighting){.time = 7, .record = 1};
    assert_int_equal(match_init(&t, &archives, NULL, &source, 1, &err), 0);
    assert_int_equal(match_use(&t, 0, slice_of("OLD"), &e, row, campaign, &err), 0);
    m = match_find(&t, row, slice_of("OLD"));
    assert_non_null(m);
    assert_int_equal(m->evidence.seen, M_BIT(M_READ));
    assert_int_equal(m->evidence.at[M_READ].time, 7);
    assert_null(match_find(&t, row, slice_of("NEW")));
    assert_null(match_find(&t, row, SLICE_NONE));
    assert_null(match_find(&t, other, slice_of("OLD")));
    match_release(&t);
    names_release(&archives);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(evidence_does_not_follow_a_row_to_another_message),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
