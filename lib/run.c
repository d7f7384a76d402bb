#include "run.h"

bool campaign_differs(const struct campaign_result *c, bool fix_total)
{
    for (int m = 0; m < M_COUNT; m++)
        if (c->stored.count[m] != c->recomputed.count[m])
            return true;
    return fix_total && c->stored.total != c->recomputed.total;
}
