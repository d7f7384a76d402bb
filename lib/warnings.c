#include "warnings.h"

#include "buf.h"
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#define TEXT_MAX 2048 /* bytes of one warning */

void warnings_keep(struct warnings *w, const char *text)
{
    char *copy = arena_dup(&w->arena, text, strlen(text));

    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 16;
        struct slice *p = realloc(w->text, cap * sizeof *p);

        if (p) {
            w->text = p;
            w->cap = cap;
        }
    }
    if (!copy || w->n == w->cap) {
        w->lost = true;
        return;
    }
    w->text[w->n++] = slice_of(copy);
}

void warnings_add(struct warnings *w, const char *fmt, ...)
{
    char text[TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    log_warning("%s", text);
    warnings_keep(w, text);
}

static int text_cmp(const void *a, const void *b)
{
    const struct slice *x = a, *y = b;

    return slice_cmp(*x, *y);
}

void warnings_sort(struct warnings *w, size_t from)
{
    if (w->n > from)
        qsort(w->text + from, w->n - from, sizeof *w->text, text_cmp);
}

void warnings_refuse(struct warnings *w, bool apply, const char *fmt, ...)
{
    char reason[TEXT_MAX - 64], text[TEXT_MAX];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(reason, sizeof reason, fmt, ap);
    va_end(ap);
    (void)snprintf(text, sizeof text, apply ? "refused: %s" : "--apply would refuse: %s", reason);
    if (apply)
        log_error("%s", text);
    else
        log_warning("%s", text);
    warnings_keep(w, text);
    w->refused = true;
}

void warnings_release(struct warnings *w)
{
    free(w->text);
    arena_release(&w->arena);
    *w = (struct warnings)WARNINGS_INIT;
}
