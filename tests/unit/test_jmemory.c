#include "jmemory.h"

#include "helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* A sanitizer's allocator gives no memory when there is none, as others do. */
const char *__asan_default_options(void);
const char *__tsan_default_options(void);

const char *__asan_default_options(void)
{
    return "allocator_may_return_null=1";
}

const char *__tsan_default_options(void)
{
    return "allocator_may_return_null=1";
}

static json_malloc_t watched;
static size_t asked, fails; /* allocations; the one that fails, 0: none */

/* More than there is: it fails where jmemory allocates. */
static void *failing(size_t n)
{
    return watched(++asked == fails ? SIZE_MAX / 4 : n);
}

/* How loading a text ends while its allocation number `at` fails. */
static int load(json_t **root, const char *text, size_t at)
{
    asked = 0;
    fails = at;
    return jmemory_load(root, slice_of(text), JSON_DECODE_ANY | JSON_REJECT_DUPLICATES);
}

static void whichever_allocation_fails_a_text_is_loaded_whole_or_not_at_all(void **state)
{
    static const char *const texts[] = {
        "\"3EB0C767D097B7C76511\"",
        "{\"a_key_of_more_than_sixteen_bytes\":\"and a text of more than thirty-two bytes\"}",
        "[\"caf\\u00e9 \\ud83d\\ude00 1234567890\",\"caf\xc3\xa9\",1234567890123456789,1e300,"
        "0.1234567890123456789]",
        "{\"a\":1,\"b\":2,\"c\":3,\"d\":4,\"e\":5,\"f\":6,\"g\":7,\"h\":8,\"i\":9,\"j\":[]}",
        "[1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,true,false,null]",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        json_t *whole, *got;
        size_t count, at;

        assert_int_equal(load(&whole, texts[i], 0), 1);
        count = asked;
        assert_true(count > 0);
        for (at = 1; at <= count; at++) {
            assert_int_equal(load(&got, texts[i], at), -1);
            assert_null(got);
        }
        assert_int_equal(load(&got, texts[i], at), 1);
        assert_true(json_equal(got, whole));
        json_decref(got);
        json_decref(whole);
    }
}

static void a_failure_is_of_one_text_and_not_of_the_next(void **state)
{
    json_t *root;

    (void)state;
    assert_int_equal(load(&root, "[1", 0), 0);
    assert_null(root);
    assert_int_equal(load(&root, "[1]", 1), -1);
    assert_int_equal(load(&root, "[1", 0), 0);
    assert_false(jmemory_failed());
    fails = asked + 1;
    assert_null(json_array());
    assert_int_equal(load(&root, "[1]", 0), 1);
    json_decref(root);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whichever_allocation_fails_a_text_is_loaded_whole_or_not_at_all),
        cmocka_unit_test(a_failure_is_of_one_text_and_not_of_the_next),
    };
    json_free_t release;

    jmemory_watch();
    json_get_alloc_funcs(&watched, &release);
    json_set_alloc_funcs(failing, release);
    return cmocka_run_group_tests_name("jmemory", tests, NULL, NULL);
}
