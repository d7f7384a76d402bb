#include "spill.h"

#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include <cmocka.h>

#include "helpers.h"

static char dir[] = "/tmp/test_spill.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    return rmdir(dir); /* fails unless it is empty */
}

static void expect_run(struct spill_run *r, unsigned seed, size_t n, size_t step)
{
    struct rng random = {seed};
    unsigned char *p = malloc(step);
    struct err e = ERR_INIT;
    size_t at = 0, i;
    ssize_t got;

    assert_non_null(p);
    spill_rewind(r);
    while ((got = spill_read(r, p, step, &e)) > 0) {
        for (i = 0; i < (size_t)got; i++)
            assert_int_equal(p[i], (unsigned char)rng_next(&random));
        at += (size_t)got;
        assert_true((size_t)got == step || at == n);
    }
    assert_int_equal(got, 0);
    assert_int_equal(at, n);
    free(p);
}

struct writing {
    struct spill *s;
    struct spill_run *r;
    unsigned seed;
    size_t n;
};

static void *write_run(void *ctx)
{
    struct writing *w = ctx;
    struct rng random = {w->seed};
    struct err e = ERR_INIT;
    size_t at = 0, i;
    char p[5000];

    w->r = spill_begin(w->s, &e);
    if (!w->r)
        return w;
    while (at < w->n) {
        size_t step = 1 + at % sizeof p;

        step = step < w->n - at ? step : w->n - at;
        for (i = 0; i < step; i++)
            p[i] = (char)rng_next(&random);
        if (spill_write(w->r, p, step, &e) < 0)
            return w;
        at += step;
    }
    return spill_end(w->r, &e) < 0 ? w : NULL;
}

static void runs_are_read_as_they_were_written(void **state)
{
    static const size_t sizes[] = {0, 1, 262143, 262144, 262145, 1000000};
    struct spill *s = spill_new(dir);
    struct writing w[COUNT_OF(sizes)];
    pthread_t thread[COUNT_OF(sizes)];
    unsigned i;

    (void)state;
    assert_non_null(s);
    for (i = 0; i < COUNT_OF(sizes); i++) { /* side by side, so that their pieces are mixed */
        w[i] = (struct writing){s, NULL, i, sizes[i]};
        assert_int_equal(pthread_create(&thread[i], NULL, write_run, &w[i]), 0);
    }
    for (i = 0; i < COUNT_OF(sizes); i++) {
        void *failed;

        assert_int_equal(pthread_join(thread[i], &failed), 0);
        assert_null(failed);
    }
    for (i = 0; i < COUNT_OF(sizes); i++) {
        expect_run(w[i].r, i, sizes[i], 1000);
        expect_run(w[i].r, i, sizes[i], 300000);
    }
    assert_int_equal(spill_bytes(s), 262144 * (1 + 1 + 1 + 2 + 4));
    spill_free(s);
}

static void nothing_can_be_seen_in_the_directory(void **state)
{
    struct spill *s = spill_new(dir);
    struct err e = ERR_INIT;
    struct spill_run *r = spill_begin(s, &e);
    DIR *d = opendir(dir);
    const struct dirent *x;

    (void)state;
    assert_non_null(r);
    assert_non_null(d);
    while ((x = readdir(d)))
        assert_true(x->d_name[0] == '.');
    (void)closedir(d);
    spill_free(s);
}

static void a_missing_directory_is_told(void **state)
{
    struct spill *s = spill_new("/nonexistent");
    struct err e = ERR_INIT;

    (void)state;
    assert_null(spill_begin(s, &e));
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "could not create a temporary file in \"/nonexistent\": No such "
                                "file or directory");
    spill_free(s);
    spill_free(NULL);
}

static void a_full_disk_is_told(void **state)
{
    struct rlimit before, little = {300000, 300000};
    struct spill *s = spill_new(dir);
    struct err e = ERR_INIT;
    struct spill_run *r = spill_begin(s, &e);
    static char p[300000];
    char expected[200];

    (void)state;
    assert_non_null(r);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little.rlim_max = before.rlim_max;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(spill_write(r, p, sizeof p, &e), 0);
    assert_int_equal(spill_write(r, p, sizeof p, &e), -1);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e.status, EXIT_FAILED);
    (void)snprintf(expected, sizeof expected,
                   "could not write to a temporary file in \"%s\": File too large", dir);
    assert_string_equal(e.text, expected);
    spill_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(runs_are_read_as_they_were_written),
        cmocka_unit_test(nothing_can_be_seen_in_the_directory),
        cmocka_unit_test(a_missing_directory_is_told),
        cmocka_unit_test(a_full_disk_is_told),
    };

    return cmocka_run_group_tests_name("spill", tests, set_up, tear_down);
}
