/* command.h - command lines, as reports tell them to whoever goes on from there. */
#ifndef RECONCILE_COMMAND_H
#define RECONCILE_COMMAND_H

#include "buf.h"

/* Appends a word as a shell reads it. */
void command_put_word(struct buf *b, const char *word);

/* Appends one argument of a command line, likewise. One that holds a secret, as a
 * connection string with a password does, is left out. */
void command_put_argument(struct buf *b, const char *arg);

/* Appends the same command line with --apply, which comes after the first
 * `words` words: those of the tool and its command. */
void command_put_applying(struct buf *b, int argc, char *const *argv, int words);

#endif
