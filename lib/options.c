#include "options_parts.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

size_t options_find(const struct options *o, const char *name)
{
    return opt_find(options_table(), TOOL_BIT(o->tool), name, strlen(name));
}

enum opt_origin options_origin(const struct options *o, const char *name)
{
    size_t i = options_find(o, name);

    return i < options_table()->n ? (enum opt_origin)o->given[i] : OPT_DEFAULT;
}

bool options_given(const struct options *o, const char *name)
{
    return options_origin(o, name) != OPT_DEFAULT;
}

bool options_configured(const struct options *o, const char *name)
{
    return options_origin(o, name) == OPT_CONFIGURED;
}

bool options_config_named(const struct options *o)
{
    return options_origin(o, "config") == OPT_ARGUMENT;
}

/* ---- what the values mean ----------------------------------------------- */

/* Loaded only where it is needed: a machine without a zone database can do
 * whatever needs none. */
struct lazy_zone {
    const char *name;
    struct zone *zone;
    bool loaded;
};

static int lazy_load(struct lazy_zone *z, struct err *e)
{
    if (z->loaded)
        return 0;
    z->loaded = true;
    return zone_load(&z->zone, z->name, e) < 0 ? err_prefix(e, "--app-zone") : 0;
}

/* Does the text of a time, which is sound, depend on a zone? */
static bool needs_zone(const char *text)
{
    enum time_offset offset;
    int64_t us;

    if (age_read(text, &us))
        return false;
    return !time_read(text, strlen(text), &us, &offset) || offset == TIME_OFFSET_NONE;
}

static int read_time(const char *name, const char *text, struct lazy_zone *z, int64_t now,
                     int64_t *us, struct err *e)
{
    *us = TIME_NONE;
    if (!text)
        return 0;
    if (!time_option(text, NULL, now, us))
        return err_set(e, EXIT_USAGE,
                       "invalid value \"%s\" for --%s: a time such as 2026-11-01T12:00:00Z, a date "
                       "or an age such as 36h is needed",
                       text, name);
    if (!needs_zone(text))
        return 0;
    if (lazy_load(z, e) < 0)
        return -1;
    (void)time_option(text, z->zone, now, us);
    return 0;
}

static int read_times(struct options *o, int64_t now, struct err *e)
{
    struct lazy_zone z = {o->app_zone, NULL, false};
    int result = -1;

    if (o->tool == TOOL_POLL && !o->sent_since_text)
        o->sent_since_text = POLL_SINCE;

    if ((options_given(o, "app-zone") || o->instance_health) && lazy_load(&z, e) < 0)
        goto out;
    if (read_time("since", o->since_text, &z, now, &o->since, e) < 0 ||
        read_time("until", o->until_text, &z, now, &o->until, e) < 0 ||
        read_time("sent-since", o->sent_since_text, &z, now, &o->sent_since, e) < 0 ||
        read_time("sent-until", o->sent_until_text, &z, now, &o->sent_until, e) < 0)
        goto out;
    if (zone_load(&o->date_time_table, o->date_time_zone, e) < 0) {
        (void)err_prefix(e, "--date-time-zone");
        goto out;
    }
    result = 0;
out:
    o->app_zone_table = z.zone;
    return result;
}

/* Those this process may run on, which a container may have fewer of than the
 * machine. */
static int64_t processors(void)
{
    cpu_set_t set;
    int n = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : 1;

    return n < 1 ? 1 : n > 1024 ? 1024 : n;
}

/* "10/s", "0.5" */
static int read_rate(struct options *o, struct err *e)
{
    char *end;

    if (!o->rate_text)
        return 0;
    errno = 0;
    o->rate = strtod(o->rate_text, &end);
    if (end != o->rate_text && (*end == '\0' || strcmp(end, "/s") == 0) && errno == 0 &&
        o->rate >= 0.001 && o->rate <= 1e6)
        return 0;
    return err_set(e, EXIT_USAGE,
                   "invalid value \"%s\" for --rate: requests per second, such as 10/s",
                   o->rate_text);
}

static int check_environment(struct err *e)
{
    const char *now = getenv("RECONCILE_NOW");
    enum time_offset offset;
    int64_t us;

    if (now && !time_read(now, strlen(now), &us, &offset))
        return err_set(e, EXIT_USAGE,
                       "invalid value \"%s\" for RECONCILE_NOW: a time such as "
                       "2026-11-01T12:00:00Z is needed",
                       now);
    return 0;
}

static void derive(struct options *o)
{
    o->acts = o->tool == TOOL_APPLY || o->tool == TOOL_REVERT;
    o->apply = (o->apply_given || o->acts) && !o->dry_run;
    o->status_codes_named = options_given(o, "status-codes");
    o->policy.failed_unless_delivered = o->failed_wins == 1;
    o->policy.earliest = o->timestamps == 1;
    o->policy.null_approximate = o->approximate_times == 1;
    o->report.format = (enum report_format)o->format;
    o->report.verbose = o->verbose;
    if (o->jobs == 0)
        o->jobs = processors();
}

/* ---- the command line ---------------------------------------------------- */

/* An option where the command should be: some need none. What tells does not tell its
 * value, which may hold a password. "-" and "--" are left to the parser. */
static int check_no_command(const char *word, struct err *e)
{
    const struct opt_table *t = options_table();
    bool is_long = word[1] == '-';
    size_t n = is_long ? strcspn(word + 2, "=") : 0;

    if (strcmp(word, "-") == 0 || strcmp(word, "--") == 0 ||
        (is_long && opt_find(t, TOOL_BIT(TOOL_RECONCILE), word + 2, n) < t->n))
        return 0;
    return err_set(e, EXIT_USAGE,
                   "a command has to come before \"%.*s\"; reconcile --help lists them",
                   n < 200 ? (int)n + 2 : 200, word);
}

/* The command in argv[1]; an option there can only ask for help or version. */
static int find_command(struct options *o, int *argc, char *const **argv, struct err *e)
{
    const char *word = *argc > 1 ? (*argv)[1] : NULL;

    if (!word)
        return err_set(e, EXIT_USAGE, "a command is needed; reconcile --help lists them");
    if (word[0] == '-')
        return check_no_command(word, e);
    for (enum tool i = 0; i < TOOL_COUNT; i++)
        if (strncmp(tool_name(i), "reconcile ", 10) == 0 && strcmp(tool_name(i) + 10, word) == 0)
            o->tool = i;
    if (o->tool == TOOL_RECONCILE)
        return err_set(e, EXIT_USAGE, "unknown command \"%s\"; reconcile --help lists them", word);
    --*argc;
    ++*argv;
    return 0;
}

/* What has to be known before anything is read for good. */
struct ahead {
    const char *config_path;
    bool config_named;     /* and not just the default */
    bool stops;            /* help or version is asked for, whatever a file says */
    bool log_format_named; /* how errors are told */
    int log_format;
    const char *metrics; /* where else they are counted; NULL: not named */
    uint8_t given[OPTIONS_GIVEN_MAX];
};

/* Errors are left to be found again. */
static struct ahead look_ahead(struct options *o, int argc, char *const *argv)
{
    const struct opt_table *t = options_table();
    const unsigned any = o->tool == TOOL_RECONCILE ? ~0u : TOOL_BIT(o->tool);
    struct options all = {.tool = o->tool};
    struct opt_target to = {&all, all.given, OPT_ENVIRONMENT};
    struct err ignored = ERR_INIT;
    struct ahead a;
    size_t operands;

    (void)opt_set_defaults(t, any, to, &ignored);
    (void)opt_set_environment(t, any, NULL, to, &ignored);
    to.origin = OPT_ARGUMENT;
    (void)opt_parse(t, any, to, argc, argv, o->archive, &operands, NULL, &ignored);
    a = (struct ahead){
        .config_path = all.config_path,
        .config_named = all.given[opt_find(t, any, "config", 6)] != OPT_DEFAULT,
        .stops = all.help || all.version,
        .log_format_named = all.given[opt_find(t, any, "log-format", 10)] != OPT_DEFAULT,
        .log_format = all.log_format,
        .metrics = all.metrics,
    };
    memcpy(a.given, all.given, sizeof a.given);
    opt_release(t, &all);
    return a;
}

/* Each over the one before: defaults, file, environment, arguments. */
static int read_all(struct options *o, const struct ahead *a, int argc, char *const *argv,
                    struct opt_word *word, struct err *e)
{
    const struct opt_table *t = options_table();
    const unsigned tool = TOOL_BIT(o->tool);
    struct opt_target to = {o, o->given, OPT_ENVIRONMENT};

    if (opt_set_defaults(t, tool, to, e) < 0)
        return -1;
    o->config_path = a->config_path;
    if (o->tool != TOOL_RECONCILE && !a->stops && *o->config_path &&
        options_read_config(o, a->config_named, e) < 0)
        return -1;
    if (opt_set_environment(t, tool, a->given, to, e) < 0)
        return -1;
    to.origin = OPT_ARGUMENT;
    return opt_parse(t, tool, to, argc, argv, o->archive, &o->archives, word, e);
}

int options_parse(struct options *o, enum tool tool, int argc, char *const *argv, int64_t now,
                  struct err *e)
{
    const int all = argc; /* with the command, if there is one */
    struct ahead a;

    *o = (struct options){.tool = tool};
    o->archive = calloc((size_t)argc + 1, sizeof *o->archive);
    o->word = calloc((size_t)argc + 1, sizeof *o->word);
    if (!o->archive || !o->word)
        return err_oom(e);
    a = look_ahead(o, argc, argv);
    o->log_format = a.log_format;
    if (tool == TOOL_RECONCILE && find_command(o, &argc, &argv, e) < 0)
        return -1;
    if (read_all(o, &a, argc, argv, o->word + (all - argc), e) < 0) {
        if (a.log_format_named)
            o->log_format = a.log_format;
        if (a.metrics)
            o->metrics = a.metrics;
        return -1;
    }
    if (o->help || o->version)
        return 0;
    if (o->tool == TOOL_RECONCILE) /* "--", or a lone dash */
        return err_set(e, EXIT_USAGE, "a command is needed; reconcile --help lists them");
    options_yield(o);
    if (check_environment(e) < 0 || read_times(o, now, e) < 0 || read_rate(o, e) < 0)
        return -1;
    derive(o);
    return options_check(o, e);
}

void options_release(struct options *o)
{
    opt_release(options_table(), o);
    config_release(&o->config);
    zone_free(o->date_time_table);
    zone_free(o->app_zone_table);
    o->date_time_table = o->app_zone_table = NULL;
    free(o->archive);
    free(o->word);
    o->archive = NULL;
    o->word = NULL;
    o->archives = 0;
}
