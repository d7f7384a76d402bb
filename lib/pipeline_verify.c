#include "pipeline_parts.h"

#include <stdlib.h>

/* ---- parts ---- */

/* What a part of a run leaves behind for the report: corrections point into
 * it, campaigns are named by it. */
struct pipeline_part {
    struct pipeline_part *next;
    struct match_table matches;
    struct judge judge;
    struct directory directory;
    struct campaign_result *campaign;
};

static void release_part(struct pipeline_part *part)
{
    judge_release(&part->judge);
    match_release(&part->matches);
    directory_release(&part->directory);
    free(part->campaign);
    free(part);
}

void pipeline_release_parts(struct pipeline *p)
{
    while (p->parts) {
        struct pipeline_part *next = p->parts->next;

        release_part(p->parts);
        p->parts = next;
    }
}

static void empty(struct run *r)
{
    r->campaign = NULL;
    r->correction = NULL;
    r->gap = NULL;
    r->mismatch = NULL;
    r->campaigns = r->corrections = r->gaps = r->mismatches = 0;
    memset(&r->messages, 0, sizeof r->messages);
    memset(r->causes, 0, sizeof r->causes);
}

static struct pipeline_part *set_aside(struct pipeline *p, struct campaign_result *campaign)
{
    struct pipeline_part *part = calloc(1, sizeof *part);

    if (!part)
        return NULL;
    *part = (struct pipeline_part){p->parts, p->matches, p->judge, p->directory, campaign};
    memset(&p->matches, 0, sizeof p->matches);
    memset(&p->judge, 0, sizeof p->judge);
    directory_init(&p->directory);
    return part;
}

int pipeline_leave_part(struct pipeline *p, bool keep, struct err *e)
{
    struct pipeline_part *part = set_aside(p, p->run.campaign);

    if (!part)
        return err_oom(e);
    free(p->run.correction);
    free(p->run.gap);
    free(p->run.mismatch);
    empty(&p->run);
    if (keep)
        p->parts = part;
    else
        release_part(part);
    return 0;
}

/* ---- verifying ---- */

/* What a decision anew would still write. */
struct left {
    size_t corrections, campaigns;
    const char *name; /* of the first campaign with any; NULL: none has */
};

static struct left count_left(const struct run *r)
{
    struct left left = {0, 0, NULL};
    size_t i;

    for (i = 0; i < r->campaigns; i++) {
        const struct campaign_result *c = &r->campaign[i];
        bool differs = campaign_differs(c, r->fix_total);

        if (c->left_alone) /* which has been told */
            continue;
        left.corrections += c->corrections;
        left.campaigns += differs;
        if (!left.name && (differs || c->corrections > 0))
            left.name = c->name.p;
    }
    return left;
}

static int fail(struct pipeline *p, const struct left *left, struct err *e)
{
    p->tells = true;
    p->run.failure = "verification failed: something is left to correct";
    warnings_add(&p->warnings,
                 "verification: %zu correction(s) and the counters of %zu campaign(s) are left, of "
                 "\"%s\" first",
                 left->corrections, left->campaigns, left->name);
    return err_set(e, EXIT_FAILED,
                   "verification failed: %zu correction(s) and the counters of %zu "
                   "campaign(s) are left",
                   left->corrections, left->campaigns);
}

int pipeline_verify(struct pipeline *p, struct err *e)
{
    const struct run found = p->run;
    struct pipeline_part *part = set_aside(p, NULL);
    struct left left = {0, 0, NULL};
    int status;

    if (!part)
        return err_oom(e);
    p->parts = part;
    p->partial = true; /* its warnings have been told */
    empty(&p->run);
    status = p->o->tool == TOOL_POLL ? pipeline_judge_poll(p, e)
             : p->o->acts            ? pipeline_act_again(p, e)
                                     : pipeline_judge_again(p, e);
    p->partial = false;
    if (status == 0)
        left = count_left(&p->run);
    free(p->run.correction);
    free(p->run.gap);
    free(p->run.mismatch);
    free(p->run.campaign);
    p->run = found;
    if (status < 0)
        return err_prefix(e, "all was written, but could not be verified");
    if (left.corrections > 0 || left.campaigns > 0)
        return fail(p, &left, e);
    p->run.verified = true;
    return 0;
}
