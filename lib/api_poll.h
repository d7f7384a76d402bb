/* api_poll.h - what the parts of source_api share: a poll and its targets. */
#ifndef RECONCILE_API_POLL_H
#define RECONCILE_API_POLL_H

#include "api_answers.h"
#include "api_seen.h"
#include "http.h"
#include "names.h"
#include "source_api.h"

#define API_WINDOW_FROM 20 /* auto asks message by message up to so many */

/* A request of a target that is not answered yet, and the thread of requests
 * it belongs to. */
struct api_ask {
    bool busy;
    uint64_t number;  /* for evidence, from 1 within the target */
    int64_t page;     /* asked for, from 1 */
    uint32_t message; /* number of the id asked for */
    bool foreign;     /* the first page was full, of rows of other messages too */
    unsigned again;   /* how often it was begun again for that */
    unsigned barren;  /* pages in a row that brought no news */
};

/* Paging through findMessages. */
struct api_window {
    struct buf span;    /* the filter of every request, JSON */
    int64_t *read_as;   /* per page, from 0: the total it was last read with; -1: to be read */
    int64_t pages, cap; /* as known now; of read_as */
    int64_t total;      /* as the latest answer told it */
    int64_t next;       /* the page to ask for next, from 1 */
    int64_t distinct;   /* records seen */
    int64_t pages_max;  /* more of them are not read; 0: not known yet */
    int64_t left;       /* requests of a sweep at most */
    int64_t least;      /* the least total during the sweep */
    int64_t swept;      /* the sweep has read the rows before this position, from 0, ... */
    struct {
        int64_t first, end;
    } ahead;             /* ... and these behind it */
    unsigned round;      /* of reading what has to be read; from 0 */
    unsigned barren;     /* pages in a row that brought no news */
    const char *problem; /* why no more is read; NULL: more is */
    bool clipped;        /* there were more pages than pages_max */
    bool answered;       /* findMessages is known to answer as 2.x does */
    bool sweeping;       /* page by page, in order */
};

enum api_stage { API_STAGE_WINDOW, API_STAGE_MESSAGE, API_STAGE_DONE };

/* An instance being polled. */
struct api_target {
    const struct api_instance *instance;
    uint32_t index;
    enum api_stage stage;
    struct names ids; /* the messages asked about */
    bool *found;      /* per id: findMessages knows it */
    uint32_t unfound;
    unsigned char *told;   /* per id: a bit for each enum status_meaning it was told to have */
    uint64_t news;         /* counts what of found and told became true: progress */
    bool endless;          /* findStatusMessage had full pages without any for too long */
    int64_t first, last;   /* µs: the span they were sent in */
    struct buf url;        /* of the stage's requests */
    struct api_ask *ask;   /* as many as there are connections */
    unsigned busy;         /* of them */
    uint64_t requests;     /* numbers given out */
    uint32_t next_message; /* id to ask for next */
    struct api_seen seen;  /* records and rows read before */
    struct api_window window;
};

struct api_poll {
    struct api_options o; /* with the defaults filled in */
    struct api_sink sink;
    struct event_counts *statuses;
    struct http *http;
    struct buf base; /* URL */
    struct api_target *target;
    uint32_t targets;
    int64_t observed;                         /* µs: when the answer being read came */
    struct buf id, status, tmp, json, struck; /* scratch */
};

/* Asks for a page; "where" is JSON. The ask must be one of the target's, and free. */
int api_post(struct api_poll *p, struct api_target *t, struct api_ask *a, struct slice where,
             struct err *e);
struct api_ask *api_free_ask(const struct api_poll *p, struct api_target *t); /* NULL: none */

/* Turns to an endpoint, "findMessages". */
int api_set_url(struct api_poll *p, struct api_target *t, const char *endpoint, struct err *e);

/* A status of a message that was asked about; time TIME_NONE: now, about. */
int api_learn(struct api_poll *p, struct api_target *t, uint32_t id, struct slice status,
              int64_t time, uint64_t request, struct err *e);

/* What was to be learned of a message by an answer has been. */
int api_answered(struct api_poll *p, struct api_target *t, uint32_t id, struct err *e);

/* The target is through with its stage: the next, or the end. problem: why not all of the
 * window was read; NULL: it was. */
int api_window_ended(struct api_poll *p, struct api_target *t, const char *problem, struct err *e);
int api_message_ended(struct api_poll *p, struct api_target *t, struct err *e);

/* A stage: begins, and takes an answer with status 2xx. ended() is called from
 * within once nothing is left to ask. */
int api_window_begin(struct api_poll *p, struct api_target *t, struct err *e);
enum http_verdict api_window_answer(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                    struct slice body, struct buf *why, struct err *e);
void api_window_release(struct api_window *w);
int api_message_begin(struct api_poll *p, struct api_target *t, struct err *e);
enum http_verdict api_message_answer(struct api_poll *p, struct api_target *t, struct api_ask *a,
                                     struct slice body, struct buf *why, struct err *e);

#endif
