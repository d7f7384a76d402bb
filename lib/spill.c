#include "spill.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIECE ((size_t)256 << 10) /* bytes of the file that a run takes at a time */

struct spill_run {
    struct spill *spill;
    struct spill_run *next;
    char *buffer; /* PIECE bytes while it is written, else NULL */
    size_t used;
    off_t *piece; /* where in the file its pieces are */
    size_t pieces, cap;
    uint64_t bytes; /* of the run */
    uint64_t at;    /* being read */
};

struct spill {
    const char *dir;
    pthread_mutex_t lock; /* of fd and runs */
    int fd;               /* -1: not there yet */
    struct spill_run *runs;
    atomic_ullong end; /* of the file, whole pieces */
};

struct spill *spill_new(const char *dir)
{
    struct spill *s = calloc(1, sizeof *s);

    if (!s)
        return NULL;
    s->dir = dir;
    s->fd = -1;
    (void)pthread_mutex_init(&s->lock, NULL); /* of the default kind it cannot fail */
    return s;
}

void spill_free(struct spill *s)
{
    if (!s)
        return;
    while (s->runs) {
        struct spill_run *next = s->runs->next;

        free(s->runs->buffer);
        free(s->runs->piece);
        free(s->runs);
        s->runs = next;
    }
    if (s->fd >= 0)
        (void)close(s->fd);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

uint64_t spill_bytes(const struct spill *s)
{
    return atomic_load(&s->end);
}

static int failed(const struct spill *s, const char *what, int number, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not %s a temporary file in \"%s\": %s", what, s->dir,
                   strerror(number));
}

/* Not every file system knows files without a name: there it loses it at once. */
static int open_file(const struct spill *s)
{
    int fd = open(s->dir, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
    size_t n = strlen(s->dir) + sizeof "/reconcile-XXXXXX";
    char *name;

    if (fd >= 0 || (errno != EOPNOTSUPP && errno != EISDIR && errno != EINVAL))
        return fd;
    name = malloc(n);
    if (!name)
        return -1;
    (void)snprintf(name, n, "%s/reconcile-XXXXXX", s->dir);
    fd = mkostemp(name, O_CLOEXEC);
    if (fd >= 0)
        (void)unlink(name);
    free(name);
    return fd;
}

struct spill_run *spill_begin(struct spill *s, struct err *e)
{
    struct spill_run *r = calloc(1, sizeof *r);
    int number = 0;

    if (r)
        r->buffer = malloc(PIECE);
    if (!r || !r->buffer) {
        free(r);
        (void)err_oom(e);
        return NULL;
    }
    r->spill = s;
    (void)pthread_mutex_lock(&s->lock);
    if (s->fd < 0) {
        s->fd = open_file(s);
        number = s->fd < 0 ? errno : 0;
    }
    if (s->fd >= 0) {
        r->next = s->runs;
        s->runs = r;
    }
    (void)pthread_mutex_unlock(&s->lock);
    if (number == 0)
        return r;
    free(r->buffer);
    free(r);
    (void)failed(s, "create", number, e);
    return NULL;
}

static int put_piece(struct spill_run *r, struct err *e)
{
    struct spill *s = r->spill;
    size_t done = 0;
    off_t at;

    if (r->pieces == r->cap) {
        size_t cap = r->cap ? r->cap * 2 : 16;
        off_t *p = realloc(r->piece, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        r->piece = p;
        r->cap = cap;
    }
    at = (off_t)atomic_fetch_add(&s->end, PIECE);
    r->piece[r->pieces++] = at;
    while (done < r->used) {
        ssize_t n = pwrite(s->fd, r->buffer + done, r->used - done, at + (off_t)done);

        if (n > 0)
            done += (size_t)n;
        else if (n == 0 || errno != EINTR)
            return failed(s, "write to", n == 0 ? ENOSPC : errno, e);
    }
    r->used = 0;
    return 0;
}

int spill_write(struct spill_run *r, const void *p, size_t n, struct err *e)
{
    const char *from = p;

    r->bytes += n;
    while (n > 0) {
        size_t room = PIECE - r->used;
        size_t take = n < room ? n : room;

        memcpy(r->buffer + r->used, from, take);
        r->used += take;
        from += take;
        n -= take;
        if (r->used == PIECE && put_piece(r, e) < 0)
            return -1;
    }
    return 0;
}

int spill_end(struct spill_run *r, struct err *e)
{
    if (r->used > 0 && put_piece(r, e) < 0)
        return -1;
    free(r->buffer);
    r->buffer = NULL;
    return 0;
}

void spill_rewind(struct spill_run *r)
{
    r->at = 0;
}

ssize_t spill_read(struct spill_run *r, void *p, size_t n, struct err *e)
{
    char *to = p;
    size_t done = 0;

    if (n > r->bytes - r->at)
        n = (size_t)(r->bytes - r->at);
    while (done < n) {
        size_t within = (size_t)(r->at % PIECE);
        size_t take = PIECE - within < n - done ? PIECE - within : n - done;
        ssize_t got = pread(r->spill->fd, to + done, take, r->piece[r->at / PIECE] + (off_t)within);

        if (got > 0) {
            done += (size_t)got;
            r->at += (uint64_t)got;
        } else if (got == 0 || errno != EINTR) {
            return failed(r->spill, "read from", got == 0 ? EIO : errno, e);
        }
    }
    return (ssize_t)done;
}
