/* histogram.h - how often each of some whole minutes was seen, for a median.
 *
 * Kept within a week either way, so its memory is bounded whatever comes.
 */
#ifndef RECONCILE_HISTOGRAM_H
#define RECONCILE_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define HISTOGRAM_MOST (7 * 24 * 60) /* minutes: a wrong clock of more is no time zone */

struct histogram_bucket {
    int32_t minutes; /* rounded down */
    uint64_t count;
};

struct histogram {
    struct histogram_bucket *bucket; /* sorted by minutes */
    size_t n, cap;
    size_t last; /* where the last one was added */
};

#define HISTOGRAM_INIT                                                                             \
    {                                                                                              \
        NULL, 0, 0, 0                                                                              \
    }

int histogram_add(struct histogram *h, int64_t us, uint64_t count); /* -1: no memory */
int histogram_merge(struct histogram *into, const struct histogram *from);
bool histogram_median(const struct histogram *h, int32_t *minutes); /* false: empty */
void histogram_release(struct histogram *h);

#endif
