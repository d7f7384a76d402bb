#include "shown.h"

#include "utf8.h"

#include <unistd.h>

#define NAME_MAX_BYTES ((size_t)65536)

enum { DETAILS = 1, VERBOSE = 2, APPLIED = 4, EXPLAINED = 8 };

/* The next name of the input, from its beginning again behind the last; never absent. */
static struct slice next_name(struct slice *rest, struct slice all)
{
    struct slice name = SLICE_NONE;

    if (!fuzz_part(rest, SHOWN_SEPARATOR, &name)) {
        *rest = all;
        (void)fuzz_part(rest, SHOWN_SEPARATOR, &name);
    }
    return name;
}

/* As many letters as the text has characters: `which` tells one text from another. */
static struct slice letters_like(struct slice s, size_t which)
{
    static const char kinds[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
    static char letters[sizeof kinds - 1][NAME_MAX_BYTES];
    size_t n = 0;

    FUZZ_EXPECT(which < sizeof kinds - 1);
    for (size_t i = 0; i < s.n && n < NAME_MAX_BYTES; n++) {
        size_t length = utf8_sequence(s.p + i, s.n - i, NULL);

        i += length > 0 ? length : 1;
    }
    memset(letters[which], kinds[which], n);
    return (struct slice){letters[which], n};
}

/* Where a report has names that others gave. */
static size_t find_names(struct world *w, struct slice **at)
{
    size_t n = 0;

    for (size_t i = 0; i < COUNT_OF(w->campaign); i++)
        at[n++] = &w->campaign[i].name;
    for (size_t i = 0; i < COUNT_OF(w->correction); i++) {
        at[n++] = &w->correction[i].message_id;
        at[n++] = &w->correction[i].before.error;
        at[n++] = &w->correction[i].after.error;
    }
    for (size_t i = 0; i < 2; i++) {
        at[n++] = &w->mismatch[i].instance;
        at[n++] = &w->warning[i];
        at[n++] = &w->gap[i].instance;
        at[n++] = &w->gap[i].command;
        at[n++] = &w->row[i].status;
        at[n++] = &w->row[i].rule;
    }
    for (size_t i = 0; i < COUNT_OF(w->event); i++) {
        at[n++] = &w->event[i].instance;
        at[n++] = &w->event[i].error;
    }
    at[n++] = &w->explain.rule;
    at[n++] = &w->archives.name[0];
    return n;
}

/* A tally is in order, without a text twice. And jansson reads no key with a NUL, though
 * it is JSON. */
static void set_raw_status(struct world *w, struct slice name)
{
    struct tally_entry e = w->raw[3];
    size_t at = 3;

    if (name.n > 4096 || memchr(name.p, '\0', name.n))
        return;
    for (size_t i = 0; i < 3; i++)
        if (slice_eq(name, (struct slice){w->raw[i].text, w->raw[i].n}))
            return;
    e.text = (char *)(uintptr_t)name.p;
    e.n = name.n;
    for (; at > 0; at--) {
        if (slice_cmp((struct slice){w->raw[at - 1].text, w->raw[at - 1].n}, name) < 0)
            break;
        w->raw[at] = w->raw[at - 1];
    }
    w->raw[at] = e;
}

void shown_init(struct shown *s, const uint8_t *data, size_t n, bool harmless)
{
    const struct slice all = {(const char *)data + 1, n - 1};
    struct slice rest = all, *at[COUNT_OF(s->name)], name;
    uint8_t choice = data[0];

    memset(s, 0, sizeof *s);
    world_init(&s->w);
    if (choice & EXPLAINED)
        world_explain(&s->w);
    if (choice & APPLIED)
        world_apply(&s->w);
    s->o.details = (choice & DETAILS) != 0;
    s->o.verbose = (choice & VERBOSE) != 0;
    s->w.replaced = s->w.archives.name[0];
    s->n = find_names(&s->w, at);
    for (size_t i = 0; i < s->n; i++) {
        size_t which = 0;

        s->name[i] = next_name(&rest, all);
        while (!slice_eq(s->name[which], s->name[i]))
            which++;
        if (at[i]->p) /* what is absent stays so */
            *at[i] = harmless ? letters_like(s->name[i], which) : s->name[i];
    }
    name = next_name(&rest, all);
    if (!harmless)
        set_raw_status(&s->w, name);
    buf_add(&s->command, name.p, name.p && !harmless ? strnlen(name.p, name.n) : 0);
    s->w.run.command = buf_str(&s->command);
}

void shown_release(struct shown *s)
{
    world_release(&s->w);
    buf_release(&s->command);
}

void shown_put(const struct shown *s, enum report_format format, struct buf *out)
{
    struct report_options o = s->o;
    struct err e = ERR_INIT;
    struct outfile *f;

    o.format = format;
    fuzz_catch_begin(STDOUT_FILENO);
    if (outfile_open(&f, "-", 0600, false, &e) < 0 || report_write(f, &s->w.run, &o, &e) < 0 ||
        outfile_commit(f, &e) < 0)
        fuzz_found("%s", e.text);
    fuzz_catch_end(STDOUT_FILENO, out);
}
