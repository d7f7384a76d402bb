/* config.h - a configuration file: lines of "name = value".
 *
 * Knows no name and judges no value. docs/formats.md, "Configuration file",
 * says what a line may be. Texts point into the struct.
 */
#ifndef RECONCILE_CONFIG_H
#define RECONCILE_CONFIG_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>

#define CONFIG_MAX ((size_t)1 << 20) /* bytes of a file */
#define CONFIG_LINE_MAX 8192         /* bytes of a line */

struct config_entry {
    const char *name;
    const char *value; /* unquoted; NULL: the name stands alone */
    unsigned line;     /* from 1 */
};

struct config {
    char *text; /* what all of it points into, size bytes; wiped in the end */
    size_t size;
    struct config_entry *entry; /* n of them, in order */
    size_t n;
    bool exposed; /* every user of the machine may read the file */
};

#define CONFIG_INIT                                                                                \
    {                                                                                              \
        NULL, 0, NULL, 0, false                                                                    \
    }

/* Reads the file at path, a regular one or /dev/null, that not everybody may
 * write to. Where there is none: no entries if it is optional. EXIT_USAGE
 * naming file, line and reason, of the first line that is wrong; the entries are
 * then those of the others. No message quotes a value. To be released whatever it
 * returns. */
int config_read(struct config *c, const char *path, bool optional, struct err *e);

/* Puts `configuration file "path", line N: ` before the error; returns -1. */
int config_blame(const char *path, unsigned line, struct err *e);

void config_release(struct config *c);

#endif
