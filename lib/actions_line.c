#include "actions_line.h"

#include "pgbin.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* The earliest time that PostgreSQL has, 4714-11-24 BC. */
#define TIME_EARLIEST INT64_C(-210866803200000000)

#define YEARS_OF_ERA 400 /* after which the calendar repeats, day by day */
#define ERA_DAYS INT64_C(146097)
#define DAY (INT64_C(86400) * US_PER_SECOND)

static bool wrong(struct actions_line *l, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

static bool wrong(struct actions_line *l, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(l->what, sizeof l->what, fmt, ap);
    va_end(ap);
    return false;
}

static bool no_memory(struct actions_line *l)
{
    l->no_memory = true;
    return wrong(l, "out of memory");
}

/* ---- values ---- */

static struct slice text_of(const json_t *v)
{
    if (!json_is_string(v))
        return SLICE_NONE;
    return (struct slice){json_string_value(v), json_string_length(v)};
}

/* Copies a text to the arena; what PostgreSQL cannot hold is none. */
static bool keep_text(struct actions_line *l, const char *name, const json_t *v, bool may_be_null,
                      struct slice *out)
{
    struct slice s = text_of(v);

    *out = SLICE_NONE;
    if (may_be_null && json_is_null(v))
        return true;
    if (!s.p)
        return wrong(l, "\"%s\" is no text%s", name, may_be_null ? " and not null" : "");
    if (memchr(s.p, '\0', s.n))
        return wrong(l, "\"%s\" holds a NUL", name);
    out->p = arena_dup(l->arena, s.p, s.n);
    out->n = s.n;
    return out->p || no_memory(l);
}

static bool read_ident(struct actions_line *l, const char *name, const json_t *v,
                       enum ident_kind kind, struct ident *id)
{
    struct slice s = text_of(v);
    char digits[24];

    if (kind == IDENT_INT && json_is_integer(v)) {
        (void)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
        s = slice_of(digits);
    }
    if (s.p && ident_parse(kind, s.p, s.n, id))
        return true;
    return wrong(l, "\"%s\" is no %s", name,
                 kind == IDENT_UUID ? "uuid, as ids of this database are"
                                    : "number, as ids of this database are");
}

bool actions_line_number(struct actions_line *l, const char *key, int64_t *n)
{
    const json_t *v = json_object_get(l->root, key);
    struct slice s = text_of(v);
    size_t i;

    *n = 0;
    if (json_is_integer(v)) {
        *n = json_integer_value(v);
    } else if (s.p && s.n <= 18) {
        for (i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
            *n = *n * 10 + (s.p[i] - '0');
        if (i < s.n)
            *n = 0;
    }
    return *n > 0 || wrong(l, "\"%s\" is no whole number from 1 up", key);
}

/* Years of any number of digits, as time_format writes them: the year is
 * brought to one of four digits by whole eras. */
static bool read_far_time(struct slice s, int64_t *us)
{
    bool negative = s.n > 0 && s.p[0] == '-';
    size_t i = negative ? 1 : 0, first = i;
    int64_t year = 0, eras;
    enum time_offset offset;
    char near[48];

    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++) {
        if (i - first == 6)
            return false;
        year = year * 10 + (s.p[i] - '0');
    }
    if (i == first || s.n - i >= sizeof near - 4)
        return false;
    year = negative ? -year : year;
    eras = (year - 2000) / YEARS_OF_ERA - ((year - 2000) % YEARS_OF_ERA < 0);
    (void)snprintf(near, sizeof near, "%04d%.*s", (int)(year - eras * YEARS_OF_ERA), (int)(s.n - i),
                   s.p + i);
    return time_read(near, strlen(near), us, &offset) && offset != TIME_OFFSET_NONE &&
           !__builtin_mul_overflow(eras, ERA_DAYS * DAY, &eras) &&
           !__builtin_add_overflow(*us, eras, us);
}

static bool read_time(struct actions_line *l, const char *name, const json_t *v, int64_t *us)
{
    struct slice s = text_of(v);

    *us = TIME_NONE;
    if (json_is_null(v))
        return true;
    if (slice_is(s, "infinity"))
        *us = TIME_INFINITY;
    else if (slice_is(s, "-infinity"))
        *us = TIME_MINUS_INFINITY;
    else if (!s.p || !read_far_time(s, us))
        return wrong(l, "\"%s\" is no time with an offset and not null", name);
    else if (*us < TIME_EARLIEST || *us == TIME_INFINITY)
        return wrong(l, "\"%s\" is a time that PostgreSQL does not have", name);
    return true;
}

/* ---- an action ---- */

/* Those that a run reads and writes: it touches no other row. */
static bool read_status(struct actions_line *l, const json_t *v, enum row_status *status)
{
    *status = row_status_read(text_of(v));
    if (*status != ROW_UNKNOWN && *status != ROW_PENDING)
        return true;
    return wrong(l, "\"status\" is none of sending, sent, delivered, read and failed");
}

static bool read_state(struct actions_line *l, const char *key, struct row_state *s)
{
    static const char *const times[M_COUNT] = {"sent_at", "delivered_at", "read_at", "failed_at"};
    const json_t *v = json_object_get(l->root, key);
    char what[sizeof l->what];
    bool sound;
    int m;

    if (!json_is_object(v))
        return wrong(l, "\"%s\" is no object", key);
    sound = read_status(l, json_object_get(v, "status"), &s->status);
    for (m = 0; m < M_COUNT && sound; m++)
        sound = read_time(l, times[m], json_object_get(v, times[m]), &s->at[m]);
    if (sound)
        sound = keep_text(l, "error_message", json_object_get(v, "error_message"), true, &s->error);
    if (!sound) {
        memcpy(what, l->what, sizeof what);
        (void)snprintf(l->what, sizeof l->what, "%s: %.*s", key, (int)sizeof what - 16, what);
    }
    return sound;
}

static int milestone_of(struct slice name)
{
    int m;

    for (m = 0; m < M_COUNT && !slice_is(name, milestone_name((enum milestone)m)); m++)
        ;
    return m;
}

static bool read_approximate(struct actions_line *l, uint8_t *bits)
{
    const json_t *v = json_object_get(l->root, "approximate");
    size_t i;

    *bits = 0;
    for (i = 0; i < json_array_size(v); i++) {
        int m = milestone_of(text_of(json_array_get(v, i)));

        if (m == M_COUNT)
            return wrong(l, "\"approximate\" names what is no milestone");
        *bits |= M_BIT(m);
    }
    return json_is_array(v) || wrong(l, "\"approximate\" is no list");
}

static bool read_cause(struct actions_line *l, enum cause *cause)
{
    struct slice name = text_of(json_object_get(l->root, "cause"));
    int c;

    for (c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++) {
        if (slice_is(name, cause_name((enum cause)c))) {
            *cause = (enum cause)c;
            return true;
        }
    }
    return wrong(l, "\"cause\" is none");
}

/* {"read":["archive",17]}: the places alone, as the times are not in the file. */
static bool read_evidence(struct actions_line *l, const struct evidence **evidence)
{
    json_t *v = json_object_get(l->root, "evidence");
    struct evidence *e;
    const char *key;
    json_t *place;

    *evidence = NULL;
    if (!json_is_object(v))
        return wrong(l, "\"evidence\" is no object");
    if (json_object_size(v) == 0)
        return true;
    e = arena_alloc(l->arena, sizeof *e);
    if (!e)
        return no_memory(l);
    *e = (struct evidence){.error = SLICE_NONE};
    json_object_foreach(v, key, place)
    {
        struct slice archive = text_of(json_array_get(place, 0));
        const json_t *record = json_array_get(place, 1);
        int m = milestone_of(slice_of(key));

        if (m == M_COUNT || json_array_size(place) != 2 || !archive.p || !json_is_integer(record) ||
            json_integer_value(record) < 1)
            return wrong(l, "\"evidence\" is not of milestones, each with archive and record");
        e->seen |= M_BIT(m);
        e->at[m].time = TIME_NONE;
        e->at[m].record = (uint64_t)json_integer_value(record);
        e->at[m].archive = names_add(l->archives, archive);
        if (e->at[m].archive == NAMES_NONE)
            return no_memory(l);
    }
    *evidence = e;
    return true;
}

bool actions_line_action(struct actions_line *l, struct correction *c)
{
    const json_t *id = json_object_get(l->root, "campaign_contact");
    const json_t *campaign = json_object_get(l->root, "campaign");
    const json_t *message = json_object_get(l->root, "message_id");

    *c = (struct correction){.outcome = OUTCOME_PLANNED};
    return read_ident(l, "campaign_contact", id, l->kinds.contact, &c->id) &&
           read_ident(l, "campaign", campaign, l->kinds.campaign, &c->campaign) &&
           keep_text(l, "message_id", message, true, &c->message_id) &&
           read_state(l, "before", &c->before) && read_state(l, "after", &c->after) &&
           read_approximate(l, &c->approximate) && read_cause(l, &c->cause) &&
           read_evidence(l, &c->evidence);
}

/* ---- the header ---- */

static bool read_kind(struct actions_line *l, enum actions_kind *kind)
{
    struct slice name = text_of(json_object_get(l->root, "kind"));

    *kind = slice_is(name, "journal") ? ACTIONS_JOURNAL : ACTIONS_PLAN;
    return slice_is(name, actions_kind_name(*kind)) ||
           wrong(l, "\"kind\" is neither plan nor journal");
}

static bool is_digits(struct slice s)
{
    size_t i;

    for (i = 0; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        ;
    return s.n > 0 && i == s.n;
}

/* In digits, as a text or a number; null: its writer could not know. */
static bool read_system(struct actions_line *l, const char **system)
{
    const json_t *v = json_object_get(l->root, "system_identifier");
    char digits[24] = "";
    struct slice s = text_of(v);

    if (json_is_integer(v))
        (void)snprintf(digits, sizeof digits, "%" JSON_INTEGER_FORMAT, json_integer_value(v));
    if (!s.p && (json_is_integer(v) || json_is_null(v)))
        s = slice_of(digits);
    if (!s.p || s.n >= STORE_TEXT_SIZE || !(json_is_null(v) || is_digits(s)))
        return wrong(l, "\"system_identifier\" is no number");
    *system = arena_dup(l->arena, s.p, s.n);
    return *system || no_memory(l);
}

bool actions_line_campaigns(struct actions_line *l, struct actions *a)
{
    const json_t *v = json_object_get(l->root, "campaigns");
    size_t n = json_array_size(v);

    if (!json_is_array(v))
        return wrong(l, "\"campaigns\" is no list");
    a->campaign = arena_alloc(l->arena, (n + 1) * sizeof *a->campaign);
    if (!a->campaign)
        return no_memory(l);
    for (; a->campaigns < n; a->campaigns++) {
        if (!read_ident(l, "campaigns", json_array_get(v, a->campaigns), l->kinds.campaign,
                        &a->campaign[a->campaigns]))
            return false;
    }
    return true;
}

bool actions_line_header(struct actions_line *l, struct actions *a)
{
    const json_t *format = json_object_get(l->root, "format");
    struct slice run, database;

    if (!json_is_integer(format))
        return wrong(l, "it is not the header of a plan or a journal");
    if (json_integer_value(format) != ACTIONS_FORMAT)
        return wrong(l, "format %" JSON_INTEGER_FORMAT " is not known, only %d is",
                     json_integer_value(format), ACTIONS_FORMAT);
    if (!read_kind(l, &a->kind) ||
        !keep_text(l, "run", json_object_get(l->root, "run"), false, &run) ||
        !keep_text(l, "database", json_object_get(l->root, "database"), false, &database) ||
        !read_system(l, &a->system) ||
        !read_time(l, "created_at", json_object_get(l->root, "created_at"), &a->created_at))
        return false;
    a->run = run.p;
    a->database = database.p;
    return true;
}
