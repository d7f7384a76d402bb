#include "scope.h"

#include <stdlib.h>

void scope_instances_release(struct scope_instances *s)
{
    free(s->keep);
    s->keep = NULL;
}

bool scope_keeps(void *ctx, const struct fold_entry *x)
{
    const struct scope_instances *s = ctx;

    return !s->keep || s->keep[x->instance];
}

static int keep_none(struct scope_instances *s, const struct names *names, struct err *e)
{
    s->keep = calloc((size_t)names->n + 1, sizeof *s->keep);
    return s->keep ? 0 : err_oom(e);
}

int scope_instances_by_name(struct scope_instances *s, const struct scope_list *list,
                            const struct names *names, struct err *e)
{
    struct buf wanted = BUF_INIT, name = BUF_INIT;
    int status = -1;
    uint32_t i;
    size_t k;

    s->keep = NULL;
    if (list->n == 0)
        return 0;
    if (keep_none(s, names, e) < 0)
        return -1;
    for (k = 0; k < list->n; k++) {
        if (!directory_fold_name(&wanted, slice_of(list->item[k])))
            goto oom;
        for (i = 0; i < names->n; i++) {
            if (!directory_fold_name(&name, names->name[i]))
                goto oom;
            if (name.len > 0 && slice_eq((struct slice){name.data, name.len},
                                         (struct slice){wanted.data, wanted.len}))
                s->keep[i] = true;
        }
    }
    status = 0;
    goto out;
oom:
    (void)err_oom(e);
out:
    buf_release(&wanted);
    buf_release(&name);
    return status;
}

static bool names_instance(const struct directory_named *named, uint32_t instance)
{
    uint32_t i;

    for (i = 0; named && i < named->n; i++) {
        if (named->instance[i] == instance)
            return true;
    }
    return false;
}

int scope_instances_by_directory(struct scope_instances *s, const struct scope_list *list,
                                 const struct names *names, const struct directory *d,
                                 struct err *e)
{
    uint32_t i;
    size_t k;

    s->keep = NULL;
    if (list->n == 0)
        return 0;
    if (keep_none(s, names, e) < 0)
        return -1;
    for (k = 0; k < list->n; k++) {
        const struct directory_named *wanted, *named;

        if (directory_lookup(d, slice_of(list->item[k]), &wanted, e) < 0)
            return -1;
        if (!wanted)
            return err_set(e, EXIT_USAGE, "no instance is named \"%s\"", list->item[k]);
        if (wanted->n > 1)
            return err_set(e, EXIT_USAGE, "%u instances are named \"%s\"", wanted->n,
                           list->item[k]);
        for (i = 0; i < names->n; i++) {
            if (directory_lookup(d, names->name[i], &named, e) < 0)
                return -1;
            if (names_instance(named, wanted->instance[0]))
                s->keep[i] = true;
        }
    }
    return 0;
}

/* --- campaigns --- */

/* The campaign that a text names, by its id or else by its name. */
static int find_campaign(const struct directory *d, struct store_kinds kinds, const char *text,
                         uint32_t *found, struct err *e)
{
    char first[IDENT_TEXT_SIZE], second[IDENT_TEXT_SIZE];
    struct ident id;
    uint32_t i;

    *found = IDMAP_NONE;
    if (ident_parse(kinds.campaign, text, strlen(text), &id))
        *found = idmap_find(&d->campaign_by_id, id);
    if (*found != IDMAP_NONE)
        return 0;
    for (i = 0; i < d->campaigns; i++) {
        if (!slice_is(d->campaign[i].name, text))
            continue;
        if (*found != IDMAP_NONE)
            return err_set(e, EXIT_USAGE,
                           "more than one campaign is named \"%s\", such as %s and %s", text,
                           ident_format(kinds.campaign, d->campaign[*found].id, first),
                           ident_format(kinds.campaign, d->campaign[i].id, second));
        *found = i;
    }
    if (*found == IDMAP_NONE)
        return err_set(e, EXIT_USAGE, "no campaign has the id or name \"%s\"", text);
    return 0;
}

/* Marks the campaigns that --campaign names. */
static int mark_campaigns(bool *chosen, const struct scope_options *o, const struct directory *d,
                          struct store_kinds kinds, struct err *e)
{
    uint32_t i;
    size_t k;

    for (i = 0; i < d->campaigns; i++)
        chosen[i] = o->campaign.n == 0;
    for (k = 0; k < o->campaign.n; k++) {
        if (find_campaign(d, kinds, o->campaign.item[k], &i, e) < 0)
            return -1;
        chosen[i] = true;
    }
    return 0;
}

static bool is_of_tenant(const struct store_campaign *c, const char *text, struct store_kinds kinds)
{
    struct ident id;

    return ident_parse(kinds.tenant, text, strlen(text), &id) && ident_eq(id, c->tenant);
}

/* Takes away those of other tenants than --tenant names. */
static int keep_tenants(bool *chosen, const struct scope_options *o, const struct directory *d,
                        struct store_kinds kinds, struct err *e)
{
    uint32_t i;
    size_t k;

    if (o->tenant.n == 0)
        return 0;
    for (k = 0; k < o->tenant.n; k++) {
        struct ident id;

        if (!ident_parse(kinds.tenant, o->tenant.item[k], strlen(o->tenant.item[k]), &id))
            return err_set(e, EXIT_USAGE, "invalid tenant \"%s\": %s is needed", o->tenant.item[k],
                           kinds.tenant == IDENT_UUID ? "a uuid" : "a number");
        for (i = 0; i < d->campaigns && !is_of_tenant(&d->campaign[i], o->tenant.item[k], kinds);
             i++)
            ;
        if (i == d->campaigns)
            return err_set(e, EXIT_USAGE, "no campaign belongs to tenant \"%s\"",
                           o->tenant.item[k]);
    }
    for (i = 0; i < d->campaigns; i++) {
        bool wanted = false;

        for (k = 0; k < o->tenant.n; k++)
            wanted = wanted || is_of_tenant(&d->campaign[i], o->tenant.item[k], kinds);
        chosen[i] = chosen[i] && wanted;
    }
    return 0;
}

static int by_id(const void *a, const void *b)
{
    const struct campaign_result *x = a, *y = b;

    return ident_cmp(x->id, y->id);
}

int scope_campaigns(struct run *run, const struct scope_options *o, const struct directory *d,
                    const struct idmap *touched, struct store_kinds kinds, bool *all, struct err *e)
{
    bool by_option = o->all || o->campaign.n > 0 || o->tenant.n > 0;
    bool *chosen = calloc((size_t)d->campaigns + 1, sizeof *chosen);
    int status = -1;
    uint32_t i;

    run->campaign = calloc((size_t)d->campaigns + 1, sizeof *run->campaign);
    if (!chosen || !run->campaign) {
        (void)err_oom(e);
        goto out;
    }
    if (mark_campaigns(chosen, o, d, kinds, e) < 0 || keep_tenants(chosen, o, d, kinds, e) < 0)
        goto out;
    for (i = 0; i < d->campaigns; i++) {
        const struct store_campaign *c = &d->campaign[i];

        if (!chosen[i] || (!by_option && touched && idmap_find(touched, c->id) == IDMAP_NONE))
            continue;
        run->campaign[run->campaigns++] = (struct campaign_result){
            .id = c->id, .tenant = c->tenant, .name = c->name, .stored = c->stored};
    }
    *all = run->campaigns == d->campaigns;
    if (run->campaigns > 0)
        qsort(run->campaign, run->campaigns, sizeof *run->campaign, by_id);
    status = 0;
out:
    free(chosen);
    return status;
}
