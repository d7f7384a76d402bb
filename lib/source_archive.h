/* source_archive.h - archives -> evidence: a pool of threads, each of which
 * takes the next archive, reads it and adds what it says to the fold they share.
 */
#ifndef RECONCILE_SOURCE_ARCHIVE_H
#define RECONCILE_SOURCE_ARCHIVE_H

#include "event.h"
#include "fold.h"
#include "gzin.h"
#include "progress.h"
#include "rejects.h"

#include <signal.h>

/* One archive. */
struct archive {
    const char *name;        /* as given; its number in the fold's archives is its index */
    const char *error;       /* why it cannot even be opened; NULL: open it */
    enum gzin_damage damage; /* how it ended */
    char *problem;           /* what was wrong with it, one line; NULL: nothing. Owned. */
    uint64_t bytes_in, bytes_out;
};

/* A message whose events are shown as they go into the fold. */
struct source_watch {
    struct slice message_id;
    /* One call at a time, whatever the number of threads. */
    int (*event)(void *ctx, const struct event *ev, uint32_t archive, uint64_t record,
                 struct err *e);
    void *ctx;
};

struct source_options {
    struct event_options events;
    size_t max_record;                /* bytes */
    unsigned jobs;                    /* threads, at least 1 */
    unsigned told;                    /* rejected parts told one by one: the first so many */
    bool tell_all;                    /* all of them instead, in no certain order */
    int64_t now;                      /* of the run */
    int64_t since, until;             /* event times since <= t < until; TIME_NONE: no bound */
    struct rejects *rejects;          /* where rejected records go; NULL: nowhere */
    const struct source_watch *watch; /* NULL: none */
    struct progress *progress;        /* stored bytes, records; NULL: nobody's */
    const volatile sig_atomic_t *interrupted; /* non-zero: stop and fail */
};

/* Reads all of a[0..n), whose names are f's archives by index. Damage and
 * unreadable archives are told in a[] and are no failure. */
int source_archive_fold(struct archive *a, uint32_t n, const struct source_options *o,
                        struct fold *f, struct event_counts *counts, struct err *e);

#endif
