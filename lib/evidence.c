#include "evidence.h"

int sighting_cmp(const struct names *archives, const struct sighting *a, struct slice a_error,
                 const struct sighting *b, struct slice b_error)
{
    if (a->approximate != b->approximate)
        return a->approximate ? 1 : -1;
    if (a->time != b->time)
        return a->time < b->time ? -1 : 1;
    if (a->archive != b->archive) {
        int c = slice_cmp(archives->name[a->archive], archives->name[b->archive]);

        if (c != 0)
            return c;
    }
    if (a->record != b->record)
        return a->record < b->record ? -1 : 1;
    return slice_cmp(a_error, b_error);
}

void evidence_merge(const struct names *archives, struct evidence *into,
                    const struct evidence *from)
{
    int m;

    for (m = 0; m < M_COUNT; m++) {
        struct slice a = m == M_FAILED ? into->error : SLICE_NONE;
        struct slice b = m == M_FAILED ? from->error : SLICE_NONE;

        if (!(from->seen & M_BIT(m)))
            continue;
        if ((into->seen & M_BIT(m)) &&
            sighting_cmp(archives, &into->at[m], a, &from->at[m], b) <= 0)
            continue;
        into->at[m] = from->at[m];
        if (m == M_FAILED)
            into->error = from->error;
    }
    into->seen |= from->seen;
}
