/* err.h - the error record that every fallible function fills.
 *
 * A function returns 0 on success and -1 on failure, and then has filled the
 * caller's struct err with one line for a person and the exit status that the
 * failure deserves (docs/operations.md, "Exit status").
 */
#ifndef RECONCILE_ERR_H
#define RECONCILE_ERR_H

enum exit_status {
    EXIT_CLEAN = 0,     /* nothing to correct, or all corrected */
    EXIT_DIFFERENT = 1, /* a dry run found something to correct */
    EXIT_USAGE = 2,     /* usage or configuration */
    EXIT_INPUT = 3,     /* some input could not be read or used; the rest was done */
    EXIT_FAILED = 4,    /* failed or refused */
    EXIT_LOCKED = 5,    /* another run holds the lock */
    EXIT_SIGNAL = 128   /* + the signal's number */
};

struct err {
    int status;      /* an exit_status, 0 while nothing failed */
    char text[1024]; /* one line: lower case, no full stop, object and reason named */
};

#define ERR_INIT                                                                                   \
    {                                                                                              \
        0, ""                                                                                      \
    }

/* Fills *e and returns -1, so that a caller can write `return err_set(...)`. */
int err_set(struct err *e, int status, const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* Puts "what: " before the text that is there already; returns -1. */
int err_prefix(struct err *e, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Out of memory: EXIT_FAILED, "out of memory"; returns -1. */
int err_oom(struct err *e);

#endif
