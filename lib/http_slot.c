#include "http_slot.h"

#include "version.h"

#include <stdlib.h>

#define KEEP_ANSWER ((size_t)1 << 20) /* bytes of memory a free slot may keep */
#define READ_SIZE 65536L

void http_job_free(struct http_job *j)
{
    if (!j)
        return;
    free(j->url);
    free(j->body);
    free(j);
}

/* libcurl's write callback. Taking less than was given ends the transfer. */
static size_t take_bytes(char *p, size_t size, size_t n, void *ctx)
{
    struct http_slot *s = ctx;

    n *= size;
    if (n > s->answer.max - s->answer.len) {
        s->too_large = true;
        return 0;
    }
    buf_add(&s->answer, p, n);
    s->no_memory = s->answer.failed;
    return s->no_memory ? 0 : n;
}

/* libcurl's header callback. It reads Retry-After itself, but of a number that is
 * too long it makes none. */
static size_t take_header(char *p, size_t size, size_t n, void *ctx)
{
    static const char name[] = "Retry-After:";
    const size_t name_n = sizeof name - 1;
    struct http_slot *s = ctx;
    size_t from = name_n, value_n;

    n *= size;
    if (n >= 5 && memcmp(p, "HTTP/", 5) == 0) /* an interim answer may have come before */
        s->retry_after[0] = '\0';
    if (n < name_n || strncasecmp(p, name, name_n) != 0)
        return n;
    while (from < n && (p[from] == ' ' || p[from] == '\t'))
        from++;
    value_n = n - from < sizeof s->retry_after ? n - from : sizeof s->retry_after - 1;
    memcpy(s->retry_after, p + from, value_n);
    s->retry_after[value_n] = '\0';
    return n;
}

static CURLcode restrict_protocols(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075500
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS_STR, "http,https");
#else
    return curl_easy_setopt(c, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* On an interrupt nobody is to wait for a name server. Older libraries do. */
static void leave_quickly(CURL *c)
{
#if LIBCURL_VERSION_NUM >= 0x075700
    (void)curl_easy_setopt(c, CURLOPT_QUICK_EXIT, 1L);
#else
    (void)c;
#endif
}

static bool set_transfer(struct http_slot *s, const struct http_options *o)
{
    CURL *c = s->easy;

    return curl_easy_setopt(c, CURLOPT_POST, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ACCEPT_ENCODING, "") == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEFUNCTION, take_bytes) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_WRITEDATA, s) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERFUNCTION, take_header) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADERDATA, s) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PRIVATE, s) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_ERRORBUFFER, s->error) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_BUFFERSIZE, READ_SIZE) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TCP_KEEPALIVE, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_CONNECTTIMEOUT_MS, (long)(o->connect_timeout / 1000)) ==
               CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_TIMEOUT_MS, (long)(o->request_timeout / 1000)) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_MAXFILESIZE_LARGE, (curl_off_t)o->answer_max) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_USERAGENT, "reconcile/" VERSION) == CURLE_OK;
}

/* The key goes to the service that was named, by its own protocol, and to
 * nobody it may point at; a proxy sees it only where it sees all of plain HTTP. */
static bool set_security(CURL *c, const struct http_options *o, struct curl_slist *headers)
{
    return restrict_protocols(c) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HTTPHEADER, headers) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_HEADEROPT, (long)CURLHEADER_SEPARATE) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYPEER, 1L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_SSL_VERIFYHOST, 2L) == CURLE_OK &&
           curl_easy_setopt(c, CURLOPT_PATH_AS_IS, 1L) == CURLE_OK &&
           (!o->cacert || curl_easy_setopt(c, CURLOPT_CAINFO, o->cacert) == CURLE_OK);
}

int http_slot_init(struct http_slot *s, const struct http_options *o, struct curl_slist *headers,
                   struct err *e)
{
    s->answer.max = o->answer_max;
    s->easy = curl_easy_init();
    if (!s->easy || !set_transfer(s, o) || !set_security(s->easy, o, headers))
        return err_set(e, EXIT_FAILED, "could not set libcurl up");
    leave_quickly(s->easy);
    return 0;
}

void http_slot_release(struct http_slot *s)
{
    curl_easy_cleanup(s->easy);
    http_job_free(s->job);
    buf_release(&s->answer);
}

int http_slot_load(struct http_slot *s, struct http_job *job, struct err *e)
{
    s->too_large = s->no_memory = s->held = false;
    s->error[0] = s->retry_after[0] = '\0';
    buf_clear(&s->answer);
    if (curl_easy_setopt(s->easy, CURLOPT_URL, job->url) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)job->n) != CURLE_OK ||
        curl_easy_setopt(s->easy, CURLOPT_POSTFIELDS, job->body) != CURLE_OK)
        return err_oom(e);
    s->job = job;
    return 0;
}

struct http_job *http_slot_unload(struct http_slot *s)
{
    struct http_job *job = s->job;

    s->job = NULL;
    if (s->answer.cap > KEEP_ANSWER)
        buf_release(&s->answer);
    return job;
}

const char *http_slot_error(const struct http_slot *s, CURLcode code)
{
    return s->error[0] ? s->error : curl_easy_strerror(code);
}
