#include "options_parts.h"

#include "inflater.h"
#include "outfile.h"
#include "version.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <jansson.h>

#define REPLAY TOOL_BIT(TOOL_REPLAY)
#define AUDIT TOOL_BIT(TOOL_AUDIT)
#define POLL TOOL_BIT(TOOL_POLL)
#define APPLY TOOL_BIT(TOOL_APPLY)
#define REVERT TOOL_BIT(TOOL_REVERT)
#define RECONCILE TOOL_BIT(TOOL_RECONCILE)
#define EVIDENCE (REPLAY | POLL) /* those that bring evidence */
#define DECIDING (REPLAY | AUDIT | POLL)
#define ACTING (APPLY | REVERT) /* those that carry out what was decided before */
#define EVERY (DECIDING | ACTING)

#define GIB (INT64_C(1) << 30)
/* A request without a limit could hold a run for ever; libcurl's own limit is 2^31 ms. */
#define REQUEST_TIMEOUT_MAX 86400
#define POLL_SINCE "7d" /* what a poll asks about unless told otherwise */
#define CONFIG_PATH "/etc/reconcile.conf"

#define AT(member) offsetof(struct options, member)

static const struct opt table[] = {
    {.tools = EVERY, .help = "Database"},
    {"dbname", 'd', "CONNINFO", EVERY, OPT_TEXT, AT(dbname),
     "libpq connection string or URI; PG* variables, service and password files work", NULL,
     "libpq's", NULL, NEEDS_DATABASE | MAY_BE_SECRET, 0, 0},
    {"apply", 0, NULL, DECIDING, OPT_FLAG, AT(apply_given), "write the corrections", NULL,
     "a dry run", NULL, 0, 0, 0},
    {"dry-run", 'n', NULL, DECIDING, OPT_FLAG, AT(dry_run),
     "write nothing; wins over --apply, wherever given", NULL, NULL, NULL, 0, 0, 0},
    {"dry-run", 'n', NULL, ACTING, OPT_FLAG, AT(dry_run),
     "write nothing: tell what would be written", NULL, NULL, NULL, 0, 0, 0},
    {"batch", 0, "ROWS", EVERY, OPT_NUMBER, AT(batch), "corrections per transaction at most",
     "5000", NULL, NULL, NEEDS_DATABASE, 1, 1000000},
    {"single-transaction", 0, NULL, EVERY, OPT_FLAG, AT(single_transaction),
     "all corrections in one transaction", NULL, NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"lock-wait", 0, "AGE", EVERY, OPT_AGE, AT(lock_wait),
     "how long to wait for another run to end", "0", NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"max-lag", 0, "SECONDS", EVERY, OPT_SECONDS, AT(max_lag),
     "between batches, wait while a standby is further behind", "0", "off", NULL, NEEDS_DATABASE, 0,
     0},
    {"recheck", 0, "SECONDS", EVERY, OPT_SECONDS, AT(recheck),
     "count the campaigns written to once more, this long after the last batch; 0: do not", "10",
     NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"verify", 0, NULL, EVERY, OPT_FLAG, AT(verify),
     "decide again after writing, and fail if anything is left", NULL, NULL, NULL, NEEDS_DATABASE,
     0, 0},
    {"pause", 0, "MS", EVERY, OPT_MILLISECONDS, AT(pause), "pause between batches, milliseconds",
     "0", NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"journal", 0, "FILE", EVERY, OPT_DISK_FILE, AT(journal),
     "where a run that writes keeps what it wrote, for reconcile revert", NULL,
     "journal-RUN.jsonl.gz in --state-dir", NULL, NEEDS_DATABASE, 0, 0},
    {"no-journal", 0, NULL, EVERY, OPT_FLAG, AT(no_journal), "keep no journal", NULL, NULL, NULL,
     NEEDS_DATABASE, 0, 0},
    {"state-dir", 0, "DIR", EVERY, OPT_DISK_FILE, AT(state_dir), "where journals are kept", NULL,
     "$STATE_DIRECTORY, $XDG_STATE_HOME/reconcile or ~/.local/state/reconcile", NULL,
     NEEDS_DATABASE, 0, 0},

    {.tools = DECIDING, .help = "Scope"},
    {"campaign", 0, "ID|NAME", DECIDING, OPT_LIST, AT(campaign),
     "this campaign; repeatable; a name must be unique", NULL, NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"tenant", 0, "ID", DECIDING, OPT_LIST, AT(tenant), "this tenant's campaigns; repeatable", NULL,
     NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"all", 0, NULL, EVIDENCE, OPT_FLAG, AT(all), "every campaign", NULL,
     "those the evidence touches", NULL, NEEDS_DATABASE, 0, 0},
    {"all", 0, NULL, AUDIT, OPT_FLAG, AT(all), "every campaign, which is the default", NULL, NULL,
     NULL, 0, 0, 0},
    {"instance", 0, "NAME", REPLAY, OPT_LIST, AT(instance),
     "only what this instance says; repeatable", NULL, NULL, NULL, 0, 0, 0},
    {"instance", 0, "NAME", POLL, OPT_LIST, AT(instance), "ask only this instance; repeatable",
     NULL, NULL, NULL, 0, 0, 0},
    {"since", 0, "TIME", REPLAY, OPT_TIME, AT(since_text),
     "only events from this time on: RFC 3339, a date, or an age such as 36h or 7d", NULL, NULL,
     NULL, 0, 0, 0},
    {"until", 0, "TIME", REPLAY, OPT_TIME, AT(until_text), "only events before this time", NULL,
     NULL, NULL, 0, 0, 0},
    {"sent-since", 0, "TIME", AUDIT, OPT_TIME, AT(sent_since_text),
     "campaigns with a message sent at this time or later: RFC 3339, a date, or an age such as "
     "36h or 7d",
     NULL, "all", NULL, 0, 0, 0},
    {"sent-until", 0, "TIME", AUDIT, OPT_TIME, AT(sent_until_text),
     "campaigns with a message sent before this time", NULL, NULL, NULL, 0, 0, 0},
    {"sent-since", 0, "TIME", POLL, OPT_TIME, AT(sent_since_text),
     "ask about messages sent at this time or later: RFC 3339, a date, or an age such as 36h or "
     "7d",
     NULL, POLL_SINCE, NULL, 0, 0, 0},
    {"sent-until", 0, "TIME", POLL, OPT_TIME, AT(sent_until_text),
     "ask about messages sent before this time", NULL, NULL, NULL, 0, 0, 0},

    {.tools = POLL, .help = "Asking"},
    {"evolution-url", 0, "URL", POLL, OPT_TEXT, AT(evolution_url),
     "where Evolution answers; the key is in EVOLUTION_API_KEY or --api-key-file", NULL, NULL,
     "EVOLUTION_API_URL", MAY_BE_SECRET, 0, 0},
    {"api-key-file", 0, "FILE", POLL, OPT_DISK_FILE, AT(api_key_file),
     "the key is the one line of this file", NULL, NULL, NULL, 0, 0, 0},
    {"strategy", 0, "auto|window|message", POLL, OPT_CHOICE, AT(strategy),
     "page through a span of time, ask once a message, or choose", "auto", NULL, NULL, 0, 0, 0},
    {"connections", 0, "N", POLL, OPT_NUMBER, AT(connections), "requests under way at once", "8",
     NULL, NULL, 0, 1, 256},
    {"rate", 0, "N/s", POLL, OPT_TEXT, AT(rate_text), "requests per second at most", NULL,
     "no limit", NULL, 0, 0, 0},
    {"request-timeout", 0, "SECONDS", POLL, OPT_SECONDS, AT(request_timeout),
     "how long one request may take", "30", NULL, NULL, 0, 1, REQUEST_TIMEOUT_MAX},
    {"retry-time", 0, "SECONDS", POLL, OPT_SECONDS, AT(retry_time),
     "how long a request that fails is tried again; 0: never", "120", NULL, NULL, 0, 0, 0},
    {"page-size", 0, "N", POLL, OPT_NUMBER, AT(page_size), "messages per page", "500", NULL, NULL,
     0, 1, 100000},
    {"cacert", 0, "FILE", POLL, OPT_DISK_FILE, AT(cacert),
     "certificates to trust instead of the system's", NULL, NULL, NULL, 0, 0, 0},

    {.tools = REPLAY, .help = "Reading"},
    {"offline", 0, NULL, REPLAY, OPT_FLAG, AT(offline), "no database: only fold the archives", NULL,
     NULL, NULL, 0, 0, 0},
    {"states-in", 0, "FILE", REPLAY, OPT_FILE_LIST, AT(states_in),
     "add evidence written by --states-out; repeatable; ARCHIVE may then be left out", NULL, NULL,
     NULL, 0, 0, 0},
    {"status-codes", 0, "app|baileys", EVIDENCE, OPT_CHOICE, AT(status_codes),
     "what numeric statuses mean: app = 0 failed, 1 pending, 2 delivered, 3 read; baileys = 0 "
     "failed, 1 pending, 2 sent, 3 delivered, 4 and 5 read",
     "app", NULL, "RECONCILE_STATUS_CODES", 0, 0, 0},
    {"date-time-zone", 0, "ZONE", REPLAY, OPT_TEXT, AT(date_time_zone),
     "zone of a body's date_time without offset or with Z", "UTC", NULL, NULL, 0, 0, 0},
    {"max-record", 0, "SIZE", REPLAY, OPT_SIZE, AT(max_record),
     "larger records are rejected without being held in memory", "256M", NULL, NULL, 0, 1, 8 * GIB},
    {"memory", 0, "SIZE", REPLAY, OPT_SIZE, AT(memory),
     "what evidence may take in memory; beyond it is sorted and kept in a temporary file", "1G",
     NULL, NULL, 0, 1 << 20, 1024 * GIB},
    {"tmpdir", 0, "DIR", REPLAY, OPT_TEXT, AT(tmpdir), "where that file is", "/tmp", NULL, "TMPDIR",
     0, 0, 0},
    {"jobs", 'j', "N", REPLAY, OPT_NUMBER, AT(jobs), "threads", NULL, "the number of processors",
     NULL, 0, 1, 1024},

    {.tools = EVERY, .help = "Deciding"},
    {"app-zone", 0, "ZONE", DECIDING | APPLY, OPT_TEXT, AT(app_zone),
     "zone of the application, and of dates and times without offset in options",
     "America/Sao_Paulo", NULL, NULL, 0, 0, 0},
    {"settle", 0, "AGE", DECIDING, OPT_AGE, AT(settle),
     "leave rows younger than this to the next run", "15m", NULL, NULL, 0, 0, 0},
    {"any-instance", 0, NULL, REPLAY, OPT_FLAG, AT(any_instance),
     "let every instance speak for every row", NULL, NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"rebuild", 0, NULL, REPLAY, OPT_FLAG, AT(policy.rebuild),
     "believe only the evidence, and take back what it does not prove", NULL, NULL, NULL,
     NEEDS_DATABASE, 0, 0},
    {"failed-wins", 0, "always|unless-delivered", DECIDING, OPT_CHOICE, AT(failed_wins),
     "when a failure is the final status", "always", NULL, NULL, 0, 0, 0},
    {"timestamps", 0, "fill|earliest", EVIDENCE, OPT_CHOICE, AT(timestamps),
     "fill in times that are missing, or take the earliest known", "fill", NULL, NULL, 0, 0, 0},
    {"time-tolerance", 0, "SECONDS", EVIDENCE, OPT_SECONDS, AT(policy.tolerance),
     "with --timestamps earliest: smaller differences are left", "60", NULL, NULL, 0, 0, 0},
    {"approximate-times", 0, "observed|null", EVIDENCE, OPT_CHOICE, AT(approximate_times),
     "use times that are only upper bounds, or treat them as unknown", "observed", NULL, NULL, 0, 0,
     0},
    {"instance-health", 0, NULL, DECIDING | APPLY, OPT_FLAG, AT(instance_health),
     "write the instances' counters of the day too", NULL, NULL, NULL, NEEDS_DATABASE, 0, 0},
    {"fix-total", 0, NULL, EVERY, OPT_FLAG, AT(fix_total), "write total_contacts too", NULL, NULL,
     NULL, NEEDS_DATABASE, 0, 0},

    {.tools = EVERY, .help = "Safety catches"},
    {"accept-damaged", 0, NULL, REPLAY, OPT_FLAG, AT(accept_damaged),
     "write although an archive is corrupt", NULL, NULL, NULL, 0, 0, 0},
    {"accept-clock", 0, NULL, EVIDENCE, OPT_FLAG, AT(accept_clock),
     "write although an instance's clock looks wrong", NULL, NULL, NULL, 0, 0, 0},
    {"accept-partial", 0, NULL, REPLAY, OPT_FLAG, AT(accept_partial),
     "rebuild although the archives do not cover a campaign's whole life", NULL, NULL, NULL,
     NEEDS_DATABASE, 0, 0},
    {"max-corrections", 0, "N|P%", EVERY, OPT_LIMIT, AT(max_corrections),
     "refuse to write more than N, or P percent of the rows in scope", NULL, "no limit", NULL,
     NEEDS_DATABASE, 0, 0},

    {.tools = EVERY, .help = "Output"},
    {"format", 0, "text|json|csv|html", EVERY, OPT_CHOICE, AT(format), "of the report", "text",
     NULL, NULL, 0, 0, 0},
    {"output", 'o', "FILE", EVERY, OPT_FILE, AT(output), "the report; - is stdout", "-", "stdout",
     NULL, 0, 0, 0},
    {"details", 0, NULL, EVERY, OPT_FLAG, AT(report.details), "list every correction", NULL, NULL,
     NULL, 0, 0, 0},
    {"explain", 0, "MESSAGE_ID", DECIDING, OPT_TEXT, AT(explain),
     "tell everything known about one message, and why it is decided so", NULL, NULL, NULL, 0, 0,
     0},
    {"plan-out", 0, "FILE", DECIDING, OPT_DISK_FILE, AT(plan_out),
     "write the corrections of a dry run as a plan, for reconcile apply", NULL, NULL, NULL,
     NEEDS_DATABASE, 0, 0},
    {"states-out", 0, "FILE", REPLAY, OPT_FILE, AT(states_out),
     "write the folded evidence; gzip if it ends in .gz; - is stdout, which needs -o FILE", NULL,
     NULL, NULL, 0, 0, 0},
    {"rejects", 0, "FILE", REPLAY, OPT_DISK_FILE, AT(rejects),
     "write every rejected record, API keys masked", NULL, NULL, NULL, 0, 0, 0},
    {"quiet", 'q', NULL, EVERY, OPT_FLAG, AT(quiet), "on stderr only errors", NULL, NULL, NULL, 0,
     0, 0},
    {"verbose", 'v', NULL, EVERY, OPT_FLAG, AT(verbose),
     "more on stderr, and all campaigns in scope in the report", NULL, NULL, NULL, 0, 0, 0},
    {"metrics", 0, "FILE", EVERY, OPT_DISK_FILE, AT(metrics),
     "write the run's numbers for Prometheus, however it ends, adding to those the file holds",
     NULL, NULL, NULL, 0, 0, 0},
    {"progress", 0, "auto|always|never", EVERY, OPT_CHOICE, AT(progress),
     "tell on stderr how far the run is; auto: only on a terminal", "auto", NULL, NULL, 0, 0, 0},
    {"log-format", 0, "text|json", EVERY, OPT_CHOICE, AT(log_format),
     "of the messages on stderr; json: an object a line", "text", NULL, NULL, 0, 0, 0},
    {"config", 0, "FILE", EVERY, OPT_TEXT, AT(config_path),
     "options as lines of \"name = value\", behind the environment and the command line; an empty "
     "name: none",
     CONFIG_PATH, NULL, "RECONCILE_CONFIG", NOT_IN_FILE, 0, 0},
    {"help", 0, NULL, EVERY | RECONCILE, OPT_STOP, AT(help), "print this, and end", NULL, NULL,
     NULL, NOT_IN_FILE, 0, 0},
    {"version", 0, NULL, EVERY | RECONCILE, OPT_STOP, AT(version),
     "print version and libraries, and end", NULL, NULL, NULL, NOT_IN_FILE, 0, 0},
};

_Static_assert(sizeof table / sizeof *table <= OPTIONS_GIVEN_MAX, "options.given is too short");

const struct opt_table *options_table(void)
{
    static const struct opt_table whole = {table, sizeof table / sizeof *table};

    return &whole;
}

static size_t find_own(const struct options *o, const char *name)
{
    return opt_find(options_table(), TOOL_BIT(o->tool), name, strlen(name));
}

/* Where its value comes from. */
static enum opt_origin origin_of(const struct options *o, const char *name)
{
    size_t i = find_own(o, name);

    return i < options_table()->n ? (enum opt_origin)o->given[i] : OPT_DEFAULT;
}

bool options_given(const struct options *o, const char *name)
{
    return origin_of(o, name) != OPT_DEFAULT;
}

bool options_configured(const struct options *o, const char *name)
{
    return origin_of(o, name) == OPT_CONFIGURED;
}

bool options_config_named(const struct options *o)
{
    return origin_of(o, "config") == OPT_ARGUMENT;
}

/* ---- after the command line has been read ------------------------------- */

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

static int check_poll(const struct options *o, struct err *e)
{
    if (o->tool != TOOL_POLL)
        return 0;
    if (!o->evolution_url || !*o->evolution_url)
        return err_set(e, EXIT_USAGE, "--evolution-url or EVOLUTION_API_URL is needed");
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

/* ---- what does not go together ------------------------------------------ */

static void yield(struct options *o, size_t i)
{
    const struct opt_target to = {o, o->given, OPT_DEFAULT};

    opt_unset(options_table(), i, to);
}

/* A file is for many runs: what it says and this one cannot use is as if it were
 * not there. Within the file, and between it and itself, it is an error. */
static void yield_to_nearer(struct options *o)
{
    static const struct {
        unsigned tools;
        const char *one, *other;
    } apart[] = {
        {EVERY, "all", "campaign"},     {EVERY, "all", "tenant"},
        {AUDIT, "all", "sent-since"},   {AUDIT, "all", "sent-until"},
        {EVERY, "states-in", "since"},  {EVERY, "states-in", "until"},
        {EVERY, "rebuild", "instance"}, {EVERY, "offline", "apply"},
        {EVERY, "plan-out", "apply"},   {EVERY, "journal", "no-journal"},
    };
    enum opt_origin offline = origin_of(o, "offline");

    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        enum opt_origin one = origin_of(o, apart[i].one), other = origin_of(o, apart[i].other);

        if (!(apart[i].tools & TOOL_BIT(o->tool)) || one == OPT_DEFAULT || other == OPT_DEFAULT)
            continue;
        if (one == OPT_CONFIGURED && other > one)
            yield(o, find_own(o, apart[i].one));
        else if (other == OPT_CONFIGURED && one > other)
            yield(o, find_own(o, apart[i].other));
    }
    for (size_t i = 0; i < sizeof table / sizeof *table && offline != OPT_DEFAULT; i++) {
        if (!(table[i].marks & NEEDS_DATABASE))
            continue;
        if (o->given[i] == OPT_CONFIGURED && offline > OPT_CONFIGURED)
            yield(o, i);
        else if (o->given[i] > OPT_CONFIGURED && offline == OPT_CONFIGURED)
            yield(o, find_own(o, "offline"));
    }
}

static int check_operands(const struct options *o, struct err *e)
{
    size_t from_stdin = 0;

    if (o->acts && o->archives == 0)
        return err_set(e, EXIT_USAGE, "a %s is needed", o->tool == TOOL_APPLY ? "PLAN" : "JOURNAL");
    if (o->tool != TOOL_REPLAY && o->archives > o->acts)
        return err_set(e, EXIT_USAGE, "unexpected argument \"%s\"", o->archive[o->acts]);
    if (o->tool == TOOL_REPLAY && o->archives == 0 && o->states_in.n == 0)
        return err_set(e, EXIT_USAGE, "an ARCHIVE or --states-in is needed");
    for (size_t i = 0; i < o->archives && from_stdin == 0; i++)
        from_stdin = strcmp(o->archive[i], "-") == 0; /* named twice, it is read once */
    for (size_t i = 0; i < o->states_in.n; i++)
        from_stdin += strcmp(o->states_in.item[i], "-") == 0;
    if (from_stdin > 1)
        return err_set(e, EXIT_USAGE, "stdin can be read only once");
    return 0;
}

static int check_offline(const struct options *o, struct err *e)
{
    if (!o->offline)
        return 0;
    if (o->apply)
        return err_set(e, EXIT_USAGE, "--apply cannot be used with --offline");
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (o->given[i] && (table[i].marks & NEEDS_DATABASE))
            return err_set(e, EXIT_USAGE, "--%s cannot be used with --offline", table[i].name);
    return 0;
}

static int check_scope(const struct options *o, struct err *e)
{
    if (o->all && (o->campaign.n > 0 || o->tenant.n > 0))
        return err_set(e, EXIT_USAGE, "--all cannot be used with --%s",
                       o->campaign.n > 0 ? "campaign" : "tenant");
    if (o->all && o->tool == TOOL_AUDIT &&
        (o->sent_since != TIME_NONE || o->sent_until != TIME_NONE))
        return err_set(e, EXIT_USAGE, "--all cannot be used with --sent-%s",
                       o->sent_since != TIME_NONE ? "since" : "until");
    if (o->states_in.n > 0 && (o->since != TIME_NONE || o->until != TIME_NONE))
        return err_set(e, EXIT_USAGE, "--%s cannot be used with --states-in",
                       o->since != TIME_NONE ? "since" : "until");
    if (o->policy.rebuild && o->instance.n > 0)
        return err_set(e, EXIT_USAGE, "--rebuild cannot be used with --instance");
    if (o->since != TIME_NONE && o->until != TIME_NONE && o->since >= o->until)
        return err_set(e, EXIT_USAGE, "--since must be before --until");
    if (o->sent_since != TIME_NONE && o->sent_until != TIME_NONE && o->sent_since >= o->sent_until)
        return err_set(e, EXIT_USAGE, "--sent-since must be before --sent-until");
    return 0;
}

static int check_outputs(const struct options *o, struct err *e)
{
    if (o->states_out && strcmp(o->states_out, "-") == 0 && strcmp(o->output, "-") == 0)
        return err_set(e, EXIT_USAGE,
                       "--states-out - needs -o FILE, as the report goes to stdout too");
    if (o->plan_out && o->apply)
        return err_set(e, EXIT_USAGE, "--plan-out cannot be used with --apply");
    if (o->journal && o->no_journal)
        return err_set(e, EXIT_USAGE, "--journal cannot be used with --no-journal");
    return 0;
}

struct output {
    const char *name, *path; /* NULL: it is not written */
};

/* Writing it would destroy what is read. Archives are not known before directories have
 * been listed. */
static int check_input(const struct output *out, const char *path, struct err *e)
{
    bool same = false;

    if (!out->path || !path || strcmp(path, "-") == 0)
        return 0;
    if (outfile_same(out->path, path, &same, e) < 0)
        return -1;
    return same ? err_set(e, EXIT_USAGE, "--%s names the file \"%s\" that is read", out->name, path)
                : 0;
}

static int check_inputs(const struct options *o, const struct output *out, struct err *e)
{
    if (check_input(out, o->config.text ? o->config_path : NULL, e) < 0 ||
        check_input(out, o->acts ? o->archive[0] : NULL, e) < 0 ||
        check_input(out, o->api_key_file, e) < 0 || check_input(out, o->cacert, e) < 0)
        return -1;
    for (size_t i = 0; i < o->states_in.n; i++)
        if (check_input(out, o->states_in.item[i], e) < 0)
            return -1;
    return 0;
}

/* Two outputs to one file would leave what one of them wrote. */
static int check_files(const struct options *o, struct err *e)
{
    const struct output out[] = {{"output", o->output},   {"states-out", o->states_out},
                                 {"rejects", o->rejects}, {"plan-out", o->plan_out},
                                 {"journal", o->journal}, {"metrics", o->metrics}};
    const size_t n = sizeof out / sizeof *out;

    for (size_t i = 0; i < n; i++) {
        if (check_inputs(o, &out[i], e) < 0)
            return -1;
        for (size_t k = i + 1; k < n && out[i].path; k++) {
            bool same = false;

            if (out[k].path && outfile_same(out[i].path, out[k].path, &same, e) < 0)
                return -1;
            if (same)
                return err_set(e, EXIT_USAGE, "--%s and --%s name the same file", out[i].name,
                               out[k].name);
        }
    }
    return 0;
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

/* ---- the interface ------------------------------------------------------ */

/* What the tools are called, and what they are for. */
static const struct {
    enum tool tool;
    const char *name, *usage, *about;
} tools[TOOL_COUNT] = {
    [TOOL_REPLAY] = {TOOL_REPLAY, "replay", "replay [options] ARCHIVE...",
                     "Folds archived webhooks of Evolution API into what is known of each message, "
                     "and corrects the campaigns' rows and counters by it. An ARCHIVE is a file of "
                     "JSON, gzip or plain, a directory of such files, or - for stdin. Without "
                     "--apply nothing is written: the report says what would be."},
    [TOOL_POLL] = {TOOL_POLL, "reconcile poll", "reconcile poll [options]",
                   "Asks Evolution API about the messages that have not settled, and corrects the "
                   "campaigns' rows and counters by its answers. Without --apply nothing is "
                   "written: the report says what would be."},
    [TOOL_AUDIT] = {TOOL_AUDIT, "reconcile audit", "reconcile audit [options]",
                    "Decides every row by what it records itself, and counts the campaigns again. "
                    "Without --apply nothing is written: the report says what would be."},
    [TOOL_APPLY] = {TOOL_APPLY, "reconcile apply", "reconcile apply [options] PLAN",
                    "Carries out a plan that a dry run wrote with --plan-out. A row that no longer "
                    "holds what the plan says is left alone; the campaigns are counted again. "
                    "Writes unless -n is given."},
    [TOOL_REVERT] = {TOOL_REVERT, "reconcile revert", "reconcile revert [options] JOURNAL",
                     "Undoes what a run wrote, by its journal. A row that no longer holds what the "
                     "run wrote is left alone; the campaigns are counted again. Writes unless -n "
                     "is given."},
    [TOOL_RECONCILE] = {TOOL_RECONCILE, "reconcile", "reconcile COMMAND [options]",
                        "Corrects the campaigns' rows and counters without archives."},
};

const char *tool_name(enum tool tool)
{
    return tools[tool].name;
}

/* An option where the command should be: some need none. What tells does not tell its
 * value, which may hold a password. "-" and "--" are left to the parser. */
static int check_no_command(const char *word, struct err *e)
{
    const struct opt_table *t = options_table();
    bool is_long = word[1] == '-';
    size_t n = is_long ? strcspn(word + 2, "=") : 0;

    if (strcmp(word, "-") == 0 || strcmp(word, "--") == 0 ||
        (is_long && opt_find(t, RECONCILE, word + 2, n) < t->n))
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
    for (size_t i = 0; i < TOOL_COUNT; i++)
        if (strncmp(tools[i].name, "reconcile ", 10) == 0 && strcmp(tools[i].name + 10, word) == 0)
            o->tool = tools[i].tool;
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
    yield_to_nearer(o);
    if (check_environment(e) < 0 || read_times(o, now, e) < 0 || read_rate(o, e) < 0)
        return -1;
    derive(o);
    if (check_operands(o, e) < 0 || check_poll(o, e) < 0 || check_offline(o, e) < 0 ||
        check_scope(o, e) < 0 || check_outputs(o, e) < 0 || check_files(o, e) < 0)
        return -1;
    return 0;
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

/* ---- help and version --------------------------------------------------- */

static void help_list(struct buf *b, const char *heading, const char *const (*line)[2], size_t n,
                      size_t indent)
{
    buf_addf(b, "\n%s:\n", heading);
    for (size_t i = 0; i < n; i++) {
        size_t start = b->len;

        buf_addf(b, "  %s", line[i][0]);
        opt_wrap(b, line[i][1], b->len - start, indent);
    }
}

void options_help(enum tool tool, struct buf *b)
{
    static const char *const environment[][2] = {
        {"PGHOST, PGUSER, ...", "libpq's own variables"},
        {"RECONCILE_NOW", "a time to take for now, to repeat a run of another day"},
    };
    static const char *const exits[][2] = {
        {"0", "nothing to correct, or all corrected"},
        {"1", "a dry run found corrections, or counters that differ"},
        {"2", "usage or configuration"},
        {"3", "some input could not be read or used; the rest was done"},
        {"4", "failed or refused; the message says what had been committed"},
        {"5", "another run holds the lock"},
        {"128 + N", "ended by signal N; the batch under way was rolled back"},
    };

    buf_addf(b, "Usage: %s\n\n", tools[tool].usage);
    opt_wrap(b, tools[tool].about, 0, 0);
    if (tool == TOOL_RECONCILE) {
        buf_adds(b, "\nCommands:\n");
        for (size_t i = 0; i < TOOL_RECONCILE; i++)
            if (strncmp(tools[i].name, "reconcile ", 10) == 0) {
                size_t start = b->len;

                buf_addf(b, "  %s", tools[i].name + 10);
                opt_wrap(b, tools[i].about, b->len - start, 12);
            }
        buf_adds(b, "\nreconcile COMMAND --help tells of the options of a command.\n");
        return;
    }
    opt_help(options_table(), TOOL_BIT(tool), b);
    help_list(b, "Environment", environment, sizeof environment / sizeof *environment, 24);
    help_list(b, "Exit status", exits, sizeof exits / sizeof *exits, 12);
}

void options_version(enum tool tool, const char *const *libraries, size_t n, struct buf *b)
{
    buf_addf(b, "%s %s\n", tool == TOOL_REPLAY ? "replay" : "reconcile", VERSION);
    buf_addf(b, "%s\njansson %s\n", inflater_library(), JANSSON_VERSION);
    for (size_t i = 0; i < n; i++)
        buf_addf(b, "%s\n", libraries[i]);
}
