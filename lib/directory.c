#include "directory.h"

#include <stdlib.h>

#define HYPHENLESS_MIN 32 /* a name this long may be a uuid that lost its hyphens elsewhere */

void directory_init(struct directory *d)
{
    memset(d, 0, sizeof *d);
}

void directory_release(struct directory *d)
{
    uint32_t i;

    for (i = 0; i < d->names.n; i++)
        free(d->named[i].instance);
    free(d->named);
    names_release(&d->names);
    free(d->instance);
    free(d->campaign);
    idmap_release(&d->campaign_by_id);
    arena_release(&d->arena);
    directory_init(d);
}

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool directory_fold_name(struct buf *b, struct slice name)
{
    size_t i;

    while (name.n > 0 && is_space(name.p[0])) {
        name.p++;
        name.n--;
    }
    while (name.n > 0 && is_space(name.p[name.n - 1]))
        name.n--;
    buf_clear(b);
    buf_add(b, name.p, name.n);
    for (i = 0; i < b->len; i++) {
        if (b->data[i] >= 'A' && b->data[i] <= 'Z')
            b->data[i] = (char)(b->data[i] - 'A' + 'a');
    }
    return !b->failed;
}

static int add_to_named(struct directory_named *named, uint32_t instance, struct err *e)
{
    if (named->n > 0 && named->instance[named->n - 1] == instance)
        return 0; /* both of its names are the same */
    if (named->n == named->cap) {
        uint32_t cap = named->cap ? named->cap * 2 : 2;
        uint32_t *p = realloc(named->instance, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        named->instance = p;
        named->cap = cap;
    }
    named->instance[named->n++] = instance;
    return 0;
}

static int add_name(struct directory *d, struct slice name, uint32_t instance, struct err *e)
{
    struct buf b = BUF_INIT;
    uint32_t n = d->names.n, i;
    int status = -1;

    if (!name.p)
        return 0;
    if (!directory_fold_name(&b, name)) {
        (void)err_oom(e);
        goto out;
    }
    status = 0;
    if (b.len == 0) /* an empty name names nothing */
        goto out;
    if (n == d->named_cap) {
        uint32_t cap = d->named_cap ? d->named_cap * 2 : 16;
        struct directory_named *p = realloc(d->named, cap * sizeof *p);

        if (!p) {
            status = err_oom(e);
            goto out;
        }
        d->named = p;
        d->named_cap = cap;
    }
    i = names_add(&d->names, (struct slice){b.data, b.len});
    if (i == NAMES_NONE) {
        status = err_oom(e);
        goto out;
    }
    if (i == n)
        d->named[i] = (struct directory_named){NULL, 0, 0};
    status = add_to_named(&d->named[i], instance, e);
out:
    buf_release(&b);
    return status;
}

static bool is_blank(struct slice name)
{
    size_t n = 0;

    while (n < name.n && is_space(name.p[n]))
        n++;
    return n == name.n;
}

static int on_instance(void *ctx, const struct store_instance *i, struct err *e)
{
    struct directory *d = ctx;
    bool own_name = !is_blank(i->evolution_name);
    char *name, *url_name;

    if (d->instances == d->instance_cap) {
        uint32_t cap = d->instance_cap ? d->instance_cap * 2 : 16;
        struct directory_instance *p = realloc(d->instance, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        d->instance = p;
        d->instance_cap = cap;
    }
    name = arena_dup(&d->arena, i->name.p, i->name.n);
    url_name = own_name ? arena_dup(&d->arena, i->evolution_name.p, i->evolution_name.n) : name;
    if (!name || !url_name)
        return err_oom(e);
    d->instance[d->instances] = (struct directory_instance){
        .id = i->id,
        .tenant = i->tenant,
        .name = {name, i->name.n},
        .url_name = {url_name, own_name ? i->evolution_name.n : i->name.n},
        .has_tenant = i->has_tenant,
        .is_evolution = i->is_evolution,
        .is_active = i->is_active,
    };
    d->instances++;
    if (add_name(d, i->name, d->instances - 1, e) < 0)
        return -1;
    return add_name(d, i->evolution_name, d->instances - 1, e);
}

static int on_campaign(void *ctx, const struct store_campaign *c, struct err *e)
{
    struct directory *d = ctx;
    struct store_campaign *x;
    char *name;

    if (d->campaigns == d->campaign_cap) {
        uint32_t cap = d->campaign_cap ? d->campaign_cap * 2 : 64;
        struct store_campaign *p = realloc(d->campaign, cap * sizeof *p);

        if (!p)
            return err_oom(e);
        d->campaign = p;
        d->campaign_cap = cap;
    }
    name = arena_dup(&d->arena, c->name.p, c->name.n);
    if (!name)
        return err_oom(e);
    x = &d->campaign[d->campaigns];
    *x = *c;
    x->name.p = name;
    if (idmap_add(&d->campaign_by_id, c->id, d->campaigns) == IDMAP_NONE)
        return err_oom(e);
    d->campaigns++;
    return 0;
}

int directory_read(struct directory *d, struct store *s, struct err *e)
{
    if (store_read_instances(s, on_instance, d, e) < 0)
        return -1;
    return store_read_campaigns(s, on_campaign, d, e);
}

int directory_lookup(const struct directory *d, struct slice name,
                     const struct directory_named **named, struct err *e)
{
    struct buf b = BUF_INIT;
    uint32_t i = NAMES_NONE;
    size_t from, to = 0;
    bool failed = !directory_fold_name(&b, name);

    if (failed || b.len == 0)
        goto out;
    i = names_find(&d->names, (struct slice){b.data, b.len});
    if (i != NAMES_NONE || b.len < HYPHENLESS_MIN || !memchr(b.data, '-', b.len))
        goto out;
    for (from = 0; from < b.len; from++) {
        if (b.data[from] != '-')
            b.data[to++] = b.data[from];
    }
    if (to > 0)
        i = names_find(&d->names, (struct slice){b.data, to});
out:
    buf_release(&b);
    *named = i == NAMES_NONE ? NULL : &d->named[i];
    return failed ? err_oom(e) : 0;
}

const struct store_campaign *directory_campaign(const struct directory *d, struct ident id)
{
    uint32_t i = idmap_find(&d->campaign_by_id, id);

    return i == IDMAP_NONE ? NULL : &d->campaign[i];
}

bool directory_may_speak(const struct directory *d, const struct directory_named *named,
                         bool has_instance, struct ident instance_used, struct ident tenant)
{
    uint32_t i;

    for (i = 0; named && i < named->n; i++) {
        const struct directory_instance *in = &d->instance[named->instance[i]];

        if (has_instance ? ident_eq(in->id, instance_used)
                         : !in->has_tenant || ident_eq(in->tenant, tenant))
            return true;
    }
    return false;
}
