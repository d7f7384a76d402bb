#include "csvw.h"
#include "report_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const struct report_options csv = {.format = REPORT_CSV};
static const struct report_options csv_verbose = {.format = REPORT_CSV, .verbose = true};
static const struct report_options csv_details = {.format = REPORT_CSV, .details = true};

/* tests/cli/test_report_csv.py reads the golden files as a spreadsheet does. */
static void test_reports(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_golden(&w.run, csv, GOLDEN "counters.csv");
    assert_golden(&w.run, csv_verbose, GOLDEN "verbose.csv");
    assert_golden(&w.run, csv_details, GOLDEN "corrections.csv");
    world_apply(&w);
    w.run.fix_total = true;
    assert_golden(&w.run, csv, GOLDEN "applied-counters.csv");
    assert_golden(&w.run, csv_details, GOLDEN "applied-corrections.csv");
    w.run.applied = w.campaign[0].written = false;
    w.run.refused = true;
    for (size_t i = 0; i < COUNT(w.correction); i++)
        w.correction[i].outcome = OUTCOME_PLANNED;
    assert_golden(&w.run, csv_details, GOLDEN "refused-corrections.csv");
    world_release(&w);
}

static void test_hostile_names(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    world_make_hostile(&w, 1000);
    assert_golden(&w.run, csv_verbose, GOLDEN "hostile-counters.csv");
    assert_golden(&w.run, csv_details, GOLDEN "hostile-corrections.csv");
    world_release(&w);
}

static void test_nothing_found_is_a_header(void **state)
{
    struct world w;
    struct buf b = BUF_INIT;

    (void)state;
    world_init(&w);
    w.run.offline = true;
    w.run.campaigns = w.run.corrections = 0;
    report_made(&w.run, csv, &b);
    assert_ptr_equal(strstr(buf_str(&b), "\r\n"), b.data + b.len - 2);
    buf_release(&b);
    world_release(&w);
}

static void test_cells(void **state)
{
    static const struct {
        const char *text, *cell;
    } cases[] = {
        {NULL, ""},
        {"", "\"\""},
        {"plain", "\"plain\""},
        {"a,b", "\"a,b\""},
        {"a \"b\"", "\"a \"\"b\"\"\""},
        {"Promo\xc3\xa7\xc3\xa3o", "\"Promo\xc3\xa7\xc3\xa3o\""},
        {"007", "\"007\""},
        /* what a spreadsheet would compute */
        {"=1+1", "\"'=1+1\""},
        {"+1", "\"'+1\""},
        {"-1", "\"'-1\""},
        {"@SUM(A1)", "\"'@SUM(A1)\""},
        {"\xef\xbc\x9d"
         "1",
         "\"'\xef\xbc\x9d"
         "1\""}, /* a fullwidth = */
        {"  =1", "\"'  =1\""},
        {"\"=1", "\"'\"\"=1\""},
        {"'=1", "\"''=1\""},
        {"a=1-2@b+c", "\"a=1-2@b+c\""},
        {"a;=1", "\"a;'=1\""},
        {"a; \"=1;-2", "\"a;' \"\"=1;'-2\""},
        {"a;b", "\"a;b\""},
        /* what would end a row or begin a cell */
        {"a\nb", "\"a\\x0Ab\""},
        {"\t=1", "\"\\x09=1\""},
        {"\r=1", "\"\\x0D=1\""},
        {"\xff=1", "\"\\xFF=1\""},
        {"a;\t=1", "\"a;\\x09=1\""},
        {"\xe2\x80\xae=1", "\"\\xE2\\x80\\xAE=1\""},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT;
        struct csvw w = {&b, true};

        csvw_text(&w, slice_of(cases[i].text));
        assert_string_equal(buf_str(&b), cases[i].cell);
        buf_release(&b);
    }
}

static void test_a_row(void **state)
{
    struct buf b = BUF_INIT;
    struct csvw w = {&b, true};

    (void)state;
    csvw_int(&w, -2);
    csvw_uint(&w, UINT64_MAX);
    csvw_hundredths(&w, 9705);
    csvw_none(&w);
    csvw_word(&w, "sent");
    csvw_time(&w, TIME_NONE);
    csvw_time(&w, NOON);
    csvw_text(&w, (struct slice){"a\0b", 3});
    csvw_end(&w);
    csvw_none(&w);
    csvw_int(&w, INT64_MIN);
    csvw_end(&w);
    assert_string_equal(buf_str(&b), "-2,18446744073709551615,97.05,,sent,,"
                                     "2026-11-01T12:00:00.000000Z,\"a\\x00b\"\r\n"
                                     ",-9223372036854775808\r\n");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reports),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_nothing_found_is_a_header),
        cmocka_unit_test(test_cells),
        cmocka_unit_test(test_a_row),
    };

    return cmocka_run_group_tests(tests, report_set_up, report_tear_down);
}
