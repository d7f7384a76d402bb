#include "pollplan.h"

#include "senders.h"

#include <stdlib.h>

/* What planning works with, besides the poll itself. */
struct planning {
    struct poll *p;
    const struct poll_choice *c;
    struct idmap instance; /* id -> index of directory.instance */
    struct senders senders;
    struct assigned {
        struct ident campaign;
        uint32_t instance;
    } * assigned; /* by campaign, once sorted */
    size_t n_assigned, cap;
    struct store_unsettled *row; /* those that do not name their instance come last */
    size_t rows, row_cap;
    uint64_t unasked; /* of them, at no instance */
};

/* ---- whom to ask ---- */

static int add_instance(struct poll *p, uint32_t directory, struct err *e)
{
    struct slice name = p->directory->instance[directory].name;
    struct buf place = BUF_INIT;
    struct poll_instance *i = &p->instance[p->instances];
    int status = -1;

    buf_adds(&place, "api:");
    buf_add(&place, name.p, name.n);
    memset(i, 0, sizeof *i);
    i->directory = directory;
    i->place =
        place.failed ? NAMES_NONE : names_add(p->archives, (struct slice){place.data, place.len});
    if (i->place == NAMES_NONE) {
        (void)err_oom(e);
        goto out;
    }
    p->instance_of[directory] = p->instances++;
    status = 0;
out:
    buf_release(&place);
    return status;
}

/* A time that a span can be made of; infinity and the like are no time. */
static int64_t usable(int64_t us)
{
    return us >= TIME_EVENT_MIN && us <= TIME_EVENT_MAX ? us : TIME_NONE;
}

/* Asks about a row at an instance, unless it cannot be asked or was not chosen. */
static int add_ask(struct planning *g, const struct store_unsettled *r, uint32_t directory,
                   bool *can, struct err *e)
{
    struct poll *p = g->p;

    if (!p->directory->instance[directory].is_evolution)
        return 0;
    *can = true;
    if (g->c->instance && !g->c->instance[directory])
        return 0;
    if (p->instance_of[directory] == IDMAP_NONE && add_instance(p, directory, e) < 0)
        return -1;
    if (p->asks == p->cap) {
        size_t cap = p->cap ? p->cap * 2 : 1024;
        struct poll_ask *grown = realloc(p->ask, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        p->ask = grown;
        p->cap = cap;
    }
    p->ask[p->asks++] = (struct poll_ask){.instance = p->instance_of[directory],
                                          .message_id = r->message_id,
                                          .row = r->id,
                                          .campaign = r->campaign,
                                          .sent_at = usable(r->sent_at),
                                          .created_at = usable(r->created_at)};
    return 0;
}

static int by_campaign(const void *a, const void *b)
{
    const struct assigned *x = a, *y = b;
    int c = ident_cmp(x->campaign, y->campaign);

    return c ? c : (x->instance > y->instance) - (x->instance < y->instance);
}

/* The first instance assigned to a campaign; g->n_assigned: there is none. */
static size_t first_assigned(const struct planning *g, struct ident campaign)
{
    size_t low = 0, high = g->n_assigned;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (ident_cmp(g->assigned[middle].campaign, campaign) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low < g->n_assigned && ident_eq(g->assigned[low].campaign, campaign) ? low
                                                                                : g->n_assigned;
}

/* Asks every active instance of the campaign's tenant and every global one. */
static int ask_tenant(struct planning *g, const struct store_unsettled *r, bool *can, struct err *e)
{
    const struct directory *d = g->p->directory;
    const struct store_campaign *c = directory_campaign(d, r->campaign);
    uint32_t i;

    for (i = 0; c && i < d->instances; i++) {
        const struct directory_instance *in = &d->instance[i];

        if (in->is_active && (!in->has_tenant || ident_eq(in->tenant, c->tenant)) &&
            add_ask(g, r, i, can, e) < 0)
            return -1;
    }
    return 0;
}

static int ask_about(struct planning *g, const struct store_unsettled *r, struct err *e)
{
    uint32_t i = r->has_instance ? idmap_find(&g->instance, r->instance_used)
                                 : senders_find(&g->senders, r->id);
    size_t k = first_assigned(g, r->campaign);
    size_t before = g->p->asks;
    bool can = false;

    if (i != IDMAP_NONE) {
        if (add_ask(g, r, i, &can, e) < 0)
            return -1;
    } else if (k < g->n_assigned) {
        for (; k < g->n_assigned && ident_eq(g->assigned[k].campaign, r->campaign); k++) {
            if (add_ask(g, r, g->assigned[k].instance, &can, e) < 0)
                return -1;
        }
    } else if (ask_tenant(g, r, &can, e) < 0) {
        return -1;
    }
    g->p->nobody += !can;
    g->unasked += g->p->asks == before;
    return 0;
}

/* ---- what is read ---- */

static int on_unsettled(void *ctx, const struct store_unsettled *r, struct err *e)
{
    struct planning *g = ctx;
    char *id;

    if (g->rows == g->row_cap) {
        size_t cap = g->row_cap ? g->row_cap * 2 : 1024;
        struct store_unsettled *grown = realloc(g->row, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        g->row = grown;
        g->row_cap = cap;
    }
    id = arena_dup(&g->p->arena, r->message_id.p, r->message_id.n);
    if (!id)
        return err_oom(e);
    g->row[g->rows] = *r;
    g->row[g->rows++].message_id.p = id;
    return 0;
}

static int on_assigned(void *ctx, struct ident campaign, struct ident instance, struct err *e)
{
    struct planning *g = ctx;
    uint32_t i = idmap_find(&g->instance, instance);

    if (i == IDMAP_NONE)
        return 0;
    if (g->n_assigned == g->cap) {
        size_t cap = g->cap ? g->cap * 2 : 64;
        struct assigned *grown = realloc(g->assigned, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        g->assigned = grown;
        g->cap = cap;
    }
    g->assigned[g->n_assigned++] = (struct assigned){campaign, i};
    return 0;
}

/* Who sent the rows that do not say so themselves. */
static int read_senders(struct planning *g, struct store *s, struct err *e)
{
    struct idmap seen = IDMAP_INIT, wanted = IDMAP_INIT;
    struct ident *campaign = malloc((g->rows + 1) * sizeof *campaign);
    size_t i, n = 0;
    int status = -1;

    if (!campaign) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < g->rows; i++) {
        const struct store_unsettled *r = &g->row[i];

        if (r->has_instance)
            continue;
        if (idmap_find(&seen, r->campaign) == IDMAP_NONE)
            campaign[n++] = r->campaign;
        if (idmap_add(&seen, r->campaign, 0) == IDMAP_NONE ||
            idmap_add(&wanted, r->id, 0) == IDMAP_NONE) {
            (void)err_oom(e);
            goto out;
        }
    }
    status = senders_read(&g->senders, s, campaign, n, &g->instance, &wanted, e);
    if (status == 0 && n > 0)
        status = store_read_assigned(s, on_assigned, g, e);
    if (g->n_assigned > 0)
        qsort(g->assigned, g->n_assigned, sizeof *g->assigned, by_campaign);
out:
    free(campaign);
    idmap_release(&seen);
    idmap_release(&wanted);
    return status;
}

static int by_instance_and_id(const void *a, const void *b)
{
    const struct poll_ask *x = a, *y = b;
    int c;

    if (x->instance != y->instance)
        return x->instance < y->instance ? -1 : 1;
    c = slice_cmp(x->message_id, y->message_id);
    return c ? c : ident_cmp(x->row, y->row);
}

static int plan_init(struct planning *g, struct err *e)
{
    struct poll *p = g->p;
    const struct directory *d = p->directory;
    uint32_t i;

    p->instance = calloc((size_t)d->instances + 1, sizeof *p->instance);
    p->instance_of = malloc(((size_t)d->instances + 1) * sizeof *p->instance_of);
    if (!p->instance || !p->instance_of)
        return err_oom(e);
    for (i = 0; i < d->instances; i++) {
        p->instance_of[i] = IDMAP_NONE;
        if (idmap_add(&g->instance, d->instance[i].id, i) == IDMAP_NONE)
            return err_oom(e);
    }
    return 0;
}

/* Numbers the rows asked about, and counts whose answers they wait for. */
static int number_rows(struct poll *p, struct err *e)
{
    size_t i;

    p->rows = calloc(p->asks + 1, sizeof *p->rows);
    if (!p->rows)
        return err_oom(e);
    for (i = 0; i < p->asks; i++) {
        uint32_t n = idmap_add(&p->row, p->ask[i].row, (uint32_t)p->row.n);

        if (n == IDMAP_NONE)
            return err_oom(e);
        p->ask[i].row_number = n;
        p->rows[n].open++;
    }
    return 0;
}

int poll_plan(struct poll *p, const struct directory *d, struct names *archives, struct store *s,
              const struct poll_choice *c, struct err *e)
{
    struct planning g = {.p = p, .c = c};
    uint64_t total;
    size_t i;
    int status = -1;

    memset(p, 0, sizeof *p);
    p->directory = d;
    p->archives = archives;
    if (plan_init(&g, e) < 0 ||
        store_read_unsettled(s, c->campaigns, c->n, c->since, c->until, on_unsettled, &g, &total,
                             e) < 0 ||
        read_senders(&g, s, e) < 0)
        goto out;
    for (i = 0; i < g.rows; i++) {
        if (ask_about(&g, &g.row[i], e) < 0)
            goto out;
    }
    if (p->asks > 0)
        qsort(p->ask, p->asks, sizeof *p->ask, by_instance_and_id);
    if (number_rows(p, e) < 0)
        goto out;
    p->not_asked = total - g.rows + g.unasked;
    status = 0;
out:
    idmap_release(&g.instance);
    senders_release(&g.senders);
    free(g.assigned);
    free(g.row);
    return status;
}

void poll_release(struct poll *p)
{
    uint32_t i;

    for (i = 0; i < p->instances; i++)
        free(p->instance[i].problem);
    idmap_release(&p->row);
    free(p->rows);
    free(p->instance);
    free(p->instance_of);
    free(p->ask);
    arena_release(&p->arena);
    memset(p, 0, sizeof *p);
}

/* ---- asking ---- */

/* A clock is not in doubt while of at least so many rows fewer than one in so
 * many is early; more than a fifth would be wrong. */
#define PLAIN_ROWS 1000
#define PLAIN_SHARE 10
#define CLOCK_SLACK (10 * 60 * US_PER_SECOND)

struct running {
    struct poll *p;
    const struct poll_sink *sink;
};

/* The first row asked about at the instance under that id; p->asks: none. */
static size_t first_ask(const struct poll *p, uint32_t instance, struct slice id)
{
    const struct poll_ask key = {.instance = instance, .message_id = id, .row = {0, 0}};
    size_t low = 0, high = p->asks;

    while (low < high) {
        size_t middle = low + (high - low) / 2;

        if (by_instance_and_id(&p->ask[middle], &key) < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

/* One past the last row asked about like that of ask i. */
static size_t end_of_group(const struct poll *p, size_t i)
{
    size_t end = i + 1;

    while (end < p->asks && p->ask[end].instance == p->ask[i].instance &&
           slice_eq(p->ask[end].message_id, p->ask[i].message_id))
        end++;
    return end;
}

static int on_event(void *ctx, uint32_t instance, const struct event *ev, uint64_t request,
                    struct err *e)
{
    struct poll *p = ((struct running *)ctx)->p;
    struct poll_instance *in = &p->instance[instance];
    struct poll_ask *a = &p->ask[first_ask(p, instance, ev->message_id)];
    struct evidence one = {.error = SLICE_NONE}; /* no answer tells an error's text */

    if (p->explain && explain_see(p->explain, ev, in->place, request, e) < 0)
        return -1;
    in->heard += a->evidence.seen == 0;
    in->tells_times = in->tells_times || !ev->approximate;
    if (ev->what == MEANS_PENDING) {
        a->evidence.seen |= M_PENDING_BIT;
        return 0;
    }
    one.seen = M_BIT(ev->what);
    one.at[ev->what] = (struct sighting){ev->time, request, in->place, ev->approximate};
    evidence_merge(p->archives, &a->evidence, &one);
    return 0;
}

/* The least time that the instance itself told; TIME_NONE: none. */
static int64_t least_exact(const struct evidence *ev)
{
    int64_t least = TIME_NONE;
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if ((ev->seen & M_BIT(m)) && !ev->at[m].approximate &&
            (least == TIME_NONE || ev->at[m].time < least))
            least = ev->at[m].time;
    }
    return least;
}

/* May a later answer, or a look at all of them, make another decision of what it
 * has said? */
static bool clock_in_doubt(const struct poll *p, const struct poll_instance *in)
{
    if (in->done)
        return false;
    return p->whole ||
           (in->tells_times && (in->timed < PLAIN_ROWS || in->early * PLAIN_SHARE > in->timed));
}

/* The rows of ask i wait for this instance no more. */
static void release(struct poll *p, size_t i)
{
    size_t end = end_of_group(p, i), k;

    p->ask[i].released = true;
    for (k = i; k < end; k++) {
        struct poll_row *r = &p->rows[p->ask[k].row_number];

        r->heard = r->heard || p->ask[i].evidence.seen != 0;
        if (--r->open > 0)
            continue;
        p->ready += r->heard;
        progress_add(p->progress, 1, 0);
    }
}

/* The answer about ask i is there, as far as this instance goes. */
static void close_ask(struct poll *p, size_t i)
{
    struct poll_instance *in = &p->instance[p->ask[i].instance];
    int64_t exact = least_exact(&p->ask[i].evidence);
    size_t end = end_of_group(p, i), k;

    p->ask[i].answered = true;
    for (k = i; k < end && exact != TIME_NONE; k++) {
        if (p->ask[k].sent_at == TIME_NONE)
            continue;
        in->timed++;
        in->early += exact + CLOCK_SLACK < p->ask[k].sent_at; /* it may be -infinity */
    }
}

static void release_held(struct poll *p, uint32_t instance)
{
    size_t i;

    for (i = first_ask(p, instance, SLICE_NONE); i < p->asks && p->ask[i].instance == instance;
         i = end_of_group(p, i)) {
        if (p->ask[i].answered && !p->ask[i].released)
            release(p, i);
    }
    p->instance[instance].held = 0;
}

static int on_answered(void *ctx, uint32_t instance, struct slice message_id, struct err *e)
{
    struct running *r = ctx;
    struct poll *p = r->p;
    struct poll_instance *in = &p->instance[instance];
    size_t i = first_ask(p, instance, message_id);

    if (p->ask[i].answered)
        return 0;
    close_ask(p, i);
    if (clock_in_doubt(p, in)) {
        in->held++;
        return 0;
    }
    if (in->held > 0)
        release_held(p, instance);
    else
        release(p, i);
    return r->sink->answered(r->sink->ctx, e);
}

static int on_done(void *ctx, uint32_t instance, enum api_end end, const char *reason,
                   struct err *e)
{
    struct running *r = ctx;
    struct poll *p = r->p;
    struct poll_instance *i = &p->instance[instance];
    size_t k;

    i->done = true;
    i->given_up = end == API_GIVEN_UP;
    if (reason) {
        i->problem = strdup(reason);
        if (!i->problem)
            return err_oom(e);
    }
    for (k = first_ask(p, instance, SLICE_NONE); k < p->asks && p->ask[k].instance == instance;
         k = end_of_group(p, k)) {
        if (!p->ask[k].answered)
            close_ask(p, k);
    }
    release_held(p, instance);
    return r->sink->done(r->sink->ctx, i, e);
}

int poll_run(struct poll *p, const struct api_options *o, const struct poll_sink *sink,
             struct api_counts *counts, struct event_counts *statuses, struct err *e)
{
    struct running r = {p, sink};
    const struct api_sink api = {on_event, on_answered, on_done, &r};
    struct api_instance *instance = malloc(((size_t)p->instances + 1) * sizeof *instance);
    struct api_message *message = malloc((p->asks + 1) * sizeof *message);
    int status = -1;
    size_t i;

    if (!instance || !message) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < p->instances; i++) {
        const struct directory_instance *in = &p->directory->instance[p->instance[i].directory];

        instance[i] = (struct api_instance){in->name, in->url_name};
    }
    for (i = 0; i < p->asks; i++)
        message[i] = (struct api_message){p->ask[i].instance, p->ask[i].message_id,
                                          p->ask[i].sent_at, p->ask[i].created_at};
    status =
        source_api_poll(o, instance, p->instances, message, p->asks, &api, counts, statuses, e);
out:
    free(instance);
    free(message);
    return status;
}

/* ---- what was learned ---- */

bool poll_waits(const struct poll *p, struct ident row)
{
    uint32_t n = idmap_find(&p->row, row);

    return n != IDMAP_NONE && p->rows[n].open > 0;
}

static int match_group(const struct poll *p, size_t i, size_t end, struct match_table *t,
                       struct err *e)
{
    const struct poll_ask *a = &p->ask[i];
    size_t k;

    if (a->evidence.seen == 0)
        return 0;
    if (end - i == 1) {
        t->used++;
        return match_use(t, a->instance, a->message_id, &a->evidence, a->row, a->campaign, e);
    }
    t->ambiguous++;
    for (k = i; k < end; k++) {
        if (match_doubt(t, p->ask[k].row, p->ask[k].message_id, e) < 0)
            return -1;
    }
    return 0;
}

int poll_match(const struct poll *p, const struct directory *d, struct match_table *t,
               struct err *e)
{
    struct match_source *source = malloc(((size_t)p->instances + 1) * sizeof *source);
    size_t i, end;
    int status;

    if (!source)
        return err_oom(e);
    for (i = 0; i < p->instances; i++)
        source[i] =
            (struct match_source){p->directory->instance[p->instance[i].directory].name, NULL};
    status = match_init(t, p->archives, d, source, p->instances, e);
    for (i = 0; status == 0 && i < p->asks; i = end) {
        end = end_of_group(p, i);
        if (!p->instance[p->ask[i].instance].left_out)
            status = match_group(p, i, end, t, e);
    }
    free(source);
    return status;
}
