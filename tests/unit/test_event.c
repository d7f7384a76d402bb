#include "event.h"

#include "jsonscan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "event_tree.h"
#include "helpers.h"

#define MTIME EVENT_TREE_MTIME

/* --- writing records --- */

static void put_escape(struct rng *r, struct buf *b, unsigned char c)
{
    const char *digits = rng_one_in(r, 2) ? "0123456789abcdef" : "0123456789ABCDEF";
    const char escape[6] = {'\\', 'u', '0', '0', digits[c >> 4], digits[c & 15]};

    buf_add(b, escape, sizeof escape);
}

/* A string of these bytes, some of them escaped. */
static void put_string(struct rng *r, struct buf *b, const char *p, size_t n)
{
    unsigned one_in = n < 500 && rng_one_in(r, 3) ? 1 + rng_below(r, 6) : 1000;
    size_t i;

    buf_addc(b, '"');
    for (i = 0; i < n; i++) {
        unsigned char c = (unsigned char)p[i];

        if (c < 0x20 || (c < 0x80 && rng_one_in(r, one_in)))
            put_escape(r, b, c);
        else if (c == '"' || c == '\\')
            buf_add(b, (const char[]){'\\', (char)c}, 2);
        else
            buf_addc(b, (char)c);
    }
    buf_addc(b, '"');
}

static void put_one_of(struct rng *r, struct buf *b, const char *const *texts, size_t n)
{
    const char *s = rng_pick(r, texts, n);

    put_string(r, b, s, strlen(s));
}

typedef void gen_fn(struct rng *r, struct buf *b);

struct member {
    const char *key;
    gen_fn *value;
    unsigned one_in; /* how often it is there */
};

/* An object of some of the members, in any order, sometimes with one twice. */
static void put_object(struct rng *r, struct buf *b, const struct member *members, size_t n)
{
    size_t chosen[40], count = 0, i;

    for (i = 0; i < n; i++) {
        if (rng_one_in(r, members[i].one_in))
            chosen[count++] = i;
        if (rng_one_in(r, 3 * members[i].one_in + 6))
            chosen[count++] = i;
    }
    buf_addc(b, '{');
    for (; count > 0; count--) {
        size_t pick = rng_below(r, (unsigned)count);
        const struct member *m = &members[chosen[pick]];

        chosen[pick] = chosen[count - 1];
        gen_space(r, b);
        put_string(r, b, m->key, strlen(m->key));
        gen_space(r, b);
        buf_addc(b, ':');
        gen_space(r, b);
        m->value(r, b);
        gen_space(r, b);
        if (count > 1)
            buf_addc(b, ',');
    }
    buf_addc(b, '}');
}

static void gen_other(struct rng *r, struct buf *b)
{
    static const char *const values[] = {"null", "true", "0", "12", "{}", "[]", "\"\"", "[{}]"};

    buf_adds(b, RNG_PICK(r, values));
}

static void gen_id(struct rng *r, struct buf *b)
{
    static const char *const ids[] = {
        "3EB0C767D097B7C7C030", "A", "B", "b", "cm3abc", "\xC3\xA9 \"x\"", "\xF0\x9F\x98\x80"};
    static const char zeros[300];
    char text[300];
    size_t n;

    switch (rng_below(r, 12)) {
    case 0:
        gen_other(r, b);
        break;
    case 1:
        n = 254 + rng_below(r, 3);
        memset(text, 'i', n);
        put_string(r, b, text, n);
        break;
    case 2:
        put_string(r, b, zeros, rng_below(r, 2));
        break;
    default:
        put_one_of(r, b, ids, COUNT_OF(ids));
    }
}

static void gen_key(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"id", gen_id, 1}, {"remoteJid", gen_id, 2}, {"fromMe", gen_other, 2}};

    if (rng_one_in(r, 8))
        gen_other(r, b);
    else
        put_object(r, b, members, COUNT_OF(members));
}

static void gen_status(struct rng *r, struct buf *b)
{
    static const char *const words[] = {
        "ERROR",
        "FAILED",
        "failed",
        "PENDING",
        "SERVER_ACK",
        "SENT",
        "DELIVERY_ACK",
        "delivery_Ack",
        "DELIVERED",
        "READ",
        "read",
        "Read_ack",
        "READ_ACK",
        "PLAYED",
        "DELETED",
        "deleted",
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "007",
        "03",
        "99999999999999999999",
        "-1",
        "+1",
        "",
        " READ",
        "READ ",
        "edited",
        "\xC3\xA9",
    };
    static const char *const others[] = {
        "0",
        "1",
        "2",
        "3",
        "4",
        "5",
        "6",
        "3.0",
        "30e-1",
        "2.5",
        "-0",
        "-1",
        "1E0",
        "null",
        "true",
        "false",
        "{}",
        "[]",
        "{ \"a\" : [ \"b\" , 1 ] }",
        "[1,{}]",
        "\"\\u0000\"",
    };

    if (rng_one_in(r, 3))
        buf_adds(b, RNG_PICK(r, others));
    else
        put_one_of(r, b, words, COUNT_OF(words));
}

static void gen_error_text(struct rng *r, struct buf *b)
{
    static const char *const texts[] = {"timeout", "not on WhatsApp", "",
                                        "n\xC3\xA3o \"existe\"\n"};

    if (rng_one_in(r, 6))
        put_string(r, b, "with\0NUL", 8);
    else
        put_one_of(r, b, texts, COUNT_OF(texts));
}

static void gen_error(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"message", gen_error_text, 1}, {"message", gen_other, 5}, {"code", gen_other, 2}};

    if (rng_one_in(r, 5))
        gen_other(r, b);
    else if (rng_one_in(r, 2))
        gen_error_text(r, b);
    else
        put_object(r, b, members, COUNT_OF(members));
}

/* Microseconds of a time around 2026, rarely at the ends of what can be read. */
static int64_t some_time(struct rng *r)
{
    static const int64_t edges[] = {TIME_EVENT_MIN - 1, TIME_EVENT_MIN, TIME_EVENT_MAX,
                                    TIME_EVENT_MAX + 1};

    if (rng_one_in(r, 12))
        return edges[rng_below(r, 4)];
    return INT64_C(1793534400000000) + (int64_t)(rng_next(r) % UINT64_C(40000000000000));
}

static void gen_rfc3339(struct rng *r, struct buf *b)
{
    static const char *const ends[] = {"Z",      "z",     "",       "+00:00",
                                       "-03:00", "-0300", "+05:30", "+0530"};
    static const char *const bad[] = {"2026-11-01",           "yesterday",
                                      "2026-11-01T12:00Z",    "",
                                      "2026-02-30T00:00:00Z", "2026-11-01T24:00:00Z"};
    char text[TIME_TEXT_SIZE];
    size_t n;

    if (rng_one_in(r, 8)) {
        put_one_of(r, b, bad, COUNT_OF(bad));
        return;
    }
    n = strlen(time_format(some_time(r), text)) - 1;
    n -= rng_one_in(r, 3) ? 7 : rng_below(r, 6);
    if (rng_one_in(r, 4))
        text[10] = rng_one_in(r, 2) ? ' ' : 't';
    (void)snprintf(text + n, sizeof text - n, "%s", RNG_PICK(r, ends));
    put_string(r, b, text, strlen(text));
}

/* Digits with up to `digits` after the point, a number or a string. */
static void put_epoch(struct rng *r, struct buf *b, int64_t us, int digits)
{
    int64_t unit = digits == 3 ? 1000 : 1000000;
    char text[64];
    int n = snprintf(text, sizeof text, "%lld", (long long)(us / unit));
    int more = (int)rng_below(r, (unsigned)digits + 1);

    if (more > 0)
        (void)snprintf(text + n, sizeof text - (size_t)n, ".%0*lld", digits,
                       (long long)(us % unit));
    if (more > 0)
        text[n + 1 + more] = '\0';
    if (rng_one_in(r, 2))
        put_string(r, b, text, strlen(text));
    else
        buf_adds(b, text);
}

static void gen_datetime(struct rng *r, struct buf *b)
{
    static const char *const bad[] = {"\"12x\"",
                                      "\"\"",
                                      "-1",
                                      "0",
                                      "1e300",
                                      "\" 1793534400000\"",
                                      "\"1793534400000 \"",
                                      "\"179353440000000000000000\"",
                                      "1.7935344e12"};

    if (rng_one_in(r, 5))
        buf_adds(b, RNG_PICK(r, bad));
    else if (rng_one_in(r, 8))
        gen_other(r, b);
    else
        put_epoch(r, b, some_time(r), 3);
}

static void gen_received(struct rng *r, struct buf *b)
{
    static const char *const bad[] = {"\"1793534400.\"",
                                      "\".5\"",
                                      "\"-1793534400\"",
                                      "\"1.7e9\"",
                                      "1e300",
                                      "-1793534400",
                                      "99999999999",
                                      "100000000000",
                                      "\"00000001793534400\"",
                                      "\"1793534400.1234567\"",
                                      "1.7935344e9",
                                      "\"17935344000\"",
                                      "\"1793534400,5\"",
                                      "1793534400123.25",
                                      "\"001793534400\"",
                                      "\"01793534400\"",
                                      "1793534400.1234567",
                                      "1793534400123.4567"};

    switch (rng_below(r, 6)) {
    case 0:
        gen_other(r, b);
        break;
    case 1:
        gen_rfc3339(r, b);
        break;
    case 2:
        buf_adds(b, RNG_PICK(r, bad));
        break;
    default:
        put_epoch(r, b, some_time(r), rng_one_in(r, 2) ? 3 : 6);
    }
}

static void gen_name(struct rng *r, struct buf *b)
{
    static const char *const names[] = {"tenant_a_inst_1", "Inst", "inst", "", "\xC3\xA7"};

    if (rng_one_in(r, 5))
        gen_other(r, b);
    else
        put_one_of(r, b, names, COUNT_OF(names));
}

static void gen_instance(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"instanceName", gen_name, 2}, {"name", gen_name, 2}, {"instanceId", gen_name, 3}};

    if (rng_one_in(r, 3))
        put_object(r, b, members, COUNT_OF(members));
    else
        gen_name(r, b);
}

static void gen_inner_update(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"status", gen_status, 2}, {"error", gen_error, 2}, {"pollUpdates", gen_other, 6}};

    if (rng_one_in(r, 6))
        gen_other(r, b);
    else
        put_object(r, b, members, COUNT_OF(members));
}

static void gen_update(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"key", gen_key, 2},
        {"keyId", gen_id, 2},
        {"id", gen_id, 3},
        {"messageId", gen_id, 2},
        {"update", gen_inner_update, 2},
        {"status", gen_status, 1},
        {"datetime", gen_datetime, 3},
        {"owner", gen_name, 2},
        {"error", gen_error, 2},
        {"remoteJid", gen_id, 2},
        {"fromMe", gen_other, 2},
        {"Status", gen_status, 6},
    };

    put_object(r, b, members, COUNT_OF(members));
}

static void gen_data(struct rng *r, struct buf *b)
{
    unsigned n = rng_below(r, 5);

    switch (rng_below(r, 8)) {
    case 0:
        gen_other(r, b);
        return;
    case 1:
    case 2:
        break;
    default:
        gen_update(r, b);
        return;
    }
    buf_addc(b, '[');
    for (; n > 0; n--) {
        if (rng_one_in(r, 6))
            gen_other(r, b);
        else
            gen_update(r, b);
        if (n > 1)
            buf_addc(b, ',');
    }
    buf_addc(b, ']');
}

static void gen_event_name(struct rng *r, struct buf *b)
{
    static const char *const names[] = {"messages.update", "messages.update", "messages.update",
                                        "messages.update", "MESSAGES_UPDATE", "messages-update",
                                        "Messages.Update", "messages_UPDATE"};
    static const char *const others[] = {
        "messages.upsert", "messages.updates", "messages update", "messages.updat", "",
        "MESSAGES+UPDATE"};

    if (rng_one_in(r, 20))
        gen_other(r, b);
    else if (rng_one_in(r, 8))
        put_one_of(r, b, others, COUNT_OF(others));
    else
        put_one_of(r, b, names, COUNT_OF(names));
}

static void gen_body(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"event", gen_event_name, 1},  {"data", gen_data, 1},      {"instance", gen_instance, 1},
        {"date_time", gen_rfc3339, 2}, {"error", gen_error, 4},    {"sender", gen_id, 4},
        {"apikey", gen_id, 3},         {"message", gen_other, 12}, {"received_at", gen_received, 8},
    };

    put_object(r, b, members, COUNT_OF(members));
}

static void gen_wrapped(struct rng *r, struct buf *b);

/* One text in another, as a string. */
static void gen_string_of(struct rng *r, struct buf *b, gen_fn *inner)
{
    struct buf text = BUF_INIT;

    gen_space(r, &text);
    inner(r, &text);
    gen_space(r, &text);
    if (rng_one_in(r, 10))
        gen_damage(r, &text);
    put_string(r, b, buf_str(&text), text.len);
    buf_release(&text);
}

static void gen_array_of_wrapped(struct rng *r, struct buf *b)
{
    unsigned n = rng_below(r, 4);

    buf_addc(b, '[');
    for (; n > 0; n--) {
        if (rng_one_in(r, 8))
            gen_other(r, b);
        else
            gen_wrapped(r, b);
        if (n > 1)
            buf_addc(b, ',');
    }
    buf_addc(b, ']');
}

static void gen_inside(struct rng *r, struct buf *b)
{
    switch (rng_below(r, 10)) {
    case 0:
        gen_other(r, b);
        break;
    case 1:
        put_string(r, b, "no JSON", 7);
        break;
    case 2:
        gen_array_of_wrapped(r, b);
        break;
    case 3:
        gen_string_of(r, b, gen_array_of_wrapped);
        break;
    case 4:
    case 5:
        gen_string_of(r, b, gen_wrapped);
        break;
    default:
        gen_wrapped(r, b);
    }
}

static void gen_wrapper(struct rng *r, struct buf *b)
{
    static const struct member members[] = {
        {"body", gen_inside, 2},           {"payload", gen_inside, 4},
        {"request_body", gen_inside, 4},   {"message", gen_inside, 4},
        {"received_at", gen_received, 3},  {"@timestamp", gen_received, 5},
        {"timestamp", gen_received, 5},    {"time", gen_received, 5},
        {"time_iso8601", gen_received, 5}, {"ts", gen_received, 5},
        {"msec", gen_received, 5},         {"event", gen_event_name, 9},
        {"data", gen_other, 12},           {"headers", gen_other, 3},
    };

    put_object(r, b, members, COUNT_OF(members));
}

static void gen_wrapped(struct rng *r, struct buf *b)
{
    if (rng_one_in(r, 2))
        gen_body(r, b);
    else
        gen_wrapper(r, b);
}

/* --- comparing --- */

/* Reads a record in both ways; false where they may differ. */
static bool compare(struct event_reader *reader, const struct event_options *o, const char *p,
                    size_t n)
{
    struct buf why = BUF_INIT;
    bool sure = event_by_tree(reader, o, p, n, &why);

    if (why.len > 0)
        fail_msg("%s\n%s", p, buf_str(&why));
    buf_release(&why);
    return sure;
}

static const struct zone *sao_paulo(void)
{
    static struct zone *zone;
    struct err e = ERR_INIT;

    if (!zone && zone_load(&zone, "America/Sao_Paulo", &e) < 0)
        fail_msg("%s", e.text);
    return zone;
}

static struct event_options options_of(unsigned i)
{
    return (struct event_options){
        .codes = i & 1 ? CODES_BAILEYS : CODES_APP,
        .codes_named = i & 2,
        .date_time_zone = i & 4 ? sao_paulo() : NULL,
    };
}

static void random_records(uint64_t seed, int cases, bool damaged)
{
    struct rng r = {seed};
    struct buf b = BUF_INIT;
    int i, compared = 0;
    unsigned o;

    for (o = 0; o < 8; o++) {
        struct event_options options = options_of(o);
        struct event_reader *reader = event_reader_new(&options);

        assert_non_null(reader);
        for (i = 0; i < cases / 8; i++) {
            struct slice whole;

            buf_clear(&b);
            gen_wrapped(&r, &b);
            if (damaged)
                gen_damage(&r, &b);
            if (jsonscan_whole((struct slice){b.data, b.len}, &whole) && whole.p[0] == '{')
                compared += compare(reader, &options, whole.p, whole.n);
        }
        event_reader_free(reader);
    }
    buf_release(&b);
    assert_true(compared > (damaged ? cases / 6 : cases - cases / 20));
}

static void random_records_say_what_the_rules_make_of_a_tree(void **state)
{
    (void)state;
    random_records(41, CASES(32000), false);
}

static void damaged_records_say_what_the_rules_make_of_a_tree(void **state)
{
    (void)state;
    random_records(42, CASES(32000), true);
}

/* Each end of a record is counted once, whatever way it takes. */
static void every_part_of_a_record_ends_in_one_count(void **state)
{
    struct event_options options = options_of(0);
    struct event_reader *reader = event_reader_new(&options);
    struct event_counts counts = {.records = 0};
    struct buf b = BUF_INIT, out = BUF_INIT;
    struct rng r = {43};
    uint64_t records = 0, ends;
    int i;

    (void)state;
    assert_non_null(reader);
    for (i = 0; i < CASES(32000); i++) {
        buf_clear(&b);
        gen_wrapped(&r, &b);
        if (strchr(b.data, '[') || strstr(b.data, "u005")) /* an element is an end of its own */
            continue;
        buf_clear(&out);
        event_told(reader, b.data, b.len, &counts, &out);
        records++;
        ends = counts.ignored + counts.status_events + counts.rejected[REJECT_MISSING_FIELD] +
               counts.rejected[REJECT_UNKNOWN_STATUS];
        if (ends != records)
            fail_msg("%s", b.data);
    }
    assert_true(records > (unsigned)CASES(4000));
    assert_int_equal(counts.rejected[REJECT_INVALID_JSON], 0);
    assert_int_equal(counts.rejected[REJECT_TOO_LARGE], 0);
    event_counts_release(&counts);
    event_reader_free(reader);
    buf_release(&b);
    buf_release(&out);
}

/* --- what archives hold --- */

static void reads_as(const struct event_options *o, const char *record, const char *expected)
{
    struct event_reader *reader = event_reader_new(o);
    struct event_counts counts = {.records = 0};
    struct buf out = BUF_INIT;

    assert_non_null(reader);
    event_told(reader, record, strlen(record), &counts, &out);
    if (strcmp(buf_str(&out), expected) != 0)
        fail_msg("%s\nis read as\n%snot as\n%s", record, buf_str(&out), expected);
    event_counts_release(&counts);
    event_reader_free(reader);
    buf_release(&out);
}

static void every_shape_seen_in_traffic_is_read(void **state)
{
    static const char *const cases[][2] = {
        {"{\"event\":\"messages.update\",\"instance\":\"i\",\"data\":{\"key\":{\"id\":\"W\"},"
         "\"update\":{\"status\":3}},\"date_time\":\"2026-11-01T12:00:00.000Z\"}",
         "read 'i' 'W' - 1793534400000000\n"},
        {"{\"event\":\"MESSAGES_UPDATE\",\"instance\":\"i\",\"data\":{\"keyId\":\"W\","
         "\"messageId\":"
         "\"cm3\",\"status\":\"DELIVERY_ACK\"},\"date_time\":\"2026-11-01T09:00:00-03:00\"}",
         "delivered 'i' 'W' - 1793534400000000\n"},
        {"{\"event\":\"messages-update\",\"instance\":{\"instanceName\":\"i\"},\"data\":{\"id\":"
         "\"W\","
         "\"status\":\"PLAYED\",\"datetime\":1793534400123}}",
         "read 'i' 'W' - 1793534400123000\n"},
        {"{\"event\":\"messages.update\",\"data\":{\"messageId\":\"cm3\",\"status\":\"SENT\","
         "\"owner\":\"o\"}}",
         "sent 'o' 'cm3' - 1793620800123456 approximate\n"},
        {"{\"received_at\":\"2026-11-01T12:00:07Z\",\"body\":{\"event\":\"messages.update\","
         "\"data\":"
         "[{\"id\":\"W\",\"status\":\"PENDING\"},7,{\"id\":\"V\",\"status\":\"DELETED\"}],"
         "\"date_time\":\"2026-11-01T12:00:02Z\"}}",
         "pending '' 'W' - 1793534402000000 lag 5000000\nmissing_field\n"},
        {"{\"msec\":\"1793534400.250\",\"request_body\":\"{\\\"event\\\":\\\"messages.update\\\","
         "\\\"data\\\":"
         "{\\\"id\\\":\\\"W\\\",\\\"status\\\":\\\"FAILED\\\",\\\"error\\\":{\\\"message\\\":"
         "\\\"no\\\"}}}\"}",
         "failed '' 'W' 'no' 1793534400250000\n"},
        {"{\"headers\":{},\"params\":{},\"query\":{},\"body\":{\"event\":\"messages.update\","
         "\"data\":{"
         "\"id\":\"W\"}}}",
         "unknown_status\n"},
        {"{\"event\":\"messages.upsert\",\"data\":{}}", ""},
        {"{\"event\":\"messages.update\"}", "missing_field\n"},
        {"{}", "missing_field\n"},
    };
    struct event_options o = options_of(0);
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++)
        reads_as(&o, cases[i][0], cases[i][1]);
}

static void a_body_may_be_four_descents_deep(void **state)
{
#define BODY "{\"event\":\"messages.update\",\"data\":{\"id\":\"W\",\"status\":\"READ\"}}"
#define QUOTED                                                                                     \
    "{\\\"event\\\":\\\"messages.update\\\",\\\"data\\\":{\\\"id\\\":\\\"W\\\",\\\"status\\\":"    \
    "\\\"READ\\\"}}"
    static const char read[] = "read '' 'W' - 1793620800123456 approximate\n";
    static const char *const deep_enough[] = {
        BODY,
        "{\"body\":{\"payload\":{\"request_body\":{\"message\":" BODY "}}}}",
        "{\"body\":[[[" BODY "]]]}",
        "{\"body\":{\"body\":{\"body\":\"" QUOTED "\"}}}",
        "{\"body\":[{\"body\":\"[" QUOTED "]\"}]}",
    };
    static const char *const too_deep[] = {
        "{\"body\":{\"body\":{\"body\":{\"body\":{\"body\":" BODY "}}}}}",
        "{\"body\":[[[[" BODY "]]]]}",
        "{\"body\":[[{\"body\":{\"body\":" BODY "}}]]}",
        "{\"body\":[[{\"body\":\"[" QUOTED "]\"}]]}",
    };
    struct event_options o = options_of(0);
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(deep_enough); i++)
        reads_as(&o, deep_enough[i], read);
    for (i = 0; i < COUNT_OF(too_deep); i++)
        reads_as(&o, too_deep[i], "missing_field\n");
#undef BODY
#undef QUOTED
}

static void brackets_without_end_in_a_body_are_no_body(void **state)
{
    struct event_options o = options_of(0);
    struct buf b = BUF_INIT;
    int i;

    (void)state;
    buf_adds(&b, "{\"body\":\"");
    for (i = 0; i < 600; i++)
        buf_addc(&b, '[');
    for (i = 0; i < 600; i++)
        buf_addc(&b, ']');
    buf_adds(&b, "\"}");
    reads_as(&o, b.data, "missing_field\n");
    buf_release(&b);
}

static void a_received_time_holds_for_what_it_wraps_only(void **state)
{
    struct event_options o = options_of(0);

    (void)state;
    reads_as(
        &o,
        "{\"ts\":1793534400,\"body\":["
        "{\"ts\":1793534401,\"body\":{\"event\":\"messages.update\",\"data\":{\"id\":\"A\","
        "\"status\":3}}},"
        "{\"ts\":\"?\",\"body\":{\"event\":\"messages.update\",\"data\":{\"id\":\"B\",\"status\":3}"
        "}},"
        "{\"event\":\"messages.update\",\"ts\":1793534402,\"data\":{\"id\":\"C\",\"status\":3}}]}",
        "read '' 'A' - 1793534401000000\n"
        "read '' 'B' - 1793534400000000\n"
        "read '' 'C' - 1793534400000000\n");
}

static void a_false_z_is_read_in_the_zone_of_the_server(void **state)
{
    struct event_options o = {CODES_APP, false, sao_paulo()};

    (void)state;
    reads_as(&o,
             "{\"event\":\"messages.update\",\"date_time\":\"2026-11-01T09:00:00.5Z\","
             "\"data\":{\"id\":\"W\",\"status\":\"READ\"}}",
             "read '' 'W' - 1793534400500000\n");
    reads_as(&o,
             "{\"event\":\"messages.update\",\"date_time\":\"2026-11-01T12:00:00+00:00\","
             "\"data\":{\"id\":\"W\",\"status\":\"READ\"}}",
             "read '' 'W' - 1793534400000000\n");
}

/* --- trouble --- */

static int failing_event(void *ctx, const struct event *ev, struct err *e)
{
    (void)ctx;
    (void)ev;
    return err_set(e, EXIT_FAILED, "enough");
}

static int failing_reject(void *ctx, enum reject why, const char *detail, struct err *e)
{
    (void)ctx;
    (void)why;
    (void)detail;
    return err_set(e, EXIT_FAILED, "enough");
}

static void a_sink_that_fails_ends_the_reading(void **state)
{
    static const char *const records[] = {
        "{\"event\":\"messages.update\",\"data\":[{\"id\":\"A\",\"status\":3},{\"id\":7}]}",
        "{\"event\":\"messages.update\",\"data\":[1,2]}",
        "{\"body\":[1,2,{}]}",
    };
    const struct event_sink sink = {failing_event, failing_reject, NULL};
    struct event_options o = options_of(0);
    struct event_reader *reader = event_reader_new(&o);
    size_t i;

    (void)state;
    assert_non_null(reader);
    for (i = 0; i < COUNT_OF(records); i++) {
        struct event_counts counts = {.records = 0};
        struct err e = ERR_INIT;

        assert_int_equal(event_read(reader, slice_of(records[i]), MTIME, &counts, &sink, &e), -1);
        assert_string_equal(e.text, "enough");
        assert_int_equal(counts.status_events + counts.rejected[REJECT_MISSING_FIELD], 1);
        event_counts_release(&counts);
    }
    event_reader_free(reader);
}

static void merged_counts_are_those_of_one_reading(void **state)
{
    struct event_options o = options_of(0);
    struct event_reader *reader = event_reader_new(&o);
    struct event_counts whole = {.records = 0}, parts[3] = {{.records = 0}}, sum = {.records = 0};
    struct buf b = BUF_INIT, out = BUF_INIT;
    struct rng r = {44};
    int i;

    (void)state;
    assert_non_null(reader);
    for (i = 0; i < CASES(20000); i++) {
        struct event_counts *part = &parts[rng_below(&r, 3)];

        buf_clear(&b);
        gen_wrapped(&r, &b);
        event_told(reader, b.data, b.len, &whole, &out);
        event_told(reader, b.data, b.len, part, &out);
        whole.records++;
        part->records++;
    }
    for (i = 2; i >= 0; i--) {
        assert_int_equal(event_counts_merge(&sum, &parts[i]), 0);
        event_counts_release(&parts[i]);
    }
    buf_clear(&out);
    event_compare_counts(&sum, &whole, &out);
    assert_string_equal(buf_str(&out), "");
    event_counts_release(&sum);
    event_counts_release(&whole);
    event_reader_free(reader);
    buf_release(&b);
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(random_records_say_what_the_rules_make_of_a_tree),
        cmocka_unit_test(damaged_records_say_what_the_rules_make_of_a_tree),
        cmocka_unit_test(every_part_of_a_record_ends_in_one_count),
        cmocka_unit_test(every_shape_seen_in_traffic_is_read),
        cmocka_unit_test(a_body_may_be_four_descents_deep),
        cmocka_unit_test(brackets_without_end_in_a_body_are_no_body),
        cmocka_unit_test(a_received_time_holds_for_what_it_wraps_only),
        cmocka_unit_test(a_false_z_is_read_in_the_zone_of_the_server),
        cmocka_unit_test(a_sink_that_fails_ends_the_reading),
        cmocka_unit_test(merged_counts_are_those_of_one_reading),
    };

    return cmocka_run_group_tests_name("event", tests, NULL, NULL);
}
