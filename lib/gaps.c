#include "gaps.h"

#include <stdlib.h>

int gap_list_add(struct gap_list *l, const struct gap_message *m, struct err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 256;
        struct gap_message *p = realloc(l->message, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        l->message = p;
        l->cap = cap;
    }
    l->message[l->n++] = *m;
    return 0;
}

void gap_list_release(struct gap_list *l)
{
    free(l->message);
    *l = (struct gap_list){NULL, 0, 0};
}

static int by_time(const void *a, const void *b)
{
    const struct gap_message *x = a, *y = b;

    if (x->sent_at != y->sent_at)
        return x->sent_at < y->sent_at ? -1 : 1;
    return ident_cmp(x->row, y->row);
}

static bool has_receipt(const struct gap_message *m, bool proven)
{
    return proven ? m->proven : m->receipt;
}

/* Have more than half of the messages [from, to) that there should be a receipt? */
static bool is_lively(const struct gap_list *l, size_t from, size_t to, bool proven)
{
    size_t n = 0, i;

    for (i = from; i < to; i++)
        n += has_receipt(&l->message[i], proven);
    return 2 * n > GAP_MESSAGES;
}

int gap_list_find(struct gap_list *l, uint32_t instance, bool proven, gap_fn *fn, void *ctx,
                  struct err *e)
{
    size_t i = 0, end;

    if (l->n > 0)
        qsort(l->message, l->n, sizeof *l->message, by_time);
    for (; i < l->n; i = end + 1) {
        size_t before = i > GAP_MESSAGES ? i - GAP_MESSAGES : 0;
        size_t after;
        struct gap g;

        for (end = i; end < l->n && !has_receipt(&l->message[end], proven); end++)
            ;
        after = l->n - end > GAP_MESSAGES ? end + GAP_MESSAGES : l->n;
        if (end - i < GAP_MESSAGES || !is_lively(l, before, i, proven) ||
            !is_lively(l, end, after, proven))
            continue;
        g = (struct gap){instance, l->message[i].sent_at, l->message[end - 1].sent_at, end - i};
        if (fn(ctx, &g, e) < 0)
            return -1;
    }
    return 0;
}
