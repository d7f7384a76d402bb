#include "http_url.h"

#include <curl/curl.h>

static bool has_part(CURLU *u, CURLUPart part)
{
    char *text = NULL;
    bool has = curl_url_get(u, part, &text, 0) == CURLUE_OK;

    curl_free(text);
    return has;
}

static bool is_http(CURLU *u)
{
    char *scheme = NULL;
    bool is = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0) == CURLUE_OK &&
              (strcmp(scheme, "http") == 0 || strcmp(scheme, "https") == 0);

    curl_free(scheme);
    return is;
}

int http_base_url(const char *text, struct buf *out, struct err *e)
{
    CURLU *u = curl_url();
    char *url = NULL;
    int status = -1;
    size_t n;

    if (!u)
        return err_oom(e);
    if (curl_url_set(u, CURLUPART_URL, text, 0) != CURLUE_OK || !is_http(u) ||
        has_part(u, CURLUPART_QUERY) || has_part(u, CURLUPART_FRAGMENT)) {
        (void)err_set(e, EXIT_USAGE,
                      "could not read the URL of Evolution: it must be http://HOST or "
                      "https://HOST, with a port and a path at most");
        goto out;
    }
    if (curl_url_get(u, CURLUPART_URL, &url, 0) != CURLUE_OK) {
        (void)err_oom(e);
        goto out;
    }
    n = strlen(url);
    while (n > 0 && url[n - 1] == '/')
        n--;
    buf_add(out, url, n);
    status = out->failed ? err_oom(e) : 0;
out:
    curl_free(url);
    curl_url_cleanup(u);
    return status;
}

static bool is_unreserved(char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

bool http_is_path_segment(struct slice text)
{
    size_t i;

    for (i = 0; i < text.n && (text.p[i] == ' ' || (text.p[i] >= '\t' && text.p[i] <= '\r'));)
        i++;
    return i < text.n && !slice_is(text, ".") && !slice_is(text, "..");
}

void http_path_segment(struct slice text, struct buf *out)
{
    size_t i;

    for (i = 0; i < text.n; i++) {
        if (is_unreserved(text.p[i]))
            buf_addc(out, text.p[i]);
        else
            buf_addf(out, "%%%02X", (unsigned)(unsigned char)text.p[i]);
    }
}

void http_url_shown(const char *url, struct buf *out)
{
    static const CURLUPart secret[] = {CURLUPART_USER, CURLUPART_PASSWORD, CURLUPART_OPTIONS,
                                       CURLUPART_QUERY, CURLUPART_FRAGMENT};
    CURLU *u = curl_url();
    char *shown = NULL;
    size_t i;
    bool ok = u && curl_url_set(u, CURLUPART_URL, url, CURLU_NON_SUPPORT_SCHEME) == CURLUE_OK;

    for (i = 0; ok && i < sizeof secret / sizeof secret[0]; i++)
        ok = curl_url_set(u, secret[i], NULL, 0) == CURLUE_OK;
    if (ok && curl_url_get(u, CURLUPART_URL, &shown, 0) == CURLUE_OK)
        buf_adds(out, shown);
    else
        buf_adds(out, "a URL that cannot be shown");
    curl_free(shown);
    curl_url_cleanup(u);
}
