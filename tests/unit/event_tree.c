#include "event_tree.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "helpers.h"

#define MTIME EVENT_TREE_MTIME

static void require(bool so)
{
    if (!so)
        abort();
}

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
    if (!*detail)
        buf_adds(ctx, "without a word: ");
    buf_addf(ctx, "%s\n", reject_name(why));
    return 0;
}

void event_told(struct event_reader *reader, const char *p, size_t n, struct event_counts *counts,
                struct buf *out)
{
    const struct event_sink sink = {take_event, take_reject, out};
    char *copy = malloc(n); /* as long as the text, for a sanitizer to see what is read beyond */
    struct err e = ERR_INIT;

    require(copy != NULL);
    memcpy(copy, p, n);
    require(event_read(reader, (struct slice){copy, n}, MTIME, counts, &sink, &e) == 0);
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

    require(time_read("2009-01-01T00:00:00Z", 20, &from, &offset));
    require(time_read("2101-01-01T00:00:00Z", 20, &to, &offset));
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

/* A report shows no API key, nor a text that may hold one in a spelling of its own;
 * and of a long value the bytes as they were. */
static bool is_shown_otherwise(const char *p, size_t n)
{
    return n > 1024 || (memchr(p, '"', n) && (memchr(p, '\\', n) || strcasestr(p, "apikey")));
}

static void ref_tally(struct reference *f, const char *p, size_t n)
{
    f->unsure |= is_shown_otherwise(p, n);
    require(tally_add(&f->counts.raw_statuses, (struct slice){p, n}, 1) == 0);
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
    require(text != NULL);
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

/* --- comparing --- */

static void same_tally(const struct tally *a, const struct tally *b, struct buf *why)
{
    size_t i;

    if (a->n != b->n)
        buf_addf(why, "%zu raw statuses, not %zu\n", a->n, b->n);
    for (i = 0; i < a->n && i < b->n; i++) {
        struct slice x = {a->entry[i].text, a->entry[i].n}, y = {b->entry[i].text, b->entry[i].n};

        if (!slice_eq(x, y) || a->entry[i].count != b->entry[i].count)
            buf_addf(why, "raw status %.*s, not %.*s\n", (int)x.n, x.p, (int)y.n, y.p);
    }
}

void event_compare_counts(const struct event_counts *a, const struct event_counts *b,
                          struct buf *why)
{
    int i;

    if (a->bodies != b->bodies || a->updates != b->updates ||
        a->status_events != b->status_events || a->ignored != b->ignored ||
        a->unnamed_codes != b->unnamed_codes || a->records != b->records)
        buf_adds(why, "other counts\n");
    for (i = 0; i < REJECT_COUNT; i++) {
        if (a->rejected[i] != b->rejected[i])
            buf_addf(why, "other counts of %s\n", reject_name((enum reject)i));
    }
    same_tally(&a->raw_statuses, &b->raw_statuses, why);
}

bool event_by_tree(struct event_reader *reader, const struct event_options *o, const char *p,
                   size_t n, struct buf *why)
{
    struct reference f = {.o = *o, .out = BUF_INIT, .received = TIME_NONE};
    struct event_counts counts = {.records = 0};
    struct buf out = BUF_INIT;
    json_t *v = load(p, n);
    bool sure = v != NULL;

    event_told(reader, p, n, &counts, &out);
    if (v) {
        ref_unwrap(&f, v, 0);
        sure = !f.unsure;
    }
    buf_clear(why);
    if (sure && (out.len != f.out.len || memcmp(buf_str(&out), buf_str(&f.out), out.len) != 0))
        buf_addf(why, "it is read as\n%snot as\n%s", buf_str(&out), buf_str(&f.out));
    if (sure)
        event_compare_counts(&counts, &f.counts, why);
    json_decref(v);
    buf_release(&out);
    buf_release(&f.out);
    event_counts_release(&counts);
    event_counts_release(&f.counts);
    return sure;
}
