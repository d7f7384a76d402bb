/* clock.h - time: reading, writing, zones, and a replaceable now.
 *
 * A time is an int64_t of microseconds since 1970-01-01T00:00:00Z, leap
 * seconds not counted. TIME_NONE stands for no time at all.
 */
#ifndef RECONCILE_CLOCK_H
#define RECONCILE_CLOCK_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TIME_NONE INT64_MIN
#define US_PER_SECOND INT64_C(1000000)
#define TIME_TEXT_SIZE 40 /* bytes that time_format needs */

/* docs/semantics.md 2: the range outside of which an event's time is unreadable. */
#define TIME_EVENT_MIN INT64_C(1230768000000000) /* 2009-01-01T00:00:00Z */
#define TIME_EVENT_MAX INT64_C(4133980799999999) /* 2100-12-31T23:59:59.999999Z */

/* Now. RECONCILE_NOW in the environment (RFC 3339) replaces the system's
 * clock, so that a test or an auditor can repeat a run of another day. */
int64_t clock_now(void);

int64_t clock_system(void); /* now, whatever RECONCILE_NOW says */

/* Seconds that only go forward, for pauses and progress. */
double clock_monotonic(void);

enum time_offset {
    TIME_OFFSET_NUMERIC, /* +hh:mm or +hhmm, already applied */
    TIME_OFFSET_Z,       /* Z or z */
    TIME_OFFSET_NONE     /* nothing */
};

/* Reads the n bytes at s as RFC 3339 in the way of docs/semantics.md 2: lower
 * case t and z, a space for T, +-hhmm, second 60 as 59, fraction cut to
 * microseconds, offset optional. All n bytes must belong to it. With no
 * numeric offset *us is what the fields say read as UTC. Does not judge the
 * range. False where it cannot be read. */
bool time_read(const char *s, size_t n, int64_t *us, enum time_offset *offset);

/* As 2026-11-01T12:00:00.000000Z, always six decimals; returns out. */
char *time_format(int64_t us, char out[TIME_TEXT_SIZE]);

/* Reads an age, digits and s, m, h or d ("36h"; 0 needs no unit), into microseconds. */
bool age_read(const char *s, int64_t *us);

/* A time zone of the system's database as a table of offsets: immutable, so
 * any number of threads may read it. NULL is UTC. */
struct zone;

/* Loads an IANA name ("UTC" needs no database and gives NULL). On failure
 * EXIT_USAGE, the message naming the zone. To be called before threads start:
 * it sets TZ for a moment. */
int zone_load(struct zone **z, const char *name, struct err *e);
void zone_free(struct zone *z);

/* The UTC time of a local time given as if it were UTC. One that occurs twice
 * is the earlier, one that does not exist is moved by the gap. */
int64_t zone_to_utc(const struct zone *z, int64_t local);

/* The local time of a UTC time, as if it were UTC. */
int64_t zone_from_utc(const struct zone *z, int64_t us);

/* An option's point in time: RFC 3339 (no offset: in `zone`), a date (its
 * midnight in `zone`) or an age before `now`. False where it is none. */
bool time_option(const char *s, const struct zone *zone, int64_t now, int64_t *us);

#endif
