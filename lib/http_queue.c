#include "http_queue.h"

#include <stdlib.h>

static bool goes_first(const struct http_job *a, const struct http_job *b)
{
    return a->due != b->due ? a->due < b->due : a->turn < b->turn;
}

static void sift_down(struct http_queue *q, size_t i)
{
    struct http_job *j = q->job[i];

    for (;;) {
        size_t child = 2 * i + 1;

        if (child + 1 < q->n && goes_first(q->job[child + 1], q->job[child]))
            child++;
        if (child >= q->n || !goes_first(q->job[child], j))
            break;
        q->job[i] = q->job[child];
        i = child;
    }
    q->job[i] = j;
}

int http_queue_add(struct http_queue *q, struct http_job *j, int64_t due, struct err *e)
{
    size_t i = q->n;

    if (q->n == q->cap) {
        size_t cap = q->cap ? 2 * q->cap : 64;
        struct http_job **job = realloc(q->job, cap * sizeof *job);

        if (!job) {
            http_job_free(j);
            return err_oom(e);
        }
        q->job = job;
        q->cap = cap;
    }
    j->due = due;
    j->turn = q->turns++;
    q->n++;
    for (; i > 0 && goes_first(j, q->job[(i - 1) / 2]); i = (i - 1) / 2)
        q->job[i] = q->job[(i - 1) / 2];
    q->job[i] = j;
    return 0;
}

struct http_job *http_queue_take(struct http_queue *q)
{
    struct http_job *first = q->job[0];

    q->job[0] = q->job[--q->n];
    if (q->n > 0)
        sift_down(q, 0);
    return first;
}

void http_queue_drop_group(struct http_queue *q, uint32_t group)
{
    size_t i, kept = 0;

    for (i = 0; i < q->n; i++) {
        if (q->job[i]->group == group)
            http_job_free(q->job[i]);
        else
            q->job[kept++] = q->job[i];
    }
    q->n = kept;
    for (i = kept / 2; i-- > 0;)
        sift_down(q, i);
}

void http_queue_release(struct http_queue *q)
{
    while (q->n > 0)
        http_job_free(q->job[--q->n]);
    free(q->job);
}
