#include "htmlw.h"
#include "report_world.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* tests/cli/test_report_html.py parses the golden files, tests/html looks at them
 * in a browser. */

static const struct report_options html = {.format = REPORT_HTML};
static const struct report_options html_details = {
    .format = REPORT_HTML, .details = true, .verbose = true};

static void test_runs(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_golden(&w.run, html, GOLDEN "dry.html");
    assert_golden(&w.run, html_details, GOLDEN "details.html");
    world_explain(&w);
    assert_golden(&w.run, html, GOLDEN "explain.html");
    world_apply(&w);
    w.run.rebuild = true;
    w.run.fix_total = true;
    assert_golden(&w.run, html_details, GOLDEN "applied.html");
    world_release(&w);
}

static void test_refused_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.run.apply = w.run.refused = true;
    w.run.command = NULL;
    assert_golden(&w.run, html, GOLDEN "refused.html");
    world_release(&w);
}

static void test_nothing_to_correct(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.run.tool = "reconcile audit";
    w.run.campaign = &w.campaign[2];
    w.run.campaigns = 1;
    w.run.corrections = w.run.warnings = w.run.mismatches = 0;
    memset(&w.run.input, 0, sizeof w.run.input);
    memset(&w.run.messages, 0, sizeof w.run.messages);
    memset(w.run.causes, 0, sizeof w.run.causes);
    assert_golden(&w.run, html, GOLDEN "nothing.html");
    world_release(&w);
}

static void test_offline_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    world_explain(&w);
    w.run.offline = true;
    w.run.snapshot_at = TIME_NONE;
    w.run.command = NULL;
    w.run.campaigns = w.run.corrections = w.run.mismatches = w.run.gaps = w.explain.rows = 0;
    w.run.messages = (struct run_messages){.distinct = 640};
    memset(w.run.causes, 0, sizeof w.run.causes);
    assert_golden(&w.run, html, GOLDEN "offline.html");
    world_release(&w);
}

static void test_hostile_names(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    world_explain(&w);
    world_make_hostile(&w, 3000);
    assert_golden(&w.run, html_details, GOLDEN "hostile.html");
    world_release(&w);
}

/* ---- what is drawn ------------------------------------------------------------------- */

static bool contains(const struct buf *b, const char *s)
{
    return strstr(buf_str(b), s) != NULL;
}

/* The order of the two texts in the report. */
static void assert_before(const struct buf *b, const char *first, const char *second)
{
    const char *p = strstr(buf_str(b), first), *q = strstr(buf_str(b), second);

    assert_non_null(p);
    assert_non_null(q);
    assert_true(p < q);
}

static void test_the_largest_drift_comes_first(void **state)
{
    struct world w;
    struct buf b = BUF_INIT;

    (void)state;
    world_init(&w);
    report_made(&w.run, html, &b);
    assert_before(&b, "<article class=\"panel campaign\" id=\"c2\"",
                  "<article class=\"panel campaign\" id=\"c1\"");
    assert_before(&b, "<article class=\"panel campaign\" id=\"c1\"",
                  "<article class=\"panel campaign\" id=\"c4\"");
    assert_before(&b, "<a href=\"#c2\">", "<a href=\"#c1\">");
    assert_false(contains(&b, "id=\"c3\""));
    buf_release(&b);

    /* The total counts where it is to be written. */
    w.campaign[3].stored.total = 1000;
    report_made(&w.run, html, &b);
    assert_before(&b, "<a href=\"#c1\">", "<a href=\"#c4\">");
    buf_release(&b);
    w.run.fix_total = true;
    report_made(&w.run, html, &b);
    assert_before(&b, "<a href=\"#c4\">", "<a href=\"#c2\">");
    buf_release(&b);
    world_release(&w);
}

/* Bars are as long as their numbers, whatever the numbers are. */
static void test_bars_keep_within_the_funnel(void **state)
{
    struct world w;
    struct buf b = BUF_INIT;

    (void)state;
    world_init(&w);
    w.run.campaigns = 1;
    w.run.corrections = 0;
    w.campaign[0].stored = counted(0, INT64_MAX, INT64_MAX / 2, -1, 0);
    w.campaign[0].recomputed = counted(0, 0, INT64_MAX, 0, INT64_MAX);
    report_made(&w.run, html, &b);
    assert_true(contains(&b, "<rect class=\"was\" y=\"19\" width=\"360.0\""));
    assert_true(contains(&b, "<rect class=\"was\" y=\"71\" width=\"180.0\""));
    assert_true(contains(&b, "<rect class=\"now\" y=\"82\" width=\"360.0\""));
    assert_false(contains(&b, "<rect class=\"now\" y=\"30\""));  /* 0 */
    assert_false(contains(&b, "<rect class=\"was\" y=\"123\"")); /* NULL */
    buf_release(&b);

    w.campaign[0].stored = w.campaign[0].recomputed = counted(0, 0, 0, 0, 0);
    report_made(&w.run, html, &b);
    assert_false(contains(&b, "<rect class=\"was\" y="));
    assert_false(contains(&b, "<path"));
    buf_release(&b);
    world_release(&w);
}

/* ---- htmlw --------------------------------------------------------------------------- */

static void test_names_are_text(void **state)
{
    static const struct {
        const char *name;
        size_t most;
        const char *text, *markup;
    } cases[] = {
        {"", 9, "", ""},
        {"plain", 9, "plain", "plain"},
        {"<b>&\"'", 9, "&lt;b&gt;&amp;&quot;&#39;", "&lt;b&gt;&amp;&quot;&#39;"},
        {"a\nb", 9, "a\\x0Ab", "a<span class=\"x\">\\x0A</span>b"},
        {"\xff\xfe<", 9, "\\xFF\\xFE&lt;", "<span class=\"x\">\\xFF\\xFE</span>&lt;"},
        {"\xe2\x80\xae", 9, "\\xE2\\x80\\xAE", "<span class=\"x\">\\xE2\\x80\\xAE</span>"},
        {"\xc3\xa7\xc3\xa3o", 3, "\xc3\xa7\xc3\xa3o", "\xc3\xa7\xc3\xa3o"},
        {"\xc3\xa7\xc3\xa3oo", 3, "\xc3\xa7\xc3\xa3o\xe2\x80\xa6", "\xc3\xa7\xc3\xa3o\xe2\x80\xa6"},
        {"a&b", 2, "a&amp;\xe2\x80\xa6", "a&amp;\xe2\x80\xa6"}, /* never within an entity */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT;
        size_t n;

        htmlw_text(&b, slice_of(cases[i].name), cases[i].most);
        assert_string_equal(buf_str(&b), cases[i].text);
        buf_clear(&b);
        htmlw_name(&b, slice_of(cases[i].name), cases[i].most);
        n = strlen(cases[i].markup);
        assert_int_equal(b.len, strlen("<bdi></bdi>") + n);
        assert_memory_equal(b.data, "<bdi>", 5);
        assert_memory_equal(b.data + 5, cases[i].markup, n);
        buf_release(&b);
    }
}

static void test_numbers(void **state)
{
    static const struct {
        int64_t n;
        const char *text;
    } cases[] = {
        {0, "0"},
        {-7, "\xe2\x88\x92"
             "7"},
        {9999, "+9999"},
        {10000, "+10\xe2\x80\xaf"
                "000"},
        {-1234567, "\xe2\x88\x92"
                   "1\xe2\x80\xaf"
                   "234\xe2\x80\xaf"
                   "567"},
        {INT64_MIN, "\xe2\x88\x92"
                    "9\xe2\x80\xaf"
                    "223\xe2\x80\xaf"
                    "372\xe2\x80\xaf"
                    "036\xe2\x80\xaf"
                    "854\xe2\x80\xaf"
                    "775\xe2\x80\xaf"
                    "808"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT;

        htmlw_difference(&b, cases[i].n);
        assert_string_equal(buf_str(&b), cases[i].text);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_runs),
        cmocka_unit_test(test_refused_run),
        cmocka_unit_test(test_nothing_to_correct),
        cmocka_unit_test(test_offline_run),
        cmocka_unit_test(test_hostile_names),
        cmocka_unit_test(test_the_largest_drift_comes_first),
        cmocka_unit_test(test_bars_keep_within_the_funnel),
        cmocka_unit_test(test_names_are_text),
        cmocka_unit_test(test_numbers),
    };

    return cmocka_run_group_tests(tests, report_set_up, report_tear_down);
}
