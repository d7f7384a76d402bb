/* Without arguments: what source_api does where there is no server. With them
 * it is a probe, by which tests/cli/test_api.py polls a stub server:
 *
 *     test_source_api OPTION=VALUE ... <MESSAGES
 *
 * reads lines "instance TAB message id TAB sent_at TAB created_at" (RFC 3339 or
 * -) and prints every event, every verdict and the counts as lines of
 * tab-separated fields. The key comes from EVOLUTION_API_KEY.
 */
#include "source_api.h"

#include "helpers.h"
#include "log.h"
#include "names.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static volatile sig_atomic_t interrupted;

/* --- the probe --- */

struct probe {
    struct api_options o;
    struct names instances;
    struct api_instance *instance;
    struct api_message *message;
    size_t n, cap;
    useconds_t done_takes; /* what a caller does with what was learned */
};

static void on_signal(int number)
{
    interrupted = number;
}

static const char *meaning_name(enum status_meaning m)
{
    return m == MEANS_PENDING ? "pending" : milestone_name((enum milestone)m);
}

static void print_slice(struct slice s)
{
    (void)printf("\t%.*s", (int)s.n, s.n ? s.p : "");
}

static int print_event(void *ctx, uint32_t instance, const struct event *ev, uint64_t request,
                       struct err *e)
{
    char time[TIME_TEXT_SIZE];
    const struct probe *p = ctx;

    (void)e;
    (void)printf("event");
    print_slice(p->instances.name[instance]);
    print_slice(ev->message_id);
    (void)printf("\t%s\t%s\t%s\t%llu\n", meaning_name(ev->what), time_format(ev->time, time),
                 ev->approximate ? "approximate" : "exact", (unsigned long long)request);
    return 0;
}

static int print_done(void *ctx, uint32_t instance, enum api_end end, const char *reason,
                      struct err *e)
{
    static const char *const ends[] = {"asked", "incomplete", "given up"};
    const struct probe *p = ctx;

    (void)e;
    (void)printf("done");
    print_slice(p->instances.name[instance]);
    (void)printf("\t%s\t%s\n", reason ? reason : "", ends[end]);
    if (p->done_takes > 0)
        (void)usleep(p->done_takes);
    return 0;
}

/* Options whose value is a number. */
static bool set_number(struct probe *p, const char *name, double v)
{
    int64_t us = (int64_t)(v * 1e6);

    if (strcmp(name, "connections") == 0)
        p->o.connections = (unsigned)v;
    else if (strcmp(name, "page-size") == 0)
        p->o.page_size = (unsigned)v;
    else if (strcmp(name, "rate") == 0)
        p->o.rate = v;
    else if (strcmp(name, "request-timeout") == 0)
        p->o.request_timeout = us;
    else if (strcmp(name, "connect-timeout") == 0)
        p->o.connect_timeout = us;
    else if (strcmp(name, "retry-time") == 0)
        p->o.retry_time = us;
    else if (strcmp(name, "answer-max") == 0)
        p->o.answer_max = (size_t)v;
    else if (strcmp(name, "done-takes") == 0)
        p->done_takes = (useconds_t)us;
    else
        return false;
    return true;
}

static bool set_option(struct probe *p, const char *name, const char *value)
{
    enum time_offset offset;

    if (strcmp(name, "url") == 0)
        p->o.url = value;
    else if (strcmp(name, "cacert") == 0)
        p->o.cacert = value;
    else if (strcmp(name, "strategy") == 0)
        p->o.strategy = value[0] == 'w' ? API_WINDOW : value[0] == 'm' ? API_MESSAGE : API_AUTO;
    else if (strcmp(name, "codes") == 0)
        p->o.events.codes = value[0] == 'b' ? CODES_BAILEYS : CODES_APP;
    else if (strcmp(name, "now") == 0)
        return time_read(value, strlen(value), &p->o.now, &offset);
    else if (strcmp(name, "verbose") == 0)
        log_open("probe", LOG_LEVEL_DETAIL);
    else
        return set_number(p, name, strtod(value, NULL));
    return true;
}

static int64_t read_time(const char *s)
{
    enum time_offset offset;
    int64_t us = TIME_NONE;

    return time_read(s, strlen(s), &us, &offset) ? us : TIME_NONE;
}

static void add_message(struct probe *p, char *line)
{
    char *rest = line, *field[4];
    size_t i;

    line[strcspn(line, "\n")] = '\0';
    for (i = 0; i < 4; i++) {
        field[i] = strsep(&rest, "\t");
        if (!field[i])
            exit(2);
    }
    if (p->n == p->cap) {
        p->cap = p->cap ? 2 * p->cap : 64;
        p->message = realloc(p->message, p->cap * sizeof *p->message);
        if (!p->message)
            exit(4);
    }
    p->message[p->n++] = (struct api_message){
        .instance = names_add(&p->instances, slice_of(field[0])),
        .message_id = slice_of(strdup(field[1])),
        .sent_at = read_time(field[2]),
        .created_at = read_time(field[3]),
    };
}

static void read_messages(struct probe *p)
{
    char *line = NULL;
    size_t room = 0;
    uint32_t i;

    while (getline(&line, &room, stdin) > 0)
        add_message(p, line);
    free(line);
    p->instance = calloc((size_t)p->instances.n + 1, sizeof *p->instance);
    for (i = 0; p->instance && i < p->instances.n; i++)
        p->instance[i] = (struct api_instance){p->instances.name[i], p->instances.name[i]};
}

static void release(struct probe *p)
{
    while (p->n > 0)
        free((void *)(uintptr_t)p->message[--p->n].message_id.p);
    free(p->message);
    free(p->instance);
    names_release(&p->instances);
}

static int probe(int argc, char **argv)
{
    struct probe p = {.o = {.key = getenv("EVOLUTION_API_KEY"), .interrupted = &interrupted}};
    const struct api_sink sink = {print_event, NULL, print_done, &p};
    struct event_counts statuses = {.raw_statuses = TALLY_INIT};
    struct api_counts counts = {0, 0};
    struct err e = ERR_INIT;
    int i;

    p.o.now = clock_now();
    log_open("probe", LOG_LEVEL_WARNING);
    (void)signal(SIGINT, on_signal);
    for (i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (!value)
            return 2;
        *value = '\0';
        if (!set_option(&p, argv[i], value + 1))
            return 2;
    }
    read_messages(&p);
    if (source_api_poll(&p.o, p.instance, p.instances.n, p.message, p.n, &sink, &counts, &statuses,
                        &e) < 0)
        (void)printf("failed\t%d\t%s\n", e.status, e.text);
    (void)printf("counts\t%llu\t%llu\t%llu\t%llu\t%llu\t%llu\n",
                 (unsigned long long)counts.requests, (unsigned long long)counts.requests_failed,
                 (unsigned long long)statuses.updates, (unsigned long long)statuses.status_events,
                 (unsigned long long)statuses.ignored,
                 (unsigned long long)statuses.rejected[REJECT_UNKNOWN_STATUS]);
    event_counts_release(&statuses);
    release(&p);
    return e.status;
}

/* --- without a server --- */

struct verdicts {
    unsigned events, done;
    enum api_end end;
    char reason[512]; /* the latest; "" for none */
};

static int count_event(void *ctx, uint32_t instance, const struct event *ev, uint64_t request,
                       struct err *e)
{
    struct verdicts *v = ctx;

    (void)instance;
    (void)ev;
    (void)request;
    (void)e;
    v->events++;
    return 0;
}

static int keep_verdict(void *ctx, uint32_t instance, enum api_end end, const char *reason,
                        struct err *e)
{
    struct verdicts *v = ctx;

    (void)instance;
    (void)e;
    v->done++;
    v->end = end;
    (void)snprintf(v->reason, sizeof v->reason, "%s", reason ? reason : "");
    return 0;
}

static int poll_one(const struct api_options *o, bool ask, struct verdicts *v, struct err *e)
{
    const struct api_instance instance = {slice_of("a b"), slice_of("a b/\xC3\xA9")};
    const struct api_message message = {0, slice_of("3EB0"), TIME_NONE, TIME_NONE};
    const struct api_sink sink = {count_event, NULL, keep_verdict, v};
    struct event_counts statuses = {.raw_statuses = TALLY_INIT};
    struct api_counts counts = {0, 0};
    int status;

    *v = (struct verdicts){0, 0, API_ASKED, ""};
    e->status = 0;
    status = source_api_poll(o, &instance, 1, &message, ask ? 1 : 0, &sink, &counts, &statuses, e);
    event_counts_release(&statuses);
    return status;
}

/* Nobody listens at port 1. */
#define NOWHERE                                                                                    \
    {                                                                                              \
        .url = "http://user:geheim@127.0.0.1:1/base/", .key = "0123456789"                         \
    }

static void a_url_that_is_none_is_refused_without_repeating_it(void **state)
{
    static const char *const wrong[] = {"",
                                        "localhost",
                                        "ftp://host/",
                                        "file:///etc/passwd",
                                        "http://",
                                        "http://user:geheim@host/?geheim",
                                        "http://host/#geheim",
                                        "http://ho st/"};
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        o.url = wrong[i];
        assert_int_equal(poll_one(&o, true, &v, &e), -1);
        assert_int_equal(e.status, EXIT_USAGE);
        assert_null(strstr(e.text, "geheim"));
    }
}

static void a_key_that_could_forge_a_header_is_refused(void **state)
{
    static const char *const wrong[] = {"", "a\nb", "a\r\nHost: b", "a\tb", "a\x7f", "abc\n"};
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(wrong); i++) {
        o.key = wrong[i];
        assert_int_equal(poll_one(&o, true, &v, &e), -1);
        assert_int_equal(e.status, EXIT_USAGE);
    }
    o.key = NULL;
    assert_int_equal(poll_one(&o, true, &v, &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
}

static void certificates_that_are_not_there_are_refused(void **state)
{
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;

    (void)state;
    o.cacert = "/no/such/file";
    assert_int_equal(poll_one(&o, true, &v, &e), -1);
    assert_int_equal(e.status, EXIT_USAGE);
    assert_non_null(strstr(e.text, "/no/such/file"));
}

static void an_instance_nobody_is_asked_about_is_done_at_once(void **state)
{
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;

    (void)state;
    assert_int_equal(poll_one(&o, false, &v, &e), 0);
    assert_int_equal(v.done, 1);
    assert_int_equal(v.end, API_ASKED);
    assert_string_equal(v.reason, "");
}

static void an_instance_out_of_reach_is_given_up_by_name_and_reason(void **state)
{
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;

    (void)state;
    assert_int_equal(poll_one(&o, true, &v, &e), 0);
    assert_int_equal(v.done, 1);
    assert_int_equal(v.events, 0);
    assert_non_null(strstr(v.reason, "instance \"a b\": no answer from "
                                     "http://127.0.0.1:1/base/chat/findStatusMessage/"
                                     "a%20b%2F%C3%A9: "));
    assert_null(strstr(v.reason, "geheim"));
    assert_int_equal(v.end, API_GIVEN_UP);
    o.retry_time = 300000;
    assert_int_equal(poll_one(&o, true, &v, &e), 0);
    assert_non_null(strstr(v.reason, "instance \"a b\": gave up after 0 s: no answer from "));
}

static void an_interrupt_ends_a_wait_at_once(void **state)
{
    struct api_options o = NOWHERE;
    struct err e = ERR_INIT;
    struct verdicts v;
    double since;

    (void)state;
    o.retry_time = 600 * US_PER_SECOND;
    o.interrupted = &interrupted;
    (void)signal(SIGALRM, on_signal);
    (void)alarm(1);
    since = clock_monotonic();
    assert_int_equal(poll_one(&o, true, &v, &e), -1);
    assert_string_equal(e.text, "interrupted");
    assert_true(clock_monotonic() - since < 1.3);
    assert_int_equal(v.done, 0);
    interrupted = 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_url_that_is_none_is_refused_without_repeating_it),
        cmocka_unit_test(a_key_that_could_forge_a_header_is_refused),
        cmocka_unit_test(certificates_that_are_not_there_are_refused),
        cmocka_unit_test(an_instance_nobody_is_asked_about_is_done_at_once),
        cmocka_unit_test(an_instance_out_of_reach_is_given_up_by_name_and_reason),
        cmocka_unit_test(an_interrupt_ends_a_wait_at_once),
    };

    (void)setenv("no_proxy", "127.0.0.1", 1);
    if (argc > 1)
        return probe(argc, argv);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
