#include "decide.h"

#include <string.h>

/* The application's own text for a failure without one. */
static const char unknown_error[] = "Erro desconhecido";

#define SENT M_BIT(M_SENT)
#define DELIVERED M_BIT(M_DELIVERED)
#define READ M_BIT(M_READ)
#define FAILED M_BIT(M_FAILED)

/* What decide works with, besides its arguments. */
struct deciding {
    const struct row_state *r;
    const struct evidence *e; /* never NULL here */
    const struct policy *p;
    bool rebuild;             /* of this row */
    bool unless_delivered;    /* of this row */
    uint8_t known;            /* milestones, closed */
    int64_t row_at[M_COUNT];  /* the row's times, after --timestamps=earliest */
    int64_t seen_at[M_COUNT]; /* the evidence's, TIME_NONE where unknown */
    uint8_t approximate;      /* which of seen_at are */
};

/* read proves delivered, delivered proves sent */
static uint8_t closed(uint8_t milestones)
{
    if (milestones & READ)
        milestones |= DELIVERED;
    if (milestones & DELIVERED)
        milestones |= SENT;
    return milestones;
}

uint8_t row_counts(const struct row_state *r)
{
    uint8_t m = 0;

    if (r->at[M_SENT] != TIME_NONE || r->status == ROW_SENT || r->status == ROW_DELIVERED ||
        r->status == ROW_READ)
        m |= SENT;
    if (r->at[M_DELIVERED] != TIME_NONE || r->status == ROW_DELIVERED || r->status == ROW_READ)
        m |= DELIVERED;
    if (r->at[M_READ] != TIME_NONE || r->status == ROW_READ)
        m |= READ;
    if (r->status == ROW_FAILED)
        m |= FAILED;
    return m;
}

bool row_breaks_order(const struct row_state *r)
{
    uint8_t m = row_counts(r) & (SENT | DELIVERED | READ);

    return m != closed(m);
}

bool row_state_eq(const struct row_state *a, const struct row_state *b)
{
    return a->status == b->status && memcmp(a->at, b->at, sizeof a->at) == 0 &&
           slice_eq(a->error, b->error);
}

const char *cause_name(enum cause c)
{
    static const char *const names[CAUSE_COUNT] = {
        "", "missed_webhook", "overwritten", "inconsistent", "unproven", "timestamp"};

    return names[c];
}

static bool sees(const struct deciding *d, int m)
{
    return d->e->seen & M_BIT(m);
}

static void gather_times(struct deciding *d)
{
    int m;

    for (m = 0; m < M_COUNT; m++) {
        const struct sighting *s = &d->e->at[m];

        d->row_at[m] = d->r->at[m];
        d->seen_at[m] = TIME_NONE;
        if (!sees(d, m))
            continue;
        if (d->p->earliest && !s->approximate && d->row_at[m] != TIME_NONE &&
            s->time < d->row_at[m] && d->row_at[m] - s->time > d->p->tolerance)
            d->row_at[m] = s->time;
        if (s->approximate && d->p->null_approximate) {
            d->seen_at[m] = d->rebuild ? d->row_at[m] : TIME_NONE;
            continue;
        }
        d->seen_at[m] = s->time;
        if (s->approximate)
            d->approximate |= M_BIT(m);
    }
}

static enum row_status final_status(const struct deciding *d)
{
    if ((d->known & FAILED) && !(d->unless_delivered && (d->known & DELIVERED)))
        return ROW_FAILED;
    if (d->known & READ)
        return ROW_READ;
    if (d->known & DELIVERED)
        return ROW_DELIVERED;
    if (d->known & SENT)
        return ROW_SENT;
    return d->r->status;
}

/* The first known of the row's time (not in a rebuild, sent_at excepted) and
 * the evidence's. */
static int64_t first_known(const struct deciding *d, int m, struct decision *out)
{
    if ((!d->rebuild || m == M_SENT) && d->row_at[m] != TIME_NONE)
        return d->row_at[m];
    if (d->approximate & M_BIT(m))
        out->approximate |= M_BIT(m);
    return d->seen_at[m];
}

static int64_t not_known(const struct deciding *d, int m)
{
    return d->rebuild && m != M_SENT ? TIME_NONE : d->row_at[m];
}

/* Takes a time from another milestone where there is none. */
static void imply(struct decision *out, int m, int from)
{
    if (out->after.at[m] != TIME_NONE || out->after.at[from] == TIME_NONE)
        return;
    out->after.at[m] = out->after.at[from];
    if (out->approximate & M_BIT(from))
        out->approximate |= M_BIT(m);
}

static void final_times(const struct deciding *d, struct decision *out)
{
    int64_t *at = out->after.at;

    at[M_READ] = d->known & READ ? first_known(d, M_READ, out) : not_known(d, M_READ);
    if (d->known & DELIVERED) {
        at[M_DELIVERED] = first_known(d, M_DELIVERED, out);
        imply(out, M_DELIVERED, M_READ);
    } else {
        at[M_DELIVERED] = not_known(d, M_DELIVERED);
    }
    if (d->known & SENT) {
        bool read_is_least = at[M_READ] != TIME_NONE &&
                             (at[M_DELIVERED] == TIME_NONE || at[M_READ] < at[M_DELIVERED]);

        at[M_SENT] = first_known(d, M_SENT, out);
        imply(out, M_SENT, read_is_least ? M_READ : M_DELIVERED);
    } else {
        at[M_SENT] = not_known(d, M_SENT);
    }
    at[M_FAILED] =
        out->after.status == ROW_FAILED ? first_known(d, M_FAILED, out) : not_known(d, M_FAILED);
}

/* The text without its NULs, which PostgreSQL cannot hold. */
static struct slice without_nul(struct slice text, char *scratch)
{
    size_t i, n = 0;

    if (!text.p || !memchr(text.p, '\0', text.n))
        return text;
    for (i = 0; i < text.n; i++) {
        if (text.p[i] != '\0')
            scratch[n++] = text.p[i];
    }
    return (struct slice){scratch, n};
}

static struct slice final_error(const struct deciding *d, const struct decision *out, char *scratch)
{
    struct slice text;

    if (out->after.status != ROW_FAILED || d->r->error.n > 0 || !sees(d, M_FAILED))
        return d->r->error;
    text = without_nul(d->e->error, scratch);
    return text.n > 0 ? text : slice_of(unknown_error);
}

static uint8_t milestone_of(enum row_status s)
{
    switch (s) {
    case ROW_SENT:
        return SENT;
    case ROW_DELIVERED:
        return DELIVERED;
    case ROW_READ:
        return READ;
    case ROW_FAILED:
        return FAILED;
    case ROW_PENDING:
    case ROW_SENDING:
    case ROW_UNKNOWN:
        break;
    }
    return 0;
}

/* Do the row's times alone prove more than its status says? */
static bool was_overwritten(const struct row_state *r, const struct row_state *after)
{
    enum row_status proven = ROW_SENDING;

    if (r->at[M_SENT] != TIME_NONE)
        proven = ROW_SENT;
    if (r->at[M_DELIVERED] != TIME_NONE)
        proven = ROW_DELIVERED;
    if (r->at[M_READ] != TIME_NONE)
        proven = ROW_READ;
    if (r->status == ROW_FAILED)
        return after->status != ROW_FAILED;
    return proven > r->status;
}

static bool contradicts_itself(const struct row_state *r)
{
    uint8_t m = closed(row_counts(r));
    int i;

    for (i = 0; i < M_COUNT; i++) {
        if ((m & M_BIT(i)) && r->at[i] == TIME_NONE)
            return true;
    }
    return false;
}

static enum cause find_cause(const struct deciding *d, const struct row_state *after)
{
    uint8_t recorded = row_counts(d->r);

    if (row_state_eq(d->r, after))
        return CAUSE_NONE;
    if (recorded & ~d->known)
        return CAUSE_UNPROVEN;
    if (milestone_of(after->status) & ~closed(recorded))
        return CAUSE_MISSED_WEBHOOK;
    if (was_overwritten(d->r, after))
        return CAUSE_OVERWRITTEN;
    return contradicts_itself(d->r) ? CAUSE_INCONSISTENT : CAUSE_TIMESTAMP;
}

void decide(const struct row_state *r, const struct evidence *e, const struct policy *p,
            char *scratch, struct decision *out)
{
    static const struct evidence nothing = {.error = {NULL, 0}};
    struct deciding d = {.r = r, .e = e ? e : &nothing, .p = p};
    uint8_t proven = EVIDENCE_PROVES(d.e);
    bool unproven_failure;

    *out = (struct decision){.after = *r, .cause = CAUSE_NONE};
    if (r->status == ROW_PENDING || r->status == ROW_UNKNOWN ||
        (r->status == ROW_SENDING && !proven)) {
        out->left_alone = true;
        return;
    }
    /* A failure written at send time leaves no evidence: no proof against it. */
    unproven_failure = p->rebuild && r->status == ROW_FAILED && !proven;
    d.rebuild = p->rebuild && !p->by_merge && !unproven_failure;
    d.unless_delivered = p->failed_unless_delivered && !unproven_failure;
    if (!d.rebuild)
        proven |= row_counts(r);
    else if (r->at[M_SENT] != TIME_NONE || r->status != ROW_SENDING)
        proven |= SENT;
    d.known = closed(proven);
    gather_times(&d);
    out->after.status = final_status(&d);
    final_times(&d, out);
    out->after.error = final_error(&d, out, scratch);
    out->cause = find_cause(&d, &out->after);
    if (out->cause == CAUSE_NONE)
        out->approximate = 0;
    out->regression =
        out->cause == CAUSE_UNPROVEN ||
        (out->after.status == ROW_FAILED && (r->status == ROW_DELIVERED || r->status == ROW_READ));
}
