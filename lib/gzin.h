/* gzin.h - the bytes of an archive: gzip of one or more members, plain, stdin.
 *
 * docs/semantics.md 1. An archive that begins with the bytes 1f 8b is gzip,
 * any other is plain. Damage is no failure of a read: every byte before it is
 * delivered, then the archive ends, and gzin_damage says why. One gzin is used
 * by one thread at a time.
 */
#ifndef RECONCILE_GZIN_H
#define RECONCILE_GZIN_H

#include "err.h"

#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* What a damaged archive gives does not depend on the library that inflates:
 * where another than zlib stumbles in a regular file, zlib goes over the member
 * once more, and only what is new of it is delivered. A pipe cannot be read
 * twice, so zlib inflates it from the beginning. There is one exception: ISA-L
 * reads on where zlib finds a set of codes impossible. What it then gives before
 * it stumbles is taken back as far as the same gzin_read gave it; and if length
 * and checksum are those of what it gave, it does not stumble. */
struct gzin;

enum gzin_damage {
    GZIN_WHOLE,     /* no damage, so far */
    GZIN_TRUNCATED, /* the end came within a member or its header */
    GZIN_GROWING,   /* truncated, but a file modified less than 10 minutes before now: no damage */
    GZIN_CORRUPT,   /* bad checksum, length or deflate data, or no gzip header after a member;
                       the rest of the archive is not read */
    GZIN_UNREADABLE /* read(2) failed midway */
};

/* Opens the archive at path; "-" is stdin, which is not closed in the end. now
 * (µs) decides what is growing, and is the modification time of stdin and
 * of anything else that is no regular file. Failure to open is EXIT_INPUT,
 * `could not open archive "x": reason`, a directory included; want of memory
 * or of descriptors is EXIT_FAILED, as it is no fault of the archive's.
 *
 * A pipe without a writer does not block here. Reading waits for one, and for
 * whatever a pipe or a terminal has yet to give, until *interrupted (NULL:
 * nothing) is not zero: then the archive ends as unreadable. */
int gzin_open(struct gzin **out, const char *path, int64_t now,
              const volatile sig_atomic_t *interrupted, struct err *e);

/* Fills the n bytes at p as far as the archive goes. Less than n only at the
 * end, 0 for n > 0 only behind it; the end may be one that damage made. -1
 * with errno ENOMEM only for want of memory. */
ssize_t gzin_read(struct gzin *g, void *p, size_t n);

/* Final once gzin_read has returned less than was asked for. */
enum gzin_damage gzin_damage(const struct gzin *g);

/* What the damage is, one line without the archive's name ("unexpected end of
 * file at byte 1048576"), "" without damage. Positions count the bytes of the
 * file, compressed as it is, from 0; members are counted from 1. Lives as long
 * as g. */
const char *gzin_reason(const struct gzin *g);

/* Members that have been read to their end and are whole; 0 of a plain archive. */
uint64_t gzin_members(const struct gzin *g);

int64_t gzin_mtime(const struct gzin *g); /* µs, when it was opened */

uint64_t gzin_bytes_in(const struct gzin *g);  /* bytes read from the file so far */
uint64_t gzin_bytes_out(const struct gzin *g); /* bytes delivered so far */

void gzin_close(struct gzin *g); /* g may be NULL */

#endif
