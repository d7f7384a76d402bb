#include "event_scan_walk.h"

size_t event_scan_base(struct event_scan *s, const char *text)
{
    return walk_text(s, text);
}
