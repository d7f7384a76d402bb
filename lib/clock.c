#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define DAY INT64_C(86400)

int64_t clock_now(void)
{
    const char *replaced = getenv("RECONCILE_NOW");
    enum time_offset offset;
    int64_t us;

    if (replaced && time_read(replaced, strlen(replaced), &us, &offset))
        return us;
    return clock_system();
}

int64_t clock_system(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    return (int64_t)now.tv_sec * US_PER_SECOND + now.tv_nsec / 1000;
}

double clock_monotonic(void)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* Days since 1970-01-01 in the Gregorian calendar. Years begin on 1 March, so that
 * a leap day is the last of its year, and 400 too early, so that none is below 0. */
static inline int64_t days_of(unsigned year, unsigned month, unsigned day)
{
    unsigned y = year + 400 - (month <= 2);
    unsigned day_of_year = (153 * (month > 2 ? month - 3 : month + 9) + 2) / 5 + day - 1;

    return (int64_t)(y * 365 + y / 4 - y / 100 + y / 400 + day_of_year) - 719468 - 146097;
}

static void date_of(int64_t days, int64_t *year, unsigned *month, unsigned *day)
{
    int64_t z = days + 719468;
    int64_t era = (z >= 0 ? z : z - 146096) / 146097;
    unsigned day_of_era = (unsigned)(z - era * 146097);
    unsigned year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
    unsigned day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    unsigned shifted = (5 * day_of_year + 2) / 153;

    *day = day_of_year - (153 * shifted + 2) / 5 + 1;
    *month = shifted < 10 ? shifted + 3 : shifted - 9;
    *year = (int64_t)year_of_era + era * 400 + (*month <= 2);
}

static unsigned days_in_month(unsigned year, unsigned month)
{
    static const unsigned char days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};

    if (month == 2 && year % 4 == 0 && (year % 100 != 0 || year % 400 == 0))
        return 29;
    return days[month - 1];
}

/* Exactly two digits; false for anything else. */
static inline bool two_digits(const char *s, unsigned *value)
{
    unsigned tens = (unsigned char)s[0] - (unsigned)'0';
    unsigned ones = (unsigned char)s[1] - (unsigned)'0';

    *value = tens * 10 + ones;
    return tens <= 9 && ones <= 9;
}

/* Eight bytes, the first of them lowest. */
static inline uint64_t eight_bytes(const char *s)
{
    uint64_t w;

    memcpy(&w, s, sizeof w);
#if __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
    w = __builtin_bswap64(w);
#endif
    return w;
}

/* Reads eight bytes at once that are to look like `form`, which has '0' for a digit. Of
 * each pair of digits the byte of the first becomes their value. False: they do not. */
static inline bool read_form(const char *s, const char form[8], uint64_t *pairs)
{
    const uint64_t each = UINT64_C(0x0101010101010101);
    uint64_t like = eight_bytes(form);
    uint64_t digit = like >> 4 & each & ~(like >> 3); /* '0' has bit 4 but not 3; - and : not so */
    uint64_t w = eight_bytes(s) ^ like;
    /* What a byte may be, 9 or 0, is raised to 0x7f at most: more reaches the bit 0x80. */
    uint64_t raised = w + each * 0x7f - digit * 9;

    *pairs = w * 10 + (w >> 8);
    return ((w | raised) & each * 0x80) == 0;
}

static inline unsigned pair_at(uint64_t pairs, unsigned byte)
{
    return (unsigned)(pairs >> (8 * byte)) & 0xff;
}

static inline bool read_date(const char *s, int64_t *days)
{
    unsigned year, month, day;
    uint64_t pairs;

    if (!read_form(s, "0000-00-", &pairs) || !two_digits(s + 8, &day))
        return false;
    year = pair_at(pairs, 0) * 100 + pair_at(pairs, 2);
    month = pair_at(pairs, 5);
    if (month < 1 || month > 12 || day < 1 || (day > 28 && day > days_in_month(year, month)))
        return false;
    *days = days_of(year, month, day);
    return true;
}

/* hh:mm:ss into seconds of the day. */
static inline bool read_clock(const char *s, int64_t *seconds)
{
    unsigned hour, minute, second;
    uint64_t pairs;

    if (!read_form(s, "00:00:00", &pairs))
        return false;
    hour = pair_at(pairs, 0);
    minute = pair_at(pairs, 3);
    second = pair_at(pairs, 6);
    if (hour > 23 || minute > 59 || second > 60)
        return false;
    *seconds = (int64_t)hour * 3600 + minute * 60 + (second == 60 ? 59 : second);
    return true;
}

/* "", Z, +hh:mm or +hhmm: what has to be taken from the local time, in seconds. */
static bool read_offset(const char *s, size_t n, int64_t *seconds, enum time_offset *offset)
{
    unsigned hours, minutes;

    *seconds = 0;
    *offset = n == 0 ? TIME_OFFSET_NONE : TIME_OFFSET_Z;
    if (n == 0 || (n == 1 && (s[0] | 0x20) == 'z'))
        return true;
    *offset = TIME_OFFSET_NUMERIC;
    if ((s[0] != '+' && s[0] != '-') || (n != 5 && (n != 6 || s[3] != ':')))
        return false;
    if (!two_digits(s + 1, &hours) || !two_digits(s + n - 2, &minutes) || hours > 23 ||
        minutes > 59)
        return false;
    *seconds = (int64_t)hours * 3600 + minutes * 60;
    if (s[0] == '-')
        *seconds = -*seconds;
    return true;
}

/* The digits behind the point at *i, as microseconds; *i is then behind them. */
static inline bool read_fraction(const char *s, size_t n, size_t *i, int64_t *us)
{
    static const int32_t unit[] = {1000000, 100000, 10000, 1000, 100, 10, 1};
    size_t at = *i + 1, first = at;
    unsigned value = 0, digit;

    for (; at < n && at - first < 6 && (digit = (unsigned char)s[at] - (unsigned)'0') <= 9; at++)
        value = value * 10 + digit;
    *us = (int64_t)value * unit[at - first];
    while (at < n && s[at] >= '0' && s[at] <= '9')
        at++;
    *i = at;
    return at > first;
}

bool time_read(const char *s, size_t n, int64_t *us, enum time_offset *offset)
{
    int64_t days, seconds, east, fraction = 0;
    size_t i = 19;

    if (n < 19 || !read_date(s, &days) || ((s[10] | 0x20) != 't' && s[10] != ' ') ||
        !read_clock(s + 11, &seconds))
        return false;
    if (i < n && s[i] == '.' && !read_fraction(s, n, &i, &fraction))
        return false;
    if (!read_offset(s + i, n - i, &east, offset))
        return false;
    *us = (days * DAY + seconds - east) * US_PER_SECOND + fraction;
    return true;
}

static char *put_digits(char *p, unsigned value, int digits)
{
    for (int i = digits - 1; i >= 0; i--, value /= 10)
        p[i] = (char)('0' + value % 10);
    return p + digits;
}

char *time_format(int64_t us, char out[TIME_TEXT_SIZE])
{
    int64_t day_us = DAY * US_PER_SECOND;
    int64_t days = us / day_us - (us % day_us < 0);
    int64_t rest = us % day_us + (us % day_us < 0 ? day_us : 0);
    unsigned second = (unsigned)(rest / US_PER_SECOND);
    unsigned month, day;
    int64_t year;
    char *p = out;

    date_of(days, &year, &month, &day);
    if (year >= 0 && year <= 9999)
        p = put_digits(p, (unsigned)year, 4);
    else
        p += snprintf(p, 12, "%d", (int)year);
    *p++ = '-';
    p = put_digits(p, month, 2);
    *p++ = '-';
    p = put_digits(p, day, 2);
    *p++ = 'T';
    p = put_digits(p, second / 3600, 2);
    *p++ = ':';
    p = put_digits(p, second / 60 % 60, 2);
    *p++ = ':';
    p = put_digits(p, second % 60, 2);
    *p++ = '.';
    p = put_digits(p, (unsigned)(rest % US_PER_SECOND), 6);
    *p++ = 'Z';
    *p = '\0';
    return out;
}

bool age_read(const char *s, int64_t *us)
{
    int64_t value = 0, unit;

    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(value, 10, &value) ||
            __builtin_add_overflow(value, *s - '0', &value))
            return false;
    switch (*s) {
    case 's':
        unit = 1;
        break;
    case 'm':
        unit = 60;
        break;
    case 'h':
        unit = 3600;
        break;
    case 'd':
        unit = DAY;
        break;
    case '\0':
        *us = 0;
        return value == 0;
    default:
        return false;
    }
    return s[1] == '\0' && !__builtin_mul_overflow(value, unit * US_PER_SECOND, us);
}

bool time_option(const char *s, const struct zone *zone, int64_t now, int64_t *us)
{
    size_t n = strlen(s);
    enum time_offset offset;
    int64_t read;

    if (age_read(s, &read))
        return !__builtin_sub_overflow(now, read, us);
    if (n == 10 && read_date(s, &read)) {
        *us = zone_to_utc(zone, read * DAY * US_PER_SECOND);
        return true;
    }
    if (!time_read(s, n, &read, &offset))
        return false;
    *us = offset == TIME_OFFSET_NONE ? zone_to_utc(zone, read) : read;
    return true;
}
