/* event_time.h - the times that webhooks carry (docs/semantics.md 1, 2).
 *
 * Each takes a value of a JSON text known to be whole (jwalk.h), or one that
 * is absent, and gives microseconds UTC, or TIME_NONE where it cannot be read
 * or lies outside the range of an event's time. tmp is scratch.
 */
#ifndef RECONCILE_EVENT_TIME_H
#define RECONCILE_EVENT_TIME_H

#include "buf.h"
#include "clock.h"
#include "slice.h"

/* An update's datetime: epoch milliseconds, a number or digits. */
int64_t event_datetime(struct slice value, struct buf *tmp);

/* A body's date_time, whose Z is not to be believed: without a numeric offset
 * it is read in `zone`. */
int64_t event_date_time(struct slice value, const struct zone *zone, struct buf *tmp);

/* A capture envelope's time: RFC 3339 (without offset: UTC), epoch seconds, or
 * milliseconds from 12 digits on; text or number. */
int64_t event_received(struct slice value, struct buf *tmp);

bool event_is_digits(struct slice s);       /* ASCII digits, at least one */
int64_t event_digits_value(struct slice s); /* INT64_MAX where it is larger */

#endif
