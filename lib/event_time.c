#include "event_time.h"

#include "jsonbytes.h"
#include "jwalk.h"

#include <math.h>

static bool in_range(int64_t us)
{
    return us >= TIME_EVENT_MIN && us <= TIME_EVENT_MAX;
}

bool event_is_digits(struct slice s)
{
    size_t i;

    for (i = 0; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9')
            return false;
    }
    return s.n > 0;
}

int64_t event_digits_value(struct slice s)
{
    int64_t v = 0;
    size_t i;

    for (i = 0; i < s.n; i++) {
        int d = s.p[i] - '0';

        if (v > (INT64_MAX - d) / 10)
            return INT64_MAX;
        v = v * 10 + d;
    }
    return v;
}

/* Scales v to microseconds; TIME_NONE out of range. */
static int64_t scale_digits(int64_t v, int64_t unit)
{
    if (v > TIME_EVENT_MAX / unit)
        return TIME_NONE;
    return in_range(v * unit) ? v * unit : TIME_NONE;
}

static int64_t from_double(double us)
{
    if (!(us >= (double)TIME_EVENT_MIN && us <= (double)TIME_EVENT_MAX))
        return TIME_NONE;
    return in_range((int64_t)us) ? (int64_t)us : TIME_NONE;
}

int64_t event_datetime(struct slice value, struct buf *tmp)
{
    struct slice s;

    if (!value.p)
        return TIME_NONE;
    if (jwalk_type_of(value) == JWALK_NUMBER)
        return from_double(floor(jwalk_number(value) * 1000.0));
    if (!jwalk_is_text(value) || !jwalk_string(value, tmp, &s) || !event_is_digits(s))
        return TIME_NONE;
    return scale_digits(event_digits_value(s), 1000);
}

/* Of a string. What reads as a time has no escape in it, so that its bytes are its text. */
static bool read_time(struct slice value, struct buf *tmp, int64_t *us, enum time_offset *offset)
{
    struct slice s = {value.p + 1, value.n - 2};

    if (time_read(s.p, s.n, us, offset))
        return true;
    return json_has_backslash(s.p, s.n) && jwalk_unescape(s, tmp, &s) &&
           time_read(s.p, s.n, us, offset);
}

int64_t event_date_time(struct slice value, const struct zone *zone, struct buf *tmp)
{
    enum time_offset offset;
    int64_t us;

    if (!jwalk_is_text(value) || !read_time(value, tmp, &us, &offset))
        return TIME_NONE;
    if (offset != TIME_OFFSET_NUMERIC)
        us = zone_to_utc(zone, us);
    return in_range(us) ? us : TIME_NONE;
}

/* Epoch seconds with or without a fraction, or milliseconds from 12 digits on. */
static int64_t read_epoch_text(struct slice s)
{
    const char *point = memchr(s.p, '.', s.n);
    struct slice whole = {s.p, point ? (size_t)(point - s.p) : s.n};
    int64_t unit = whole.n >= 12 ? 1000 : US_PER_SECOND;
    int64_t us, part = unit;
    size_t i;

    if (!event_is_digits(whole))
        return TIME_NONE;
    us = event_digits_value(whole);
    if (us > TIME_EVENT_MAX / unit)
        return TIME_NONE;
    us *= unit;
    if (point) {
        struct slice fraction = {point + 1, s.n - whole.n - 1};

        if (!event_is_digits(fraction))
            return TIME_NONE;
        for (i = 0; i < fraction.n && part > 1; i++) {
            part /= 10;
            us += part * (fraction.p[i] - '0');
        }
    }
    return in_range(us) ? us : TIME_NONE;
}

int64_t event_received(struct slice value, struct buf *tmp)
{
    enum time_offset offset;
    struct slice s;
    int64_t us;

    if (!value.p)
        return TIME_NONE;
    if (jwalk_type_of(value) == JWALK_NUMBER) {
        double v = jwalk_number(value);

        return from_double(rint(v >= 1e11 ? v * 1e3 : v * 1e6));
    }
    if (!jwalk_is_text(value))
        return TIME_NONE;
    if (read_time(value, tmp, &us, &offset))
        return in_range(us) ? us : TIME_NONE;
    return jwalk_string(value, tmp, &s) ? read_epoch_text(s) : TIME_NONE;
}
