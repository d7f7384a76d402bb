/* log.h - talk, on stderr: messages that say what went wrong or what goes on.
 *
 * Every line is "program: level: text", or a JSON object, written with one
 * call, so that threads do not mix. Control characters of hostile names are
 * escaped. Levels: errors are always shown, warnings not with -q, notes not
 * with -q unless they are needed, details with -v.
 */
#ifndef RECONCILE_LOG_H
#define RECONCILE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTE, LOG_LEVEL_DETAIL };

/* A JSON line has the members time (RFC 3339, UTC, of the system's clock whatever
 * RECONCILE_NOW says), level ("error", ... or "progress"), run (its id, null
 * before there is one), program, and message: what the text would be. */
enum log_format { LOG_TEXT, LOG_JSON };

/* program: the name before every line, kept, not copied. */
void log_open(const char *program, enum log_level most);

void log_set_format(enum log_format format); /* LOG_TEXT until then */
void log_set_run(const char *id);            /* kept, not copied; NULL: none */

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A note that no level hides: what goes with an error, to go on from it. */
void log_needed_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* A line of its own that says how far a run is; no level hides it. */
void log_progress(const char *text);

/* The last line of a terminal, which the next call replaces and a message pushes
 * down: at most `columns` wide, plain text. "" takes it away. */
void log_status_line(const char *text, unsigned columns);

#endif
