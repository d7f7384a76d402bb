#include "http.h"

#include "clock.h"
#include "http_engine.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/random.h>

#define FIRST_WAIT INT64_C(250000)     /* µs */
#define LONGEST_WAIT INT64_C(20000000) /* µs */
#define TICK_MS 50                     /* how often the interrupt flag is looked at */

int64_t http_now(const struct http *h)
{
    return (int64_t)(clock_monotonic() * 1e6) - h->held;
}

static bool interrupted(const struct http *h)
{
    return h->o.interrupted && *h->o.interrupted;
}

void http_stop(struct http *h, struct http_slot *s)
{
    (void)curl_multi_remove_handle(h->multi, s->easy);
    h->busy--;
}

int http_submit(struct http *h, const struct http_request *r, struct err *e)
{
    struct http_job *j;

    if (h->group[r->group].given_up)
        return 0;
    j = calloc(1, sizeof *j);
    if (!j)
        return err_oom(e);
    j->group = r->group;
    j->tag = r->tag;
    j->began = TIME_NONE;
    j->n = r->body.n;
    j->url = strdup(r->url);
    j->body = malloc(r->body.n + 1);
    if (!j->url || !j->body) {
        http_job_free(j);
        return err_oom(e);
    }
    memcpy(j->body, r->body.p, r->body.n);
    return http_queue_add(&h->queue, j, http_now(h), e);
}

/* --- running --- */

static struct http_slot *free_slot(struct http *h)
{
    unsigned i;

    for (i = 0; i < h->slots; i++) {
        if (!h->slot[i].job)
            return &h->slot[i];
    }
    return NULL;
}

static int begin(struct http *h, struct http_slot *s, struct http_job *j, int64_t t, struct err *e)
{
    if (j->began == TIME_NONE)
        j->began = t;
    j->tries++;
    if (http_slot_load(s, j, e) < 0) {
        http_job_free(j);
        return -1;
    }
    if (curl_multi_add_handle(h->multi, s->easy) != CURLM_OK)
        return err_set(e, EXIT_FAILED, "could not begin a request: libcurl refused it");
    h->busy++;
    h->counts.requests++;
    if (h->o.rate > 0)
        h->next_send = (t > h->next_send ? t : h->next_send) + (int64_t)ceil(1e6 / h->o.rate);
    return 0;
}

/* Begins what is due, as far as there are slots and the rate allows. */
static int begin_due(struct http *h, struct err *e)
{
    struct http_slot *s;

    while (h->queue.n > 0 && (s = free_slot(h))) {
        int64_t t = http_now(h);
        struct http_job *j;
        int status;

        if (h->queue.job[0]->due > t || h->next_send > t)
            break;
        j = http_queue_take(&h->queue);
        status = h->group[j->group].not_before > t
                     ? http_queue_add(&h->queue, j, h->group[j->group].not_before, e)
                     : begin(h, s, j, t, e);
        if (status < 0)
            return -1;
    }
    return 0;
}

/* Milliseconds until there may be something to do besides answers. */
static int pause_ms(const struct http *h)
{
    int64_t wait;

    if (h->queue.n == 0 || h->busy == h->slots)
        return TICK_MS;
    wait =
        (h->queue.job[0]->due > h->next_send ? h->queue.job[0]->due : h->next_send) - http_now(h);
    if (wait <= 0)
        return 0;
    return wait / 1000 < TICK_MS ? (int)(wait / 1000) + 1 : TICK_MS;
}

static int take_answers(struct http *h, bool *any, struct err *e)
{
    struct CURLMsg *m;
    int left;

    *any = false;
    while ((m = curl_multi_info_read(h->multi, &left))) {
        CURL *easy = m->easy_handle;
        CURLcode code = m->data.result;
        struct http_slot *s = NULL;

        if (curl_easy_getinfo(easy, CURLINFO_PRIVATE, &s) != CURLE_OK)
            return err_set(e, EXIT_FAILED, "could not tell which request libcurl has ended");
        *any = true;
        if (http_end_try(h, s, code, e) < 0)
            return -1;
    }
    return 0;
}

int http_run(struct http *h, struct err *e)
{
    CURLMcode code = CURLM_OK;
    int running;
    bool any;

    while (h->queue.n > 0 || h->busy > 0) {
        if (interrupted(h))
            return err_set(e, EXIT_FAILED, "interrupted");
        if (begin_due(h, e) < 0)
            return -1;
        code = curl_multi_perform(h->multi, &running);
        if (code == CURLM_OK && take_answers(h, &any, e) < 0)
            return -1;
        if (code == CURLM_OK && !any)
            code = curl_multi_poll(h->multi, NULL, 0, pause_ms(h), NULL);
        if (code != CURLM_OK)
            return err_set(e, EXIT_FAILED, "could not run requests: %s", curl_multi_strerror(code));
    }
    return 0;
}

/* --- opening and closing --- */

static int check_key(const char *key, struct err *e)
{
    const unsigned char *p;

    if (!key || !key[0])
        return err_set(e, EXIT_USAGE, "the API key is empty");
    for (p = (const unsigned char *)key; *p; p++) {
        if (*p < 0x20 || *p == 0x7f)
            return err_set(e, EXIT_USAGE, "the API key holds a line break or control character");
    }
    return 0;
}

static int check_cacert(const char *path, struct err *e)
{
    FILE *f = path ? fopen(path, "re") : NULL;

    if (path && !f)
        return err_set(e, EXIT_USAGE, "could not read certificates \"%s\": %s", path,
                       strerror(errno));
    if (f)
        (void)fclose(f);
    return 0;
}

static int add_header(struct http *h, const char *line, struct err *e)
{
    struct curl_slist *more = curl_slist_append(h->headers, line);

    if (!more)
        return err_oom(e);
    h->headers = more;
    return 0;
}

/* Without "Expect:" libcurl asks for leave before it sends a larger body. */
static int make_headers(struct http *h, const char *key, struct err *e)
{
    struct buf line = BUF_INIT;
    int status = -1;

    buf_reserve(&line, strlen(key) + 16); /* so that no copy stays behind when it grows */
    buf_addf(&line, "apikey: %s", key);
    buf_adds(&h->key, key);
    if (line.failed || h->key.failed)
        (void)err_oom(e);
    else if (add_header(h, line.data, e) == 0 &&
             add_header(h, "Content-Type: application/json", e) == 0 &&
             add_header(h, "Accept: application/json", e) == 0)
        status = add_header(h, "Expect:", e);
    if (line.data)
        explicit_bzero(line.data, line.cap);
    buf_release(&line);
    return status;
}

static int make_slots(struct http *h, struct err *e)
{
    long connections = (long)h->o.connections;

    h->multi = curl_multi_init();
    h->slot = calloc(h->o.connections, sizeof *h->slot);
    h->group = calloc((size_t)h->o.groups + 1, sizeof *h->group);
    if (!h->multi || !h->slot || !h->group)
        return err_oom(e);
    if (curl_multi_setopt(h->multi, CURLMOPT_MAX_TOTAL_CONNECTIONS, connections) != CURLM_OK ||
        curl_multi_setopt(h->multi, CURLMOPT_MAXCONNECTS, connections) != CURLM_OK)
        return err_set(e, EXIT_FAILED, "could not set libcurl up");
    for (; h->slots < h->o.connections; h->slots++) {
        if (http_slot_init(&h->slot[h->slots], &h->o, h->headers, e) < 0) {
            http_slot_release(&h->slot[h->slots]);
            return -1;
        }
    }
    return 0;
}

int http_open(struct http **out, const struct http_options *o, const struct http_sink *sink,
              struct err *e)
{
    struct http *h;

    *out = NULL;
    if (check_key(o->key, e) < 0 || check_cacert(o->cacert, e) < 0)
        return -1;
    if (curl_global_init(CURL_GLOBAL_DEFAULT) != CURLE_OK)
        return err_set(e, EXIT_FAILED, "could not set libcurl up");
    h = calloc(1, sizeof *h);
    if (!h) {
        curl_global_cleanup();
        return err_oom(e);
    }
    h->o = *o;
    h->o.key = NULL;
    h->sink = *sink;
    h->policy = (struct http_policy){o->retry_time, FIRST_WAIT, LONGEST_WAIT};
    if (getrandom(&h->random, sizeof h->random, GRND_NONBLOCK) < 0)
        h->random = (uint64_t)http_now(h);
    if (make_headers(h, o->key, e) < 0 || make_slots(h, e) < 0) {
        http_close(h);
        return -1;
    }
    *out = h;
    return 0;
}

static void wipe_headers(struct http *h)
{
    struct curl_slist *l;

    for (l = h->headers; l; l = l->next)
        explicit_bzero(l->data, strlen(l->data));
    curl_slist_free_all(h->headers);
    if (h->key.data)
        explicit_bzero(h->key.data, h->key.cap);
    buf_release(&h->key);
}

void http_close(struct http *h)
{
    unsigned i;

    if (!h)
        return;
    for (i = 0; i < h->slots; i++) {
        if (h->slot[i].job)
            (void)curl_multi_remove_handle(h->multi, h->slot[i].easy);
        http_slot_release(&h->slot[i]);
    }
    (void)curl_multi_cleanup(h->multi);
    wipe_headers(h);
    http_queue_release(&h->queue);
    free(h->slot);
    free(h->group);
    free(h);
    curl_global_cleanup();
}

const struct http_counts *http_counts(const struct http *h)
{
    return &h->counts;
}

void http_library_version(char *out, size_t size)
{
    (void)snprintf(out, size, "libcurl %s", curl_version_info(CURLVERSION_NOW)->version);
}
