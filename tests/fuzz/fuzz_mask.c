/* An API key is masked in whatever bytes surround it, or the bytes are said not to be
 * certain, which keeps them out of the file of rejects.
 *
 * Input: a byte for how often all is quoted as a string of JSON, a byte for how much is
 * cut from the end, then what comes before the key and what comes after, between them
 * the byte 1e. */
#include "fuzz.h"

#include "jsonw.h"
#include "mask.h"

#define KEY "hunter2-hunter2"
#define BEGINNING "hunter2-" /* shorter ones may be anybody's */

static void quote(struct buf *b)
{
    struct buf quoted = BUF_INIT;

    jsonw_string(&quoted, buf_str(b), b->len);
    buf_release(b);
    *b = quoted;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = {(const char *)data + 2, n - 2}, before;
    struct buf b = BUF_INIT, out = BUF_INIT;
    struct masked m;

    if (n < 2 || memmem(data, n, BEGINNING, strlen(BEGINNING)))
        return 0;
    (void)fuzz_part(&rest, '\x1e', &before);
    buf_add(&b, before.p, before.n);
    buf_adds(&b, "\"apikey\":\"" KEY "\"");
    buf_add(&b, rest.p, rest.n);
    for (unsigned i = 0; i < data[0] % 4u; i++)
        quote(&b);
    b.len -= data[1] < b.len ? data[1] : b.len;
    m = mask_api_keys((struct slice){b.data, b.len}, &out);
    FUZZ_EXPECT(!out.failed);
    if (m.certain && memmem(buf_str(&out), out.len, BEGINNING, strlen(BEGINNING)))
        fuzz_found("the key is left in: %.*s", (int)out.len, out.data);
    buf_release(&b);
    buf_release(&out);
    return 0;
}
