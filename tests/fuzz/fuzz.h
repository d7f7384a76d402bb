/* fuzz.h - what the fuzz targets share.
 *
 * A target is tests/fuzz/fuzz_NAME.c: it reads one input and ends with fuzz_found
 * where the code under test does not do what it promises. `make fuzz` links it with
 * libFuzzer, `make check` with replay.c, which runs it over tests/fuzz/corpus/NAME.
 */
#ifndef TESTS_FUZZ_FUZZ_H
#define TESTS_FUZZ_FUZZ_H

#include "buf.h"
#include "outfile.h"
#include "slice.h"

#include <stdint.h>

#define COUNT_OF(array) (sizeof(array) / sizeof(array)[0])

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

/* Says what was found, and aborts. */
_Noreturn void fuzz_found(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define FUZZ_EXPECT(true_thing)                                                                    \
    do {                                                                                           \
        if (!(true_thing))                                                                         \
            fuzz_found("%s:%d: not so: %s", __FILE__, __LINE__, #true_thing);                      \
    } while (0)

/* ---- files, all in memory ---- */

/* The name of a regular file with these bytes, of mode 0600. `which` is one of
 * FUZZ_FILES; its bytes stay until it is written again. */
#define FUZZ_FILES 2u
const char *fuzz_file(unsigned which, const void *p, size_t n);

/* The same as a pipe that ends behind them: 64 KiB at most. To be closed. */
#define FUZZ_PIPE_MAX ((size_t)65536)
int fuzz_pipe(const void *p, size_t n, char name[32]);

/* What goes to a descriptor from begin to end, appended to *out. */
void fuzz_catch_begin(int fd);
void fuzz_catch_end(int fd, struct buf *out);

/* ---- inputs of parts ---- */

/* The input up to the next separator; false behind the last part. */
bool fuzz_part(struct slice *rest, char separator, struct slice *part);

/* ---- what others are shown ---- */

/* Is all of it well-formed UTF-8 that a person may be shown, the bytes in `also` aside? */
bool fuzz_is_safe(struct slice s, const char *also);

#endif
