#include "command.h"

#include "utf8.h"

#include <stdlib.h>
#include <string.h>

/* --- passwords --- */

static bool is_password(const char *name, size_t n)
{
    return (n == 8 && memcmp(name, "password", n) == 0) ||
           (n == 11 && memcmp(name, "sslpassword", n) == 0);
}

static size_t skip_space(const char *s, size_t i)
{
    while (s[i] == ' ' || (s[i] >= '\t' && s[i] <= '\r'))
        i++;
    return i;
}

/* The end of a value of a conninfo that begins at i: 'quoted', or up to white space;
 * \ takes the next byte for itself. -1: the quote has no end. */
static int value_end(const char *s, size_t i, size_t *end)
{
    bool quoted = s[i] == '\'';

    for (i += quoted; s[i]; i++) {
        if (quoted ? s[i] == '\'' : skip_space(s, i) > i)
            break;
        if (s[i] == '\\' && s[i + 1])
            i++;
    }
    if (quoted && !s[i])
        return -1;
    *end = i + quoted;
    return 0;
}

/* Appends libpq's "name = value ..." without passwords; false, with something
 * appended or not: it is none. */
static bool put_conninfo(struct buf *b, const char *s)
{
    size_t i = 0, name_n, end;
    bool first = true;

    while (s[i]) {
        size_t from = i, name = skip_space(s, i);

        if (!s[name])
            break;
        name_n = strcspn(s + name, "= \t\n\v\f\r");
        i = skip_space(s, name + name_n);
        if (s[i] != '=' || value_end(s, skip_space(s, i + 1), &end) < 0)
            return false;
        i = end;
        if (is_password(s + name, name_n))
            continue;
        from = first ? name : from;
        buf_add(b, s + from, i - from);
        first = false;
    }
    return true;
}

/* Is it a name that, percent-decoded, is that of a password? */
static bool names_password(const char *s, size_t n)
{
    char name[16];
    size_t i, k = 0;

    for (i = 0; i < n && k < sizeof name; i++) {
        char hex[3] = {0}, *end;

        name[k++] = s[i];
        if (s[i] != '%' || n - i < 3)
            continue;
        memcpy(hex, s + i + 1, 2);
        name[k - 1] = (char)strtoul(hex, &end, 16);
        if (end != hex + 2)
            return false;
        i += 2;
    }
    return i == n && is_password(name, k);
}

/* Do the n bytes at s end in a word? */
static bool ends_in(const char *s, size_t n, const char *word)
{
    size_t word_n = strlen(word);

    return n >= word_n && memcmp(s + n - word_n, word, word_n) == 0;
}

/* Appends a URI without passwords. Of one that is not libpq's all before the @ goes:
 * elsewhere a name alone may be a secret. colon: that of its "://". */
static void put_uri(struct buf *b, const char *s, const char *colon)
{
    const char *authority = colon + 3, *at, *name_end, *query;
    size_t scheme_n = (size_t)(colon - s), n = strcspn(authority, "/?#");
    bool libpq = ends_in(s, scheme_n, "postgresql") || ends_in(s, scheme_n, "postgres");
    char mark = '?';

    buf_add(b, s, scheme_n + 3);
    at = memrchr(authority, '@', n);
    if (at && libpq) {
        name_end = memchr(authority, ':', (size_t)(at - authority));
        buf_add(b, authority, (size_t)((name_end ? name_end : at) - authority));
    }
    if (at)
        authority = libpq ? at : at + 1;
    n = strcspn(authority, "?");
    buf_add(b, authority, n);
    for (query = authority + n; *query; query += n) {
        query++; /* ? or & */
        n = strcspn(query, "&");
        if (names_password(query, strcspn(query, "=&")))
            continue;
        buf_addc(b, mark);
        buf_add(b, query, n);
        mark = '&';
    }
}

/* Where the value begins in an argument: "--name=value", "-dvalue", "value". */
static size_t value_at(const char *arg)
{
    size_t n;

    if (arg[0] != '-')
        return 0;
    if (arg[1] == '-') {
        n = strcspn(arg, "=");
        return arg[n] ? n + 1 : 0;
    }
    n = 1 + strspn(arg + 1, "nqv");
    return arg[n] == 'd' ? n + 1 : 0;
}

/* The "://" of a text that begins as a URI does; NULL: it does not. */
static const char *uri_colon(const char *s)
{
    size_t n = strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-.");

    return n > 0 && strncmp(s + n, "://", 3) == 0 ? s + n : NULL;
}

/* Is a password set anywhere in it, in whatever way? */
static bool sets_password(const char *s)
{
    while ((s = strstr(s, "password"))) {
        s += strlen("password");
        if (s[skip_space(s, 0)] == '=')
            return true;
    }
    return false;
}

/* --- words --- */

/* Bytes of the character at p that a report shows as it is; 0: it would escape it, after
 * which no shell could read the name back. */
static size_t shown_bytes(const char *p, size_t n)
{
    uint32_t point = 0;
    size_t length = utf8_sequence(p, n, &point);

    return length > 0 && !utf8_is_unsafe(point) ? length : 0;
}

static bool is_shown(const char *p, size_t n)
{
    size_t length = 1;

    while (n > 0 && (length = shown_bytes(p, n)) > 0) {
        p += length;
        n -= length;
    }
    return length > 0;
}

/* What a report would not show is written as bash and zsh read it. */
void command_put_word(struct buf *b, const char *arg)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-+=,.:/@%";
    size_t rest = strlen(arg);
    bool shown = is_shown(arg, rest);

    if (*arg && strspn(arg, plain) == rest) {
        buf_adds(b, arg);
        return;
    }
    buf_adds(b, shown ? "'" : "$'");
    while (rest > 0) {
        size_t n = shown_bytes(arg, rest);

        if (!shown && (n == 0 || *arg == '\\' || *arg == '\''))
            buf_addf(b, "\\x%02x", (unsigned)(unsigned char)*arg);
        else if (*arg == '\'')
            buf_adds(b, "'\\''");
        else
            buf_add(b, arg, n);
        n = n > 0 ? n : 1;
        arg += n;
        rest -= n;
    }
    buf_addc(b, '\'');
}

void command_put_argument(struct buf *b, const char *arg)
{
    size_t at = value_at(arg);
    const char *value = arg + at, *colon = uri_colon(value);
    struct buf open = BUF_INIT;

    buf_add(&open, arg, at);
    if (colon) {
        put_uri(&open, value, colon);
        command_put_word(b, buf_str(&open));
    } else if (!sets_password(value)) {
        command_put_word(b, arg);
    } else if (put_conninfo(&open, value)) {
        command_put_word(b, buf_str(&open));
        if (open.len == at && at > 0 && arg[1] != '-')
            buf_adds(b, " ''"); /* or the next word would be its value */
    } else {
        command_put_word(b, "...");
    }
    b->failed |= open.failed;
    buf_release(&open);
}

bool command_hides(const char *arg)
{
    struct buf whole = BUF_INIT, shown = BUF_INIT;
    bool hides;

    command_put_word(&whole, arg);
    command_put_argument(&shown, arg);
    hides = whole.failed || shown.failed || strcmp(buf_str(&whole), buf_str(&shown)) != 0;
    buf_release(&whole);
    buf_release(&shown);
    return hides;
}

void command_put_option(struct buf *b, const char *name, const char *value)
{
    buf_addf(b, " %s ", name);
    command_put_argument(b, value);
}

void command_put_acting(struct buf *b, const char *program, const char *verb, const char *config,
                        const char *dbname, bool fix_total, const char *file)
{
    const char *slash = strrchr(program, '/');
    struct buf path = BUF_INIT;

    if (slash)
        buf_add(&path, program, (size_t)(slash - program) + 1);
    buf_adds(&path, "reconcile");
    command_put_word(b, buf_str(&path));
    b->failed = b->failed || path.failed;
    buf_release(&path);
    buf_addf(b, " %s", verb);
    if (config)
        command_put_option(b, "--config", config);
    if (dbname)
        command_put_option(b, "-d", dbname);
    if (fix_total)
        buf_adds(b, " --fix-total");
    buf_addc(b, ' ');
    if (*file == '-')
        buf_adds(b, "./"); /* not an option */
    command_put_word(b, file);
}

/* Flags of one letter and what follows them, but for -n. */
static void put_short(struct buf *b, const char *arg, size_t flags)
{
    struct buf kept = BUF_INIT;

    buf_addc(&kept, '-');
    for (size_t i = 1; i <= flags; i++) {
        if (arg[i] != 'n')
            buf_addc(&kept, arg[i]);
    }
    buf_adds(&kept, arg + 1 + flags);
    if (kept.len > 1) {
        buf_addc(b, ' ');
        command_put_argument(b, buf_str(&kept));
    }
    b->failed |= kept.failed;
    buf_release(&kept);
}

void command_put_applying(struct buf *b, int argc, char *const *argv, const struct opt_word *word,
                          int words)
{
    for (int i = 0; i < argc; i++) {
        bool is_long = i > 0 && word[i].kind == OPT_WORD_LONG;

        if (is_long && (strcmp(argv[i], "--dry-run") == 0 || strcmp(argv[i], "--apply") == 0))
            continue;
        if (i > 0 && word[i].kind == OPT_WORD_SHORT) {
            put_short(b, argv[i], word[i].flags);
            continue;
        }
        if (i > 0)
            buf_addc(b, ' ');
        command_put_argument(b, argv[i]);
        if (i == words - 1)
            buf_adds(b, " --apply");
    }
}
