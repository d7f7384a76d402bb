#include "tool_main.h"

#include "jmemory.h"
#include "log.h"
#include "metrics.h"
#include "names.h"
#include "outfile.h"
#include "pg.h"
#include "pipeline.h"
#include "source_api.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t interrupted;

/* A descriptor that the caller has closed would be that of the next file or socket
 * which is opened: a report would go into a journal, or to the server. What stands
 * in for it can neither be read nor be written. */
static int hold_standard_descriptors(void)
{
    int fd;

    do
        fd = open("/", O_PATH | O_CLOEXEC);
    while (fd >= 0 && fd <= STDERR_FILENO);
    if (fd < 0)
        (void)dprintf(STDERR_FILENO, "could not open \"/\": %s\n", strerror(errno));
    else
        (void)close(fd);
    return fd < 0 ? -1 : 0;
}

/* The first signal ends the run in order, a second one at once. Other threads
 * look at the flag, too. */
static void on_signal(int number)
{
    int saved = errno;

    __atomic_store_n(&interrupted, number, __ATOMIC_RELAXED);
    (void)signal(number, SIG_DFL);
    errno = saved;
}

static void catch_signals(void)
{
    struct sigaction sa = {.sa_handler = on_signal}, before;

    (void)sigemptyset(&sa.sa_mask);
    (void)sigaction(SIGINT, &sa, NULL);
    (void)sigaction(SIGTERM, &sa, NULL);
    /* A terminal that goes away ends a run, but not one that nohup began. */
    if (sigaction(SIGHUP, NULL, &before) == 0 && before.sa_handler != SIG_IGN)
        (void)sigaction(SIGHUP, &sa, NULL);
    (void)signal(SIGPIPE, SIG_IGN); /* a closed pipe is an error of a write */
    (void)signal(SIGXFSZ, SIG_IGN); /* and so is a limit of the size of files */
}

static int print(const struct buf *b, struct err *e)
{
    struct outfile *f;

    if (outfile_open(&f, "-", 0600, false, e) < 0)
        return -1;
    if (outfile_write(f, buf_str(b), b->len, e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}

static int run(const struct options *o, int argc, char **argv, int64_t started, struct err *e)
{
    char libpq[32], libcurl[32];
    const char *libraries[] = {libpq, libcurl};
    struct buf text = BUF_INIT;
    int status;

    log_set_format(o->log_format == 1 ? LOG_JSON : LOG_TEXT);
    if (!o->help && !o->version) {
        log_open(tool_name(o->tool), o->quiet     ? LOG_LEVEL_ERROR
                                     : o->verbose ? LOG_LEVEL_DETAIL
                                                  : LOG_LEVEL_NOTE);
        catch_signals();
        if (o->metrics && metrics_check(o->metrics, tool_name(o->tool), e) < 0)
            return e->status;
        return pipeline_run(o, argc, argv, started, &interrupted);
    }
    if (o->help) {
        options_help(o->tool, &text);
    } else {
        pg_library_version(libpq, sizeof libpq);
        source_api_library_version(libcurl, sizeof libcurl);
        options_version(o->tool, libraries, o->tool == TOOL_REPLAY ? 1 : 2, &text);
    }
    status = print(&text, e);
    buf_release(&text);
    return status < 0 ? e->status : EXIT_CLEAN;
}

/* A run that did not begin is one that failed. Without a command it is nobody's. */
static void tell_metrics(const struct options *o, int status)
{
    const struct metrics m = {tool_name(o->tool), NULL, false, status, clock_system(), 0};
    struct err e = ERR_INIT;

    if (o->metrics && o->tool != TOOL_RECONCILE && metrics_write(o->metrics, &m, &e) < 0)
        log_error("%s", e.text);
}

int tool_main(enum tool tool, int argc, char **argv)
{
    int64_t started = clock_now();
    struct err e = ERR_INIT;
    struct options o;
    int status;

    /* Hostile texts are many and short-lived: a seed that differs per run. */
    if (hold_standard_descriptors() < 0)
        return EXIT_FAILED;
    jmemory_watch();
    json_object_seed(0);
    hash_choose_secret();
    log_open(tool_name(tool), LOG_LEVEL_NOTE);
    if (options_parse(&o, tool, argc, argv, started, &e) < 0) {
        log_open(tool_name(o.tool), LOG_LEVEL_NOTE); /* the command may be known by now */
        log_set_format(o.log_format == 1 ? LOG_JSON : LOG_TEXT);
        tell_metrics(&o, e.status);
        status = e.status;
    } else {
        status = run(&o, argc, argv, started, &e);
    }
    if (e.status != 0)
        log_error("%s", e.text);
    options_release(&o);
    return status;
}
