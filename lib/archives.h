/* archives.h - the ARCHIVE arguments -> a list of archives (docs/semantics.md 1).
 *
 * A directory stands for the regular files below it. Symbolic links below it
 * are not followed, so there is no way to go in circles; one given as an
 * argument is.
 */
#ifndef RECONCILE_ARCHIVES_H
#define RECONCILE_ARCHIVES_H

#include "err.h"

#include <stddef.h>

struct archive_name {
    char *name;  /* to open and to show; "-" is stdin. Owned. */
    char *error; /* NULL, or why it cannot be opened at all: a directory that could not be
                    read, `could not read directory "x": reason`. Owned. */
};

struct archive_list {
    struct archive_name *archive; /* sorted by name as bytes, each name once */
    size_t n, cap;
};

#define ARCHIVE_LIST_INIT                                                                          \
    {                                                                                              \
        NULL, 0, 0                                                                                 \
    }

/* Adds what the n arguments stand for and sorts the list. What is missing or
 * cannot be opened stays in the list, to fail when it is opened. Fails only for
 * want of memory. Holds one descriptor at a time, however deep the tree. */
int archives_expand(struct archive_list *l, char *const *args, size_t n, struct err *e);

void archives_release(struct archive_list *l);

#endif
