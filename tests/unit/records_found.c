#include "records_found.h"

#include "jsonscan.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "helpers.h"

static void list_add(struct records_found *l, enum record_kind kind, size_t from, size_t to)
{
    if (l->n == l->cap) {
        l->cap = l->cap ? l->cap * 2 : 64;
        l->found = realloc(l->found, l->cap * sizeof *l->found);
        if (!l->found)
            abort();
    }
    l->found[l->n++] = (struct found){kind, from, to - from};
}

/* The offset of the line feed that ends the line of p[at], or n. */
static size_t line_end(const char *p, size_t n, size_t at)
{
    while (at < n && p[at] != '\n')
        at++;
    return at;
}

static bool is_top_space(char c)
{
    return c != '\0' && strchr(" \t\r\n[],", c) != NULL;
}

/* Does the line p[from .. to) concern nobody, so that it is counted unread? */
static bool is_unread(const char *p, size_t from, size_t to, size_t max)
{
    static const char *const words[] = {"messages.update", "messages_update", "messages-update"};
    size_t i, w;

    if (to > from && p[to - 1] == '\r')
        to--;
    if (to - from < 2 || to - from > max || p[from] != '{' || p[to - 1] != '}')
        return false;
    for (i = from; i < to; i++) {
        if (strchr("\\mM", p[i]) == NULL)
            continue;
        if (i + 2 <= to && memcmp(p + i, "\\u", 2) == 0)
            return false;
        for (w = 0; w < COUNT_OF(words); w++) {
            if (i + 15 <= to && strncasecmp(p + i, words[w], 15) == 0)
                return false;
        }
    }
    return true;
}

/* The objects of p[from .. to), if there is nothing else; -1: there is. */
static int objects_alone(const char *p, size_t from, size_t to, struct records_found *l)
{
    struct jsonscan j;
    int n = 0;

    while (from < to) {
        if (is_top_space(p[from])) {
            from++;
            continue;
        }
        jsonscan_init(&j);
        if (p[from] != '{' || jsonscan_feed(&j, p + from, to - from) != JSONSCAN_DONE)
            return -1;
        if (l)
            list_add(l, RECORD_TEXT, from, from + j.at);
        from += j.at;
        n++;
    }
    return n;
}

/* The lines p[from .. to) that a text had begun or swallowed which breaks on
 * the line at `to`. */
static void swallowed_lines(const char *p, size_t from, size_t to, struct records_found *l)
{
    size_t bad_from = 0, bad_to = 0; /* the run of other lines */

    while (from < to) {
        size_t end = line_end(p, to, from);
        int objects = objects_alone(p, from, end, NULL);

        if (objects < 0) {
            bad_from = bad_to ? bad_from : from;
            bad_to = end;
        } else if (objects > 0) {
            if (bad_to)
                list_add(l, RECORD_BROKEN, bad_from, bad_to);
            bad_to = 0;
            (void)objects_alone(p, from, end, l);
        }
        from = end + 1;
    }
    if (bad_to)
        list_add(l, RECORD_BROKEN, bad_from, bad_to);
}

/* The text or garbage at p[pos]; returns where reading resumes. */
static size_t read_text(const char *p, size_t n, size_t pos, size_t max, struct records_found *l)
{
    enum jsonscan_result result = JSONSCAN_BROKEN;
    struct jsonscan j = {.at = 0};
    size_t end, resume;

    if (p[pos] == '{') {
        jsonscan_init(&j);
        result = jsonscan_feed(&j, p + pos, n - pos);
    }
    if (j.at > max) {
        end = line_end(p, n, pos + max);
        list_add(l, RECORD_TOO_LARGE, pos, end);
        return end;
    }
    if (result == JSONSCAN_DONE) {
        list_add(l, RECORD_TEXT, pos, pos + j.at);
        return pos + j.at;
    }
    for (resume = pos + j.at; resume > pos && p[resume - 1] != '\n'; resume--)
        ;
    if (resume == pos) {
        end = line_end(p, n, pos + j.at);
        list_add(l, RECORD_BROKEN, pos, end);
        return end;
    }
    swallowed_lines(p, pos, resume, l);
    return resume;
}

void records_find(const char *p, size_t n, size_t max, struct records_found *l)
{
    size_t first = n >= 3 && memcmp(p, "\xEF\xBB\xBF", 3) == 0 ? 3 : 0;
    size_t pos = first;

    l->n = 0;
    while (pos < n) {
        size_t end = line_end(p, n, pos);

        if ((pos == first || p[pos - 1] == '\n') && is_unread(p, pos, end, max)) {
            list_add(l, RECORD_UNREAD, pos, end - (p[end - 1] == '\r'));
            pos = end;
        } else if (is_top_space(p[pos])) {
            pos++;
        } else {
            pos = read_text(p, n, pos, max, l);
        }
    }
}
