#include "opt.h"

#include "clock.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WIDTH 80        /* columns of --help */
#define HELP_AT 30      /* where the text of an option begins */
#define NO_BREAK "\x01" /* in a text to be wrapped: a blank that ends no line */

/* ---- values ------------------------------------------------------------- */

static int invalid(struct err *e, const char *what, const char *value, const char *needed)
{
    return err_set(e, EXIT_USAGE, "invalid value \"%s\" for %s: %s", value, what, needed);
}

/* Digits only, no sign; *end is behind them. False where there is none or too
 * many. */
static bool read_digits(const char *s, const char **end, int64_t *value)
{
    *value = 0;
    if (*s < '0' || *s > '9')
        return false;
    for (; *s >= '0' && *s <= '9'; s++)
        if (__builtin_mul_overflow(*value, 10, value) ||
            __builtin_add_overflow(*value, *s - '0', value))
            return false;
    *end = s;
    return true;
}

static int set_number(const struct opt *o, int64_t *to, const char *what, const char *value,
                      struct err *e)
{
    const char *end;
    char needed[96];

    if (read_digits(value, &end, to) && *end == '\0' && *to >= o->min && *to <= o->max)
        return 0;
    (void)snprintf(needed, sizeof needed, "a whole number from %lld to %lld is needed",
                   (long long)o->min, (long long)o->max);
    return invalid(e, what, value, needed);
}

/* A whole number of units of so many µs. */
static int set_span(const struct opt *o, int64_t *to, const char *what, const char *value,
                    struct err *e)
{
    bool seconds = o->kind == OPT_SECONDS;
    const char *end;
    char needed[96];
    int64_t n;

    if (read_digits(value, &end, &n) && *end == '\0' &&
        (o->max == 0 || (n >= o->min && n <= o->max)) &&
        !__builtin_mul_overflow(n, seconds ? US_PER_SECOND : 1000, to))
        return 0;
    (void)snprintf(needed, sizeof needed, "a whole number of %s is needed",
                   seconds ? "seconds" : "milliseconds");
    if (o->max > 0)
        (void)snprintf(needed, sizeof needed, "a whole number of %s from %lld to %lld is needed",
                       seconds ? "seconds" : "milliseconds", (long long)o->min, (long long)o->max);
    return invalid(e, what, value, needed);
}

static bool size_unit(const char *s, int64_t *unit)
{
    static const char letters[] = "KMG";
    const char *at = *s ? strchr(letters, *s >= 'a' ? *s - ('a' - 'A') : *s) : NULL;

    *unit = 1;
    if (*s == '\0')
        return true;
    if (!at)
        return false;
    *unit = INT64_C(1) << (10 * (at - letters + 1));
    return s[1] == '\0' || strcmp(s + 1, "iB") == 0;
}

static int set_size(const struct opt *o, int64_t *to, const char *what, const char *value,
                    struct err *e)
{
    const char *end;
    int64_t unit;
    char needed[96];

    if (!read_digits(value, &end, to) || !size_unit(end, &unit))
        return invalid(e, what, value, "a size such as 64M is needed");
    if (!__builtin_mul_overflow(*to, unit, to) && *to >= o->min && *to <= o->max)
        return 0;
    (void)snprintf(needed, sizeof needed, "a size from %lld to %lld bytes is needed",
                   (long long)o->min, (long long)o->max);
    return invalid(e, what, value, needed);
}

/* Not strtod: the decimal point must not depend on the locale. */
static bool read_percent(const char *s, const char **end, double *share)
{
    int64_t whole;
    double unit = 1;

    if (!read_digits(s, &s, &whole))
        return false;
    *share = (double)whole;
    if (*s == '.' && s[1] >= '0' && s[1] <= '9')
        for (s++; *s >= '0' && *s <= '9'; s++) {
            unit /= 10;
            *share += unit * (*s - '0');
        }
    *end = s;
    return *share <= 100;
}

static int set_limit(struct opt_limit *to, const char *what, const char *value, struct err *e)
{
    const char *end;

    *to = (struct opt_limit){.set = true};
    if (read_digits(value, &end, &to->number) && *end == '\0')
        return 0;
    to->percent = true;
    if (read_percent(value, &end, &to->share) && strcmp(end, "%") == 0)
        return 0;
    return invalid(e, what, value, "a number or a percentage such as 2.5% is needed");
}

static int set_choice(const struct opt *o, int *to, const char *what, const char *value,
                      struct err *e)
{
    struct buf needed = BUF_INIT;
    size_t n = strlen(value);
    const char *word = o->argument;

    for (*to = 0; *word; (*to)++) {
        size_t word_n = strcspn(word, "|");

        if (n == word_n && memcmp(word, value, n) == 0)
            return 0;
        word += word_n + (word[word_n] == '|');
    }
    for (word = o->argument; *word; word++)
        if (*word == '|')
            buf_adds(&needed, strchr(word + 1, '|') ? ", " : " or ");
        else
            buf_addc(&needed, *word);
    buf_adds(&needed, " is needed");
    (void)invalid(e, what, value, buf_str(&needed));
    buf_release(&needed);
    return -1;
}

static int add_item(struct opt_list *l, const char *value, struct err *e)
{
    const char **more = realloc(l->item, (l->n + 1) * sizeof *more);

    if (!more)
        return err_oom(e);
    l->item = more;
    l->item[l->n++] = value;
    return 0;
}

static int set_file(const struct opt *o, void *at, const char *what, const char *value,
                    struct err *e)
{
    if (*value == '\0' || (o->kind == OPT_DISK_FILE && strcmp(value, "-") == 0))
        return invalid(e, what, value, "a file name is needed");
    if (o->kind == OPT_FILE_LIST)
        return add_item(at, value, e);
    *(const char **)at = value;
    return 0;
}

static bool is_list(const struct opt *o)
{
    return o->kind == OPT_LIST || o->kind == OPT_FILE_LIST;
}

static void clear_list(struct opt_list *l)
{
    free(l->item);
    *l = (struct opt_list){NULL, 0};
}

int opt_set(const struct opt_table *t, size_t index, struct opt_target to, const char *what,
            const char *value, struct err *e)
{
    const struct opt *o = &t->opt[index];
    void *at = (char *)to.base + o->offset;

    if (to.given) {
        if (is_list(o) && to.given[index] < to.origin)
            clear_list(at);
        to.given[index] = (uint8_t)to.origin;
    }
    if (o->kind == OPT_FLAG || o->kind == OPT_STOP) {
        *(bool *)at = true;
        return 0;
    }
    if (!value || !o->argument)
        return err_set(e, EXIT_USAGE, "%s needs a value: %s", what,
                       o->argument ? o->argument : "but the table names none");
    switch (o->kind) {
    case OPT_FLAG:
    case OPT_STOP:
        break;
    case OPT_TEXT:
    case OPT_TIME:
        *(const char **)at = value;
        return 0;
    case OPT_FILE:
    case OPT_DISK_FILE:
    case OPT_FILE_LIST:
        return set_file(o, at, what, value, e);
    case OPT_LIST:
        if (*value == '\0')
            return invalid(e, what, value, "it must not be empty");
        return add_item(at, value, e);
    case OPT_CHOICE:
        return set_choice(o, at, what, value, e);
    case OPT_AGE:
        return age_read(value, at) ? 0 : invalid(e, what, value, "an age such as 15m is needed");
    case OPT_SECONDS:
    case OPT_MILLISECONDS:
        return set_span(o, at, what, value, e);
    case OPT_NUMBER:
        return set_number(o, at, what, value, e);
    case OPT_SIZE:
        return set_size(o, at, what, value, e);
    case OPT_LIMIT:
        return set_limit(at, what, value, e);
    }
    return 0;
}

/* Makes the member of an option empty. */
static void clear(const struct opt *o, void *at)
{
    switch (o->kind) {
    case OPT_FLAG:
    case OPT_STOP:
        *(bool *)at = false;
        break;
    case OPT_TEXT:
    case OPT_TIME:
    case OPT_FILE:
    case OPT_DISK_FILE:
        *(const char **)at = NULL;
        break;
    case OPT_LIST:
    case OPT_FILE_LIST:
        clear_list(at);
        break;
    case OPT_CHOICE:
        *(int *)at = 0;
        break;
    case OPT_AGE:
    case OPT_SECONDS:
    case OPT_MILLISECONDS:
    case OPT_NUMBER:
    case OPT_SIZE:
        *(int64_t *)at = 0;
        break;
    case OPT_LIMIT:
        *(struct opt_limit *)at = (struct opt_limit){.set = false};
        break;
    }
}

void opt_unset(const struct opt_table *t, size_t index, struct opt_target to)
{
    const struct opt *o = &t->opt[index];
    struct opt_target unseen = {to.base, NULL, OPT_DEFAULT};
    struct err never;

    clear(o, (char *)to.base + o->offset);
    if (o->initial) /* which has been read before, for opt_set_defaults */
        (void)opt_set(t, index, unseen, o->name, o->initial, &never);
    if (to.given)
        to.given[index] = OPT_DEFAULT;
}

static int set_initial(const struct opt_table *t, unsigned tool, struct opt_target to,
                       struct err *e)
{
    struct opt_target unseen = {to.base, NULL, OPT_DEFAULT};

    for (size_t i = 0; i < t->n; i++) {
        const struct opt *o = &t->opt[i];

        if (o->name && o->initial && (o->tools & tool) &&
            opt_set(t, i, unseen, o->name, o->initial, e) < 0)
            return -1;
    }
    return 0;
}

int opt_set_defaults(const struct opt_table *t, unsigned tool, struct opt_target to, struct err *e)
{
    /* Other tools' too, so that no member is without a value; the tool's last. */
    return set_initial(t, ~tool, to, e) < 0 ? -1 : set_initial(t, tool, to, e);
}

int opt_set_environment(const struct opt_table *t, unsigned tool, const uint8_t *overruled,
                        struct opt_target to, struct err *e)
{
    for (size_t i = 0; i < t->n; i++) {
        const struct opt *o = &t->opt[i];
        const char *value = o->env ? getenv(o->env) : NULL;

        if (overruled && overruled[i] > to.origin)
            continue;
        if (o->name && (o->tools & tool) && value && *value &&
            opt_set(t, i, to, o->env, value, e) < 0)
            return -1;
    }
    return 0;
}

/* ---- the command line --------------------------------------------------- */

size_t opt_find(const struct opt_table *t, unsigned tool, const char *name, size_t name_n)
{
    size_t i;

    for (i = 0; i < t->n; i++) {
        const struct opt *o = &t->opt[i];

        if ((o->tools & tool) && o->name && strlen(o->name) == name_n &&
            memcmp(o->name, name, name_n) == 0)
            break;
    }
    return i;
}

static size_t find_letter(const struct opt_table *t, unsigned tool, char letter)
{
    size_t i;

    for (i = 0; i < t->n; i++)
        if ((t->opt[i].tools & tool) && t->opt[i].name && t->opt[i].letter == letter)
            break;
    return i;
}

/* Where parsing is. */
struct cursor {
    const struct opt_table *t;
    unsigned tool;
    struct opt_target to;
    int argc, at;
    char *const *argv;
    struct opt_word *word; /* NULL: nobody wants to know */
    bool stopped;
};

/* What the argument that was taken last is. */
static void name_word(const struct cursor *c, enum opt_word_kind kind, size_t flags)
{
    if (c->word)
        c->word[c->at - 1] = (struct opt_word){kind, flags};
}

static const char *next_argument(struct cursor *c)
{
    if (c->at == c->argc)
        return NULL;
    c->at++;
    name_word(c, OPT_WORD_VALUE, 0);
    return c->argv[c->at - 1];
}

static int set_given(struct cursor *c, size_t i, const char *what, const char *value, struct err *e)
{
    if (c->t->opt[i].kind == OPT_STOP)
        c->stopped = true;
    return opt_set(c->t, i, c->to, what, value, e);
}

static int parse_long(struct cursor *c, const char *arg, struct err *e)
{
    size_t n = strcspn(arg + 2, "=");
    const char *value = arg[2 + n] == '=' ? arg + 2 + n + 1 : NULL;
    size_t i = opt_find(c->t, c->tool, arg + 2, n);
    char what[64];

    name_word(c, OPT_WORD_LONG, 0);
    if (i == c->t->n)
        return err_set(e, EXIT_USAGE, "unknown option \"%.*s\"", n < 200 ? (int)n + 2 : 200, arg);
    (void)snprintf(what, sizeof what, "--%s", c->t->opt[i].name);
    if (!c->t->opt[i].argument && value)
        return err_set(e, EXIT_USAGE, "%s takes no value", what);
    if (c->t->opt[i].argument && !value)
        value = next_argument(c);
    return set_given(c, i, what, value, e);
}

/* -abc, -ovalue, -o value */
static int parse_cluster(struct cursor *c, const char *arg, struct err *e)
{
    for (const char *p = arg + 1; *p && !c->stopped; p++) {
        size_t i = find_letter(c->t, c->tool, *p);
        char what[] = {'-', *p, '\0'};
        const char *value;

        if (i == c->t->n && p == arg + 1 && p[1] != '\0')
            return err_set(e, EXIT_USAGE, "unknown option \"%.200s\"", arg);
        if (i == c->t->n)
            return err_set(e, EXIT_USAGE, "unknown option \"%s\"", what);
        name_word(c, OPT_WORD_SHORT, (size_t)(p - arg) - (c->t->opt[i].argument != NULL));
        if (!c->t->opt[i].argument) {
            if (set_given(c, i, what, NULL, e) < 0)
                return -1;
            continue;
        }
        value = p[1] ? p + 1 : next_argument(c);
        return set_given(c, i, what, value, e);
    }
    return 0;
}

int opt_parse(const struct opt_table *t, unsigned tool, struct opt_target to, int argc,
              char *const *argv, char **operand, size_t *operands, struct opt_word *word,
              struct err *e)
{
    struct cursor c = {t, tool, to, argc, 1, argv, word, false};
    bool only_operands = false;
    struct err further; /* errors after the first, which alone is told */
    int status = 0;

    *operands = 0;
    while (c.at < argc && !c.stopped) {
        char *arg = argv[c.at++];
        int result = 0;

        name_word(&c, OPT_WORD_OPERAND, 0);
        if (only_operands || arg[0] != '-' || arg[1] == '\0') {
            operand[(*operands)++] = arg;
        } else if (strcmp(arg, "--") == 0) {
            only_operands = true;
            name_word(&c, OPT_WORD_END, 0);
        } else if (arg[1] == '-') {
            result = parse_long(&c, arg, status < 0 ? &further : e);
        } else {
            result = parse_cluster(&c, arg, status < 0 ? &further : e);
        }
        if (result < 0)
            status = -1;
    }
    return status;
}

void opt_release(const struct opt_table *t, void *base)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->opt[i].name && is_list(&t->opt[i]))
            clear_list((void *)((char *)base + t->opt[i].offset));
    }
}

/* ---- help --------------------------------------------------------------- */

static void add_blanks(struct buf *b, size_t n)
{
    while (n-- > 0)
        buf_addc(b, ' ');
}

void opt_wrap(struct buf *b, const char *text, size_t column, size_t indent)
{
    bool fresh = true; /* nothing yet on this line */

    while (*text) {
        size_t n = strcspn(text, " \n");

        if (!fresh && column + 1 + n > WIDTH) {
            buf_addc(b, '\n');
            column = 0;
            fresh = true;
        }
        if (fresh && column < indent) {
            add_blanks(b, indent - column);
            column = indent;
        } else if (!fresh) {
            buf_addc(b, ' ');
            column++;
        }
        for (size_t i = 0; i < n; i++)
            buf_addc(b, text[i] == NO_BREAK[0] ? ' ' : text[i]);
        column += n;
        fresh = false;
        text += n;
        if (*text == '\n') {
            buf_addc(b, '\n');
            column = 0;
            fresh = true;
        }
        text += *text != '\0';
    }
    if (!fresh)
        buf_addc(b, '\n');
}

static void help_one(const struct opt *o, struct buf *b)
{
    const char *value = o->shown ? o->shown : o->initial;
    struct buf text = BUF_INIT;
    size_t start = b->len;

    if (o->letter)
        buf_addf(b, "  -%c, --%s", o->letter, o->name);
    else
        buf_addf(b, "      --%s", o->name);
    if (o->argument)
        buf_addf(b, " %s", o->argument);
    if (b->len - start + 2 > HELP_AT) {
        buf_addc(b, '\n');
        start = b->len;
    }
    buf_adds(&text, o->help);
    if (o->env)
        buf_addf(&text, "; also from %s", o->env);
    if (value)
        buf_addf(&text, " (default:" NO_BREAK "%s)", value);
    b->failed |= text.failed;
    opt_wrap(b, buf_str(&text), b->len - start, HELP_AT);
    buf_release(&text);
}

void opt_help(const struct opt_table *t, unsigned tool, struct buf *b)
{
    for (size_t i = 0; i < t->n; i++) {
        if (!(t->opt[i].tools & tool))
            continue;
        if (t->opt[i].name)
            help_one(&t->opt[i], b);
        else
            buf_addf(b, "\n%s:\n", t->opt[i].help);
    }
}
