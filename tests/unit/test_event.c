#include "event.h"

#include "jsonscan.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include <cmocka.h>

#include "helpers.h"

#define MTIME INT64_C(1793620800123456)

/* --- what a reading said, as text --- */

static const char *meaning_name(enum status_meaning what)
{
    static const char *const names[] = {"sent",    "delivered", "read",   "failed",
                                        "pending", "nothing",   "unknown"};

    return names[what];
}

static void put_slice(struct buf *b, struct slice s)
{
    if (!s.p) {
        buf_adds(b, " -");
        return;
    }
    buf_adds(b, " '");
    buf_add(b, s.p, s.n);
    buf_addc(b, '\'');
}

static void put_event(struct buf *b, const struct event *ev)
{
    buf_adds(b, meaning_name(ev->what));
    put_slice(b, ev->instance);
    put_slice(b, ev->message_id);
    put_slice(b, ev->error);
    buf_addf(b, " %lld%s", (long long)ev->time, ev->approximate ? " approximate" : "");
    if (ev->lag != TIME_NONE)
        buf_addf(b, " lag %lld", (long long)ev->lag);
    buf_addc(b, '\n');
}

static int take_event(void *ctx, const struct event *ev, struct err *e)
{
    (void)e;
    put_event(ctx, ev);
    return 0;
}

static int take_reject(void *ctx, enum reject why, const char *detail, struct err *e)
{
    (void)e;
    assert_true(strlen(detail) > 0);
    buf_addf(ctx, "%s\n", reject_name(why));
    return 0;
}

static void read_with(struct event_reader *reader, const char *p, size_t n,
                      struct event_counts *counts, struct buf *out)
{
    const struct event_sink sink = {take_event, take_reject, out};
    char *copy = malloc(n); /* as long as the text, for a sanitizer to see what is read beyond */
    struct err e = ERR_INIT;

    assert_non_null(copy);
    memcpy(copy, p, n);
    assert_int_equal(event_read(reader, (struct slice){copy, n}, MTIME, counts, &sink, &e), 0);
    free(copy);
}

/* --- the reference: docs/semantics.md 1 and 2, on jansson's tree --- */

struct reference {
    struct event_options o;
    struct event_counts counts;
    struct buf out;
    int64_t received;
    bool unsure; /* a number lies where two right ways to read it differ */
};

static json_t *load(const char *p, size_t n)
{
    return memchr(p, '\0', n) ? NULL : json_loadb(p, n, JSON_ALLOW_NUL, NULL);
}

static struct slice text_of(const json_t *v)
{
    if (!json_is_string(v) || json_string_length(v) == 0)
        return SLICE_NONE;
    return (struct slice){json_string_value(v), json_string_length(v)};
}

static struct slice text_at(const json_t *v, const char *key)
{
    return text_of(json_object_get(v, key));
}

static struct slice first_text(const struct slice *list, size_t n)
{
    size_t i;

    for (i = 0; i < n; i++) {
        if (list[i].p)
            return list[i];
    }
    return SLICE_NONE;
}

static int64_t within_range(int64_t us)
{
    int64_t from = 0, to = 0;
    enum time_offset offset;

    assert_true(time_read("2009-01-01T00:00:00Z", 20, &from, &offset));
    assert_true(time_read("2101-01-01T00:00:00Z", 20, &to, &offset));
    return us >= from && us < to ? us : TIME_NONE;
}

/* A decimal times 10 ^ digits, what is behind cut; TIME_NONE where too long to be a time. */
static int64_t decimal(const char *s, size_t digits)
{
    int64_t value = strtoll(s, NULL, 10);
    const char *point = strchr(s, '.');
    size_t i;

    if (strcspn(s, ".") > 15)
        return TIME_NONE;
    for (i = 1; i <= digits; i++) {
        bool there = point && strlen(point) > i;

        value = value * 10 + (there ? point[i] - '0' : 0);
    }
    return value;
}

static int64_t ref_datetime(struct reference *f, const json_t *v)
{
    struct slice s = text_of(v);
    char digits[400];
    double number;

    if (s.p) {
        if (strspn(s.p, "0123456789") != s.n)
            return TIME_NONE;
        return s.n > 15 ? TIME_NONE : within_range(strtoll(s.p, NULL, 10) * 1000);
    }
    if (!json_is_number(v))
        return TIME_NONE;
    number = json_number_value(v);
    if (number < 0 || number > 1e15)
        return TIME_NONE;
    (void)snprintf(digits, sizeof digits, "%.3f", number);
    f->unsure |= decimal(digits, 3) != (int64_t)floor(number * 1e3);
    return within_range(decimal(digits, 3));
}

static int64_t ref_date_time(const struct reference *f, const json_t *v)
{
    struct slice s = text_of(v);
    enum time_offset offset;
    int64_t us;

    if (!s.p || !time_read(s.p, s.n, &us, &offset))
        return TIME_NONE;
    return within_range(offset == TIME_OFFSET_NUMERIC ? us : zone_to_utc(f->o.date_time_zone, us));
}

/* Digits, with or without a fraction. */
static bool is_decimal(struct slice s)
{
    size_t whole = strspn(s.p, "0123456789");

    if (whole == 0 || strlen(s.p) != s.n)
        return false;
    return s.n == whole || (s.p[whole] == '.' && s.n > whole + 1 &&
                            strspn(s.p + whole + 1, "0123456789") == s.n - whole - 1);
}

static int64_t ref_received(struct reference *f, const json_t *v)
{
    struct slice s = text_of(v);
    enum time_offset offset;
    char digits[400];
    double number;
    int64_t us;

    if (s.p) {
        if (time_read(s.p, s.n, &us, &offset))
            return within_range(us);
        if (!is_decimal(s))
            return TIME_NONE;
        us = decimal(s.p, strcspn(s.p, ".") >= 12 ? 3 : 6);
        return us < 0 || us / 1000000 > 9999999999 ? TIME_NONE : within_range(us);
    }
    if (!json_is_number(v))
        return TIME_NONE;
    number = json_number_value(v);
    if (number < 0 || number > 1e14)
        return TIME_NONE;
    (void)snprintf(digits, sizeof digits, number >= 1e11 ? "%.3f" : "%.6f", number);
    us = decimal(digits, number >= 1e11 ? 3 : 6);
    f->unsure |= us != (int64_t)rint(number * (number >= 1e11 ? 1e3 : 1e6));
    return within_range(us);
}

static void ref_reject(struct reference *f, enum reject why)
{
    f->counts.rejected[why]++;
    buf_addf(&f->out, "%s\n", reject_name(why));
}

static void ref_tally(struct reference *f, const char *p, size_t n)
{
    assert_int_equal(tally_add(&f->counts.raw_statuses, (struct slice){p, n}, 1), 0);
}

static enum status_meaning ref_code(struct reference *f, double code)
{
    static const char *const app[] = {"failed", "pending", "delivered", "read"};
    static const char *const baileys[] = {"failed", "pending", "sent", "delivered", "read", "read"};
    size_t known = f->o.codes == CODES_APP ? COUNT_OF(app) : COUNT_OF(baileys);
    const char *name;
    int w;

    if (!f->o.codes_named && (code == 4 || code == 5))
        f->counts.unnamed_codes++;
    if (code < 0 || code >= (double)known)
        return MEANS_UNKNOWN;
    name = f->o.codes == CODES_APP ? app[(size_t)code] : baileys[(size_t)code];
    for (w = MEANS_SENT; strcmp(meaning_name((enum status_meaning)w), name) != 0; w++)
        ;
    return (enum status_meaning)w;
}

static enum status_meaning ref_word(struct slice s)
{
    static const char *const words[][2] = {
        {"ERROR", "failed"},        {"FAILED", "failed"},   {"PENDING", "pending"},
        {"SERVER_ACK", "sent"},     {"SENT", "sent"},       {"DELIVERY_ACK", "delivered"},
        {"DELIVERED", "delivered"}, {"READ", "read"},       {"READ_ACK", "read"},
        {"PLAYED", "read"},         {"DELETED", "nothing"},
    };
    size_t i;
    int w;

    for (i = 0; i < COUNT_OF(words); i++) {
        if (strlen(s.p) != s.n || strcasecmp(s.p, words[i][0]) != 0)
            continue;
        for (w = 0; strcmp(meaning_name((enum status_meaning)w), words[i][1]) != 0; w++)
            ;
        return (enum status_meaning)w;
    }
    return MEANS_UNKNOWN;
}

static enum status_meaning ref_number(struct reference *f, const json_t *v)
{
    double number = json_number_value(v);
    char digits[64];
    bool integral = number == floor(number) && fabs(number) < 1e15;

    f->unsure |= !integral && number != 2.5; /* how others were written is not in the tree */
    (void)snprintf(digits, sizeof digits, "%.*f", integral ? 0 : 1,
                   integral ? number + 0.0 : number);
    ref_tally(f, digits, strlen(digits));
    return integral ? ref_code(f, number) : MEANS_UNKNOWN;
}

static enum status_meaning ref_status(struct reference *f, const json_t *update)
{
    const json_t *inner = json_object_get(update, "update"), *v = NULL;
    enum status_meaning what = MEANS_UNKNOWN;
    struct slice s;
    char *text;

    if (json_is_object(inner))
        v = json_object_get(inner, "status");
    if (!v)
        v = json_object_get(update, "status");
    if (!v)
        return what;
    if (json_is_number(v))
        return ref_number(f, v);
    if (json_is_string(v)) {
        s = (struct slice){json_string_value(v), json_string_length(v)};
        ref_tally(f, s.p, s.n);
        if (s.n > 0 && strspn(s.p, "0123456789") == s.n)
            return ref_code(f, strtod(s.p, NULL));
        return ref_word(s);
    }
    text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY);
    assert_non_null(text);
    ref_tally(f, text, strlen(text));
    free(text);
    return what;
}

static struct slice ref_error(const json_t *update, const json_t *body)
{
    const json_t *inner = json_object_get(update, "update");
    struct slice texts[] = {
        text_at(update, "error"), text_at(json_object_get(update, "error"), "message"),
        text_at(inner, "error"),  text_at(json_object_get(inner, "error"), "message"),
        text_at(body, "error"),   text_at(json_object_get(body, "error"), "message"),
    };

    return first_text(texts, COUNT_OF(texts));
}

static struct slice ref_instance(const json_t *update, const json_t *body)
{
    const json_t *instance = json_object_get(body, "instance");
    struct slice names[] = {
        text_of(instance),
        text_at(instance, "instanceName"),
        text_at(instance, "name"),
        text_at(update, "owner"),
        slice_of(""),
    };

    return first_text(names, COUNT_OF(names));
}

static void ref_times(struct reference *f, const json_t *update, const json_t *body,
                      struct event *ev)
{
    int64_t own = ref_datetime(f, json_object_get(update, "datetime"));
    int64_t stamped = ref_date_time(f, json_object_get(body, "date_time"));

    ev->approximate = own == TIME_NONE && stamped == TIME_NONE && f->received == TIME_NONE;
    ev->time = own != TIME_NONE           ? own
               : stamped != TIME_NONE     ? stamped
               : f->received != TIME_NONE ? f->received
                                          : MTIME;
    ev->lag = stamped != TIME_NONE && f->received != TIME_NONE ? f->received - stamped : TIME_NONE;
}

static void ref_update(struct reference *f, const json_t *update, const json_t *body)
{
    struct slice ids[] = {text_at(json_object_get(update, "key"), "id"), text_at(update, "keyId"),
                          text_at(update, "id"), text_at(update, "messageId")};
    struct event ev = {.message_id = first_text(ids, COUNT_OF(ids)), .error = SLICE_NONE};

    f->counts.updates++;
    if (!ev.message_id.p || ev.message_id.n > 255 || strlen(ev.message_id.p) != ev.message_id.n) {
        ref_reject(f, REJECT_MISSING_FIELD);
        return;
    }
    ev.what = ref_status(f, update);
    if (ev.what == MEANS_NOTHING) {
        f->counts.ignored++;
        return;
    }
    if (ev.what == MEANS_UNKNOWN) {
        ref_reject(f, REJECT_UNKNOWN_STATUS);
        return;
    }
    ev.instance = ref_instance(update, body);
    if (ev.what == MEANS_FAILED)
        ev.error = ref_error(update, body);
    ref_times(f, update, body, &ev);
    f->counts.status_events++;
    put_event(&f->out, &ev);
}

static bool ref_is_update(struct slice event)
{
    static const char *const names[] = {"messages.update", "messages_update", "messages-update"};
    size_t i;

    for (i = 0; i < COUNT_OF(names); i++) {
        if (event.n == strlen(names[i]) && strlen(event.p) == event.n &&
            strcasecmp(event.p, names[i]) == 0)
            return true;
    }
    return false;
}

static void ref_body(struct reference *f, const json_t *body)
{
    const json_t *event = json_object_get(body, "event"), *data = json_object_get(body, "data");
    size_t i;

    f->counts.bodies++;
    if (!ref_is_update((struct slice){json_string_value(event), json_string_length(event)})) {
        f->counts.ignored++;
    } else if (json_is_object(data)) {
        ref_update(f, data, body);
    } else if (json_is_array(data)) {
        for (i = 0; i < json_array_size(data); i++) {
            const json_t *element = json_array_get(data, i);

            if (json_is_object(element))
                ref_update(f, element, body);
            else
                ref_reject(f, REJECT_MISSING_FIELD);
        }
    } else {
        ref_reject(f, REJECT_MISSING_FIELD);
    }
}

static void ref_unwrap(struct reference *f, const json_t *v, int descents);

static void ref_wrapped(struct reference *f, const json_t *wrapper, const json_t *v, int descents)
{
    static const char *const times[] = {"received_at",  "@timestamp", "timestamp", "time",
                                        "time_iso8601", "ts",         "msec"};
    int64_t outer = f->received, us = TIME_NONE;
    json_t *parsed = NULL;
    size_t i;

    for (i = 0; i < COUNT_OF(times) && us == TIME_NONE; i++)
        us = ref_received(f, json_object_get(wrapper, times[i]));
    if (us != TIME_NONE)
        f->received = us;
    if (json_is_string(v))
        v = parsed = load(json_string_value(v), json_string_length(v));
    if (v)
        ref_unwrap(f, v, descents + 1);
    else
        ref_reject(f, REJECT_MISSING_FIELD);
    json_decref(parsed);
    f->received = outer;
}

static void ref_unwrap(struct reference *f, const json_t *v, int descents)
{
    static const char *const wrappers[] = {"body", "payload", "request_body", "message"};
    size_t i;

    if (json_is_string(json_object_get(v, "event")) && json_object_get(v, "data")) {
        ref_body(f, v);
        return;
    }
    for (i = 0; i < json_array_size(v); i++) {
        if (descents == 4)
            ref_reject(f, REJECT_MISSING_FIELD);
        else
            ref_unwrap(f, json_array_get(v, i), descents + 1);
    }
    if (json_is_array(v))
        return;
    for (i = 0; i < COUNT_OF(wrappers); i++) {
        const json_t *inner = json_object_get(v, wrappers[i]);

        if (!json_is_object(inner) && !json_is_array(inner) && !json_is_string(inner))
            continue;
        if (descents < 4)
            ref_wrapped(f, v, inner, descents);
        else
            ref_reject(f, REJECT_MISSING_FIELD);
        return;
    }
    ref_reject(f, REJECT_MISSING_FIELD);
}

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

static void same_tally(const struct tally *a, const struct tally *b, const char *text)
{
    size_t i;

    if (a->n != b->n)
        fail_msg("%zu raw statuses, not %zu: %s", a->n, b->n, text);
    for (i = 0; i < a->n; i++) {
        struct slice x = {a->entry[i].text, a->entry[i].n}, y = {b->entry[i].text, b->entry[i].n};

        if (!slice_eq(x, y) || a->entry[i].count != b->entry[i].count)
            fail_msg("raw status %.*s, not %.*s: %s", (int)x.n, x.p, (int)y.n, y.p, text);
    }
}

static void same_counts(const struct event_counts *a, const struct event_counts *b,
                        const char *text)
{
    int i;

    if (a->bodies != b->bodies || a->updates != b->updates ||
        a->status_events != b->status_events || a->ignored != b->ignored ||
        a->unnamed_codes != b->unnamed_codes || a->records != b->records)
        fail_msg("other counts: %s", text);
    for (i = 0; i < REJECT_COUNT; i++) {
        if (a->rejected[i] != b->rejected[i])
            fail_msg("other counts of %s: %s", reject_name((enum reject)i), text);
    }
    same_tally(&a->raw_statuses, &b->raw_statuses, text);
}

/* Reads a record in both ways; false where they may differ. */
static bool compare(struct event_reader *reader, const struct event_options *o, const char *p,
                    size_t n)
{
    struct reference f = {.o = *o, .out = BUF_INIT, .received = TIME_NONE};
    struct event_counts counts = {.records = 0};
    struct buf out = BUF_INIT;
    json_t *v = load(p, n);
    bool sure = v != NULL;

    if (v) {
        ref_unwrap(&f, v, 0);
        sure = !f.unsure;
        read_with(reader, p, n, &counts, &out);
    }
    if (sure && (out.len != f.out.len || memcmp(buf_str(&out), buf_str(&f.out), out.len) != 0))
        fail_msg("%s\nis read as\n%snot as\n%s", p, buf_str(&out), buf_str(&f.out));
    if (sure)
        same_counts(&counts, &f.counts, p);
    json_decref(v);
    buf_release(&out);
    buf_release(&f.out);
    event_counts_release(&counts);
    event_counts_release(&f.counts);
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
        read_with(reader, b.data, b.len, &counts, &out);
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
    read_with(reader, record, strlen(record), &counts, &out);
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
        read_with(reader, b.data, b.len, &whole, &out);
        read_with(reader, b.data, b.len, part, &out);
        whole.records++;
        part->records++;
    }
    for (i = 2; i >= 0; i--) {
        assert_int_equal(event_counts_merge(&sum, &parts[i]), 0);
        event_counts_release(&parts[i]);
    }
    same_counts(&sum, &whole, "merged");
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
