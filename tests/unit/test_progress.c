#include "progress.h"

#include "helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static void a_moment_is_told_in_a_line(void **state)
{
    static const struct {
        struct progress_moment m;
        const char *wanted;
    } cases[] = {
        {{PROGRESS_NOTHING, 5, 5, 5, 5}, ""},
        {{PROGRESS_READING, 0, 0, 0, 0}, "reading 0 B, 0 records"},
        {{PROGRESS_READING, 1023, 0, 1, 0.5}, "reading 1023 B, 1 records"},
        {{PROGRESS_READING, 3 * MIB / 2, 0, 1234567, 2},
         "reading 1.5 MiB, 1,234,567 records, 617,283 records/s"},
        {{PROGRESS_READING, 512 * MIB, 2 * GIB, 1000, 10},
         "reading 0.5 of 2.0 GiB (25%), 1,000 records, 100 records/s, 31 s left"},
        {{PROGRESS_READING, 1, 500, 0, 0.9}, "reading 1 of 500 B (0%), 0 records"},
        {{PROGRESS_READING, 999, 1000, 7, 1000},
         "reading 999 of 1000 B (99%), 7 records, 0 records/s, 2 s left"},
        /* it has grown meanwhile */
        {{PROGRESS_READING, 1100, 1000, 7, 10}, "reading 1.1 of 1.0 KiB, 7 records, 0 records/s"},
        {{PROGRESS_DECIDING, 1000000, 0, 0, 4}, "deciding 1,000,000 rows, 250,000 rows/s"},
        {{PROGRESS_ASKING, 100, 400, 30, 100},
         "asking about rows, 100 of 400 answered (25%), 30 requests, 0 requests/s, 5 min 01 s "
         "left"},
        {{PROGRESS_WRITING, 10, 1000, 2, 100},
         "writing 10 of 1,000 rows (1%), 2 batches, 0 rows/s, 2 h 45 min left"},
        {{PROGRESS_WRITING, 1000, 1000, 3, 2},
         "writing 1,000 of 1,000 rows (100%), 3 batches, 500 rows/s"},
        /* nothing is known of what would take days */
        {{PROGRESS_WRITING, 1, UINT64_MAX, 1, 3600},
         "writing 1 of 18,446,744,073,709,551,615 rows (0%), 1 batches, 0 rows/s"},
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct buf b = BUF_INIT;

        progress_put(&b, &cases[i].m);
        assert_string_equal(buf_str(&b), cases[i].wanted);
        buf_release(&b);
    }
}

static void nobody_need_look_on(void **state)
{
    (void)state;
    assert_null(progress_new(PROGRESS_NEVER, true));
    progress_begin(NULL, PROGRESS_READING, 1);
    progress_add(NULL, 1, 1);
    progress_set(NULL, 1, 1);
    progress_set_more(NULL, 1);
    progress_free(NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_moment_is_told_in_a_line),
        cmocka_unit_test(nobody_need_look_on),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
