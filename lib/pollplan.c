#include "pollplan.h"

#include <stdlib.h>

/* What planning works with, besides the poll itself. */
struct planning {
    struct poll *p;
    const struct poll_choice *c;
    struct idmap instance; /* id -> index of directory.instance */
    struct idmap sender;   /* row -> that index, by the log */
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
    fold_init(&i->fold, p->archives);
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
    p->ask[p->asks++] =
        (struct poll_ask){p->instance_of[directory], r->message_id,        r->id, r->campaign,
                          usable(r->sent_at),        usable(r->created_at)};
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
                                 : idmap_find(&g->sender, r->id);
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

static int on_sender(void *ctx, struct ident row, struct ident instance, struct err *e)
{
    struct planning *g = ctx;
    uint32_t i = idmap_find(&g->instance, instance);

    if (i == IDMAP_NONE)
        return 0;
    return idmap_add(&g->sender, row, i) == IDMAP_NONE ? err_oom(e) : 0;
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
    struct idmap seen = IDMAP_INIT;
    struct ident *campaign = malloc((g->rows + 1) * sizeof *campaign);
    size_t i, n = 0;
    int status = -1;

    if (!campaign) {
        (void)err_oom(e);
        goto out;
    }
    for (i = 0; i < g->rows; i++) {
        if (g->row[i].has_instance || idmap_find(&seen, g->row[i].campaign) != IDMAP_NONE)
            continue;
        if (idmap_add(&seen, g->row[i].campaign, 0) == IDMAP_NONE) {
            (void)err_oom(e);
            goto out;
        }
        campaign[n++] = g->row[i].campaign;
    }
    status = n > 0 ? store_read_senders(s, campaign, n, on_sender, g, e) : 0;
    if (status == 0 && n > 0)
        status = store_read_assigned(s, on_assigned, g, e);
    if (g->n_assigned > 0)
        qsort(g->assigned, g->n_assigned, sizeof *g->assigned, by_campaign);
out:
    free(campaign);
    idmap_release(&seen);
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
    p->not_asked = total - g.rows + g.unasked;
    status = 0;
out:
    idmap_release(&g.instance);
    idmap_release(&g.sender);
    free(g.assigned);
    free(g.row);
    return status;
}

void poll_release(struct poll *p)
{
    uint32_t i;

    for (i = 0; i < p->instances; i++) {
        fold_release(&p->instance[i].fold);
        free(p->instance[i].problem);
    }
    free(p->instance);
    free(p->instance_of);
    free(p->ask);
    arena_release(&p->arena);
    memset(p, 0, sizeof *p);
}

/* ---- asking ---- */

struct running {
    struct poll *p;
    poll_done_fn *done;
    void *ctx;
};

static int on_event(void *ctx, uint32_t instance, const struct event *ev, uint64_t request,
                    struct err *e)
{
    struct running *r = ctx;
    struct poll_instance *i = &r->p->instance[instance];

    return fold_add(&i->fold, ev, i->place, request, e);
}

static int on_done(void *ctx, uint32_t instance, const char *reason, struct err *e)
{
    struct running *r = ctx;
    struct poll_instance *i = &r->p->instance[instance];

    i->done = true;
    if (reason) {
        i->problem = strdup(reason);
        if (!i->problem)
            return err_oom(e);
    }
    return r->done(r->ctx, i, e);
}

int poll_run(struct poll *p, const struct api_options *o, poll_done_fn *done, void *ctx,
             struct api_counts *counts, struct event_counts *statuses, struct err *e)
{
    struct running r = {p, done, ctx};
    const struct api_sink sink = {on_event, on_done, &r};
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
        source_api_poll(o, instance, p->instances, message, p->asks, &sink, counts, statuses, e);
out:
    free(instance);
    free(message);
    return status;
}

/* ---- what was learned ---- */

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

static int match_instance(const struct poll *p, uint32_t instance, struct match_table *t,
                          struct err *e)
{
    const struct fold *f = &p->instance[instance].fold;
    size_t i, k;

    for (i = 0; i < f->n; i++) {
        const struct fold_entry *x = f->entry[i];

        for (k = first_ask(p, instance, x->message_id);
             k < p->asks && p->ask[k].instance == instance &&
             slice_eq(p->ask[k].message_id, x->message_id);
             k++) {
            if (match_use(t, instance, x->message_id, &x->evidence, p->ask[k].row,
                          p->ask[k].campaign, e) < 0)
                return -1;
        }
    }
    return 0;
}

int poll_match(const struct poll *p, const struct directory *d, uint32_t only,
               struct match_table *t, uint64_t *keys, struct err *e)
{
    struct match_source *source = malloc(((size_t)p->instances + 1) * sizeof *source);
    uint32_t i;
    int status;

    *keys = 0;
    if (!source)
        return err_oom(e);
    for (i = 0; i < p->instances; i++)
        source[i] =
            (struct match_source){p->directory->instance[p->instance[i].directory].name, NULL};
    status = match_init(t, p->archives, d, source, p->instances, e);
    for (i = 0; status == 0 && i < p->instances; i++) {
        if ((only != IDMAP_NONE && i != only) || p->instance[i].left_out)
            continue;
        status = match_instance(p, i, t, e);
        *keys += p->instance[i].fold.n;
    }
    t->used = *keys;
    free(source);
    return status;
}
