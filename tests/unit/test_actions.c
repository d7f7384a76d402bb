/* The format of plans and journals: what is written is what is read, whatever
 * it holds; what is cut is used as far as it goes; what is wrong is refused. */
#include "actions.h"

#include "helpers.h"
#include "pgbin.h"

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>
#include <zlib.h>

#define NOW INT64_C(1780401600000000)
#define ROWS 40

static char dir[] = "/tmp/test_actions.XXXXXX";
static char start[4096];

static int set_up(void **state)
{
    (void)state;
    if (!getcwd(start, sizeof start))
        return -1;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    static const char *const names[] = {"plan", "journal", "cut", "bad"};

    (void)state;
    for (size_t i = 0; i < COUNT_OF(names); i++)
        (void)unlink(names[i]);
    return chdir(start) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

/* ---- corrections of all sorts ---- */

struct sample {
    struct arena arena;
    struct names archives;
    struct actions_origin origin;
    struct campaign_result campaign[3];
    struct correction c[ROWS];
    const struct correction *at[ROWS];
};

static struct slice some_text(struct rng *r, struct arena *a)
{
    struct buf b = BUF_INIT;
    unsigned n = rng_below(r, rng_one_in(r, 10) ? 300 : 12);
    struct slice s;

    if (rng_one_in(r, 4))
        return SLICE_NONE;
    while (n-- > 0) {
        if (rng_one_in(r, 4))
            gen_utf8(r, &b);
        else
            buf_addc(&b, (char)(1 + rng_below(r, 127)));
    }
    s = (struct slice){arena_dup(a, buf_str(&b), b.len), b.len};
    assert_non_null(s.p);
    buf_release(&b);
    return s;
}

static int64_t some_time(struct rng *r)
{
    static const int64_t odd[] = {TIME_NONE,
                                  TIME_INFINITY,
                                  TIME_MINUS_INFINITY,
                                  0,
                                  -1,
                                  INT64_C(-210866803200000000), /* 4714-11-24 BC */
                                  INT64_MAX - 1,
                                  INT64_C(253402300800000000),  /* 10000-01-01 */
                                  INT64_C(-62167219200000001),  /* before the year 0 */
                                  INT64_C(-62198755200000000),  /* in the year -1 */
                                  INT64_C(-65353824000000000)}; /* -101-01-01 or so */

    if (rng_one_in(r, 2))
        return odd[rng_below(r, COUNT_OF(odd))];
    return NOW + (int64_t)(rng_next(r) % 1000000000000) - 500000000000;
}

static struct row_state some_state(struct rng *r, struct arena *a)
{
    struct row_state s = {.status = (enum row_status)(ROW_SENDING + rng_below(r, 5))};

    for (int m = 0; m < M_COUNT; m++)
        s.at[m] = some_time(r);
    s.error = some_text(r, a);
    return s;
}

static const struct evidence *some_evidence(struct rng *r, struct sample *s)
{
    struct evidence *e = arena_alloc(&s->arena, sizeof *e);

    assert_non_null(e);
    *e = (struct evidence){.seen = (uint8_t)(1 + rng_below(r, 15))};
    for (int m = 0; m < M_COUNT; m++) {
        e->at[m].archive =
            names_add(&s->archives, slice_of(rng_one_in(r, 2) ? "a \"b\"" : "api:x"));
        e->at[m].record = 1 + rng_next(r) % (UINT64_C(1) << 40);
    }
    return e;
}

static void sample_init(struct sample *s, unsigned seed, enum ident_kind kind)
{
    struct rng r = {seed};

    memset(s, 0, sizeof *s);
    s->origin = (struct actions_origin){.run = "20260602T120000000Z-0a1b2c3d",
                                        .database = "app \"x\"",
                                        .system = rng_one_in(&r, 4) ? "" : "7320280665284567118",
                                        .kinds = {kind, kind, kind, kind},
                                        .archives = &s->archives};
    for (size_t i = 0; i < COUNT_OF(s->campaign); i++)
        s->campaign[i].id = (struct ident){kind == IDENT_UUID ? rng_next(&r) : 0, rng_next(&r)};
    for (size_t i = 0; i < ROWS; i++) {
        struct correction *c = &s->c[i];

        c->id = (struct ident){kind == IDENT_UUID ? rng_next(&r) : 0, rng_next(&r)};
        c->campaign_index = rng_below(&r, COUNT_OF(s->campaign));
        c->campaign = s->campaign[c->campaign_index].id;
        c->message_id = some_text(&r, &s->arena);
        c->before = some_state(&r, &s->arena);
        c->after = some_state(&r, &s->arena);
        c->approximate = (uint8_t)rng_below(&r, 16);
        c->cause = (enum cause)(1 + rng_below(&r, CAUSE_COUNT - 1));
        c->evidence = rng_one_in(&r, 3) ? NULL : some_evidence(&r, s);
        s->at[i] = c;
    }
}

static void sample_release(struct sample *s)
{
    names_release(&s->archives);
    arena_release(&s->arena);
}

static void assert_same(const struct sample *s, const struct correction *x,
                        const struct correction *y, const struct names *names)
{
    assert_true(ident_eq(x->id, y->id) && ident_eq(x->campaign, y->campaign));
    assert_true(slice_eq(x->message_id, y->message_id));
    assert_true(row_state_eq(&x->before, &y->before) && row_state_eq(&x->after, &y->after));
    assert_int_equal(x->approximate, y->approximate);
    assert_int_equal(x->cause, y->cause);
    assert_int_equal(x->evidence != NULL, y->evidence != NULL);
    for (int m = 0; x->evidence && m < M_COUNT; m++) {
        assert_int_equal(x->evidence->seen, y->evidence->seen);
        if (!(x->evidence->seen & M_BIT(m)))
            continue;
        assert_int_equal(x->evidence->at[m].record, y->evidence->at[m].record);
        assert_true(slice_eq(s->archives.name[x->evidence->at[m].archive],
                             names->name[y->evidence->at[m].archive]));
    }
}

/* ---- files ---- */

static size_t slurp(const char *path, unsigned char **data)
{
    FILE *f = fopen(path, "rb");
    size_t n;

    assert_non_null(f);
    *data = malloc(1 << 22);
    assert_non_null(*data);
    n = fread(*data, 1, 1 << 22, f);
    assert_true(n < 1 << 22);
    assert_int_equal(fclose(f), 0);
    return n;
}

static void spit(const char *path, const void *data, size_t n)
{
    FILE *f = fopen(path, "wb");

    assert_non_null(f);
    assert_int_equal(fwrite(data, 1, n, f), n);
    assert_int_equal(fclose(f), 0);
}

/* Reads a file; the error's text must name it. */
static int read_file(const char *path, enum actions_kind kind, enum ident_kind ids,
                     struct actions *a, struct names *names, struct err *e)
{
    const struct store_kinds kinds = {ids, ids, ids, ids};
    int status;

    *e = (struct err)ERR_INIT;
    status = actions_read(a, path, kind, kinds, names, NOW, NULL, e);
    if (status < 0) {
        assert_int_equal(e->status, EXIT_FAILED);
        assert_non_null(strstr(e->text, path));
        assert_null(strchr(e->text, '\n'));
    }
    return status;
}

/* A journal of so many rows in `batches` batches, the last without its mark if `open`. */
static void write_journal(struct sample *s, size_t rows, size_t batches, bool open)
{
    struct actions_journal *j;
    struct err e = ERR_INIT;
    size_t per = rows / batches;

    (void)unlink("journal");
    assert_int_equal(actions_journal_open(&j, "journal", &s->origin, &e), 0);
    assert_int_equal(access("journal", F_OK), -1);
    assert_false(actions_journal_used(j));
    actions_journal_scope(j, s->campaign, COUNT_OF(s->campaign));
    for (size_t i = 0; i < batches; i++) {
        if (actions_journal_intent(j, (int64_t)(1000 + i), s->at + i * per, per, &e) < 0)
            fail_msg("%s", e.text);
        if (!open || i + 1 < batches)
            assert_int_equal(actions_journal_committed(j, &e), 0);
    }
    assert_true(actions_journal_used(j));
    assert_int_equal(actions_journal_close(j, &e), 0);
}

/* ---- tests ---- */

static void a_plan_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < (unsigned)CASES(100); seed++) {
        enum ident_kind kind = seed % 2 ? IDENT_UUID : IDENT_INT;
        struct names names = NAMES_INIT;
        struct err e = ERR_INIT;
        struct actions a;
        struct sample s;

        sample_init(&s, seed, kind);
        s.c[3].outcome = OUTCOME_LEFT;
        s.campaign[1].left_alone = true;
        assert_int_equal(actions_write_plan("plan", &s.origin, s.campaign, 3, s.c, ROWS, &e), 0);
        if (read_file("plan", ACTIONS_PLAN, kind, &a, &names, &e) < 0)
            fail_msg("%s", e.text);
        assert_string_equal(a.run, s.origin.run);
        assert_string_equal(a.database, s.origin.database);
        assert_string_equal(a.system, s.origin.system);
        assert_int_equal(a.campaigns, 2);
        assert_true(ident_eq(a.campaign[1], s.campaign[2].id));
        assert_int_equal(a.n, ROWS - 1);
        for (size_t i = 0; i < a.n; i++)
            assert_same(&s, &s.c[i < 3 ? i : i + 1], &a.action[i], &names);
        actions_release(&a);
        names_release(&names);
        sample_release(&s);
    }
}

static void a_journal_is_read_as_it_was_written(void **state)
{
    (void)state;
    for (unsigned seed = 0; seed < (unsigned)CASES(40); seed++) {
        enum ident_kind kind = seed % 2 ? IDENT_UUID : IDENT_INT;
        size_t batches = 1 + seed % 5;
        struct names names = NAMES_INIT;
        struct err e = ERR_INIT;
        struct actions a;
        struct sample s;

        sample_init(&s, seed, kind);
        write_journal(&s, ROWS, batches, seed % 3 == 0);
        if (read_file("journal", ACTIONS_JOURNAL, kind, &a, &names, &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(a.batches, batches);
        assert_null(a.cut);
        for (size_t i = 0; i < batches; i++) {
            assert_int_equal(a.batch[i].number, i + 1);
            assert_int_equal(a.batch[i].xid, 1000 + i);
            assert_int_equal(a.batch[i].n, ROWS / batches);
            assert_int_equal(a.batch[i].committed, seed % 3 != 0 || i + 1 < batches);
            assert_false(a.batch[i].cut);
        }
        for (size_t i = 0; i < a.n; i++)
            assert_same(&s, &s.c[i], &a.action[i], &names);
        actions_release(&a);
        names_release(&names);
        sample_release(&s);
    }
}

/* The prefix rule: whatever a cut leaves is what the whole began with, and a
 * batch that may lack actions says so. */
static void assert_prefix(size_t at, const struct actions *a, const struct actions *whole)
{
    assert_true(a->batches <= whole->batches && a->n <= whole->n);
    for (size_t i = 0; i < a->batches; i++) {
        const struct actions_batch *b = &a->batch[i], *w = &whole->batch[i];

        assert_int_equal(b->xid, w->xid);
        assert_true(b->n == w->n || (i + 1 == a->batches && b->cut));
        assert_false(b->cut && b->committed);
        if (b->n != w->n && !b->cut)
            fail_msg("cut at byte %zu: batch %zu lacks actions and does not say so", at, i + 1);
        assert_true(b->committed || i + 1 == a->batches);
    }
}

static void a_journal_may_end_at_every_byte(void **state)
{
    struct names names = NAMES_INIT;
    size_t n, refused = 0, cut = 0;
    struct actions whole, a;
    unsigned char *data;
    struct sample s;
    struct err e;

    (void)state;
    sample_init(&s, 7, IDENT_UUID);
    write_journal(&s, 12, 4, false);
    assert_int_equal(read_file("journal", ACTIONS_JOURNAL, IDENT_UUID, &whole, &names, &e), 0);
    n = slurp("journal", &data);
    for (size_t at = 0; at < n; at += STRIDE) {
        spit("cut", data, at);
        if (read_file("cut", ACTIONS_JOURNAL, IDENT_UUID, &a, &names, &e) < 0) {
            /* only ever for want of a header */
            assert_non_null(strstr(e.text, at == 0 ? "empty" : at == 1 ? "not JSON" : "header"));
            refused++;
        } else {
            assert_prefix(at, &a, &whole);
            cut += a.batches > 0 && a.batch[a.batches - 1].cut;
        }
        actions_release(&a);
    }
    assert_true(refused > 0 && refused < 400 && cut > n / 4 / STRIDE);
    /* A plan may not. */
    assert_int_equal(actions_write_plan("plan", &s.origin, s.campaign, 3, s.c, ROWS, &e), 0);
    free(data);
    n = slurp("plan", &data);
    for (size_t at = 0; at < n; at += 7 * STRIDE) {
        spit("cut", data, at);
        assert_int_equal(read_file("cut", ACTIONS_PLAN, IDENT_UUID, &a, &names, &e), -1);
        actions_release(&a);
    }
    free(data);
    actions_release(&whole);
    names_release(&names);
    sample_release(&s);
}

/* As one gzip member, as somebody who unpacked and packed it again has it:
 * then nothing tells where a batch ends but the next line. */
static void a_journal_of_one_member_may_end_at_every_byte(void **state)
{
    struct names names = NAMES_INIT;
    static char text[1 << 22];
    unsigned char *data;
    struct actions whole, a;
    struct sample s;
    struct err e;
    gzFile z;
    int n;
    size_t size;

    (void)state;
    sample_init(&s, 8, IDENT_INT);
    write_journal(&s, 12, 4, false);
    assert_int_equal(read_file("journal", ACTIONS_JOURNAL, IDENT_INT, &whole, &names, &e), 0);
    z = gzopen("journal", "rb");
    n = gzread(z, text, sizeof text);
    assert_true(n > 0 && gzclose(z) == Z_OK);
    z = gzopen("bad", "wb");
    assert_int_equal(gzwrite(z, text, (unsigned)n), n);
    assert_int_equal(gzclose(z), Z_OK);
    size = slurp("bad", &data);
    for (size_t at = 2; at < size; at += 3 * STRIDE) {
        spit("cut", data, at);
        if (read_file("cut", ACTIONS_JOURNAL, IDENT_INT, &a, &names, &e) == 0)
            assert_prefix(at, &a, &whole);
        actions_release(&a);
    }
    free(data);
    actions_release(&whole);
    names_release(&names);
    sample_release(&s);
}

static void damaged_bytes_are_refused_or_change_nothing(void **state)
{
    struct rng r = {99};
    struct sample s;
    unsigned char *data;
    size_t n;

    (void)state;
    sample_init(&s, 9, IDENT_UUID);
    write_journal(&s, ROWS, 3, false);
    n = slurp("journal", &data);
    for (int i = 0; i < CASES(1000); i++) {
        size_t at = rng_below(&r, (unsigned)n);
        unsigned char old = data[at];
        struct names names = NAMES_INIT;
        struct actions a;
        struct err e;

        data[at] = (unsigned char)rng_next(&r);
        spit("bad", data, n);
        if (read_file("bad", ACTIONS_JOURNAL, IDENT_UUID, &a, &names, &e) == 0 && !a.cut)
            assert_int_equal(a.n, ROWS / 3 * 3);
        actions_release(&a);
        names_release(&names);
        data[at] = old;
    }
    free(data);
    sample_release(&s);
}

/* Plain text, so that what is damaged is the JSON. */
static void hostile_lines_are_refused_and_never_crash(void **state)
{
    struct rng r = {5};
    struct sample s;
    struct err e = ERR_INIT;
    int accepted = 0;

    (void)state;
    sample_init(&s, 10, IDENT_UUID);
    for (int i = 0; i < CASES(4000); i++) {
        enum actions_kind kind = rng_one_in(&r, 2) ? ACTIONS_PLAN : ACTIONS_JOURNAL;
        struct names names = NAMES_INIT;
        struct buf b = BUF_INIT;
        struct actions a;

        actions_put_header(&b, kind, &s.origin, NOW, s.campaign, 3);
        if (kind == ACTIONS_JOURNAL)
            buf_adds(&b, "{\"batch\":1,\"xid\":7}\n");
        for (size_t k = 0; k < 3; k++)
            assert_int_equal(actions_put(&b, &s.origin, &s.c[rng_below(&r, ROWS)], &e), 0);
        if (kind == ACTIONS_JOURNAL)
            buf_adds(&b, "{\"committed\":1}\n");
        for (unsigned k = 1 + rng_below(&r, 3); k > 0; k--)
            gen_damage(&r, &b);
        spit("bad", b.data, b.len);
        accepted += read_file("bad", kind, IDENT_UUID, &a, &names, &e) == 0;
        actions_release(&a);
        names_release(&names);
        buf_release(&b);
    }
    assert_true(accepted < CASES(4000) / 2);
    sample_release(&s);
}

#define HEADER                                                                                     \
    "{\"format\":1,\"kind\":\"journal\",\"run\":\"r\",\"system_identifier\":null,"                 \
    "\"database\":\"d\",\"version\":\"0\",\"created_at\":\"2026-01-01T00:00:00Z\","                \
    "\"campaigns\":[]}\n"
#define STATE                                                                                      \
    "{\"status\":\"sent\",\"sent_at\":null,\"delivered_at\":null,\"read_at\":null,"                \
    "\"failed_at\":null,\"error_message\":null}"
#define ACTION(id)                                                                                 \
    "{\"campaign_contact\":" id ",\"campaign\":\"2\",\"message_id\":null,\"before\":" STATE        \
    ",\"after\":" STATE ",\"approximate\":[],\"cause\":\"timestamp\",\"evidence\":{}}\n"

static void what_is_out_of_order_in_a_journal_is_refused(void **state)
{
    static const struct {
        const char *text, *reason;
    } cases[] = {
        {HEADER ACTION("1"), "line 2: it is in no batch"},
        {HEADER "{\"committed\":1}\n", "line 2: it marks another batch"},
        {HEADER "{\"batch\":1,\"xid\":5}\n{\"committed\":2}\n", "line 3: it marks another batch"},
        {HEADER "{\"batch\":1,\"xid\":5}\n{\"committed\":1}\n{\"committed\":1}\n",
         "line 4: it marks another batch"},
        {HEADER "{\"batch\":1,\"xid\":5}\n{\"committed\":1}\n" ACTION("1"),
         "line 4: it is in no batch"},
        {HEADER "{\"batch\":2,\"xid\":5}\n{\"batch\":2,\"xid\":6}\n",
         "line 3: its batch does not come"},
        {HEADER "{\"batch\":0,\"xid\":5}\n", "line 2: \"batch\" is no whole number"},
        {HEADER "{\"batch\":1}\n", "line 2: \"xid\" is no whole number"},
        {HEADER "{\"batch\":1,\"xid\":\"5x\"}\n", "line 2: \"xid\" is no whole number"},
        {HEADER "{\"batch\":1,\"xid\":1e3}\n", "line 2: \"xid\" is no whole number"},
        {HEADER "{\"batch\":1,\"xid\":5}\n" ACTION("1") ACTION("\"1\""),
         "line 4: its row has come before"},
        {HEADER "{\"batch\":1,\"xid\":5}\n" ACTION("1.0"),
         "line 3: \"campaign_contact\" is no number"},
        {HEADER HEADER, "line 2: it is in no batch"},
        {HEADER "{\"batch\":1,\"batch\":1,\"xid\":5}\n", "line 2: it is not JSON"},
        {HEADER "{\"batch\":1,\"xid\":5}\n{\"a\"\n", "line 3: it is not JSON"},
        {"", "it is empty"},
        {"[]\n", "line 1: it is no object"},
        {HEADER "[\n", "line 2: it is not JSON"},
        {HEADER "\n \n],\n", "line 4: it is not JSON"},
        {HEADER "{\"batch\":1,\"xid\":5} {\"committed\":1}\n", "line 2: it is not JSON"},
        {"{}\n", "line 1: it is not the header"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct names names = NAMES_INIT;
        struct actions a;
        struct err e;

        spit("bad", cases[i].text, strlen(cases[i].text));
        assert_int_equal(read_file("bad", ACTIONS_JOURNAL, IDENT_INT, &a, &names, &e), -1);
        if (!strstr(e.text, cases[i].reason))
            fail_msg("\"%s\" instead of \"%s\"", e.text, cases[i].reason);
        actions_release(&a);
        names_release(&names);
    }
}

static void a_row_may_come_in_several_batches(void **state)
{
    static const char text[] = HEADER "{\"batch\":1,\"xid\":5}\n" ACTION(
        "1") "{\"committed\":1}\n{\"batch\":3,\"xid\":\"6\"}\n" ACTION("1") ACTION("2");
    struct names names = NAMES_INIT;
    struct actions a;
    struct err e;

    (void)state;
    spit("bad", text, sizeof text - 1);
    assert_int_equal(read_file("bad", ACTIONS_JOURNAL, IDENT_INT, &a, &names, &e), 0);
    assert_int_equal(a.batches, 2);
    assert_int_equal(a.batch[1].number, 3);
    assert_int_equal(a.batch[1].xid, 6);
    assert_int_equal(a.batch[1].first, 1);
    assert_int_equal(a.batch[1].n, 2);
    assert_false(a.batch[1].committed || a.batch[1].cut);
    actions_release(&a);
    names_release(&names);
}

static void a_full_disk_leaves_whole_members(void **state)
{
    struct rlimit limit = {0, RLIM_INFINITY};
    struct actions_journal *j;
    struct names names = NAMES_INIT;
    struct err e = ERR_INIT;
    struct actions a;
    struct stat st;
    struct sample s;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    (void)unlink("journal");
    sample_init(&s, 11, IDENT_UUID);
    assert_int_equal(actions_journal_open(&j, "journal", &s.origin, &e), 0);
    actions_journal_scope(j, s.campaign, 3);
    limit.rlim_cur = 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(actions_journal_intent(j, 1, s.at, 20, &e), -1);
    assert_non_null(strstr(e.text, "could not write journal \"journal\": File too large"));
    assert_int_equal(access("journal", F_OK), -1); /* nothing was entered */
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(actions_journal_intent(j, 1, s.at, 20, &e), 0);
    assert_int_equal(actions_journal_committed(j, &e), 0);
    assert_int_equal(stat("journal", &st), 0);
    limit.rlim_cur = (rlim_t)st.st_size + 100;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(actions_journal_intent(j, 2, s.at + 20, 20, &e), -1);
    limit.rlim_cur = RLIM_INFINITY;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &limit), 0);
    assert_int_equal(actions_journal_intent(j, 3, s.at + 20, 20, &e), 0);
    assert_int_equal(actions_journal_close(j, &e), 0);
    if (read_file("journal", ACTIONS_JOURNAL, IDENT_UUID, &a, &names, &e) < 0)
        fail_msg("%s", e.text);
    assert_null(a.cut);
    assert_int_equal(a.batches, 2);
    assert_int_equal(a.batch[1].xid, 3);
    assert_int_equal(a.n, ROWS);
    actions_release(&a);
    names_release(&names);
    sample_release(&s);
}

static void a_journal_replaces_nothing(void **state)
{
    struct actions_journal *j;
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    (void)unlink("journal");
    sample_init(&s, 12, IDENT_UUID);
    assert_int_equal(actions_journal_open(&j, "journal", &s.origin, &e), 0);
    actions_journal_scope(j, s.campaign, 3);
    spit("journal", "x", 1); /* somebody was faster */
    assert_int_equal(actions_journal_intent(j, 1, s.at, 1, &e), -1);
    assert_non_null(strstr(e.text, "File exists"));
    assert_int_equal(actions_journal_close(j, &e), 0);
    assert_int_equal(actions_journal_open(&j, "journal", &s.origin, &e), -1);
    assert_null(j);
    assert_int_equal(actions_journal_open(&j, "no/journal", &s.origin, &e), -1);
    assert_non_null(strstr(e.text, "\"no/journal\": No such file or directory"));
    sample_release(&s);
}

static void letters_that_the_server_lacks_are_kept_as_they_were_written(void **state)
{
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    struct sample s;

    (void)state;
    sample_init(&s, 13, IDENT_UUID);
    s.c[0].before.error = slice_of("caf\xc3\xa9");
    s.c[0].after.error = slice_of("n\xc3\xa3o \xf0\x9f\x92\xa5");
    s.c[0].ascii_error = true;
    assert_int_equal(actions_put(&b, &s.origin, &s.c[0], &e), 0);
    assert_non_null(strstr(b.data, "\"error_message\":\"caf\xc3\xa9\""));
    assert_non_null(strstr(b.data, "\"error_message\":\"n?o ?\""));
    buf_release(&b);
    sample_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_plan_is_read_as_it_was_written),
        cmocka_unit_test(a_journal_is_read_as_it_was_written),
        cmocka_unit_test(a_journal_may_end_at_every_byte),
        cmocka_unit_test(a_journal_of_one_member_may_end_at_every_byte),
        cmocka_unit_test(damaged_bytes_are_refused_or_change_nothing),
        cmocka_unit_test(hostile_lines_are_refused_and_never_crash),
        cmocka_unit_test(what_is_out_of_order_in_a_journal_is_refused),
        cmocka_unit_test(a_row_may_come_in_several_batches),
        cmocka_unit_test(a_full_disk_leaves_whole_members),
        cmocka_unit_test(a_journal_replaces_nothing),
        cmocka_unit_test(letters_that_the_server_lacks_are_kept_as_they_were_written),
    };

    return cmocka_run_group_tests_name("actions", tests, set_up, tear_down);
}
