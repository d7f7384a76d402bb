#include "gzin.h"

#include "clock.h"
#include "inflater.h"
#include "log.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define IN_SIZE ((size_t)256 * 1024)
#define GROWING_AGE (600 * US_PER_SECOND)
#define TICK_MS 100 /* how often a wait looks whether the run is to end */
#define PATIENCE 20 /* ticks without a writer before somebody is told */

enum place { AT_START, IN_PLAIN, BEFORE_HEADER, IN_DATA, AT_END };

/* Flags of a gzip header, RFC 1952. */
enum { HAS_CRC = 0x02, HAS_EXTRA = 0x04, HAS_NAME = 0x08, HAS_COMMENT = 0x10, RESERVED = 0xe0 };

struct gzin {
    int fd;
    bool is_stdin;
    bool waits;      /* no regular file: what comes may take its time */
    char *unwritten; /* owned: name of a pipe that nothing came through yet; NULL: told, or none */
    const volatile sig_atomic_t *interrupted; /* NULL: nothing interrupts */
    enum place place;
    enum gzin_damage damage;
    int64_t now, mtime; /* µs */

    unsigned char *block; /* owned: INFLATER_BACK bytes, then IN_SIZE at in */
    unsigned char *in;    /* what was read last; behind it what came before that */
    ptrdiff_t in_pos;     /* may be as low as -INFLATER_BACK */
    ptrdiff_t in_len;     /* not yet used: in[in_pos .. in_len) */
    uint64_t in_base;     /* position in the file of in[0] */
    off_t start;          /* offset of the descriptor when it was opened; -1: cannot be sought */
    bool in_ended;        /* nothing comes after in_len */
    int read_errno;       /* why, if not because the file ends */

    struct inflater *inflater; /* NULL for a plain archive */
    uint64_t member;           /* the current one's number */
    uint64_t whole;            /* members that ended as they should */
    uint64_t member_at;        /* its position in the file */
    uint64_t data_at;          /* and that of its deflate data */
    uint32_t crc, length;      /* of what it gave so far */
    uint64_t delivered;        /* bytes of it that were delivered */
    uint64_t skip;             /* a second look: bytes of it that were delivered by the first */

    uint64_t bytes_in, bytes_out;
    char reason[160];
};

static uint64_t position(const struct gzin *g)
{
    return g->in_base + (uint64_t)g->in_pos;
}

static void end_with(struct gzin *g, enum gzin_damage damage, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

static void end_with(struct gzin *g, enum gzin_damage damage, const char *fmt, ...)
{
    va_list ap;

    g->place = AT_END;
    g->damage = damage;
    va_start(ap, fmt);
    (void)vsnprintf(g->reason, sizeof g->reason, fmt, ap);
    va_end(ap);
}

/* ---- reading the file --------------------------------------------------- */

static bool is_interrupted(const struct gzin *g)
{
    return g->interrupted && __atomic_load_n(g->interrupted, __ATOMIC_RELAXED);
}

/* A pipe whose writer never comes looks like a program that hangs. */
static void tell_unwritten(struct gzin *g)
{
    if (!g->unwritten)
        return;
    log_note("\"%s\" is a pipe that nothing has been written to yet", g->unwritten);
    free(g->unwritten);
    g->unwritten = NULL;
}

/* Until there is something to read, or the end of it. A signal need not come
 * to this thread, so its flag is looked at. False: the run is to end. */
static bool wait_for_input(struct gzin *g)
{
    struct pollfd wait = {.fd = g->fd, .events = POLLIN};

    for (int ticks = 1; !is_interrupted(g); ticks++) {
        if (!g->waits || poll(&wait, 1, TICK_MS) > 0)
            return true;
        if (ticks == PATIENCE)
            tell_unwritten(g);
    }
    return false;
}

/* read(2) until n bytes are there or nothing more comes, so that what is read
 * does not depend on how a pipe happens to deliver it. */
static size_t read_fully(struct gzin *g, unsigned char *p, size_t n)
{
    size_t got = 0;

    while (got < n && !g->in_ended) {
        ssize_t r;

        if (!wait_for_input(g)) {
            g->read_errno = EINTR;
            g->in_ended = true;
            break;
        }
        r = read(g->fd, p + got, n - got);
        if (r > 0) {
            got += (size_t)r;
        } else if (r == 0) {
            g->in_ended = true;
        } else if (errno != EINTR && errno != EAGAIN) { /* EAGAIN: another reader was first */
            g->read_errno = errno;
            g->in_ended = true;
        }
    }
    g->bytes_in += got;
    return got;
}

/* Are there bytes in the buffer, read anew if need be? */
static bool have_input(struct gzin *g)
{
    if (g->in_pos < g->in_len)
        return true;
    if (g->in_len >= INFLATER_BACK)
        memcpy(g->block, g->in + g->in_len - INFLATER_BACK, INFLATER_BACK);
    g->in_base += (uint64_t)g->in_len;
    g->in_pos = 0;
    g->in_len = (ptrdiff_t)read_fully(g, g->in, IN_SIZE);
    return g->in_len > 0;
}

static int next_byte(struct gzin *g)
{
    return have_input(g) ? g->in[g->in_pos++] : -1;
}

static bool is_growing(const struct gzin *g)
{
    struct stat st;

    if (g->is_stdin || fstat(g->fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    /* Asked again, as it may have grown since it was opened. */
    return g->now - ((int64_t)st.st_mtim.tv_sec * US_PER_SECOND + st.st_mtim.tv_nsec / 1000) <
           GROWING_AGE;
}

static void end_of_input(struct gzin *g, bool expected)
{
    if (g->read_errno)
        end_with(g, GZIN_UNREADABLE, "%s at byte %" PRIu64, strerror(g->read_errno), position(g));
    else if (expected)
        g->place = AT_END;
    else
        end_with(g, is_growing(g) ? GZIN_GROWING : GZIN_TRUNCATED,
                 "unexpected end of file at byte %" PRIu64, position(g));
}

/* ---- the gzip format ---------------------------------------------------- */

/* The next byte of a header, -1 at the end. crc runs along. */
static int header_byte(struct gzin *g, uint32_t *crc)
{
    int c = next_byte(g);
    unsigned char byte = (unsigned char)c;

    if (c < 0)
        end_of_input(g, false);
    else
        *crc = inflater_crc(*crc, &byte, 1);
    return c;
}

static bool skip_bytes(struct gzin *g, unsigned n, uint32_t *crc)
{
    for (; n > 0; n--)
        if (header_byte(g, crc) < 0)
            return false;
    return true;
}

static bool skip_string(struct gzin *g, uint32_t *crc)
{
    int c;

    do
        c = header_byte(g, crc);
    while (c > 0);
    return c == 0;
}

/* Two bytes, least first. */
static bool read_short(struct gzin *g, uint32_t *crc, unsigned *value)
{
    int low = header_byte(g, crc);
    int high = low < 0 ? -1 : header_byte(g, crc);

    *value = (unsigned)low | (unsigned)high << 8;
    return high >= 0;
}

/* The first four bytes, each judged before the next is read: so the beginning
 * of a header is told from other bytes however little there is of it. */
static bool read_magic(struct gzin *g, uint32_t *crc, unsigned *flags)
{
    static const int magic[3] = {0x1f, 0x8b, 8 /* deflate */};
    bool sound = true;
    int c = 0;

    for (int i = 0; i < 4 && sound; i++) {
        c = header_byte(g, crc);
        if (c < 0)
            return false;
        sound = i < 3 ? c == magic[i] : (c & RESERVED) == 0;
    }
    *flags = (unsigned)c;
    if (!sound && g->member == 0)
        end_with(g, GZIN_CORRUPT, "unknown kind of gzip at byte %" PRIu64, g->member_at);
    else if (!sound)
        end_with(g, GZIN_CORRUPT,
                 "bytes after member %" PRIu64 " are no gzip header, at byte %" PRIu64, g->member,
                 g->member_at);
    return sound;
}

static void read_header(struct gzin *g)
{
    unsigned flags, length, stored;
    uint32_t crc = 0, ignored = 0;

    g->member_at = position(g);
    if (!read_magic(g, &crc, &flags) || !skip_bytes(g, 6, &crc))
        return;
    if ((flags & HAS_EXTRA) && (!read_short(g, &crc, &length) || !skip_bytes(g, length, &crc)))
        return;
    if ((flags & HAS_NAME) && !skip_string(g, &crc))
        return;
    if ((flags & HAS_COMMENT) && !skip_string(g, &crc))
        return;
    if ((flags & HAS_CRC) && !read_short(g, &ignored, &stored))
        return;
    g->member++;
    if ((flags & HAS_CRC) && stored != (crc & 0xffff)) {
        end_with(g, GZIN_CORRUPT, "bad header checksum in member %" PRIu64 " at byte %" PRIu64,
                 g->member, g->member_at);
        return;
    }
    inflater_reset(g->inflater);
    g->crc = g->length = 0;
    g->delivered = g->skip = 0;
    g->data_at = position(g);
    g->place = IN_DATA;
}

/* Behind a member: zero bytes, then the end or another member. */
static void read_between(struct gzin *g)
{
    while (have_input(g)) {
        while (g->in_pos < g->in_len && g->in[g->in_pos] == 0)
            g->in_pos++;
        if (g->in_pos < g->in_len) {
            read_header(g);
            return;
        }
    }
    end_of_input(g, true);
}

/* Begins the data of the member anew, with zlib: it has the last word on what
 * is damaged, so that the same file gives the same bytes and the same report
 * whichever library the build has. False where zlib has spoken already, or
 * where the file has changed and there is no way back. *nomem: no memory. */
static bool look_again(struct gzin *g, bool *nomem)
{
    uint64_t base = g->data_at - g->data_at % IN_SIZE; /* the reads of the first look */
    struct inflater *exact;

    *nomem = false;
    if (inflater_is_exact(g->inflater) || lseek(g->fd, g->start + (off_t)base, SEEK_SET) < 0)
        return false;
    exact = inflater_new(true);
    if (!exact) {
        *nomem = true;
        return false;
    }
    inflater_free(g->inflater);
    g->inflater = exact;
    g->in_base = g->bytes_in = base;
    g->in_pos = g->in_len = 0;
    g->in_ended = false;
    g->read_errno = 0;
    if (have_input(g))
        g->in_pos = (ptrdiff_t)(g->data_at - base);
    g->skip = g->delivered;
    g->crc = g->length = 0;
    return true;
}

static bool read_word(struct gzin *g, uint32_t *value)
{
    *value = 0;
    for (unsigned i = 0; i < 4; i++) {
        int c = next_byte(g);

        if (c < 0)
            return false;
        *value |= (uint32_t)c << (8 * i);
    }
    return true;
}

/* -1 without memory. */
static int read_trailer(struct gzin *g)
{
    uint64_t at = position(g);
    uint32_t crc, length = 0;
    bool nomem, whole = read_word(g, &crc) && read_word(g, &length);

    if (whole && crc == g->crc && length == g->length) {
        g->whole++;
        g->place = BEFORE_HEADER;
        return 0;
    }
    if (look_again(g, &nomem))
        return 0;
    if (nomem)
        return -1;
    if (!whole)
        end_of_input(g, false);
    else if (crc != g->crc)
        end_with(g, GZIN_CORRUPT, "bad checksum in member %" PRIu64 " at byte %" PRIu64, g->member,
                 at);
    else
        end_with(g, GZIN_CORRUPT, "bad length in member %" PRIu64 " at byte %" PRIu64, g->member,
                 at + 4);
    return 0;
}

/* Inflates to *out, room for *n, until one of input and room is used up; what
 * a first look had delivered is left out. *ended: there is no more input. */
static enum inflater_state inflate_some(struct gzin *g, unsigned char **out, size_t *n, bool *ended)
{
    unsigned char *from = *out;
    const unsigned char *in;
    enum inflater_state state;
    size_t in_n, made, left_out;

    *ended = !have_input(g);
    in = g->in + g->in_pos;
    in_n = (size_t)(g->in_len - g->in_pos);
    state = inflater_run(g->inflater, &in, &in_n, out, n);
    g->in_pos = g->in_len - (ptrdiff_t)in_n;
    made = (size_t)(*out - from);
    *ended = *ended && made == 0 && state == INFLATER_MORE;
    g->crc = inflater_crc(g->crc, from, made);
    g->length += (uint32_t)made;
    left_out = made < g->skip ? made : (size_t)g->skip;
    g->skip -= left_out;
    if (left_out > 0) {
        memmove(from, from + left_out, made - left_out);
        *out -= left_out;
        *n += left_out;
    }
    g->delivered += made - left_out;
    return state;
}

/* Inflates to p, room for n, and ends the member where it ends. -1 without memory. */
static ssize_t read_data(struct gzin *g, unsigned char *p, size_t n)
{
    bool exact = inflater_is_exact(g->inflater);
    unsigned char *out = p;
    enum inflater_state state = INFLATER_MORE;
    bool ended = false, nomem = false;

    while (n > 0 && state == INFLATER_MORE && !ended)
        state = inflate_some(g, &out, &n, &ended);
    if (state == INFLATER_END) {
        nomem = read_trailer(g) < 0;
    } else if (state == INFLATER_NOMEM) {
        nomem = true;
    } else if ((state == INFLATER_BAD || ended) && !look_again(g, &nomem) && !nomem) {
        if (ended)
            end_of_input(g, false);
        else
            end_with(g, GZIN_CORRUPT,
                     "impossible data in member %" PRIu64 ", which begins at byte %" PRIu64,
                     g->member, g->member_at);
    }
    if (nomem) {
        errno = ENOMEM;
        return -1;
    }
    if (!exact && inflater_is_exact(g->inflater)) {
        /* What the first look made here is zlib's to make. */
        g->skip = g->delivered -= (uint64_t)(out - p);
        return 0;
    }
    return out - p;
}

/* ---- plain archives ----------------------------------------------------- */

static size_t read_plain(struct gzin *g, unsigned char *p, size_t n)
{
    size_t got = (size_t)(g->in_len - g->in_pos);

    if (got > 0 || n < IN_SIZE) {
        if (!have_input(g)) {
            end_of_input(g, true);
            return 0;
        }
        got = (size_t)(g->in_len - g->in_pos);
        got = got < n ? got : n;
        memcpy(p, g->in + g->in_pos, got);
        g->in_pos += (ptrdiff_t)got;
        return got;
    }
    /* The buffer is used up: past it, straight to where it is wanted. */
    g->in_base += (uint64_t)g->in_len;
    g->in_pos = g->in_len = 0;
    got = read_fully(g, p, n);
    g->in_base += got;
    if (got < n)
        end_of_input(g, true);
    return got;
}

static int begin(struct gzin *g)
{
    if (!have_input(g)) {
        end_of_input(g, true);
        return 0;
    }
    if (g->in_len < 2 || g->in[0] != 0x1f || g->in[1] != 0x8b) {
        g->place = IN_PLAIN;
        return 0;
    }
    g->inflater = inflater_new(g->start < 0);
    if (!g->inflater) {
        errno = ENOMEM;
        return -1;
    }
    g->place = BEFORE_HEADER;
    return 0;
}

/* ---- the interface ------------------------------------------------------ */

ssize_t gzin_read(struct gzin *g, void *p, size_t n)
{
    unsigned char *out = p;
    size_t done = 0;

    while (done < n && g->place != AT_END) {
        ssize_t got = 0;

        switch (g->place) {
        case AT_START:
            got = begin(g);
            break;
        case IN_PLAIN:
            got = (ssize_t)read_plain(g, out + done, n - done);
            break;
        case BEFORE_HEADER:
            read_between(g);
            break;
        case IN_DATA:
            got = read_data(g, out + done, n - done);
            break;
        case AT_END:
            break;
        }
        if (got < 0)
            return -1;
        done += (size_t)got;
        g->bytes_out += (uint64_t)got;
    }
    return (ssize_t)done;
}

/* Where the process or the machine has run out of something, the archive is
 * not to be left out as if it were at fault. */
static int open_failed(struct err *e, const char *path, int number)
{
    bool machine = number == EMFILE || number == ENFILE || number == ENOMEM;

    return err_set(e, machine ? EXIT_FAILED : EXIT_INPUT, "could not open archive \"%s\": %s", path,
                   strerror(number));
}

int gzin_open(struct gzin **out, const char *path, int64_t now,
              const volatile sig_atomic_t *interrupted, struct err *e)
{
    struct gzin *g = calloc(1, sizeof *g);
    struct stat st;
    int result = -1;

    *out = NULL;
    if (g)
        g->block = malloc(INFLATER_BACK + IN_SIZE);
    if (!g || !g->block) {
        free(g);
        return err_oom(e);
    }
    g->in = g->block + INFLATER_BACK;
    g->now = g->mtime = now;
    g->is_stdin = strcmp(path, "-") == 0;
    g->interrupted = interrupted;
    /* O_NONBLOCK: a pipe without a writer is waited for where a signal is looked at. */
    g->fd = g->is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (g->fd < 0 || fstat(g->fd, &st) != 0)
        result = open_failed(e, path, errno);
    else if (!g->is_stdin && S_ISDIR(st.st_mode)) /* of stdin read(2) tells */
        result = open_failed(e, path, EISDIR);
    else
        result = 0;
    if (result < 0) {
        gzin_close(g);
        return -1;
    }
    if (!g->is_stdin && S_ISREG(st.st_mode))
        g->mtime = (int64_t)st.st_mtim.tv_sec * US_PER_SECOND + st.st_mtim.tv_nsec / 1000;
    g->waits = !S_ISREG(st.st_mode);
    if (S_ISFIFO(st.st_mode) && !g->is_stdin)
        g->unwritten = strdup(path); /* without memory for it nobody is told */
    g->start = S_ISREG(st.st_mode) ? lseek(g->fd, 0, SEEK_CUR) : -1;
    (void)posix_fadvise(g->fd, 0, 0, POSIX_FADV_SEQUENTIAL); /* a hint: pipes refuse it */
    *out = g;
    return 0;
}

enum gzin_damage gzin_damage(const struct gzin *g)
{
    return g->damage;
}

const char *gzin_reason(const struct gzin *g)
{
    return g->reason;
}

uint64_t gzin_members(const struct gzin *g)
{
    return g->whole;
}

int64_t gzin_mtime(const struct gzin *g)
{
    return g->mtime;
}

uint64_t gzin_bytes_in(const struct gzin *g)
{
    return g->bytes_in;
}

uint64_t gzin_bytes_out(const struct gzin *g)
{
    return g->bytes_out;
}

void gzin_close(struct gzin *g)
{
    if (!g)
        return;
    if (!g->is_stdin && g->fd >= 0)
        (void)close(g->fd);
    inflater_free(g->inflater);
    free(g->block);
    free(g->unwritten);
    free(g);
}
