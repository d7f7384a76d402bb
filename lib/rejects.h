/* rejects.h - the file of --rejects: every rejected record, as JSON Lines
 * (docs/formats.md, "Rejects file").
 *
 * {"archive":"w.jsonl.gz","record":812,"offset":90210,"reason":"invalid_json",
 *  "detail":"...","bytes":311,"head":"eyJldmVudCI6..."}
 *
 * head is the base64 of the record's first 64 KiB with the values of `apikey`
 * masked (mask.h); null where masking is not certain. In the order of the list
 * of archives, so the file does not depend on the number of threads.
 */
#ifndef RECONCILE_REJECTS_H
#define RECONCILE_REJECTS_H

#include "err.h"
#include "slice.h"

#include <stdint.h>

struct rejects;     /* of a run */
struct reject_sink; /* of a thread; belongs to its run's rejects */

/* Readies the file at path, mode 0600, which appears when it is committed.
 * EXIT_FAILED naming it. */
int rejects_open(struct rejects **out, const char *path, struct err *e);

/* A sink for one more thread. To be called by one thread at a time. */
int rejects_sink_new(struct rejects *r, struct reject_sink **sink, struct err *e);

/* Adds a rejected record. All of an archive go to one sink, in order, and
 * archive_index is its place in the list. head: the record's first bytes, of
 * which 64 KiB at most are kept; total_bytes: the length of all of it. reason:
 * event.h's reject_name; one of "invalid_json" or "too_large" may have been
 * cut anywhere. */
int rejects_add(struct reject_sink *s, uint32_t archive_index, const char *archive_name,
                uint64_t record, uint64_t offset, const char *reason, const char *detail,
                struct slice head, uint64_t total_bytes, struct err *e);

/* Writes what the sinks hold and puts the file in its place. Frees r and its
 * sinks, whatever happens. A failed write is EXIT_FAILED naming the file. */
int rejects_commit(struct rejects *r, struct err *e);

/* Gives the file up and frees r, which may be NULL. */
void rejects_abort(struct rejects *r);

#endif
