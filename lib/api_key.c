#include "api_key.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

/* A byte order mark, which some editors put before the first line. */
static const char bom[] = "\xef\xbb\xbf";
#define BOM_SIZE (sizeof bom - 1)

/* Bytes that were read, and room to see that there are too many: a key that fits may
 * be followed by the end of its line. */
#define READ_SIZE (BOM_SIZE + API_KEY_SIZE + 2)

/* What cannot be a key; NULL: it can. */
static const char *problem(const char *key, size_t n)
{
    size_t i;

    if (n == 0)
        return "it is empty";
    if (n >= API_KEY_SIZE)
        return "it is too long";
    for (i = 0; i < n; i++) {
        if (key[i] == '\n' || key[i] == '\r')
            return "it has more than one line";
        if ((unsigned char)key[i] < 0x20 || key[i] == 0x7f)
            return "it holds a control character";
    }
    return NULL;
}

static int take(const char *text, size_t n, const char *what, char key[API_KEY_SIZE], struct err *e)
{
    const char *why = problem(text, n);

    if (why)
        return err_set(e, EXIT_USAGE, "could not use the API key in %s: %s", what, why);
    memcpy(key, text, n);
    key[n] = '\0';
    return 0;
}

/* What is open is asked, and not its name. */
static bool everybody_reads(FILE *f)
{
    struct stat st;

    return fstat(fileno(f), &st) == 0 && S_ISREG(st.st_mode) && (st.st_mode & S_IROTH);
}

static int read_file(const char *path, char *text, size_t *n, bool *exposed, struct err *e)
{
    FILE *f = fopen(path, "re");
    bool failed;

    if (!f)
        return err_set(e, EXIT_USAGE, "could not open the key file \"%s\": %s", path,
                       strerror(errno));
    setvbuf(f, NULL, _IONBF, 0); /* no copy of the key in a buffer */
    *exposed = everybody_reads(f);
    errno = 0;
    *n = fread(text, 1, READ_SIZE, f);
    failed = ferror(f) != 0;
    if (failed)
        (void)err_set(e, EXIT_USAGE, "could not read the key file \"%s\": %s", path,
                      strerror(errno));
    (void)fclose(f);
    return failed ? -1 : 0;
}

int api_key_read(const char *path, char key[API_KEY_SIZE], bool *exposed, struct err *e)
{
    const char *env = getenv("EVOLUTION_API_KEY");
    char text[READ_SIZE], what[512];
    size_t n = 0, from = 0;
    int status;

    *exposed = false;
    if (!path && (!env || !*env))
        return err_set(e, EXIT_USAGE, "EVOLUTION_API_KEY or --api-key-file is needed");
    if (!path)
        return take(env, strlen(env), "EVOLUTION_API_KEY", key, e);
    status = read_file(path, text, &n, exposed, e);
    if (status == 0) {
        if (n >= BOM_SIZE && memcmp(text, bom, BOM_SIZE) == 0)
            from = BOM_SIZE;
        if (n > from && text[n - 1] == '\n')
            n--;
        if (n > from && text[n - 1] == '\r')
            n--;
        (void)snprintf(what, sizeof what, "the file \"%s\"", path);
        status = take(text + from, n - from, what, key, e);
    }
    explicit_bzero(text, sizeof text);
    return status;
}
