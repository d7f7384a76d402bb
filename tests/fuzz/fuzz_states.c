/* A states file is refused by its line or read; and what was read is written as a file
 * that is read as the same, byte for byte. */
#include "fuzz.h"

#include "states.h"

#include <unistd.h>

#define NOW INT64_C(1793534400000000)

/* Reads the file and appends what is written of it. False: it was refused. */
static bool read_and_write(unsigned which, const void *p, size_t n, bool whole, struct buf *out)
{
    struct names archives = NAMES_INIT;
    struct outfile *f;
    struct fold fold;
    struct err e = ERR_INIT;
    char problem[600] = "";
    int status;

    fold_init(&fold, &archives);
    status = states_read(&fold, &archives, fuzz_file(which, p, n), NOW, NULL, problem,
                         sizeof problem, &e);
    FUZZ_EXPECT(status >= 0 && (status == 0) == (problem[0] == '\0'));
    if (whole && status != 0)
        fuzz_found("%s\n%.*s", problem, (int)n, (const char *)p);
    fuzz_catch_begin(STDOUT_FILENO);
    if (outfile_open(&f, "-", 0600, false, &e) < 0 ||
        states_write(f, &fold, false, NULL, NULL, &e) < 0 || outfile_commit(f, &e) < 0)
        fuzz_found("%s", e.text);
    fuzz_catch_end(STDOUT_FILENO, out);
    fold_release(&fold);
    names_release(&archives);
    return status == 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf once = BUF_INIT, twice = BUF_INIT;

    (void)read_and_write(0, data, n, false, &once); /* what came before a refusal is kept */
    (void)read_and_write(1, buf_str(&once), once.len, true, &twice);
    if (once.len != twice.len || memcmp(buf_str(&once), buf_str(&twice), once.len) != 0)
        fuzz_found("written first:\n%swritten again:\n%s", buf_str(&once), buf_str(&twice));
    buf_release(&once);
    buf_release(&twice);
    return 0;
}
