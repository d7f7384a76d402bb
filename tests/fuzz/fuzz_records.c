/* An archive is split into the records that docs/semantics.md 1 says, whatever the
 * reads and whether or not the fast look is there; and each text is one that jansson
 * takes.
 *
 * Input: the limit of a record and the size of the reads, a byte each, a blank for
 * none; then the archive. */
#include "fuzz.h"

#include "event.h"
#include "jsonscan.h"
#include "records_found.h"

#include <jansson.h>

#include <stdlib.h>

#define JSON_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

struct feed {
    const char *p;
    size_t n, most;
};

static ssize_t feed_read(void *ctx, void *p, size_t n)
{
    struct feed *f = ctx;

    n = n < f->most ? n : f->most;
    n = n < f->n ? n : f->n;
    if (n > 0)
        memcpy(p, f->p, n);
    f->p += n;
    f->n -= n;
    return (ssize_t)n;
}

static size_t look(void *ctx, const char *text)
{
    return event_look(ctx, text);
}

/* jansson loses a raw NUL that follows a number, and allows more nesting. */
static bool jansson_takes(const char *p, size_t n)
{
    json_t *v = n == 0 || memchr(p, '\0', n) ? NULL : json_loadb(p, n, JSON_FLAGS, NULL);

    json_decref(v);
    return v != NULL;
}

static bool nests_deep(const char *p, size_t n)
{
    size_t open = 0;

    for (size_t i = 0; i < n; i++)
        open += p[i] == '{' || p[i] == '[';
    return open > JSONSCAN_DEPTH;
}

static void check_record(struct slice archive, const struct record *rec,
                         const struct records_found *l)
{
    const struct found *want = rec->number <= l->n ? &l->found[rec->number - 1] : NULL;
    enum record_kind kind = rec->kind == RECORD_SEEN ? RECORD_TEXT : rec->kind;

    if (!want || kind != want->kind || rec->offset != want->offset || rec->bytes != want->bytes)
        fuzz_found("record %llu of %zu is of kind %d at %llu, %llu bytes; not kind %d at %zu, %zu "
                   "bytes",
                   (unsigned long long)rec->number, l->n, (int)kind,
                   (unsigned long long)rec->offset, (unsigned long long)rec->bytes,
                   want ? (int)want->kind : -1, want ? want->offset : 0, want ? want->bytes : 0);
    if (kind == RECORD_UNREAD)
        return;
    FUZZ_EXPECT(rec->len <= rec->bytes && rec->bytes <= archive.n - rec->offset);
    FUZZ_EXPECT(memcmp(rec->text, archive.p + rec->offset, rec->len) == 0);
    if (kind == RECORD_TEXT)
        FUZZ_EXPECT(rec->len == rec->bytes && jansson_takes(rec->text, rec->len));
    if (kind == RECORD_BROKEN)
        FUZZ_EXPECT(rec->broke >= rec->offset && rec->broke <= archive.n);
}

static void split(struct slice archive, size_t max, size_t most, struct event_reader *reader,
                  const struct records_found *l)
{
    struct feed f = {archive.p, archive.n, most};
    struct records *records = records_new(feed_read, &f, max);
    struct err e = ERR_INIT;
    struct record rec;
    uint64_t number = 0;
    int status;

    FUZZ_EXPECT(records != NULL);
    if (reader)
        records_look(records, look, reader);
    while ((status = records_next(records, &rec, &e)) > 0) {
        FUZZ_EXPECT(rec.number == ++number);
        check_record(archive, &rec, l);
    }
    FUZZ_EXPECT(status == 0 && number == l->n);
    FUZZ_EXPECT(records_next(records, &rec, &e) == 0);
    records_free(records);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    const struct event_options o = {.codes = CODES_APP};
    static struct records_found l;
    static struct event_reader *reader;
    struct slice archive = {(const char *)data + 2, n - 2}, whole;
    size_t max, most;

    if (n < 2)
        return 0;
    max = data[0] == ' ' ? (size_t)1 << 30 : data[0] + 1u;
    most = data[1] == ' ' ? (size_t)1 << 20 : data[1] + 1u;
    if (!reader)
        reader = event_reader_new(&o);
    FUZZ_EXPECT(reader != NULL);
    records_find(archive.p, archive.n, max, &l);
    split(archive, max, most, NULL, &l);
    split(archive, max, most, reader, &l);
    if (!nests_deep(archive.p, archive.n))
        FUZZ_EXPECT(jsonscan_whole(archive, &whole) == jansson_takes(archive.p, archive.n));
    return 0;
}
