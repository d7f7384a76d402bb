/*
 * A library to preload: it counts the calls that a program makes of what may fail, and fails one.
 *
 *   TORTURE_LOG     file the account goes to (needed, else nothing is done)
 *   TORTURE_FAIL    number of the call to fail, from 1; 0 or none: none
 *   TORTURE_TRACE   1: every call is in the account
 *   TORTURE_SHORT   1: every other read and write is interrupted, the others do half
 *
 * A call counts where it returns into the program; that of an allocation also where it returns into
 * jansson or zlib, which allocate for the program. What other libraries do among themselves is
 * their own. A message to stderr that cannot be written has nobody to tell, so these do not count.
 *
 * The account, a line each:
 *   call N NAME SITE                      traced
 *   failed N NAME SITE SITE...            who called it, and who called those
 *   left NAME SITE                        what was not given back when the program ended
 *   calls N                               the last line: the program ended by itself
 * A SITE is MODULE+OFFSET.
 *
 * What is failed fails as the real one would: close() closes, and a statement breaks the
 * connection. No header of libcurl or libpq is read: theirs are macros, types and attributes.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define CALLER __builtin_return_address(0)
#define MODULES 8
#define FRAMES 12

/* ---- who calls ---------------------------------------------------------------- */

struct module {
    uintptr_t base, from, to;
    const char *name;
};

static struct module modules[MODULES]; /* the first is the program */
static int module_count;

static int note_module(struct dl_phdr_info *info, size_t size, void *arg)
{
    const char *name = strrchr(info->dlpi_name, '/');

    (void)size;
    (void)arg;
    name = name ? name + 1 : info->dlpi_name;
    if (module_count > 0 && strncmp(name, "libjansson.", 11) != 0 &&
        strncmp(name, "libz.", 5) != 0)
        return 0;
    for (int i = 0; i < info->dlpi_phnum && module_count < MODULES; i++) {
        const ElfW(Phdr) *p = &info->dlpi_phdr[i];

        if (p->p_type == PT_LOAD && (p->p_flags & PF_X))
            modules[module_count++] = (struct module){
                info->dlpi_addr, info->dlpi_addr + p->p_vaddr,
                info->dlpi_addr + p->p_vaddr + p->p_memsz, *name ? name : "program"};
    }
    return 0;
}

static const struct module *module_of(const void *address)
{
    for (int i = 0; i < module_count; i++)
        if ((uintptr_t)address >= modules[i].from && (uintptr_t)address < modules[i].to)
            return &modules[i];
    return NULL;
}

/* ---- the account --------------------------------------------------------------- */

static int account = -1;
static bool trace, halve;
static unsigned long target, calls, halved;
static __thread int inside; /* what we do ourselves does not count */

static ssize_t (*real_write)(int, const void *, size_t);

__attribute__((format(printf, 1, 2))) static void tell(const char *fmt, ...)
{
    char line[1024];
    va_list ap;

    va_start(ap, fmt);
    int n = vsnprintf(line, sizeof line, fmt, ap);
    va_end(ap);
    if (n > 0 && real_write(account, line, (size_t)n) != n)
        abort();
}

static void site_name(char *to, size_t size, const void *site)
{
    const struct module *m = module_of(site);

    if (m)
        (void)snprintf(to, size, " %s+0x%lx", m->name, (unsigned long)((uintptr_t)site - m->base));
    else
        *to = '\0';
}

static void tell_failed(unsigned long number, const char *name)
{
    void *frames[FRAMES];
    int n = backtrace(frames, FRAMES);
    char line[800] = "";
    size_t used = 0;

    for (int i = 0; i < n; i++) {
        site_name(line + used, sizeof line - used, frames[i]);
        used += strlen(line + used);
    }
    tell("failed %lu %s%s\n", number, name, line);
}

/* Counts a call; whether it is the one to fail. */
static bool strikes(const void *caller, bool allocates, const char *name)
{
    const struct module *m;
    unsigned long number;
    char site[80];

    if (account < 0 || inside || !(m = module_of(caller)) || (!allocates && m != &modules[0]))
        return false;
    number = __atomic_add_fetch(&calls, 1, __ATOMIC_RELAXED);
    if (!trace && number != target)
        return false;
    inside++;
    if (trace) {
        site_name(site, sizeof site, caller);
        tell("call %lu %s%s\n", number, name, site);
    }
    if (number == target)
        tell_failed(number, name);
    inside--;
    return number == target;
}

/* ---- what has to be given back ------------------------------------------------------ */

struct held {
    struct held *next;
    uintptr_t what;
    const char *name; /* by which function; kinds that may be equal numbers differ in `kind` */
    const void *site;
    char kind;
};

#define BUCKETS 65536
#define POOL 4096

static struct held *buckets[BUCKETS], *spare;
static pthread_mutex_t holding = PTHREAD_MUTEX_INITIALIZER;

static struct held **find(char kind, uintptr_t what)
{
    struct held **h = &buckets[(what >> 4 ^ what >> 20 ^ what) % BUCKETS];

    while (*h && ((*h)->what != what || (*h)->kind != kind))
        h = &(*h)->next;
    return h;
}

static struct held *new_held(void)
{
    struct held *made = spare;

    if (!made) {
        made = mmap(NULL, POOL * sizeof *made, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
                    -1, 0);
        if (made == MAP_FAILED)
            abort();
        for (int i = 0; i < POOL - 1; i++)
            made[i].next = &made[i + 1];
    }
    spare = made->next;
    return made;
}

static void hold(char kind, uintptr_t what, const char *name, const void *site)
{
    const struct module *m = module_of(site);
    struct held **at;

    if (account < 0 || inside || !m)
        return;
    (void)pthread_mutex_lock(&holding);
    at = find(kind, what);
    if (!*at) {
        *at = new_held();
        (*at)->next = NULL;
    }
    **at = (struct held){(*at)->next, what, name, site, kind};
    (void)pthread_mutex_unlock(&holding);
}

static void give_back(char kind, uintptr_t what)
{
    struct held **at, *gone;

    if (account < 0)
        return;
    (void)pthread_mutex_lock(&holding);
    at = find(kind, what);
    gone = *at;
    if (gone) {
        *at = gone->next;
        gone->next = spare;
        spare = gone;
    }
    (void)pthread_mutex_unlock(&holding);
}

/* ---- the real ones -------------------------------------------------------------------- */

/* dlsym() itself may allocate before malloc is found. */
static char early[65536] __attribute__((aligned(16)));
static size_t early_used;

static bool is_early(const void *p)
{
    return (const char *)p >= early && (const char *)p < early + sizeof early;
}

static void *early_get(size_t n)
{
    char *p = early + early_used;

    n = (n + 15) & ~(size_t)15;
    if (n > sizeof early - early_used)
        abort();
    early_used += n;
    return p;
}

static void *look_up(const char *name)
{
    void *found;

    inside++;
    found = dlsym(RTLD_NEXT, name);
    inside--;
    return found;
}

#define REAL(name)                                                                                 \
    static __typeof__(&name) real;                                                                 \
    if (!real) {                                                                                   \
        void *found = look_up(#name);                                                              \
        memcpy(&real, &found, sizeof found);                                                       \
    }

/* ---- allocations ------------------------------------------------------------------------- */

static bool looking;

#define REAL_MALLOC(name, otherwise)                                                               \
    static __typeof__(&name) real;                                                                 \
    if (!real) {                                                                                   \
        if (looking)                                                                               \
            return otherwise;                                                                      \
        looking = true;                                                                            \
        void *found = look_up(#name);                                                              \
        memcpy(&real, &found, sizeof found);                                                       \
        looking = false;                                                                           \
    }

static void *held_memory(void *p, const char *name, const void *site)
{
    if (p)
        hold('m', (uintptr_t)p, name, site);
    return p;
}

static void *no_memory(void)
{
    errno = ENOMEM;
    return NULL;
}

void *malloc(size_t n)
{
    REAL_MALLOC(malloc, early_get(n))
    return strikes(CALLER, true, "malloc") ? no_memory() : held_memory(real(n), "malloc", CALLER);
}

void *calloc(size_t n, size_t size)
{
    REAL_MALLOC(calloc, early_get(n *size))
    return strikes(CALLER, true, "calloc") ? no_memory()
                                           : held_memory(real(n, size), "calloc", CALLER);
}

void *realloc(void *p, size_t n)
{
    REAL_MALLOC(realloc, NULL)
    if (strikes(CALLER, true, "realloc"))
        return no_memory();
    if (is_early(p))
        return memcpy(malloc(n), p, n);

    void *got = real(p, n);
    if (got) {
        if (p)
            give_back('m', (uintptr_t)p);
        (void)held_memory(got, "realloc", CALLER);
    }
    return got;
}

/* Another thread may have what is freed at once, so it is given back before. */
void free(void *p)
{
    REAL_MALLOC(free, (void)0)
    if (!p || is_early(p))
        return;
    give_back('m', (uintptr_t)p);
    real(p);
}

void *aligned_alloc(size_t alignment, size_t n)
{
    REAL(aligned_alloc)
    return strikes(CALLER, true, "aligned_alloc")
               ? no_memory()
               : held_memory(real(alignment, n), "aligned_alloc", CALLER);
}

char *strdup(const char *s)
{
    REAL(strdup)
    return strikes(CALLER, true, "strdup") ? no_memory() : held_memory(real(s), "strdup", CALLER);
}

char *strndup(const char *s, size_t n)
{
    REAL(strndup)
    return strikes(CALLER, true, "strndup") ? no_memory()
                                            : held_memory(real(s, n), "strndup", CALLER);
}

static int print_new(char **to, const char *fmt, va_list ap, const char *name, const void *site)
{
    REAL(vasprintf)
    int n;

    if (strikes(site, true, name)) {
        *to = NULL; /* glibc leaves it, POSIX does not say */
        errno = ENOMEM;
        return -1;
    }
    n = real(to, fmt, ap);
    if (n >= 0)
        (void)held_memory(*to, name, site);
    return n;
}

int vasprintf(char **to, const char *fmt, va_list ap)
{
    return print_new(to, fmt, ap, "vasprintf", CALLER);
}

int asprintf(char **to, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    int n = print_new(to, fmt, ap, "asprintf", CALLER);
    va_end(ap);
    return n;
}

/* What a fortified program calls in their place. */
int __vasprintf_chk(char **to, int flag, const char *fmt, va_list ap);
int __vasprintf_chk(char **to, int flag, const char *fmt, va_list ap)
{
    (void)flag;
    return print_new(to, fmt, ap, "vasprintf", CALLER);
}

int __asprintf_chk(char **to, int flag, const char *fmt, ...);
int __asprintf_chk(char **to, int flag, const char *fmt, ...)
{
    va_list ap;

    (void)flag;
    va_start(ap, fmt);
    int n = print_new(to, fmt, ap, "asprintf", CALLER);
    va_end(ap);
    return n;
}

/* ---- files ---------------------------------------------------------------------------------- */

static int fail(int reason)
{
    errno = reason;
    return -1;
}

static int held_fd(int fd, const char *name, const void *site)
{
    if (fd >= 0)
        hold('f', (uintptr_t)fd, name, site);
    return fd;
}

#define MODE_OF(flags, last)                                                                       \
    mode_t mode = 0;                                                                               \
    if ((flags) & (O_CREAT | __O_TMPFILE)) {                                                       \
        va_list ap;                                                                                \
        va_start(ap, last);                                                                        \
        mode = va_arg(ap, mode_t);                                                                 \
        va_end(ap);                                                                                \
    }

int open(const char *path, int flags, ...)
{
    REAL(open)
    MODE_OF(flags, flags)
    return strikes(CALLER, false, "open") ? fail(EMFILE)
                                          : held_fd(real(path, flags, mode), "open", CALLER);
}

int __open_2(const char *path, int flags);
int __open_2(const char *path, int flags)
{
    REAL(open)
    return strikes(CALLER, false, "open") ? fail(EMFILE)
                                          : held_fd(real(path, flags), "open", CALLER);
}

int openat(int dir, const char *path, int flags, ...)
{
    REAL(openat)
    MODE_OF(flags, flags)
    return strikes(CALLER, false, "openat")
               ? fail(EMFILE)
               : held_fd(real(dir, path, flags, mode), "openat", CALLER);
}

int mkostemp(char *template, int flags)
{
    REAL(mkostemp)
    return strikes(CALLER, false, "mkostemp") ? fail(EMFILE)
                                              : held_fd(real(template, flags), "mkostemp", CALLER);
}

int fcntl(int fd, int command, ...)
{
    REAL(fcntl)
    va_list ap;

    va_start(ap, command);
    void *arg = va_arg(ap, void *);
    va_end(ap);
    if (strikes(CALLER, false, "fcntl"))
        return fail(EMFILE);
    int got = real(fd, command, arg);
    return command == F_DUPFD_CLOEXEC ? held_fd(got, "fcntl", CALLER) : got;
}

/* Linux closes even where it reports an error. */
int close(int fd)
{
    REAL(close)
    bool failing = strikes(CALLER, false, "close");

    give_back('f', (uintptr_t)fd);
    int done = real(fd);
    return failing ? fail(EIO) : done;
}

/* Whether a call of so many bytes is to be interrupted; else it may get fewer of them. */
static bool interrupts(const void *caller, size_t *n)
{
    if (!halve || inside || module_of(caller) != &modules[0] || module_count == 0)
        return false;
    if (__atomic_add_fetch(&halved, 1, __ATOMIC_RELAXED) % 2)
        return true;
    *n = (*n + 1) / 2;
    return false;
}

ssize_t read(int fd, void *to, size_t n)
{
    REAL(read)
    if (interrupts(CALLER, &n))
        return fail(EINTR);
    return strikes(CALLER, false, "read") ? fail(EIO) : real(fd, to, n);
}

ssize_t pread(int fd, void *to, size_t n, off_t at)
{
    REAL(pread)
    if (interrupts(CALLER, &n))
        return fail(EINTR);
    return strikes(CALLER, false, "pread") ? fail(EIO) : real(fd, to, n, at);
}

ssize_t write(int fd, const void *from, size_t n)
{
    REAL(write)
    if (interrupts(CALLER, &n))
        return fail(EINTR);
    return fd != STDERR_FILENO && strikes(CALLER, false, "write") ? fail(ENOSPC)
                                                                  : real(fd, from, n);
}

ssize_t pwrite(int fd, const void *from, size_t n, off_t at)
{
    REAL(pwrite)
    if (interrupts(CALLER, &n))
        return fail(EINTR);
    return strikes(CALLER, false, "pwrite") ? fail(ENOSPC) : real(fd, from, n, at);
}

#define FAILS(type, name, params, args, reason)                                                    \
    type name params;                                                                              \
    type name params                                                                               \
    {                                                                                              \
        REAL(name)                                                                                 \
        if (strikes(CALLER, false, #name))                                                         \
            return (type)fail(reason);                                                             \
        return real args;                                                                          \
    }

FAILS(int, fsync, (int fd), (fd), EIO)
FAILS(int, ftruncate, (int fd, off_t n), (fd, n), EIO)
FAILS(off_t, lseek, (int fd, off_t to, int from), (fd, to, from), EIO)
FAILS(int, fchmod, (int fd, mode_t mode), (fd, mode), EPERM)
FAILS(int, mkdir, (const char *path, mode_t mode), (path, mode), ENOSPC)
FAILS(int, unlink, (const char *path), (path), EIO)
FAILS(int, unlinkat, (int dir, const char *path, int flags), (dir, path, flags), EIO)
FAILS(int, renameat, (int a, const char *from, int b, const char *to), (a, from, b, to), EIO)
FAILS(int, stat, (const char *restrict path, struct stat *restrict st), (path, st), EIO)
FAILS(int, fstat, (int fd, struct stat *st), (fd, st), EIO)
FAILS(int, fstatat, (int dir, const char *restrict path, struct stat *restrict st, int flags),
      (dir, path, st, flags), EIO)
FAILS(ssize_t, readlink, (const char *restrict path, char *restrict to, size_t n), (path, to, n),
      EIO)
FAILS(int, access, (const char *path, int how), (path, how), EIO)
FAILS(int, faccessat, (int dir, const char *path, int how, int flags), (dir, path, how, flags), EIO)
FAILS(ssize_t, getrandom, (void *to, size_t n, unsigned flags), (to, n, flags), ENOSYS)
FAILS(int, setenv, (const char *name, const char *value, int over), (name, value, over), ENOMEM)

FILE *fopen(const char *restrict path, const char *restrict how)
{
    REAL(fopen)
    if (strikes(CALLER, false, "fopen"))
        return fail(EMFILE), NULL;
    FILE *f = real(path, how);
    if (f)
        hold('F', (uintptr_t)f, "fopen", CALLER);
    return f;
}

int fclose(FILE *f)
{
    REAL(fclose)
    bool failing = strikes(CALLER, false, "fclose");

    give_back('F', (uintptr_t)f);
    int done = real(f);
    return failing ? fail(EIO) : done;
}

size_t fread(void *restrict to, size_t size, size_t n, FILE *restrict f)
{
    REAL(fread)
    if (!strikes(CALLER, false, "fread"))
        return real(to, size, n, f);
    f->_flags |= 0x20; /* what glibc calls _IO_ERR_SEEN: ferror() says so */
    errno = EIO;
    return 0;
}

DIR *fdopendir(int fd)
{
    REAL(fdopendir)
    if (strikes(CALLER, false, "fdopendir"))
        return fail(ENOMEM), NULL;
    DIR *d = real(fd);
    if (d) {
        give_back('f', (uintptr_t)fd);
        hold('D', (uintptr_t)d, "fdopendir", CALLER);
    }
    return d;
}

struct dirent *readdir(DIR *d)
{
    REAL(readdir)
    return strikes(CALLER, false, "readdir") ? (fail(EIO), NULL) : real(d);
}

int closedir(DIR *d)
{
    REAL(closedir)
    give_back('D', (uintptr_t)d);
    return real(d);
}

int pthread_create(pthread_t *restrict id, const pthread_attr_t *restrict attributes,
                   void *(*run)(void *), void *restrict arg)
{
    REAL(pthread_create)
    return strikes(CALLER, false, "pthread_create") ? EAGAIN : real(id, attributes, run, arg);
}

int pthread_mutex_init(pthread_mutex_t *m, const pthread_mutexattr_t *attributes)
{
    REAL(pthread_mutex_init)
    return strikes(CALLER, false, "pthread_mutex_init") ? ENOMEM : real(m, attributes);
}

int pthread_cond_init(pthread_cond_t *restrict c, const pthread_condattr_t *restrict attributes)
{
    REAL(pthread_cond_init)
    return strikes(CALLER, false, "pthread_cond_init") ? ENOMEM : real(c, attributes);
}

/* ---- libpq ----------------------------------------------------------------------- */

typedef void *any;

/* Fails by the given value, with nothing else done: out of memory. */
#define GIVES(type, name, params, args, value)                                                     \
    type name params;                                                                              \
    type name params                                                                               \
    {                                                                                              \
        REAL(name)                                                                                 \
        return strikes(CALLER, false, #name) ? (type)(value) : real args;                          \
    }

/* The same, and what it gives has to be given back. */
#define GIVES_HELD(kind, name, params, args)                                                       \
    any name params;                                                                               \
    any name params                                                                                \
    {                                                                                              \
        REAL(name)                                                                                 \
        if (strikes(CALLER, false, #name))                                                         \
            return NULL;                                                                           \
        any got = real args;                                                                       \
        if (got)                                                                                   \
            hold(kind, (uintptr_t)got, #name, CALLER);                                             \
        return got;                                                                                \
    }

#define TAKES(kind, name)                                                                          \
    void name(any p);                                                                              \
    void name(any p)                                                                               \
    {                                                                                              \
        REAL(name)                                                                                 \
        give_back(kind, (uintptr_t)p);                                                             \
        real(p);                                                                                   \
    }

int PQsocket(any conn);
int PQsocket(any conn)
{
    REAL(PQsocket)
    return real(conn);
}

static void break_connection(any conn)
{
    (void)shutdown(PQsocket(conn), SHUT_RDWR);
}

/* The connection breaks, and the real one notices or does not. */
#define BREAKS(type, name, params, args)                                                           \
    type name params;                                                                              \
    type name params                                                                               \
    {                                                                                              \
        REAL(name)                                                                                 \
        if (strikes(CALLER, false, #name))                                                         \
            break_connection(conn);                                                                \
        return real args;                                                                          \
    }

GIVES_HELD('c', PQconnectdbParams, (any keys, any values, int expand), (keys, values, expand))
GIVES_HELD('c', PQconnectStartParams, (any keys, any values, int expand), (keys, values, expand))
TAKES('c', PQfinish)
GIVES_HELD('i', PQconninfo, (any conn), (conn))
GIVES_HELD('i', PQconninfoParse, (any text, any error), (text, error))
TAKES('i', PQconninfoFree)
GIVES_HELD('k', PQgetCancel, (any conn), (conn))
TAKES('k', PQfreeCancel)
GIVES(int, PQcancel, (any cancel, char *why, int n), (cancel, why, n),
      (n > 0 ? (void)(*why = '\0') : (void)0, 0))
GIVES(int, PQconnectPoll, (any conn), (conn), 0 /* PGRES_POLLING_FAILED */)
GIVES(int, PQsetnonblocking, (any conn, int to), (conn, to), -1)
GIVES(int, PQsetSingleRowMode, (any conn), (conn), 0)
GIVES(int, PQsendQuery, (any conn, any text), (conn, text), 0)
GIVES(int, PQsendQueryParams,
      (any conn, any text, int n, any types, any values, any lengths, any formats, int format),
      (conn, text, n, types, values, lengths, formats, format), 0)
GIVES(int, PQputCopyData, (any conn, any data, int n), (conn, data, n), -1)
GIVES(int, PQputCopyEnd, (any conn, any error), (conn, error), -1)
BREAKS(int, PQflush, (any conn), (conn))
BREAKS(int, PQconsumeInput, (any conn), (conn))
BREAKS(int, PQgetCopyData, (any conn, any to, int async), (conn, to, async))
TAKES('r', PQclear)

any PQgetResult(any conn);
any PQgetResult(any conn)
{
    REAL(PQgetResult)
    if (strikes(CALLER, false, "PQgetResult"))
        break_connection(conn);
    any got = real(conn);
    if (got)
        hold('r', (uintptr_t)got, "PQgetResult", CALLER);
    return got;
}

/* ---- libcurl --------------------------------------------------------------------- */

#define NO_MEMORY 27      /* CURLE_OUT_OF_MEMORY */
#define MULTI_NO_MEMORY 3 /* CURLM_OUT_OF_MEMORY */
#define URL_NO_MEMORY 7   /* CURLUE_OUT_OF_MEMORY */

GIVES(int, curl_global_init, (long flags), (flags), NO_MEMORY)
GIVES_HELD('e', curl_easy_init, (void), ())
TAKES('e', curl_easy_cleanup)
GIVES_HELD('M', curl_multi_init, (void), ())
GIVES_HELD('u', curl_url, (void), ())
TAKES('u', curl_url_cleanup)
GIVES(int, curl_multi_add_handle, (any multi, any easy), (multi, easy), MULTI_NO_MEMORY)
GIVES(int, curl_multi_perform, (any multi, int *running), (multi, running), MULTI_NO_MEMORY)
GIVES(int, curl_multi_poll, (any multi, any more, unsigned n, int ms, int *ready),
      (multi, more, n, ms, ready), MULTI_NO_MEMORY)
GIVES(any, curl_slist_append, (any list, const char *text), (list, text), NULL)
GIVES(int, curl_url_set, (any url, int part, any text, unsigned flags), (url, part, text, flags),
      URL_NO_MEMORY)
GIVES(int, curl_url_get, (any url, int part, any text, unsigned flags), (url, part, text, flags),
      URL_NO_MEMORY)

int curl_multi_cleanup(any multi);
int curl_multi_cleanup(any multi)
{
    REAL(curl_multi_cleanup)
    give_back('M', (uintptr_t)multi);
    return real(multi);
}

/* Every option's value is a long, a pointer or 64 bits: one word. */
#define ONE_WORD(name, value)                                                                      \
    int name(any handle, int option, ...);                                                         \
    int name(any handle, int option, ...)                                                          \
    {                                                                                              \
        REAL(name)                                                                                 \
        va_list ap;                                                                                \
        va_start(ap, option);                                                                      \
        any word = va_arg(ap, any);                                                                \
        va_end(ap);                                                                                \
        return strikes(CALLER, false, #name) ? (value) : real(handle, option, word);               \
    }

ONE_WORD(curl_easy_setopt, NO_MEMORY)
ONE_WORD(curl_multi_setopt, MULTI_NO_MEMORY)
ONE_WORD(curl_easy_getinfo, NO_MEMORY)

/* ---- begin and end --------------------------------------------------------------- */

static const char *setting(const char *name)
{
    const char *value = getenv(name);

    return value ? value : "";
}

__attribute__((constructor)) static void begin(void)
{
    const char *path = setting("TORTURE_LOG");
    void *found = look_up("write"), *frames[1];

    if (!*path)
        return;
    memcpy(&real_write, &found, sizeof found);
    inside++;
    (void)dl_iterate_phdr(note_module, NULL);
    (void)backtrace(frames, 1); /* loads what it needs */
    trace = *setting("TORTURE_TRACE") == '1';
    halve = *setting("TORTURE_SHORT") == '1';
    target = strtoul(setting("TORTURE_FAIL"), NULL, 10);
    account = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0600);
    account = fcntl(account, F_DUPFD_CLOEXEC, 100);
    inside--;
    if (account < 0)
        abort();
}

__attribute__((destructor)) static void end(void)
{
    if (account < 0)
        return;
    inside++;
    for (size_t i = 0; i < BUCKETS; i++)
        for (const struct held *h = buckets[i]; h; h = h->next) {
            char site[80];

            site_name(site, sizeof site, h->site);
            tell("left %s%s\n", h->name, site);
        }
    tell("calls %lu\n", calls);
}
