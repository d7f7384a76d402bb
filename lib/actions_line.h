/* actions_line.h - one line of an actions file; for lib/actions_read.c alone. */
#ifndef RECONCILE_ACTIONS_LINE_H
#define RECONCILE_ACTIONS_LINE_H

#include "actions.h"

#include <jansson.h>

/* A line under way. */
struct actions_line {
    const json_t *root;
    struct store_kinds kinds;
    struct names *archives;
    struct arena *arena; /* for texts and evidence */
    char what[160];      /* the first thing wrong with it */
    bool no_memory;      /* ... unless it was this */
};

/* Each reads its part of l->root. False: l says why. */
bool actions_line_header(struct actions_line *l, struct actions *a); /* but its campaigns */
bool actions_line_campaigns(struct actions_line *l, struct actions *a);
bool actions_line_action(struct actions_line *l, struct correction *c);

/* A whole number from 1 up, given as such or as text of digits. */
bool actions_line_number(struct actions_line *l, const char *key, int64_t *n);

#endif
