#include "archives.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Takes name and error over, also when it fails. */
static int list_add(struct archive_list *l, char *name, char *error, struct err *e)
{
    if (l->n == l->cap) {
        size_t cap = l->cap ? l->cap * 2 : 64;
        struct archive_name *more = realloc(l->archive, cap * sizeof *more);

        if (!more) {
            free(name);
            free(error);
            return err_oom(e);
        }
        l->archive = more;
        l->cap = cap;
    }
    l->archive[l->n++] = (struct archive_name){name, error};
    return 0;
}

static int list_add_name(struct archive_list *l, const char *name, struct err *e)
{
    char *copy = strdup(name);

    return copy ? list_add(l, copy, NULL, e) : err_oom(e);
}

/* A directory that could not be read, or not to its end. Where it is the process
 * or the machine that has run out of something, nothing can be. */
static int list_add_failed(struct archive_list *l, const char *dir, int number, struct err *e)
{
    char *name, *error = NULL;

    if (number == EMFILE || number == ENFILE || number == ENOMEM)
        return err_set(e, EXIT_FAILED, "could not read directory \"%s\": %s", dir,
                       strerror(number));
    name = strdup(dir);

    if (!name ||
        asprintf(&error, "could not read directory \"%s\": %s", dir, strerror(number)) < 0) {
        free(name);
        return err_oom(e);
    }
    return list_add(l, name, error, e);
}

/* dir without its trailing slashes, a slash, and name; NULL without memory. */
static char *join(const char *dir, const char *name)
{
    size_t n = strlen(dir), name_n = strlen(name);
    char *path;

    while (n > 0 && dir[n - 1] == '/')
        n--;
    path = malloc(n + name_n + 2);
    if (!path)
        return NULL;
    memcpy(path, dir, n);
    path[n] = '/';
    memcpy(path + n + 1, name, name_n + 1);
    return path;
}

/* DT_REG, DT_DIR or something else that does not matter. */
static unsigned char entry_type(DIR *d, const struct dirent *entry)
{
    struct stat st;

    if (entry->d_type != DT_UNKNOWN)
        return entry->d_type;
    if (fstatat(dirfd(d), entry->d_name, &st, AT_SYMLINK_NOFOLLOW) != 0)
        return DT_UNKNOWN; /* gone again */
    return S_ISREG(st.st_mode) ? DT_REG : S_ISDIR(st.st_mode) ? DT_DIR : DT_UNKNOWN;
}

static bool is_dots(const char *name)
{
    return name[0] == '.' && (name[1] == '\0' || (name[1] == '.' && name[2] == '\0'));
}

/* Files go to l, directories to `left`. */
static int read_entries(struct archive_list *l, struct archive_list *left, DIR *d, const char *dir,
                        struct err *e)
{
    const struct dirent *entry;

    for (errno = 0; (entry = readdir(d)); errno = 0) {
        unsigned char type = is_dots(entry->d_name) ? DT_UNKNOWN : entry_type(d, entry);
        char *path;

        if (type != DT_REG && type != DT_DIR)
            continue;
        path = join(dir, entry->d_name);
        if (!path)
            return err_oom(e);
        if (list_add(type == DT_REG ? l : left, path, NULL, e) < 0)
            return -1;
    }
    return errno == 0 ? 0 : list_add_failed(l, dir, errno, e);
}

static int read_directory(struct archive_list *l, struct archive_list *left, const char *dir,
                          bool follow, struct err *e)
{
    int flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC | (follow ? 0 : O_NOFOLLOW);
    int fd = open(dir, flags);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);
    int result;

    if (!d) {
        result = list_add_failed(l, dir, errno, e);
        if (fd >= 0)
            (void)close(fd);
        return result;
    }
    result = read_entries(l, left, d, dir, e);
    (void)closedir(d);
    return result;
}

/* Directories wait in a list of their own instead of on the stack. */
static int expand_directory(struct archive_list *l, const char *arg, struct err *e)
{
    struct archive_list left = ARCHIVE_LIST_INIT;
    int result = read_directory(l, &left, arg, true, e);

    while (result == 0 && left.n > 0) {
        char *dir = left.archive[--left.n].name;

        result = read_directory(l, &left, dir, false, e);
        free(dir);
    }
    archives_release(&left);
    return result;
}

static int compare(const void *left, const void *right)
{
    const struct archive_name *a = left, *b = right;
    int c = strcmp(a->name, b->name);

    return c ? c : (a->error == NULL) - (b->error == NULL); /* an error is the one to keep */
}

static void sort_and_unite(struct archive_list *l)
{
    size_t kept = 0;

    if (l->n == 0)
        return;
    qsort(l->archive, l->n, sizeof *l->archive, compare);
    for (size_t i = 1; i < l->n; i++) {
        if (strcmp(l->archive[kept].name, l->archive[i].name) != 0) {
            l->archive[++kept] = l->archive[i];
        } else {
            free(l->archive[i].name);
            free(l->archive[i].error);
        }
    }
    l->n = kept + 1;
}

int archives_expand(struct archive_list *l, char *const *args, size_t n, struct err *e)
{
    int result = 0;

    for (size_t i = 0; i < n && result == 0; i++) {
        struct stat st;

        if (strcmp(args[i], "-") != 0 && stat(args[i], &st) == 0 && S_ISDIR(st.st_mode))
            result = expand_directory(l, args[i], e);
        else
            result = list_add_name(l, args[i], e);
    }
    sort_and_unite(l);
    return result;
}

void archives_release(struct archive_list *l)
{
    for (size_t i = 0; i < l->n; i++) {
        free(l->archive[i].name);
        free(l->archive[i].error);
    }
    free(l->archive);
    *l = (struct archive_list)ARCHIVE_LIST_INIT;
}
