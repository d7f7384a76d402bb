#include "event.h"

#include "event_scan.h"
#include "event_status.h"
#include "event_time.h"
#include "jsonbytes.h"
#include "jsonscan.h"
#include "jwalk.h"

#include <stdlib.h>

struct event_reader {
    struct event_options o;
    struct buf level[EVENT_DESCENTS + 1]; /* a body that was a string, per descent */
    struct buf id, instance, error, status, word;
    struct event_scan scan;                       /* of a record */
    struct event_scan inside[EVENT_DESCENTS + 1]; /* of a body that was a string, per descent */
};

/* What one call of event_read works with. */
struct reading {
    struct event_reader *r;
    struct event_counts *counts;
    const struct event_sink *sink;
    struct err *e;
    int64_t mtime;
    int64_t received; /* TIME_NONE while none was read */
};

/* A body on its way to its updates. */
struct body {
    struct slice error;         /* a value, p NULL where absent */
    struct slice instance_name; /* a string; p NULL: ask the update's owner */
    int64_t date_time_us;       /* TIME_NONE: unreadable */
    int64_t lag;
};

const char *reject_name(enum reject r)
{
    static const char *const names[REJECT_COUNT] = {"invalid_json", "too_large", "missing_field",
                                                    "unknown_status"};

    return names[r];
}

int event_counts_merge(struct event_counts *into, const struct event_counts *from)
{
    int i;

    into->records += from->records;
    into->bodies += from->bodies;
    into->updates += from->updates;
    into->status_events += from->status_events;
    into->ignored += from->ignored;
    into->unnamed_codes += from->unnamed_codes;
    into->unnamed_numbers += from->unnamed_numbers;
    for (i = 0; i < REJECT_COUNT; i++)
        into->rejected[i] += from->rejected[i];
    return tally_merge(&into->raw_statuses, &from->raw_statuses);
}

void event_counts_release(struct event_counts *c)
{
    tally_release(&c->raw_statuses);
}

struct event_reader *event_reader_new(const struct event_options *o)
{
    struct event_reader *r = calloc(1, sizeof *r);

    if (r)
        r->o = *o;
    return r;
}

void event_reader_free(struct event_reader *r)
{
    size_t i;

    if (!r)
        return;
    for (i = 0; i <= EVENT_DESCENTS; i++)
        buf_release(&r->level[i]);
    buf_release(&r->id);
    buf_release(&r->instance);
    buf_release(&r->error);
    buf_release(&r->status);
    buf_release(&r->word);
    free(r);
}

static int reject(struct reading *g, enum reject why, const char *detail)
{
    g->counts->rejected[why]++;
    return g->sink->reject(g->sink->ctx, why, detail, g->e);
}

static int no_memory(struct reading *g)
{
    return err_oom(g->e);
}

/* --- updates --- */

/* The first text of a value: itself, or the message member of an object. */
static struct slice text_or_message(struct slice value)
{
    static const char *const keys[] = {"message"};
    struct slice found;

    if (!value.p)
        return SLICE_NONE;
    if (jwalk_is_text(value))
        return value;
    if (value.p[0] != '{')
        return SLICE_NONE;
    jwalk_find(value, keys, 1, &found);
    return jwalk_is_text(found) ? found : SLICE_NONE;
}

/* The error of a failed update; p NULL: none. */
static int read_error(struct reading *g, struct slice update_error, struct slice inner_error,
                      const struct body *b, struct event *ev)
{
    struct slice v = text_or_message(update_error);

    if (!v.p)
        v = text_or_message(inner_error);
    if (!v.p)
        v = text_or_message(b->error);
    if (v.p && !jwalk_string(v, &g->r->error, &ev->error))
        return no_memory(g);
    return 0;
}

/* The message's id. 0 with p NULL: none that can be used. */
static int read_id(struct reading *g, const struct slice *u, struct slice *id)
{
    static const uint8_t candidate[4] = {U_KEY_ID, U_KEYID, U_ID, U_MESSAGEID};
    struct slice value;
    int i;

    *id = SLICE_NONE;
    for (i = 0; i < 4 && !jwalk_is_text(u[candidate[i]]); i++)
        ;
    if (i == 4)
        return 0;
    value = u[candidate[i]];
    if (!jwalk_string(value, &g->r->id, id))
        return no_memory(g);
    /* A NUL has to be escaped. */
    if (id->n > EVENT_ID_MAX || (id->p != value.p + 1 && memchr(id->p, '\0', id->n)))
        *id = SLICE_NONE;
    return 0;
}

static int read_instance(struct reading *g, const struct body *b, struct slice owner,
                         struct slice *instance)
{
    struct slice v = b->instance_name.p ? b->instance_name : owner;

    *instance = slice_of("");
    if (jwalk_is_text(v) && !jwalk_string(v, &g->r->instance, instance))
        return no_memory(g);
    return 0;
}

static void choose_time(struct reading *g, const struct body *b, struct slice datetime,
                        struct event *ev)
{
    ev->approximate = false;
    ev->time = event_datetime(datetime, &g->r->word);
    if (ev->time == TIME_NONE)
        ev->time = b->date_time_us;
    if (ev->time == TIME_NONE)
        ev->time = g->received;
    if (ev->time == TIME_NONE) {
        ev->time = g->mtime;
        ev->approximate = true;
    }
    ev->lag = b->lag;
}

/* Finds the members of an update, an object, one pass after the other. */
static void find_update(struct slice update, struct event_update *u)
{
    static const char *const keys[U_OUTER] = {"key",    "keyId",    "id",    "messageId", "update",
                                              "status", "datetime", "owner", "error"};
    static const char *const key_keys[] = {"id"};
    static const char *const inner_keys[] = {"status", "error"};

    memset(u, 0, sizeof *u);
    jwalk_find(update, keys, U_OUTER, u->found);
    if (u->found[U_KEY].p && u->found[U_KEY].p[0] == '{')
        jwalk_find(u->found[U_KEY], key_keys, 1, &u->found[U_KEY_ID]);
    if (u->found[U_UPDATE].p && u->found[U_UPDATE].p[0] == '{')
        jwalk_find(u->found[U_UPDATE], inner_keys, 2, &u->found[U_INNER_STATUS]);
}

static int take_update(struct reading *g, const struct body *b, const struct event_update *update)
{
    const struct slice *u = update->found;
    struct event ev = {.error = SLICE_NONE};

    g->counts->updates++;
    if (read_id(g, u, &ev.message_id) < 0)
        return -1;
    if (!ev.message_id.p)
        return reject(g, REJECT_MISSING_FIELD,
                      "data: no message id of 1 to 255 bytes in key.id, keyId, id or messageId");
    if (event_status_read(u[U_INNER_STATUS].p ? u[U_INNER_STATUS] : u[U_STATUS], &g->r->o,
                          g->counts, &g->r->status, &ev.what) < 0)
        return no_memory(g);
    if (ev.what == MEANS_NOTHING) {
        g->counts->ignored++;
        return 0;
    }
    if (ev.what == MEANS_UNKNOWN)
        return reject(g, REJECT_UNKNOWN_STATUS, "data: status absent or unknown");
    if (read_instance(g, b, u[U_OWNER], &ev.instance) < 0)
        return -1;
    if (ev.what == MEANS_FAILED && read_error(g, u[U_ERROR], u[U_INNER_ERROR], b, &ev) < 0)
        return -1;
    choose_time(g, b, u[U_DATETIME], &ev);
    g->counts->status_events++;
    return g->sink->event(g->sink->ctx, &ev, g->e);
}

static int read_update(struct reading *g, const struct body *b, struct slice update)
{
    struct event_update u;

    find_update(update, &u);
    return take_update(g, b, &u);
}

/* --- bodies --- */

/* Is the string messages.update? Then its bytes are its text, as none is a backslash. */
static int names_update(struct reading *g, struct slice value, bool *is)
{
    struct slice s = {value.p + 1, value.n - 2};

    *is = s.n == JSON_UPDATE_LEN && json_names_update(s.p);
    if (*is)
        return 0;
    if (!jwalk_string(value, &g->r->word, &s))
        return no_memory(g);
    *is = s.n == JSON_UPDATE_LEN && json_names_update(s.p);
    return 0;
}

static void open_body(struct reading *g, const struct event_object *o, struct body *b)
{
    static const char *const name_keys[] = {"instanceName", "name"};
    struct slice instance = o->found[E_INSTANCE], names[2];

    b->error = o->found[E_ERROR];
    b->instance_name = SLICE_NONE;
    if (jwalk_is_text(instance)) {
        b->instance_name = instance;
    } else if (instance.p && instance.p[0] == '{') {
        jwalk_find(instance, name_keys, 2, names);
        b->instance_name = jwalk_is_text(names[0]) ? names[0] : names[1];
        if (!jwalk_is_text(b->instance_name))
            b->instance_name = SLICE_NONE;
    }
    b->date_time_us = event_date_time(o->found[E_DATE_TIME], g->r->o.date_time_zone, &g->r->word);
    b->lag = b->date_time_us != TIME_NONE && g->received != TIME_NONE
                 ? g->received - b->date_time_us
                 : TIME_NONE;
}

static int read_updates(struct reading *g, const struct body *b, struct slice data)
{
    struct slice element;
    size_t pos = 0;

    if (data.p[0] == '{')
        return read_update(g, b, data);
    while (jwalk_next(data, &pos, &element)) {
        int status = element.p[0] == '{'
                         ? read_update(g, b, element)
                         : reject(g, REJECT_MISSING_FIELD, "data: an element is no object");

        if (status < 0)
            return -1;
    }
    return 0;
}

static int take_updates(struct reading *g, const struct body *b, const struct event_object *o)
{
    uint32_t i;

    for (i = 0; i < o->updates; i++) {
        if (take_update(g, b, &o->update[i]) < 0)
            return -1;
    }
    return 0;
}

static int read_body(struct reading *g, const struct event_object *o)
{
    struct slice data = o->found[E_DATA];
    bool is_update;
    struct body b;

    if (names_update(g, o->found[E_EVENT], &is_update) < 0)
        return -1;
    g->counts->bodies++;
    if (!is_update) {
        g->counts->ignored++;
        return 0;
    }
    if (data.p[0] != '{' && data.p[0] != '[')
        return reject(g, REJECT_MISSING_FIELD, "data: neither an object nor an array");
    open_body(g, o, &b);
    return o->walked ? take_updates(g, &b, o) : read_updates(g, &b, data);
}

/* --- wrappers --- */

static int unwrap(struct reading *g, struct slice value, unsigned depth);
static int read_object(struct reading *g, const struct event_object *o, unsigned depth);

static void take_received(struct reading *g, const struct slice *times)
{
    int i;

    for (i = 0; i < 7; i++) {
        int64_t us = event_received(times[i], &g->r->word);

        if (us != TIME_NONE) {
            g->received = us;
            return;
        }
    }
}

/* Is the text one object, white space around it aside, that the fast way can
 * read? The text is followed by EVENT_MARGIN NULs. */
static bool scan_whole(struct event_scan *s, struct slice text)
{
    size_t from = 0, n;

    while (from < text.n && json_is_space((unsigned char)text.p[from]))
        from++;
    n = from < text.n && text.p[from] == '{' ? event_scan(s, text.p + from) : 0;
    if (n == 0 || n > text.n - from)
        return false;
    for (from += n; from < text.n && json_is_space((unsigned char)text.p[from]); from++)
        ;
    return from == text.n;
}

/* A body that is a string: JSON once more. */
static int unwrap_text(struct reading *g, struct slice value, unsigned depth)
{
    struct buf *tmp = &g->r->level[depth];
    struct event_scan *s = &g->r->inside[depth];
    struct slice text, inside;

    buf_clear(tmp);
    if (!buf_reserve(tmp, value.n + EVENT_MARGIN) || !jwalk_string(value, tmp, &text))
        return no_memory(g);
    if (text.p == tmp->data) {
        memset(tmp->data + tmp->len, 0, EVENT_MARGIN);
        if (scan_whole(s, text))
            return read_object(g, &s->object[0], depth + 1);
    }
    if (!jsonscan_whole(text, &inside))
        return reject(g, REJECT_MISSING_FIELD, "body: a string that is no JSON object or array");
    return unwrap(g, inside, depth + 1);
}

static int unwrap_member(struct reading *g, const struct event_object *o, int member,
                         unsigned depth)
{
    const struct event_object *inside = o->inside[member - E_BODY];
    struct slice value = o->found[member];

    if (depth == EVENT_DESCENTS)
        return reject(g, REJECT_MISSING_FIELD, "body: wrapped more than 4 deep");
    take_received(g, o->found + E_TIMES);
    if (value.p[0] == '"')
        return unwrap_text(g, value, depth);
    return inside ? read_object(g, inside, depth + 1) : unwrap(g, value, depth + 1);
}

/* A body, or a wrapper of one. */
static int read_object(struct reading *g, const struct event_object *o, unsigned depth)
{
    struct slice event = o->found[E_EVENT];
    int64_t received = g->received;
    int i, status;

    if (event.p && event.p[0] == '"' && o->found[E_DATA].p)
        return read_body(g, o);
    for (i = E_BODY; i <= E_MESSAGE; i++) {
        char c = o->found[i].p ? o->found[i].p[0] : '\0';

        if (c == '{' || c == '[' || c == '"') {
            status = unwrap_member(g, o, i, depth);
            g->received = received; /* an inner time is not the next element's */
            return status;
        }
    }
    return reject(g, REJECT_MISSING_FIELD,
                  event.p ? "event, data: no text or absent" : "event, body: absent");
}

static int unwrap_object(struct reading *g, struct slice object, unsigned depth)
{
    static const char *const keys[E_COUNT] = {
        "event",       "data",       "body",      "payload", "request_body", "message",
        "received_at", "@timestamp", "timestamp", "time",    "time_iso8601", "ts",
        "msec",        "instance",   "date_time", "error"};
    struct event_object o;

    memset(&o, 0, sizeof o);
    jwalk_find(object, keys, E_COUNT, o.found);
    return read_object(g, &o, depth);
}

static int unwrap(struct reading *g, struct slice value, unsigned depth)
{
    struct slice element;
    size_t pos = 0;
    int status = 0;

    if (value.p[0] == '{') {
        status = unwrap_object(g, value, depth);
    } else if (value.p[0] == '[') {
        while (status == 0 && jwalk_next(value, &pos, &element)) {
            if (depth == EVENT_DESCENTS)
                status = reject(g, REJECT_MISSING_FIELD, "body: wrapped more than 4 deep");
            else
                status = unwrap(g, element, depth + 1);
        }
    } else {
        status = reject(g, REJECT_MISSING_FIELD, "body: an element is no object");
    }
    return status;
}

int event_read(struct event_reader *r, struct slice record, int64_t mtime,
               struct event_counts *counts, const struct event_sink *sink, struct err *e)
{
    struct reading g = {r, counts, sink, e, mtime, TIME_NONE};

    return unwrap(&g, record, 0);
}

size_t event_look(struct event_reader *r, const char *text)
{
    return event_scan(&r->scan, text);
}

int event_read_seen(struct event_reader *r, int64_t mtime, struct event_counts *counts,
                    const struct event_sink *sink, struct err *e)
{
    struct reading g = {r, counts, sink, e, mtime, TIME_NONE};

    return read_object(&g, &r->scan.object[0], 0);
}
