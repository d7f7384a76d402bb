#include "relay.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#define SLOTS 4
#define SLOT_SIZE ((size_t)256 << 10)

struct relay {
    relay_read_fn *read;
    void *ctx;
    atomic_bool offered; /* somebody helps, or is about to */
    char *ahead;         /* SLOTS of SLOT_SIZE bytes, once somebody offered */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t changed;
    bool granted;          /* fn is the helper's to call */
    bool ended;            /* the reader wants no more */
    bool gone;             /* the helper has let go */
    ssize_t filled[SLOTS]; /* bytes of each, or -1; less than a slot is the end */
    unsigned first, n;     /* slots that are filled */
    size_t at;             /* of the first, bytes taken */
    int error;             /* errno of a slot that is -1 */
};

struct relay *relay_new(relay_read_fn *fn, void *ctx)
{
    struct relay *r = calloc(1, sizeof *r);

    if (!r)
        return NULL;
    r->read = fn;
    r->ctx = ctx;
    (void)pthread_mutex_init(&r->lock, NULL); /* of the default kind neither can fail */
    (void)pthread_cond_init(&r->changed, NULL);
    return r;
}

/* Waits for a slot that is filled, but not where there is something to return
 * already. False: none. */
static bool wait_for_slot(struct relay *r, bool wait)
{
    bool there;

    (void)pthread_mutex_lock(&r->lock);
    if (!r->granted) {
        r->granted = true;
        (void)pthread_cond_broadcast(&r->changed);
    }
    while (r->n == 0 && wait)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    there = r->n > 0;
    (void)pthread_mutex_unlock(&r->lock);
    return there;
}

static void leave_slot(struct relay *r)
{
    (void)pthread_mutex_lock(&r->lock);
    r->first = (r->first + 1) % SLOTS;
    r->n--;
    r->at = 0;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

/* Takes what is ahead of the reader. The end stays where it is, to be met again. */
static ssize_t take(struct relay *r, char *p, size_t n)
{
    size_t done = 0;

    while (done < n && wait_for_slot(r, done == 0)) {
        ssize_t filled = r->filled[r->first];
        size_t some;

        if (filled < 0) {
            errno = r->error;
            return done > 0 ? (ssize_t)done : -1;
        }
        some = (size_t)filled - r->at < n - done ? (size_t)filled - r->at : n - done;
        memcpy(p + done, r->ahead + r->first * SLOT_SIZE + r->at, some);
        done += some;
        r->at += some;
        if (r->at == SLOT_SIZE)
            leave_slot(r);
        else if (r->at == (size_t)filled)
            break;
    }
    return (ssize_t)done;
}

ssize_t relay_read(struct relay *r, void *p, size_t n)
{
    return atomic_load(&r->offered) ? take(r, p, n) : r->read(r->ctx, p, n);
}

bool relay_offer(struct relay *r)
{
    char *ahead;

    if (atomic_load(&r->offered))
        return false;
    ahead = malloc(SLOTS * SLOT_SIZE);
    if (!ahead)
        return false;
    r->ahead = ahead;
    atomic_store(&r->offered, true);
    return true;
}

void relay_help(struct relay *r)
{
    bool more = true;

    (void)pthread_mutex_lock(&r->lock);
    while (!r->granted && !r->ended)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    while (more && !r->ended) {
        unsigned slot = (r->first + r->n) % SLOTS;
        ssize_t got;
        int error;

        if (r->n == SLOTS) {
            (void)pthread_cond_wait(&r->changed, &r->lock);
            continue;
        }
        (void)pthread_mutex_unlock(&r->lock);
        got = r->read(r->ctx, r->ahead + slot * SLOT_SIZE, SLOT_SIZE);
        error = errno;
        (void)pthread_mutex_lock(&r->lock);
        r->filled[slot] = got;
        r->error = error;
        r->n++;
        more = got == (ssize_t)SLOT_SIZE;
        (void)pthread_cond_broadcast(&r->changed);
    }
    r->gone = true;
    (void)pthread_cond_broadcast(&r->changed);
    (void)pthread_mutex_unlock(&r->lock);
}

void relay_end(struct relay *r)
{
    if (!r)
        return;
    (void)pthread_mutex_lock(&r->lock);
    r->ended = true;
    (void)pthread_cond_broadcast(&r->changed);
    while (atomic_load(&r->offered) && !r->gone)
        (void)pthread_cond_wait(&r->changed, &r->lock);
    (void)pthread_mutex_unlock(&r->lock);
    (void)pthread_cond_destroy(&r->changed);
    (void)pthread_mutex_destroy(&r->lock);
    free(r->ahead);
    free(r);
}
