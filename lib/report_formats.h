/* report_formats.h - the formats of report.h, and what they agree on. */
#ifndef RECONCILE_REPORT_FORMATS_H
#define RECONCILE_REPORT_FORMATS_H

#include "report.h"

int report_json(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e);
int report_csv(struct outfile *f, const struct run *r, const struct report_options *o,
               struct err *e);
int report_html(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e);
int report_text(struct outfile *f, const struct run *r, const struct report_options *o,
                struct err *e);

/* The part of report_text with a few lines for each correction. */
int report_text_corrections(struct buf *b, const struct run *r, struct outfile *f, struct err *e);

/* ---- what the formats for people say in the same words (report_words.c) ---- */

/* "dry run", "applied", "refused", "failed", "offline" */
const char *report_kind(const struct run *r);

/* A number and what it is of. depth: 1 for an item, 2 for a part of the one of
 * depth 1 before it, and so on. note: NULL for none. */
struct report_item {
    int depth;
    const char *label;
    uint64_t n;
    const char *note;
};

struct report_items {
    struct report_item item[24];
    size_t n;
};

void report_input_items(const struct run_input *in, struct report_items *list); /* may be none */
void report_message_items(const struct run *r, struct report_items *list);

/* Campaigns in scope with a correction or a counter that differs. */
uint64_t report_differing_campaigns(const struct run *r);

/* What was or would be written and what was left, a few lines. */
void report_conclusion(struct buf *b, const struct run *r);

/* What the run's command is for, as "undo them"; NULL: there is nothing to use
 * one for. */
const char *report_command_use(const struct run *r);

/* ---- what all formats share (report.c) ------------------------------------------ */

#define REPORT_COLUMNS 80 /* of the text */
#define REPORT_ARROW " \xe2\x86\x92 "

/* Is the correction one of messages.updated: written, or would be? The others
 * turned out to be moot or were left alone. */
bool report_counts_correction(const struct correction *c);

/* What became of it: "planned" in a dry run, "not_written" where one was to
 * write and did not come to it, "written", "moot", "conflict", "busy",
 * "left_alone". */
const char *report_outcome(const struct run *r, const struct correction *c);

/* The same of counters that differ. */
const char *report_counters_fate(const struct run *r, const struct campaign_result *c);

/* Is the campaign listed? */
bool report_lists_campaign(const struct run *r, const struct report_options *o,
                           const struct campaign_result *c);

/* part / whole in hundredths of a percent, half away from zero; 0 of nothing
 * (docs/semantics.md 6). */
uint64_t report_rate(int64_t part, int64_t whole);

/* The column of a milestone's time: "delivered_at". */
const char *report_time_name(enum milestone m);

/* Hands b over to f once it holds a good deal, or if `all`; empties it then.
 * Fails where b lost something to lack of memory. */
int report_flush(struct buf *b, bool all, struct outfile *f, struct err *e);

#endif
