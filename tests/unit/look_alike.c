#include "look_alike.h"

#include "event.h"
#include "event_scan.h"
#include "jsonscan.h"

#include <stdlib.h>
#include <string.h>

#define MTIME INT64_C(1793620800123456)

static void put_slice(struct buf *b, struct slice s)
{
    buf_addf(b, " %s%zu:", s.p ? "" : "none", s.n);
    if (s.p)
        buf_add(b, s.p, s.n);
}

static int take_event(void *ctx, const struct event *ev, struct err *e)
{
    struct buf *b = ctx;

    (void)e;
    buf_addf(b, "event %d", (int)ev->what);
    put_slice(b, ev->instance);
    put_slice(b, ev->message_id);
    put_slice(b, ev->error);
    buf_addf(b, " %lld %d %lld\n", (long long)ev->time, ev->approximate, (long long)ev->lag);
    return 0;
}

static int take_reject(void *ctx, enum reject why, const char *detail, struct err *e)
{
    (void)e;
    buf_addf(ctx, "%s: %s\n", reject_name(why), detail);
    return 0;
}

static void put_counts(struct buf *b, const struct event_counts *c)
{
    size_t i;

    buf_addf(b, "%llu bodies, %llu updates, %llu events, %llu ignored, %llu unnamed\n",
             (unsigned long long)c->bodies, (unsigned long long)c->updates,
             (unsigned long long)c->status_events, (unsigned long long)c->ignored,
             (unsigned long long)c->unnamed_codes);
    for (i = 0; i < REJECT_COUNT; i++)
        buf_addf(b, "%llu %s\n", (unsigned long long)c->rejected[i], reject_name((enum reject)i));
    for (i = 0; i < c->raw_statuses.n; i++)
        put_slice(b, (struct slice){c->raw_statuses.entry[i].text, c->raw_statuses.entry[i].n});
}

/* What reading says, as text. fast: of the record just looked at. */
static void tell(struct event_reader *r, const char *text, size_t n, bool fast, struct buf *said)
{
    const struct event_sink sink = {take_event, take_reject, said};
    struct event_counts counts = {0};
    struct err e = ERR_INIT;
    int status = fast ? event_read_seen(r, MTIME, &counts, &sink, &e)
                      : event_read(r, (struct slice){text, n}, MTIME, &counts, &sink, &e);

    if (status < 0)
        abort();
    put_counts(said, &counts);
    event_counts_release(&counts);
}

static void put_object(struct buf *b, const struct event_scan *s, const struct event_object *o)
{
    size_t i;

    for (i = 0; i < E_COUNT; i++)
        put_slice(b, o->found[i]);
    for (i = 0; i < 4; i++)
        buf_addf(b, " %d", o->inside[i] ? (int)(o->inside[i] - s->object) : -1);
    buf_addf(b, " %u updates\n", o->updates);
}

static void put_scan(struct buf *b, const struct event_scan *s)
{
    size_t i, k;

    for (i = 0; i < s->objects; i++)
        put_object(b, s, &s->object[i]);
    for (i = 0; i < s->updates; i++) {
        for (k = 0; k < U_COUNT; k++)
            put_slice(b, s->update[i].found[k]);
        buf_addc(b, '\n');
    }
}

/* Do the walks for all processors that this one can stand in for agree? */
static void compare_walks(const char *text, size_t length, struct buf *why)
{
    static struct event_scan base;
    size_t n = event_scan_base(&base, text);

    if (n != length)
        buf_addf(why, "event_scan found %zu bytes, event_scan_base %zu\n", length, n);
#if defined(__x86_64__)
    if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi")) {
        static struct event_scan avx2;
        struct buf one = BUF_INIT, other = BUF_INIT;

        n = event_scan_avx2(&avx2, text);
        if (n != length)
            buf_addf(why, "event_scan found %zu bytes, event_scan_avx2 %zu\n", length, n);
        if (length > 0) {
            put_scan(&one, &base);
            put_scan(&other, &avx2);
            if (strcmp(buf_str(&one), buf_str(&other)) != 0)
                buf_addf(why, "the walks differ:\n%s%s", buf_str(&one), buf_str(&other));
        }
        buf_release(&one);
        buf_release(&other);
    }
#endif
}

static void compare_reading(struct event_reader *r, const char *text, size_t n, size_t length,
                            struct buf *why)
{
    struct buf fast = BUF_INIT, careful = BUF_INIT;
    char *copy = malloc(n + 1);
    struct jsonscan j;

    if (!copy)
        abort();
    memcpy(copy, text, n);
    tell(r, NULL, 0, true, &fast); /* before the reader is used again */
    jsonscan_init(&j);
    if (jsonscan_feed(&j, copy, n) != JSONSCAN_DONE || j.at != length)
        buf_addf(why, "a record of %zu bytes was found, but jsonscan is at %zu\n", length, j.at);
    else
        tell(r, copy, length, false, &careful);
    if (why->len == 0 &&
        (fast.len != careful.len || memcmp(fast.data, careful.data, fast.len) != 0))
        buf_addf(why, "read in passing:\n%s\nread with care:\n%s", buf_str(&fast),
                 buf_str(&careful));
    free(copy);
    buf_release(&fast);
    buf_release(&careful);
}

size_t look_alike(const char *text, size_t n, struct buf *why)
{
    const struct event_options o = {.codes = CODES_APP};
    struct event_reader *r = event_reader_new(&o);
    char *copy = calloc(1, n + EVENT_MARGIN);
    size_t length;

    if (!r || !copy)
        abort();
    memcpy(copy, text, n);
    buf_clear(why);
    length = event_look(r, copy);
    if (length > n)
        buf_addf(why, "%zu bytes were found in %zu\n", length, n);
    else if (length > 0)
        compare_reading(r, copy, n, length, why);
    compare_walks(copy, length, why);
    free(copy);
    event_reader_free(r);
    return length;
}
