#include "ident.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define BIAS (UINT64_C(1) << 63)

static uint64_t big_endian(const unsigned char *p, size_t n)
{
    uint64_t v = 0;
    size_t i;

    for (i = 0; i < n; i++)
        v = v << 8 | p[i];
    return v;
}

char *ident_format(enum ident_kind kind, struct ident id, char out[IDENT_TEXT_SIZE])
{
    if (kind == IDENT_UUID) {
        (void)snprintf(out, IDENT_TEXT_SIZE,
                       "%08" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%04" PRIx64 "-%012" PRIx64,
                       id.hi >> 32, id.hi >> 16 & 0xffff, id.hi & 0xffff, id.lo >> 48,
                       id.lo & UINT64_C(0xffffffffffff));
    } else if (id.lo >= BIAS) {
        (void)snprintf(out, IDENT_TEXT_SIZE, "%" PRIu64, id.lo - BIAS);
    } else {
        (void)snprintf(out, IDENT_TEXT_SIZE, "-%" PRIu64, BIAS - id.lo);
    }
    return out;
}

static int hex_value(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

/* PostgreSQL takes a hyphen after any group of four digits but the last. */
static bool parse_uuid(const char *s, size_t n, struct ident *id)
{
    unsigned char bytes[16];
    size_t i = 0, digits = 0;

    while (i < n) {
        int v = hex_value(s[i]);

        if (v < 0) {
            if (s[i] != '-' || digits == 0 || digits % 4 != 0 || digits == 32 || s[i - 1] == '-')
                return false;
        } else if (digits == 32) {
            return false;
        } else if (digits % 2 == 0) {
            bytes[digits++ / 2] = (unsigned char)(v << 4);
        } else {
            bytes[digits / 2] = (unsigned char)(bytes[digits / 2] | v);
            digits++;
        }
        i++;
    }
    return digits == 32 && ident_decode(IDENT_UUID, bytes, sizeof bytes, id);
}

static bool parse_int(const char *s, size_t n, struct ident *id)
{
    bool negative = n > 0 && s[0] == '-';
    uint64_t most = negative ? BIAS : BIAS - 1;
    uint64_t v = 0;
    size_t i = n > 0 && (s[0] == '-' || s[0] == '+') ? 1 : 0;

    if (i == n)
        return false;
    for (; i < n; i++) {
        uint64_t digit;

        if (s[i] < '0' || s[i] > '9')
            return false;
        digit = (uint64_t)(s[i] - '0');
        if (v > (most - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    id->hi = 0;
    id->lo = negative ? BIAS - v : BIAS + v;
    return true;
}

bool ident_parse(enum ident_kind kind, const char *s, size_t n, struct ident *id)
{
    return kind == IDENT_UUID ? parse_uuid(s, n, id) : parse_int(s, n, id);
}

bool ident_decode(enum ident_kind kind, const unsigned char *p, size_t n, struct ident *id)
{
    uint64_t v;

    if (kind == IDENT_UUID) {
        if (n != 16)
            return false;
        id->hi = big_endian(p, 8);
        id->lo = big_endian(p + 8, 8);
        return true;
    }
    if (n != 2 && n != 4 && n != 8)
        return false;
    v = big_endian(p, n);
    if (n < 8 && p[0] & 0x80)
        v |= ~UINT64_C(0) << (8 * n); /* the sign, of the narrower types */
    id->hi = 0;
    id->lo = v ^ BIAS;
    return true;
}
