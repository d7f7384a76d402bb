/* event.h - a record's JSON -> status events (docs/semantics.md 1 "unwrap", 2).
 *
 * Nothing is allocated per event: one reader per thread keeps its scratch.
 */
#ifndef RECONCILE_EVENT_H
#define RECONCILE_EVENT_H

#include "buf.h"
#include "clock.h"
#include "err.h"
#include "slice.h"
#include "status.h"
#include "tally.h"

#include <stdbool.h>
#include <stdint.h>

#define EVENT_ID_MAX 255 /* bytes of a message id */
#define EVENT_DESCENTS 4 /* wrappers and arrays around a body at most */

/* One status update of one message. */
struct event {
    struct slice instance;    /* as given; may be empty */
    struct slice message_id;  /* 1 to 255 bytes without NUL */
    struct slice error;       /* failed only; p NULL: none */
    int64_t time;             /* µs UTC */
    int64_t lag;              /* received time - date_time, µs; TIME_NONE unless both were read */
    enum status_meaning what; /* sent, delivered, read, failed or pending */
    bool approximate;         /* time is the archive's own */
};

enum reject {
    REJECT_INVALID_JSON,
    REJECT_TOO_LARGE,
    REJECT_MISSING_FIELD,
    REJECT_UNKNOWN_STATUS,
    REJECT_COUNT
};

const char *reject_name(enum reject r); /* "missing_field" */

/* What a run read. The sums of docs/formats.md hold. */
struct event_counts {
    uint64_t records, bodies, updates, status_events, ignored;
    uint64_t rejected[REJECT_COUNT];
    uint64_t unnamed_codes;    /* statuses 4 and 5 while no dialect was named */
    uint64_t unnamed_numbers;  /* statuses in numbers then, those two included */
    struct tally raw_statuses; /* every status that was looked at */
};

int event_counts_merge(struct event_counts *into, const struct event_counts *from);
void event_counts_release(struct event_counts *c);

struct event_options {
    enum status_codes codes;
    bool codes_named;
    const struct zone *date_time_zone; /* of a date_time with Z or without offset */
};

/* Where events and rejected parts go; each returns 0, or -1 with *e filled. The
 * slices live until it returns. detail names the field. */
struct event_sink {
    int (*event)(void *ctx, const struct event *ev, struct err *e);
    int (*reject)(void *ctx, enum reject why, const char *detail, struct err *e);
    void *ctx;
};

struct event_reader;

struct event_reader *event_reader_new(const struct event_options *o); /* NULL: no memory */
void event_reader_free(struct event_reader *r);

/* Reads one record, a JSON object known to be whole (jsonscan.h). mtime is the
 * archive's own time, the last resort. Counts into *counts what a record can
 * become, `records` aside. -1: a sink failed or no memory. */
int event_read(struct event_reader *r, struct slice record, int64_t mtime,
               struct event_counts *counts, const struct event_sink *sink, struct err *e);

/* The fast way, for most records. event_look finds a record's end and what of
 * it matters in one pass: text begins with '{' and is followed, wherever it
 * ends, by EVENT_MARGIN NULs. It returns the record's length, or 0: not simple
 * enough, or cut short; then jsonscan_feed and event_read are the way. */
#define EVENT_MARGIN 64
size_t event_look(struct event_reader *r, const char *text);

/* As event_read, of the record that event_look has just found, which must
 * still be where it was. */
int event_read_seen(struct event_reader *r, int64_t mtime, struct event_counts *counts,
                    const struct event_sink *sink, struct err *e);

#endif
