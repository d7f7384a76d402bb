/* records_found.h - the records of an archive by docs/semantics.md 1, read off the
 * whole of it: for the unit test and the fuzzer, which hold records_next to it.
 */
#ifndef TESTS_UNIT_RECORDS_FOUND_H
#define TESTS_UNIT_RECORDS_FOUND_H

#include "records.h"

struct found {
    enum record_kind kind;
    size_t offset, bytes;
};

struct records_found {
    struct found *found; /* owned, to be freed */
    size_t n, cap;
};

/* Puts the records of the n bytes at p in the place of those in l. max: of a text,
 * bytes. */
void records_find(const char *p, size_t n, size_t max, struct records_found *l);

#endif
