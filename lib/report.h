/* report.h - what a run found: for a person (text, HTML), for a machine (JSON),
 * for a spreadsheet (CSV).
 *
 * Product, not talk: it goes to stdout or the file of -o. docs/formats.md has the
 * members of the JSON, which are there in every run, and the columns of the CSV.
 * Memory does not grow with the corrections.
 */
#ifndef RECONCILE_REPORT_H
#define RECONCILE_REPORT_H

#include "outfile.h"
#include "run.h"

/* In the order of the choices of --format. */
enum report_format { REPORT_TEXT, REPORT_JSON, REPORT_CSV, REPORT_HTML };

struct report_options {
    enum report_format format;
    bool details; /* list every correction; in CSV instead of the counters */
    bool verbose; /* campaigns without a difference too */
    bool color;   /* the text is for a terminal that shows colours */
};

int report_write(struct outfile *f, const struct run *r, const struct report_options *o,
                 struct err *e);

#endif
