/* A plan or journal is refused or read, and what was read holds together. What is
 * written of it is read as the same.
 *
 * Input: a byte whose bits choose the kind, the kinds of ids, and whether the lines
 * become a member of gzip each; a byte for how much is cut from the end of these; then
 * the lines. */
#include "fuzz.h"

#include "actions.h"

#include <zlib.h>

#define NOW (INT64_C(4000000000) * US_PER_SECOND) /* so late that nothing is growing */

static void add_member(struct buf *b, struct slice line)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)line.p, .avail_in = (uInt)line.n};

    FUZZ_EXPECT(deflateInit2(&z, 1, Z_DEFLATED, 31, 8, Z_DEFAULT_STRATEGY) == Z_OK);
    FUZZ_EXPECT(buf_reserve(b, line.n + 200));
    z.next_out = (Bytef *)b->data + b->len;
    z.avail_out = (uInt)line.n + 200;
    FUZZ_EXPECT(deflate(&z, Z_FINISH) == Z_STREAM_END);
    b->len += line.n + 200 - z.avail_out;
    (void)deflateEnd(&z);
}

static void zip_lines(struct slice text, size_t cut, struct buf *b)
{
    while (text.n > 0) {
        const char *end = memchr(text.p, '\n', text.n);
        size_t n = end ? (size_t)(end - text.p) + 1 : text.n;

        add_member(b, (struct slice){text.p, n});
        text.p += n;
        text.n -= n;
    }
    b->len -= cut < b->len ? cut : b->len;
}

static void check(const struct actions *a, enum actions_kind kind)
{
    size_t next = 0;

    FUZZ_EXPECT(a->kind == kind && a->run && a->database && a->system);
    FUZZ_EXPECT(kind == ACTIONS_JOURNAL || (a->batches == 0 && !a->cut));
    for (size_t i = 0; i < a->batches; i++) {
        FUZZ_EXPECT(a->batch[i].first == next && a->batch[i].xid > 0);
        FUZZ_EXPECT(i == 0 || a->batch[i].number > a->batch[i - 1].number);
        FUZZ_EXPECT(!a->batch[i].cut || (i + 1 == a->batches && !a->batch[i].committed));
        next += a->batch[i].n;
    }
    FUZZ_EXPECT(kind == ACTIONS_PLAN || next == a->n);
    for (size_t i = 0; i < a->n; i++)
        FUZZ_EXPECT(a->action[i].before.status != ROW_UNKNOWN && a->action[i].cause != CAUSE_NONE);
}

/* The actions as a plan. */
static void write_plan(const struct actions *a, struct store_kinds kinds,
                       const struct names *archives, struct buf *b)
{
    const struct actions_origin o = {a->run, a->database, a->system, kinds, archives};
    struct err e = ERR_INIT;

    actions_put_header(b, ACTIONS_PLAN, &o, a->created_at, NULL, 0);
    for (size_t i = 0; i < a->n; i++)
        FUZZ_EXPECT(actions_put(b, &o, &a->action[i], &e) == 0);
    FUZZ_EXPECT(!b->failed);
}

/* A plan that was read is written as one that is read as the same. */
static void check_again(const struct actions *a, struct store_kinds kinds,
                        const struct names *archives)
{
    struct buf once = BUF_INIT, twice = BUF_INIT;
    struct names again = NAMES_INIT;
    struct err e = ERR_INIT;
    struct actions b;

    write_plan(a, kinds, archives, &once);
    if (actions_read(&b, fuzz_file(1, once.data, once.len), ACTIONS_PLAN, kinds, &again, NOW, NULL,
                     &e) < 0)
        fuzz_found("%s\n%s", e.text, buf_str(&once));
    write_plan(&b, kinds, &again, &twice);
    if (strcmp(buf_str(&once), buf_str(&twice)) != 0)
        fuzz_found("written first:\n%swritten again:\n%s", buf_str(&once), buf_str(&twice));
    actions_release(&b);
    names_release(&again);
    buf_release(&once);
    buf_release(&twice);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    enum actions_kind kind;
    struct store_kinds kinds;
    struct names archives = NAMES_INIT;
    struct buf zipped = BUF_INIT;
    struct slice file;
    struct err e = ERR_INIT;
    struct actions a;

    if (n < 2)
        return 0;
    kind = data[0] & 1 ? ACTIONS_JOURNAL : ACTIONS_PLAN;
    memset(&kinds, 0, sizeof kinds);
    kinds.contact = kinds.campaign = data[0] & 2 ? IDENT_INT : IDENT_UUID;
    file = (struct slice){(const char *)data + 2, n - 2};
    if (data[0] & 4) {
        zip_lines(file, data[1], &zipped);
        file = (struct slice){buf_str(&zipped), zipped.len};
    }
    if (actions_read(&a, fuzz_file(0, file.p, file.n), kind, kinds, &archives, NOW, NULL, &e) < 0) {
        FUZZ_EXPECT(e.status == EXIT_FAILED && e.text[0] != '\0');
    } else {
        check(&a, kind);
        if (kind == ACTIONS_PLAN)
            check_again(&a, kinds, &archives);
    }
    actions_release(&a);
    names_release(&archives);
    buf_release(&zipped);
    return 0;
}
