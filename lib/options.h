/* options.h - what the command line asks for, read and checked.
 *
 * The one table of all options is in options_table.c; a tool's command line, its
 * --help, its environment variables and the configuration file are read from
 * it.
 */
#ifndef RECONCILE_OPTIONS_H
#define RECONCILE_OPTIONS_H

#include "clock.h"
#include "config.h"
#include "decide.h"
#include "err.h"
#include "opt.h"
#include "report.h"
#include "status.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* What has options of its own. TOOL_RECONCILE stands before the command is
 * known: options_parse then finds it in argv[1]. */
enum tool {
    TOOL_REPLAY,
    TOOL_POLL,
    TOOL_AUDIT,
    TOOL_APPLY,
    TOOL_REVERT,
    TOOL_RECONCILE,
    TOOL_COUNT
};

#define OPTIONS_GIVEN_MAX 128 /* entries of the table at most */

struct options {
    enum tool tool;
    bool help, version; /* asked for: then nothing else has been checked */

    /* database and writing */
    const char *dbname;      /* NULL: libpq's own defaults */
    bool acts;               /* the tool carries out a file of actions: apply, revert */
    bool apply;              /* write: --apply or a tool that acts, and not -n */
    bool dry_run;            /* -n was given */
    int64_t batch;           /* corrections per transaction at most */
    bool single_transaction; /* all of them in one */
    int64_t lock_wait;       /* µs to wait for another run */
    int64_t pause;           /* µs between batches */
    int64_t max_lag;         /* µs that a standby may be behind; 0: not looked at */
    int64_t recheck;         /* µs after which campaigns are counted once more; 0: they are not */
    bool verify;             /* decide again after writing */
    const char *journal;     /* NULL: a name of its own, in the state directory */
    bool no_journal;
    const char *state_dir; /* NULL: that of the environment */

    /* scope */
    struct opt_list campaign, tenant; /* ids, or names of campaigns */
    struct opt_list instance;         /* names */
    bool all;                         /* every campaign */
    int64_t since, until;             /* µs; event times, since <= t < until; TIME_NONE: open */
    int64_t sent_since, sent_until;   /* µs; sent_at, likewise */

    /* input */
    char **archive; /* the operands as given, of those that act the one file; owned, the texts
                     * are argv's */
    size_t archives;
    struct opt_word *word; /* what each of the words given to options_parse is; owned */
    struct opt_list states_in;
    bool offline;       /* no database */
    int64_t max_record; /* bytes */
    int64_t memory;     /* bytes, of the fold */
    const char *tmpdir; /* where it spills to */
    int64_t jobs;       /* threads, at least 1 */

    /* what is asked of Evolution */
    const char *evolution_url; /* NULL only where it is not polled */
    const char *api_key_file;  /* NULL: the key is in the environment */
    int strategy;              /* enum api_strategy */
    int64_t connections, page_size;
    double rate;                         /* requests per second; 0: no limit */
    int64_t request_timeout, retry_time; /* µs */
    const char *cacert;                  /* NULL: the system's */

    /* how it is understood */
    int status_codes;             /* enum status_codes */
    bool status_codes_named;      /* by option, environment or file, and not just the default */
    const char *date_time_zone;   /* IANA name */
    struct zone *date_time_table; /* the same, loaded; NULL: UTC. Owned. */
    const char *app_zone;         /* IANA name */
    int64_t settle;               /* µs */
    bool any_instance, fix_total, instance_health;
    struct zone *app_zone_table; /* --app-zone, loaded where it is needed; NULL: UTC. Owned. */
    /* --rebuild --failed-wins --timestamps --approximate-times --time-tolerance */
    struct policy policy;

    /* safety catches */
    bool accept_damaged, accept_clock, accept_partial;
    struct opt_limit max_corrections;

    /* output */
    const char *states_out, *rejects, *plan_out; /* NULL: none */
    const char *metrics;                         /* likewise */
    const char *output;                          /* "-": stdout */
    const char *explain;                         /* a message id; NULL: none */
    struct report_options report;                /* --format --details --verbose */
    bool quiet, verbose;
    int progress;   /* enum progress_mode */
    int log_format; /* 0: text, 1: JSON; with an error, maybe neither */

    /* where options may be, too */
    const char *config_path; /* "": in no file */
    struct config config;    /* what is in it; owned */

    /* as read, before it became one of the above */
    const char *since_text, *until_text, *sent_since_text, *sent_until_text;
    const char *rate_text;
    int format, failed_wins, timestamps, approximate_times;
    bool apply_given;
    uint8_t given[OPTIONS_GIVEN_MAX]; /* per entry of the table: enum opt_origin */
};

/* Reads and checks the configuration file, the environment and the command
 * line; what comes later wins. now: µs, of the run, for ages. Failure is
 * EXIT_USAGE with one line; o->tool, o->log_format and o->metrics are then filled
 * in as far as they are known. With help or version asked for, 0 is returned at once;
 * o->tool then says whose help. Before threads start, as zones are loaded. To
 * be released whatever it returns. */
int options_parse(struct options *o, enum tool tool, int argc, char *const *argv, int64_t now,
                  struct err *e);
void options_release(struct options *o);

/* Was the option of this long name given, on the command line, by the
 * environment or in the configuration file? */
bool options_given(const struct options *o, const char *name);

/* Is its value that of the configuration file? A command line that names the
 * same file need not repeat it. */
bool options_configured(const struct options *o, const char *name);

/* Was the file itself named on the command line? */
bool options_config_named(const struct options *o);

/* Does the configuration file keep every run from writing? No option takes that back. */
bool options_configured_dry(const struct options *o);

/* "replay", "reconcile audit" */
const char *tool_name(enum tool tool);

/* Appends what --help prints. */
void options_help(enum tool tool, struct buf *b);

/* Appends what --version prints: the tool, the decompressor, jansson, and a
 * line for each of the n texts given ("libpq 15.3"). */
void options_version(enum tool tool, const char *const *libraries, size_t n, struct buf *b);

/* The table, for whatever else is made of it. */
const struct opt_table *options_table(void);

/* The bit of a tool in struct opt's tools. */
#define TOOL_BIT(t) (1u << (unsigned)(t))

#endif
