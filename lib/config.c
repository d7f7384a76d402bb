#include "config.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

/* A byte order mark, which some editors put before the first line. */
static const char bom[] = "\xef\xbb\xbf";
#define BOM_SIZE (sizeof bom - 1)

static int refuse(const char *path, const char *reason, struct err *e)
{
    return err_set(e, EXIT_USAGE, "could not use configuration file \"%s\": %s", path, reason);
}

int config_blame(const char *path, unsigned line, struct err *e)
{
    return err_prefix(e, "configuration file \"%s\", line %u", path, line);
}

/* ---- the file ------------------------------------------------------------- */

static bool is_null_device(const struct stat *st)
{
    return S_ISCHR(st->st_mode) && st->st_rdev == makedev(1, 3);
}

/* What is opened is asked, so nothing can be put in its place in between. */
static int check_file(int fd, const char *path, bool *exposed, struct err *e)
{
    struct stat st;

    if (fstat(fd, &st) != 0)
        return refuse(path, strerror(errno), e);
    *exposed = S_ISREG(st.st_mode) && (st.st_mode & S_IROTH);
    if (is_null_device(&st))
        return 0;
    if (!S_ISREG(st.st_mode))
        return refuse(path, "it is no regular file", e);
    if (st.st_mode & S_IWOTH)
        return refuse(path, "every user may write to it", e);
    return 0;
}

/* The whole of it, and a NUL that is not counted. */
static int read_all(struct config *c, int fd, const char *path, struct err *e)
{
    c->text = malloc(CONFIG_MAX + 1);
    if (!c->text)
        return err_oom(e);
    while (c->size <= CONFIG_MAX) {
        ssize_t done = read(fd, c->text + c->size, CONFIG_MAX + 1 - c->size);

        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return refuse(path, strerror(errno), e);
        if (done == 0) {
            c->text[c->size] = '\0';
            return 0;
        }
        c->size += (size_t)done;
    }
    return refuse(path, "it is larger than 1 MiB", e);
}

/* ---- its lines: each returns NULL, or what is wrong ----------------------- */

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

static char *skip_blanks(char *p)
{
    while (is_blank(*p))
        p++;
    return p;
}

/* Cuts the blanks off before end; returns the new end. */
static char *trim(const char *begin, char *end)
{
    while (end > begin && is_blank(end[-1]))
        end--;
    *end = '\0';
    return end;
}

/* "…" with \" and \\ in it, in place; a comment may follow. */
static const char *unquote(char *p, const char **value)
{
    char *to = p;

    *value = p;
    for (p++; *p != '"'; p++) {
        if (*p == '\\') {
            p++;
            if (*p != '"' && *p != '\\')
                return "after \\ in quotes, only \" or \\ can come";
        }
        if (*p == '\0')
            return "a quote has no end";
        *to++ = *p;
    }
    p = skip_blanks(p + 1);
    if (*p != '\0' && *p != '#')
        return "something follows the closing quote";
    *to = '\0';
    return NULL;
}

/* Both readings of what is refused here, a part of the value or none, are what
 * somebody would expect. */
static const char *read_value(char *p, const char **value)
{
    p = skip_blanks(p);
    if (*p == '"')
        return unquote(p, value);
    *value = p;
    if (*p == '\'')
        return "a value that begins with ' has to be in double quotes";
    (void)trim(p, p + strlen(p));
    if (*p == '#' || strstr(p, " #") || strstr(p, "\t#"))
        return "a value with a # after a blank has to be in double quotes, and a comment on a "
               "line of its own";
    return NULL;
}

static bool is_name(const char *s)
{
    static const char letters[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

    return *s != '\0' && s[strspn(s, letters)] == '\0';
}

/* A line of n bytes, a NUL after it. x->name stays NULL where it says nothing. */
static const char *read_line(char *p, size_t n, struct config_entry *x)
{
    char *equals;

    x->name = x->value = NULL;
    if (n > CONFIG_LINE_MAX)
        return "it is longer than 8192 bytes";
    if (n > 0 && p[n - 1] == '\r')
        p[--n] = '\0';
    for (size_t i = 0; i < n; i++)
        if (((unsigned char)p[i] < 0x20 && p[i] != '\t') || p[i] == 0x7f)
            return p[i] == '\0' ? "it holds a NUL byte" : "it holds a control character";
    p = skip_blanks(p);
    if (*p == '\0' || *p == '#')
        return NULL;
    x->name = p;
    equals = strchr(p, '=');
    if (equals) {
        const char *wrong = read_value(equals + 1, &x->value);

        if (wrong)
            return wrong;
    }
    (void)trim(p, equals ? equals : p + strlen(p));
    return is_name(p) ? NULL : "\"name = value\", or a name alone, is needed";
}

static int read_lines(struct config *c, const char *path, struct err *e)
{
    char *p = c->text;
    char *const end = p + c->size;
    size_t cap = 0;
    int status = 0;

    if (c->size >= BOM_SIZE && memcmp(p, bom, BOM_SIZE) == 0)
        p += BOM_SIZE;
    for (unsigned line = 1; p < end; line++) {
        struct config_entry x = {.line = line};
        char *stop = memchr(p, '\n', (size_t)(end - p));
        const char *wrong;

        if (!stop)
            stop = end;
        *stop = '\0';
        wrong = read_line(p, (size_t)(stop - p), &x);
        if (wrong && status == 0) {
            (void)err_set(e, EXIT_USAGE, "%s", wrong);
            status = config_blame(path, line, e);
        }
        p = stop + 1;
        if (wrong || !x.name)
            continue;
        if (c->n == cap) {
            struct config_entry *grown = realloc(c->entry, (cap = 2 * cap + 16) * sizeof *grown);

            if (!grown)
                return err_oom(e);
            c->entry = grown;
        }
        c->entry[c->n++] = x;
    }
    return status;
}

/* ---- the interface -------------------------------------------------------- */

int config_read(struct config *c, const char *path, bool optional, struct err *e)
{
    /* A pipe is not waited for, and a terminal does not become ours. */
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK), status = -1;

    *c = (struct config)CONFIG_INIT;
    if (fd < 0 && optional && errno == ENOENT)
        return 0;
    if (fd < 0)
        return err_set(e, EXIT_USAGE, "could not open configuration file \"%s\": %s", path,
                       strerror(errno));
    if (check_file(fd, path, &c->exposed, e) == 0)
        status = read_all(c, fd, path, e);
    (void)close(fd);
    return status == 0 ? read_lines(c, path, e) : -1;
}

void config_release(struct config *c)
{
    if (c->text)
        explicit_bzero(c->text, c->size); /* a password may be there */
    free(c->text);
    free(c->entry);
    *c = (struct config)CONFIG_INIT;
}
