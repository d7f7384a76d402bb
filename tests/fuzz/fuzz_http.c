/* What surrounds an answer: a Retry-After is a time that can be waited for, a URL is
 * shown without what is secret in it, a name stays one segment of a path, and a secret
 * that a server repeats is struck in each form that it can have.
 *
 * Input: a header's value, a URL, a name, a secret and a text, line by line. */
#include "fuzz.h"

#include "http_retry.h"
#include "http_url.h"
#include "secret.h"

#include <ctype.h>
#include <curl/curl.h>
#include <stdlib.h>

#define NOW INT64_C(1793534400000000)

/* The part as a C string, up to its first NUL; to be freed. */
static char *text_of(struct slice s)
{
    char *text = strndup(s.p ? s.p : "", s.p ? s.n : 0);

    FUZZ_EXPECT(text != NULL);
    return text;
}

static void check_retry_after(struct slice value)
{
    char *text = text_of(value);
    int64_t wait = http_retry_after(text, NOW);

    FUZZ_EXPECT(wait >= 0 && wait <= HTTP_WAIT_MAX);
    free(text);
}

static bool url_has(const char *url, CURLUPart part)
{
    CURLU *u = curl_url();
    char *text = NULL;
    bool has = u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK &&
               curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    curl_url_cleanup(u);
    return has;
}

static void check_url(struct slice value)
{
    char *text = text_of(value);
    struct buf base = BUF_INIT, shown = BUF_INIT;
    struct err e = ERR_INIT;

    http_url_shown(text, &shown);
    FUZZ_EXPECT(shown.len > 0 && !url_has(buf_str(&shown), CURLUPART_PASSWORD));
    FUZZ_EXPECT(!url_has(buf_str(&shown), CURLUPART_USER));
    FUZZ_EXPECT(!strchr(buf_str(&shown), '?') && !strchr(buf_str(&shown), '#'));
    if (http_base_url(text, &base, &e) < 0) {
        FUZZ_EXPECT(e.status == EXIT_USAGE && strncmp(e.text, "could not read the URL", 22) == 0);
    } else {
        FUZZ_EXPECT(strncmp(buf_str(&base), "http", 4) == 0 && base.data[base.len - 1] != '/');
        FUZZ_EXPECT(url_has(buf_str(&base), CURLUPART_HOST));
        FUZZ_EXPECT(!url_has(buf_str(&base), CURLUPART_QUERY));
    }
    buf_release(&base);
    buf_release(&shown);
    free(text);
}

static unsigned hex(char c)
{
    return (unsigned)(c <= '9' ? c - '0' : c - 'A' + 10);
}

static void check_segment(struct slice name)
{
    struct buf out = BUF_INIT;
    size_t at = 0;

    http_path_segment(name, &out);
    for (size_t i = 0; i < out.len; at++) {
        unsigned char c = (unsigned char)out.data[i];
        bool escaped = c == '%';

        FUZZ_EXPECT(escaped || isalnum(c) || strchr("-._~", c));
        if (escaped)
            c = (unsigned char)(hex(out.data[i + 1]) << 4 | hex(out.data[i + 2]));
        FUZZ_EXPECT(at < name.n && (unsigned char)name.p[at] == c);
        i += escaped ? 3 : 1;
    }
    FUZZ_EXPECT(at == name.n);
    if (http_is_path_segment(name))
        FUZZ_EXPECT(out.len > 0 && strcmp(out.data, ".") != 0 && strcmp(out.data, "..") != 0);
    buf_release(&out);
}

/* The text, and behind it the secret as it is and percent-encoded. */
static void check_secret(struct slice secret, struct slice text)
{
    struct buf b = BUF_INIT;
    size_t length;

    if (secret.n < SECRET_MIN || memchr(secret.p, '*', secret.n))
        return;
    buf_add(&b, text.p, text.n);
    buf_addc(&b, '*'); /* no secret goes on here */
    buf_add(&b, secret.p, secret.n);
    buf_addc(&b, '*');
    for (size_t i = 0; i < secret.n; i++)
        buf_addf(&b, "%%%02x", (unsigned)(unsigned char)secret.p[i]);
    length = b.len;
    secret_strike(b.data, b.len, secret);
    FUZZ_EXPECT(b.len == length && !memmem(b.data, b.len, secret.p, secret.n));
    /* One with a % may be found within its own encoding, which is then no longer it. */
    for (size_t i = 1; i <= 3 * secret.n && !memchr(secret.p, '%', secret.n); i++)
        FUZZ_EXPECT(b.data[length - i] == '*');
    buf_release(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = {(const char *)data, n}, part[5] = {SLICE_NONE};

    for (size_t i = 0; i + 1 < COUNT_OF(part) && fuzz_part(&rest, '\n', &part[i]); i++)
        ;
    part[4] = rest;
    check_retry_after(part[0]);
    check_url(part[1]);
    if (part[2].p)
        check_segment(part[2]);
    if (part[3].p && part[4].p)
        check_secret(part[3], part[4]);
    return 0;
}
