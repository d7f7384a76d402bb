#include "options_parts.h"

#include "inflater.h"
#include "version.h"

#include <string.h>

#include <jansson.h>

#define GIB (INT64_C(1) << 30)
/* A request without a limit could hold a run for ever; libcurl's own limit is 2^31 ms. */
#define REQUEST_TIMEOUT_MAX 86400
#define CONFIG_PATH "/etc/reconcile.conf"

#define AT(member) offsetof(struct options, member)

/* ---- the options ---------------------------------------------------------- */

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

/* ---- the tools ------------------------------------------------------------ */

/* What the tools are called, and what they are for. */
static const struct {
    const char *name, *usage, *about;
} tools[TOOL_COUNT] = {
    [TOOL_REPLAY] = {"replay", "replay [options] ARCHIVE...",
                     "Folds archived webhooks of Evolution API into what is known of each message, "
                     "and corrects the campaigns' rows and counters by it. An ARCHIVE is a file of "
                     "JSON, gzip or plain, a directory of such files, or - for stdin. Without "
                     "--apply nothing is written: the report says what would be."},
    [TOOL_POLL] = {"reconcile poll", "reconcile poll [options]",
                   "Asks Evolution API about the messages that have not settled, and corrects the "
                   "campaigns' rows and counters by its answers. Without --apply nothing is "
                   "written: the report says what would be."},
    [TOOL_AUDIT] = {"reconcile audit", "reconcile audit [options]",
                    "Decides every row by what it records itself, and counts the campaigns again. "
                    "Without --apply nothing is written: the report says what would be."},
    [TOOL_APPLY] = {"reconcile apply", "reconcile apply [options] PLAN",
                    "Carries out a plan that a dry run wrote with --plan-out. A row that no longer "
                    "holds what the plan says is left alone; the campaigns are counted again. "
                    "Writes unless -n is given."},
    [TOOL_REVERT] = {"reconcile revert", "reconcile revert [options] JOURNAL",
                     "Undoes what a run wrote, by its journal. A row that no longer holds what the "
                     "run wrote is left alone; the campaigns are counted again. Writes unless -n "
                     "is given."},
    [TOOL_RECONCILE] = {"reconcile", "reconcile COMMAND [options]",
                        "Corrects the campaigns' rows and counters without archives."},
};

const char *tool_name(enum tool tool)
{
    return tools[tool].name;
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
