#include "rejects.h"

#include "jsonw.h"
#include "mask.h"
#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HEAD_MAX ((size_t)64 << 10)  /* bytes of a record that are looked at */
#define SPILL_AT ((size_t)1 << 20)   /* bytes held in memory before they go to a file */
#define PARTS_MAX 100                /* of one record that get a line of their own */
#define COPY_SIZE ((size_t)64 << 10) /* bytes copied at once */

/* Lines of one archive, one after another in a sink. */
struct segment {
    uint32_t archive;
    uint64_t from, to; /* positions in the sink */
};

struct reject_sink {
    struct reject_sink *next;
    struct segment *segment; /* in the order of reading */
    size_t segments, cap;
    struct buf held;   /* what has not been spilled */
    struct buf masked; /* scratch */
    int fd;            /* an unlinked file; -1 until it is needed */
    uint64_t spilled;  /* bytes in it */
    /* Of the archive being read: what its last rejected record left behind. */
    uint64_t record;
    unsigned open;  /* as in struct masked */
    unsigned parts; /* of that record so far */
};

struct rejects {
    struct outfile *out;
    struct reject_sink *sinks;
};

/* ---- one line ------------------------------------------------------------ */

static void add_base64(struct buf *b, const struct buf *bytes)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
                                 "0123456789+/";
    const unsigned char *p = (const unsigned char *)bytes->data;

    (void)buf_reserve(b, (bytes->len + 2) / 3 * 4 + 2);
    buf_addc(b, '"');
    for (size_t i = 0; i < bytes->len; i += 3) {
        size_t n = bytes->len - i;
        unsigned v = (unsigned)p[i] << 16 | (n > 1 ? (unsigned)p[i + 1] << 8 : 0) |
                     (n > 2 ? (unsigned)p[i + 2] : 0);
        char four[4] = {digits[v >> 18], digits[v >> 12 & 63], n > 1 ? digits[v >> 6 & 63] : '=',
                        n > 2 ? digits[v & 63] : '='};

        buf_add(b, four, sizeof four);
    }
    buf_addc(b, '"');
}

/* Masks the head to s->masked and keeps track of values that were cut: the next
 * stretch that is no JSON may begin with the rest of one, whatever whole records
 * come between. False where the head must not be kept. */
static bool mask_head(struct reject_sink *s, const char *reason, struct slice head,
                      uint64_t total_bytes)
{
    bool is_whole = strcmp(reason, "invalid_json") != 0 && strcmp(reason, "too_large") != 0;
    unsigned open = is_whole ? 0 : s->open;
    unsigned quotes = open > 0 ? mask_quotes(head) : 0;
    struct masked m;

    buf_clear(&s->masked);
    m = mask_api_keys(head, &s->masked);
    if (total_bytes > head.n) /* what was not seen may have cut one */
        m.open = m.open > 2 ? m.open : 2;
    if (open > quotes && open - quotes > m.open)
        m.open = open - quotes;
    if (m.open > 0 && head.n > 0 && head.p[head.n - 1] == '\\')
        m.open++; /* which may escape the first quote that follows */
    if (!is_whole)
        s->open = m.open;
    return m.certain && open == 0;
}

static void add_line(struct reject_sink *s, const char *archive_name, uint64_t record,
                     uint64_t offset, const char *reason, const char *detail, struct slice head,
                     uint64_t total_bytes)
{
    struct jsonw w = JSONW_INIT(&s->held);
    /* Of a record with many rejected parts the first shows the bytes of all. */
    bool first = s->parts == 0;
    bool keep = first && mask_head(s, reason, head, total_bytes);

    jsonw_object(&w, NULL);
    jsonw_text(&w, "archive", archive_name);
    jsonw_uint(&w, "record", record);
    jsonw_uint(&w, "offset", offset);
    jsonw_text(&w, "reason", reason);
    jsonw_text(&w, "detail", detail);
    jsonw_uint(&w, "bytes", total_bytes);
    if (keep) {
        buf_adds(&s->held, ",\"head\":");
        add_base64(&s->held, &s->masked);
    } else {
        jsonw_null(&w, "head");
    }
    jsonw_object_end(&w);
    buf_addc(&s->held, '\n');
    s->held.failed |= s->masked.failed;
}

/* ---- sinks ---------------------------------------------------------------- */

static const char *temporary_dir(void)
{
    const char *dir = getenv("TMPDIR");

    return dir && *dir ? dir : "/tmp";
}

static int spill_failed(int number, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not write a temporary file for --rejects in \"%s\": %s",
                   temporary_dir(), strerror(number));
}

static int open_temporary(void)
{
    int fd = open(temporary_dir(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    char *name = NULL;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    if (asprintf(&name, "%s/reconcile-rejects.XXXXXX", temporary_dir()) < 0) {
        errno = ENOMEM;
        return -1;
    }
    fd = mkostemp(name, O_CLOEXEC); /* mode 0600 */
    if (fd >= 0)
        (void)unlink(name);
    free(name);
    return fd;
}

static int spill(struct reject_sink *s, struct err *e)
{
    size_t done = 0;

    if (s->fd < 0)
        s->fd = open_temporary();
    if (s->fd < 0)
        return spill_failed(errno, e);
    while (done < s->held.len) {
        ssize_t n = write(s->fd, s->held.data + done, s->held.len - done);

        if (n < 0 && errno != EINTR)
            return spill_failed(errno, e);
        if (n > 0)
            done += (size_t)n;
    }
    s->spilled += s->held.len;
    buf_clear(&s->held);
    return 0;
}

static uint64_t sink_size(const struct reject_sink *s)
{
    return s->spilled + s->held.len;
}

/* A new segment for another archive than the last one. */
static int enter_archive(struct reject_sink *s, uint32_t archive, struct err *e)
{
    if (s->segments > 0 && s->segment[s->segments - 1].archive == archive)
        return 0;
    if (s->segments == s->cap) {
        size_t cap = s->cap ? s->cap * 2 : 16;
        struct segment *more = realloc(s->segment, cap * sizeof *more);

        if (!more)
            return err_oom(e);
        s->segment = more;
        s->cap = cap;
    }
    s->segment[s->segments++] = (struct segment){archive, sink_size(s), sink_size(s)};
    s->record = 0;
    s->parts = 0;
    s->open = 0;
    return 0;
}

int rejects_add(struct reject_sink *s, uint32_t archive_index, const char *archive_name,
                uint64_t record, uint64_t offset, const char *reason, const char *detail,
                struct slice head, uint64_t total_bytes, struct err *e)
{
    if (enter_archive(s, archive_index, e) < 0)
        return -1;
    s->parts = record == s->record ? s->parts + 1 : 0;
    s->record = record;
    if (s->parts > PARTS_MAX)
        return 0;
    if (s->parts == PARTS_MAX)
        detail = "further parts of this record are only counted";
    if (head.n > HEAD_MAX)
        head.n = HEAD_MAX;
    add_line(s, archive_name, record, offset, reason, detail, head, total_bytes);
    if (s->held.failed)
        return err_oom(e);
    s->segment[s->segments - 1].to = sink_size(s);
    return s->held.len >= SPILL_AT ? spill(s, e) : 0;
}

int rejects_sink_new(struct rejects *r, struct reject_sink **sink, struct err *e)
{
    struct reject_sink *s = calloc(1, sizeof *s);

    *sink = s;
    if (!s)
        return err_oom(e);
    s->fd = -1;
    s->next = r->sinks;
    r->sinks = s;
    return 0;
}

static void sink_free(struct reject_sink *s)
{
    if (s->fd >= 0)
        (void)close(s->fd);
    buf_release(&s->held);
    buf_release(&s->masked);
    free(s->segment);
    free(s);
}

/* ---- the file -------------------------------------------------------------- */

int rejects_open(struct rejects **out, const char *path, struct err *e)
{
    struct rejects *r = calloc(1, sizeof *r);

    *out = NULL;
    if (!r)
        return err_oom(e);
    if (outfile_open(&r->out, path, 0600, false, e) < 0) {
        free(r);
        return -1;
    }
    *out = r;
    return 0;
}

static int read_failed(int number, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not read a temporary file for --rejects in \"%s\": %s",
                   temporary_dir(), strerror(number));
}

static int copy_spilled(struct outfile *out, const struct reject_sink *s, uint64_t from,
                        uint64_t to, struct err *e)
{
    char bytes[COPY_SIZE];

    while (from < to) {
        size_t want = to - from < sizeof bytes ? (size_t)(to - from) : sizeof bytes;
        ssize_t n = pread(s->fd, bytes, want, (off_t)from);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return read_failed(n < 0 ? errno : EIO, e);
        if (outfile_write(out, bytes, (size_t)n, e) < 0)
            return -1;
        from += (uint64_t)n;
    }
    return 0;
}

static int copy_segment(struct outfile *out, const struct reject_sink *s, const struct segment *g,
                        struct err *e)
{
    uint64_t from = g->from, to = g->to < s->spilled ? g->to : s->spilled;

    if (from < to && copy_spilled(out, s, from, to, e) < 0)
        return -1;
    if (from < s->spilled)
        from = s->spilled;
    if (from >= g->to)
        return 0;
    return outfile_write(out, s->held.data + (from - s->spilled), (size_t)(g->to - from), e);
}

struct placed {
    const struct reject_sink *sink;
    const struct segment *segment;
};

static int by_archive(const void *left, const void *right)
{
    uint32_t a = ((const struct placed *)left)->segment->archive;
    uint32_t b = ((const struct placed *)right)->segment->archive;

    return (a > b) - (a < b);
}

static int write_all(struct rejects *r, struct err *e)
{
    struct placed *placed;
    size_t n = 0, at = 0;
    int result = 0;

    for (const struct reject_sink *s = r->sinks; s; s = s->next)
        n += s->segments;
    placed = calloc(n + 1, sizeof *placed);
    if (!placed)
        return err_oom(e);
    for (const struct reject_sink *s = r->sinks; s; s = s->next)
        for (size_t i = 0; i < s->segments; i++)
            placed[at++] = (struct placed){s, &s->segment[i]};
    qsort(placed, n, sizeof *placed, by_archive);
    for (size_t i = 0; i < n && result == 0; i++)
        result = copy_segment(r->out, placed[i].sink, placed[i].segment, e);
    free(placed);
    return result;
}

int rejects_commit(struct rejects *r, struct err *e)
{
    int result = write_all(r, e);

    if (result == 0) {
        result = outfile_commit(r->out, e);
        r->out = NULL;
    }
    rejects_abort(r);
    return result;
}

void rejects_abort(struct rejects *r)
{
    if (!r)
        return;
    outfile_abort(r->out);
    while (r->sinks) {
        struct reject_sink *next = r->sinks->next;

        sink_free(r->sinks);
        r->sinks = next;
    }
    free(r);
}
