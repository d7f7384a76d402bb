#include "log.h"

#include "buf.h"
#include "clock.h"
#include "jsonw.h"
#include "utf8.h"

#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536 /* of one message, escapes included */

static const char *program_name = "reconcile";
static enum log_level most_shown = LOG_LEVEL_NOTE;
static enum log_format format = LOG_TEXT;
static const char *run_id;

void log_open(const char *program, enum log_level most)
{
    program_name = program;
    most_shown = most;
}

void log_set_format(enum log_format f)
{
    format = f;
}

void log_set_run(const char *id)
{
    run_id = id;
}

static const char *level_name(enum log_level level)
{
    switch (level) {
    case LOG_LEVEL_ERROR:
        return "error";
    case LOG_LEVEL_WARNING:
        return "warning";
    case LOG_LEVEL_NOTE:
        return "note";
    case LOG_LEVEL_DETAIL:
        return "detail";
    }
    return "";
}

/* Names come from archives anybody can post to: a line break would forge a
 * message, an escape sequence would reach the operator's terminal. */
static void add_escaped(struct buf *b, const char *s, size_t n)
{
    while (n > 0 && !b->failed) {
        uint32_t point = 0;
        size_t len = utf8_sequence(s, n, &point);
        bool keep = len > 0 && !utf8_is_unsafe(point);

        if (len == 0)
            len = 1;
        if (keep)
            buf_add(b, s, len);
        for (size_t i = 0; !keep && i < len; i++)
            buf_addf(b, "\\x%02X", (unsigned)(unsigned char)s[i]);
        s += len;
        n -= len;
    }
}

/* One write(2) for the whole line unless the kernel takes less. There is
 * nowhere to report that stderr cannot be written. */
static void write_line(const char *p, size_t n)
{
    while (n > 0) {
        ssize_t done = write(STDERR_FILENO, p, n);

        if (done < 0 && errno == EINTR)
            continue;
        if (done <= 0)
            return;
        p += done;
        n -= (size_t)done;
    }
}

/* The lock keeps a message from coming between what it sees on the terminal and
 * what it does about it. */
static pthread_mutex_t terminal = PTHREAD_MUTEX_INITIALIZER;
static bool status_shown; /* the last line of the terminal is ours */

#define ERASE_LINE "\r\x1b[K"

/* The line goes where the status line is, if there is one. */
static void put_line(struct buf *line)
{
    (void)pthread_mutex_lock(&terminal);
    if (status_shown)
        write_line(ERASE_LINE, sizeof ERASE_LINE - 1);
    status_shown = false;
    if (line->failed)
        write_line("out of memory\n", 14);
    else
        write_line(line->data, line->len);
    (void)pthread_mutex_unlock(&terminal);
}

static void put_text(struct buf *line, const char *level, const char *text)
{
    buf_addf(line, "%s: %s: ", program_name, level);
    add_escaped(line, text, strlen(text));
    if (line->failed) { /* too long, or no memory: what there is of it */
        line->failed = false;
        line->max += 4;
        buf_adds(line, "...");
    }
    buf_addc(line, '\n');
}

/* The message is that of the text, cut where that would be. */
static void put_json(struct buf *line, const char *level, const char *text)
{
    struct buf message = {.max = LINE_MAX_BYTES};
    struct jsonw w = JSONW_INIT(line);

    add_escaped(&message, text, strlen(text));
    if (message.failed) {
        message.failed = false;
        message.max += 4;
        buf_adds(&message, "...");
    }
    jsonw_object(&w, NULL);
    jsonw_time(&w, "time", clock_system());
    jsonw_text(&w, "level", level);
    jsonw_text(&w, "run", run_id);
    jsonw_text(&w, "program", program_name);
    jsonw_text(&w, "message", buf_str(&message));
    jsonw_object_end(&w);
    line->failed |= message.failed;
    buf_addc(line, '\n');
    buf_release(&message);
}

static void put(const char *level, const char *text)
{
    /* as JSON an escape of ours is one byte longer */
    struct buf line = {.max = format == LOG_JSON ? 2 * LINE_MAX_BYTES + 4096 : LINE_MAX_BYTES};

    if (format == LOG_JSON)
        put_json(&line, level, text);
    else
        put_text(&line, level, text);
    put_line(&line);
    buf_release(&line);
}

static void write_out(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void write_out(enum log_level level, const char *fmt, va_list ap)
{
    int saved = errno;
    char text[4096];
    char *longer = NULL;
    const char *from = text;
    va_list again;
    int n;

    va_copy(again, ap);
    n = vsnprintf(text, sizeof text, fmt, ap);
    if (n >= (int)sizeof text && vasprintf(&longer, fmt, again) >= 0)
        from = longer;
    va_end(again);
    put(level_name(level), n < 0 ? fmt : from);
    if (from == longer)
        free(longer);
    errno = saved;
}

static void say(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void say(enum log_level level, const char *fmt, va_list ap)
{
    if (level <= most_shown)
        write_out(level, fmt, ap);
}

void log_error(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(LOG_LEVEL_ERROR, fmt, ap);
    va_end(ap);
}

void log_warning(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(LOG_LEVEL_WARNING, fmt, ap);
    va_end(ap);
}

void log_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(LOG_LEVEL_NOTE, fmt, ap);
    va_end(ap);
}

void log_needed_note(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    write_out(LOG_LEVEL_NOTE, fmt, ap);
    va_end(ap);
}

void log_detail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(LOG_LEVEL_DETAIL, fmt, ap);
    va_end(ap);
}

void log_progress(const char *text)
{
    put("progress", text);
}

void log_status_line(const char *text, unsigned columns)
{
    struct buf line = BUF_INIT;

    (void)pthread_mutex_lock(&terminal);
    if (*text || status_shown) {
        buf_adds(&line, ERASE_LINE);
        buf_add(&line, text, strnlen(text, columns));
        if (!line.failed)
            write_line(line.data, line.len);
        status_shown = *text != '\0' && !line.failed;
    }
    (void)pthread_mutex_unlock(&terminal);
    buf_release(&line);
}
