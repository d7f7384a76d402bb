#include "progress.h"

#include "clock.h"
#include "log.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define TERMINAL_SECONDS 0.2 /* between two looks, where a line is redrawn ... */
#define LINE_SECONDS 10.0    /* ... and where each look leaves a line */
#define SOON 1.0             /* seconds; before that a rate says little */
#define COLUMNS 80           /* of a terminal that does not say */

struct progress {
    atomic_uint_fast64_t done, more;
    bool on_terminal;
    pthread_t thread;
    pthread_mutex_t lock; /* of all below */
    pthread_cond_t changed;
    bool over;
    enum progress_stage stage;
    uint64_t total;
    double began; /* s, clock_monotonic */
};

/* ---- what is shown ------------------------------------------------------------ */

/* "1,234,567" */
static void put_count(struct buf *b, uint64_t n)
{
    if (n >= 1000) {
        put_count(b, n / 1000);
        buf_addf(b, ",%03" PRIu64, n % 1000);
    } else {
        buf_addf(b, "%" PRIu64, n);
    }
}

/* The unit that leaves few digits of n bytes, and its name. */
static double unit_of(uint64_t n, const char **name)
{
    static const char *const names[] = {"B", "KiB", "MiB", "GiB", "TiB"};
    double unit = 1;
    size_t i = 0;

    while (i + 1 < sizeof names / sizeof *names && (double)n >= 1024 * unit) {
        unit *= 1024;
        i++;
    }
    *name = names[i];
    return unit;
}

static void put_bytes(struct buf *b, uint64_t done, uint64_t total)
{
    const char *name;
    double unit = unit_of(total > done ? total : done, &name);
    int decimals = unit > 1;

    buf_addf(b, "%.*f", decimals, (double)done / unit);
    if (total > 0)
        buf_addf(b, " of %.*f", decimals, (double)total / unit);
    buf_addf(b, " %s", name);
}

static void put_done(struct buf *b, const struct progress_moment *m, const char *what)
{
    put_count(b, m->done);
    if (m->total > 0) {
        buf_adds(b, " of ");
        put_count(b, m->total);
    }
    buf_addf(b, " %s", what);
}

/* Never 100% of what is not done. */
static void put_percent(struct buf *b, const struct progress_moment *m)
{
    if (m->total > 0 && m->done <= m->total)
        buf_addf(b, " (%d%%)", (int)(100.0 * ((double)m->done / (double)m->total)));
}

static void put_rate(struct buf *b, uint64_t n, double seconds, const char *what)
{
    if (seconds < SOON)
        return;
    buf_adds(b, ", ");
    put_count(b, (uint64_t)((double)n / seconds));
    buf_addf(b, " %s/s", what);
}

static void put_left(struct buf *b, const struct progress_moment *m)
{
    double left;
    uint64_t s;

    if (m->total == 0 || m->done == 0 || m->done >= m->total || m->seconds < SOON)
        return;
    left = m->seconds * ((double)(m->total - m->done) / (double)m->done);
    if (left >= 100 * 3600.0)
        return;
    s = (uint64_t)left + 1;
    if (s < 60)
        buf_addf(b, ", %" PRIu64 " s left", s);
    else if (s < 3600)
        buf_addf(b, ", %" PRIu64 " min %02" PRIu64 " s left", s / 60, s % 60);
    else
        buf_addf(b, ", %" PRIu64 " h %02" PRIu64 " min left", s / 3600, s / 60 % 60);
}

void progress_put(struct buf *b, const struct progress_moment *m)
{
    switch (m->stage) {
    case PROGRESS_NOTHING:
        return;
    case PROGRESS_READING:
        buf_adds(b, "reading ");
        put_bytes(b, m->done, m->total);
        put_percent(b, m);
        buf_adds(b, ", ");
        put_count(b, m->more);
        buf_adds(b, " records");
        put_rate(b, m->more, m->seconds, "records");
        break;
    case PROGRESS_DECIDING:
        buf_adds(b, "deciding ");
        put_done(b, m, "rows");
        put_rate(b, m->done, m->seconds, "rows");
        break;
    case PROGRESS_ASKING:
        buf_adds(b, "asking about rows, ");
        put_done(b, m, "answered");
        put_percent(b, m);
        buf_adds(b, ", ");
        put_count(b, m->more);
        buf_adds(b, " requests");
        put_rate(b, m->more, m->seconds, "requests");
        break;
    case PROGRESS_WRITING:
        buf_adds(b, "writing ");
        put_done(b, m, "rows");
        put_percent(b, m);
        buf_adds(b, ", ");
        put_count(b, m->more);
        buf_adds(b, " batches");
        put_rate(b, m->done, m->seconds, "rows");
        break;
    }
    put_left(b, m);
}

/* ---- showing it ----------------------------------------------------------------- */

static unsigned columns(void)
{
    struct winsize size;

    if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) != 0 || size.ws_col == 0)
        return COLUMNS;
    return size.ws_col;
}

/* With the lock held. */
static void show(struct progress *p)
{
    const struct progress_moment m = {
        p->stage, atomic_load_explicit(&p->done, memory_order_relaxed), p->total,
        atomic_load_explicit(&p->more, memory_order_relaxed), clock_monotonic() - p->began};
    struct buf text = BUF_INIT;

    progress_put(&text, &m);
    if (text.failed || text.len == 0) /* there is nothing to be told, or nothing to tell it with */
        ;
    else if (p->on_terminal)
        log_status_line(buf_str(&text), columns() - 1); /* in the last column, some would wrap */
    else
        log_progress(buf_str(&text));
    buf_release(&text);
}

/* With the lock held. */
static void end_stage(struct progress *p)
{
    if (p->on_terminal)
        log_status_line("", 0);
    else
        show(p);
    p->stage = PROGRESS_NOTHING;
}

static void *look_on(void *ctx)
{
    struct progress *p = ctx;
    double interval = p->on_terminal ? TERMINAL_SECONDS : LINE_SECONDS;

    (void)pthread_mutex_lock(&p->lock);
    while (!p->over) {
        struct timespec until;
        int64_t ns;

        (void)clock_gettime(CLOCK_MONOTONIC, &until);
        ns = until.tv_nsec + (int64_t)(interval * 1e9);
        until.tv_sec += (time_t)(ns / 1000000000);
        until.tv_nsec = (long)(ns % 1000000000);
        if (pthread_cond_timedwait(&p->changed, &p->lock, &until) == ETIMEDOUT && !p->over)
            show(p);
    }
    (void)pthread_mutex_unlock(&p->lock);
    return NULL;
}

/* The signals that end a run are for the threads that do the work, whose waits
 * they cut short. */
static int start(struct progress *p)
{
    sigset_t all, before;
    int code;

    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    code = pthread_create(&p->thread, NULL, look_on, p);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    return code;
}

static bool can_redraw(void)
{
    const char *term = getenv("TERM");

    return isatty(STDERR_FILENO) == 1 && term && *term && strcmp(term, "dumb") != 0;
}

struct progress *progress_new(enum progress_mode mode, bool plain)
{
    bool on_terminal = plain && can_redraw();
    pthread_condattr_t attr;
    struct progress *p;
    int code;

    if (mode == PROGRESS_NEVER || (mode == PROGRESS_AUTO && !on_terminal))
        return NULL;
    p = calloc(1, sizeof *p);
    if (!p)
        return NULL; /* the run will find out for itself */
    p->on_terminal = on_terminal;
    (void)pthread_mutex_init(&p->lock, NULL);
    (void)pthread_condattr_init(&attr);
    (void)pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&p->changed, &attr);
    (void)pthread_condattr_destroy(&attr);
    code = start(p);
    if (code == 0)
        return p;
    log_detail("no progress is shown: could not start a thread: %s", strerror(code));
    free(p);
    return NULL;
}

void progress_free(struct progress *p)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    p->over = true;
    end_stage(p);
    (void)pthread_cond_signal(&p->changed);
    (void)pthread_mutex_unlock(&p->lock);
    (void)pthread_join(p->thread, NULL);
    (void)pthread_cond_destroy(&p->changed);
    (void)pthread_mutex_destroy(&p->lock);
    free(p);
}

/* ---- counting --------------------------------------------------------------------- */

void progress_begin(struct progress *p, enum progress_stage stage, uint64_t total)
{
    if (!p)
        return;
    (void)pthread_mutex_lock(&p->lock);
    end_stage(p);
    progress_set(p, 0, 0);
    p->stage = stage;
    p->total = total;
    p->began = clock_monotonic();
    (void)pthread_mutex_unlock(&p->lock);
}

void progress_add(struct progress *p, uint64_t done, uint64_t more)
{
    if (!p)
        return;
    (void)atomic_fetch_add_explicit(&p->done, done, memory_order_relaxed);
    (void)atomic_fetch_add_explicit(&p->more, more, memory_order_relaxed);
}

void progress_set(struct progress *p, uint64_t done, uint64_t more)
{
    if (!p)
        return;
    atomic_store_explicit(&p->done, done, memory_order_relaxed);
    atomic_store_explicit(&p->more, more, memory_order_relaxed);
}

void progress_set_more(struct progress *p, uint64_t more)
{
    if (p)
        atomic_store_explicit(&p->more, more, memory_order_relaxed);
}
