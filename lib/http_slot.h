/* http_slot.h - one of the requests that are under way: a libcurl handle, used
 * again and again, and the answer as it comes in. A part of http.
 */
#ifndef RECONCILE_HTTP_SLOT_H
#define RECONCILE_HTTP_SLOT_H

#include "http.h"

#include <curl/curl.h>

/* A request that is not done with. */
struct http_job {
    uint32_t group;
    uint64_t tag;
    uint64_t turn; /* of equally due jobs the least goes first */
    int64_t due;   /* not to be tried before; µs of the engine's clock */
    int64_t began; /* the first try; TIME_NONE: not yet */
    unsigned tries;
    char *url;
    size_t n; /* bytes of the body */
    char *body;
};

struct http_slot {
    CURL *easy;
    struct http_job *job; /* under way; NULL: free */
    struct buf answer;
    bool too_large, no_memory; /* why the answer was cut off by ourselves */
    bool held;                 /* nobody looked at the connection for a while */
    char retry_after[64];      /* that header of the answer; "": it has none */
    char error[CURL_ERROR_SIZE];
};

/* headers must outlive the slot. */
int http_slot_init(struct http_slot *s, const struct http_options *o, struct curl_slist *headers,
                   struct err *e);
void http_slot_release(struct http_slot *s);

/* Makes the handle ready for a job. */
int http_slot_load(struct http_slot *s, struct http_job *job, struct err *e);

/* Takes the job out and drops what large memory its answer took. */
struct http_job *http_slot_unload(struct http_slot *s);

/* What ended the transfer, in libcurl's words; one line. */
const char *http_slot_error(const struct http_slot *s, CURLcode code);

void http_job_free(struct http_job *j);

#endif
