#include "mask.h"

#include "jsonbytes.h"

#include <stdint.h>

#define KEY "apikey"
#define KEY_SIZE (sizeof KEY - 1)
#define MASK "***"

/* What follows a key. */
enum follows {
    A_STRING,     /* from `from` to `to` */
    A_NULL,       /* which is no secret */
    A_CUT_STRING, /* a string that the end of the bytes cut */
    THE_END,      /* the bytes end before the value begins */
    SOMETHING     /* anything else */
};

struct value {
    enum follows what;
    size_t from, to; /* the string's bytes, without its quotes */
    unsigned open;   /* quotes missing where the end cut it, as in struct masked */
};

/* Is that the beginning of a key, n letters of it? Not strncasecmp, which
 * knows other letters in other locales. */
static bool spells_key(const char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if ((p[i] | 0x20) != KEY[i])
            return false;
    return true;
}

/* Backslashes from i on. */
static size_t backslashes(struct slice s, size_t i)
{
    size_t n = 0;

    while (i + n < s.n && s.p[i + n] == '\\')
        n++;
    return n;
}

static bool is_blank_letter(char c)
{
    return c == 'n' || c == 'r' || c == 't';
}

/* White space of JSON from i on; within a string it may be escaped itself. */
static size_t skip_space(struct slice s, size_t i, bool quoted)
{
    while (i < s.n) {
        size_t run = backslashes(s, i);

        if (run == 0 && !json_is_space((unsigned char)s.p[i]))
            break;
        if (run > 0 && i + run < s.n && !(quoted && is_blank_letter(s.p[i + run])))
            break;
        if (run > 0 && i + run == s.n)
            return s.n; /* cut: nothing can be told of it */
        i += run + 1;
    }
    return i;
}

/* JSON within a string of JSON: each level doubles backslashes and puts one
 * before a quote, so a quote that opens or closes a string at depth d follows
 * 2^d - 1 of them. Of a quote behind `run` backslashes, met within a string
 * that was opened behind `opening`: */
enum quote { QUOTE_CONTENT, QUOTE_CLOSES, QUOTE_CLOSES_OUTER };

static enum quote judge_quote(size_t run, size_t opening)
{
    /* Level by level, as parsers would take the escapes away. */
    for (; opening > 0; opening /= 2, run /= 2)
        if (run % 2 == 0)
            return QUOTE_CLOSES_OUTER;
    return run % 2 == 0 ? QUOTE_CLOSES : QUOTE_CONTENT;
}

/* May that follow a value? */
static bool ends_value(struct slice s, size_t i, bool quoted)
{
    i = skip_space(s, i, quoted);
    return i >= s.n || s.p[i] == ',' || s.p[i] == '}' || s.p[i] == ']';
}

/* The string that begins at `from`. */
static struct value read_string(struct slice s, size_t from, size_t opening)
{
    struct value v = {A_CUT_STRING, from, s.n, 1};
    size_t i = from;

    while (i < s.n) {
        size_t run = backslashes(s, i);
        enum quote q;

        i += run;
        if (i >= s.n)
            break;
        if (s.p[i++] != '"')
            continue;
        q = judge_quote(run, opening);
        if (q == QUOTE_CONTENT)
            continue;
        v.to = i - 1 - opening;
        v.what = q == QUOTE_CLOSES && ends_value(s, i, opening > 0) ? A_STRING : SOMETHING;
        v.open = 0;
        break;
    }
    return v;
}

/* What follows the key whose letters end at i. */
static struct value read_value(struct slice s, size_t i)
{
    struct value v = {SOMETHING, i, i, 0};
    size_t opening = backslashes(s, i);
    bool quoted = opening > 0;

    i += opening;
    if (i >= s.n)
        return (struct value){THE_END, i, i, 3};
    if (s.p[i] != '"' || (opening & (opening + 1)) != 0)
        return v;
    i = skip_space(s, i + 1, quoted);
    if (i < s.n && s.p[i] != ':')
        return v;
    i = skip_space(s, i + 1, quoted);
    if (i >= s.n || i + backslashes(s, i) == s.n)
        return (struct value){THE_END, i, i, 2};
    if (s.n - i >= 4 && memcmp(s.p + i, "null", 4) == 0 && ends_value(s, i + 4, quoted)) {
        v.what = A_NULL;
        return v;
    }
    if (backslashes(s, i) != opening || s.p[i + opening] != '"')
        return v;
    return read_string(s, i + opening + 1, opening);
}

/* Could the \u escape at i, behind its backslash, be part of a key, a quote or
 * an escape? At any depth: what is text at one is an escape at the next. */
static bool escape_may_spell(struct slice s, size_t i)
{
    unsigned code = 0;

    if (s.n - i < 5)
        return false;
    for (size_t k = 1; k <= 4; k++) {
        int digit = json_hex_digit((unsigned char)s.p[i + k]);

        if (digit < 0)
            return false;
        code = code << 4 | (unsigned)digit;
    }
    return (code >= '0' && code <= '9') || (code >= 'A' && code <= 'Z') ||
           (code >= 'a' && code <= 'z') || code == '"' || code == '\\';
}

/* Bytes that make every reading uncertain: NULs, as UTF-16 has them, and
 * escapes that could spell a key. */
static bool is_opaque(struct slice s)
{
    if (memchr(s.p, '\0', s.n))
        return true;
    for (size_t i = 0; i + 1 < s.n; i++)
        if (s.p[i] == '\\' && s.p[i + 1] == 'u' && escape_may_spell(s, i + 1))
            return true;
    return false;
}

/* Do the bytes end in the beginning of a key, with a quote or nothing before it? */
static bool ends_in_key(struct slice s)
{
    while (s.n > 0 && json_is_space((unsigned char)s.p[s.n - 1]))
        s.n--;
    for (size_t n = 1; n < KEY_SIZE && n <= s.n; n++)
        if ((n == s.n || s.p[s.n - n - 1] == '"') && spells_key(s.p + s.n - n, n))
            return true;
    return false;
}

/* Behind the next key from i on; 0 where there is none. */
static size_t find_key(struct slice s, size_t i)
{
    for (; s.n - i >= KEY_SIZE; i++)
        if (spells_key(s.p + i, KEY_SIZE))
            return i + KEY_SIZE;
    return 0;
}

struct masked mask_api_keys(struct slice s, struct buf *out)
{
    /* What is opaque may have cut a value too. */
    struct masked m = {true, 0};
    size_t done = 0, at = 0;

    if (s.n == 0)
        return m;
    if (is_opaque(s))
        return (struct masked){false, 2};
    while ((at = find_key(s, at)) > 0) {
        struct value v = read_value(s, at);

        m.open = v.open;
        if (v.what == SOMETHING)
            m.certain = false;
        if (v.what != A_STRING && v.what != A_CUT_STRING)
            continue;
        buf_add(out, s.p + done, v.from - done);
        buf_adds(out, MASK);
        done = at = v.to;
    }
    buf_add(out, s.p + done, s.n - done);
    if (!m.certain && m.open == 0)
        m.open = 2;
    if (m.open == 0 && ends_in_key(s))
        m.open = 3;
    return m;
}

unsigned mask_quotes(struct slice s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++) {
        size_t run = backslashes(s, i);

        i += run;
        if (i < s.n && s.p[i] == '"' && run % 2 == 0)
            n++;
    }
    return n;
}
