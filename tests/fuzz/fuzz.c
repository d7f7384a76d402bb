#include "fuzz.h"

#include "utf8.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int caught = -1, real = -1; /* what is caught goes to the one in the place of the other */

void fuzz_found(const char *fmt, ...)
{
    va_list ap;

    if (real >= 0)
        (void)dup2(real, STDERR_FILENO);
    (void)fputs("fuzz: ", stderr);
    va_start(ap, fmt);
    (void)vfprintf(stderr, fmt, ap);
    va_end(ap);
    (void)fputc('\n', stderr);
    abort();
}

/* ---- files ---- */

static void empty_file(int *fd)
{
    if (*fd < 0) {
        *fd = memfd_create("fuzz", MFD_CLOEXEC);
        FUZZ_EXPECT(*fd >= 0 && fchmod(*fd, 0600) == 0);
    }
    FUZZ_EXPECT(ftruncate(*fd, 0) == 0 && lseek(*fd, 0, SEEK_SET) == 0);
}

const char *fuzz_file(unsigned which, const void *p, size_t n)
{
    static int fd[FUZZ_FILES] = {-1, -1};
    static char name[FUZZ_FILES][32];

    empty_file(&fd[which]);
    FUZZ_EXPECT(n == 0 || write(fd[which], p, n) == (ssize_t)n);
    (void)snprintf(name[which], sizeof name[which], "/proc/self/fd/%d", fd[which]);
    return name[which];
}

int fuzz_pipe(const void *p, size_t n, char name[32])
{
    int end[2];

    FUZZ_EXPECT(n <= FUZZ_PIPE_MAX && pipe2(end, O_CLOEXEC) == 0);
    FUZZ_EXPECT(n == 0 || write(end[1], p, n) == (ssize_t)n);
    (void)close(end[1]);
    (void)snprintf(name, 32, "/proc/self/fd/%d", end[0]);
    return end[0];
}

void fuzz_catch_begin(int fd)
{
    empty_file(&caught);
    real = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    FUZZ_EXPECT(real >= 0 && dup2(caught, fd) == fd);
}

void fuzz_catch_end(int fd, struct buf *out)
{
    off_t n;

    FUZZ_EXPECT(dup2(real, fd) == fd);
    (void)close(real);
    real = -1;
    n = lseek(caught, 0, SEEK_END);
    FUZZ_EXPECT(n >= 0 && buf_reserve(out, (size_t)n));
    FUZZ_EXPECT(pread(caught, out->data + out->len, (size_t)n, 0) == n);
    out->len += (size_t)n;
    out->data[out->len] = '\0';
}

/* ---- parts and texts ---- */

bool fuzz_part(struct slice *rest, char separator, struct slice *part)
{
    const char *end;

    if (!rest->p)
        return false;
    *part = *rest;
    end = rest->n > 0 ? memchr(rest->p, separator, rest->n) : NULL;
    if (!end) {
        *rest = SLICE_NONE;
        return true;
    }
    part->n = (size_t)(end - rest->p);
    rest->p = end + 1;
    rest->n -= part->n + 1;
    return true;
}

bool fuzz_is_safe(struct slice s, const char *also)
{
    while (s.n > 0) {
        uint32_t c = 0;
        size_t n = utf8_sequence(s.p, s.n, &c);

        if (n == 0 || (utf8_is_unsafe(c) && (c == 0 || c > 0x7f || !strchr(also, (int)c))))
            return false;
        s.p += n;
        s.n -= n;
    }
    return true;
}
