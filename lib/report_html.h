/* report_html.h - the parts of the HTML report.
 *
 * One file without script, which needs nothing from elsewhere. Its only style is
 * report_css, which its Content-Security-Policy allows by report_css_hash; so no
 * element has a style of its own. Whatever others named goes through htmlw.h.
 * Every element that is opened is closed.
 */
#ifndef RECONCILE_REPORT_HTML_H
#define RECONCILE_REPORT_HTML_H

#include "report_formats.h"

#define HTML_NAME 200 /* characters that are shown of a name; the JSON report has it whole */
#define HTML_TEXT 500 /* of an error's text */

/* Made of lib/html/report.css. */
extern const char report_css[], report_css_hash[];

/* A heading, and a section around what follows. */
void html_section(struct buf *b, const char *id, const char *title);
void html_section_end(struct buf *b);

/* A region for a table that may be wider than the screen. label: the id of the
 * element that names it, if it is to be a stop of the keyboard's; else NULL. */
void html_scroll(struct buf *b, const char *label);
void html_scroll_end(struct buf *b);

void html_ident(struct buf *b, enum ident_kind kind, struct ident id);
void html_instance(struct buf *b, struct slice name);        /* may be empty */
void html_time(struct buf *b, int64_t us, bool approximate); /* TIME_NONE: null */
void html_count(struct buf *b, int64_t n);                   /* below 0: null */
void html_sighting(struct buf *b, const struct run *r, uint32_t archive, uint64_t record);

/* Campaigns in scope and their drift: a table, largest first, then a part for
 * each with its funnel. */
int html_campaigns(struct buf *b, const struct run *r, const struct report_options *o,
                   struct outfile *f, struct err *e);

/* Everything known about one message. */
void html_explain(struct buf *b, const struct run *r);

int html_corrections(struct buf *b, const struct run *r, const struct report_options *o,
                     struct outfile *f, struct err *e);

#endif
