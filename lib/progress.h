/* progress.h - how far a run is, told while it goes on.
 *
 * Whoever does the work counts; a thread of its own looks at the counts now and
 * then and shows them: on a terminal as its last line, elsewhere line by line.
 * Counting is a relaxed atomic addition, meant for each buffer and not for each
 * byte. Every function takes NULL for nobody who wants to know.
 */
#ifndef RECONCILE_PROGRESS_H
#define RECONCILE_PROGRESS_H

#include "buf.h"

#include <stdbool.h>
#include <stdint.h>

enum progress_mode { PROGRESS_AUTO, PROGRESS_ALWAYS, PROGRESS_NEVER };

/* What goes on, what is done of it, and what else is counted. */
enum progress_stage {
    PROGRESS_NOTHING,
    PROGRESS_READING,  /* bytes of archives as stored; records */
    PROGRESS_DECIDING, /* rows */
    PROGRESS_ASKING,   /* rows that nobody has to be asked about any more; requests */
    PROGRESS_WRITING   /* corrections tried; batches committed */
};

struct progress;

/* Starts to show what is counted. NULL: nothing is to be shown - never; auto and
 * stderr is no terminal that can move its cursor, or plain is false - or no
 * thread could be started. plain: what is said on stderr is text for a person.
 * Before that, nothing is counted. */
struct progress *progress_new(enum progress_mode mode, bool plain);

/* Takes the line away, or tells how far the last stage came. */
void progress_free(struct progress *p);

/* A stage begins. total: of what is done in it; 0: not known. */
void progress_begin(struct progress *p, enum progress_stage stage, uint64_t total);

/* From any thread. */
void progress_add(struct progress *p, uint64_t done, uint64_t more);
void progress_set(struct progress *p, uint64_t done, uint64_t more);
void progress_set_more(struct progress *p, uint64_t more);

/* A moment of a stage. */
struct progress_moment {
    enum progress_stage stage;
    uint64_t done, total, more;
    double seconds; /* since it began */
};

/* Appends what is shown of it: "reading 1.2 of 4.5 GiB (26%), 812,345
 * records/s, 45 s left". */
void progress_put(struct buf *b, const struct progress_moment *m);

#endif
