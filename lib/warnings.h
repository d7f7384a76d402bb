/* warnings.h - what a run has to say besides numbers: told on stderr at once
 * and kept for the report.
 */
#ifndef RECONCILE_WARNINGS_H
#define RECONCILE_WARNINGS_H

#include "arena.h"
#include "slice.h"

struct warnings {
    struct arena arena;
    struct slice *text; /* in order */
    size_t n, cap;
    bool lost;    /* one could not be kept: no memory */
    bool refused; /* some of them refuse to write */
};

#define WARNINGS_INIT                                                                              \
    {                                                                                              \
        ARENA_INIT, NULL, 0, 0, false, false                                                       \
    }

void warnings_add(struct warnings *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Only keeps a text for the report that has been told already. */
void warnings_keep(struct warnings *w, const char *text);

/* Sorts by their bytes those that came from number `from` on. */
void warnings_sort(struct warnings *w, size_t from);

/* A reason not to write: with `apply` an error, in a dry run a warning of what
 * --apply would refuse. */
void warnings_refuse(struct warnings *w, bool apply, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

void warnings_release(struct warnings *w);

#endif
