/* http_engine.h - what the engine's files share. A part of http. */
#ifndef RECONCILE_HTTP_ENGINE_H
#define RECONCILE_HTTP_ENGINE_H

#include "http.h"
#include "http_queue.h"
#include "http_retry.h"
#include "http_slot.h"

struct http_group {
    bool given_up;
    int64_t not_before; /* a server asked for patience until then */
};

struct http {
    struct http_options o;
    struct http_sink sink;
    struct http_policy policy;
    struct http_counts counts;
    CURLM *multi;
    struct curl_slist *headers;
    struct buf key;
    struct http_slot *slot;
    unsigned slots, busy;
    struct http_group *group;
    struct http_queue queue;
    int64_t next_send; /* no request before, by the rate */
    int64_t held;      /* µs spent in callbacks, by which the engine's clock is behind */
    uint64_t random;
};

/* Time as the engine lives it, µs: it stands still while a callback runs, so
 * that a batch being written to the database uses up nobody's patience. */
int64_t http_now(const struct http *h);

/* Takes the slot's request out of libcurl's hands. */
void http_stop(struct http *h, struct http_slot *s);

/* Decides what becomes of a transfer that has ended: the callbacks are called
 * from here. */
int http_end_try(struct http *h, struct http_slot *s, CURLcode code, struct err *e);

#endif
