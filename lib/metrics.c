#include "metrics.h"

#include "outfile.h"
#include "version.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define BEFORE_MAX ((size_t)1 << 20) /* bytes of a file of metrics that is read again */
#define MODE 0644                    /* node_exporter is another user */
#define SERIES "reconcile_"          /* every name begins so */
#define BEGINNING "# HELP " SERIES
#define COUNT_OF(list) (sizeof(list) / sizeof(list)[0])

/* What of a metric there is in the file. */
enum kind {
    COUNTED, /* a gauge, reconcile_last_run_NAME, and a counter, reconcile_NAME_total */
    STATE    /* the gauge alone: it makes no sense to add it up */
};

struct sample {
    const char *value; /* of the label; NULL: there is none */
    uint64_t n;
};

struct metric {
    const char *name, *help; /* what is counted, in a few words */
    enum kind kind;
    uint64_t n;                  /* where there is no label but `tool` */
    const char *label;           /* else a sample for each of its values */
    const struct sample *sample; /* not owned */
    size_t samples;
};

struct writer {
    struct buf *b;
    const char *tool;
    const char *before;
};

/* ---- what was there before ---------------------------------------------------- */

/* What follows the series, a blank and all, in the lines of the text; NULL: it
 * is not there. */
static const char *find_value(const char *text, const char *series)
{
    size_t n = strlen(series);

    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        line += *line == '\n';
        if (strncmp(line, series, n) == 0)
            return line + n;
    }
    return NULL;
}

/* A value of ours as it was written: digits, and maybe a point and digits. 0: it is
 * none. */
static size_t value_length(const char *value)
{
    static const char digits[] = "0123456789";
    size_t n = strspn(value, digits), part;

    if (n > 0 && value[n] == '.') {
        part = strspn(value + n + 1, digits);
        n = part > 0 ? n + 1 + part : 0;
    }
    return n < 32 && (value[n] == '\n' || value[n] == '\0') ? n : 0;
}

static uint64_t count_before(const struct writer *w, const char *series)
{
    const char *value = find_value(w->before, series);

    return value && value_length(value) > 0 ? strtoull(value, NULL, 10) : 0;
}

/* ---- writing -------------------------------------------------------------------- */

static void put_head(struct writer *w, const char *name, const char *type, const char *help)
{
    buf_addf(w->b, "# HELP reconcile_%s %s\n", name, help);
    buf_addf(w->b, "# TYPE reconcile_%s %s\n", name, type);
}

/* The name and labels of a sample, and the blank behind them. Label values are
 * words of ours, without anything to be escaped. */
static void put_series(struct buf *b, const char *name, const char *tool, const char *label,
                       const char *value)
{
    buf_addf(b, "reconcile_%s{tool=\"%s\"", name, tool);
    if (label)
        buf_addf(b, ",%s=\"%s\"", label, value);
    buf_adds(b, "} ");
}

static void put_gauge_sample(struct writer *w, const char *name, const struct metric *m,
                             const char *value, uint64_t n)
{
    put_series(w->b, name, w->tool, m->label, value);
    buf_addf(w->b, "%" PRIu64 "\n", n);
}

/* What cannot be counted further stays: falling to 0 would look like a fresh start. */
static uint64_t add(uint64_t before, uint64_t n)
{
    uint64_t sum;

    return __builtin_add_overflow(before, n, &sum) ? UINT64_MAX : sum;
}

/* Adds to what the file holds. */
static void put_counter_sample(struct writer *w, const char *name, const struct metric *m,
                               const char *value, uint64_t n)
{
    struct buf series = BUF_INIT;

    put_series(&series, name, w->tool, m->label, value);
    buf_add(w->b, buf_str(&series), series.len);
    buf_addf(w->b, "%" PRIu64 "\n", add(count_before(w, buf_str(&series)), n));
    w->b->failed |= series.failed;
    buf_release(&series);
}

static void put_metric(struct writer *w, const struct metric *m, const char *before,
                       const char *after, bool counter)
{
    void (*put)(struct writer *, const char *, const struct metric *, const char *, uint64_t) =
        counter ? put_counter_sample : put_gauge_sample;
    struct buf name = BUF_INIT, help = BUF_INIT;

    buf_addf(&name, "%s%s%s", before, m->name, after);
    buf_addf(&help, "%s, %s.", m->help, counter ? "over all runs" : "of the last run");
    put_head(w, buf_str(&name), counter ? "counter" : "gauge", buf_str(&help));
    if (!m->label)
        put(w, buf_str(&name), m, NULL, m->n);
    for (size_t i = 0; m->label && i < m->samples; i++)
        put(w, buf_str(&name), m, m->sample[i].value, m->sample[i].n);
    w->b->failed |= name.failed || help.failed;
    buf_release(&name);
    buf_release(&help);
}

static void put_metrics(struct writer *w, const struct metric *m, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        put_metric(w, &m[i], "last_run_", "", false);
        if (m[i].kind == COUNTED)
            put_metric(w, &m[i], "", "_total", true);
    }
}

#define SAMPLES(label, list) 0, (label), (list), COUNT_OF(list)
#define NO_LABEL NULL, NULL, 0

/* ---- the run as such ------------------------------------------------------------ */

/* Every status there is, so that each counter begins at 0. */
static void put_runs(struct writer *w, int status)
{
    static const struct {
        int status;
        const char *text;
    } all[] = {{EXIT_CLEAN, "0"},        {EXIT_DIFFERENT, "1"},    {EXIT_USAGE, "2"},
               {EXIT_INPUT, "3"},        {EXIT_FAILED, "4"},       {EXIT_LOCKED, "5"},
               {EXIT_SIGNAL + 2, "130"}, {EXIT_SIGNAL + 15, "143"}};
    struct sample sample[COUNT_OF(all)];
    const struct metric runs = {"runs", "Runs that ended, by exit status", COUNTED,
                                SAMPLES("exit_status", sample)};

    for (size_t i = 0; i < COUNT_OF(all); i++)
        sample[i] = (struct sample){all[i].text, all[i].status == status};
    put_metric(w, &runs, "", "_total", true);
}

static void put_seconds(struct writer *w, const char *name, const char *help, int64_t us)
{
    put_head(w, name, "gauge", help);
    put_series(w->b, name, w->tool, NULL, NULL);
    buf_addf(w->b, "%" PRId64 ".%06" PRId64 "\n", us / US_PER_SECOND, us % US_PER_SECOND);
}

/* Nobody has to look at it: the run did its work, as far as its input went. */
static bool is_success(int status)
{
    return status == EXIT_CLEAN || status == EXIT_DIFFERENT || status == EXIT_INPUT;
}

/* A run that failed leaves what the file says of the one before. */
static void put_success(struct writer *w, const struct metrics *m)
{
    static const char name[] = "last_success_timestamp_seconds";
    static const char help[] = "When the last run ended that did its work: exit status 0, 1 or 3.";
    struct buf series = BUF_INIT;
    const char *value;

    if (is_success(m->status)) {
        put_seconds(w, name, help, m->ended_at);
        return;
    }
    put_series(&series, name, w->tool, NULL, NULL);
    value = find_value(w->before, buf_str(&series));
    if (value && value_length(value) > 0) {
        put_head(w, name, "gauge", help);
        buf_addf(w->b, "%s%.*s\n", buf_str(&series), (int)value_length(value), value);
    }
    w->b->failed |= series.failed;
    buf_release(&series);
}

static void put_ending(struct writer *w, const struct metrics *m)
{
    const struct metric ending[] = {
        {"exit_status", "Exit status", STATE, (uint64_t)m->status, NO_LABEL},
        {"applied", "1 where the database was written to, or could have been; else 0", STATE,
         m->run && m->run->applied, NO_LABEL},
    };

    put_head(w, "build_info", "gauge", "1, with the version of the program.");
    put_series(w->b, "build_info", w->tool, "version", VERSION);
    buf_adds(w->b, "1\n");
    put_seconds(w, "last_run_timestamp_seconds", "When the last run ended.", m->ended_at);
    put_success(w, m);
    put_seconds(w, "last_run_duration_seconds", "How long the last run took.",
                (int64_t)(m->seconds * (double)US_PER_SECOND));
    put_metrics(w, ending, COUNT_OF(ending));
    put_runs(w, m->status);
}

/* ---- what it read --------------------------------------------------------------- */

static void put_input(struct writer *w, const struct run_input *in)
{
    const struct event_counts *c = &in->events;
    struct sample rejected[REJECT_COUNT];
    const struct metric input[] = {
        {"archives", "Archives named, directories expanded", COUNTED, in->archives, NO_LABEL},
        {"archives_damaged", "Archives and states files that were damaged or unreadable", COUNTED,
         in->archives_damaged, NO_LABEL},
        {"archives_growing", "Archives that were still being written", COUNTED,
         in->archives_growing, NO_LABEL},
        {"stored_bytes", "Bytes of archives that were read, as they are stored", COUNTED,
         in->bytes_compressed, NO_LABEL},
        {"read_bytes", "Bytes of archives that were read, decompressed", COUNTED, in->bytes,
         NO_LABEL},
        {"records", "JSON objects and rejected stretches in archives", COUNTED, c->records,
         NO_LABEL},
        {"rejected", "Records, or parts of them, that were rejected, by reason", COUNTED,
         SAMPLES("reason", rejected)},
        {"status_events", "Statuses of messages that were read", COUNTED, c->status_events,
         NO_LABEL},
        {"requests", "Requests sent to Evolution, every try counted", COUNTED, in->requests,
         NO_LABEL},
        {"requests_failed", "Requests whose answer could not be used", COUNTED, in->requests_failed,
         NO_LABEL},
    };

    for (int i = 0; i < REJECT_COUNT; i++)
        rejected[i] = (struct sample){reject_name((enum reject)i), c->rejected[i]};
    put_metrics(w, input, COUNT_OF(input));
}

/* ---- what it wrote -------------------------------------------------------------- */

static void fill_causes(struct sample *sample, const uint64_t *causes)
{
    for (int c = CAUSE_NONE + 1; c < CAUSE_COUNT; c++)
        sample[c - CAUSE_NONE - 1] = (struct sample){cause_name((enum cause)c), causes[c]};
}

/* Known however the run ended. */
static void put_written(struct writer *w, const struct run *r)
{
    struct sample causes[CAUSE_COUNT - CAUSE_NONE - 1];
    const struct metric written[] = {
        {"corrections_written", "Corrections that were committed, by cause", COUNTED,
         SAMPLES("cause", causes)},
        {"conflicts", "Corrections not written, as their rows moved", COUNTED,
         r->messages.conflicts, NO_LABEL},
        {"busy", "Corrections not written, as their rows stayed locked", COUNTED, r->messages.busy,
         NO_LABEL},
    };

    fill_causes(causes, r->written);
    put_metrics(w, written, COUNT_OF(written));
}

/* ---- what it found -------------------------------------------------------------- */

/* Between what is stored and what was counted, over the campaigns. */
static uint64_t drift(const struct run *r, int milestone)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < r->campaigns; i++) {
        const struct campaign_result *c = &r->campaign[i];
        int64_t stored = milestone < 0 ? c->stored.total : c->stored.count[milestone];
        int64_t counted = milestone < 0 ? c->recomputed.total : c->recomputed.count[milestone];

        stored = stored < 0 ? 0 : stored; /* NULL */
        counted = counted < 0 ? 0 : counted;
        sum += (uint64_t)(stored > counted ? stored - counted : counted - stored);
    }
    return sum;
}

static void put_campaigns(struct writer *w, const struct run *r)
{
    struct sample drifts[M_COUNT + 1];
    uint64_t differ = 0, left_alone = 0;

    for (size_t i = 0; i < r->campaigns; i++) {
        differ += campaign_differs(&r->campaign[i], r->fix_total);
        left_alone += r->campaign[i].left_alone;
    }
    for (int m = 0; m < M_COUNT; m++)
        drifts[m] = (struct sample){milestone_name((enum milestone)m), drift(r, m)};
    drifts[M_COUNT] = (struct sample){"total", drift(r, -1)};

    const struct metric campaigns[] = {
        {"campaigns", "Campaigns in scope", STATE, r->campaigns, NO_LABEL},
        {"campaigns_with_drift", "Campaigns whose counters differed from their rows", STATE, differ,
         NO_LABEL},
        {"drift", "Differences of counters from their rows, added up, by counter", STATE,
         SAMPLES("counter", drifts)},
        {"campaigns_left_alone", "Campaigns left alone, as their rows contradict each other", STATE,
         left_alone, NO_LABEL},
    };

    put_metrics(w, campaigns, COUNT_OF(campaigns));
}

static void put_findings(struct writer *w, const struct run *r)
{
    const struct run_messages *n = &r->messages;
    const struct sample evidence[] = {
        {"used", n->used},
        {"not_campaign_message", n->not_campaign_message},
        {"ambiguous", n->ambiguous},
        {"instance_mismatch", n->instance_mismatch},
    };
    struct sample causes[CAUSE_COUNT - CAUSE_NONE - 1];
    uint64_t silent = 0;

    for (size_t i = 0; i < r->gaps; i++)
        silent += r->gap[i].messages;
    fill_causes(causes, r->causes);

    const struct metric found[] = {
        {"corrections", "Corrections that were found, written or not, by cause", STATE,
         SAMPLES("cause", causes)},
        {"regressions", "Corrections from delivered or read to failed, and unproven ones", STATE,
         n->regressions, NO_LABEL},
        {"evidence", "Messages that evidence was found of, by what became of it", STATE,
         SAMPLES("result", evidence)},
        {"rows_matched", "Rows that evidence speaks for", STATE, n->matched, NO_LABEL},
        {"rows_deferred", "Rows too young to be corrected", STATE, n->deferred, NO_LABEL},
        {"rows_not_asked", "Unsettled rows that a poll did not ask about", STATE,
         n->unsettled_not_asked, NO_LABEL},
        {"gaps", "Stretches of messages without a receipt", STATE, r->gaps, NO_LABEL},
        {"gap_messages", "Messages in these stretches", STATE, silent, NO_LABEL},
    };

    put_metrics(w, found, COUNT_OF(found));
    put_campaigns(w, r);
}

void metrics_put(struct buf *b, const struct metrics *m, const char *before)
{
    static const struct run none;
    const struct run *r = m->run ? m->run : &none;
    struct writer w = {b, m->tool, before};

    put_ending(&w, m);
    put_input(&w, &r->input);
    put_written(&w, r);
    if (m->whole && !r->offline)
        put_findings(&w, r);
}

/* ---- the file --------------------------------------------------------------------- */

static int refuse(const char *path, const char *reason, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not write metrics to \"%s\": %s", path, reason);
}

/* Up to BEFORE_MAX bytes, and one to see that there are more. */
static int read_text(int fd, const char *path, struct buf *b, struct err *e)
{
    while (b->len <= BEFORE_MAX) {
        ssize_t n;

        if (!buf_reserve(b, 65536))
            return err_oom(e);
        n = read(fd, b->data + b->len, 65536);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return refuse(path, strerror(errno), e);
        if (n == 0)
            break;
        b->len += (size_t)n;
        b->data[b->len] = '\0';
    }
    return 0;
}

/* What the file holds; nothing of one that is not there, or no regular file. An
 * option with a typing error in it must not cost an archive. */
static int read_before(const char *path, struct buf *b, struct err *e)
{
    struct stat st;
    int fd, status;

    if (stat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return 0; /* whatever is wrong with it, writing will find it again */
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return refuse(path, strerror(errno), e);
    status = read_text(fd, path, b, e);
    (void)close(fd);
    if (status < 0)
        return -1;
    if (b->len > 0 && strncmp(buf_str(b), BEGINNING, sizeof BEGINNING - 1) != 0)
        return refuse(path, "what it holds is not of a run before, and is left as it is", e);
    if (b->len > BEFORE_MAX)
        return refuse(path, "it is larger than 1 MiB", e);
    return 0;
}

/* The value of the label that says whose a line is; n is 0 where it is nobody's: no
 * series of ours, or a line that is damaged. */
static struct slice owner_of(const char *line)
{
    static const char label[] = "{tool=\"";
    const char *labels = line + strcspn(line, "{\n");
    struct slice tool = SLICE_NONE;

    if (strncmp(line, SERIES, sizeof SERIES - 1) != 0 ||
        strncmp(labels, label, sizeof label - 1) != 0)
        return tool;
    tool.p = labels + sizeof label - 1;
    tool.n = strspn(tool.p, " abcdefghijklmnopqrstuvwxyz");
    return tool.p[tool.n] == '"' ? tool : SLICE_NONE;
}

/* Whose series, of another tool, the text holds; n is 0: nobody's. */
static struct slice find_other(const char *text, const char *tool)
{
    for (const char *line = text; line && *line; line = strchr(line, '\n')) {
        struct slice owner;

        line += *line == '\n';
        owner = owner_of(line);
        if (owner.n > 0 && !slice_eq(owner, slice_of(tool)))
            return owner;
    }
    return SLICE_NONE;
}

/* Replacing it would lose the other tool's counters and its last success, with nothing
 * to tell of it: an alert on their age would go off, or never again. */
static int refuse_other(const char *path, const char *tool, const struct buf *before, int status,
                        struct err *e)
{
    struct slice other = find_other(buf_str(before), tool);

    if (other.n == 0)
        return 0;
    return err_set(e, status, "metrics file \"%s\" holds those of %.*s: %s needs a file of its own",
                   path, (int)other.n, other.p, tool);
}

int metrics_check(const char *path, const char *tool, struct err *e)
{
    struct err later = ERR_INIT;
    struct buf before = BUF_INIT;
    int status = 0;

    if (read_before(path, &before, &later) == 0)
        status = refuse_other(path, tool, &before, EXIT_USAGE, e);
    buf_release(&before);
    return status;
}

static int replace(const char *path, const struct buf *text, struct err *e)
{
    struct outfile *f;

    if (outfile_open(&f, path, MODE, false, e) < 0)
        return -1;
    if (outfile_set_mode(f, MODE, e) < 0 || outfile_write(f, buf_str(text), text->len, e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}

int metrics_write(const char *path, const struct metrics *m, struct err *e)
{
    struct buf before = BUF_INIT, text = BUF_INIT;
    int status = read_before(path, &before, e);

    if (status == 0)
        status = refuse_other(path, m->tool, &before, EXIT_FAILED, e);
    if (status == 0) {
        metrics_put(&text, m, buf_str(&before));
        status = text.failed ? err_oom(e) : replace(path, &text, e);
    }
    buf_release(&before);
    buf_release(&text);
    return status;
}
