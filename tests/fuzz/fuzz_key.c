/* A key is the one line of its file, a byte order mark aside, or it is refused without
 * a word of it.
 *
 * Input: the file. */
#include "fuzz.h"

#include "api_key.h"

#include <stdlib.h>

/* Nothing but these words is said. */
static void check_refused(const struct err *e, const char *path)
{
    static const char *const reasons[] = {"it is empty", "it is too long",
                                          "it has more than one line",
                                          "it holds a control character"};
    bool known = false;

    for (size_t i = 0; i < COUNT_OF(reasons); i++) {
        struct err want = ERR_INIT;

        (void)err_set(&want, EXIT_USAGE, "could not use the API key in the file \"%s\": %s", path,
                      reasons[i]);
        known |= e->status == want.status && strcmp(e->text, want.text) == 0;
    }
    if (!known)
        fuzz_found("%s", e->text);
}

/* As an environment would give it. */
static void check_environment(const char key[API_KEY_SIZE])
{
    char again[API_KEY_SIZE];
    struct err e = ERR_INIT;
    bool exposed;

    FUZZ_EXPECT(setenv("EVOLUTION_API_KEY", key, 1) == 0);
    FUZZ_EXPECT(api_key_read(NULL, again, &exposed, &e) == 0 && strcmp(key, again) == 0);
    FUZZ_EXPECT(!exposed);
    FUZZ_EXPECT(unsetenv("EVOLUTION_API_KEY") == 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    char key[API_KEY_SIZE];
    struct err e = ERR_INIT;
    const char *path = fuzz_file(0, data, n);
    size_t length;
    bool exposed;

    if (api_key_read(path, key, &exposed, &e) < 0) {
        check_refused(&e, path);
        return 0;
    }
    if (n >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0) {
        data += 3;
        n -= 3;
    }
    length = strlen(key);
    FUZZ_EXPECT(length > 0 && length <= n && n - length <= 2);
    FUZZ_EXPECT(memcmp(key, data, length) == 0);
    for (size_t i = 0; i < length; i++)
        FUZZ_EXPECT((unsigned char)key[i] >= 0x20 && key[i] != 0x7f);
    FUZZ_EXPECT(n == length || data[n - 1] == '\n' || data[n - 1] == '\r');
    check_environment(key);
    return 0;
}
