/* http_queue.h - requests that wait for their turn, as a heap. A part of http. */
#ifndef RECONCILE_HTTP_QUEUE_H
#define RECONCILE_HTTP_QUEUE_H

#include "http_slot.h"

struct http_queue {
    struct http_job **job; /* the one that is due first comes first */
    size_t n, cap;
    uint64_t turns; /* given out */
};

/* due: µs of the engine's clock. Takes the job over, freed on failure. */
int http_queue_add(struct http_queue *q, struct http_job *j, int64_t due, struct err *e);

struct http_job *http_queue_take(struct http_queue *q); /* there must be one */
void http_queue_drop_group(struct http_queue *q, uint32_t group);
void http_queue_release(struct http_queue *q);

#endif
