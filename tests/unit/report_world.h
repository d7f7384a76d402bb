/* report_world.h - a run to report, and what becomes of it in each format. */
#ifndef TESTS_UNIT_REPORT_WORLD_H
#define TESTS_UNIT_REPORT_WORLD_H

#include "report.h"

#include "explain.h"
#include "names.h"

/* Golden files, from the root of the sources: UPDATE_GOLDEN=1 rewrites them. */
#define GOLDEN "tests/golden/report/"

#define NOON INT64_C(1793534400000000) /* 2026-11-01T12:00:00Z */
#define SECOND US_PER_SECOND
#define COUNT(list) (sizeof(list) / sizeof(list)[0])

/* A run with all it refers to, so that a test changes what it is about. */
struct world {
    struct run run;
    struct names archives;
    struct tally_entry raw[4];
    struct evidence evidence[3];
    struct campaign_result campaign[4];
    struct correction correction[6];
    struct run_mismatch mismatch[2];
    struct slice warning[2];
    struct run_gap gap[2];
    struct explain explain;
    struct explain_event event[3];
    struct explain_row row[2];
    struct slice replaced; /* the first archive's name; p NULL: it is still there */
};

struct counters counted(int64_t total, int64_t sent, int64_t delivered, int64_t read,
                        int64_t failed);

/* A dry run that found something of everything. */
void world_init(struct world *w);
void world_release(struct world *w);

/* Adds gaps, and everything about the message of the first correction. */
void world_explain(struct world *w);

/* The same as apply leaves it. */
void world_apply(struct world *w);

/* Gives hostile names to all that has one, the longest of them of so many bytes:
 * up to 100,000. */
void world_make_hostile(struct world *w, size_t longest);

/* ---- report_made.c, for tests with cmocka ---- */

/* For cmocka's groups: the file that reports pass through. */
int report_set_up(void **state);
int report_tear_down(void **state);

/* Appends the report to *b, VERSION in place of the version. */
void report_made(const struct run *r, struct report_options o, struct buf *b);

void assert_golden(const struct run *r, struct report_options o, const char *name);

#endif
