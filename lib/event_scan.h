/* event_scan.h - the fast way through a record: one walk that proves the text
 * whole and notes the members that docs/semantics.md 1 "unwrap" and 2 ask for.
 *
 * It accepts less than jsonscan.h does: whatever it does not know to be simple
 * it leaves alone, to be read by jsonscan and jwalk. What it accepts, it reads
 * exactly as they do. Values are slices of the text, quotes included.
 */
#ifndef RECONCILE_EVENT_SCAN_H
#define RECONCILE_EVENT_SCAN_H

#include "event.h"

#include <stdint.h>

/* Members of an object that may be a body or a wrapper of one. */
enum event_member {
    E_EVENT,
    E_DATA,
    E_BODY, /* the wrappers, in the order in which they are looked for */
    E_PAYLOAD,
    E_REQUEST_BODY,
    E_MESSAGE,
    E_TIMES, /* received_at @timestamp timestamp time time_iso8601 ts msec, in this order */
    E_UNWRAP = E_TIMES + 7, /* those before are the wrapper's, those from here on the body's */
    E_INSTANCE = E_UNWRAP,
    E_DATE_TIME,
    E_ERROR,
    E_COUNT
};

/* Members of a status update. */
enum update_member {
    U_KEY,
    U_KEYID,
    U_ID,
    U_MESSAGEID,
    U_UPDATE,
    U_STATUS,
    U_DATETIME,
    U_OWNER,
    U_ERROR,
    U_OUTER,            /* those before are its own */
    U_KEY_ID = U_OUTER, /* key.id */
    U_INNER_STATUS,     /* update.status */
    U_INNER_ERROR,      /* update.error */
    U_COUNT
};

struct event_update {
    struct slice found[U_COUNT]; /* p NULL: absent */
};

struct event_object {
    struct slice found[E_COUNT];          /* p NULL: absent */
    const struct event_object *inside[4]; /* E_BODY .. E_MESSAGE, where it is an object */
    const struct event_update *update;    /* what data is or holds */
    uint32_t updates;
    bool walked; /* inside and update are known */
};

#define EVENT_SCAN_OBJECTS 6
#define EVENT_SCAN_UPDATES 24

/* A record's objects, the outermost first. Points into the text. */
struct event_scan {
    struct event_object object[EVENT_SCAN_OBJECTS];
    struct event_update update[EVENT_SCAN_UPDATES];
    uint32_t objects, updates;
};

/* Walks the text, whose first byte is '{' and behind whose last there are
 * EVENT_MARGIN NULs. Returns the object's length, or 0 where it is not
 * simple: broken or cut, deep, with an escape in a key or one of the members
 * twice, and more. */
size_t event_scan(struct event_scan *s, const char *text);

/* The same for the processors that the name says. The second is there only in
 * builds for x86-64. */
size_t event_scan_base(struct event_scan *s, const char *text);
size_t event_scan_avx2(struct event_scan *s, const char *text);

const char *event_scan_name(void); /* "AVX2": what event_scan uses; static */

#endif
