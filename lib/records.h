/* records.h - bytes -> records: JSON objects with their number and offset, in
 * one pass and bounded memory (docs/semantics.md 1).
 *
 * At the top level '[', ']' and ',' are white space, so an array is read
 * element by element. A text that breaks takes no good line with it: the lines
 * it had swallowed are looked at one by one.
 */
#ifndef RECONCILE_RECORDS_H
#define RECONCILE_RECORDS_H

#include "err.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_HEAD ((size_t)64 << 10) /* bytes kept of a rejected stretch */

enum record_kind {
    RECORD_TEXT,     /* one whole JSON object */
    RECORD_SEEN,     /* the same, and the look function has just seen it whole */
    RECORD_UNREAD,   /* a line that cannot concern us: counted ignored, whatever it holds */
    RECORD_BROKEN,   /* a stretch that is no JSON */
    RECORD_TOO_LARGE /* longer than the limit */
};

struct record {
    enum record_kind kind;
    const char *
        text; /* RECORD_TEXT, _SEEN: all of it; broken or too large: its head; until the next call */
    size_t len;      /* bytes at text */
    uint64_t bytes;  /* bytes of the whole record or stretch */
    uint64_t number; /* within its archive, from 1, rejected ones included */
    uint64_t offset; /* of its first byte in the decompressed stream */
    uint64_t broke;  /* RECORD_BROKEN: offset of the first byte that cannot be, or of the end */
};

/* Reads up to n bytes to p; 0 at the end, -1 without memory. Damage is the
 * reader's own business: to a record it is the end. */
typedef ssize_t records_read_fn(void *ctx, void *p, size_t n);

/* A faster look at a text than that of jsonscan: the length of the object whose
 * '{' text points to, or 0 to have it looked at with care. It may say 0 of any
 * text, but must not find one that jsonscan does not find. Behind the bytes
 * that are there come RECORD_MARGIN NULs. */
#define RECORD_MARGIN 64
typedef size_t records_look_fn(void *ctx, const char *text);

struct records;

/* max_record: bytes; a longer text is RECORD_TOO_LARGE and never held whole. */
struct records *records_new(records_read_fn *fn, void *ctx, size_t max_record);
void records_look(struct records *r, records_look_fn *fn, void *ctx);
void records_free(struct records *r);

/* 1: *rec is filled; 0: the end; -1: no memory. */
int records_next(struct records *r, struct record *rec, struct err *e);

#endif
