/* api_answers.h - what Evolution answers (docs/domain.md 3). A part of source_api.
 *
 * Answers are told apart by their shape, never by a version. Pure; slices
 * point into the answer, or into the caller's scratch.
 */
#ifndef RECONCILE_API_ANSWERS_H
#define RECONCILE_API_ANSWERS_H

#include "buf.h"
#include "slice.h"

#include <stdint.h>

/* Rows of an answer, with their updates: each is looked at, and an answer of the
 * largest size holds fewer that say anything. */
#define API_ELEMENTS_MAX ((size_t)1000000)

enum api_shape {
    API_PAGE,    /* findMessages of 2.x: {"messages": {"total", "pages", "records": [...]}} */
    API_ROWS,    /* an array: findStatusMessage, and findMessages of 1.x */
    API_STRANGE, /* JSON of another kind */
    API_CROWDED, /* a page or rows of more than API_ELEMENTS_MAX elements */
    API_NO_JSON  /* none at all, or cut off */
};

/* A page or rows. */
struct api_answer {
    struct slice rows; /* the array; p NULL: neither page nor rows */
    int64_t total;     /* of a page: the rows of all pages, at that moment */
    int64_t pages;     /* of a page: how many there are; -1: not told */
};

enum api_shape api_answer_read(struct slice body, struct api_answer *a);

/* What is wrong with an answer of another shape than `wanted`; NULL: nothing. */
const char *api_shape_problem(enum api_shape shape, enum api_shape wanted);

/* A record of findMessages: one message. */
struct api_record {
    struct slice message_id; /* p NULL: none */
    struct slice row_id;     /* Evolution's own id of the record, as JSON; p NULL: none */
    struct slice updates;    /* array; p NULL: none */
};

/* A row of findStatusMessage: one status of one message. */
struct api_row {
    struct slice message_id; /* p NULL: none */
    struct slice status;     /* as JSON, never null; p NULL: none */
    int64_t time;            /* µs; TIME_NONE: 2.x tells none */
};

/* Each reads an element of rows, or of updates. An element that is no object
 * gives one without any id or status. False without memory; id and tmp are
 * scratch, the message id may lie in id. */
bool api_record_read(struct slice element, struct buf *id, struct api_record *r);
bool api_row_read(struct slice element, struct buf *id, struct buf *tmp, struct api_row *r);
struct slice api_update_status(struct slice element);

/* Appends the server's own words about an error, however long, as what is secret
 * in them can be found in the whole only; nothing where it has none. False
 * without memory. */
bool api_error_text(struct slice body, struct buf *out);

#endif
