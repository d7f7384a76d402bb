#include "options.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

static struct options o;
static struct err err;

static int64_t at(const char *text)
{
    enum time_offset offset;
    int64_t us;

    assert_true(time_read(text, strlen(text), &us, &offset));
    return us;
}

/* Parses the arguments, up to NULL, at noon of 2026-11-08 UTC. */
static int parse(enum tool tool, const char *const *args)
{
    static char copies[32][256];
    char *argv[32];
    int argc = 1;

    options_release(&o);
    err = (struct err)ERR_INIT;
    argv[0] = copies[0];
    for (; args[argc - 1]; argc++) {
        (void)snprintf(copies[argc], sizeof copies[argc], "%s", args[argc - 1]);
        argv[argc] = copies[argc];
    }
    return options_parse(&o, tool, argc, argv, at("2026-11-08T12:00:00Z"), &err);
}

static void accepted(enum tool tool, const char *const *args)
{
    if (parse(tool, args) != 0)
        fail_msg("%s", err.text);
}

static void refused(enum tool tool, const char *message, const char *const *args)
{
    assert_int_equal(parse(tool, args), -1);
    assert_string_equal(err.text, message);
    assert_int_equal(err.status, EXIT_USAGE);
}

#define REPLAY(...) accepted(TOOL_REPLAY, (const char *const[]){__VA_ARGS__, NULL})
#define RECONCILE(...) accepted(TOOL_RECONCILE, (const char *const[]){__VA_ARGS__, NULL})
#define REPLAY_REFUSED(message, ...)                                                               \
    refused(TOOL_REPLAY, message, (const char *const[]){__VA_ARGS__, NULL})
#define RECONCILE_REFUSED(message, ...)                                                            \
    refused(TOOL_RECONCILE, message, (const char *const[]){__VA_ARGS__, NULL})

static void defaults_are_the_documented_ones(void **state)
{
    (void)state;
    REPLAY("a.gz", "b.gz");
    assert_int_equal(o.archives, 2);
    assert_string_equal(o.archive[0], "a.gz");
    assert_string_equal(o.archive[1], "b.gz");
    assert_null(o.dbname);
    assert_false(o.apply);
    assert_int_equal(o.batch, 5000);
    assert_int_equal(o.lock_wait, 0);
    assert_int_equal(o.pause, 0);
    assert_int_equal(o.since, TIME_NONE);
    assert_int_equal(o.until, TIME_NONE);
    assert_int_equal(o.sent_since, TIME_NONE);
    assert_int_equal(o.settle, 15 * 60 * US_PER_SECOND);
    assert_int_equal(o.status_codes, CODES_APP);
    assert_false(o.status_codes_named);
    assert_string_equal(o.date_time_zone, "UTC");
    assert_null(o.date_time_table);
    assert_string_equal(o.app_zone, "America/Sao_Paulo");
    assert_int_equal(o.policy.tolerance, 60 * US_PER_SECOND);
    assert_false(o.policy.rebuild || o.policy.failed_unless_delivered || o.policy.earliest ||
                 o.policy.null_approximate);
    assert_int_equal(o.max_record, 256 << 20);
    assert_int_equal(o.memory, 1 << 30);
    assert_string_equal(o.tmpdir, "/tmp");
    assert_true(o.jobs >= 1);
    assert_string_equal(o.output, "-");
    assert_int_equal(o.report.format, REPORT_TEXT);
    assert_null(o.states_out);
    assert_null(o.rejects);
    assert_false(o.max_corrections.set);
}

static void options_reach_their_members(void **state)
{
    (void)state;
    REPLAY("-d", "dbname=app", "--apply", "--campaign", "c1", "--campaign=c2", "--tenant", "t",
           "--failed-wins=unless-delivered", "--timestamps=earliest", "--time-tolerance=5",
           "--approximate-times=null", "--fix-total", "--rebuild", "-j3", "x");
    assert_string_equal(o.dbname, "dbname=app");
    assert_true(o.apply && o.fix_total);
    assert_int_equal(o.campaign.n, 2);
    assert_int_equal(o.tenant.n, 1);
    assert_true(o.policy.failed_unless_delivered && o.policy.earliest);
    assert_true(o.policy.null_approximate && o.policy.rebuild);
    assert_int_equal(o.policy.tolerance, 5 * US_PER_SECOND);
    assert_int_equal(o.jobs, 3);
    REPLAY("--format=json", "-o", "r.json", "--details", "-v", "--states-out=-", "--rejects=rj",
           "--instance=i", "--any-instance", "--accept-damaged", "--accept-clock",
           "--accept-partial", "--max-corrections=5%", "--max-record=1M", "x");
    assert_int_equal(o.report.format, REPORT_JSON);
    assert_true(o.report.details && o.report.verbose && o.verbose && !o.quiet);
    assert_string_equal(o.states_out, "-");
    assert_string_equal(o.rejects, "rj");
    assert_true(o.any_instance && o.accept_damaged && o.accept_clock && o.accept_partial);
    assert_true(o.max_corrections.percent);
    assert_int_equal(o.max_record, 1 << 20);
    REPLAY("--offline", "--states-in", "s1", "--states-in", "s2", "--instance=i");
    assert_true(o.offline);
    assert_int_equal(o.states_in.n, 2);
}

static void a_dry_run_wins(void **state)
{
    (void)state;
    REPLAY("-n", "--apply", "x");
    assert_false(o.apply);
    REPLAY("--apply", "x", "-n");
    assert_false(o.apply);
    REPLAY("--offline", "--apply", "-n", "x");
    assert_false(o.apply);
}

static void naming_the_status_codes_is_noticed(void **state)
{
    (void)state;
    REPLAY("--status-codes", "app", "x");
    assert_true(o.status_codes_named);
    assert_int_equal(o.status_codes, CODES_APP);
    assert_int_equal(setenv("RECONCILE_STATUS_CODES", "baileys", 1), 0);
    REPLAY("x");
    assert_true(o.status_codes_named);
    assert_int_equal(o.status_codes, CODES_BAILEYS);
    REPLAY("--status-codes=app", "x");
    assert_int_equal(o.status_codes, CODES_APP);
    assert_int_equal(setenv("RECONCILE_STATUS_CODES", "evolution", 1), 0);
    REPLAY_REFUSED("invalid value \"evolution\" for RECONCILE_STATUS_CODES: app or baileys is "
                   "needed",
                   "x");
    assert_int_equal(unsetenv("RECONCILE_STATUS_CODES"), 0);
}

static void times_are_read_in_the_zone_of_the_application(void **state)
{
    (void)state;
    REPLAY("--since", "2026-11-01", "--until=2026-11-02T12:00:00", "x");
    assert_int_equal(o.since, at("2026-11-01T03:00:00Z"));
    assert_int_equal(o.until, at("2026-11-02T15:00:00Z"));
    REPLAY("--since", "2026-11-01", "x", "--app-zone=Europe/Berlin");
    assert_int_equal(o.since, at("2026-10-31T23:00:00Z"));
    REPLAY("--since", "36h", "--until", "2026-11-08T00:00:00+01:00", "x");
    assert_int_equal(o.since, at("2026-11-07T00:00:00Z"));
    assert_int_equal(o.until, at("2026-11-07T23:00:00Z"));
    RECONCILE("audit", "--sent-since=7d", "--sent-until=0");
    assert_int_equal(o.sent_since, at("2026-11-01T12:00:00Z"));
    assert_int_equal(o.sent_until, at("2026-11-08T12:00:00Z"));
    REPLAY("--date-time-zone=America/Sao_Paulo", "x");
    assert_int_equal(zone_to_utc(o.date_time_table, at("2026-11-01T00:00:00Z")),
                     at("2026-11-01T03:00:00Z"));
    REPLAY_REFUSED("invalid value \"yesterday\" for --since: a time such as 2026-11-01T12:00:00Z, "
                   "a date or an age such as 36h is needed",
                   "--since=yesterday", "x");
    REPLAY_REFUSED("--since must be before --until", "--since=2d", "--until=2d", "x");
    RECONCILE_REFUSED("--sent-since must be before --sent-until", "audit", "--sent-since=1d",
                      "--sent-until=2d");
    REPLAY_REFUSED("--app-zone: unknown time zone \"Brazil\"", "--app-zone=Brazil", "x");
    REPLAY_REFUSED("--date-time-zone: unknown time zone \"BRT\"", "--date-time-zone=BRT", "x");
}

static void no_zone_database_is_needed_without_local_times(void **state)
{
    (void)state;
    assert_int_equal(setenv("TZDIR", "/nonexistent", 1), 0);
    REPLAY("--since=7d", "--until=2026-11-08T00:00:00Z", "x");
    REPLAY_REFUSED("--app-zone: no time zone database in \"/nonexistent\" to look up "
                   "\"America/Sao_Paulo\"",
                   "--since=2026-11-01", "x");
    REPLAY("--since=2026-11-01", "--app-zone=UTC", "x");
    assert_int_equal(unsetenv("TZDIR"), 0);
}

static void what_does_not_go_together_is_refused(void **state)
{
    (void)state;
    REPLAY_REFUSED("an ARCHIVE or --states-in is needed", "--apply");
    REPLAY_REFUSED("--apply cannot be used with --offline", "--offline", "--apply", "x");
    REPLAY_REFUSED("--dbname cannot be used with --offline", "--offline", "-d", "y", "x");
    REPLAY_REFUSED("--all cannot be used with --offline", "--offline", "--all", "x");
    REPLAY_REFUSED("--rebuild cannot be used with --offline", "--rebuild", "--offline", "x");
    REPLAY_REFUSED("--since cannot be used with --states-in", "--since=1d", "--states-in=s");
    REPLAY_REFUSED("--until cannot be used with --states-in", "--until=1d", "--states-in=s", "x");
    REPLAY_REFUSED("--rebuild cannot be used with --instance", "--rebuild", "--instance=i", "x");
    REPLAY_REFUSED("--states-out - needs -o FILE, as the report goes to stdout too",
                   "--states-out=-", "x");
    REPLAY_REFUSED("--states-out - needs -o FILE, as the report goes to stdout too",
                   "--states-out=-", "-o-", "x");
    REPLAY_REFUSED("--all cannot be used with --campaign", "--all", "--campaign=c", "x");
    REPLAY_REFUSED("--all cannot be used with --tenant", "--all", "--tenant=t", "x");
    RECONCILE_REFUSED("--all cannot be used with --sent-until", "audit", "--all",
                      "--sent-until=1d");
    REPLAY_REFUSED("stdin can be read only once", "-", "--states-in=-");
    REPLAY_REFUSED("--output and --rejects name the same file", "-o", "f", "--rejects=f", "x");
    REPLAY("--states-out=/dev/null", "-o", "/dev/null", "-", "-");
    REPLAY_REFUSED("invalid value \"-\" for --rejects: a file name is needed", "--rejects=-", "x");
}

static void each_command_takes_its_own_options(void **state)
{
    (void)state;
    RECONCILE("audit", "--apply", "--all");
    assert_int_equal(o.tool, TOOL_AUDIT);
    assert_true(o.apply && o.all);
    RECONCILE_REFUSED("a command is needed; reconcile --help lists them", NULL);
    RECONCILE_REFUSED("unknown command \"audti\"; reconcile --help lists them", "audti");
    RECONCILE_REFUSED("a command has to come before \"--apply\"; reconcile --help lists them",
                      "--apply", "audit");
    RECONCILE_REFUSED("a command has to come before \"-d\"; reconcile --help lists them",
                      "-dpassword=geheim", "audit");
    RECONCILE_REFUSED("a command has to come before \"--dbname\"; reconcile --help lists them",
                      "--dbname=password=geheim", "audit");
    RECONCILE_REFUSED("a command is needed; reconcile --help lists them", "--");
    RECONCILE_REFUSED("unknown option \"--rebuild\"", "audit", "--rebuild");
    RECONCILE_REFUSED("unexpected argument \"x\"", "audit", "x");
    REPLAY_REFUSED("unknown option \"--sent-since\"", "--sent-since=1d", "x");
    RECONCILE_REFUSED("unknown option \"--apply\"", "apply", "--apply", "plan");
    RECONCILE_REFUSED("unknown option \"--plan-out\"", "apply", "--plan-out=p", "plan");
    RECONCILE_REFUSED("unknown option \"--campaign\"", "revert", "--campaign=c", "journal");
}

static void what_acts_takes_one_file_and_writes(void **state)
{
    (void)state;
    RECONCILE("apply", "-d", "app", "plan.gz");
    assert_int_equal(o.tool, TOOL_APPLY);
    assert_true(o.acts && o.apply);
    assert_int_equal(o.archives, 1);
    assert_string_equal(o.archive[0], "plan.gz");
    RECONCILE("revert", "journal.gz", "-n", "--state-dir=s");
    assert_int_equal(o.tool, TOOL_REVERT);
    assert_true(o.acts && !o.apply);
    assert_string_equal(o.state_dir, "s");
    RECONCILE_REFUSED("a PLAN is needed", "apply");
    RECONCILE_REFUSED("a JOURNAL is needed", "revert", "-n");
    RECONCILE_REFUSED("unexpected argument \"b\"", "revert", "a", "b");
    RECONCILE_REFUSED("unknown option \"--instance-health\"", "revert", "--instance-health", "a");
    RECONCILE("apply", "--instance-health", "--app-zone=UTC", "plan.gz");
}

static void plans_are_of_dry_runs_and_journals_of_others(void **state)
{
    (void)state;
    REPLAY("--plan-out=p", "x");
    assert_string_equal(o.plan_out, "p");
    REPLAY("--plan-out=p", "--apply", "-n", "x");
    REPLAY_REFUSED("--plan-out cannot be used with --apply", "--plan-out=p", "--apply", "x");
    REPLAY_REFUSED("--plan-out cannot be used with --offline", "--plan-out=p", "--offline", "x");
    REPLAY_REFUSED("--journal cannot be used with --offline", "--journal=p", "--offline", "x");
    REPLAY_REFUSED("--journal cannot be used with --no-journal", "--journal=p", "--no-journal",
                   "x");
    REPLAY_REFUSED("--output and --plan-out name the same file", "--plan-out=p", "-op", "x");
    REPLAY_REFUSED("invalid value \"-\" for --plan-out: a file name is needed", "--plan-out=-",
                   "x");
    REPLAY("--apply", "--journal=j", "--state-dir=s", "x");
    assert_string_equal(o.journal, "j");
}

static void a_replaced_now_must_be_a_time(void **state)
{
    (void)state;
    assert_int_equal(setenv("RECONCILE_NOW", "today", 1), 0);
    REPLAY_REFUSED("invalid value \"today\" for RECONCILE_NOW: a time such as "
                   "2026-11-01T12:00:00Z is needed",
                   "x");
    assert_int_equal(unsetenv("RECONCILE_NOW"), 0);
}

static void help_and_version_come_before_any_check(void **state)
{
    (void)state;
    REPLAY("--help");
    assert_true(o.help);
    REPLAY("--offline", "--apply", "--version", "--nonsense");
    assert_true(o.version);
    RECONCILE("--help");
    assert_int_equal(o.tool, TOOL_RECONCILE);
    RECONCILE("audit", "--help");
    assert_int_equal(o.tool, TOOL_AUDIT);
}

static void help_names_every_option_within_eighty_columns(void **state)
{
    const struct opt_table *t = options_table();

    (void)state;
    for (int tool = 0; tool < TOOL_COUNT; tool++) {
        struct buf b = BUF_INIT;
        size_t column = 0;

        options_help((enum tool)tool, &b);
        for (size_t i = 0; i < b.len; i++) {
            column = b.data[i] == '\n' ? 0 : column + 1;
            assert_true(column <= 80);
        }
        for (size_t i = 0; i < t->n; i++) {
            char text[64];

            (void)snprintf(text, sizeof text, "--%s", t->opt[i].name ? t->opt[i].name : "");
            if (tool != TOOL_RECONCILE && (t->opt[i].tools & TOOL_BIT(tool)))
                assert_non_null(strstr(buf_str(&b), text));
        }
        buf_release(&b);
    }
}

static void every_option_has_a_name_of_its_own(void **state)
{
    const struct opt_table *t = options_table();

    (void)state;
    for (size_t i = 0; i < t->n; i++)
        for (size_t k = i + 1; k < t->n; k++) {
            const struct opt *a = &t->opt[i], *b = &t->opt[k];

            if (!a->name || !b->name || !(a->tools & b->tools))
                continue;
            assert_string_not_equal(a->name, b->name);
            assert_true(a->letter == 0 || a->letter != b->letter);
            assert_true(a->offset != b->offset);
        }
}

static void the_version_names_the_libraries(void **state)
{
    static const char *const libraries[] = {"libpq 15.3"};
    struct buf b = BUF_INIT;

    (void)state;
    options_version(TOOL_AUDIT, libraries, 1, &b);
    assert_int_equal(strncmp(buf_str(&b), "reconcile 0.", 12), 0);
    assert_non_null(strstr(buf_str(&b), "zlib 1."));
    assert_non_null(strstr(buf_str(&b), "\njansson 2."));
    assert_non_null(strstr(buf_str(&b), "\nlibpq 15.3\n"));
    buf_release(&b);
}

static int tear_down(void **state)
{
    (void)state;
    options_release(&o);
    return 0;
}

/* What this machine is configured to do is no part of the tests. */
static int set_up(void **state)
{
    (void)state;
    return setenv("RECONCILE_CONFIG", "/dev/null", 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(defaults_are_the_documented_ones),
        cmocka_unit_test(options_reach_their_members),
        cmocka_unit_test(a_dry_run_wins),
        cmocka_unit_test(naming_the_status_codes_is_noticed),
        cmocka_unit_test(times_are_read_in_the_zone_of_the_application),
        cmocka_unit_test(no_zone_database_is_needed_without_local_times),
        cmocka_unit_test(what_does_not_go_together_is_refused),
        cmocka_unit_test(each_command_takes_its_own_options),
        cmocka_unit_test(what_acts_takes_one_file_and_writes),
        cmocka_unit_test(plans_are_of_dry_runs_and_journals_of_others),
        cmocka_unit_test(a_replaced_now_must_be_a_time),
        cmocka_unit_test(help_and_version_come_before_any_check),
        cmocka_unit_test(help_names_every_option_within_eighty_columns),
        cmocka_unit_test(every_option_has_a_name_of_its_own),
        cmocka_unit_test(the_version_names_the_libraries),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
