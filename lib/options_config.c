#include "options_parts.h"

#include "command.h"

#include <stdio.h>
#include <string.h>

/* A file being read. */
struct reading {
    struct options *o;
    struct options others;            /* takes what other tools are told: it has to be sound, too */
    unsigned line[OPTIONS_GIVEN_MAX]; /* where each was set; 0: nowhere */
};

/* Its own option of that name, or else that of another tool. */
static size_t find(const struct options *o, const char *name, bool *own)
{
    const struct opt_table *t = options_table();
    size_t n = strlen(name), i = opt_find(t, TOOL_BIT(o->tool), name, n);

    *own = i < t->n;
    return *own ? i : opt_find(t, ~0u, name, n);
}

/* Which may be without a value, as on the command line, or yes or no. */
static int set_flag(struct opt_target to, size_t i, const struct config_entry *x, struct err *e)
{
    if (!x->value || strcmp(x->value, "yes") == 0)
        return opt_set(options_table(), i, to, x->name, NULL, e);
    if (strcmp(x->value, "no") == 0)
        return 0;
    return err_set(e, EXIT_USAGE, "invalid value \"%s\" for %s: yes or no is needed", x->value,
                   x->name);
}

static int refuse_secret(const struct opt *opt, const struct config_entry *x, struct err *e)
{
    char argument[CONFIG_LINE_MAX + 64];
    bool hides;

    if (!(opt->marks & MAY_BE_SECRET) || !x->value)
        return 0;
    (void)snprintf(argument, sizeof argument, "--%s=%s", x->name, x->value);
    hides = command_hides(argument);
    explicit_bzero(argument, sizeof argument);
    if (!hides)
        return 0;
    return err_set(e, EXIT_USAGE,
                   "%s holds a password, and every user may read the file; take that right away "
                   "(chmod o-r)",
                   x->name);
}

static int set_entry(struct reading *r, bool exposed, const struct config_entry *x, struct err *e)
{
    const struct opt_table *t = options_table();
    bool own;
    size_t i = find(r->o, x->name, &own);
    const struct opt *opt = &t->opt[i];
    struct opt_target to = {own ? r->o : &r->others, own ? r->o->given : NULL, OPT_CONFIGURED};
    bool list;

    if (i == t->n)
        return err_set(e, EXIT_USAGE, "unknown option \"%s\"", x->name);
    if (opt->marks & NOT_IN_FILE)
        return err_set(e, EXIT_USAGE, "\"%s\" has no meaning in a configuration file", x->name);
    list = opt->kind == OPT_LIST || opt->kind == OPT_FILE_LIST;
    if (r->line[i] > 0 && !list)
        return err_set(e, EXIT_USAGE, "\"%s\" is in line %u already", x->name, r->line[i]);
    r->line[i] = x->line;
    if (exposed && refuse_secret(opt, x, e) < 0)
        return -1;
    if (opt->kind == OPT_FLAG)
        return set_flag(to, i, x, e);
    return opt_set(t, i, to, x->name, x->value, e);
}

/* Does it say how, and where, errors are told? */
static bool tells_errors(const struct config_entry *x)
{
    return strcmp(x->name, "metrics") == 0 || strcmp(x->name, "log-format") == 0;
}

int options_read_config(struct options *o, bool named, struct err *e)
{
    struct reading r = {.o = o};
    struct err further; /* errors after the first, which alone is told */
    int status = config_read(&o->config, o->config_path, !named, e);

    for (size_t k = 0; k < o->config.n; k++) {
        const struct config_entry *x = &o->config.entry[k];

        if (status < 0) {
            if (tells_errors(x))
                (void)set_entry(&r, o->config.exposed, x, &further);
            continue;
        }
        status = set_entry(&r, o->config.exposed, x, e);
        if (status < 0)
            (void)config_blame(o->config_path, x->line, e);
    }
    opt_release(options_table(), &r.others);
    return status;
}

bool options_configured_dry(const struct options *o)
{
    for (size_t k = 0; k < o->config.n; k++) {
        const struct config_entry *x = &o->config.entry[k];

        if (strcmp(x->name, "dry-run") == 0)
            return !x->value || strcmp(x->value, "no") != 0;
    }
    return false;
}
