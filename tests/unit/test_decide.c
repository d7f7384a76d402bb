#include "decide.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"

#define START INT64_C(1793534400000000) /* 2026-11-01T12:00:00Z */
#define SECONDS(n) ((n)*US_PER_SECOND)
#define MINUTES(n) SECONDS((n)*INT64_C(60))

/* --- the reference: docs/semantics.md 5, sentence by sentence --- */

struct known {
    bool sent, delivered, read, failed;
};

/* A time and whether it came from an approximate sighting. */
struct moment {
    int64_t us;
    bool approximate;
};

struct expected {
    struct row_state after;
    enum cause cause;
    struct moment at[M_COUNT];
    bool left_alone;
};

static bool sees(const struct evidence *e, int m)
{
    return e && (e->seen >> m & 1);
}

static bool proves_a_milestone(const struct evidence *e)
{
    return sees(e, M_SENT) || sees(e, M_DELIVERED) || sees(e, M_READ) || sees(e, M_FAILED);
}

static struct known close_over(struct known k)
{
    k.delivered = k.delivered || k.read;
    k.sent = k.sent || k.delivered;
    return k;
}

static struct known recorded_by(const struct row_state *r)
{
    bool read = r->status == ROW_READ;
    bool delivered = r->status == ROW_DELIVERED || read;
    bool sent = r->status == ROW_SENT || delivered;

    return (struct known){
        .sent = sent || r->at[M_SENT] != TIME_NONE,
        .delivered = delivered || r->at[M_DELIVERED] != TIME_NONE,
        .read = read || r->at[M_READ] != TIME_NONE,
        .failed = r->status == ROW_FAILED,
    };
}

static struct known find_known(const struct row_state *r, const struct evidence *e, bool merge)
{
    struct known k = {sees(e, M_SENT), sees(e, M_DELIVERED), sees(e, M_READ), sees(e, M_FAILED)};
    struct known own = recorded_by(r);

    if (merge) {
        k.sent = k.sent || own.sent;
        k.delivered = k.delivered || own.delivered;
        k.read = k.read || own.read;
        k.failed = k.failed || own.failed;
    } else {
        k.sent = k.sent || r->at[M_SENT] != TIME_NONE || r->status != ROW_SENDING;
    }
    return close_over(k);
}

static enum row_status status_for(struct known k, bool failed_always, enum row_status otherwise)
{
    if (k.failed && (failed_always || !k.delivered))
        return ROW_FAILED;
    return k.read ? ROW_READ : k.delivered ? ROW_DELIVERED : k.sent ? ROW_SENT : otherwise;
}

/* R's time, or what --timestamps=earliest puts in its place. */
static struct moment of_row(const struct row_state *r, const struct evidence *e,
                            const struct policy *p, int m)
{
    if (p->earliest && sees(e, m) && !e->at[m].approximate && r->at[m] != TIME_NONE &&
        e->at[m].time < r->at[m] - p->tolerance)
        return (struct moment){e->at[m].time, false};
    return (struct moment){r->at[m], false};
}

static struct moment of_evidence(const struct row_state *r, const struct evidence *e,
                                 const struct policy *p, bool merge, int m)
{
    struct moment none = {TIME_NONE, false};

    if (!sees(e, m))
        return none;
    if (e->at[m].approximate && p->null_approximate)
        return merge ? none : (struct moment){r->at[m], false};
    return (struct moment){e->at[m].time, e->at[m].approximate};
}

static struct moment either(struct moment first, struct moment second)
{
    return first.us != TIME_NONE ? first : second;
}

static struct moment least(struct moment a, struct moment b)
{
    if (a.us == TIME_NONE || b.us == TIME_NONE)
        return either(a, b);
    return b.us < a.us ? b : a;
}

static void find_times(const struct row_state *r, const struct evidence *e, const struct policy *p,
                       struct known k, bool merge, struct expected *x)
{
    const struct moment none = {TIME_NONE, false};
    struct moment row[M_COUNT], seen[M_COUNT], own[M_COUNT];
    int m;

    for (m = 0; m < M_COUNT; m++) {
        row[m] = of_row(r, e, p, m);
        seen[m] = of_evidence(r, e, p, merge, m);
        own[m] = merge ? row[m] : none; /* what is left of R's where a milestone is not known */
    }
    own[M_SENT] = row[M_SENT];
    memcpy(x->at, own, sizeof x->at);
    if (k.read)
        x->at[M_READ] = either(own[M_READ], seen[M_READ]);
    if (k.delivered)
        x->at[M_DELIVERED] = either(either(own[M_DELIVERED], seen[M_DELIVERED]), x->at[M_READ]);
    if (k.sent)
        x->at[M_SENT] =
            either(either(own[M_SENT], seen[M_SENT]), least(x->at[M_DELIVERED], x->at[M_READ]));
    if (x->after.status == ROW_FAILED)
        x->at[M_FAILED] = either(own[M_FAILED], seen[M_FAILED]);
    for (m = 0; m < M_COUNT; m++)
        x->after.at[m] = x->at[m].us;
}

/* The evidence's error without NULs; the tests put them in one text only. */
static struct slice text_for_database(struct slice error)
{
    return error.n == 5 && memcmp(error.p, "\0no\0t", 5) == 0 ? slice_of("not") : error;
}

static struct slice find_error(const struct row_state *r, const struct evidence *e,
                               enum row_status status)
{
    struct slice text;

    if (status != ROW_FAILED || (r->error.p && r->error.n > 0))
        return r->error;
    text = sees(e, M_FAILED) ? text_for_database(e->error) : SLICE_NONE;
    if (text.p && text.n > 0 && !(text.n == 1 && text.p[0] == '\0'))
        return text;
    return sees(e, M_FAILED) ? slice_of("Erro desconhecido") : r->error;
}

static bool proves(struct known k, enum row_status status)
{
    switch (status) {
    case ROW_SENT:
        return k.sent;
    case ROW_DELIVERED:
        return k.delivered;
    case ROW_READ:
        return k.read;
    case ROW_FAILED:
        return k.failed;
    case ROW_SENDING:
    case ROW_PENDING:
    case ROW_UNKNOWN:
        break;
    }
    return true;
}

static bool times_prove_more(const struct row_state *r, enum row_status final)
{
    struct row_state times_only = *r;
    enum row_status by_times;

    if (r->status == ROW_FAILED)
        return final != ROW_FAILED;
    times_only.status = ROW_SENDING;
    by_times = status_for(close_over(recorded_by(&times_only)), true, ROW_SENDING);
    return by_times > r->status;
}

static bool lacks_a_time(const struct row_state *r)
{
    struct known k = close_over(recorded_by(r));

    return (k.sent && r->at[M_SENT] == TIME_NONE) ||
           (k.delivered && r->at[M_DELIVERED] == TIME_NONE) ||
           (k.read && r->at[M_READ] == TIME_NONE) || (k.failed && r->at[M_FAILED] == TIME_NONE);
}

static enum cause why(const struct row_state *r, const struct row_state *after, struct known k)
{
    struct known own = recorded_by(r);

    if (row_state_eq(r, after))
        return CAUSE_NONE;
    if ((own.sent && !k.sent) || (own.delivered && !k.delivered) || (own.read && !k.read) ||
        (own.failed && !k.failed))
        return CAUSE_UNPROVEN;
    if (!proves(close_over(own), after->status))
        return CAUSE_MISSED_WEBHOOK;
    if (times_prove_more(r, after->status))
        return CAUSE_OVERWRITTEN;
    return lacks_a_time(r) ? CAUSE_INCONSISTENT : CAUSE_TIMESTAMP;
}

static void expect(const struct row_state *r, const struct evidence *e, const struct policy *p,
                   struct expected *x)
{
    bool silent = r->status == ROW_FAILED && !proves_a_milestone(e);
    bool merge = !p->rebuild || p->by_merge || silent;
    bool failed_always = !p->failed_unless_delivered || (p->rebuild && silent);
    struct known k = find_known(r, e, merge);

    memset(x, 0, sizeof *x);
    x->after = *r;
    x->left_alone = r->status == ROW_PENDING || r->status == ROW_UNKNOWN ||
                    (r->status == ROW_SENDING && !proves_a_milestone(e));
    if (x->left_alone)
        return;
    x->after.status = status_for(k, failed_always, r->status);
    find_times(r, e, p, k, merge, x);
    x->after.error = find_error(r, e, x->after.status);
    x->cause = why(r, &x->after, k);
}

/* --- what is checked of each decision --- */

static void show_times(char *text, size_t size, const int64_t *at)
{
    size_t used = 0;
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if (at[m] == TIME_NONE)
            used += (size_t)snprintf(text + used, size - used, " -");
        else
            used += (size_t)snprintf(text + used, size - used, " %lld",
                                     (long long)((at[m] - START) / US_PER_SECOND));
    }
}

static void show_row(char *text, size_t size, const struct row_state *r)
{
    char times[128];

    show_times(times, sizeof times, r->at);
    (void)snprintf(text, size, "%s%s error %.*s", row_status_name(r->status), times,
                   (int)r->error.n, r->error.p ? r->error.p : "");
}

static void complain(const char *what, const struct row_state *r, const struct evidence *e,
                     const struct policy *p, const struct decision *d)
{
    char row[256], after[256], times[128];
    int64_t at[M_COUNT];
    int m, approximate = 0;

    show_row(row, sizeof row, r);
    show_row(after, sizeof after, &d->after);
    for (m = 0; m < M_COUNT; m++) {
        at[m] = sees(e, m) ? e->at[m].time : TIME_NONE;
        approximate |= sees(e, m) && e->at[m].approximate ? 1 << m : 0;
    }
    show_times(times, sizeof times, at);
    fail_msg("%s: row %s; evidence%s approximate %x; %s%s%s%s; after %s, cause \"%s\"", what, row,
             times, (unsigned)approximate,
             !p->rebuild   ? "merge"
             : p->by_merge ? "rebuild by merge"
                           : "rebuild",
             p->failed_unless_delivered ? " unless-delivered" : "", p->earliest ? " earliest" : "",
             p->null_approximate ? " null" : "", after, cause_name(d->cause));
}

#define CHECK(condition, what)                                                                     \
    do {                                                                                           \
        if (!(condition))                                                                          \
            complain(what, r, e, p, d);                                                            \
    } while (0)

static void check_as_the_rules_say(const struct row_state *r, const struct evidence *e,
                                   const struct policy *p, const struct decision *d)
{
    struct expected x;
    int m;

    expect(r, e, p, &x);
    CHECK(d->left_alone == x.left_alone, "left alone");
    CHECK(d->after.status == x.after.status, "status");
    for (m = 0; m < M_COUNT; m++) {
        bool bit = d->approximate >> m & 1;

        CHECK(d->after.at[m] == x.after.at[m], "times");
        CHECK(d->after.at[m] == r->at[m] || bit == x.at[m].approximate, "approximate");
        CHECK(!bit || d->after.at[m] != TIME_NONE, "approximate without a time");
    }
    CHECK(slice_eq(d->after.error, x.after.error), "error text");
    CHECK(d->cause == x.cause, "cause");
}

/* Nothing may be lost: but sent, delivered and read where only the status told
 * of them and the row is failed now, and failed where delivered goes before it. */
static void check_nothing_lost(const struct row_state *r, const struct evidence *e,
                               const struct policy *p, const struct decision *d)
{
    uint8_t lost = row_counts(r) & (uint8_t)~row_counts(&d->after);
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if (r->at[m] == TIME_NONE)
            continue;
        CHECK(d->after.at[m] != TIME_NONE, "a time was lost");
        CHECK(d->after.at[m] == r->at[m] ||
                  (p->earliest && d->after.at[m] < r->at[m] - p->tolerance && sees(e, m) &&
                   !e->at[m].approximate && d->after.at[m] == e->at[m].time),
              "a time was replaced");
        CHECK(m == M_FAILED || !(lost >> m & 1), "a milestone with a time was lost");
    }
    CHECK(!(lost & M_BIT(M_FAILED)) || p->failed_unless_delivered, "failed was lost");
    CHECK(!(lost & ~M_BIT(M_FAILED)) || d->after.status == ROW_FAILED, "a milestone was lost");
    CHECK(d->cause != CAUSE_UNPROVEN, "merge took something back");
}

static void check_promises(const struct row_state *r, const struct evidence *e,
                           const struct policy *p, const struct decision *d)
{
    bool differs = !row_state_eq(r, &d->after);

    CHECK(differs == (d->cause != CAUSE_NONE), "a cause without a difference, or the reverse");
    CHECK(differs || d->approximate == 0, "approximate without a difference");
    CHECK(!d->left_alone || !differs, "left alone and changed");
    CHECK(r->status != ROW_PENDING && r->status != ROW_UNKNOWN ? true : !differs, "untouchable");
    CHECK(d->left_alone || !row_breaks_order(&d->after), "order");
    CHECK(r->at[M_SENT] == TIME_NONE || d->after.at[M_SENT] != TIME_NONE, "sent_at was cleared");
    CHECK(d->cause != CAUSE_TIMESTAMP || r->status == d->after.status, "not only times changed");
    CHECK(d->regression == (d->cause == CAUSE_UNPROVEN ||
                            ((r->status == ROW_DELIVERED || r->status == ROW_READ) &&
                             d->after.status == ROW_FAILED)),
          "regression");
    if (p->failed_unless_delivered && d->after.status == ROW_FAILED)
        CHECK(!sees(e, M_DELIVERED) && !sees(e, M_READ), "failed although delivered");
    if (!p->failed_unless_delivered && sees(e, M_FAILED))
        CHECK(d->left_alone || d->after.status == ROW_FAILED, "not failed");
    if (!p->rebuild || p->by_merge)
        check_nothing_lost(r, e, p, d);
}

static void check(const struct row_state *r, const struct evidence *e, const struct policy *p)
{
    char scratch[16], scratch_again[16];
    struct decision first, again, *d = &first;

    decide(r, e, p, scratch, &first);
    check_as_the_rules_say(r, e, p, &first);
    check_promises(r, e, p, &first);
    decide(&first.after, e, p, scratch_again, &again);
    CHECK(again.cause == CAUSE_NONE && row_state_eq(&again.after, &first.after),
          "deciding again changes something");
}

/* --- the domain --- */

static const struct slice *row_errors(void)
{
    static struct slice texts[3];

    texts[0] = SLICE_NONE;
    texts[1] = slice_of("");
    texts[2] = slice_of("timeout");
    return texts;
}

static const struct slice *evidence_errors(void)
{
    static struct slice texts[4];

    texts[0] = SLICE_NONE;
    texts[1] = slice_of("not on WhatsApp");
    texts[2] = (struct slice){"\0no\0t", 5};
    texts[3] = (struct slice){"\0", 1};
    return texts;
}

/* Merge, rebuild, and rebuild of a row that is decided by merge all the same,
 * each with all choices of the rest. */
static struct policy policy_of(unsigned number)
{
    return (struct policy){
        .rebuild = number % 3 > 0,
        .by_merge = number % 3 == 2,
        .failed_unless_delivered = number / 3 & 1,
        .earliest = number / 3 & 2,
        .null_approximate = number / 3 & 4,
        .tolerance = SECONDS(60),
    };
}

/* digit m of `code` in base 3: no time, or one of two. */
static struct row_state row_of(unsigned status, unsigned code)
{
    struct row_state r = {.status = (enum row_status)status};
    int m;

    for (m = 0; m < M_COUNT; m++, code /= 3)
        r.at[m] = code % 3 == 0 ? TIME_NONE : START + MINUTES(code % 3 * 20);
    return r;
}

/* digit m of `code` in base 5: unseen, or seen early or late, exact or not. */
static struct evidence evidence_of(unsigned code)
{
    struct evidence e = {.error = SLICE_NONE};
    int m;

    for (m = 0; m < M_COUNT; m++, code /= 5) {
        unsigned digit = code % 5;

        if (digit == 0)
            continue;
        e.seen |= M_BIT(m);
        e.at[m].time = START + MINUTES(digit % 2 ? 10 : 30);
        e.at[m].approximate = digit > 2;
    }
    return e;
}

#define STATUSES 7u
#define ROWS 81u      /* 3 ^ 4 */
#define EVIDENCE 625u /* 5 ^ 4 */
#define POLICIES 24u  /* 3 * 2 ^ 3 */

static void every_row_and_evidence_is_decided_as_the_rules_say(void **state)
{
    unsigned status, row, seen, policy, n = 0;

    (void)state;
    for (status = 0; status < STATUSES; status++) {
        for (row = 0; row < ROWS; row++) {
            struct row_state r = row_of(status, row);

            for (seen = n % STRIDE; seen < EVIDENCE; seen += STRIDE) {
                struct evidence e = evidence_of(seen);

                r.error = row_errors()[n % 3];
                e.error = evidence_errors()[n / 3 % 4];
                for (policy = 0; policy < POLICIES; policy++) {
                    struct policy p = policy_of(policy);

                    check(&r, &e, &p);
                }
                n++;
            }
        }
    }
}

/* All error texts, on rows and evidence with fewer times. */
static void every_error_text_is_decided_as_the_rules_say(void **state)
{
    unsigned status, row, seen, policy, text;

    (void)state;
    for (status = 0; status < STATUSES; status++) {
        for (row = 0; row < 16; row++) {
            /* in base 3 the bits of row, in base 5 those of seen */
            unsigned code = (row & 1) + (row >> 1 & 1) * 3 + (row >> 2 & 1) * 9 + (row >> 3) * 27;
            struct row_state r = row_of(status, code);

            for (seen = 0; seen < 16; seen++) {
                struct evidence e = evidence_of((seen & 1) + (seen >> 1 & 1) * 5 +
                                                (seen >> 2 & 1) * 25 + (seen >> 3) * 125);

                for (text = 0; text < 12; text++) {
                    r.error = row_errors()[text % 3];
                    e.error = evidence_errors()[text / 3];
                    for (policy = 0; policy < POLICIES; policy++) {
                        struct policy p = policy_of(policy);

                        check(&r, &e, &p);
                    }
                }
            }
        }
    }
}

/* --- at random: all orders of times, differences around the tolerance --- */

static int64_t random_time(struct rng *r)
{
    static const int64_t after_start[] = {0,
                                          1,
                                          SECONDS(59),
                                          SECONDS(60),
                                          SECONDS(60) + 1,
                                          SECONDS(61),
                                          SECONDS(120),
                                          SECONDS(121),
                                          MINUTES(3),
                                          MINUTES(4),
                                          MINUTES(5),
                                          MINUTES(60)};

    return START + after_start[rng_below(r, COUNT_OF(after_start))];
}

static void random_evidence(struct rng *r, struct evidence *e)
{
    int m;

    memset(e, 0, sizeof *e);
    e->seen = (uint8_t)rng_below(r, 32); /* M_PENDING_BIT too */
    for (m = 0; m < M_COUNT; m++) {
        e->at[m].time = random_time(r); /* where it was not seen, it must not matter */
        e->at[m].approximate = rng_one_in(r, 3);
    }
    e->error = evidence_errors()[rng_below(r, 4)];
}

static void random_row(struct rng *r, struct row_state *row)
{
    int m;

    row->status = (enum row_status)rng_below(r, STATUSES);
    for (m = 0; m < M_COUNT; m++)
        row->at[m] = rng_one_in(r, 3) ? TIME_NONE : random_time(r);
    row->error = row_errors()[rng_below(r, 3)];
}

static struct policy random_policy(struct rng *r)
{
    static const int64_t tolerances[] = {0, 1, SECONDS(60), MINUTES(2), MINUTES(10000)};
    struct policy p = policy_of(rng_below(r, POLICIES));

    p.tolerance = tolerances[rng_below(r, COUNT_OF(tolerances))];
    return p;
}

static void times_in_any_order_are_decided_as_the_rules_say(void **state)
{
    struct rng rng = {31};
    struct row_state r;
    struct evidence e;
    int i;

    (void)state;
    for (i = 0; i < CASES(3000000); i++) {
        struct policy p = random_policy(&rng);

        random_row(&rng, &r);
        random_evidence(&rng, &e);
        check(&r, &e, &p);
    }
}

static void no_evidence_is_the_same_as_evidence_of_nothing(void **state)
{
    struct rng rng = {32};
    struct row_state r;
    int i;

    (void)state;
    for (i = 0; i < CASES(200000); i++) {
        struct evidence nothing = {.seen = rng_one_in(&rng, 2) ? M_PENDING_BIT : 0};
        struct policy p = random_policy(&rng);
        struct decision a, b;

        random_row(&rng, &r);
        check(&r, NULL, &p);
        decide(&r, NULL, &p, NULL, &a);
        decide(&r, &nothing, &p, NULL, &b);
        assert_true(row_state_eq(&a.after, &b.after));
        assert_int_equal(a.cause, b.cause);
        assert_int_equal(a.left_alone, b.left_alone);
    }
}

/* Archives of one night after those of another: the same statuses and counters. */
static void merging_slice_after_slice_ends_where_merging_all_does(void **state)
{
    struct slice name = slice_of("a");
    uint64_t hash = 0;
    const struct names archives = {.name = &name, .hash = &hash, .n = 1, .cap = 1};
    struct rng rng = {33};
    char scratch[3][16];
    int i;

    (void)state;
    for (i = 0; i < CASES(1000000); i++) {
        struct policy p = random_policy(&rng);
        struct decision first, second, whole;
        struct evidence one, two, both;
        struct row_state r;

        p.rebuild = false;
        random_row(&rng, &r);
        random_evidence(&rng, &one);
        random_evidence(&rng, &two);
        both = one;
        evidence_merge(&archives, &both, &two);
        decide(&r, &one, &p, scratch[0], &first);
        decide(&first.after, &two, &p, scratch[1], &second);
        decide(&r, &both, &p, scratch[2], &whole);
        if (second.after.status != whole.after.status ||
            row_counts(&second.after) != row_counts(&whole.after))
            complain("another status than slice after slice", &r, &both, &p, &whole);
    }
}

/* --- what an operator would ask first --- */

static struct decision decide_one(enum row_status status, const int64_t *at, uint8_t seen,
                                  const struct policy *p)
{
    static struct evidence e;
    struct row_state r = {.status = status, .error = SLICE_NONE};
    struct decision d;
    int m;

    memcpy(r.at, at, sizeof r.at);
    e = (struct evidence){.seen = seen, .error = SLICE_NONE};
    for (m = 0; m < M_COUNT; m++)
        e.at[m].time = START + MINUTES(m);
    decide(&r, &e, p, NULL, &d);
    return d;
}

static void a_lost_read_brings_all_that_it_proves(void **state)
{
    const int64_t at[M_COUNT] = {TIME_NONE, TIME_NONE, TIME_NONE, TIME_NONE};
    const struct policy p = policy_of(0);
    struct decision d = decide_one(ROW_SENT, at, M_BIT(M_READ), &p);

    (void)state;
    assert_int_equal(d.after.status, ROW_READ);
    assert_int_equal(d.cause, CAUSE_MISSED_WEBHOOK);
    assert_int_equal(d.after.at[M_READ], START + MINUTES(2));
    assert_int_equal(d.after.at[M_DELIVERED], START + MINUTES(2));
    assert_int_equal(d.after.at[M_SENT], START + MINUTES(2));
    assert_int_equal(d.after.at[M_FAILED], TIME_NONE);
}

static void a_stale_save_is_told_from_a_lost_webhook(void **state)
{
    const int64_t at[M_COUNT] = {START, START + 1, START + 2, TIME_NONE};
    const struct policy p = policy_of(0);
    struct decision d = decide_one(ROW_SENT, at, 0, &p);

    (void)state;
    assert_int_equal(d.after.status, ROW_READ);
    assert_int_equal(d.cause, CAUSE_OVERWRITTEN);
}

static void rebuild_takes_back_what_nothing_proves(void **state)
{
    const int64_t at[M_COUNT] = {START, START + 1, START + 2, START + 3};
    const struct policy p = policy_of(1);
    struct decision d = decide_one(ROW_READ, at, M_BIT(M_DELIVERED), &p);

    (void)state;
    assert_int_equal(d.after.status, ROW_DELIVERED);
    assert_int_equal(d.cause, CAUSE_UNPROVEN);
    assert_true(d.regression);
    assert_int_equal(d.after.at[M_SENT], START);
    assert_int_equal(d.after.at[M_DELIVERED], START + MINUTES(1));
    assert_int_equal(d.after.at[M_READ], TIME_NONE);
    assert_int_equal(d.after.at[M_FAILED], TIME_NONE);
}

static void a_failure_written_at_send_time_survives_a_rebuild(void **state)
{
    const int64_t at[M_COUNT] = {START, TIME_NONE, TIME_NONE, TIME_NONE};
    const struct policy p = policy_of(4); /* unless-delivered */
    struct decision d = decide_one(ROW_FAILED, at, M_PENDING_BIT, &p);

    (void)state;
    assert_int_equal(d.after.status, ROW_FAILED);
    assert_int_equal(d.cause, CAUSE_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_row_and_evidence_is_decided_as_the_rules_say),
        cmocka_unit_test(every_error_text_is_decided_as_the_rules_say),
        cmocka_unit_test(times_in_any_order_are_decided_as_the_rules_say),
        cmocka_unit_test(no_evidence_is_the_same_as_evidence_of_nothing),
        cmocka_unit_test(merging_slice_after_slice_ends_where_merging_all_does),
        cmocka_unit_test(a_lost_read_brings_all_that_it_proves),
        cmocka_unit_test(a_stale_save_is_told_from_a_lost_webhook),
        cmocka_unit_test(rebuild_takes_back_what_nothing_proves),
        cmocka_unit_test(a_failure_written_at_send_time_survives_a_rebuild),
    };

    return cmocka_run_group_tests_name("decide", tests, NULL, NULL);
}
