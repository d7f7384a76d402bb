#include "actions.h"

#include "actions_line.h"
#include "gzin.h"
#include "idmap.h"
#include "jmemory.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#define PIECE ((size_t)64 << 10) /* bytes read at a time */

/* A byte order mark, which some editors put before the first line. */
static const char bom[] = "\xef\xbb\xbf";
#define BOM_SIZE (sizeof bom - 1)

/* A file being read. */
struct reading {
    struct actions *a;
    const char *path;
    enum actions_kind kind; /* as wanted */
    struct actions_line line;
    struct gzin *g;
    char *data; /* data[pos .. end) is to be taken */
    size_t pos, end, cap;
    bool whole;      /* the file has been read to its end */
    uint64_t number; /* of the line */
    uint64_t units;  /* header, batches and marks so far: each begins a member where we wrote it */
    struct idmap seen; /* rows of the plan, or of the batch */
    bool header;
};

static int refuse(const struct reading *r, const char *what, struct err *e)
{
    if (r->line.no_memory)
        return err_oom(e);
    return err_set(e, EXIT_FAILED, "could not read %s \"%s\": line %" PRIu64 ": %s",
                   actions_kind_name(r->kind), r->path, r->number, what);
}

static int refuse_file(const struct reading *r, const char *what, struct err *e)
{
    return err_set(e, EXIT_FAILED, "could not read %s \"%s\": %s", actions_kind_name(r->kind),
                   r->path, what);
}

/* ---- lines ---- */

static int take_header(struct reading *r, struct err *e)
{
    struct actions *a = r->a;

    if (!actions_line_header(&r->line, a))
        return refuse(r, r->line.what, e);
    if (a->kind != r->kind)
        return err_set(e, EXIT_FAILED,
                       a->kind == ACTIONS_PLAN
                           ? "\"%s\" is a plan, not a journal: reconcile apply carries it out"
                           : "\"%s\" is a journal, not a plan: reconcile revert undoes it",
                       r->path);
    if (!actions_line_campaigns(&r->line, a))
        return refuse(r, r->line.what, e);
    r->header = true;
    r->units++;
    return 0;
}

static struct actions_batch *last_batch(const struct actions *a)
{
    return a->batches ? &a->batch[a->batches - 1] : NULL;
}

static int take_batch(struct reading *r, struct err *e)
{
    struct actions *a = r->a;
    const struct actions_batch *last = last_batch(a);
    int64_t number, xid;

    if (!actions_line_number(&r->line, "batch", &number) ||
        !actions_line_number(&r->line, "xid", &xid))
        return refuse(r, r->line.what, e);
    if (last && (uint64_t)number <= last->number)
        return refuse(r, "its batch does not come after the one before", e);
    if (a->batches == a->batches_cap) {
        size_t cap = a->batches_cap ? a->batches_cap * 2 : 16;
        struct actions_batch *grown = realloc(a->batch, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        a->batch = grown;
        a->batches_cap = cap;
    }
    a->batch[a->batches++] =
        (struct actions_batch){.number = (uint64_t)number, .xid = xid, .first = a->n};
    idmap_release(&r->seen);
    r->units++;
    return 0;
}

static int take_mark(struct reading *r, struct err *e)
{
    struct actions_batch *last = last_batch(r->a);
    int64_t number;

    if (!actions_line_number(&r->line, "committed", &number))
        return refuse(r, r->line.what, e);
    if (!last || last->committed || last->number != (uint64_t)number)
        return refuse(r, "it marks another batch than the one before as committed", e);
    last->committed = true;
    r->units++;
    return 0;
}

static int take_action(struct reading *r, struct err *e)
{
    struct actions *a = r->a;
    struct actions_batch *batch = last_batch(a);
    struct correction c;

    if (a->kind == ACTIONS_JOURNAL && (!batch || batch->committed))
        return refuse(r, "it is in no batch", e);
    if (!actions_line_action(&r->line, &c))
        return refuse(r, r->line.what, e);
    if (idmap_find(&r->seen, c.id) != IDMAP_NONE)
        return refuse(r, "its row has come before", e);
    if (a->n >= INT32_MAX)
        return refuse(r, "there are too many actions", e);
    if (a->n == a->cap) {
        size_t cap = a->cap ? a->cap * 2 : 1024;
        struct correction *grown = realloc(a->action, cap * sizeof *grown);

        if (!grown)
            return err_oom(e);
        a->action = grown;
        a->cap = cap;
    }
    if (idmap_add(&r->seen, c.id, 0) == IDMAP_NONE)
        return err_oom(e);
    a->action[a->n++] = c;
    if (batch)
        batch->n++;
    return 0;
}

static int take_line(struct reading *r, json_t *root, struct err *e)
{
    r->line.root = root;
    if (!r->header)
        return take_header(r, e);
    if (r->kind == ACTIONS_JOURNAL && json_object_get(root, "batch"))
        return take_batch(r, e);
    if (r->kind == ACTIONS_JOURNAL && json_object_get(root, "committed"))
        return take_mark(r, e);
    return take_action(r, e);
}

/* ---- the file ---- */

/* Reads on behind what is there. False without memory. */
static bool fill(struct reading *r)
{
    ssize_t n;

    if (r->pos > 0) {
        memmove(r->data, r->data + r->pos, r->end - r->pos);
        r->end -= r->pos;
        r->pos = 0;
    }
    if (r->cap - r->end < PIECE) {
        size_t most = ACTIONS_LINE_MAX + 4 * PIECE;
        size_t cap = r->cap ? 2 * r->cap : 4 * PIECE;
        char *grown;

        if (cap > most)
            cap = most;
        grown = realloc(r->data, cap);
        if (!grown)
            return false;
        r->data = grown;
        r->cap = cap;
    }
    n = gzin_read(r->g, r->data + r->end, r->cap - r->end);
    r->whole = n == 0;
    r->end += n > 0 ? (size_t)n : 0;
    return n >= 0;
}

static struct slice without_space(struct slice s)
{
    while (s.n > 0 && strchr(" \t\r", s.p[0]) && s.p[0] != '\0')
        s = (struct slice){s.p + 1, s.n - 1};
    while (s.n > 0 && strchr(" \t\r", s.p[s.n - 1]) && s.p[s.n - 1] != '\0')
        s.n--;
    return s;
}

/* What cannot become an object is not waited for: a device has no end. */
static bool may_be_object(const struct reading *r)
{
    struct slice s;

    if (r->pos == r->end) /* nothing was read yet, or all of it is behind */
        return true;
    s = without_space((struct slice){r->data + r->pos, r->end - r->pos});
    return s.n == 0 || s.p[0] == '{' || (s.p[0] == bom[0] && r->number == 1);
}

/* 1: *line is the next that is not blank, without spaces around it; 0: there is none;
 * -1: failed. */
static int next_line(struct reading *r, struct slice *line, struct err *e)
{
    size_t seen = 0;

    r->number++;
    for (;;) {
        const char *feed = r->end - r->pos > seen
                               ? memchr(r->data + r->pos + seen, '\n', r->end - r->pos - seen)
                               : NULL;

        seen = feed ? (size_t)(feed - r->data) - r->pos : r->end - r->pos;
        if (seen > ACTIONS_LINE_MAX)
            return refuse(r, "it is too long", e);
        if (feed || r->whole) {
            *line = without_space((struct slice){r->data + r->pos, seen});
            r->pos += seen + (feed != NULL);
            if (line->n > 0 || !feed)
                return line->n > 0;
            seen = 0;
            r->number++;
            continue;
        }
        if (!may_be_object(r))
            return refuse(r, "it is not JSON", e);
        if (!fill(r))
            return err_oom(e);
    }
}

static bool ends_early(const struct reading *r)
{
    return gzin_damage(r->g) == GZIN_TRUNCATED || gzin_damage(r->g) == GZIN_GROWING;
}

/* 1: a whole line, taken; 0: what is left of one at the end of a journal that
 * was cut off; -1: failed. */
static int take_record(struct reading *r, struct slice line, struct err *e)
{
    json_t *root;
    int status;

    if (r->number == 1 && line.n >= BOM_SIZE && memcmp(line.p, bom, BOM_SIZE) == 0)
        line = (struct slice){line.p + BOM_SIZE, line.n - BOM_SIZE};
    status = jmemory_load(&root, line, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES);
    if (status < 0)
        return err_oom(e);
    if (status == 0)
        return r->kind == ACTIONS_JOURNAL && ends_early(r) ? 0 : refuse(r, "it is not JSON", e);
    status = json_is_object(root) ? take_line(r, root, e) : refuse(r, "it is no object", e);
    json_decref(root);
    return status < 0 ? -1 : 1;
}

/* How the file ended. The members that are whole say whether the last batch is. */
static int judge_end(struct reading *r, struct err *e)
{
    struct actions_batch *last = last_batch(r->a);

    if (gzin_damage(r->g) != GZIN_WHOLE && (r->kind == ACTIONS_PLAN || !ends_early(r)))
        return refuse_file(r, gzin_reason(r->g), e);
    if (!r->header && gzin_damage(r->g) != GZIN_WHOLE)
        return refuse_file(r, "it ends within its header, so its run had committed nothing yet", e);
    if (!r->header)
        return refuse_file(r, "it is empty", e);
    if (!ends_early(r))
        return 0;
    if (last && !last->committed && r->units > gzin_members(r->g))
        last->cut = true;
    r->a->cut = arena_dup(&r->a->arena, gzin_reason(r->g), strlen(gzin_reason(r->g)));
    return r->a->cut ? 0 : err_oom(e);
}

static int read_lines(struct reading *r, struct err *e)
{
    struct slice line;
    int status, rest;

    while ((status = next_line(r, &line, e)) > 0) {
        status = take_record(r, line, e);
        if (status <= 0)
            break;
    }
    /* Nothing may follow what the end has cut off. */
    if (status == 0 && (rest = next_line(r, &line, e)) != 0)
        status = rest < 0 ? -1 : refuse(r, "it is not JSON", e);
    return status == 0 ? judge_end(r, e) : status;
}

/* Says of a file what gzin would say of an archive. */
static int open_file(struct reading *r, int64_t now, const volatile sig_atomic_t *interrupted,
                     struct err *e)
{
    struct stat st = {.st_mode = 0};

    if (strcmp(r->path, "-") != 0 && stat(r->path, &st) != 0)
        return refuse_file(r, strerror(errno), e);
    if (S_ISDIR(st.st_mode))
        return refuse_file(r, strerror(EISDIR), e);
    if (gzin_open(&r->g, r->path, now, interrupted, e) < 0) {
        e->status = EXIT_FAILED;
        return -1;
    }
    return 0;
}

int actions_read(struct actions *a, const char *path, enum actions_kind kind,
                 struct store_kinds kinds, struct names *archives, int64_t now,
                 const volatile sig_atomic_t *interrupted, struct err *e)
{
    struct reading r = {.a = a, .path = path, .kind = kind};
    int status;

    memset(a, 0, sizeof *a);
    r.line.kinds = kinds;
    r.line.archives = archives;
    r.line.arena = &a->arena;
    status = open_file(&r, now, interrupted, e);
    if (status == 0)
        status = read_lines(&r, e);
    gzin_close(r.g);
    idmap_release(&r.seen);
    free(r.data);
    return status;
}

void actions_release(struct actions *a)
{
    free(a->action);
    free(a->batch);
    arena_release(&a->arena);
    memset(a, 0, sizeof *a);
}
