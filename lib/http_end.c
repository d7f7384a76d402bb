#include "clock.h"
#include "http_engine.h"
#include "http_url.h"
#include "log.h"
#include "secret.h"

#include <time.h>

#define HELD_US 500000 /* a callback that takes longer may let transfers time out */
#define WORDS_MAX 200  /* bytes of an answer's own words that are told */

/* Notes time spent in a callback that began at `since`. */
static void callback_ended(struct http *h, double since)
{
    int64_t took = (int64_t)((clock_monotonic() - since) * 1e6);
    unsigned i;

    h->held += took;
    for (i = 0; took >= HELD_US && i < h->slots; i++)
        h->slot[i].held = true;
}

/* splitmix64, as a fraction. */
static double jitter(struct http *h)
{
    uint64_t z = (h->random += UINT64_C(0x9e3779b97f4a7c15));

    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return (double)((z ^ (z >> 31)) >> 11) * 0x1p-53;
}

/* --- giving up --- */

/* A server that repeats what it was sent must not bring the key into a log. */
static void strike_key(const struct http *h, struct buf *text)
{
    secret_strike(text->data, text->len, (struct slice){h->key.data, h->key.len});
}

/* Appends what was said of an answer: without the key, then not too much of it. */
static void tell_words(const struct http *h, struct buf *why, struct buf *out)
{
    size_t n = why->len;

    if (n == 0)
        return;
    strike_key(h, why);
    if (n > WORDS_MAX) {
        for (n = WORDS_MAX; n > 0 && ((unsigned char)why->data[n] & 0xc0) == 0x80;)
            n--; /* not within a character */
    }
    buf_adds(out, ": ");
    buf_add(out, why->data, n);
    if (n < why->len)
        buf_adds(out, "...");
}

static int give_group_up(struct http *h, uint32_t group, struct buf *reason, struct err *e)
{
    double since = clock_monotonic();
    unsigned i;
    int status;

    h->group[group].given_up = true;
    http_queue_drop_group(&h->queue, group);
    for (i = 0; i < h->slots; i++) {
        if (h->slot[i].job && h->slot[i].job->group == group) {
            http_stop(h, &h->slot[i]);
            http_job_free(http_slot_unload(&h->slot[i]));
        }
    }
    strike_key(h, reason);
    status = h->sink.given_up(h->sink.ctx, group, buf_str(reason), e);
    callback_ended(h, since);
    return status;
}

/* --- an ended try --- */

/* A try that ended, on its way to a verdict. */
struct ending {
    struct http_slot *slot;
    struct http_job *job;
    CURLcode code;
    struct http_try t;
    struct buf why; /* the caller's words about the answer */
};

static void tell_redirect(const struct ending *x, struct buf *out)
{
    char *target = NULL;

    if (x->t.status < 300 || x->t.status >= 400)
        return;
    if (curl_easy_getinfo(x->slot->easy, CURLINFO_REDIRECT_URL, &target) == CURLE_OK && target) {
        buf_adds(out, " to ");
        http_url_shown(target, out);
    }
    buf_adds(out, ": redirects are not followed");
}

/* What happened, for a person. */
static void tell(const struct http *h, struct ending *x, struct buf *out)
{
    const struct http_try *t = &x->t;
    bool too_large = x->slot->too_large || x->code == CURLE_FILESIZE_EXCEEDED;

    if (too_large)
        buf_adds(out, "the answer from ");
    else if (t->unreadable || http_answer_is_garbled((int)x->code))
        buf_adds(out, "unreadable answer from ");
    else if (x->code != CURLE_OK)
        buf_adds(out, "no answer from ");
    else if (t->status >= 200 && t->status < 300)
        buf_adds(out, "unusable answer from ");
    else
        buf_addf(out, "HTTP %ld from ", t->status);
    http_url_shown(x->job->url, out);
    if (too_large)
        buf_addf(out, " is larger than %zu bytes", h->o.answer_max);
    else if (x->code != CURLE_OK)
        buf_addf(out, ": %s", http_slot_error(x->slot, x->code));
    else
        tell_redirect(x, out);
    if (t->retry_after >= HTTP_WAIT_MAX)
        buf_adds(out, ", which asks to wait for more than a year");
    else if (t->retry_after > 0 && t->retry_after > h->policy.retry_time - t->elapsed)
        buf_addf(out, ", which asks to wait %lld s", (long long)(t->retry_after / US_PER_SECOND));
    tell_words(h, &x->why, out);
}

static int give_up(struct http *h, struct ending *x, enum http_action action, struct err *e)
{
    struct buf reason = BUF_INIT;
    uint32_t group = x->job->group;
    int status;

    h->counts.failed++;
    if (action == HTTP_GIVE_UP && x->t.tries > 1)
        buf_addf(&reason, "gave up after %.0f s: ", (double)x->t.elapsed / 1e6);
    tell(h, x, &reason);
    http_job_free(http_slot_unload(x->slot));
    status = reason.failed ? err_oom(e) : give_group_up(h, group, &reason, e);
    buf_release(&reason);
    return status;
}

static int try_again(struct http *h, struct ending *x, int64_t wait, struct err *e)
{
    struct http_group *g = &h->group[x->job->group];
    struct buf text = BUF_INIT;
    int64_t due = http_now(h) + wait;

    h->counts.failed++;
    tell(h, x, &text);
    strike_key(h, &text);
    log_detail("%s; trying again in %.1f s", buf_str(&text), (double)wait / 1e6);
    buf_release(&text);
    if (x->t.retry_after > 0 && g->not_before < due)
        g->not_before = due;
    return http_queue_add(&h->queue, http_slot_unload(x->slot), due, e);
}

/* Asks the caller what to make of the answer. */
static enum http_verdict ask(struct http *h, struct ending *x, struct err *e)
{
    const struct http_answer a = {
        x->job->group,
        x->job->tag,
        x->t.status,
        {x->slot->answer.data ? x->slot->answer.data : "", x->slot->answer.len}};
    double since = clock_monotonic();
    enum http_verdict v = h->sink.answer(h->sink.ctx, &a, &x->why, e);

    callback_ended(h, since);
    return v;
}

static int judge(struct http *h, struct ending *x, struct err *e)
{
    enum http_verdict verdict = HTTP_UNUSABLE;
    int64_t wait;
    enum http_action action = http_policy_decide(&h->policy, &x->t, &wait);

    if (action == HTTP_ACCEPT ||
        (action == HTTP_REFUSE && x->code == CURLE_OK && x->t.status >= 400)) {
        verdict = ask(h, x, e);
        if (verdict == HTTP_FAILED)
            return -1;
        if (verdict == HTTP_TAKEN) {
            http_job_free(http_slot_unload(x->slot));
            return 0;
        }
        if (action == HTTP_ACCEPT && verdict == HTTP_UNREADABLE) {
            x->t.unreadable = true;
            action = http_policy_decide(&h->policy, &x->t, &wait);
        }
    }
    return action == HTTP_RETRY ? try_again(h, x, wait, e) : give_up(h, x, action, e);
}

int http_end_try(struct http *h, struct http_slot *s, CURLcode code, struct err *e)
{
    struct ending x = {.slot = s, .job = s->job, .code = code};
    int status;

    http_stop(h, s);
    /* libcurl says CURLE_OUT_OF_MEMORY of a header line that is too long, too: that is
     * the server's doing, and ends its instance at most. */
    if (s->no_memory)
        return err_oom(e);
    if (code != CURLE_OK && s->held) { /* our own doing: it says nothing about the server */
        h->counts.failed++;
        return http_queue_add(&h->queue, http_slot_unload(s), http_now(h), e);
    }
    (void)curl_easy_getinfo(s->easy, CURLINFO_RESPONSE_CODE, &x.t.status);
    x.t.curl = (int)code;
    x.t.tries = s->job->tries;
    x.t.elapsed = http_now(h) - s->job->began;
    x.t.jitter = jitter(h);
    if (code == CURLE_OK && (x.t.status == 408 || x.t.status == 429 || x.t.status >= 500))
        x.t.retry_after = http_retry_after(s->retry_after, (int64_t)time(NULL) * US_PER_SECOND);
    status = judge(h, &x, e);
    buf_release(&x.why);
    return status;
}
