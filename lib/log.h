/* log.h - talk, on stderr: messages that say what went wrong or what goes on.
 *
 * Every line is "program: level: text", written with one call, so that threads
 * do not mix. Control characters of hostile names are escaped. Levels: errors
 * are always shown, warnings not with -q, notes not with -q, details with -v.
 */
#ifndef RECONCILE_LOG_H
#define RECONCILE_LOG_H

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARNING, LOG_LEVEL_NOTE, LOG_LEVEL_DETAIL };

/* program: the name before every line, kept, not copied. */
void log_open(const char *program, enum log_level most);

void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_detail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif
