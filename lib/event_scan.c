#include "event_scan.h"

#if defined(__x86_64__)

static bool has_avx2(void)
{
    return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("bmi");
}

size_t event_scan(struct event_scan *s, const char *text)
{
    return has_avx2() ? event_scan_avx2(s, text) : event_scan_base(s, text);
}

const char *event_scan_name(void)
{
    return has_avx2() ? "AVX2" : "SSE2";
}

#else

size_t event_scan(struct event_scan *s, const char *text)
{
    return event_scan_base(s, text);
}

const char *event_scan_name(void)
{
#if defined(__ARM_NEON) && defined(__aarch64__)
    return "NEON";
#else
    return "portable";
#endif
}

#endif
