#include "clock.h"
#include "histogram.h"
#include "idmap.h"
#include "names.h"
#include "tally.h"

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

/* --- names --- */

/* Short byte strings, NULs among them, so that most come again. */
static struct slice some_bytes(struct rng *r, char *room)
{
    size_t n = rng_below(r, 4) + (rng_one_in(r, 4) ? 8 * rng_below(r, 3) : 0), i;

    for (i = 0; i < n; i++)
        room[i] = "ab\0\xFF"[rng_below(r, rng_one_in(r, 2) ? 4 : 1)];
    return (struct slice){room, n};
}

static void a_name_keeps_its_number_and_its_bytes(void **state)
{
    struct names t = NAMES_INIT;
    struct rng r = {61};
    char room[64], copies[4000][32];
    const char *where[4000];
    size_t length[4000];
    uint32_t n = 0, i;

    (void)state;
    assert_int_equal(names_find(&t, slice_of("")), NAMES_NONE);
    for (i = 0; i < 20000; i++) {
        struct slice name = some_bytes(&r, room);
        uint32_t expected, number;

        for (expected = 0; expected < n; expected++) {
            if (length[expected] == name.n && memcmp(copies[expected], name.p, name.n) == 0)
                break;
        }
        assert_int_equal(names_find(&t, name), expected < n ? expected : NAMES_NONE);
        number = names_add(&t, name);
        assert_int_equal(number, expected);
        if (expected == n && n < COUNT_OF(copies)) {
            memcpy(copies[n], name.p, name.n);
            length[n] = name.n;
            where[n++] = t.name[number].p;
        }
        memset(room, '#', sizeof room); /* the table has a copy of its own */
    }
    assert_in_range(n, 100, COUNT_OF(copies) - 1);
    assert_int_equal(t.n, n);
    for (i = 0; i < n; i++) {
        assert_ptr_equal(t.name[i].p, where[i]); /* which has not moved */
        assert_int_equal(t.name[i].n, length[i]);
        assert_memory_equal(t.name[i].p, copies[i], length[i]);
        assert_int_equal(t.name[i].p[length[i]], 0);
    }
    names_release(&t);
    assert_int_equal(names_find(&t, slice_of("a")), NAMES_NONE);
}

static void many_names_are_found_fast(void **state)
{
    const uint32_t n = 300000;
    clock_t began = clock();
    struct names t = NAMES_INIT;
    char name[32];
    uint32_t i;
    int round;

    (void)state;
    for (round = 0; round < 2; round++) {
        for (i = 0; i < n; i++) {
            int len = snprintf(name, sizeof name, "%u", i);

            assert_int_equal(names_add(&t, (struct slice){name, (size_t)len}), i);
        }
    }
    assert_int_equal(t.n, n);
    assert_int_equal(names_find(&t, slice_of("x")), NAMES_NONE);
    names_release(&t);
    assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
}

/* --- tally --- */

static void same_tally(const struct tally *a, const struct tally *b)
{
    size_t i;

    assert_int_equal(a->n, b->n);
    assert_int_equal(a->others, b->others);
    for (i = 0; i < a->n; i++) {
        assert_int_equal(a->entry[i].n, b->entry[i].n);
        assert_memory_equal(a->entry[i].text, b->entry[i].text, a->entry[i].n);
        assert_int_equal(a->entry[i].count, b->entry[i].count);
    }
}

/* A number's digits, reversed, so that low numbers are everywhere among the texts. */
static struct slice digits_of(unsigned number, char *room)
{
    size_t n = 0;

    do {
        room[n++] = (char)('0' + number % 10);
        number /= 10;
    } while (number > 0);
    return (struct slice){room, n};
}

#define TEXTS 3000u /* three times what is kept */

static void add_shuffled(struct tally *parts, unsigned n, unsigned *order, struct rng *r)
{
    char room[16];
    unsigned i;

    for (i = TEXTS; i > 0; i--) {
        unsigned pick = rng_below(r, i), x = order[pick];
        struct slice text = digits_of(x, room);

        order[pick] = order[i - 1];
        order[i - 1] = x;
        assert_int_equal(tally_add(&parts[rng_below(r, n)], text, x % 7 + 1), 0);
        assert_int_equal(tally_add(&parts[rng_below(r, n)], text, 1), 0);
    }
}

static int by_bytes(const void *a, const void *b)
{
    const struct tally_entry *x = a, *y = b;

    return slice_cmp((struct slice){x->text, x->n}, (struct slice){y->text, y->n});
}

/* All texts in order: the first TALLY_MAX are kept, the rest is others. */
static void reference_tally(struct tally *t)
{
    static struct tally_entry entry[TEXTS];
    static char rooms[TEXTS][16];
    unsigned i;

    for (i = 0; i < TEXTS; i++)
        entry[i] = (struct tally_entry){rooms[i], digits_of(i, rooms[i]).n, i % 7 + 2};
    qsort(entry, TEXTS, sizeof *entry, by_bytes);
    *t = (struct tally){.entry = entry, .n = TALLY_MAX};
    for (i = TALLY_MAX; i < TEXTS; i++)
        t->others += entry[i].count;
}

static void a_tally_keeps_the_least_texts_in_any_order_and_split(void **state)
{
    static unsigned order[TEXTS];
    struct tally expected;
    struct rng r = {62};
    unsigned i, round;

    (void)state;
    reference_tally(&expected);
    for (i = 0; i < TEXTS; i++)
        order[i] = i;
    for (round = 0; round < 20; round++) {
        struct tally parts[4] = {TALLY_INIT, TALLY_INIT, TALLY_INIT, TALLY_INIT};
        unsigned n = round % 4 + 1, to = rng_below(&r, n);

        add_shuffled(parts, n, order, &r);
        for (i = 0; i < n; i++) {
            if (i == to)
                continue;
            assert_int_equal(tally_merge(&parts[to], &parts[i]), 0);
            tally_release(&parts[i]);
        }
        same_tally(&parts[to], &expected);
        tally_release(&parts[to]);
    }
}

static void a_long_text_is_cut_between_characters(void **state)
{
    char text[TALLY_TEXT + 40];
    size_t lead, k;

    (void)state;
    for (lead = TALLY_TEXT - 6; lead <= TALLY_TEXT + 1; lead++) {
        struct tally t = TALLY_INIT;
        size_t kept = lead < TALLY_TEXT ? lead + (TALLY_TEXT - lead) / 4 * 4 : TALLY_TEXT;

        memset(text, 'x', lead);
        for (k = 0; k < 8; k++)
            memcpy(text + lead + 4 * k, "\xF0\x9F\x98\x80", 4);
        assert_int_equal(tally_add(&t, (struct slice){text, lead + 32}, 1), 0);
        assert_int_equal(tally_add(&t, (struct slice){text, lead + 28}, 2), 0); /* alike so far */
        assert_int_equal(t.n, 1);
        assert_int_equal(t.entry[0].count, 3);
        assert_int_equal(t.entry[0].n, kept);
        assert_memory_equal(t.entry[0].text, text, kept);
        assert_int_equal(t.entry[0].text[kept], 0); /* warnings print it */
        tally_release(&t);
    }
}

static void an_absent_text_counts_as_an_empty_one(void **state)
{
    struct tally t = TALLY_INIT;

    (void)state;
    assert_int_equal(tally_add(&t, SLICE_NONE, 2), 0);
    assert_int_equal(tally_add(&t, slice_of(""), 3), 0);
    assert_int_equal(t.n, 1);
    assert_int_equal(t.entry[0].n, 0);
    assert_int_equal(t.entry[0].count, 5);
    tally_release(&t);
}

/* --- histogram --- */

static int by_number(const void *a, const void *b)
{
    const int64_t *x = a, *y = b;

    return (*x > *y) - (*x < *y);
}

static int64_t whole_minutes(int64_t us)
{
    int64_t minute = 60 * US_PER_SECOND, m = us / minute;

    if (m * minute > us)
        m--;
    if (m > 7 * 24 * 60)
        m = 7 * 24 * 60;
    return m < -7 * 24 * 60 ? -7 * 24 * 60 : m;
}

static void a_median_is_that_of_the_sorted_minutes(void **state)
{
    struct rng r = {63};
    int64_t list[60];
    int i;

    (void)state;
    for (i = 0; i < 20000; i++) {
        struct histogram part[2] = {HISTOGRAM_INIT, HISTOGRAM_INIT};
        unsigned n = 1 + rng_below(&r, COUNT_OF(list)), k, spread = 1 + rng_below(&r, 30000);
        int32_t median = 0;

        for (k = 0; k < n; k++) {
            int64_t us = ((int64_t)rng_below(&r, 2 * spread) - spread) * 30 * US_PER_SECOND -
                         (int64_t)rng_below(&r, 2);

            list[k] = whole_minutes(us);
            assert_int_equal(histogram_add(&part[rng_below(&r, 2)], us, 1), 0);
        }
        assert_int_equal(histogram_merge(&part[0], &part[1]), 0);
        qsort(list, n, sizeof *list, by_number);
        assert_true(histogram_median(&part[0], &median));
        assert_int_equal(median, list[(n - 1) / 2]);
        for (k = 1; k < part[0].n; k++)
            assert_true(part[0].bucket[k - 1].minutes < part[0].bucket[k].minutes);
        histogram_release(&part[0]);
        histogram_release(&part[1]);
    }
}

static void a_histogram_is_bounded_whatever_comes(void **state)
{
    static const int64_t ends[] = {INT64_MAX, INT64_MIN, INT64_MIN + 1, 0};
    struct histogram h = HISTOGRAM_INIT;
    int32_t median;
    int64_t i;

    (void)state;
    assert_false(histogram_median(&h, &median));
    for (i = 0; i < (int64_t)COUNT_OF(ends); i++)
        assert_int_equal(histogram_add(&h, ends[i], 1), 0);
    for (i = -30000; i < 30000; i++)
        assert_int_equal(histogram_add(&h, i * 60 * US_PER_SECOND, 2), 0);
    assert_int_equal(h.n, 2 * HISTOGRAM_MOST + 1);
    assert_int_equal(h.bucket[0].minutes, -HISTOGRAM_MOST);
    assert_int_equal(h.bucket[0].count, 2 + 2 * (30000 - HISTOGRAM_MOST + 1));
    assert_int_equal(h.bucket[h.n - 1].minutes, HISTOGRAM_MOST);
    histogram_release(&h);
    assert_false(histogram_median(&h, &median));
}

/* --- idmap --- */

static void an_id_keeps_the_number_it_came_with_first(void **state)
{
    struct idmap m = IDMAP_INIT;
    struct rng r = {64};
    struct ident list[3000];
    uint32_t i, k;

    (void)state;
    assert_int_equal(idmap_find(&m, IDENT_NONE), IDMAP_NONE);
    for (i = 0; i < COUNT_OF(list); i++)
        list[i] = (struct ident){i % 2 ? rng_next(&r) : 0, i % 3 ? i : (uint64_t)i << 40};
    for (i = 0; i < 20000; i++) {
        k = i < COUNT_OF(list) ? i : rng_below(&r, COUNT_OF(list));
        if (i == k)
            assert_int_equal(idmap_find(&m, list[k]), IDMAP_NONE);
        assert_int_equal(idmap_add(&m, list[k], i), k);
        assert_int_equal(idmap_find(&m, list[k]), k);
    }
    assert_int_equal(m.n, COUNT_OF(list));
    for (i = 0; i < 1000; i++)
        assert_int_equal(idmap_find(&m, (struct ident){rng_next(&r) | 1, 7}), IDMAP_NONE);
    idmap_release(&m);
    assert_int_equal(idmap_find(&m, list[0]), IDMAP_NONE);
}

static void many_ids_are_found_fast(void **state)
{
    const uint32_t n = 500000;
    clock_t began = clock();
    struct idmap m = IDMAP_INIT;
    uint32_t i;

    (void)state;
    for (i = 0; i < n; i++) { /* as a sequence gives them */
        struct ident id = {0, (UINT64_C(1) << 63) + i};

        assert_int_equal(idmap_add(&m, id, i), i);
    }
    for (i = 0; i < n; i++)
        assert_int_equal(idmap_find(&m, (struct ident){0, (UINT64_C(1) << 63) + i}), i);
    idmap_release(&m);
    assert_true(clock() - began < 5 * CLOCKS_PER_SEC);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_name_keeps_its_number_and_its_bytes),
        cmocka_unit_test(many_names_are_found_fast),
        cmocka_unit_test(a_tally_keeps_the_least_texts_in_any_order_and_split),
        cmocka_unit_test(a_long_text_is_cut_between_characters),
        cmocka_unit_test(an_absent_text_counts_as_an_empty_one),
        cmocka_unit_test(a_median_is_that_of_the_sorted_minutes),
        cmocka_unit_test(a_histogram_is_bounded_whatever_comes),
        cmocka_unit_test(an_id_keeps_the_number_it_came_with_first),
        cmocka_unit_test(many_ids_are_found_fast),
    };

    return cmocka_run_group_tests_name("tables", tests, NULL, NULL);
}
