/* http_url.h - URLs: checked, put together, and shown without what is secret. */
#ifndef RECONCILE_HTTP_URL_H
#define RECONCILE_HTTP_URL_H

#include "buf.h"
#include "err.h"
#include "slice.h"

/* Appends a service's address as requests begin with it: http or https, with a
 * host, without trailing slashes. Whatever else, a query and a fragment too,
 * is EXIT_USAGE. The message does not repeat the text, which may hold a password. */
int http_base_url(const char *text, struct buf *out, struct err *e);

/* Can the text be a segment of a path? Not where it is blank (ASCII white space), nor
 * "." or "..", which lead elsewhere, percent-encoded or not. */
bool http_is_path_segment(struct slice text);

/* Appends one segment of a path, percent-encoded. */
void http_path_segment(struct slice text, struct buf *out);

/* Appends a URL without user, password, query and fragment. */
void http_url_shown(const char *url, struct buf *out);

#endif
