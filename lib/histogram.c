#include "histogram.h"

#include "clock.h"

#include <stdlib.h>
#include <string.h>

static int add_minutes(struct histogram *h, int32_t minutes, uint64_t count)
{
    size_t low = 0, high = h->n;

    if (h->last < h->n && h->bucket[h->last].minutes == minutes) {
        h->bucket[h->last].count += count;
        return 0;
    }
    while (low < high) {
        size_t mid = low + (high - low) / 2;

        if (h->bucket[mid].minutes < minutes)
            low = mid + 1;
        else
            high = mid;
    }
    h->last = low;
    if (low < h->n && h->bucket[low].minutes == minutes) {
        h->bucket[low].count += count;
        return 0;
    }
    if (h->n == h->cap) {
        size_t cap = h->cap ? h->cap * 2 : 4;
        struct histogram_bucket *p = realloc(h->bucket, cap * sizeof *p);

        if (!p)
            return -1;
        h->bucket = p;
        h->cap = cap;
    }
    memmove(h->bucket + low + 1, h->bucket + low, (h->n - low) * sizeof *h->bucket);
    h->bucket[low] = (struct histogram_bucket){minutes, count};
    h->n++;
    return 0;
}

int histogram_add(struct histogram *h, int64_t us, uint64_t count)
{
    const int64_t minute = 60 * US_PER_SECOND;
    int64_t m = us / minute - (us % minute < 0);

    if (m > HISTOGRAM_MOST)
        m = HISTOGRAM_MOST;
    if (m < -HISTOGRAM_MOST)
        m = -HISTOGRAM_MOST;
    return add_minutes(h, (int32_t)m, count);
}

int histogram_merge(struct histogram *into, const struct histogram *from)
{
    size_t i;

    for (i = 0; i < from->n; i++) {
        if (add_minutes(into, from->bucket[i].minutes, from->bucket[i].count) < 0)
            return -1;
    }
    return 0;
}

bool histogram_median(const struct histogram *h, int32_t *minutes)
{
    uint64_t total = 0, below = 0;
    size_t i;

    for (i = 0; i < h->n; i++)
        total += h->bucket[i].count;
    for (i = 0; i < h->n; i++) {
        below += h->bucket[i].count;
        if (2 * below >= total) {
            *minutes = h->bucket[i].minutes;
            return true;
        }
    }
    return false;
}

void histogram_release(struct histogram *h)
{
    free(h->bucket);
    *h = (struct histogram)HISTOGRAM_INIT;
}
