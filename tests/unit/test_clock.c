#include "clock.h"

#include "helpers.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define HOUR (INT64_C(3600) * US_PER_SECOND)

static int64_t at(const char *text)
{
    enum time_offset offset;
    int64_t us;

    assert_true(time_read(text, strlen(text), &us, &offset));
    return us;
}

static void times_are_read(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
        enum time_offset offset;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0, TIME_OFFSET_Z},
        {"2026-11-01T12:00:00Z", INT64_C(1793534400000000), TIME_OFFSET_Z},
        {"2026-11-01t12:00:00z", INT64_C(1793534400000000), TIME_OFFSET_Z},
        {"2026-11-01 12:00:00", INT64_C(1793534400000000), TIME_OFFSET_NONE},
        {"2026-11-01T09:00:00-03:00", INT64_C(1793534400000000), TIME_OFFSET_NUMERIC},
        {"2026-11-01T09:00:00-0300", INT64_C(1793534400000000), TIME_OFFSET_NUMERIC},
        {"2026-11-01T17:30:00+05:30", INT64_C(1793534400000000), TIME_OFFSET_NUMERIC},
        {"2026-11-01T12:00:00+00:00", INT64_C(1793534400000000), TIME_OFFSET_NUMERIC},
        {"2026-11-01T12:00:00.5Z", INT64_C(1793534400500000), TIME_OFFSET_Z},
        {"2026-11-01T12:00:00.123456789Z", INT64_C(1793534400123456), TIME_OFFSET_Z},
        {"2026-11-01T12:00:00.9999999999999999999999", INT64_C(1793534400999999), TIME_OFFSET_NONE},
        {"2016-12-31T23:59:60Z", INT64_C(1483228799000000), TIME_OFFSET_Z},
        {"2016-12-31T23:59:60.25Z", INT64_C(1483228799250000), TIME_OFFSET_Z},
        {"2024-02-29T00:00:00Z", INT64_C(1709164800000000), TIME_OFFSET_Z},
        {"2000-02-29T00:00:00Z", INT64_C(951782400000000), TIME_OFFSET_Z},
        {"1969-12-31T23:59:59.999999Z", -1, TIME_OFFSET_Z},
        {"2026-11-01T12:00:00+23:59", INT64_C(1793448060000000), TIME_OFFSET_NUMERIC},
    };

    (void)state;
    for (size_t i = 0; i < sizeof good / sizeof *good; i++) {
        enum time_offset offset;
        int64_t us;

        if (!time_read(good[i].text, strlen(good[i].text), &us, &offset))
            fail_msg("not read: %s", good[i].text);
        if (us != good[i].us || offset != good[i].offset)
            fail_msg("%s: %lld", good[i].text, (long long)us);
    }
}

static void other_text_is_no_time(void **state)
{
    static const char *const bad[] = {
        "",
        "2026-11-01",
        "2026-11-01T12:00Z",
        "2026-11-01T12:00:00.Z",
        "2026-11-01T12:00:00.",
        "2026-11-01T12:00:00,5Z",
        "2026-11-01T12:00:00ZZ",
        "2026-11-01T12:00:00Z ",
        " 2026-11-01T12:00:00Z",
        "2026-11-01T24:00:00Z",
        "2026-11-01T12:60:00Z",
        "2026-11-01T12:00:61Z",
        "2026-13-01T12:00:00Z",
        "2026-00-01T12:00:00Z",
        "2026-11-00T12:00:00Z",
        "2026-11-31T12:00:00Z",
        "2026-02-29T12:00:00Z",
        "2100-02-29T12:00:00Z",
        "2026-1-01T12:00:00Z",
        "+026-11-01T12:00:00Z",
        "12026-11-01T12:00:00Z",
        "2026-W44-7T12:00:00Z",
        "2026-305T12:00:00Z",
        "20261101T120000Z",
        "2026-11-01T12:00:00+3",
        "2026-11-01T12:00:00+03",
        "2026-11-01T12:00:00+030",
        "2026-11-01T12:00:00+03:0",
        "2026-11-01T12:00:00+24:00",
        "2026-11-01T12:00:00+03:60",
        "2026-11-01T12:00:00+03-00",
        "2026-11-01T12:00:00+03:000",
        "2026-11-01T12:00:00 Z",
        "2026-11-01T12:00:0/Z",
        "2026-11-01T12:00:0:Z",
        "2026/11/01T12:00:00Z",
        "2026-11-01_12:00:00Z",
        "\xb2\xb0\xb2\xb6-11-01T12:00:00Z",
    };
    enum time_offset offset;
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (time_read(bad[i], strlen(bad[i]), &us, &offset))
            fail_msg("read: %s", bad[i]);
    assert_false(time_read("2026-11-01T12:00:00\0Z", 21, &us, &offset));
}

/* Every byte in every place of a date and a time of day, but for what makes another of them. */
static void each_byte_of_a_time_counts(void **state)
{
    static const char form[] = "0000-00-00T00:00:00";
    enum time_offset offset;
    int64_t us;

    (void)state;
    for (size_t i = 0; i < strlen(form); i++) {
        for (int c = 0; c < 256; c++) {
            char text[] = "2011-11-11T11:11:11";
            bool is_time = c == form[i] || (i == 10 && (c == 't' || c == ' '));

            if (form[i] == '0') {
                int digit = c - '0', tens = digit * 10 + 1;

                is_time = c >= '0' && c <= '9';
                if (i == 5)
                    is_time = is_time && tens <= 12;
                if (i == 6)
                    is_time = is_time && digit <= 2;
                if (i == 8)
                    is_time = is_time && tens <= 30;
                if (i == 11)
                    is_time = is_time && tens <= 23;
                if (i == 14 || i == 17)
                    is_time = is_time && tens <= 59;
            }
            text[i] = (char)c;
            if (time_read(text, strlen(form), &us, &offset) != is_time)
                fail_msg("byte %zu is %d", i, c);
        }
    }
}

static void no_byte_beyond_n_is_read(void **state)
{
    const char *text = "2026-11-01T12:00:00.123456+03:00";

    (void)state;
    for (size_t n = 0; n <= strlen(text); n++) {
        char *copy = malloc(n + 1); /* for the address sanitizer: n bytes and no more */
        enum time_offset offset;
        int64_t us;

        assert_non_null(copy);
        copy = realloc(copy, n ? n : 1);
        assert_non_null(copy);
        memcpy(copy, text, n);
        (void)time_read(copy, n, &us, &offset);
        free(copy);
    }
}

static void what_is_written_is_read_back(void **state)
{
    uint64_t random = 1;
    char text[TIME_TEXT_SIZE];

    (void)state;
    for (int i = 0; i < CASES(200000); i++) {
        int64_t us;

        random = random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
        /* Years 0000 to 9999. */
        us = INT64_C(-62167219200000000) + (int64_t)(random % UINT64_C(315569520000000000));
        assert_int_equal(at(time_format(us, text)), us);
        assert_int_equal(strlen(text), 27);
    }
    assert_string_equal(time_format(0, text), "1970-01-01T00:00:00.000000Z");
    assert_string_equal(time_format(-1, text), "1969-12-31T23:59:59.999999Z");
    assert_string_equal(time_format(TIME_EVENT_MIN, text), "2009-01-01T00:00:00.000000Z");
    assert_string_equal(time_format(TIME_EVENT_MAX, text), "2100-12-31T23:59:59.999999Z");
    assert_true(strlen(time_format(INT64_MIN, text)) < TIME_TEXT_SIZE);
    assert_true(strlen(time_format(INT64_MAX, text)) < TIME_TEXT_SIZE);
}

static void dates_agree_with_libc(void **state)
{
    char text[TIME_TEXT_SIZE], want[64];

    (void)state;
    for (int64_t t = INT64_C(-62167219200); t < INT64_C(253402300800);
         t += (86400 * 3 + 12345) * (int64_t)STRIDE) {
        time_t seconds = (time_t)t;
        struct tm tm;

        assert_non_null(gmtime_r(&seconds, &tm));
        (void)snprintf(want, sizeof want, "%04d-%02d-%02dT%02d:%02d:%02d.000000Z",
                       tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min,
                       tm.tm_sec);
        assert_string_equal(time_format(t * US_PER_SECOND, text), want);
    }
}

static void now_can_be_replaced(void **state)
{
    int64_t real;

    (void)state;
    assert_int_equal(setenv("RECONCILE_NOW", "2026-11-01T12:00:00-03:00", 1), 0);
    assert_int_equal(clock_now(), at("2026-11-01T15:00:00Z"));
    assert_int_equal(unsetenv("RECONCILE_NOW"), 0);
    real = (int64_t)time(NULL) * US_PER_SECOND;
    assert_true(clock_now() >= real - 2 * US_PER_SECOND);
    assert_true(clock_now() <= real + 2 * US_PER_SECOND);
    assert_true(clock_monotonic() <= clock_monotonic());
}

static void ages_are_read(void **state)
{
    static const char *const bad[] = {"",
                                      "m",
                                      "15",
                                      "-1h",
                                      "1.5h",
                                      "1w",
                                      "1h ",
                                      " 1h",
                                      "1h1m",
                                      "+1h",
                                      "1M",
                                      "0x1h",
                                      "9223372036854775808s",
                                      "9223372036855s",
                                      "106751992d",
                                      "99999999999999999999999d"};
    int64_t us;

    (void)state;
    assert_true(age_read("15m", &us) && us == 15 * 60 * US_PER_SECOND);
    assert_true(age_read("36h", &us) && us == 36 * HOUR);
    assert_true(age_read("7d", &us) && us == 7 * 24 * HOUR);
    assert_true(age_read("90s", &us) && us == 90 * US_PER_SECOND);
    assert_true(age_read("0", &us) && us == 0);
    assert_true(age_read("0d", &us) && us == 0);
    assert_true(age_read("106751991d", &us) && us == INT64_C(106751991) * 24 * HOUR);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (age_read(bad[i], &us))
            fail_msg("read: %s", bad[i]);
}

static void only_known_zones_load(void **state)
{
    static const char *const bad[] = {"",
                                      "America",
                                      "Nowhere/Atlantis",
                                      "/etc/passwd",
                                      "../etc",
                                      "America/../UTC",
                                      "America/Sao_Paulo\n",
                                      "BRT3",
                                      "zone.tab",
                                      "Sao Paulo",
                                      ":UTC",
                                      "<-03>3"};
    static const char *const utc[] = {"UTC", "Etc/UTC", "GMT"};
    struct zone *z;
    struct err e = ERR_INIT;

    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        e.status = 0;
        assert_int_equal(zone_load(&z, bad[i], &e), -1);
        assert_int_equal(e.status, EXIT_USAGE);
        assert_null(z);
    }
    assert_int_equal(zone_load(&z, "Nowhere/Atlantis", &e), -1);
    assert_string_equal(e.text, "unknown time zone \"Nowhere/Atlantis\"");

    assert_int_equal(setenv("TZDIR", "/nonexistent", 1), 0);
    for (size_t i = 0; i < sizeof utc / sizeof *utc; i++) {
        assert_int_equal(zone_load(&z, utc[i], &e), 0);
        assert_null(z);
    }
    assert_int_equal(zone_load(&z, "America/Sao_Paulo", &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
    assert_non_null(strstr(e.text, "/nonexistent"));
    assert_int_equal(unsetenv("TZDIR"), 0);
}

static void loading_a_zone_leaves_tz_as_it_was(void **state)
{
    struct zone *z;
    struct err e = ERR_INIT;
    time_t t = 1700000000;
    struct tm tm;

    (void)state;
    assert_int_equal(setenv("TZ", "Asia/Tokyo", 1), 0);
    assert_int_equal(zone_load(&z, "America/Sao_Paulo", &e), 0);
    zone_free(z);
    assert_string_equal(getenv("TZ"), "Asia/Tokyo");
    assert_non_null(localtime_r(&t, &tm));
    assert_int_equal(tm.tm_gmtoff, 9 * 3600);
    assert_int_equal(unsetenv("TZ"), 0);
    assert_int_equal(zone_load(&z, "America/Sao_Paulo", &e), 0);
    zone_free(z);
    assert_null(getenv("TZ"));
}

static const char *const some_zones[] = {
    "America/Sao_Paulo", "America/New_York", "Europe/Berlin",  "Europe/Dublin",
    "Africa/Casablanca", "Africa/Cairo",     "Asia/Kathmandu", "Australia/Lord_Howe",
    "Pacific/Apia",      "Pacific/Chatham",  "Asia/Gaza",      "America/Caracas",
    "Asia/Pyongyang",    "Antarctica/Troll", "America/Nuuk",   "Europe/Istanbul",
    "America/Santiago",  "America/Havana",   "Etc/GMT+3",      "Pacific/Kiritimati",
};

static void zones_agree_with_libc(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof some_zones / sizeof *some_zones; i++) {
        struct zone *z;
        struct err e = ERR_INIT;

        if (zone_load(&z, some_zones[i], &e) < 0)
            fail_msg("%s", e.text);
        assert_int_equal(setenv("TZ", some_zones[i], 1), 0);
        tzset();
        for (int64_t t = TIME_EVENT_MIN / US_PER_SECOND; t < TIME_EVENT_MAX / US_PER_SECOND;
             t += (3 * 3600 + 1) * (int64_t)STRIDE) {
            time_t seconds = (time_t)t;
            struct tm tm;

            assert_non_null(localtime_r(&seconds, &tm));
            if (zone_from_utc(z, t * US_PER_SECOND) != (t + tm.tm_gmtoff) * US_PER_SECOND)
                fail_msg("%s at %lld", some_zones[i], (long long)t);
        }
        assert_int_equal(unsetenv("TZ"), 0);
        tzset();
        zone_free(z);
    }
}

/* The definition, tried out: the least UTC time with that local time; where
 * there is none, the one whose local time is later by the gap. */
static void local_times_follow_the_rule_for_gaps_and_overlaps(void **state)
{
    const int64_t step = 15 * 60 * US_PER_SECOND;

    (void)state;
    for (size_t i = 0; i < sizeof some_zones / sizeof *some_zones; i++) {
        struct zone *z;
        struct err e = ERR_INIT;

        assert_int_equal(zone_load(&z, some_zones[i], &e), 0);
        /* An odd number of quarters, so that in time each is met. */
        for (int64_t local = at("2009-01-02T00:00:00Z"); local < at("2027-01-01T00:00:00Z");
             local += step * (int64_t)(STRIDE | 1)) {
            int64_t got = zone_to_utc(z, local), least = TIME_NONE;

            /* Where got is right, no earlier one may be; look only near changes. */
            if (zone_from_utc(z, got - 26 * HOUR) - (got - 26 * HOUR) ==
                zone_from_utc(z, got + 26 * HOUR) - (got + 26 * HOUR)) {
                assert_int_equal(zone_from_utc(z, got), local);
                continue;
            }
            for (int64_t u = local - 15 * HOUR; u <= local + 15 * HOUR && least == TIME_NONE;
                 u += step)
                if (zone_from_utc(z, u) == local)
                    least = u;
            if (least == TIME_NONE) { /* a gap: moved by as much as the clock was */
                int64_t before = zone_from_utc(z, got - 26 * HOUR) - (got - 26 * HOUR);

                assert_int_equal(got, local - before);
                assert_true(zone_from_utc(z, got) > local);
            } else {
                assert_int_equal(got, least);
            }
        }
        zone_free(z);
    }
}

static void known_changes_of_the_clock(void **state)
{
    struct zone *z;
    struct err e = ERR_INIT;

    (void)state;
    assert_int_equal(zone_load(&z, "America/Sao_Paulo", &e), 0);
    assert_int_equal(zone_to_utc(z, at("2026-11-01T09:00:00Z")), at("2026-11-01T12:00:00Z"));
    /* 2018-11-04: midnight became one o'clock. */
    assert_int_equal(zone_to_utc(z, at("2018-11-03T23:59:59Z")), at("2018-11-04T02:59:59Z"));
    assert_int_equal(zone_to_utc(z, at("2018-11-04T00:30:00Z")), at("2018-11-04T03:30:00Z"));
    assert_int_equal(zone_to_utc(z, at("2018-11-04T01:00:00Z")), at("2018-11-04T03:00:00Z"));
    /* 2019-02-17: midnight became eleven o'clock of the day before. */
    assert_int_equal(zone_to_utc(z, at("2019-02-16T23:30:00Z")), at("2019-02-17T01:30:00Z"));
    assert_int_equal(zone_to_utc(z, at("2019-02-17T00:00:00Z")), at("2019-02-17T03:00:00Z"));
    zone_free(z);

    /* A day that never was: 2011-12-30 in Samoa. */
    assert_int_equal(zone_load(&z, "Pacific/Apia", &e), 0);
    assert_int_equal(zone_to_utc(z, at("2011-12-30T12:00:00Z")), at("2011-12-30T22:00:00Z"));
    zone_free(z);
    assert_int_equal(zone_to_utc(NULL, 42), 42);
    assert_int_equal(zone_from_utc(NULL, 42), 42);
}

static void an_option_is_a_time_a_date_or_an_age(void **state)
{
    static const char *const bad[] = {"",
                                      "yesterday",
                                      "2026-11",
                                      "2026-11-31",
                                      "2026-11-01T",
                                      "2026-11-01 12:00",
                                      "15",
                                      "2026-11-01T12:00:00 -0300"};
    struct zone *z;
    struct err e = ERR_INIT;
    int64_t now = at("2026-11-08T00:00:00Z"), us;

    (void)state;
    assert_int_equal(zone_load(&z, "America/Sao_Paulo", &e), 0);
    assert_true(time_option("2026-11-01", z, now, &us));
    assert_int_equal(us, at("2026-11-01T03:00:00Z"));
    assert_true(time_option("2026-11-01T12:00:00", z, now, &us));
    assert_int_equal(us, at("2026-11-01T15:00:00Z"));
    assert_true(time_option("2026-11-01T12:00:00Z", z, now, &us));
    assert_int_equal(us, at("2026-11-01T12:00:00Z"));
    assert_true(time_option("2026-11-01 12:00:00+01:00", z, now, &us));
    assert_int_equal(us, at("2026-11-01T11:00:00Z"));
    assert_true(time_option("7d", z, now, &us));
    assert_int_equal(us, at("2026-11-01T00:00:00Z"));
    assert_true(time_option("0", z, now, &us));
    assert_int_equal(us, now);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        if (time_option(bad[i], z, now, &us))
            fail_msg("read: %s", bad[i]);
    zone_free(z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(times_are_read),
        cmocka_unit_test(other_text_is_no_time),
        cmocka_unit_test(each_byte_of_a_time_counts),
        cmocka_unit_test(no_byte_beyond_n_is_read),
        cmocka_unit_test(what_is_written_is_read_back),
        cmocka_unit_test(dates_agree_with_libc),
        cmocka_unit_test(now_can_be_replaced),
        cmocka_unit_test(ages_are_read),
        cmocka_unit_test(only_known_zones_load),
        cmocka_unit_test(loading_a_zone_leaves_tz_as_it_was),
        cmocka_unit_test(zones_agree_with_libc),
        cmocka_unit_test(local_times_follow_the_rule_for_gaps_and_overlaps),
        cmocka_unit_test(known_changes_of_the_clock),
        cmocka_unit_test(an_option_is_a_time_a_date_or_an_age),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
