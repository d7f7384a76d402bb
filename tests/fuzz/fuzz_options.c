/* A command line, with a configuration file, is understood or refused in one line of
 * words; no refusal tells a password, nor does the command that a report ends with.
 *
 * Input: lines. The first character is the tool; what follows it and the lines up to an
 * empty one are its arguments; the rest is the configuration file. */
#include "fuzz.h"

#include "command.h"
#include "options.h"

#include <stdio.h>
#include <stdlib.h>

#define NOW INT64_C(1793534400000000)
#define ARGS_MAX 32
#define PASSWORD "hunter2-hunter2"

/* Variables of the machine would make an input mean another thing on the next one. */
static void clear_environment(void)
{
    static bool done;

    if (done)
        return;
    FUZZ_EXPECT(unsetenv("RECONCILE_CONFIG") == 0 && unsetenv("RECONCILE_STATUS_CODES") == 0 &&
                unsetenv("RECONCILE_NOW") == 0 && unsetenv("EVOLUTION_API_URL") == 0 &&
                unsetenv("TMPDIR") == 0);
    done = true;
}

struct line {
    char *argv[ARGS_MAX + 4];
    int argc;
};

static void add(struct line *l, struct slice s)
{
    char *copy = strndup(s.n ? s.p : "", s.n);

    FUZZ_EXPECT(copy != NULL);
    l->argv[l->argc++] = copy;
    l->argv[l->argc] = NULL;
}

static void release(struct line *l)
{
    while (l->argc > 0)
        free(l->argv[--l->argc]);
}

static void check_understood(const struct options *o)
{
    if (o->help || o->version)
        return;
    FUZZ_EXPECT(o->tool != TOOL_RECONCILE && o->jobs >= 1 && o->batch >= 1);
    FUZZ_EXPECT(o->output && o->settle >= 0 && o->lock_wait >= 0 && o->pause >= 0);
    FUZZ_EXPECT(!o->apply || !(o->offline || o->dry_run));
    FUZZ_EXPECT(o->tool != TOOL_POLL || *o->evolution_url);
    FUZZ_EXPECT(o->since == TIME_NONE || o->until == TIME_NONE || o->since < o->until);
    FUZZ_EXPECT(!o->max_corrections.percent || o->max_corrections.share <= 100);
    for (size_t i = 0; i < o->archives; i++)
        FUZZ_EXPECT(o->archive[i] != NULL);
}

/* The command that would apply a dry run tells what there is, but for a password. */
static void check_command(const struct line *l, const struct opt_word *word, int words)
{
    struct buf b = BUF_INIT;

    command_put_applying(&b, l->argc, l->argv, word, words);
    FUZZ_EXPECT(!b.failed && strstr(buf_str(&b), " --apply"));
    if (strstr(buf_str(&b), PASSWORD))
        fuzz_found("the password is told: %s", buf_str(&b));
    buf_release(&b);
}

static void check_line(const struct line *l, enum tool tool, int words)
{
    struct options o;
    struct err e = ERR_INIT;

    if (options_parse(&o, tool, l->argc, l->argv, NOW, &e) == 0) {
        check_understood(&o);
        check_command(l, o.word, words);
    } else {
        FUZZ_EXPECT(e.status == EXIT_USAGE && e.text[0] != '\0');
        if (strstr(e.text, PASSWORD))
            fuzz_found("the password is told: %s", e.text);
    }
    options_release(&o);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const tools[] = {"replay", "poll", "audit", "apply", "revert", NULL};
    struct slice rest = {(const char *)data + 1, n - 1}, part;
    struct buf config = BUF_INIT;
    struct line l = {.argc = 0};
    const char *tool;

    if (n == 0 || memmem(data, n, PASSWORD, strlen(PASSWORD)))
        return 0;
    clear_environment();
    tool = tools[data[0] % COUNT_OF(tools)];
    if (tool != tools[0])
        add(&l, slice_of("reconcile"));
    if (tool)
        add(&l, slice_of(tool));
    add(&l, SLICE_NONE); /* the file, which is what remains of the input */
    add(&l, slice_of("-dhost=h password=" PASSWORD));
    while (l.argc < ARGS_MAX && fuzz_part(&rest, '\n', &part) && part.n > 0)
        add(&l, part);
    buf_adds(&config, "--config=");
    buf_adds(&config, fuzz_file(0, rest.p ? rest.p : "", rest.n));
    free(l.argv[tool && tool != tools[0] ? 2 : 1]);
    l.argv[tool && tool != tools[0] ? 2 : 1] = config.data;
    check_line(&l, tool == tools[0] ? TOOL_REPLAY : TOOL_RECONCILE,
               tool && tool != tools[0] ? 2 : 1);
    release(&l);
    return 0;
}
