/* http.h - JSON posted to one HTTP service, many requests at a time; the only
 * user of libcurl.
 *
 * Requests belong to groups (here: an instance each). What may heal is tried
 * again (http_retry.h); what cannot, or does not in time, gives its whole group
 * up: the group's other requests are dropped, other groups go on. The key goes
 * into one header and nowhere else. Single-threaded.
 */
#ifndef RECONCILE_HTTP_H
#define RECONCILE_HTTP_H

#include "buf.h"
#include "err.h"
#include "slice.h"

#include <signal.h>
#include <stdint.h>

struct http_options {
    const char *key;         /* of the header apikey */
    const char *cacert;      /* file of certificates to trust; NULL: the system's */
    unsigned connections;    /* requests under way at once */
    uint32_t groups;         /* 0 .. groups-1 */
    double rate;             /* requests per second; 0: no limit */
    int64_t connect_timeout; /* µs */
    int64_t request_timeout; /* µs */
    int64_t retry_time;      /* µs */
    size_t answer_max;       /* bytes of an answer, decompressed */
    const volatile sig_atomic_t *interrupted; /* may be NULL */
};

struct http_request {
    uint32_t group;
    uint64_t tag;      /* the caller's */
    const char *url;   /* copied */
    struct slice body; /* JSON; copied */
};

struct http_answer {
    uint32_t group;
    uint64_t tag;
    long status;
    struct slice body; /* lives until the callback returns */
};

enum http_verdict {
    HTTP_TAKEN,      /* the request is done with */
    HTTP_UNREADABLE, /* no sense can be made of it: try again */
    HTTP_UNUSABLE,   /* nor will it ever: give the group up */
    HTTP_FAILED      /* *e is filled: end it all */
};

/* Both may submit further requests, of a group that is not given up. */
struct http_sink {
    /* An answer with a status that ends the request: 2xx, or one that would give
     * the group up (unless it is TAKEN). Appends the reason for a person to *why. */
    enum http_verdict (*answer)(void *ctx, const struct http_answer *a, struct buf *why,
                                struct err *e);
    /* Once for a group; nothing of it will be answered any more. */
    int (*given_up)(void *ctx, uint32_t group, const char *reason, struct err *e);
    void *ctx;
};

struct http_counts {
    uint64_t requests; /* begun, every try */
    uint64_t failed;   /* of these: no answer, one to try again, or one that gave a group up */
};

struct http;

/* A key or file that cannot be used is EXIT_USAGE. */
int http_open(struct http **h, const struct http_options *o, const struct http_sink *sink,
              struct err *e);
void http_close(struct http *h); /* h may be NULL; wipes the key */

int http_submit(struct http *h, const struct http_request *r, struct err *e);

/* Returns when nothing is left to do. -1: a callback failed, no memory, or
 * "interrupted", within a tenth of a second. */
int http_run(struct http *h, struct err *e);

const struct http_counts *http_counts(const struct http *h);

void http_library_version(char *out, size_t size); /* "libcurl 7.88.1", of the library in use */

#endif
