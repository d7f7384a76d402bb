#include "log.h"

#include "buf.h"
#include "utf8.h"

#include <errno.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define LINE_MAX_BYTES 65536 /* of one message, escapes included */

static const char *program_name = "reconcile";
static enum log_level most_shown = LOG_LEVEL_NOTE;

void log_open(const char *program, enum log_level most)
{
    program_name = program;
    most_shown = most;
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

/* What a terminal may act on instead of showing: C0 and C1 controls, line and
 * paragraph separators, and the marks that reverse the direction of text. */
static bool is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

/* Names come from archives anybody can post to: a line break would forge a
 * message, an escape sequence would reach the operator's terminal. */
static void add_escaped(struct buf *b, const char *s, size_t n)
{
    while (n > 0) {
        uint32_t point = 0;
        size_t len = utf8_sequence(s, n, &point);
        bool keep = len > 0 && !is_control(point);

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

static void say(enum log_level level, const char *fmt, va_list ap)
    __attribute__((format(printf, 2, 0)));

static void say(enum log_level level, const char *fmt, va_list ap)
{
    int saved = errno;
    char text[4096];
    char *longer = NULL;
    const char *from = text;
    struct buf line = {.max = LINE_MAX_BYTES};
    va_list again;
    int n;

    if (level > most_shown)
        return;
    va_copy(again, ap);
    n = vsnprintf(text, sizeof text, fmt, ap);
    if (n >= (int)sizeof text && vasprintf(&longer, fmt, again) >= 0)
        from = longer;
    va_end(again);
    buf_addf(&line, "%s: %s: ", program_name, level_name(level));
    add_escaped(&line, n < 0 ? fmt : from, strlen(n < 0 ? fmt : from));
    if (line.failed) { /* too long, or no memory: what there is of it */
        line.failed = false;
        line.max += 4;
        buf_adds(&line, "...");
    }
    buf_addc(&line, '\n');
    if (line.failed)
        write_line("out of memory\n", 14);
    else
        write_line(line.data, line.len);
    buf_release(&line);
    if (from == longer)
        free(longer);
    errno = saved;
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

void log_detail(const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    say(LOG_LEVEL_DETAIL, fmt, ap);
    va_end(ap);
}
