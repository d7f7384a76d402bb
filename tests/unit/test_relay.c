#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"

/* A source of n bytes that depend on their place; may fail instead of ending. */
struct source {
    size_t at, n;
    bool fails;
    pthread_t last; /* who read last */
};

static unsigned char byte_at(size_t at)
{
    return (unsigned char)(at ^ at >> 8 ^ at >> 16);
}

static ssize_t read_source(void *ctx, void *p, size_t n)
{
    struct source *s = ctx;
    unsigned char *to = p;
    size_t i;

    s->last = pthread_self();
    if (s->fails && s->n - s->at < n) {
        errno = ENOMEM;
        return -1;
    }
    n = n < s->n - s->at ? n : s->n - s->at;
    for (i = 0; i < n; i++)
        to[i] = byte_at(s->at++);
    return (ssize_t)n;
}

static void *help(void *relay)
{
    relay_help(relay);
    return NULL;
}

/* Reads `limit` bytes or up to the end in random steps; a helper comes along
 * after `alone` of them. */
static void check(struct rng *r, size_t n, size_t alone, size_t limit, bool fails)
{
    struct source s = {.n = n, .fails = fails};
    struct relay *relay = relay_new(read_source, &s);
    unsigned char *p = malloc(600000);
    bool offered = false;
    pthread_t helper;
    ssize_t got = 1;
    size_t at = 0;

    assert_non_null(relay);
    assert_non_null(p);
    while (at < limit) {
        size_t step = 1 + rng_below(r, rng_one_in(r, 3) ? 600000 : 3000), i;

        if (!offered && at >= alone) {
            offered = relay_offer(relay);
            assert_true(offered);
            assert_false(relay_offer(relay));
            assert_int_equal(pthread_create(&helper, NULL, help, relay), 0);
        }
        got = relay_read(relay, p, step);
        if (got <= 0)
            break;
        assert_true((size_t)got <= step);
        for (i = 0; i < (size_t)got; i++)
            assert_int_equal(p[i], byte_at(at + i));
        at += (size_t)got;
    }
    if (at < limit) {
        assert_true(at == n || (fails && at < n));
        assert_int_equal(got, fails ? -1 : 0);
        assert_int_equal(relay_read(relay, p, 600000), fails ? -1 : 0);
        assert_true(!fails || errno == ENOMEM);
    }
    if (offered && at == n && n > alone + 2000000)
        assert_true(pthread_equal(s.last, helper));
    relay_end(relay);
    if (offered)
        assert_int_equal(pthread_join(helper, NULL), 0);
    free(p);
}

static void the_bytes_do_not_depend_on_who_reads(void **state)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 524288, 1048576, 3000000};
    struct rng r = {81};
    size_t i, k;

    (void)state;
    for (i = 0; i < COUNT_OF(sizes); i++)
        for (k = 0; k < 6; k++)
            check(&r, sizes[i], sizes[i] / 4 * k, SIZE_MAX, k == 5);
}

static void a_reader_may_stop_anywhere(void **state)
{
    struct rng r = {82};
    int i;

    (void)state;
    for (i = 0; i < 40; i++)
        check(&r, 5000000, rng_below(&r, 1000000), rng_below(&r, 3000000), false);
}

static void an_offer_may_come_to_nothing(void **state)
{
    struct source s = {.n = 10};
    struct relay *relay = relay_new(read_source, &s);
    pthread_t helper;

    (void)state;
    assert_true(relay_offer(relay));
    assert_int_equal(pthread_create(&helper, NULL, help, relay), 0);
    relay_end(relay); /* nothing was read meanwhile */
    assert_int_equal(pthread_join(helper, NULL), 0);
    assert_int_equal(s.at, 0);
    relay_end(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_bytes_do_not_depend_on_who_reads),
        cmocka_unit_test(a_reader_may_stop_anywhere),
        cmocka_unit_test(an_offer_may_come_to_nothing),
    };

    return cmocka_run_group_tests_name("relay", tests, NULL, NULL);
}
