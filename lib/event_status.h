/* event_status.h - what a raw status says, whoever sent it: a webhook's update
 * or a record of Evolution's API (docs/semantics.md 2).
 */
#ifndef RECONCILE_EVENT_STATUS_H
#define RECONCILE_EVENT_STATUS_H

#include "event.h"

/* Reads a status, a value of a JSON text known to be whole (jwalk.h); an absent
 * one is unknown. Adds it to counts->raw_statuses, and to unnamed_codes. tmp is
 * scratch. -1: no memory. */
int event_status_read(struct slice value, const struct event_options *o,
                      struct event_counts *counts, struct buf *tmp, enum status_meaning *what);

#endif
