#include "jsonscan.h"

#include "jsonbytes.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

/* What may come next. The states of one token are together. */
enum state {
    S_START,      /* '{' or '[' */
    S_KEY_OR_END, /* after '{' */
    S_KEY,        /* after ',' in an object */
    S_COLON,
    S_VALUE,
    S_VALUE_OR_END, /* after '[' */
    S_AFTER,        /* after a value: ',' or the closing bracket */
    S_STRING,
    S_ESCAPE,
    S_HEX,
    S_PAIR_BACKSLASH, /* after a high surrogate */
    S_PAIR_U,
    S_UTF8,
    S_LITERAL,
    S_MINUS,
    S_ZERO,
    S_INT,
    S_POINT,
    S_FRACTION,
    S_E,
    S_E_SIGN,
    S_E_DIGITS,
    S_DONE
};

void jsonscan_init(struct jsonscan *j)
{
    memset(j->is_object, 0, sizeof j->is_object);
    j->at = 0;
    j->number = 0;
    j->depth = 0;
    j->hex = 0;
    j->left = 0;
    j->state = S_START;
    j->key = false;
    j->high_surrogate = false;
    j->literal = NULL;
    j->low = j->high = 0;
}

static bool in_object(const struct jsonscan *j)
{
    unsigned level = j->depth - 1;

    return (j->is_object[level / 64] >> (level % 64)) & 1;
}

/* A double can hold any number below 1e308; the longer ones and those with an
 * exponent are asked of strtod, as jansson does. The byte after the token is
 * no part of a number, so strtod stops there. */
static bool number_fits(const char *token, size_t n)
{
    double v;

    if (n < 300 && !memchr(token, 'e', n) && !memchr(token, 'E', n))
        return true;
    errno = 0;
    v = strtod(token, NULL);
    return !(errno == ERANGE && (v == HUGE_VAL || v == -HUGE_VAL));
}

static bool open_level(struct jsonscan *j, unsigned char c)
{
    unsigned level = j->depth;
    uint64_t bit = UINT64_C(1) << (level % 64);

    if (level == JSONSCAN_DEPTH)
        return false;
    if (c == '{')
        j->is_object[level / 64] |= bit;
    else
        j->is_object[level / 64] &= ~bit;
    j->depth++;
    j->state = c == '{' ? S_KEY_OR_END : S_VALUE_OR_END;
    return true;
}

static void close_level(struct jsonscan *j)
{
    j->depth--;
    j->state = j->depth ? S_AFTER : S_DONE;
}

static bool begin_value(struct jsonscan *j, unsigned char c)
{
    switch (c) {
    case '{':
    case '[':
        return open_level(j, c);
    case '"':
        j->state = S_STRING;
        j->key = false;
        return true;
    case 't':
        j->literal = "rue";
        break;
    case 'f':
        j->literal = "alse";
        break;
    case 'n':
        j->literal = "ull";
        break;
    case '-':
        j->state = S_MINUS;
        j->number = j->at;
        return true;
    case '0':
        j->state = S_ZERO;
        j->number = j->at;
        return true;
    default:
        if (!json_is_digit(c))
            return false;
        j->state = S_INT;
        j->number = j->at;
        return true;
    }
    j->state = S_LITERAL;
    return true;
}

/* The states between tokens. False: c cannot come here. */
static bool structural(struct jsonscan *j, unsigned char c)
{
    switch (j->state) {
    case S_START:
        return (c == '{' || c == '[') && open_level(j, c);
    case S_KEY_OR_END:
        if (c == '}') {
            close_level(j);
            return true;
        }
        /* fall through */
    case S_KEY:
        j->state = S_STRING;
        j->key = true;
        return c == '"';
    case S_COLON:
        j->state = S_VALUE;
        return c == ':';
    case S_VALUE_OR_END:
        if (c == ']') {
            close_level(j);
            return true;
        }
        return begin_value(j, c);
    case S_VALUE:
        return begin_value(j, c);
    default: /* S_AFTER */
        if (c == ',') {
            j->state = in_object(j) ? S_KEY : S_VALUE;
            return true;
        }
        if (c != (in_object(j) ? '}' : ']'))
            return false;
        close_level(j);
        return true;
    }
}

/* A byte from 0x80 that begins a UTF-8 sequence: what may follow it. */
static bool utf8_lead(struct jsonscan *j, unsigned char c)
{
    j->low = 0x80;
    j->high = 0xBF;
    if (c >= 0xC2 && c <= 0xDF) {
        j->left = 1;
    } else if (c >= 0xE0 && c <= 0xEF) {
        j->left = 2;
        if (c == 0xE0)
            j->low = 0xA0;
        if (c == 0xED)
            j->high = 0x9F;
    } else if (c >= 0xF0 && c <= 0xF4) {
        j->left = 3;
        if (c == 0xF0)
            j->low = 0x90;
        if (c == 0xF4)
            j->high = 0x8F;
    } else {
        return false;
    }
    j->state = S_UTF8;
    return true;
}

/* After another digit of a \u escape: can it still become what may be here? */
static bool hex_may_go_on(const struct jsonscan *j)
{
    unsigned least = j->hex << (4 * j->left);
    unsigned most = least | ((1u << (4 * j->left)) - 1);

    if (j->high_surrogate)
        return most >= 0xDC00 && least <= 0xDFFF;
    return !(least >= 0xDC00 && most <= 0xDFFF) && !(j->key && most == 0);
}

static void end_hex(struct jsonscan *j)
{
    j->high_surrogate = j->hex >= 0xD800 && j->hex <= 0xDBFF;
    j->state = j->high_surrogate ? S_PAIR_BACKSLASH : S_STRING;
}

static bool in_string(struct jsonscan *j, unsigned char c)
{
    int digit;

    switch (j->state) {
    case S_STRING:
        if (c == '"')
            j->state = j->key ? S_COLON : S_AFTER;
        else if (c == '\\')
            j->state = S_ESCAPE;
        else if (c >= 0x80)
            return utf8_lead(j, c);
        else
            return c >= 0x20;
        return true;
    case S_ESCAPE:
        j->state = S_STRING;
        if (c == 'u') {
            j->state = S_HEX;
            j->left = 4;
            j->hex = 0;
            return true;
        }
        return c != '\0' && strchr("\"\\/bfnrt", c) != NULL;
    case S_HEX:
        digit = json_hex_digit(c);
        if (digit < 0)
            return false;
        j->hex = j->hex << 4 | (unsigned)digit;
        j->left--;
        if (!hex_may_go_on(j))
            return false;
        if (j->left == 0)
            end_hex(j);
        return true;
    case S_PAIR_BACKSLASH:
        j->state = S_PAIR_U;
        return c == '\\';
    case S_PAIR_U:
        j->state = S_HEX;
        j->left = 4;
        j->hex = 0;
        return c == 'u';
    default: /* S_UTF8 */
        if (c < j->low || c > j->high)
            return false;
        j->low = 0x80;
        j->high = 0xBF;
        if (--j->left == 0)
            j->state = S_STRING;
        return true;
    }
}

/* Within a number. 1: taken; 0: broken; -1: the number ended before c. */
static int in_number(struct jsonscan *j, const char *text, unsigned char c)
{
    bool digit = json_is_digit(c);

    switch (j->state) {
    case S_MINUS:
        j->state = c == '0' ? S_ZERO : S_INT;
        return digit;
    case S_ZERO:
        if (digit)
            return 0;
        /* fall through */
    case S_INT:
        if (digit)
            return 1;
        if (c == '.') {
            j->state = S_POINT;
            return 1;
        }
        break;
    case S_POINT:
        j->state = S_FRACTION;
        return digit;
    case S_FRACTION:
        if (digit)
            return 1;
        break;
    case S_E:
        if (c == '+' || c == '-') {
            j->state = S_E_SIGN;
            return 1;
        }
        /* fall through */
    case S_E_SIGN:
        j->state = S_E_DIGITS;
        return digit;
    default: /* S_E_DIGITS */
        if (digit)
            return 1;
        break;
    }
    if ((c | 0x20) == 'e' && j->state != S_E_DIGITS) {
        j->state = S_E;
        return 1;
    }
    if (!number_fits(text + j->number, j->at - j->number))
        return 0;
    j->state = S_AFTER;
    return -1;
}

enum jsonscan_result jsonscan_feed(struct jsonscan *j, const char *text, size_t n)
{
    while (j->at < n) {
        unsigned char c = (unsigned char)text[j->at];
        bool ok;

        if (j->state == S_STRING) {
            j->at += json_plain_run(text + j->at, n - j->at);
            if (j->at == n)
                break;
            c = (unsigned char)text[j->at];
            ok = in_string(j, c);
        } else if (j->state <= S_AFTER) {
            ok = (json_is_space(c) && j->state != S_START) || structural(j, c);
        } else if (j->state <= S_UTF8) {
            ok = in_string(j, c);
        } else if (j->state == S_LITERAL) {
            ok = c == (unsigned char)*j->literal;
            if (ok && *++j->literal == '\0')
                j->state = S_AFTER;
        } else {
            int r = in_number(j, text, c);

            if (r < 0)
                continue; /* c is looked at again, after the number */
            ok = r > 0;
        }
        if (!ok)
            return JSONSCAN_BROKEN;
        j->at++;
        if (j->state == S_DONE)
            return JSONSCAN_DONE;
    }
    return JSONSCAN_MORE;
}

bool jsonscan_whole(struct slice s, struct slice *value)
{
    struct jsonscan j;
    size_t end;

    while (s.n > 0 && json_is_space((unsigned char)*s.p)) {
        s.p++;
        s.n--;
    }
    if (s.n == 0)
        return false;
    jsonscan_init(&j);
    if (jsonscan_feed(&j, s.p, s.n) != JSONSCAN_DONE)
        return false;
    for (end = j.at; end < s.n; end++) {
        if (!json_is_space((unsigned char)s.p[end]))
            return false;
    }
    *value = (struct slice){s.p, j.at};
    return true;
}
