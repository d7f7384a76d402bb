/* command.h - command lines, as reports tell them to whoever goes on from there. */
#ifndef RECONCILE_COMMAND_H
#define RECONCILE_COMMAND_H

#include "buf.h"
#include "opt.h"

#include <stdbool.h>

/* Appends a word as a shell reads it. */
void command_put_word(struct buf *b, const char *word);

/* Appends one argument of a command line, likewise, but without the passwords of a
 * connection string or a URL: of a conninfo without the settings password and
 * sslpassword, of libpq's URIs without those parameters and what follows the user's
 * name, of another URL without anything before its @. "..." stands for one that sets
 * a password and cannot be read. */
void command_put_argument(struct buf *b, const char *arg);

/* Would that leave something out of it? */
bool command_hides(const char *arg);

/* Appends a blank, an option's name, and its value likewise. */
void command_put_option(struct buf *b, const char *name, const char *value);

/* Appends the same command line without -n and with --apply, which comes after
 * the first `words` words, those of the tool and its command; 0: it needs none.
 * word: what each argument is. */
void command_put_applying(struct buf *b, int argc, char *const *argv, const struct opt_word *word,
                          int words);

/* Appends the `reconcile` command that carries out or undoes a file of actions:
 * verb is apply or revert, program the argv[0] of the one that is running and
 * lies beside it. config, dbname NULL: those that it would find by itself. */
void command_put_acting(struct buf *b, const char *program, const char *verb, const char *config,
                        const char *dbname, bool fix_total, const char *file);

#endif
