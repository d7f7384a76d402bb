/* ident.h - a primary key of the application's tables: uuid or integer.
 *
 * Kept in 128 bits whose order is the order of the type in PostgreSQL, so that
 * sorting here and ORDER BY there agree.
 */
#ifndef RECONCILE_IDENT_H
#define RECONCILE_IDENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum ident_kind { IDENT_UUID, IDENT_INT };

struct ident {
    uint64_t hi, lo; /* uuid: its 16 bytes, big-endian; integer: hi 0, lo biased by 2^63 */
};

#define IDENT_TEXT_SIZE 40 /* bytes that ident_format needs */
#define IDENT_NONE ((struct ident){0, 0})

static inline int ident_cmp(struct ident a, struct ident b)
{
    if (a.hi != b.hi)
        return a.hi < b.hi ? -1 : 1;
    return (a.lo > b.lo) - (a.lo < b.lo);
}

static inline bool ident_eq(struct ident a, struct ident b)
{
    return a.hi == b.hi && a.lo == b.lo;
}

/* The canonical text; returns out. */
char *ident_format(enum ident_kind kind, struct ident id, char out[IDENT_TEXT_SIZE]);

/* Reads text as the kind; any spelling of a uuid that PostgreSQL takes without
 * braces. False where it is none. */
bool ident_parse(enum ident_kind kind, const char *s, size_t n, struct ident *id);

/* PostgreSQL's binary form: 16 bytes of uuid, or 2, 4 or 8 of integer. */
bool ident_decode(enum ident_kind kind, const unsigned char *p, size_t n, struct ident *id);

#endif
