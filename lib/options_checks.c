#include "options_parts.h"

#include "outfile.h"

#include <string.h>

static void yield(struct options *o, size_t i)
{
    const struct opt_target to = {o, o->given, OPT_DEFAULT};

    opt_unset(options_table(), i, to);
}

/* A file is for many runs: what it says and this one cannot use is as if it were
 * not there. Within the file, and between it and itself, it is an error. */
void options_yield(struct options *o)
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
    const struct opt_table *t = options_table();
    enum opt_origin offline = options_origin(o, "offline");

    for (size_t i = 0; i < sizeof apart / sizeof *apart; i++) {
        enum opt_origin one = options_origin(o, apart[i].one),
                        other = options_origin(o, apart[i].other);

        if (!(apart[i].tools & TOOL_BIT(o->tool)) || one == OPT_DEFAULT || other == OPT_DEFAULT)
            continue;
        if (one == OPT_CONFIGURED && other > one)
            yield(o, options_find(o, apart[i].one));
        else if (other == OPT_CONFIGURED && one > other)
            yield(o, options_find(o, apart[i].other));
    }
    for (size_t i = 0; i < t->n && offline != OPT_DEFAULT; i++) {
        if (!(t->opt[i].marks & NEEDS_DATABASE))
            continue;
        if (o->given[i] == OPT_CONFIGURED && offline > OPT_CONFIGURED)
            yield(o, i);
        else if (o->given[i] > OPT_CONFIGURED && offline == OPT_CONFIGURED)
            yield(o, options_find(o, "offline"));
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
    const struct opt_table *t = options_table();

    if (!o->offline)
        return 0;
    if (o->apply)
        return err_set(e, EXIT_USAGE, "--apply cannot be used with --offline");
    for (size_t i = 0; i < t->n; i++)
        if (o->given[i] && (t->opt[i].marks & NEEDS_DATABASE))
            return err_set(e, EXIT_USAGE, "--%s cannot be used with --offline", t->opt[i].name);
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

static int check_poll(const struct options *o, struct err *e)
{
    if (o->tool != TOOL_POLL)
        return 0;
    if (!o->evolution_url || !*o->evolution_url)
        return err_set(e, EXIT_USAGE, "--evolution-url or EVOLUTION_API_URL is needed");
    return 0;
}

int options_check(const struct options *o, struct err *e)
{
    if (check_operands(o, e) < 0 || check_poll(o, e) < 0 || check_offline(o, e) < 0 ||
        check_scope(o, e) < 0 || check_outputs(o, e) < 0 || check_files(o, e) < 0)
        return -1;
    return 0;
}
