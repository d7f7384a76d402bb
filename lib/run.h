/* run.h - everything a run found out, as the reports show it
 * (docs/formats.md, "JSON report"). Filled by pipeline.c and apply.c, only read
 * by report.c.
 */
#ifndef RECONCILE_RUN_H
#define RECONCILE_RUN_H

#include "apply.h"
#include "buf.h"
#include "event.h"

struct run_input {
    uint64_t archives, archives_damaged,
        archives_growing;             /* damaged: truncated, corrupt, unreadable */
    uint64_t bytes_compressed, bytes; /* as stored, as read */
    struct event_counts events;
    uint64_t requests, requests_failed; /* of a poll */
};

struct run_messages {
    uint64_t distinct, used, matched, not_campaign_message, ambiguous, instance_mismatch;
    uint64_t requeued, deferred, unsettled_not_asked;
    uint64_t already_processed, updated, updated_without_evidence, regressions, conflicts, busy;
};

struct run_mismatch {
    struct slice instance; /* as evidence names it */
    uint64_t count;        /* of evidence keys */
};

/* A silent gap (docs/semantics.md 9). */
struct run_gap {
    struct slice instance; /* its name */
    int64_t from, until;   /* sent_at of the first and of the last message without a receipt */
    uint64_t messages;
    struct slice command; /* what would fill it; p NULL: nobody can be asked */
};

struct explain;

struct run {
    /* what ran */
    char id[48];
    const char *tool;    /* "replay", "reconcile audit" */
    bool offline;        /* no database: everything from messages.used on is empty */
    bool rebuild;        /* the mode: rebuild, else merge */
    bool apply;          /* --apply was asked for */
    bool applied;        /* ... and something was or could be written */
    bool verified;       /* decided again after writing: nothing is left */
    bool refused;        /* ... but not, or no more, from some point on: the warnings say why */
    const char *failure; /* what a run that tells all it found failed of; NULL: it did not */
    bool fix_total;
    int64_t snapshot_at, started_at, finished_at; /* TIME_NONE: null */
    const char *command; /* what would apply this dry run, or undo this run; NULL: none */

    /* what was found */
    struct run_input input;
    struct run_messages messages;
    struct run_mismatch *mismatch; /* by instance name as bytes */
    size_t mismatches;
    uint64_t causes[CAUSE_COUNT];
    uint64_t written[CAUSE_COUNT]; /* what was committed, also by a run that failed later */
    const struct names *archives;  /* what sightings index */

    struct campaign_result *campaign; /* all in scope, by id */
    size_t campaigns;
    struct correction *correction; /* by campaign and id */
    size_t corrections;
    struct store_kinds kinds; /* how ids are written */

    struct run_gap *gap; /* by instance, then time */
    size_t gaps;

    const struct explain *explain; /* NULL: nothing was to be explained */

    struct slice *warning; /* in order */
    size_t warnings;
};

/* Does a counter of the campaign differ? total only with --fix-total. */
bool campaign_differs(const struct campaign_result *c, bool fix_total);

/* Counts a row, by its columns alone (docs/semantics.md 6). */
void counters_add(struct counters *c, const struct row_state *r);

/* read <= delivered <= sent <= total */
bool counters_in_order(const struct counters *c);

/* By campaign and id, for qsort of struct correction. */
int correction_cmp(const void *a, const void *b);

#endif
