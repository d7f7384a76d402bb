#include "report.h"

#include "names.h"
#include "report_formats.h"
#include "textw.h"
#include "version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

/* Golden files, from the root of the sources: UPDATE_GOLDEN=1 rewrites them. */
#define GOLDEN "tests/golden/report/"

#define NOON INT64_C(1793534400000000) /* 2026-11-01T12:00:00Z */
#define SECOND US_PER_SECOND
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* ---- a run to report -------------------------------------------------------------- */

/* A run with all it refers to, so that a test changes what it is about. */
struct world {
    struct run run;
    struct names archives;
    struct tally_entry raw[4];
    struct evidence evidence[3];
    struct campaign_result campaign[4];
    struct correction correction[6];
    struct run_mismatch mismatch[2];
    struct slice warning[2];
};

static struct row_state row(enum row_status status, int64_t sent, int64_t delivered, int64_t read,
                            int64_t failed, const char *error)
{
    return (struct row_state){status, {sent, delivered, read, failed}, slice_of(error)};
}

static struct counters counted(int64_t total, int64_t sent, int64_t delivered, int64_t read,
                               int64_t failed)
{
    return (struct counters){total, {sent, delivered, read, failed}};
}

static void fill_evidence(struct world *w)
{
    uint32_t near, far;

    w->archives = (struct names)NAMES_INIT;
    near = names_add(&w->archives, slice_of("logs/w-003.jsonl.gz"));
    far = names_add(&w->archives, slice_of("/srv/backup/2026/evolution/webhooks/captured/by/nginx/"
                                           "2026-11-01T00.00.00-03.00.jsonl.gz"));
    w->evidence[0] = (struct evidence){
        .at = {[M_DELIVERED] = {NOON + 5 * SECOND, 17, near, false},
               [M_READ] = {NOON + 9 * SECOND, 1187, near, true}},
        .seen = M_BIT(M_DELIVERED) | M_BIT(M_READ) | M_PENDING_BIT,
    };
    w->evidence[1] = (struct evidence){
        .at = {[M_FAILED] = {NOON + 60 * SECOND, 4000000, far, false}},
        .error = slice_of("number \"not\" on WhatsApp"),
        .seen = M_BIT(M_FAILED),
    };
    w->evidence[2] = (struct evidence){
        .at = {[M_DELIVERED] = {NOON + 3 * SECOND, 9, near, false}},
        .seen = M_BIT(M_DELIVERED),
    };
    w->run.archives = &w->archives;
}

static void fill_campaigns(struct world *w)
{
    w->campaign[0] = (struct campaign_result){
        .id = {UINT64_C(0x0f8fad5bd9cb469f), UINT64_C(0xa16570867728950e)},
        .tenant = {1, UINT64_C(0x8000000000000000)},
        .name = slice_of("Promo\xc3\xa7\xc3\xa3o de Natal 2026"),
        .stored = counted(1000, 1000, 950, 400, 12),
        .recomputed = counted(1000, 1000, 952, 401, 11),
        .corrections = 4,
    };
    w->campaign[1] = (struct campaign_result){
        .id = {UINT64_C(0x1111111111111111), 1},
        .name = slice_of("only the counters"),
        .stored = counted(29, 7, 3, -1, 0),
        .recomputed = counted(30, 32, 1, 0, 0),
    };
    w->campaign[2] = (struct campaign_result){
        .id = {UINT64_C(0x2222222222222222), 2},
        .name = slice_of("right already"),
        .stored = counted(5, 5, 5, 5, 0),
        .recomputed = counted(5, 5, 5, 5, 0),
    };
    w->campaign[3] = (struct campaign_result){
        .id = {UINT64_C(0x3333333333333333), 3},
        .name = slice_of("out of order"),
        .stored = counted(2, 0, 0, 0, 0),
        .recomputed = counted(2, 1, 2, 0, 0),
        .corrections = 2,
        .left_alone = true,
    };
    w->run.campaign = w->campaign;
    w->run.campaigns = COUNT(w->campaign);
}

static void fill_corrections(struct world *w)
{
    const int64_t none = TIME_NONE;
    struct correction *c = w->correction;

    c[0] = (struct correction){
        .message_id = slice_of("3EB0C767D097B7C76511BB"),
        .before = row(ROW_SENT, NOON, none, none, none, NULL),
        .after = row(ROW_READ, NOON, NOON + 5 * SECOND, NOON + 9 * SECOND, none, NULL),
        .evidence = &w->evidence[0],
        .cause = CAUSE_MISSED_WEBHOOK,
        .approximate = M_BIT(M_READ)};
    c[1] = (struct correction){.message_id = slice_of("3EB0C767D097B7C76511BC"),
                               .before = row(ROW_DELIVERED, NOON, NOON + SECOND, none, none, ""),
                               .after = row(ROW_FAILED, NOON, NOON + SECOND, none,
                                            NOON + 60 * SECOND, "number \"not\" on WhatsApp"),
                               .evidence = &w->evidence[1],
                               .cause = CAUSE_MISSED_WEBHOOK,
                               .regression = true};
    c[2] = (struct correction){
        .before = row(ROW_SENT, NOON, none, NOON + 7 * SECOND, none, NULL),
        .after = row(ROW_READ, NOON, NOON + 7 * SECOND, NOON + 7 * SECOND, none, NULL),
        .cause = CAUSE_OVERWRITTEN};
    c[3] = (struct correction){
        .message_id = slice_of("3EB0C767D097B7C76511BD"),
        .before = row(ROW_DELIVERED, NOON, NOON + 600 * SECOND, none, none, NULL),
        .after = row(ROW_DELIVERED, NOON, NOON + 3 * SECOND, none, none, NULL),
        .evidence = &w->evidence[2],
        .cause = CAUSE_TIMESTAMP};
    c[4] = c[0];
    c[5] = c[2];
    for (size_t i = 0; i < COUNT(w->correction); i++) {
        c[i].campaign_index = i < 4 ? 0 : 3;
        c[i].campaign = w->campaign[c[i].campaign_index].id;
        c[i].id = (struct ident){UINT64_C(0xabcdef0000000000), i};
        c[i].outcome = i < 4 ? OUTCOME_PLANNED : OUTCOME_LEFT;
    }
    w->run.correction = c;
    w->run.corrections = COUNT(w->correction);
}

static void fill_input(struct world *w)
{
    w->raw[0] = (struct tally_entry){(char *)(uintptr_t) "2", 1, 9};
    w->raw[1] = (struct tally_entry){(char *)(uintptr_t) "DELIVERY_ACK", 12, 700};
    w->raw[2] = (struct tally_entry){(char *)(uintptr_t) "READ", 4, 140};
    w->raw[3] = (struct tally_entry){(char *)(uintptr_t) "STRANGE", 7, 2};
    w->run.input = (struct run_input){
        .archives = 3,
        .archives_damaged = 1,
        .bytes_compressed = 456789,
        .bytes = 12345678,
        .events = {.records = 1160,
                   .bodies = 880,
                   .updates = 860,
                   .status_events = 849,
                   .ignored = 302,
                   .rejected = {[REJECT_INVALID_JSON] = 4,
                                [REJECT_TOO_LARGE] = 1,
                                [REJECT_MISSING_FIELD] = 2,
                                [REJECT_UNKNOWN_STATUS] = 2},
                   .raw_statuses = {w->raw, COUNT(w->raw), 3}},
    };
    w->run.messages = (struct run_messages){
        .distinct = 640,
        .used = 600,
        .not_campaign_message = 37,
        .ambiguous = 1,
        .instance_mismatch = 2,
        .matched = 600,
        .requeued = 5,
        .deferred = 7,
        .already_processed = 584,
        .updated = 4,
        .updated_without_evidence = 1,
        .regressions = 1,
    };
    w->run.causes[CAUSE_MISSED_WEBHOOK] = 2;
    w->run.causes[CAUSE_OVERWRITTEN] = 1;
    w->run.causes[CAUSE_TIMESTAMP] = 1;
}

static void world_init(struct world *w)
{
    static const char id[] = "20261101T121500.000Z-4711";

    memset(w, 0, sizeof *w);
    memcpy(w->run.id, id, sizeof id);
    w->run.tool = "replay";
    w->run.started_at = NOON + 900 * SECOND;
    w->run.snapshot_at = NOON + 901 * SECOND + 123456;
    w->run.finished_at = NOON + 904 * SECOND;
    w->run.command = "replay --apply -d 'service=campaigns' logs/";
    fill_input(w);
    fill_evidence(w);
    fill_campaigns(w);
    fill_corrections(w);
    w->mismatch[0] = (struct run_mismatch){slice_of(""), 1};
    w->mismatch[1] = (struct run_mismatch){slice_of("tenant_b_inst_1"), 1};
    w->run.mismatch = w->mismatch;
    w->run.mismatches = COUNT(w->mismatch);
    w->warning[0] = slice_of("could not read archive \"logs/w-004.jsonl.gz\": unexpected end of "
                             "file at byte 1048576");
    w->warning[1] = slice_of("short");
    w->run.warning = w->warning;
    w->run.warnings = COUNT(w->warning);
}

/* As apply leaves it. */
static void world_apply(struct world *w)
{
    static const enum outcome outcomes[] = {OUTCOME_WRITTEN, OUTCOME_MOOT, OUTCOME_CONFLICT,
                                            OUTCOME_BUSY,    OUTCOME_LEFT, OUTCOME_LEFT};

    w->run.apply = w->run.applied = true;
    for (size_t i = 0; i < COUNT(outcomes); i++)
        w->correction[i].outcome = outcomes[i];
    w->campaign[0].written = w->campaign[1].written = true;
    w->run.messages.updated = 1;
    w->run.messages.updated_without_evidence = 0;
    w->run.messages.already_processed++;
    w->run.messages.regressions = 0;
    w->run.messages.conflicts = w->run.messages.busy = 1;
    w->run.causes[CAUSE_MISSED_WEBHOOK] = 1;
    w->run.causes[CAUSE_OVERWRITTEN] = w->run.causes[CAUSE_TIMESTAMP] = 0;
    w->run.command = "reconcile revert /var/lib/reconcile/journal-20261101T121500.jsonl.gz";
}

static void world_release(struct world *w)
{
    names_release(&w->archives);
}

/* ---- reporting --------------------------------------------------------------------- */

static char path[] = "/tmp/test_report.XXXXXX";

static int set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

static int tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void read_file(const char *name, struct buf *b)
{
    FILE *f = fopen(name, "r");
    char part[4096];
    size_t n;

    if (!f)
        fail_msg("%s cannot be read: UPDATE_GOLDEN=1 writes it", name);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(b, part, n);
    (void)fclose(f);
    assert_false(b->failed);
}

/* Appends the report to *b, VERSION in place of the version. */
static void report(const struct run *r, struct report_options o, struct buf *b)
{
    struct buf raw = BUF_INIT;
    struct err e = ERR_INIT;
    struct outfile *f;
    const char *p, *version;

    assert_int_equal(outfile_open(&f, path, 0600, false, &e), 0);
    assert_int_equal(report_write(f, r, &o, &e), 0);
    assert_int_equal(outfile_commit(f, &e), 0);
    read_file(path, &raw);
    p = buf_str(&raw);
    version = strstr(p, VERSION);
    assert_non_null(version);
    buf_add(b, p, (size_t)(version - p));
    buf_adds(b, "VERSION");
    buf_adds(b, version + strlen(VERSION));
    assert_false(b->failed);
    buf_release(&raw);
}

static void write_golden(const char *name, const struct buf *b)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

static void assert_golden(const struct run *r, struct report_options o, const char *name)
{
    struct buf got = BUF_INIT, expected = BUF_INIT;
    const char *update = getenv("UPDATE_GOLDEN");

    report(r, o, &got);
    if (update && strcmp(update, "1") == 0)
        write_golden(name, &got);
    read_file(name, &expected);
    assert_string_equal(buf_str(&got), buf_str(&expected));
    buf_release(&got);
    buf_release(&expected);
}

static json_t *parsed(const struct run *r, struct report_options o)
{
    struct buf b = BUF_INIT;
    json_error_t error;
    json_t *root;

    report(r, o, &b);
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

/* ---- hostile names ------------------------------------------------------------------- */

static void make_hostile(struct world *w)
{
    static char huge[100000];
    static const char forged[] = "x\n\nnothing to correct\x1b[2J\x7f\xc2\x9b\xe2\x80\xae";

    memset(huge, 'n', sizeof huge);
    w->campaign[0].name = slice_of(forged);
    w->campaign[1].name = slice_of("\"\\</script><b>\xff\xfe\xc3");
    w->campaign[3].name = (struct slice){huge, sizeof huge};
    w->correction[0].message_id = (struct slice){forged, sizeof forged}; /* with its NUL */
    w->correction[1].message_id = (struct slice){huge, sizeof huge};
    w->correction[1].after.error = (struct slice){huge, sizeof huge};
    w->correction[2].after.error = slice_of(forged);
    w->mismatch[0].instance = (struct slice){huge, sizeof huge};
    w->mismatch[1].instance = slice_of("\xc3\xa9\xc3\xa9\t");
    w->warning[0] = (struct slice){huge, 300};
    w->warning[1] = slice_of(forged);
    w->archives.name[0] = slice_of(forged);
}

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
    struct slice kept;
    struct world w;
    struct buf b = BUF_INIT;

    (void)state;
    world_init(&w);
    kept = w.archives.name[0];
    make_hostile(&w);
    report(&w.run, text_details, &b);
    assert_harmless(b.data, b.len);
    buf_release(&b);
    assert_golden(&w.run, text_details, GOLDEN "hostile.txt");
    w.archives.name[0] = kept;
    world_release(&w);
}

static void test_hostile_names_as_json(void **state)
{
    struct world w;
    struct slice kept;
    json_t *root, *c;

    (void)state;
    world_init(&w);
    kept = w.archives.name[0];
    make_hostile(&w);
    root = parsed(&w.run, json_details);
    c = json_array_get(json_object_get(root, "corrections"), 1);
    assert_int_equal(json_string_length(json_object_get(c, "message_id")), 100000);
    json_decref(root);
    w.archives.name[0] = kept;
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
    assert_true(resident() - before < 4096); /* KiB */
    free(many);
    world_release(&w);
}

static void test_a_full_disk_is_an_error(void **state)
{
    static struct correction many[1000];
    struct report_options formats[] = {text_details, json_details};
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
        cmocka_unit_test(test_nothing_to_correct),
        cmocka_unit_test(test_offline_run),
        cmocka_unit_test(test_bigint_ids),
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

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
