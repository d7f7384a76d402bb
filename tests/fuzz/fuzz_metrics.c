/* The metrics are in Prometheus' text format whatever the file held before, and adding
 * a run to them twice adds it twice.
 *
 * Input: a byte that chooses how the run ended; then what the file held. */
#include "report_world.h"

#include "fuzz.h"
#include "metrics.h"

#include <ctype.h>
#include <math.h>
#include <stdlib.h>

#define SERIES_MAX 512

struct series {
    char *name; /* with its labels; owned */
    size_t length;
    double value;
    bool counter;
};

struct exposition {
    struct series series[SERIES_MAX];
    size_t n;
};

static bool same_name(const struct series *a, const struct series *b)
{
    return a->length == b->length && memcmp(a->name, b->name, a->length) == 0;
}

static size_t name_length(const char *p)
{
    size_t n = 0;

    while (isalnum((unsigned char)p[n]) || p[n] == '_' || p[n] == ':')
        n++;
    FUZZ_EXPECT(n > 0 && !isdigit((unsigned char)p[0]));
    return n;
}

/* {name="value",...}; returns its length. */
static size_t labels_length(const char *p)
{
    size_t n = 0;

    do {
        n++;
        n += name_length(p + n);
        FUZZ_EXPECT(p[n] == '=' && p[n + 1] == '"');
        for (n += 2; p[n] != '"'; n++)
            FUZZ_EXPECT((unsigned char)p[n] >= 0x20 && p[n] != '\\');
        n++;
    } while (p[n] == ',');
    FUZZ_EXPECT(p[n] == '}');
    return n + 1;
}

/* A sample of the metric that the last TYPE was of. */
static void read_sample(struct exposition *x, const char *line, const char *metric, bool counter)
{
    size_t n = name_length(line);
    struct series *s = &x->series[x->n];
    char *end;

    FUZZ_EXPECT(n == strlen(metric) && memcmp(line, metric, n) == 0 && x->n < SERIES_MAX);
    if (line[n] == '{')
        n += labels_length(line + n);
    FUZZ_EXPECT(line[n] == ' ' && (isdigit((unsigned char)line[n + 1]) || line[n + 1] == '-'));
    s->name = strndup(line, n);
    s->length = n;
    s->counter = counter;
    s->value = strtod(line + n, &end);
    if (*end != '\0' || !isfinite(s->value))
        fuzz_found("no value: %s", line);
    for (size_t i = 0; i < x->n; i++)
        if (same_name(&x->series[i], s))
            fuzz_found("twice: %s", s->name);
    x->n++;
}

/* "# TYPE name gauge"; the name goes to *metric. */
static bool read_type(const char *line, char **metric)
{
    size_t n = name_length(line + 7);

    free(*metric);
    *metric = strndup(line + 7, n);
    FUZZ_EXPECT(strcmp(line + 7 + n, " counter") == 0 || strcmp(line + 7 + n, " gauge") == 0);
    return line[7 + n + 1] == 'c';
}

static void read_exposition(const struct buf *text, struct exposition *x)
{
    struct slice rest = {buf_str(text), text->len}, part;
    char *metric = NULL;
    bool counter = false;

    x->n = 0;
    FUZZ_EXPECT(text->len > 0 && text->data[text->len - 1] == '\n');
    FUZZ_EXPECT(fuzz_is_safe(rest, "\n"));
    while (fuzz_part(&rest, '\n', &part) && rest.p) {
        char *line = strndup(part.p, part.n);

        if (strncmp(line, "# TYPE ", 7) == 0)
            counter = read_type(line, &metric);
        else if (strncmp(line, "# HELP ", 7) == 0)
            (void)name_length(line + 7);
        else if (metric)
            read_sample(x, line, metric, counter);
        else
            fuzz_found("a sample without a type: %s", line);
        free(line);
    }
    free(metric);
}

static const struct series *find(const struct exposition *x, const struct series *s)
{
    for (size_t i = 0; i < x->n; i++)
        if (same_name(&x->series[i], s))
            return &x->series[i];
    fuzz_found("%s is gone", s->name);
}

static void release(struct exposition *x)
{
    while (x->n > 0)
        free(x->series[--x->n].name);
}

/* What one run adds to each counter is added by the next run, too: from `none` to
 * `once` as from `once` to `twice`. Beyond 2^53 a double is no count. */
static void compare(const struct exposition *none, const struct exposition *once,
                    const struct exposition *twice)
{
    FUZZ_EXPECT(once->n == twice->n || once->n + 1 == twice->n || once->n == twice->n + 1);
    for (size_t i = 0; i < once->n; i++) {
        const struct series *s = &once->series[i], *next = find(twice, s);
        double added = s->counter ? find(none, s)->value : 0;

        if (s->counter && s->value < 0x1p53 && next->value != s->value + added)
            fuzz_found("%s goes from %.0f to %.0f", s->name, s->value, next->value);
        if (s->counter && next->value < s->value)
            fuzz_found("%s goes down", s->name);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const int statuses[] = {EXIT_CLEAN,  EXIT_DIFFERENT, EXIT_USAGE,      EXIT_INPUT,
                                   EXIT_FAILED, EXIT_LOCKED,    EXIT_SIGNAL + 2, EXIT_SIGNAL + 15};
    static struct exposition x[3];
    struct buf text[3] = {BUF_INIT, BUF_INIT, BUF_INIT};
    char *before;
    struct world w;
    struct metrics m;

    if (n == 0)
        return 0;
    before = strndup((const char *)data + 1, n - 1);
    world_init(&w);
    m = (struct metrics){"replay",
                         data[0] & 8 ? NULL : &w.run,
                         (data[0] & 16) != 0,
                         statuses[data[0] % COUNT_OF(statuses)],
                         NOON,
                         12.5};
    metrics_put(&text[0], &m, "");
    metrics_put(&text[1], &m, before);
    metrics_put(&text[2], &m, buf_str(&text[1]));
    for (size_t i = 0; i < COUNT_OF(x); i++)
        read_exposition(&text[i], &x[i]);
    compare(&x[0], &x[1], &x[2]);
    for (size_t i = 0; i < COUNT_OF(x); i++) {
        release(&x[i]);
        buf_release(&text[i]);
    }
    world_release(&w);
    free(before);
    return 0;
}
