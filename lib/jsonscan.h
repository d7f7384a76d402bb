/* jsonscan.h - JSON texts as bytes: where one ends, or where it breaks. No
 * memory is allocated and none is copied.
 *
 * What is JSON is RFC 8259 as jansson reads it with JSON_DECODE_INT_AS_REAL
 * and JSON_ALLOW_NUL (docs/semantics.md 1): invalid UTF-8, lone surrogates, a
 * NUL in a key, and a number beyond a double are errors. So is nesting deeper
 * than 512.
 */
#ifndef RECONCILE_JSONSCAN_H
#define RECONCILE_JSONSCAN_H

#include "slice.h"

#include <stdint.h>

#define JSONSCAN_DEPTH 512 /* objects and arrays that may be open at once */

enum jsonscan_result {
    JSONSCAN_MORE,  /* whole so far: more bytes are needed */
    JSONSCAN_DONE,  /* the outermost object or array is closed */
    JSONSCAN_BROKEN /* the byte at `at` cannot continue the text */
};

struct jsonscan {
    size_t at;                               /* bytes of the text looked at */
    size_t number;                           /* where the number being read begins */
    uint64_t is_object[JSONSCAN_DEPTH / 64]; /* a bit per open level: object or array */
    unsigned depth;                          /* levels open */
    unsigned hex;                            /* value of the \u escape being read */
    unsigned low, high;                      /* bounds of the next byte of a UTF-8 sequence */
    uint8_t state;
    uint8_t left;        /* bytes or digits to come in the sequence, escape or literal */
    bool key;            /* the string being read is a key */
    bool high_surrogate; /* a \uD800..\uDBFF waits for its other half */
    const char *literal; /* what remains of true, false or null */
};

/* Starts a text, whose first byte must be '{' or '['. */
void jsonscan_init(struct jsonscan *j);

/* Looks at text[j->at .. n). text is the whole text from its first byte, at an
 * address that may differ from call to call. DONE: j->at is the text's length.
 * BROKEN: j->at is the offset of the first byte that cannot continue it; of the
 * byte after a number that is beyond a double. */
enum jsonscan_result jsonscan_feed(struct jsonscan *j, const char *text, size_t n);

/* Is all of s one object or array with nothing but white space around it?
 * Then *value is that object or array. */
bool jsonscan_whole(struct slice s, struct slice *value);

#endif
