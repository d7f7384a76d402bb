#include "command.h"

#include <string.h>

/* Does an argument hold a secret, as a connection string with a password does? */
static bool holds_secret(const char *arg)
{
    const char *authority = strstr(arg, "://");
    const char *at = authority ? strchr(authority, '@') : NULL;
    const char *colon = at ? memchr(authority + 3, ':', (size_t)(at - authority - 3)) : NULL;

    /* In a URI the name of a parameter may be percent-encoded, too. */
    return colon || (authority && strchr(arg, '%')) || strcasestr(arg, "password");
}

void command_put_word(struct buf *b, const char *arg)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=,.:/@%";
    /* What a terminal would not show: written as bash and zsh read it. */
    static const char controls[] = "\x01\x02\x03\x04\x05\x06\a\b\t\n\v\f\r\x0e\x0f\x10\x11\x12"
                                   "\x13\x14\x15\x16\x17\x18\x19\x1a\x1b\x1c\x1d\x1e\x1f\x7f";
    const char *control;
    const char *c;

    if (*arg && strspn(arg, plain) == strlen(arg)) {
        buf_adds(b, arg);
        return;
    }
    control = strpbrk(arg, controls);
    buf_adds(b, control ? "$'" : "'");
    for (c = arg; *c; c++) {
        if (control && (*c == '\\' || *c == '\'' || strchr(controls, *c)))
            buf_addf(b, "\\x%02x", (unsigned)(unsigned char)*c);
        else if (*c == '\'')
            buf_adds(b, "'\\''");
        else
            buf_addc(b, *c);
    }
    buf_addc(b, '\'');
}

void command_put_argument(struct buf *b, const char *arg)
{
    command_put_word(b, holds_secret(arg) ? "..." : arg);
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
