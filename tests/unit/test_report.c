#include "report.h"

#include "report_formats.h"
#include "report_world.h"
#include "textw.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include <cmocka.h>
#include <jansson.h>

static json_t *parsed(const struct run *r, struct report_options o)
{
    struct buf b = BUF_INIT;
    json_error_t error;
    json_t *root;

    report_made(r, o, &b);
    root = json_loadb(b.data, b.len, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &error);
    if (!root)
        fail_msg("line %d: %s", error.line, error.text);
    buf_release(&b);
    return root;
}

static const struct report_options text = {.format = REPORT_TEXT};
static const struct report_options text_details = {.format = REPORT_TEXT, .details = true};
static const struct report_options text_verbose = {.format = REPORT_TEXT, .verbose = true};
static const struct report_options json = {.format = REPORT_JSON};
static const struct report_options json_details = {
    .format = REPORT_JSON, .details = true, .verbose = true};

static const struct report_options csv_details = {.format = REPORT_CSV, .details = true};
static const struct report_options html_details = {.format = REPORT_HTML, .details = true};

/* ---- what the reports look like ----------------------------------------------------- */

static void test_dry_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    assert_golden(&w.run, text, GOLDEN "dry.txt");
    assert_golden(&w.run, json, GOLDEN "dry.json");
    assert_golden(&w.run, text_details, GOLDEN "details.txt");
    assert_golden(&w.run, json_details, GOLDEN "details.json");
    assert_golden(&w.run, text_verbose, GOLDEN "verbose.txt");
    world_release(&w);
}

static void test_applied_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    world_apply(&w);
    w.run.rebuild = true;
    w.run.fix_total = true;
    assert_golden(&w.run, text_details, GOLDEN "applied.txt");
    assert_golden(&w.run, json_details, GOLDEN "applied.json");
    world_release(&w);
}

static void test_refused_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.run.apply = w.run.refused = true;
    w.run.command = NULL;
    assert_golden(&w.run, text, GOLDEN "refused.txt");
    world_release(&w);
}

static void test_explained_message_and_gaps(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    world_explain(&w);
    assert_golden(&w.run, text, GOLDEN "explain.txt");
    assert_golden(&w.run, json, GOLDEN "explain.json");
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
    assert_golden(&w.run, text_details, GOLDEN "nothing.txt");
    assert_golden(&w.run, json_details, GOLDEN "nothing.json");
    world_release(&w);
}

static void test_offline_run(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.run.offline = true;
    w.run.snapshot_at = TIME_NONE;
    w.run.command = NULL;
    w.run.campaigns = w.run.corrections = w.run.mismatches = 0;
    w.run.messages = (struct run_messages){.distinct = 640};
    memset(w.run.causes, 0, sizeof w.run.causes);
    assert_golden(&w.run, text, GOLDEN "offline.txt");
    assert_golden(&w.run, json, GOLDEN "offline.json");
    world_release(&w);
}

static void test_bigint_ids(void **state)
{
    struct world w;

    (void)state;
    world_init(&w);
    w.run.kinds = (struct store_kinds){IDENT_INT, IDENT_INT, IDENT_INT, IDENT_INT};
    for (size_t i = 0; i < COUNT(w.campaign); i++)
        w.campaign[i].id = (struct ident){0, (UINT64_C(1) << 63) + 7 + i};
    for (size_t i = 0; i < COUNT(w.correction); i++) {
        w.correction[i].id = (struct ident){0, (UINT64_C(1) << 63) + 100 + i};
        w.correction[i].campaign = w.campaign[w.correction[i].campaign_index].id;
    }
    assert_golden(&w.run, text_details, GOLDEN "bigint.txt");
    world_release(&w);
}

/* Colour adds nothing but itself: without it the report is the one of files. */
static void test_colour(void **state)
{
    static const struct report_options colored = {.format = REPORT_TEXT, .color = true};
    struct world w;
    struct buf plain = BUF_INIT, b = BUF_INIT, stripped = BUF_INIT;
    const char *p, *escape;

    (void)state;
    world_init(&w);
    w.run.apply = w.run.refused = true;
    report_made(&w.run, text, &plain);
    assert_null(strchr(buf_str(&plain), 0x1b));
    report_made(&w.run, colored, &b);
    for (p = buf_str(&b); (escape = strchr(p, 0x1b)); p = strchr(escape, 'm') + 1)
        buf_add(&stripped, p, (size_t)(escape - p));
    buf_adds(&stripped, p);
    assert_string_equal(buf_str(&stripped), buf_str(&plain));
    assert_non_null(strstr(buf_str(&b), ": \x1b[31mrefused\x1b[0m\n"));
    assert_non_null(strstr(buf_str(&b), "952\x1b[33m          +2\x1b[0m    95.20 % of sent\n"));
    assert_non_null(strstr(buf_str(&b), "30          +1   only with --fix-total\n")); /* kept */
    assert_non_null(strstr(buf_str(&b), "2 corrections, \x1b[33mleft alone\x1b[0m\n"));
    assert_non_null(strstr(buf_str(&b), "\n\x1b[33mWarnings\x1b[0m\n"));
    buf_release(&plain);
    buf_release(&b);
    buf_release(&stripped);
    world_release(&w);
}

/* ---- hostile names ------------------------------------------------------------------- */

static void assert_harmless(const char *p, size_t n)
{
    size_t columns = 0;

    for (size_t i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c == '\n') {
            columns = 0;
            continue;
        }
        assert_true(c >= 0x20 && c != 0x7f);
        columns += (c & 0xc0) != 0x80;
        if (columns > 80)
            fail_msg("a line is too long: %.100s", p + i - 80);
    }
}

static void test_hostile_names_as_text(void **state)
{
    struct world w;
    struct buf b = BUF_INIT;

    (void)state;
    world_init(&w);
    world_make_hostile(&w, 100000);
    report_made(&w.run, text_details, &b);
    assert_harmless(b.data, b.len);
    buf_release(&b);
    assert_golden(&w.run, text_details, GOLDEN "hostile.txt");
    world_release(&w);
}

static void test_hostile_names_as_json(void **state)
{
    struct world w;
    json_t *root, *c;

    (void)state;
    world_init(&w);
    world_make_hostile(&w, 100000);
    root = parsed(&w.run, json_details);
    c = json_array_get(json_object_get(root, "corrections"), 1);
    assert_int_equal(json_string_length(json_object_get(c, "message_id")), 100000);
    json_decref(root);
    world_release(&w);
}

/* ---- numbers ---------------------------------------------------------------------------- */

static void test_rates_round_half_away_from_zero(void **state)
{
    static const struct {
        int64_t part, whole;
        uint64_t rate; /* hundredths */
    } cases[] = {
        {0, 0, 0},
        {5, 0, 0},
        {0, 7, 0},
        {7, 7, 10000},
        {1, 3, 3333},
        {2, 3, 6667},
        {1, 32, 313},
        {3, 32, 938},
        {1, 800, 13},
        {201, 20000, 101},
        {5, 4, 12500},
        {1, 20001, 0},
        {19999, 20000, 10000},
        {INT64_C(999999999999), INT64_C(1000000000000), 10000},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++)
        assert_int_equal(report_rate(cases[i].part, cases[i].whole), cases[i].rate);
}

/* What the tally could not keep is a member of its own, in its place, and never
 * a second one of the same name. */
static void test_other_raw_statuses(void **state)
{
    struct world w;
    json_t *root, *raw;

    (void)state;
    world_init(&w);
    w.raw[0] = (struct tally_entry){(char *)(uintptr_t) "(other)", 7, 9};
    root = parsed(&w.run, json);
    raw = json_object_get(json_object_get(root, "input"), "raw_statuses");
    assert_int_equal(json_integer_value(json_object_get(raw, "(other)")), 12);
    assert_int_equal(json_object_size(raw), 4);
    json_decref(root);

    w.run.input.events.raw_statuses.n = 0;
    root = parsed(&w.run, json);
    raw = json_object_get(json_object_get(root, "input"), "raw_statuses");
    assert_int_equal(json_integer_value(json_object_get(raw, "(other)")), 3);
    assert_int_equal(json_object_size(raw), 1);
    json_decref(root);
    world_release(&w);
}

static void test_total_differs_only_where_it_is_to_be_written(void **state)
{
    struct campaign_result c = {.stored = counted(1, 1, 1, 1, 0),
                                .recomputed = counted(2, 1, 1, 1, 0)};

    (void)state;
    assert_false(campaign_differs(&c, false));
    assert_true(campaign_differs(&c, true));
    c.stored.count[M_FAILED] = -1; /* NULL */
    assert_true(campaign_differs(&c, false));
}

/* ---- size -------------------------------------------------------------------------------- */

#define MANY 200000 /* corrections, some 100 MB of JSON */

static long resident(void)
{
    struct rusage u;

    assert_int_equal(getrusage(RUSAGE_SELF, &u), 0);
    return u.ru_maxrss;
}

static void write_to(const char *name, const struct run *r, struct report_options o)
{
    struct err e = ERR_INIT;
    struct outfile *f;

    assert_int_equal(outfile_open(&f, name, 0600, false, &e), 0);
    assert_int_equal(report_write(f, r, &o, &e), 0);
    assert_int_equal(outfile_commit(f, &e), 0);
}

static void test_many_corrections_need_no_memory(void **state)
{
    struct correction *many = calloc(MANY, sizeof *many);
    struct world w;
    long before;

    (void)state;
    assert_non_null(many);
    world_init(&w);
    for (size_t i = 0; i < MANY; i++)
        many[i] = w.correction[0];
    w.run.correction = many;
    w.run.corrections = MANY;
    before = resident();
    write_to("/dev/null", &w.run, json_details);
    write_to("/dev/null", &w.run, text_details);
    write_to("/dev/null", &w.run, csv_details);
    write_to("/dev/null", &w.run, html_details);
    assert_true(resident() - before < 4096); /* KiB */
    free(many);
    world_release(&w);
}

static void test_a_full_disk_is_an_error(void **state)
{
    static struct correction many[1000];
    struct report_options formats[] = {text_details, json_details, csv_details, html_details};
    struct world w;

    (void)state;
    world_init(&w);
    for (size_t i = 0; i < COUNT(many); i++)
        many[i] = w.correction[0];
    w.run.correction = many;
    w.run.corrections = COUNT(many);
    for (size_t i = 0; i < COUNT(formats); i++) {
        struct err e = ERR_INIT;
        struct outfile *f;

        assert_int_equal(outfile_open(&f, "/dev/full", 0600, false, &e), 0);
        assert_int_equal(report_write(f, &w.run, &formats[i], &e), -1);
        assert_int_equal(e.status, EXIT_FAILED);
        assert_string_equal(e.text, "could not write \"/dev/full\": No space left on device");
        outfile_abort(f);
    }
    world_release(&w);
}

/* ---- textw ------------------------------------------------------------------------------- */

static void test_names_are_cut_by_columns(void **state)
{
    static const struct {
        const char *name;
        size_t most;
        const char *end_cut, *start_cut;
    } cases[] = {
        {"abc", 3, "abc", "abc"},
        {"abcd", 3, "ab\xe2\x80\xa6",
         "\xe2\x80\xa6"
         "cd"},
        {"\xc3\xa7\xc3\xa3o", 3, "\xc3\xa7\xc3\xa3o", "\xc3\xa7\xc3\xa3o"},
        {"\xc3\xa7\xc3\xa3oo", 3, "\xc3\xa7\xc3\xa3\xe2\x80\xa6", "\xe2\x80\xa6oo"},
        {"a\nb", 6, "a\\x0Ab", "a\\x0Ab"},
        {"a\nbc", 6, "a\\x0A\xe2\x80\xa6",
         "\xe2\x80\xa6"
         "bc"}, /* an escape is never cut in two */
        {"", 3, "", ""},
        {"a\xe2\x80\x8d", 9, "a\xe2\x80\x8d", "a\xe2\x80\x8d"}, /* a joiner of emoji stays */
        {"\xd8\x9c", 9, "\\xD8\\x9C", "\\xD8\\x9C"},            /* U+061C turns the direction */
        {"\xef\xbb\xbf", 12, "\\xEF\\xBB\\xBF", "\\xEF\\xBB\\xBF"},
        {"\xf3\xaf\xbf\xbf", 16, "\\xF3\\xAF\\xBF\\xBF", "\\xF3\\xAF\\xBF\\xBF"}, /* U+EFFFF */
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT;

        textw_name(&b, slice_of(cases[i].name), cases[i].most);
        assert_string_equal(buf_str(&b), cases[i].end_cut);
        buf_clear(&b);
        textw_path(&b, slice_of(cases[i].name), cases[i].most);
        assert_string_equal(buf_str(&b), cases[i].start_cut);
        buf_release(&b);
    }
}

static void test_paragraphs_are_wrapped(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"", "- \n"},
        {"one two", "- one two\n"},
        {"one two three", "- one two\n  three\n"},
        {"12345678 90", "- 12345678\n  90\n"},
        {"1234567 89", "- 1234567\n  89\n"},
        {"123456789012345678", "- 12345678\n  90123456\n  78\n"},
        {"\xc3\xa7\xc3\xa7\xc3\xa7\xc3\xa7 \xc3\xa7\xc3\xa7\xc3\xa7 x",
         "- \xc3\xa7\xc3\xa7\xc3\xa7\xc3\xa7 \xc3\xa7\xc3\xa7\xc3\xa7\n  x\n"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT(cases); i++) {
        struct buf b = BUF_INIT;

        textw_wrap(&b, "- ", slice_of(cases[i].from), 10);
        assert_string_equal(buf_str(&b), cases[i].to);
        buf_release(&b);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_dry_run),
        cmocka_unit_test(test_applied_run),
        cmocka_unit_test(test_refused_run),
        cmocka_unit_test(test_explained_message_and_gaps),
        cmocka_unit_test(test_nothing_to_correct),
        cmocka_unit_test(test_offline_run),
        cmocka_unit_test(test_bigint_ids),
        cmocka_unit_test(test_colour),
        cmocka_unit_test(test_hostile_names_as_text),
        cmocka_unit_test(test_hostile_names_as_json),
        cmocka_unit_test(test_rates_round_half_away_from_zero),
        cmocka_unit_test(test_other_raw_statuses),
        cmocka_unit_test(test_total_differs_only_where_it_is_to_be_written),
        cmocka_unit_test(test_many_corrections_need_no_memory),
        cmocka_unit_test(test_a_full_disk_is_an_error),
        cmocka_unit_test(test_names_are_cut_by_columns),
        cmocka_unit_test(test_paragraphs_are_wrapped),
    };

    return cmocka_run_group_tests(tests, report_set_up, report_tear_down);
}
