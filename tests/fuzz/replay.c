/* Runs a fuzz target over files, without libFuzzer: what was found once stays
 * found wherever there is a C compiler. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>

/* Exactly as long as the file, for a sanitizer to see what is read beyond. */
static uint8_t *read_file(const char *path, size_t *n)
{
    FILE *f = fopen(path, "rb");
    uint8_t *p = NULL;
    long size = -1;

    if (f && fseek(f, 0, SEEK_END) == 0)
        size = ftell(f);
    if (size >= 0)
        p = malloc(size > 0 ? (size_t)size : 1);
    if (p) {
        rewind(f);
        *n = fread(p, 1, (size_t)size, f);
    }
    if (!p || *n != (size_t)size) {
        (void)fprintf(stderr, "%s cannot be read\n", path);
        exit(1);
    }
    (void)fclose(f);
    return p;
}

int main(int argc, char **argv)
{
    /* An input is named before it is tried: it may be the last. */
    (void)setvbuf(stdout, NULL, _IONBF, 0);
    for (int i = 1; i < argc; i++) {
        size_t n = 0;
        uint8_t *p = read_file(argv[i], &n);

        (void)printf("%s\n", argv[i]);
        (void)LLVMFuzzerTestOneInput(p, n);
        free(p);
    }
    return 0;
}
