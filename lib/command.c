#include "command.h"

#include <string.h>

/* Does an argument hold a secret, as a connection string with a password does? */
static bool holds_secret(const char *arg)
{
    const char *authority = strstr(arg, "://");
    const char *at = authority ? strchr(authority, '@') : NULL;
    const char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;

    return colon || strcasestr(arg, "password");
}

void command_put_argument(struct buf *b, const char *arg)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=,.:/@%";
    const char *c;

    if (holds_secret(arg))
        arg = "...";
    if (*arg && strspn(arg, plain) == strlen(arg)) {
        buf_adds(b, arg);
        return;
    }
    buf_addc(b, '\'');
    for (c = arg; *c; c++) {
        if (*c == '\'')
            buf_adds(b, "'\\''");
        else
            buf_addc(b, *c);
    }
    buf_addc(b, '\'');
}

/* Is it -n, alone or among other flags of one letter? */
static bool is_dry_run(const char *arg)
{
    return strcmp(arg, "--dry-run") == 0 ||
           (arg[0] == '-' && strchr(arg, 'n') && strspn(arg + 1, "nqv") == strlen(arg + 1));
}

void command_put_applying(struct buf *b, int argc, char *const *argv, int words)
{
    int i;

    for (i = 0; i < argc; i++) {
        if (i > 0 && (is_dry_run(argv[i]) || strcmp(argv[i], "--apply") == 0))
            continue;
        if (i > 0)
            buf_addc(b, ' ');
        command_put_argument(b, argv[i]);
        if (i == words - 1)
            buf_adds(b, " --apply");
    }
}
