#include "outfile.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include <zlib.h>

#define OUT_SIZE 65536   /* bytes held back before write(2) */
#define LINKS_MAX 40     /* symbolic links followed, as the kernel does */
#define TICK_MS 100      /* how often a wait looks whether the run is to end, ... */
#define GRACE_TICKS 30   /* ... and how many of them a reader gets then */
#define TRIES 100        /* random names tried */
#define STEM_MAX 200     /* bytes of the name that its temporary name repeats */
#define GZIP_WINDOW 15   /* zlib: the largest window ... */
#define GZIP_WRAPPER 16  /* ... and the gzip format, whose header has no time unless one is set */
#define DEFLATE_MEMORY 8 /* zlib's default */

struct outfile {
    char *path;     /* as given, for messages */
    char *resolved; /* where the last symbolic link leads */
    char *name;     /* of the file in its directory; NULL: written as it is */
    char *temporary;
    int dir; /* -1: none */
    bool dir_syncs;
    int fd;
    bool waits; /* no regular file: what reads from it may take its time */
    const volatile sig_atomic_t *interrupted; /* NULL: nothing interrupts */
    int failed;                               /* errno of what went wrong first */
    bool gzip, deflating;
    z_stream z;
    size_t used; /* bytes in out */
    unsigned char out[OUT_SIZE];
};

static int say_failed(const struct outfile *f, int reason, struct err *e)
{
    if (strcmp(f->path, "-") == 0)
        return err_set(e, EXIT_FAILED, "could not write to standard output: %s", strerror(reason));
    return err_set(e, EXIT_FAILED, "could not write \"%s\": %s", f->path, strerror(reason));
}

static void outfile_free(struct outfile *f)
{
    if (f->deflating)
        (void)deflateEnd(&f->z);
    if (f->fd >= 0)
        (void)close(f->fd);
    if (f->temporary)
        (void)unlinkat(f->dir, f->temporary, 0);
    if (f->dir >= 0)
        (void)close(f->dir);
    free(f->temporary);
    free(f->name);
    free(f->resolved);
    free(f->path);
    free(f);
}

/* ---- opening: each returns 0 or an errno ---------------------------------- */

/* What stdout or stderr is open on is written through them: a file would
 * otherwise be replaced under the shell that redirected to it, and a socket
 * cannot be opened by its name in /dev. */
static int find_stream(const struct stat *st)
{
    struct stat other;

    for (int fd = STDOUT_FILENO; fd <= STDERR_FILENO; fd++)
        if (fstat(fd, &other) == 0 && other.st_dev == st->st_dev && other.st_ino == st->st_ino)
            return fd;
    return -1;
}

static int open_stream(struct outfile *f, int fd)
{
    (void)fflush(NULL); /* what stdio holds back was said before */
    f->fd = fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    return f->fd < 0 ? errno : 0;
}

/* Bytes of the directory part of a path, its last slash included. */
static size_t dir_length(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? (size_t)(slash - path) + 1 : 0;
}

/* Follows the links of the last component, also to a file that is not there
 * yet, so that a link survives the rename. *path is allocated, and replaced. */
static int follow(char **path)
{
    char target[PATH_MAX];

    for (int i = 0; i <= LINKS_MAX; i++) {
        ssize_t n = readlink(*path, target, sizeof target - 1);
        char *next;

        if (n < 0)
            return errno == EINVAL || errno == ENOENT ? 0 : errno;
        target[n] = '\0';
        if (asprintf(&next, "%.*s%s", target[0] == '/' ? 0 : (int)dir_length(*path), *path,
                     target) < 0)
            return ENOMEM;
        free(*path);
        *path = next;
    }
    return ELOOP;
}

static int open_dir(struct outfile *f)
{
    size_t n = dir_length(f->resolved);
    char *dir = n > 0 ? strndup(f->resolved, n) : strdup(".");

    if (!dir)
        return ENOMEM;
    f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    f->dir_syncs = f->dir >= 0;
    if (f->dir < 0 && errno == EACCES) /* one that may be written but not listed */
        f->dir = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
    free(dir);
    return f->dir < 0 ? errno : 0;
}

static int make_temporary(struct outfile *f, mode_t mode)
{
    for (int i = 0; i < TRIES; i++) {
        uint32_t random;
        char *name;

        if (getrandom(&random, sizeof random, 0) != (ssize_t)sizeof random)
            return errno;
        if (asprintf(&name, ".%.*s.%08x", STEM_MAX, f->name, (unsigned)random) < 0)
            return ENOMEM;
        /* The mode given here is masked by the kernel; reading the mask first
         * would change it for a moment in every thread. */
        f->fd = openat(f->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
        if (f->fd >= 0) {
            f->temporary = name;
            return 0;
        }
        free(name);
        if (errno != EEXIST)
            return errno;
    }
    return EEXIST;
}

static int open_regular(struct outfile *f, mode_t mode)
{
    const char *name;
    int reason = follow(&f->resolved);

    if (reason)
        return reason;
    name = f->resolved + dir_length(f->resolved);
    if (*name == '\0')
        return *f->resolved ? EISDIR : ENOENT;
    f->name = strdup(name);
    if (!f->name)
        return ENOMEM;
    reason = open_dir(f);
    return reason ? reason : make_temporary(f, mode);
}

static int open_path(struct outfile *f, mode_t mode)
{
    struct stat st;
    int stream;

    if (strcmp(f->path, "-") == 0)
        return open_stream(f, STDOUT_FILENO);
    if (stat(f->path, &st) != 0)
        return errno == ENOENT ? open_regular(f, mode) : errno;
    if (S_ISDIR(st.st_mode))
        return EISDIR;
    stream = find_stream(&st);
    if (stream >= 0)
        return open_stream(f, stream);
    if (S_ISREG(st.st_mode))
        return open_regular(f, mode);
    /* A pipe waits here for its reader: a signal ends that. */
    f->fd = open(f->path, O_WRONLY | O_NOCTTY | O_CLOEXEC);
    return f->fd < 0 ? errno : 0;
}

int outfile_open(struct outfile **file, const char *path, mode_t mode, bool gzip, struct err *e)
{
    struct outfile *f = calloc(1, sizeof *f);
    struct stat st;
    int reason;

    *file = NULL;
    if (!f)
        return err_oom(e);
    f->fd = f->dir = -1;
    f->path = strdup(path);
    f->resolved = strdup(path);
    f->gzip = gzip;
    if (!f->path || !f->resolved ||
        (gzip && deflateInit2(&f->z, Z_DEFAULT_COMPRESSION, Z_DEFLATED, GZIP_WINDOW + GZIP_WRAPPER,
                              DEFLATE_MEMORY, Z_DEFAULT_STRATEGY) != Z_OK)) {
        outfile_free(f);
        return err_oom(e);
    }
    f->deflating = gzip;
    reason = open_path(f, mode);
    if (reason) {
        (void)say_failed(f, reason, e);
        outfile_free(f);
        return -1;
    }
    f->waits = fstat(f->fd, &st) != 0 || !S_ISREG(st.st_mode);
    *file = f;
    return 0;
}

/* ---- which file it is ------------------------------------------------------ */

/* A regular file, there or not yet. */
struct place {
    bool known;       /* false: a device, a pipe, a directory, or nothing that could be opened */
    struct stat at;   /* the file, or the directory that it would be made in */
    char *path;       /* of one that is not there */
    const char *name; /* what it would be called in that directory; "": it is there */
};

/* Where a file would be made; what cannot be found out is left for opening it to tell. */
static int find_new(struct place *p, const char *path)
{
    char *dir;
    size_t n;

    p->path = strdup(path);
    if (!p->path)
        return ENOMEM;
    if (follow(&p->path) == ENOMEM)
        return ENOMEM;
    n = dir_length(p->path);
    p->name = p->path + n;
    dir = n > 0 ? strndup(p->path, n) : strdup(".");
    if (!dir)
        return ENOMEM;
    p->known = *p->name && stat(dir, &p->at) == 0;
    free(dir);
    return 0;
}

/* Names in /dev stand for what the caller has opened, which he may want twice. */
static int find_place(struct place *p, const char *path)
{
    bool is_stdout = strcmp(path, "-") == 0;

    *p = (struct place){.name = ""};
    if (strncmp(path, "/dev/", 5) == 0)
        return 0;
    if ((is_stdout ? fstat(STDOUT_FILENO, &p->at) : stat(path, &p->at)) == 0)
        p->known = S_ISREG(p->at.st_mode);
    else if (!is_stdout && errno == ENOENT)
        return find_new(p, path);
    return 0;
}

int outfile_same(const char *one, const char *other, bool *same, struct err *e)
{
    struct place a, b = {.name = ""};
    int reason = find_place(&a, one);

    if (reason == 0)
        reason = find_place(&b, other);
    *same = a.known && b.known && a.at.st_dev == b.at.st_dev && a.at.st_ino == b.at.st_ino &&
            strcmp(a.name, b.name) == 0;
    free(a.path);
    free(b.path);
    return reason ? err_oom(e) : 0;
}

/* ---- writing: each returns 0 or an errno ---------------------------------- */

/* Until a pipe takes something. A signal whose flag was set just before a write
 * would not end it, so it is this that waits. False: nobody reads on, and the run
 * is to end. */
static bool wait_for_room(const struct outfile *f)
{
    struct pollfd ready = {.fd = f->fd, .events = POLLOUT};

    for (int ticks = 0; ticks < GRACE_TICKS;
         ticks += f->interrupted && __atomic_load_n(f->interrupted, __ATOMIC_RELAXED)) {
        if (poll(&ready, 1, TICK_MS) > 0)
            return true;
    }
    return false;
}

static int write_all(const struct outfile *f, const void *from, size_t n)
{
    /* More than this might wait in write(2) for a pipe that has room for less. */
    const size_t most = f->waits ? PIPE_BUF : SSIZE_MAX;
    const unsigned char *p = from;

    while (n > 0) {
        ssize_t done;

        if (f->waits && !wait_for_room(f))
            return EINTR;
        done = write(f->fd, p, n < most ? n : most);
        if (done < 0 && errno != EINTR && errno != EAGAIN) {
            return errno;
        } else if (done > 0) {
            p += done;
            n -= (size_t)done;
        }
    }
    return 0;
}

static int write_out(struct outfile *f)
{
    int reason = write_all(f, f->out, f->used);

    f->used = 0;
    return reason;
}

static int write_plain(struct outfile *f, const void *p, size_t n)
{
    int reason = 0;

    if (n > OUT_SIZE - f->used)
        reason = write_out(f);
    if (reason)
        return reason;
    if (n > OUT_SIZE)
        return write_all(f, p, n);
    memcpy(f->out + f->used, p, n);
    f->used += n;
    return 0;
}

/* Deflates what z.next_in has; with Z_FINISH also the end of the stream. */
static int deflate_some(struct outfile *f, int flush)
{
    int state, reason;

    do {
        if (f->used == OUT_SIZE && (reason = write_out(f)) != 0)
            return reason;
        f->z.next_out = f->out + f->used;
        f->z.avail_out = (uInt)(OUT_SIZE - f->used);
        state = deflate(&f->z, flush);
        f->used = OUT_SIZE - f->z.avail_out;
        if (state == Z_STREAM_ERROR)
            return EINVAL;
    } while (f->z.avail_out == 0 || (flush == Z_FINISH && state != Z_STREAM_END));
    return 0;
}

static int write_gzip(struct outfile *f, const void *from, size_t n)
{
    const unsigned char *p = from;
    int reason = 0;

    while (n > 0 && !reason) {
        size_t part = n < INT_MAX ? n : INT_MAX;

        f->z.next_in = (z_const Bytef *)(uintptr_t)p;
        f->z.avail_in = (uInt)part;
        reason = deflate_some(f, Z_NO_FLUSH);
        p += part;
        n -= part;
    }
    return reason;
}

int outfile_write(struct outfile *f, const void *p, size_t n, struct err *e)
{
    if (!f->failed && n > 0)
        f->failed = f->gzip ? write_gzip(f, p, n) : write_plain(f, p, n);
    return f->failed ? say_failed(f, f->failed, e) : 0;
}

void outfile_set_interrupt(struct outfile *f, const volatile sig_atomic_t *interrupted)
{
    f->interrupted = interrupted;
}

int outfile_set_mode(struct outfile *f, mode_t mode, struct err *e)
{
    if (f->temporary && fchmod(f->fd, mode) != 0)
        return say_failed(f, errno, e);
    return 0;
}

/* ---- the end ---------------------------------------------------------------- */

static int close_checked(struct outfile *f)
{
    int fd = f->fd;

    f->fd = -1;
    return close(fd) == 0 || errno == EINTR ? 0 : errno; /* interrupted, but closed */
}

/* Whole under its name from here on. A directory that cannot be synced is
 * reported: the file is there, but a power cut may take it away again. */
static int put_in_place(struct outfile *f)
{
    if (renameat(f->dir, f->temporary, f->dir, f->name) != 0)
        return errno;
    free(f->temporary);
    f->temporary = NULL;
    if (!f->dir_syncs || fsync(f->dir) == 0)
        return 0;
    return errno == EINVAL || errno == ENOTSUP ? 0 : errno; /* a file system that cannot */
}

static int finish(struct outfile *f)
{
    int reason = f->failed;

    if (!reason && f->gzip) {
        f->z.avail_in = 0;
        reason = deflate_some(f, Z_FINISH);
    }
    if (!reason)
        reason = write_out(f);
    if (!reason && f->temporary && fsync(f->fd) != 0)
        reason = errno;
    if (!reason)
        reason = close_checked(f);
    if (!reason && f->temporary)
        reason = put_in_place(f);
    return reason;
}

int outfile_commit(struct outfile *f, struct err *e)
{
    int reason = finish(f);

    if (reason)
        (void)say_failed(f, reason, e);
    outfile_free(f);
    return reason ? -1 : 0;
}

void outfile_abort(struct outfile *f)
{
    if (f)
        outfile_free(f);
}
