#include "http_retry.h"
#include "http_url.h"

#include "helpers.h"

#include <curl/curl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#define S INT64_C(1000000)

static const struct http_policy policy = {120 * S, S / 4, 20 * S};

static enum http_action decide(struct http_try t, int64_t *wait)
{
    return http_policy_decide(&policy, &t, wait);
}

static enum http_action of_status(long status)
{
    int64_t wait;

    return decide((struct http_try){.status = status, .tries = 1}, &wait);
}

static enum http_action of_curl(int code)
{
    int64_t wait;

    return decide((struct http_try){.curl = code, .tries = 1}, &wait);
}

static void success_is_an_answer_unless_it_makes_no_sense(void **state)
{
    int64_t wait;

    (void)state;
    assert_int_equal(of_status(200), HTTP_ACCEPT);
    assert_int_equal(of_status(201), HTTP_ACCEPT);
    assert_int_equal(of_status(204), HTTP_ACCEPT);
    assert_int_equal(
        decide((struct http_try){.status = 200, .unreadable = true, .tries = 1}, &wait),
        HTTP_RETRY);
}

static void statuses_that_may_pass_are_tried_again(void **state)
{
    static const long passing[] = {408, 429, 500, 502, 503, 504, 520, 599};
    static const long lasting[] = {300, 301, 302, 304, 307, 308, 400, 401, 402, 403,
                                   404, 405, 409, 410, 413, 422, 428, 431, 451};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(passing); i++)
        assert_int_equal(of_status(passing[i]), HTTP_RETRY);
    for (i = 0; i < COUNT_OF(lasting); i++)
        assert_int_equal(of_status(lasting[i]), HTTP_REFUSE);
}

static void broken_connections_are_tried_again_but_not_broken_settings(void **state)
{
    static const int passing[] = {CURLE_COULDNT_CONNECT,
                                  CURLE_COULDNT_RESOLVE_HOST,
                                  CURLE_COULDNT_RESOLVE_PROXY,
                                  CURLE_OPERATION_TIMEDOUT,
                                  CURLE_PARTIAL_FILE,
                                  CURLE_GOT_NOTHING,
                                  CURLE_SEND_ERROR,
                                  CURLE_RECV_ERROR,
                                  CURLE_BAD_CONTENT_ENCODING,
                                  CURLE_SSL_CONNECT_ERROR,
                                  CURLE_HTTP2,
                                  CURLE_HTTP2_STREAM,
                                  CURLE_UNSUPPORTED_PROTOCOL,
                                  CURLE_WEIRD_SERVER_REPLY,
                                  CURLE_WRITE_ERROR,
                                  CURLE_FILESIZE_EXCEEDED};
    static const int lasting[] = {CURLE_URL_MALFORMAT, CURLE_PEER_FAILED_VERIFICATION,
                                  CURLE_SSL_CACERT_BADFILE, CURLE_SSL_CERTPROBLEM};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(passing); i++)
        assert_int_equal(of_curl(passing[i]), HTTP_RETRY);
    for (i = 0; i < COUNT_OF(lasting); i++)
        assert_int_equal(of_curl(lasting[i]), HTTP_REFUSE);
}

static void waits_double_up_to_a_cap_and_are_spread(void **state)
{
    static const int64_t most[] = {S / 4, S / 2, S, 2 * S, 4 * S, 8 * S, 16 * S, 20 * S, 20 * S};
    struct http_try t = {.status = 503};
    int64_t least_wait, most_wait;
    unsigned i;

    (void)state;
    for (i = 0; i < COUNT_OF(most); i++) {
        t.tries = i + 1;
        t.jitter = 0;
        assert_int_equal(decide(t, &least_wait), HTTP_RETRY);
        t.jitter = 0.999999;
        assert_int_equal(decide(t, &most_wait), HTTP_RETRY);
        assert_int_equal(least_wait, most[i] / 2);
        assert_true(most_wait <= most[i] && most_wait > most[i] - most[i] / 100);
    }
    t.tries = UINT32_MAX; /* and never overflow */
    assert_int_equal(decide(t, &most_wait), HTTP_RETRY);
    assert_true(most_wait <= 20 * S);
}

static void the_last_try_comes_when_the_time_is_up(void **state)
{
    struct http_try t = {.status = 500, .tries = 9, .jitter = 0.5};
    int64_t wait;

    (void)state;
    t.elapsed = 119 * S;
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
    assert_int_equal(wait, S);
    t.elapsed = 120 * S;
    assert_int_equal(decide(t, &wait), HTTP_GIVE_UP);
    t.elapsed = INT64_C(86400) * S;
    assert_int_equal(decide(t, &wait), HTTP_GIVE_UP);
}

static void without_time_there_is_one_try(void **state)
{
    static const struct http_policy once = {0, S / 4, 20 * S};
    struct http_try t = {.curl = CURLE_COULDNT_CONNECT, .tries = 1};
    int64_t wait;

    (void)state;
    assert_int_equal(http_policy_decide(&once, &t, &wait), HTTP_GIVE_UP);
    t.curl = CURLE_OK;
    t.status = 404;
    assert_int_equal(http_policy_decide(&once, &t, &wait), HTTP_REFUSE);
}

static void a_server_that_asks_for_patience_gets_it(void **state)
{
    struct http_try t = {.status = 429, .tries = 1, .retry_after = 30 * S};
    int64_t wait;

    (void)state;
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
    assert_int_equal(wait, 30 * S);
    t.jitter = 0.9;
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
    assert_true(wait > 30 * S && wait < 31 * S);
    t.tries = 20; /* its own wait may be longer than what is asked for */
    t.retry_after = S;
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
    assert_true(wait >= 10 * S);
    t.retry_after = -5 * S; /* a date gone by */
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
}

static void but_no_more_than_there_is(void **state)
{
    struct http_try t = {.status = 503, .tries = 1, .retry_after = 121 * S};
    int64_t wait;

    (void)state;
    assert_int_equal(decide(t, &wait), HTTP_GIVE_UP);
    t.retry_after = 120 * S;
    t.jitter = 0.9;
    assert_int_equal(decide(t, &wait), HTTP_RETRY);
    assert_int_equal(wait, 120 * S);
    t.elapsed = S;
    assert_int_equal(decide(t, &wait), HTTP_GIVE_UP);
    t.retry_after = INT64_MAX;
    assert_int_equal(decide(t, &wait), HTTP_GIVE_UP);
}

static void what_a_server_asks_for_is_seconds_or_a_date(void **state)
{
    static const struct {
        const char *value;
        int64_t wait;
    } cases[] = {
        {"30", 30 * S},
        {"30\r\n", 30 * S},
        {"0", 0},
        {"-5", 0},
        {"", 0},
        {"soon", 0},
        {"31622399", 31622399 * S},
        {"31622400", HTTP_WAIT_MAX},
        {"9223372036854775807", HTTP_WAIT_MAX},
        {"99999999999999999999", HTTP_WAIT_MAX},
        {"Sun, 06 Nov 1994 08:50:37 GMT", 60 * S},
        {"Sunday, 06-Nov-94 08:50:37 GMT", 60 * S},
        {"Sun Nov  6 08:50:37 1994\r\n", 60 * S},
        {"Sun, 06 Nov 1994 08:49:37 GMT", 0},
        {"Sat, 05 Nov 1994 08:49:37 GMT", 0},
        {"Sun, 06 Nov 2094 08:49:37 GMT", HTTP_WAIT_MAX},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) /* at 1994-11-06T08:49:37Z */
        assert_int_equal(http_retry_after(cases[i].value, 784111777 * S), cases[i].wait);
}

/* --- URLs --- */

static void what_is_secret_in_a_url_is_not_shown(void **state)
{
    static const char *const urls[][2] = {
        {"http://me:geheim@host:8080/a/b?key=geheim#geheim", "http://host:8080/a/b"},
        {"https://geheim@host", "https://host/"},
        {"https://host/chat/x%20y", "https://host/chat/x%20y"},
        {"ftp://me:geheim@host/x;y", "ftp://host/x;y"},
        {"geheim", "a URL that cannot be shown"},
        {"", "a URL that cannot be shown"},
    };
    struct buf b = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(urls); i++) {
        buf_clear(&b);
        http_url_shown(urls[i][0], &b);
        assert_string_equal(buf_str(&b), urls[i][1]);
    }
    buf_release(&b);
}

static void a_base_url_loses_its_trailing_slashes(void **state)
{
    static const char *const urls[][2] = {
        {"http://host", "http://host"},
        {"http://host/", "http://host"},
        {"https://host:8443/evolution//", "https://host:8443/evolution"},
        {"HTTPS://Host/x", "https://Host/x"},
        {"http://me:secret@host/", "http://me:secret@host"},
        {"http://[::1]:8080", "http://[::1]:8080"},
    };
    struct buf b = BUF_INIT;
    struct err e = ERR_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(urls); i++) {
        buf_clear(&b);
        assert_int_equal(http_base_url(urls[i][0], &b, &e), 0);
        assert_string_equal(buf_str(&b), urls[i][1]);
    }
    buf_release(&b);
}

static void names_that_lead_elsewhere_are_no_segment(void **state)
{
    static const char *const none[] = {"", " ", " \t\r\n\v\f", ".", ".."};
    static const char *const some[] = {"...", ". ", "a", "a/..", "../a", "%2e", "-"};
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(none); i++)
        assert_false(http_is_path_segment(slice_of(none[i])));
    for (i = 0; i < COUNT_OF(some); i++)
        assert_true(http_is_path_segment(slice_of(some[i])));
    assert_false(http_is_path_segment(SLICE_NONE));
}

static void any_bytes_make_one_segment_of_a_path(void **state)
{
    struct buf b = BUF_INIT;

    (void)state;
    http_path_segment((struct slice){"aZ09-._~/?#% &\xC3\xA9\0.", 18}, &b);
    assert_string_equal(buf_str(&b), "aZ09-._~%2F%3F%23%25%20%26%C3%A9%00.");
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(success_is_an_answer_unless_it_makes_no_sense),
        cmocka_unit_test(statuses_that_may_pass_are_tried_again),
        cmocka_unit_test(broken_connections_are_tried_again_but_not_broken_settings),
        cmocka_unit_test(waits_double_up_to_a_cap_and_are_spread),
        cmocka_unit_test(the_last_try_comes_when_the_time_is_up),
        cmocka_unit_test(without_time_there_is_one_try),
        cmocka_unit_test(a_server_that_asks_for_patience_gets_it),
        cmocka_unit_test(but_no_more_than_there_is),
        cmocka_unit_test(what_a_server_asks_for_is_seconds_or_a_date),
        cmocka_unit_test(what_is_secret_in_a_url_is_not_shown),
        cmocka_unit_test(a_base_url_loses_its_trailing_slashes),
        cmocka_unit_test(names_that_lead_elsewhere_are_no_segment),
        cmocka_unit_test(any_bytes_make_one_segment_of_a_path),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
