#include "actions.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define FLUSH_AT ((size_t)256 << 10) /* bytes of lines gathered before they are deflated */
#define OUT_SIZE ((size_t)64 << 10)
#define GZIP_WINDOW 15   /* zlib: the largest window ... */
#define GZIP_WRAPPER 16  /* ... in the gzip format */
#define DEFLATE_MEMORY 8 /* zlib's default */

struct actions_journal {
    char *path; /* for messages */
    char *name; /* in its directory */
    int dir, fd;
    const struct actions_origin *origin;
    const struct campaign_result *campaigns;
    size_t n_campaigns;
    uint64_t batch;   /* number of the last one */
    off_t before;     /* bytes before it; 0: there was nothing */
    off_t length;     /* bytes of whole members */
    off_t end;        /* bytes written */
    bool used;        /* a batch has been entered */
    bool unsynced;    /* a mark has been written since the last fsync */
    struct buf lines; /* of the member under way */
    z_stream z;
    unsigned char out[OUT_SIZE];
};

static int say(const struct actions_journal *j, int reason, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not write journal \"%s\": %s", j->path, strerror(reason));
}

/* ---- opening ---- */

static int open_dir(struct actions_journal *j)
{
    const char *slash = strrchr(j->path, '/');
    char *dir =
        slash ? strndup(j->path, slash == j->path ? 1 : (size_t)(slash - j->path)) : strdup(".");

    j->name = strdup(slash ? slash + 1 : j->path);
    if (!dir || !j->name) {
        free(dir);
        return ENOMEM;
    }
    j->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    return j->dir < 0 ? errno : 0;
}

/* What would keep the file from being made, hours later. */
static int foresee(const struct actions_journal *j)
{
    struct stat st;

    if (*j->name == '\0')
        return EISDIR;
    if (fstatat(j->dir, j->name, &st, AT_SYMLINK_NOFOLLOW) == 0)
        return EEXIST;
    if (errno != ENOENT)
        return errno;
    return faccessat(j->dir, ".", W_OK | X_OK, AT_EACCESS) == 0 ? 0 : errno;
}

int actions_journal_open(struct actions_journal **journal, const char *path,
                         const struct actions_origin *o, struct err *e)
{
    struct actions_journal *j = calloc(1, sizeof *j);
    int reason;

    *journal = NULL;
    if (!j)
        return err_oom(e);
    j->dir = j->fd = -1;
    j->origin = o;
    j->path = strdup(path);
    if (!j->path || deflateInit2(&j->z, Z_BEST_SPEED, Z_DEFLATED, GZIP_WINDOW + GZIP_WRAPPER,
                                 DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK) {
        free(j->path);
        free(j);
        return err_oom(e);
    }
    reason = open_dir(j);
    if (!reason)
        reason = foresee(j);
    if (reason) {
        (void)say(j, reason, e);
        (void)actions_journal_close(j, &(struct err)ERR_INIT);
        return -1;
    }
    *journal = j;
    return 0;
}

void actions_journal_scope(struct actions_journal *j, const struct campaign_result *campaigns,
                           size_t n)
{
    j->campaigns = campaigns;
    j->n_campaigns = n;
}

bool actions_journal_used(const struct actions_journal *j)
{
    return j->used;
}

const char *actions_journal_path(const struct actions_journal *j)
{
    return j->path;
}

/* ---- members: each returns 0 or an errno ---- */

static int write_out(struct actions_journal *j, size_t n)
{
    const unsigned char *p = j->out;

    while (n > 0) {
        ssize_t done = write(j->fd, p, n);

        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0) {
            p += done;
            n -= (size_t)done;
            j->end += done;
        }
    }
    return 0;
}

/* Deflates the lines gathered; with Z_FINISH that ends the member. */
static int deflate_lines(struct actions_journal *j, int flush)
{
    const char *p = j->lines.data;
    size_t left = j->lines.len;
    int reason = 0, state = Z_OK;

    do {
        size_t part = left < INT32_MAX ? left : INT32_MAX;

        j->z.next_in = (z_const Bytef *)(uintptr_t)p;
        j->z.avail_in = (uInt)part;
        p += part;
        left -= part;
        do {
            j->z.next_out = j->out;
            j->z.avail_out = OUT_SIZE;
            state = deflate(&j->z, left > 0 ? Z_NO_FLUSH : flush);
            reason = state == Z_STREAM_ERROR ? EINVAL : write_out(j, OUT_SIZE - j->z.avail_out);
        } while (!reason && j->z.avail_out == 0);
    } while (!reason && left > 0);
    buf_clear(&j->lines);
    return reason;
}

static int end_member(struct actions_journal *j)
{
    int reason = j->lines.failed ? ENOMEM : deflate_lines(j, Z_FINISH);

    if (!reason && deflateReset(&j->z) != Z_OK)
        reason = EINVAL;
    if (!reason)
        j->length = j->end;
    return reason;
}

static int create(struct actions_journal *j)
{
    j->fd = openat(j->dir, j->name, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_NOCTTY | O_CLOEXEC,
                   0600);
    if (j->fd < 0)
        return errno;
    j->length = j->end = 0;
    /* The name has to survive a power cut as well as the bytes do. */
    if (fsync(j->dir) != 0 && errno != EINVAL && errno != ENOTSUP)
        return errno;
    actions_put_header(&j->lines, ACTIONS_JOURNAL, j->origin, clock_now(), j->campaigns,
                       j->n_campaigns);
    return end_member(j);
}

/* Takes back what follows the whole members, and the file where no batch is in it. */
static void take_back(struct actions_journal *j)
{
    buf_clear(&j->lines);
    (void)deflateReset(&j->z);
    if (j->fd < 0)
        return;
    if (j->used) {
        if (ftruncate(j->fd, j->length) == 0 && lseek(j->fd, j->length, SEEK_SET) == j->length)
            j->end = j->length;
        return;
    }
    (void)close(j->fd);
    (void)unlinkat(j->dir, j->name, 0);
    j->fd = -1;
}

/* ---- a batch ---- */

static int put_batch(struct actions_journal *j, int64_t xid, const struct correction *const *c,
                     size_t n, struct err *e)
{
    int reason = 0;
    size_t i;

    buf_addf(&j->lines, "{\"batch\":%llu,\"xid\":%lld}\n", (unsigned long long)j->batch + 1,
             (long long)xid);
    for (i = 0; i < n && !reason; i++) {
        if (actions_put(&j->lines, j->origin, c[i], e) < 0)
            return -1;
        if (j->lines.len >= FLUSH_AT)
            reason = deflate_lines(j, Z_NO_FLUSH);
    }
    if (!reason)
        reason = end_member(j);
    if (!reason && fsync(j->fd) != 0)
        reason = errno;
    return reason ? say(j, reason, e) : 0;
}

int actions_journal_intent(void *ctx, int64_t xid, const struct correction *const *c, size_t n,
                           struct err *e)
{
    struct actions_journal *j = ctx;
    off_t before = j->used ? j->length : 0;
    int reason = j->fd < 0 ? create(j) : 0;

    if (reason)
        (void)say(j, reason, e);
    if (reason || put_batch(j, xid, c, n, e) < 0) {
        take_back(j);
        return -1;
    }
    j->batch++;
    j->before = before;
    j->used = true;
    j->unsynced = false;
    return 0;
}

/* Without the entry nobody has to ask the server about it, which forgets. */
void actions_journal_withdrawn(void *ctx)
{
    struct actions_journal *j = ctx;

    j->batch--;
    j->length = j->before;
    j->used = j->before > 0;
    take_back(j);
}

int actions_journal_committed(void *ctx, struct err *e)
{
    struct actions_journal *j = ctx;
    int reason;

    buf_addf(&j->lines, "{\"committed\":%llu}\n", (unsigned long long)j->batch);
    reason = end_member(j);
    if (reason) {
        take_back(j);
        return say(j, reason, e);
    }
    /* Not synced now: without its mark the server is asked about the batch. */
    j->unsynced = true;
    return 0;
}

int actions_journal_close(struct actions_journal *j, struct err *e)
{
    int status = 0;

    if (!j)
        return 0;
    if (j->fd >= 0 && j->unsynced && fsync(j->fd) != 0)
        status = say(j, errno, e);
    if (j->fd >= 0 && close(j->fd) != 0 && errno != EINTR && status == 0)
        status = say(j, errno, e);
    if (j->dir >= 0)
        (void)close(j->dir);
    (void)deflateEnd(&j->z);
    buf_release(&j->lines);
    free(j->name);
    free(j->path);
    free(j);
    return status;
}
