/* The Makefile compiles this one for processors with AVX2; event_scan.c sees to
 * it that no other runs it. */
#if defined(__AVX2__)
#include "event_scan_walk.h"

size_t event_scan_avx2(struct event_scan *s, const char *text)
{
    return walk_text(s, text);
}

#else

typedef int event_scan_avx2_is_not_built; /* ISO C wants a declaration in each source */

#endif
