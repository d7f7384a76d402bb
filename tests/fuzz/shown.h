/* shown.h - a run whose names are those of a fuzzer's input, as each format shows it. */
#ifndef TESTS_FUZZ_SHOWN_H
#define TESTS_FUZZ_SHOWN_H

#include "fuzz.h"
#include "report_world.h"

#include <stddef.h>

#define SHOWN_SEPARATOR '\x1e' /* between names, which may hold all other bytes */

struct shown {
    struct world w;
    struct report_options o; /* chosen by the first byte of the input */
    struct buf command;
    struct slice name[52]; /* the n of the input that went anywhere */
    size_t n;
};

/* Input: a byte that chooses, then names, which go where reports show any, over and
 * over again. harmless: instead of each its like in length, of letters alone. */
void shown_init(struct shown *s, const uint8_t *data, size_t n, bool harmless);
void shown_release(struct shown *s);

/* Appends the report. */
void shown_put(const struct shown *s, enum report_format format, struct buf *out);

#endif
