/* source_api.h - Evolution's HTTP API -> status events (docs/semantics.md 7,
 * docs/domain.md 3).
 *
 * Whatever a server answers, an instance comes to an end, for want of progress:
 * - `window` reads each page once, and again only where the total changed
 *   meanwhile or records that it counts were not shown. That is one request per
 *   page where nothing moves. No more than twice the pages that were told of
 *   first are read at a time, and 16 more; and no further where 1000 pages in a
 *   row held none of the messages still looked for.
 * - `message` pages on while answers are full and bring rows not read before, but
 *   no further where 100 pages in a row told nothing new of a message asked
 *   about; from then on one page is read for each message.
 * An instance that was stopped so is API_INCOMPLETE, unless each of its messages
 * was found, or `auto` asked for them one by one.
 *
 * Instances are polled side by side over one pool of connections; each is
 * reported as soon as it is finished, so that what was learned can be applied
 * while the others go on. Single-threaded: the callbacks run inside
 * source_api_poll. Time spent in them counts against no retry time.
 */
#ifndef RECONCILE_SOURCE_API_H
#define RECONCILE_SOURCE_API_H

#include "event.h"
#include "progress.h"

#include <signal.h>

enum api_strategy {
    API_AUTO,   /* window for more than 20 messages where findMessages answers as 2.x does */
    API_WINDOW, /* page findMessages over the span of the messages: 2.x */
    API_MESSAGE /* ask findStatusMessage once a message: 1.x and 2.x */
};

/* Of --help; where a field below is 0, these hold. */
#define API_CONNECTIONS 8
#define API_PAGE_SIZE 500
#define API_REQUEST_TIMEOUT (30 * US_PER_SECOND)
#define API_CONNECT_TIMEOUT (10 * US_PER_SECOND)
#define API_ANSWER_MAX ((size_t)64 << 20) /* bytes */

/* How the polling of an instance ended. */
enum api_end {
    API_ASKED,      /* all was asked and answered */
    API_INCOMPLETE, /* all was asked, but its answers had no end or were not all there */
    API_GIVEN_UP    /* nothing more is asked of it */
};

struct api_options {
    const char *url;    /* http(s)://[user:password@]host[:port][/path] */
    const char *key;    /* sent as header apikey, never shown; the caller wipes its own copy */
    const char *cacert; /* a file of certificates to trust instead of the system's; NULL: those */
    enum api_strategy strategy;
    unsigned connections;        /* requests under way at once, over all */
    unsigned page_size;          /* rows asked for at once */
    double rate;                 /* requests per second at most, over all; 0: no limit */
    int64_t connect_timeout;     /* µs, of a request */
    int64_t request_timeout;     /* µs, of a request as a whole */
    int64_t retry_time;          /* µs a request is tried again within; 0: never */
    size_t answer_max;           /* bytes of an answer, decompressed */
    struct event_options events; /* the dialect of numeric statuses; the zone is not used */
    int64_t now;                 /* µs, of the run: where the span of unsent messages ends */
    struct progress *progress;   /* told of the requests; NULL: nobody is */
    const volatile sig_atomic_t *interrupted; /* non-zero: stop and fail; may be NULL */
};

/* One instance; the texts are not copied. */
struct api_instance {
    struct slice name;     /* as evidence and messages call it */
    struct slice url_name; /* as the URL calls it, not yet percent-encoded */
};

/* One message asked about at one instance. The same may be asked about at
 * several, and twice at one, which is asked once. */
struct api_message {
    uint32_t instance;       /* index of the instances */
    struct slice message_id; /* copied; an empty one is not asked about */
    int64_t sent_at;         /* µs; TIME_NONE: NULL */
    int64_t created_at;      /* µs; read only where sent_at is NULL: it was sent between then and
                              * now. TIME_NONE: unknown. */
};

/* Where it goes; each returns 0, or -1 with *e filled, which ends the poll. */
struct api_sink {
    /* A status of a message that was asked about at that instance. ev->instance
     * is the instance's name; approximate times are the moment of observation.
     * request: the number of the request it came with, from 1 per instance, the
     * same for every try. Slices live until it returns. */
    int (*event)(void *ctx, uint32_t instance, const struct event *ev, uint64_t request,
                 struct err *e);
    /* An answer about a message has been told whole by `event`, nothing included.
     * Called again where it is told of again, as by a page that moved. May be NULL. */
    int (*answered)(void *ctx, uint32_t instance, struct slice message_id, struct err *e);
    /* The instance is finished, once for each. Unless it is API_ASKED there is a
     * reason ("instance "x": gave up after 120 s: ..."); what was learned before
     * stays. One whose name cannot be in a URL ("", "..") is given up before it is
     * asked. */
    int (*done)(void *ctx, uint32_t instance, enum api_end end, const char *reason, struct err *e);
    void *ctx;
};

struct api_counts {
    uint64_t requests;        /* sent, retries included */
    uint64_t requests_failed; /* of these, those whose answer could not be used */
};

/* Polls all instances, then returns 0, given up or not. -1: options that cannot
 * be (EXIT_USAGE), no memory, a callback failed, or "interrupted"; done has then
 * not been called for those still under way.
 *
 * Adds to *counts and to *statuses. In the latter an update is a status of a
 * message asked about: updates = status_events + ignored + unknown_status;
 * records and bodies are not touched. */
int source_api_poll(const struct api_options *o, const struct api_instance *instance, uint32_t n,
                    const struct api_message *message, size_t messages, const struct api_sink *sink,
                    struct api_counts *counts, struct event_counts *statuses, struct err *e);

/* "libcurl 7.88.1", of the library in use. */
void source_api_library_version(char *out, size_t size);

#endif
