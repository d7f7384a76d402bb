/* http_retry.h - whether a request is tried again, and when (docs/semantics.md 7).
 *
 * Pure: what happened, how long it has been going on and a random number in, a
 * decision out. All times are µs.
 */
#ifndef RECONCILE_HTTP_RETRY_H
#define RECONCILE_HTTP_RETRY_H

#include <stdbool.h>
#include <stdint.h>

struct http_policy {
    int64_t retry_time;   /* no try begins later than this after the first began; 0: one try */
    int64_t first_wait;   /* after the first failure, at most; then twice as long each time */
    int64_t longest_wait; /* the most it grows to; Retry-After may ask for more */
};

/* A try that has ended. */
struct http_try {
    int curl;            /* CURLcode of the transfer */
    long status;         /* of HTTP; counts where curl is CURLE_OK */
    bool unreadable;     /* the answer came, but made no sense */
    int64_t retry_after; /* what the server asked for; 0 or less: nothing */
    unsigned tries;      /* so far, this one included */
    int64_t elapsed;     /* since the first one began */
    double jitter;       /* random, 0 <= jitter < 1 */
};

/* Reads what a Retry-After says: seconds, or a date as HTTP writes it; now: µs. How
 * long that is, HTTP_WAIT_MAX where it is longer; 0: nothing, or gone by. */
#define HTTP_WAIT_MAX (INT64_C(86400) * 366 * 1000000) /* µs */
int64_t http_retry_after(const char *value, int64_t now);

enum http_action {
    HTTP_ACCEPT,  /* there is an answer */
    HTTP_RETRY,   /* after *wait */
    HTTP_GIVE_UP, /* tried for too long, or the server asks for more patience than there is */
    HTTP_REFUSE   /* no later try can turn out better */
};

/* Did an answer come that is not HTTP, or not as much of it as was announced? Of
 * a CURLcode; such a try is worth another. */
bool http_answer_is_garbled(int curl);

enum http_action http_policy_decide(const struct http_policy *p, const struct http_try *t,
                                    int64_t *wait);

#endif
