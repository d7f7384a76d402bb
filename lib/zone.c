/* zone.c - the time zones of clock.h.
 *
 * libc knows one zone at a time, behind a lock, and mktime answers for local
 * times that occur twice as it likes. So libc is asked once, for the offset at
 * many instants, and what it says is kept as a table.
 */
#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

/* A year beyond the range of event times (docs/semantics.md 2) at both ends. */
#define PROBE_FROM INT64_C(1199145600) /* 2008-01-01T00:00:00Z, seconds */
#define PROBE_TO INT64_C(4165516800)   /* 2102-01-01T00:00:00Z */
#define PROBE_STEP (4 * 86400)         /* no zone has changed twice within a fortnight since */

struct span {
    int64_t utc;    /* µs: from here on, UTC */
    int64_t local;  /* µs: from this local time on, this offset is the one to take */
    int64_t offset; /* µs east of UTC */
};

struct zone {
    size_t n, cap;
    struct span *span; /* the first reaches back without end */
};

static int64_t probe(int64_t at)
{
    time_t t = (time_t)at;
    struct tm tm;

    return localtime_r(&t, &tm) ? (int64_t)tm.tm_gmtoff * US_PER_SECOND : 0;
}

/* The first second from which on the offset is no longer that at `low`. */
static int64_t find_change(int64_t low, int64_t high)
{
    int64_t before = probe(low);

    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;

        if (probe(middle) == before)
            low = middle;
        else
            high = middle;
    }
    return high;
}

/* Where the clock goes back, local times up to the change seen by the old
 * offset occur twice, and the old one gives the earlier. Where it goes forward,
 * those up to the change seen by the new offset do not exist, and the old one
 * moves them by the gap. Both say: the old offset until the later of the two. */
static bool add_span(struct zone *z, int64_t utc, int64_t offset)
{
    int64_t before = z->n > 0 ? z->span[z->n - 1].offset : offset;

    if (z->n == z->cap) {
        size_t cap = z->cap ? z->cap * 2 : 64;
        struct span *more = realloc(z->span, cap * sizeof *more);

        if (!more)
            return false;
        z->span = more;
        z->cap = cap;
    }
    z->span[z->n++] = (struct span){utc, utc + (before > offset ? before : offset), offset};
    return true;
}

static bool fill_table(struct zone *z)
{
    int64_t offset = probe(PROBE_FROM);

    if (!add_span(z, PROBE_FROM * US_PER_SECOND, offset))
        return false;
    for (int64_t at = PROBE_FROM; at < PROBE_TO; at += PROBE_STEP) {
        int64_t next = probe(at + PROBE_STEP);

        if (next == offset)
            continue;
        if (!add_span(z, find_change(at, at + PROBE_STEP) * US_PER_SECOND, next))
            return false;
        offset = next;
    }
    return true;
}

static bool name_is_sound(const char *name)
{
    static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                  "0123456789_+/-";
    size_t n = strlen(name);

    return n > 0 && n < 256 && name[0] != '/' && strspn(name, allowed) == n;
}

/* libc takes any TZ, and UTC where it finds nothing: so it is looked up here. */
static int check_database(const char *name, struct err *e)
{
    const char *dir = getenv("TZDIR");
    char path[4096], magic[4];
    size_t got;
    FILE *f;
    int n;

    if (!dir || !*dir)
        dir = "/usr/share/zoneinfo";
    n = snprintf(path, sizeof path, "%s/%s", dir, name);
    if (n < 0 || (size_t)n >= sizeof path)
        return err_set(e, EXIT_USAGE, "unknown time zone \"%s\"", name);
    f = fopen(path, "rbe");
    if (!f && access(dir, F_OK) != 0)
        return err_set(e, EXIT_USAGE, "no time zone database in \"%s\" to look up \"%s\"", dir,
                       name);
    if (!f)
        return err_set(e, EXIT_USAGE, "unknown time zone \"%s\"", name);
    got = fread(magic, 1, sizeof magic, f);
    (void)fclose(f);
    if (got != sizeof magic || memcmp(magic, "TZif", 4) != 0)
        return err_set(e, EXIT_USAGE, "unknown time zone \"%s\"", name);
    return 0;
}

/* fill_table() with TZ set to the zone, and TZ as it was afterwards. */
static int fill_from_libc(struct zone *z, const char *name, struct err *e)
{
    const char *tz = getenv("TZ");
    char *saved = tz ? strdup(tz) : NULL;
    bool filled = false;
    int result;

    if ((tz && !saved) || setenv("TZ", name, 1) != 0) {
        free(saved);
        return err_oom(e);
    }
    tzset();
    filled = fill_table(z);
    result = saved ? setenv("TZ", saved, 1) : unsetenv("TZ");
    tzset();
    free(saved);
    return filled && result == 0 ? 0 : err_oom(e);
}

int zone_load(struct zone **z, const char *name, struct err *e)
{
    struct zone *filled;

    *z = NULL;
    if (strcmp(name, "UTC") == 0 || strcmp(name, "Etc/UTC") == 0 || strcmp(name, "GMT") == 0)
        return 0;
    if (!name_is_sound(name))
        return err_set(e, EXIT_USAGE, "unknown time zone \"%s\"", name);
    if (check_database(name, e) < 0)
        return -1;
    filled = calloc(1, sizeof *filled);
    if (!filled)
        return err_oom(e);
    if (fill_from_libc(filled, name, e) < 0) {
        zone_free(filled);
        return -1;
    }
    *z = filled;
    return 0;
}

void zone_free(struct zone *z)
{
    if (!z)
        return;
    free(z->span);
    free(z);
}

int64_t zone_to_utc(const struct zone *z, int64_t local)
{
    size_t low = 0, n;

    if (!z)
        return local;
    for (n = z->n; n > 1;) { /* invariant: the span is one of the n from low on */
        size_t half = n / 2;

        if (z->span[low + half].local <= local)
            low += half;
        n -= half;
    }
    return local - z->span[low].offset;
}

int64_t zone_from_utc(const struct zone *z, int64_t us)
{
    size_t low = 0, n;

    if (!z)
        return us;
    for (n = z->n; n > 1;) {
        size_t half = n / 2;

        if (z->span[low + half].utc <= us)
            low += half;
        n -= half;
    }
    return us + z->span[low].offset;
}
