#include "fold.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include "helpers.h"

#define ARCHIVES 5u
#define START INT64_C(1793534400000000)

/* An event and where it was seen. */
struct seen {
    struct event ev;
    uint32_t archive; /* index into archive_names */
    uint64_t record;
};

static const char *const archive_names[ARCHIVES] = {"b.gz", "a.gz", "a", "a.gz.1", "\xC3\xA3.gz"};
static const char *const instances[] = {"", "inst", "Inst", "inst\t1", "in", "\xF0\x9F\x98\x80"};
static const char *const ids[] = {"A", "AB", "B", "3EB0C767D097B7C7C030", "a"};

static struct slice some_error(struct rng *r)
{
    static const char *const texts[] = {"", "a", "b", "ab", "a longer text than the others are"};
    const char *s = RNG_PICK(r, texts);

    if (rng_one_in(r, 3))
        return SLICE_NONE;
    if (rng_one_in(r, 6))
        return (struct slice){"a\0b", 3};
    return slice_of(s);
}

/* Few times, records and archives, so that there are many ties. */
static struct seen some_event(struct rng *r)
{
    struct seen s = {.archive = rng_below(r, ARCHIVES), .record = 1 + rng_below(r, 3)};

    s.ev.instance = slice_of(RNG_PICK(r, instances));
    s.ev.message_id = slice_of(RNG_PICK(r, ids));
    s.ev.what = (enum status_meaning)rng_below(r, 5);
    s.ev.error = s.ev.what == MEANS_FAILED ? some_error(r) : SLICE_NONE;
    s.ev.time = START + rng_below(r, 3);
    s.ev.approximate = rng_one_in(r, 3);
    s.ev.lag = rng_one_in(r, 2) ? TIME_NONE : (int64_t)rng_below(r, 5) * 61 * US_PER_SECOND;
    return s;
}

/* --- folding --- */

/* The archives' names, added in an order of their own: number[i] is that of archive_names[i]. */
struct archives {
    struct names names;
    uint32_t number[ARCHIVES];
};

static void archives_init(struct archives *a, struct rng *r)
{
    uint32_t order[ARCHIVES], i;

    a->names = (struct names)NAMES_INIT;
    for (i = 0; i < ARCHIVES; i++)
        order[i] = i;
    for (i = ARCHIVES; i > 0; i--) {
        uint32_t pick = r ? rng_below(r, i) : i - 1, x = order[pick];

        order[pick] = order[i - 1];
        a->number[x] = names_add(&a->names, slice_of(archive_names[x]));
    }
}

/* Adds an event whose bytes are gone afterwards, as a reader's scratch is. */
static void add(struct fold_writer *w, const struct archives *a, const struct seen *s)
{
    char scratch[256];
    struct event ev = s->ev;
    struct err e = ERR_INIT;
    struct slice *parts[] = {&ev.instance, &ev.message_id, &ev.error};
    size_t used = 0, i;

    for (i = 0; i < COUNT_OF(parts); i++) {
        if (!parts[i]->p)
            continue;
        memcpy(scratch + used, parts[i]->p, parts[i]->n);
        parts[i]->p = scratch + used;
        used += parts[i]->n;
    }
    assert_int_equal(fold_add(w, &ev, a->number[s->archive], s->record, &e), 0);
    memset(scratch, '#', sizeof scratch);
}

static void put_slice(struct buf *b, struct slice s)
{
    if (s.p)
        buf_addf(b, " %zu:", s.n);
    else
        buf_adds(b, " -");
    if (s.p)
        buf_add(b, s.p, s.n);
}

static void put_evidence(struct buf *b, const struct names *archives, const struct evidence *e)
{
    int m;

    buf_addf(b, " seen %x", e->seen);
    for (m = 0; m < M_COUNT; m++) {
        const struct sighting *s = &e->at[m];

        if (!(e->seen & M_BIT(m)))
            continue;
        buf_addf(b, " %d%s %lld", m, s->approximate ? "~" : "", (long long)(s->time - START));
        put_slice(b, archives->name[s->archive]);
        buf_addf(b, " %llu", (unsigned long long)s->record);
        if (m == M_FAILED)
            put_slice(b, e->error);
    }
    buf_addc(b, '\n');
}

static void put_instance(struct buf *b, const struct fold *f, struct slice name, bool lags)
{
    uint32_t number = names_find(&f->names, name);
    const struct fold_instance *in;
    size_t i;

    if (number == NAMES_NONE)
        return;
    in = &f->instance[number];
    put_slice(b, name);
    if (in->first != TIME_NONE)
        buf_addf(b, " from %lld to %lld", (long long)in->first, (long long)in->last);
    for (i = 0; lags && i < in->lag.n; i++)
        buf_addf(b, " lag %dx%llu", in->lag.bucket[i].minutes,
                 (unsigned long long)in->lag.bucket[i].count);
    buf_addc(b, '\n');
}

struct shown {
    struct buf *b;
    const struct fold *f;
    size_t n;
};

static int show(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct shown *s = ctx;

    (void)e;
    s->n++;
    put_slice(s->b, s->f->names.name[x->instance]);
    put_slice(s->b, x->message_id);
    put_evidence(s->b, s->f->archives, &x->evidence);
    return 0;
}

static int count(void *ctx, const struct fold_entry *x, struct err *e)
{
    (void)x;
    (void)e;
    ++*(size_t *)ctx;
    return 0;
}

/* All that a fold holds, as text that does not depend on any number it gave.
 * Releases the fold. */
static void put_fold(struct buf *b, struct fold *f, bool lags)
{
    struct shown s = {b, f, 0};
    struct err e = ERR_INIT;
    size_t n = 0, i;

    assert_int_equal(fold_walk(f, false, count, &n, &e), 0);
    assert_int_equal(fold_walk(f, true, show, &s, &e), 0);
    assert_int_equal(s.n, n);
    for (i = 0; i < COUNT_OF(instances); i++)
        put_instance(b, f, slice_of(instances[i]), lags);
    fold_release(f);
}

/* --- a store in memory --- */

struct run {
    struct run *next;
    struct buf data;
    size_t at;
    bool ended;
};

struct runs {
    struct run *first;
    unsigned n;
    int left; /* writes that succeed; -1: all */
};

static void *run_begin(void *ctx, struct err *e)
{
    struct runs *r = ctx;
    struct run *run = calloc(1, sizeof *run);

    (void)e;
    assert_non_null(run);
    run->next = r->first;
    run->at = (size_t)r->left; /* until it is read */
    r->first = run;
    r->n++;
    return run;
}

static int run_write(void *ctx, const void *p, size_t n, struct err *e)
{
    struct run *run = ctx;

    if ((int)run->at == 0)
        return err_set(e, EXIT_FAILED, "the store is full");
    buf_add(&run->data, p, n);
    return 0;
}

static int run_end(void *ctx, struct err *e)
{
    struct run *run = ctx;

    (void)e;
    run->ended = true;
    return 0;
}

static void run_rewind(void *ctx)
{
    struct run *run = ctx;

    assert_true(run->ended);
    run->at = 0;
}

static ssize_t run_read(void *ctx, void *p, size_t n, struct err *e)
{
    struct run *run = ctx;
    size_t left = run->data.len - run->at;

    (void)e;
    n = n < left ? n : left;
    memcpy(p, buf_str(&run->data) + run->at, n);
    run->at += n;
    return (ssize_t)n;
}

static struct fold_store store_in(struct runs *r)
{
    r->first = NULL;
    r->n = 0;
    r->left = -1;
    return (struct fold_store){r, run_begin, run_write, run_end, run_rewind, run_read};
}

static void runs_release(struct runs *r)
{
    while (r->first) {
        struct run *next = r->first->next;

        buf_release(&r->first->data);
        free(r->first);
        r->first = next;
    }
}

/* --- the reference: the least of each, by a plain search --- */

static int compare_text(struct slice a, struct slice b)
{
    size_t i;

    if (!a.p || !b.p)
        return !a.p ? (b.p ? -1 : 0) : 1;
    for (i = 0; i < a.n && i < b.n; i++) {
        if (a.p[i] != b.p[i])
            return (unsigned char)a.p[i] < (unsigned char)b.p[i] ? -1 : 1;
    }
    return a.n < b.n ? -1 : a.n > b.n;
}

static bool is_less(const struct seen *a, const struct seen *b)
{
    int names = strcmp(archive_names[a->archive], archive_names[b->archive]);

    if (a->ev.approximate != b->ev.approximate)
        return b->ev.approximate;
    if (a->ev.time != b->ev.time)
        return a->ev.time < b->ev.time;
    if (names != 0)
        return names < 0;
    if (a->record != b->record)
        return a->record < b->record;
    return compare_text(a->ev.error, b->ev.error) < 0;
}

static bool reference_entry(struct evidence *e, const struct seen *list, size_t n,
                            const char *instance, const char *id)
{
    const struct seen *least[5] = {NULL};
    size_t i;
    int m;

    memset(e, 0, sizeof *e);
    for (i = 0; i < n; i++) {
        const struct seen **l = &least[list[i].ev.what];

        if (strcmp(list[i].ev.instance.p, instance) != 0 ||
            strcmp(list[i].ev.message_id.p, id) != 0)
            continue;
        if (!*l || is_less(&list[i], *l))
            *l = &list[i];
    }
    for (m = 0; m < 5; m++) {
        if (!least[m])
            continue;
        e->seen |= M_BIT(m);
        if (m == MEANS_PENDING)
            continue;
        e->at[m] = (struct sighting){least[m]->ev.time, least[m]->record, least[m]->archive,
                                     least[m]->ev.approximate};
        if (m == M_FAILED)
            e->error = least[m]->ev.error;
    }
    return e->seen != 0;
}

static int by_text(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* What put_fold writes of the entries. */
static void reference(struct buf *b, const struct seen *list, size_t n)
{
    const char *sorted[COUNT_OF(instances)], *sorted_ids[COUNT_OF(ids)];
    struct archives a; /* in the order of archive_names, as the references index them */
    size_t i, k;

    a.names = (struct names)NAMES_INIT;
    for (i = 0; i < ARCHIVES; i++)
        assert_int_equal(names_add(&a.names, slice_of(archive_names[i])), i);
    memcpy(sorted, instances, sizeof sorted);
    memcpy(sorted_ids, ids, sizeof sorted_ids);
    qsort(sorted, COUNT_OF(sorted), sizeof *sorted, by_text);
    qsort(sorted_ids, COUNT_OF(sorted_ids), sizeof *sorted_ids, by_text);
    for (i = 0; i < COUNT_OF(sorted); i++) {
        for (k = 0; k < COUNT_OF(sorted_ids); k++) {
            struct evidence e;

            if (!reference_entry(&e, list, n, sorted[i], sorted_ids[k]))
                continue;
            put_slice(b, slice_of(sorted[i]));
            put_slice(b, slice_of(sorted_ids[k]));
            put_evidence(b, &a.names, &e);
        }
    }
    names_release(&a.names);
}

/* --- properties --- */

static size_t some_events(struct rng *r, struct seen *list, size_t most)
{
    size_t n = rng_below(r, (unsigned)most + 1), i;

    for (i = 0; i < n; i++)
        list[i] = some_event(r);
    return n;
}

static void fold_all(struct buf *b, const struct seen *list, size_t n, const struct archives *a,
                     bool lags)
{
    struct fold_writer *w;
    struct err e = ERR_INIT;
    struct fold f;
    size_t i;

    fold_init(&f, &a->names);
    w = fold_writer_new(&f);
    assert_non_null(w);
    for (i = 0; i < n; i++)
        add(w, a, &list[i]);
    assert_int_equal(fold_writer_finish(w, &e), 0);
    fold_writer_free(w);
    put_fold(b, &f, lags);
}

static void a_fold_keeps_the_least_of_each_milestone(void **state)
{
    struct buf expected = BUF_INIT, got = BUF_INIT;
    struct rng r = {51};
    struct seen list[120];
    int i;

    (void)state;
    for (i = 0; i < CASES(20000); i++) {
        size_t n = some_events(&r, list, COUNT_OF(list));
        struct archives a;

        archives_init(&a, &r);
        buf_clear(&expected);
        buf_clear(&got);
        reference(&expected, list, n);
        fold_all(&got, list, n, &a, false);
        if (got.len < expected.len || memcmp(buf_str(&got), buf_str(&expected), expected.len) != 0)
            fail_msg("\n%snot\n%s", buf_str(&got), buf_str(&expected));
        names_release(&a.names);
    }
    buf_release(&expected);
    buf_release(&got);
}

static void shuffle(struct rng *r, struct seen *list, size_t n)
{
    for (; n > 1; n--) {
        size_t pick = rng_below(r, (unsigned)n);
        struct seen x = list[pick];

        list[pick] = list[n - 1];
        list[n - 1] = x;
    }
}

static void same_bytes(const struct buf *got, const struct buf *expected)
{
    if (got->len != expected->len || memcmp(buf_str(got), buf_str(expected), got->len) != 0)
        fail_msg("\n%snot\n%s", buf_str(got), buf_str(expected));
}

#define PARTS 6u

/* Deals the events to writers that finish one after the other; some of what
 * they add goes to a store whenever `spill`. */
static void fold_in_parts(struct buf *b, struct rng *r, const struct seen *list, size_t n,
                          const struct archives *a, bool spill)
{
    struct fold_writer *part[PARTS];
    struct err e = ERR_INIT;
    struct runs runs;
    const struct fold_store store = store_in(&runs);
    struct fold f;
    unsigned i;
    size_t k;

    fold_init(&f, &a->names);
    if (spill)
        fold_spill_to(&f, &store, 1);
    for (i = 0; i < PARTS; i++) {
        part[i] = fold_writer_new(&f);
        assert_non_null(part[i]);
    }
    for (k = 0; k < n; k++) {
        add(part[rng_below(r, PARTS)], a, &list[k]);
        if (rng_one_in(r, 30))
            assert_int_equal(fold_writer_finish(part[rng_below(r, PARTS)], &e), 0);
    }
    for (i = 0; i < PARTS; i++) {
        assert_int_equal(fold_writer_finish(part[i], &e), 0);
        fold_writer_free(part[i]);
    }
    put_fold(b, &f, true);
    assert_true(n == 0 || (runs.n > 0) == spill);
    runs_release(&runs);
}

static void any_order_and_any_split_fold_to_the_same(void **state)
{
    struct buf expected = BUF_INIT, got = BUF_INIT;
    struct rng r = {52};
    struct seen list[300];
    int i, k;

    (void)state;
    for (i = 0; i < CASES(2000); i++) {
        size_t n = some_events(&r, list, COUNT_OF(list));
        struct archives a;

        archives_init(&a, NULL);
        buf_clear(&expected);
        fold_all(&expected, list, n, &a, true);
        names_release(&a.names);
        for (k = 0; k < 4; k++) {
            archives_init(&a, &r);
            shuffle(&r, list, n);
            buf_clear(&got);
            if (k % 2)
                fold_in_parts(&got, &r, list, n, &a, k > 1);
            else
                fold_all(&got, list, n, &a, true);
            same_bytes(&got, &expected);
            names_release(&a.names);
        }
    }
    buf_release(&expected);
    buf_release(&got);
}

struct adding {
    struct fold *to;
    const struct fold *from;
};

static int add_twice(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct adding *a = ctx;
    struct slice instance = a->from->names.name[x->instance];

    assert_int_equal(fold_add_evidence(a->to, instance, x->message_id, &x->evidence, e), 0);
    return fold_add_evidence(a->to, instance, x->message_id, &x->evidence, e);
}

static void add_all(struct fold *f, const struct archives *a, const struct seen *list, size_t n)
{
    struct fold_writer *w = fold_writer_new(f);
    struct err e = ERR_INIT;
    size_t i;

    assert_non_null(w);
    for (i = 0; i < n; i++)
        add(w, a, &list[i]);
    assert_int_equal(fold_writer_finish(w, &e), 0);
    fold_writer_free(w);
}

/* Evidence that was written and read again, with what it was made of. */
static void folded_evidence_adds_nothing_to_itself(void **state)
{
    struct buf expected = BUF_INIT, got = BUF_INIT;
    struct rng r = {53};
    struct seen list[100];
    struct err e = ERR_INIT;
    int i;

    (void)state;
    for (i = 0; i < CASES(4000); i++) {
        size_t n = some_events(&r, list, COUNT_OF(list)), k;
        struct fold once, other;
        struct adding adding = {&other, &once};
        struct runs runs;
        const struct fold_store store = store_in(&runs);
        struct archives a;

        archives_init(&a, &r);
        fold_init(&once, &a.names);
        fold_init(&other, &a.names);
        if (i % 2)
            fold_spill_to(&other, &store, 1);
        add_all(&once, &a, list, n);
        add_all(&other, &a, list, n / 2);
        assert_int_equal(fold_walk(&once, i % 3 == 0, add_twice, &adding, &e), 0);
        for (k = 0; k < COUNT_OF(instances); k++) { /* times of instances do not travel this way */
            uint32_t from = names_find(&once.names, slice_of(instances[k]));
            uint32_t to = names_find(&other.names, slice_of(instances[k]));

            if (to != NAMES_NONE) {
                other.instance[to].first = once.instance[from].first;
                other.instance[to].last = once.instance[from].last;
            }
        }
        buf_clear(&expected);
        buf_clear(&got);
        put_fold(&expected, &once, false);
        put_fold(&got, &other, false);
        same_bytes(&got, &expected);
        runs_release(&runs);
        names_release(&a.names);
    }
    buf_release(&expected);
    buf_release(&got);
}

static void a_full_store_is_told(void **state)
{
    struct runs runs;
    const struct fold_store store = store_in(&runs);
    struct evidence ev = {.seen = M_PENDING_BIT};
    struct err e = ERR_INIT;
    struct archives a;
    struct fold f;
    int status = 0;
    unsigned i;

    (void)state;
    archives_init(&a, NULL);
    fold_init(&f, &a.names);
    runs.left = 0;
    fold_spill_to(&f, &store, 1);
    for (i = 0; i < 10 && status == 0; i++)
        status = fold_add_evidence(&f, slice_of("i"), slice_of("A"), &ev, &e);
    assert_int_equal(status, -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "the store is full");
    fold_release(&f);
    runs_release(&runs);
    names_release(&a.names);
}

/* What does not fit the packed form: huge numbers, times no one has, long texts. */
static void nothing_is_lost_by_packing(void **state)
{
    static char error[100000], id[300000];
    static const int64_t times[] = {-INT64_C(4000000000000000000), -1, 0, 1,
                                    INT64_C(4000000000000000000)};
    static const uint64_t records[] = {0, 1, (UINT64_C(1) << 40) - 1, UINT64_C(1) << 40,
                                       UINT64_MAX};
    struct buf expected = BUF_INIT, got = BUF_INIT;
    struct slice *names = calloc((1u << 23) + 2, sizeof *names);
    struct names archives = {.name = names, .n = (1u << 23) + 2};
    struct err e = ERR_INIT;
    size_t i, k;

    (void)state;
    assert_non_null(names);
    for (i = 0; i < archives.n; i++)
        names[i] = slice_of("a");
    memset(error, 'e', sizeof error);
    memset(id, 'i', sizeof id);
    for (i = 0; i < COUNT_OF(times); i++)
        for (k = 0; k < COUNT_OF(records); k++) {
            uint32_t archive = k % 2 ? 0 : (1u << 23) + 1;
            struct sighting at = {times[i], records[k], archive, i % 2};
            struct evidence ev = {
                .at = {at, at, at, at}, .error = {error, sizeof error / (k + 1)}, .seen = 0xf};
            struct slice long_id = {id, k == 0 ? sizeof id : k};
            struct fold f;

            buf_clear(&expected);
            buf_clear(&got);
            put_slice(&expected, slice_of("i"));
            put_slice(&expected, long_id);
            put_evidence(&expected, &archives, &ev);
            fold_init(&f, &archives);
            assert_int_equal(fold_add_evidence(&f, slice_of("i"), long_id, &ev, &e), 0);
            put_fold(&got, &f, false);
            assert_true(got.len > expected.len - 1);
            assert_memory_equal(got.data, expected.data, expected.len);
        }
    free(names);
    buf_release(&expected);
    buf_release(&got);
}

/* Ids that share beginnings, end in each other, and are as long as a sort key. */
static void entries_come_in_order_of_bytes(void **state)
{
    struct rng r = {54};
    struct evidence ev = {.seen = M_PENDING_BIT};
    struct err e = ERR_INIT;
    struct archives a;
    int i;

    (void)state;
    archives_init(&a, NULL);
    for (i = 0; i < CASES(300); i++) {
        struct buf sorted = BUF_INIT, spilled = BUF_INIT;
        struct runs runs;
        const struct fold_store store = store_in(&runs);
        struct fold f[2];
        const char *p, *lf;
        struct slice before = SLICE_NONE;
        int k;

        fold_init(&f[0], &a.names);
        fold_init(&f[1], &a.names);
        fold_spill_to(&f[1], &store, 20000);
        for (k = 0; k < (i % 60 == 0 ? 20000 : 1000); k++) {
            char id[40];
            size_t n = 1 + rng_below(&r, rng_one_in(&r, 3) ? 3 : 36), at;

            for (at = 0; at < n; at++)
                id[at] =
                    (char)(rng_one_in(&r, 12) ? 0xc3 : 'a' + (int)rng_below(&r, at < 20 ? 1 : 3));
            assert_int_equal(fold_add_evidence(&f[0], slice_of(rng_one_in(&r, 2) ? "i" : "k"),
                                               (struct slice){id, n}, &ev, &e),
                             0);
            assert_int_equal(fold_add_evidence(&f[1], f[0].names.name[f[0].names.last],
                                               (struct slice){id, n}, &ev, &e),
                             0);
        }
        put_fold(&sorted, &f[0], false);
        put_fold(&spilled, &f[1], false);
        same_bytes(&spilled, &sorted);
        assert_true(runs.n > (i % 60 == 0 ? 600 : 4)); /* more than are read at a time */
        for (p = buf_str(&sorted); (lf = strchr(p, '\n')); p = lf + 1) {
            const char *colon = memchr(p + 5, ':', (size_t)(lf - p) - 5);
            struct slice key = {p, (size_t)(lf - p)};

            if (p[3] == '\0' || !colon || strncmp(p, " 1:", 3) != 0)
                break; /* the instances follow */
            if (before.p && before.p[3] == p[3]) {
                const char *was = memchr(before.p + 5, ':', before.n - 5);
                struct slice x = {was + 1, (size_t)(strstr(was, " seen") - was) - 1};
                struct slice y = {colon + 1, (size_t)(strstr(colon, " seen") - colon) - 1};

                assert_true(slice_cmp(x, y) < 0);
            }
            before = key;
        }
        assert_non_null(before.p);
        buf_release(&sorted);
        buf_release(&spilled);
        runs_release(&runs);
    }
    names_release(&a.names);
}

/* --- merging evidence: the whole small domain --- */

static const char *const domain_errors[] = {NULL, "", "a", "b"};

/* One of 65: no failure, or one with two values of everything and four errors. */
static struct evidence failure(unsigned i)
{
    struct evidence e = {.error = SLICE_NONE};

    if (i == 64)
        return e;
    e.seen = M_BIT(M_FAILED);
    e.at[M_FAILED] = (struct sighting){START + (i & 1), 1 + (i >> 1 & 1), i >> 2 & 1, i >> 3 & 1};
    e.error = slice_of(domain_errors[i >> 4]);
    return e;
}

static bool same_failure(const struct evidence *a, const struct evidence *b)
{
    const struct sighting *x = &a->at[M_FAILED], *y = &b->at[M_FAILED];

    if (a->seen != b->seen)
        return false;
    return a->seen == 0 ||
           (x->time == y->time && x->record == y->record && x->archive == y->archive &&
            x->approximate == y->approximate && slice_eq(a->error, b->error));
}

static void merging_evidence_is_commutative_associative_and_idempotent(void **state)
{
    struct slice list[2] = {slice_of("z"), slice_of("a")}; /* the second is the least */
    uint64_t hash[2] = {0, 0};
    const struct names archives = {.name = list, .hash = hash, .n = 2, .cap = 2};
    unsigned i, j, k;

    (void)state;
    for (i = 0; i < 65; i++) {
        for (j = 0; j < 65; j++) {
            struct evidence a = failure(i), b = failure(j), ab = a, ba = b, aab;

            evidence_merge(&archives, &ab, &b);
            evidence_merge(&archives, &ba, &a);
            assert_true(same_failure(&ab, &ba));
            assert_true(same_failure(&ab, &a) || same_failure(&ab, &b));
            aab = a;
            evidence_merge(&archives, &aab, &ab);
            assert_true(same_failure(&aab, &ab));
            for (k = 0; k < 65; k++) {
                struct evidence c = failure(k), bc = b, left = ab, right = a;

                evidence_merge(&archives, &left, &c);
                evidence_merge(&archives, &bc, &c);
                evidence_merge(&archives, &right, &bc);
                assert_true(same_failure(&left, &right));
            }
        }
    }
}

static void ties_go_to_the_least_archive_record_and_error(void **state)
{
    static const struct {
        struct seen winner, loser;
    } cases[] = {
        /* an exact time before an approximate one, however late */
        {{.ev = {.time = START + 9}, .archive = 0, .record = 9},
         {.ev = {.time = START, .approximate = true}, .archive = 2, .record = 1}},
        {{.ev = {.time = START}, .archive = 0, .record = 9},
         {.ev = {.time = START + 1}, .archive = 2, .record = 1}},
        {{.ev = {.time = START}, .archive = 2, .record = 9}, /* "a" before "a.gz" */
         {.ev = {.time = START}, .archive = 1, .record = 1}},
        {{.ev = {.time = START}, .archive = 0, .record = 9}, /* bytes from 0x80 come last */
         {.ev = {.time = START}, .archive = 4, .record = 1}},
        {{.ev = {.time = START}, .archive = 1, .record = 9},
         {.ev = {.time = START}, .archive = 1, .record = 10}},
        {{.ev = {.time = START}, .archive = 1, .record = 1},
         {.ev = {.time = START, .error = {"", 0}}, .archive = 1, .record = 1}},
        {{.ev = {.time = START, .error = {"a", 1}}, .archive = 1, .record = 1},
         {.ev = {.time = START, .error = {"ab", 2}}, .archive = 1, .record = 1}},
        {{.ev = {.time = START, .error = {"Z", 1}}, .archive = 1, .record = 1},
         {.ev = {.time = START, .error = {"a", 1}}, .archive = 1, .record = 1}},
    };
    struct buf winner = BUF_INIT, both = BUF_INIT;
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) {
        struct seen list[2] = {cases[i].winner, cases[i].loser};
        struct archives a;

        archives_init(&a, NULL);
        for (k = 0; k < 2; k++) {
            list[k].ev.instance = slice_of("inst");
            list[k].ev.message_id = slice_of("A");
            list[k].ev.what = MEANS_FAILED;
            list[k].ev.lag = TIME_NONE;
        }
        buf_clear(&winner);
        buf_clear(&both);
        fold_all(&winner, list, 1, &a, true);
        fold_all(&both, list, 2, &a, true);
        assert_memory_equal(buf_str(&both), buf_str(&winner), strcspn(buf_str(&winner), "\n"));
        names_release(&a.names);
    }
    buf_release(&winner);
    buf_release(&both);
}

static int keep_one(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct fold_entry *one = ctx;

    (void)e;
    assert_null(one->message_id.p);
    *one = *x;
    return 0;
}

static void pending_proves_nothing(void **state)
{
    struct fold_entry one = {.message_id = SLICE_NONE};
    struct err e = ERR_INIT;
    struct seen s = {.ev = {.instance = slice_of("i"),
                            .message_id = slice_of("A"),
                            .what = MEANS_PENDING,
                            .time = START,
                            .lag = TIME_NONE},
                     .record = 1};
    struct archives a;
    struct fold f;

    (void)state;
    archives_init(&a, NULL);
    fold_init(&f, &a.names);
    add_all(&f, &a, &s, 1);
    assert_int_equal(fold_walk(&f, true, keep_one, &one, &e), 0);
    assert_int_equal(one.evidence.seen, M_PENDING_BIT);
    assert_int_equal(EVIDENCE_PROVES(&one.evidence), 0);
    assert_true(f.instance[0].first == START && f.instance[0].last == START);
    fold_release(&f);
    names_release(&a.names);
}

/* An approximate time is when an archive was written: not of the traffic. */
static void only_exact_times_reach_from_first_to_last(void **state)
{
    struct seen s = {.ev = {.instance = slice_of("i"),
                            .message_id = slice_of("A"),
                            .what = MEANS_READ,
                            .time = START,
                            .approximate = true,
                            .lag = TIME_NONE},
                     .record = 1};
    struct archives a;
    struct fold f;

    (void)state;
    archives_init(&a, NULL);
    fold_init(&f, &a.names);
    add_all(&f, &a, &s, 1);
    assert_true(f.instance[0].first == TIME_NONE && f.instance[0].last == TIME_NONE);
    s.ev.approximate = false;
    s.ev.time = START + 5;
    add_all(&f, &a, &s, 1);
    s.ev.time = START + 3;
    add_all(&f, &a, &s, 1);
    assert_true(f.instance[0].first == START + 3 && f.instance[0].last == START + 5);
    fold_release(&f);
    names_release(&a.names);
}

/* --- many --- */

struct following {
    const struct fold *f;
    struct fold_entry before;
    size_t n;
};

static int follow(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct following *f = ctx;

    (void)e;
    if (f->n++ > 0) {
        int c = slice_cmp(f->f->names.name[f->before.instance], f->f->names.name[x->instance]);

        assert_true(c < 0 || (c == 0 && slice_cmp(f->before.message_id, x->message_id) < 0));
    }
    f->before = *x;
    return 0;
}

/* An instance name of one's own for every message, as whoever posts to the hook may send. */
static void hostile_numbers_of_instances_stay_fast(void **state)
{
    const uint32_t n = (uint32_t)CASES(100000);
    clock_t began = clock();
    struct archives a;
    struct fold_writer *part[2];
    struct following following = {0};
    struct fold f;
    struct err e = ERR_INIT;
    uint32_t i;

    (void)state;
    archives_init(&a, NULL);
    fold_init(&f, &a.names);
    part[0] = fold_writer_new(&f);
    part[1] = fold_writer_new(&f);
    for (i = 0; i < 4 * n; i++) {
        char name[32], id[32];
        struct event ev = {
            .what = MEANS_READ, .time = START + i, .lag = US_PER_SECOND, .error = SLICE_NONE};

        (void)snprintf(name, sizeof name, "instance-%u", i * 7919 % n);
        (void)snprintf(id, sizeof id, "ID%u", i % (n / 2));
        ev.instance = slice_of(name);
        ev.message_id = slice_of(id);
        assert_int_equal(fold_add(part[i & 1], &ev, 0, i + 1, &e), 0);
    }
    for (i = 0; i < 2; i++) {
        assert_int_equal(fold_writer_finish(part[i], &e), 0);
        fold_writer_free(part[i]);
    }
    assert_int_equal(f.names.n, n);
    following.f = &f;
    assert_int_equal(fold_walk(&f, true, follow, &following, &e), 0);
    assert_int_equal(following.n, n);
    fold_release(&f);
    names_release(&a.names);
    assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
}

/* Each earlier than the one before, so that its error text takes the place. */
static void repeated_failures_take_no_more_memory(void **state)
{
    struct archives a;
    struct fold f;
    char text[100];
    int i;

    (void)state;
    memset(text, 'e', sizeof text);
    archives_init(&a, NULL);
    fold_init(&f, &a.names);
    for (i = 0; i < 20000; i++) {
        struct seen s = {.ev = {.instance = slice_of("i"),
                                .message_id = slice_of("A"),
                                .what = MEANS_FAILED,
                                .time = START - i,
                                .lag = TIME_NONE,
                                .error = {text, 100}},
                         .record = 1};

        s.ev.error.n -= (size_t)i / 210;
        add_all(&f, &a, &s, 1);
    }
    assert_in_range(atomic_load(&f.pool.held), 1, (size_t)1 << 17);
    fold_release(&f);
    names_release(&a.names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fold_keeps_the_least_of_each_milestone),
        cmocka_unit_test(any_order_and_any_split_fold_to_the_same),
        cmocka_unit_test(folded_evidence_adds_nothing_to_itself),
        cmocka_unit_test(a_full_store_is_told),
        cmocka_unit_test(nothing_is_lost_by_packing),
        cmocka_unit_test(entries_come_in_order_of_bytes),
        cmocka_unit_test(merging_evidence_is_commutative_associative_and_idempotent),
        cmocka_unit_test(ties_go_to_the_least_archive_record_and_error),
        cmocka_unit_test(pending_proves_nothing),
        cmocka_unit_test(only_exact_times_reach_from_first_to_last),
        cmocka_unit_test(hostile_numbers_of_instances_stay_fast),
        cmocka_unit_test(repeated_failures_take_no_more_memory),
    };

    return cmocka_run_group_tests_name("fold", tests, NULL, NULL);
}
