/* metrics.h - the numbers of a run for Prometheus: a file in its text format,
 * for the textfile collector of node_exporter (docs/formats.md, "Metrics").
 *
 * Gauges are of the run that has just ended; counters add all runs up that
 * wrote to the same file, which is read for that first.
 */
#ifndef RECONCILE_METRICS_H
#define RECONCILE_METRICS_H

#include "run.h"

struct metrics {
    const char *tool;      /* "reconcile poll" */
    const struct run *run; /* NULL: none began */
    bool whole;            /* it came to its end, or to a refusal: what it found is all there is */
    int status;            /* its exit status */
    int64_t ended_at;      /* µs */
    double seconds;        /* it took so long */
};

/* Appends the metrics. before: what the file held until now; "": nothing. */
void metrics_put(struct buf *b, const struct metrics *m, const char *before);

/* Before anything is done: does the file hold the series of another tool? EXIT_USAGE
 * naming it and the tool. What else may be wrong with it is left to metrics_write. */
int metrics_check(const char *path, const char *tool, struct err *e);

/* Replaces the file, mode 0644 whatever the umask is. A file that is not one of
 * metrics, or holds another tool's, is left as it is: EXIT_FAILED naming it. */
int metrics_write(const char *path, const struct metrics *m, struct err *e);

#endif
