/* report.h - what a run found, for a person (text) and for a machine (JSON).
 *
 * Product, not talk: it goes to stdout or the file of -o. The JSON is that of
 * docs/formats.md; every member is there in every run.
 */
#ifndef RECONCILE_REPORT_H
#define RECONCILE_REPORT_H

#include "outfile.h"
#include "run.h"

enum report_format { REPORT_TEXT, REPORT_JSON };

struct report_options {
    enum report_format format;
    bool details; /* list every correction */
    bool verbose; /* campaigns without a difference too */
};

int report_write(struct outfile *f, const struct run *r, const struct report_options *o,
                 struct err *e);

#endif
