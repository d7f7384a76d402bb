/* slice.h - bytes that somebody else owns: pointer and length, no NUL promised. */
#ifndef RECONCILE_SLICE_H
#define RECONCILE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const char *p; /* NULL: absent, which is not the same as empty */
    size_t n;      /* bytes */
};

#define SLICE_NONE ((struct slice){NULL, 0})

static inline struct slice slice_of(const char *s)
{
    return (struct slice){s, s ? strlen(s) : 0};
}

/* By bytes, absent before empty, a prefix before what it begins. */
static inline int slice_cmp(struct slice a, struct slice b)
{
    size_t n = a.n < b.n ? a.n : b.n;
    int c;

    if (!a.p || !b.p)
        return (a.p != NULL) - (b.p != NULL);
    c = n ? memcmp(a.p, b.p, n) : 0;
    return c ? c : (a.n > b.n) - (a.n < b.n);
}

/* As memcmp, for ids and names: what is short and mostly equal takes less here than a call. */
static inline bool bytes_eq(const char *a, const char *b, size_t n)
{
    uint64_t x, y;
    size_t i;

    if (n < 8)
        return n == 0 || memcmp(a, b, n) == 0;
    for (i = 0; i + 8 < n; i += 8) {
        memcpy(&x, a + i, 8);
        memcpy(&y, b + i, 8);
        if (x != y)
            return false;
    }
    memcpy(&x, a + n - 8, 8);
    memcpy(&y, b + n - 8, 8);
    return x == y;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
    if (!a.p || !b.p)
        return a.p == b.p && a.n == b.n;
    return a.n == b.n && bytes_eq(a.p, b.p, a.n);
}

static inline bool slice_is(struct slice a, const char *s)
{
    return a.p && slice_eq(a, slice_of(s));
}

#endif
