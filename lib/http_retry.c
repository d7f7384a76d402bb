#include "http_retry.h"

#include <curl/curl.h>
#include <string.h>
#include <time.h>

#define RETRY_AFTER_SPREAD 250000 /* µs: many are told the same, and are not to come all at once */

bool http_answer_is_garbled(int curl)
{
    switch (curl) {
    case CURLE_UNSUPPORTED_PROTOCOL: /* no HTTP at all: the URL's own is checked before */
    case CURLE_WEIRD_SERVER_REPLY:
    case CURLE_BAD_CONTENT_ENCODING:
    case CURLE_PARTIAL_FILE:
    case CURLE_HTTP2:
    case CURLE_HTTP2_STREAM:
        return true;
    default:
        return false;
    }
}

/* What ended a transfer: can time heal it? A certificate or an address that is
 * wrong stays wrong; a name server, a network, a server come back. */
static bool curl_may_heal(int code)
{
    switch (code) {
    case CURLE_URL_MALFORMAT:
    case CURLE_NOT_BUILT_IN:
    case CURLE_BAD_FUNCTION_ARGUMENT:
    case CURLE_UNKNOWN_OPTION:
    case CURLE_SSL_ENGINE_NOTFOUND:
    case CURLE_SSL_ENGINE_SETFAILED:
    case CURLE_SSL_CERTPROBLEM:
    case CURLE_SSL_CIPHER:
    case CURLE_PEER_FAILED_VERIFICATION:
    case CURLE_SSL_CACERT_BADFILE:
    case CURLE_SSL_CRL_BADFILE:
    case CURLE_SSL_ISSUER_ERROR:
    case CURLE_LOGIN_DENIED:
#if LIBCURL_VERSION_NUM >= 0x074d00
    case CURLE_SSL_CLIENTCERT: /* the server asks for one */
#endif
        return false;
    default:
        return true;
    }
}

int64_t http_retry_after(const char *value, int64_t now)
{
    const int64_t longest = HTTP_WAIT_MAX / 1000000;
    size_t digits = strspn(value, "0123456789"), i;
    int64_t seconds = 0;
    time_t date;

    if (digits > 0) {
        for (i = 0; i < digits && seconds < longest; i++)
            seconds = 10 * seconds + (value[i] - '0');
    } else {
        date = curl_getdate(value, NULL);
        if (date < 0 || now < 0)
            return 0;
        seconds = (int64_t)date - now / 1000000;
    }
    if (seconds <= 0)
        return 0;
    return seconds < longest ? seconds * 1000000 : HTTP_WAIT_MAX;
}

static enum http_action judge(const struct http_try *t)
{
    if (t->curl != CURLE_OK)
        return curl_may_heal(t->curl) ? HTTP_RETRY : HTTP_REFUSE;
    if (t->status == 408 || t->status == 429 || t->status >= 500)
        return HTTP_RETRY;
    if (t->status < 200 || t->status >= 300)
        return HTTP_REFUSE;
    return t->unreadable ? HTTP_RETRY : HTTP_ACCEPT;
}

/* Between half and all of a time that doubles with each try. */
static int64_t back_off(const struct http_policy *p, const struct http_try *t)
{
    int64_t wait = p->first_wait, half;
    unsigned i;

    for (i = 1; i < t->tries && wait < p->longest_wait; i++)
        wait *= 2;
    if (wait > p->longest_wait)
        wait = p->longest_wait;
    half = wait / 2;
    wait -= half;
    return half + (int64_t)((double)wait * t->jitter);
}

enum http_action http_policy_decide(const struct http_policy *p, const struct http_try *t,
                                    int64_t *wait)
{
    enum http_action action = judge(t);
    int64_t left = p->retry_time - t->elapsed;

    *wait = 0;
    if (action != HTTP_RETRY)
        return action;
    if (left <= 0)
        return HTTP_GIVE_UP;
    *wait = back_off(p, t);
    if (t->retry_after > 0) {
        if (t->retry_after > left)
            return HTTP_GIVE_UP;
        if (*wait < t->retry_after)
            *wait = t->retry_after + (int64_t)(t->jitter * RETRY_AFTER_SPREAD);
    }
    if (*wait > left) /* the last try comes when the time is up */
        *wait = left;
    return HTTP_RETRY;
}
