/* opt.h - one table of options that feeds parsing, --help and whatever else
 * has to know them.
 *
 * Knows nothing of any one option: a table says how each is named, which tools
 * take it, how its value is read and where in the caller's struct it goes.
 * Texts are not copied: they point into argv, the environment, the table, or
 * wherever the caller had them from.
 */
#ifndef RECONCILE_OPT_H
#define RECONCILE_OPT_H

#include "buf.h"
#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum opt_kind {                   /* what is written at `offset`: */
                OPT_FLAG,         /* bool, made true; takes no value */
                OPT_STOP,         /* the same, and nothing after it is looked at (--help) */
                OPT_TEXT,         /* const char *: any text, an empty one too */
                OPT_FILE,         /* const char *: a file's name, "-" included */
                OPT_DISK_FILE,    /* const char *: a file's name, but not "-" */
                OPT_TIME,         /* const char *: a time, to be read when the zone is known */
                OPT_LIST,         /* struct opt_list: one more text; may be given often */
                OPT_FILE_LIST,    /* struct opt_list: one more file's name */
                OPT_CHOICE,       /* int: which of the words "a|b|c" in `argument`, from 0 */
                OPT_AGE,          /* int64_t, µs: "15m" */
                OPT_SECONDS,      /* int64_t, µs: a whole number of seconds */
                OPT_MILLISECONDS, /* int64_t, µs: a whole number of milliseconds */
                OPT_NUMBER,       /* int64_t: a whole number, min to max */
                OPT_SIZE, /* int64_t, bytes, min to max: digits and K, M or G (or KiB ...) */
                OPT_LIMIT /* struct opt_limit: "100" or "2.5%" */
};

struct opt_list {
    const char **item; /* owned; what it points to is not */
    size_t n;
};

struct opt_limit {
    bool set;       /* false: no limit */
    bool percent;   /* share counts, else number */
    int64_t number; /* at most so many */
    double share;   /* at most so many of a hundred, 0 to 100 */
};

/* An option. Two of the same name may be in a table for different tools. */
struct opt {
    const char *name;     /* long, without dashes; NULL: a heading of --help, in `help` */
    char letter;          /* short; 0: none */
    const char *argument; /* how the value is called; NULL for a flag */
    unsigned tools;       /* bits, the caller's, of the tools that take it */
    enum opt_kind kind;
    size_t offset;       /* where in the caller's struct */
    const char *help;    /* what it does, in a line or two, no full stop */
    const char *initial; /* its value where it is not given; NULL: none */
    const char *shown;   /* what --help calls the default; NULL: initial */
    const char *env;     /* a variable of the environment that gives it too; NULL: none */
    unsigned marks;      /* bits, the caller's */
    int64_t min, max;    /* OPT_NUMBER, OPT_SIZE; OPT_SECONDS, OPT_MILLISECONDS where max > 0 */
};

struct opt_table {
    const struct opt *opt;
    size_t n;
};

/* Where a value comes from, the nearer the greater. A nearer list replaces one
 * from further off, a nearer value is to be set after it. */
enum opt_origin { OPT_DEFAULT, OPT_CONFIGURED, OPT_ENVIRONMENT, OPT_ARGUMENT };

/* Where parsing puts things. */
struct opt_target {
    void *base;             /* the struct that the offsets are in */
    uint8_t *given;         /* per entry of the table: enum opt_origin; NULL: not to be kept */
    enum opt_origin origin; /* of what is set */
};

/* Writes the defaults of all options, those of the tools in `tool` where two
 * options share a member. to.given is not touched. */
int opt_set_defaults(const struct opt_table *t, unsigned tool, struct opt_target to, struct err *e);

/* Writes what the environment gives of the tools in `tool`. overruled: per entry of the
 * table the enum opt_origin of a value still to be set; a nearer one is not looked at
 * in the environment. NULL: all are. */
int opt_set_environment(const struct opt_table *t, unsigned tool, const uint8_t *overruled,
                        struct opt_target to, struct err *e);

/* What a word of a command line is. */
enum opt_word_kind {
    OPT_WORD_OPERAND,
    OPT_WORD_LONG,  /* "--name", "--name=value" */
    OPT_WORD_SHORT, /* "-abc", "-abvalue" */
    OPT_WORD_VALUE, /* of the option before it */
    OPT_WORD_END    /* "--" */
};

struct opt_word {
    enum opt_word_kind kind;
    size_t flags; /* OPT_WORD_SHORT: so many letters, from the first on, take no value */
};

/* Reads argv[1..argc) in the way of GNU: --name=value, --name value, -nvalue,
 * -n value, clusters of flags; options and operands mixed, "--" ends the
 * options. Names are not abbreviated. The operands go to operand, which has
 * room for argc, and what argv[i] is to word[i], where word is not NULL. EXIT_USAGE, one line naming the first that is wrong; what comes
 * after it has been read all the same. */
int opt_parse(const struct opt_table *t, unsigned tool, struct opt_target to, int argc,
              char *const *argv, char **operand, size_t *operands, struct opt_word *word,
              struct err *e);

/* Sets one option from its text, as the command line would; `what` names the
 * option in messages ("--settle", "RECONCILE_STATUS_CODES"). value may be NULL
 * for flags only. */
int opt_set(const struct opt_table *t, size_t index, struct opt_target to, const char *what,
            const char *value, struct err *e);

/* Takes an option back: it is as by default, and not given. */
void opt_unset(const struct opt_table *t, size_t index, struct opt_target to);

/* The entry of that long name that one of the tools takes; t->n where there is none. */
size_t opt_find(const struct opt_table *t, unsigned tool, const char *name, size_t name_n);

/* Appends what --help says of the tool's options, headings included, at most
 * 80 columns wide. */
void opt_help(const struct opt_table *t, unsigned tool, struct buf *b);

/* Appends text in lines of at most 80 columns, each after `indent` blanks; the
 * first is begun at column `column`. Ends the last line. */
void opt_wrap(struct buf *b, const char *text, size_t column, size_t indent);

/* Frees the lists that the table's options filled. */
void opt_release(const struct opt_table *t, void *base);

#endif
