#include "tally.h"

#include <stdlib.h>

/* Cuts at TALLY_TEXT bytes, not within a UTF-8 sequence. */
static struct slice shorten(struct slice text)
{
    if (text.n > TALLY_TEXT) {
        text.n = TALLY_TEXT;
        while (text.n > 0 && ((unsigned char)text.p[text.n] & 0xC0) == 0x80)
            text.n--;
    }
    return text;
}

static size_t find(const struct tally *t, struct slice text, bool *there)
{
    size_t low = 0, high = t->n;

    *there = false;
    while (low < high) {
        size_t mid = low + (high - low) / 2;
        int c = slice_cmp((struct slice){t->entry[mid].text, t->entry[mid].n}, text);

        if (c == 0) {
            *there = true;
            return mid;
        }
        if (c < 0)
            low = mid + 1;
        else
            high = mid;
    }
    return low;
}

static int insert(struct tally *t, size_t at, struct slice text, uint64_t count)
{
    char *copy = malloc(text.n + 1);

    if (!copy)
        return -1;
    if (!t->entry && !(t->entry = malloc((TALLY_MAX + 1) * sizeof *t->entry))) {
        free(copy);
        return -1;
    }
    if (text.n > 0)
        memcpy(copy, text.p, text.n);
    copy[text.n] = '\0';
    memmove(t->entry + at + 1, t->entry + at, (t->n - at) * sizeof *t->entry);
    t->entry[at] = (struct tally_entry){copy, text.n, count};
    if (++t->n > TALLY_MAX) {
        t->n--;
        t->others += t->entry[t->n].count;
        free(t->entry[t->n].text);
    }
    return 0;
}

int tally_add(struct tally *t, struct slice text, uint64_t count)
{
    bool there;
    size_t at;

    if (!text.p)
        text = slice_of("");
    text = shorten(text);
    at = find(t, text, &there);
    if (there) {
        if (text.n > 0)
            t->hint[(text.n ^ (unsigned char)text.p[0]) % TALLY_HINTS] = (uint16_t)at;
        t->entry[at].count += count;
        return 0;
    }
    if (at == TALLY_MAX) {
        t->others += count;
        return 0;
    }
    return insert(t, at, text, count);
}

int tally_merge(struct tally *into, const struct tally *from)
{
    size_t i;

    for (i = 0; i < from->n; i++) {
        struct slice text = {from->entry[i].text, from->entry[i].n};

        if (tally_add(into, text, from->entry[i].count) < 0)
            return -1;
    }
    into->others += from->others;
    return 0;
}

void tally_release(struct tally *t)
{
    size_t i;

    for (i = 0; i < t->n; i++)
        free(t->entry[i].text);
    free(t->entry);
    t->entry = NULL;
    t->n = 0;
    t->others = 0;
}
