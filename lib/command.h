/* command.h - command lines, as reports tell them to whoever goes on from there. */
#ifndef RECONCILE_COMMAND_H
#define RECONCILE_COMMAND_H

#include "buf.h"

/* Appends a word as a shell reads it. */
void command_put_word(struct buf *b, const char *word);

/* Appends one argument of a command line, likewise, but without the passwords of a
 * connection string or a URL: of a conninfo without the settings password and
 * sslpassword, of libpq's URIs without those parameters and what follows the user's
 * name, of another URL without anything before its @. "..." stands for one that sets
 * a password and cannot be read. */
void command_put_argument(struct buf *b, const char *arg);

/* Appends a blank, an option's name, and its value likewise. */
void command_put_option(struct buf *b, const char *name, const char *value);

/* Appends the same command line with --apply, which comes after the first
 * `words` words: those of the tool and its command. */
void command_put_applying(struct buf *b, int argc, char *const *argv, int words);

#endif
