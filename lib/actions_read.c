#include "actions.h"

#include "actions_line.h"
#include "gzin.h"
#include "idmap.h"
#include "records.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

/* A file being read. */
struct reading {
    struct actions *a;
    const char *path;
    enum actions_kind kind; /* as wanted */
    struct actions_line line;
    struct gzin *g;
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

static ssize_t read_bytes(void *ctx, void *p, size_t n)
{
    return gzin_read(ctx, p, n);
}

static bool ends_early(const struct reading *r)
{
    return gzin_damage(r->g) == GZIN_TRUNCATED || gzin_damage(r->g) == GZIN_GROWING;
}

/* 1: a whole line, taken; 0: what is left of one at the end of a journal that
 * was cut off; -1: failed. */
static int take_record(struct reading *r, const struct record *rec, struct err *e)
{
    json_error_t unused;
    json_t *root = NULL;
    int status;

    r->number = rec->number;
    if (rec->kind == RECORD_TOO_LARGE)
        return refuse(r, "it is too long", e);
    /* What records leaves unread holds no "messages.update", and is a line all the same. */
    if (rec->kind == RECORD_TEXT || rec->kind == RECORD_UNREAD)
        root = json_loadb(rec->text, rec->len, JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES, &unused);
    if (!root)
        return r->kind == ACTIONS_JOURNAL && ends_early(r) ? 0 : refuse(r, "it is not JSON", e);
    status = take_line(r, root, e);
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
    struct records *records = records_new(read_bytes, r->g, ACTIONS_LINE_MAX);
    struct record rec;
    int status, rest;

    if (!records)
        return err_oom(e);
    while ((status = records_next(records, &rec, e)) > 0) {
        status = take_record(r, &rec, e);
        if (status <= 0)
            break;
    }
    /* Nothing may follow what the end has cut off. */
    if (status == 0 && (rest = records_next(records, &rec, e)) != 0)
        status = rest < 0 ? -1 : refuse(r, "it is not JSON", e);
    if (status == 0)
        status = judge_end(r, e);
    records_free(records);
    return status;
}

/* Says of a file what gzin would say of an archive. */
static int open_file(struct reading *r, int64_t now, struct err *e)
{
    struct stat st = {.st_mode = 0};

    if (strcmp(r->path, "-") != 0 && stat(r->path, &st) != 0)
        return refuse_file(r, strerror(errno), e);
    if (S_ISDIR(st.st_mode))
        return refuse_file(r, strerror(EISDIR), e);
    if (gzin_open(&r->g, r->path, now, e) < 0) {
        e->status = EXIT_FAILED;
        return -1;
    }
    return 0;
}

int actions_read(struct actions *a, const char *path, enum actions_kind kind,
                 struct store_kinds kinds, struct names *archives, int64_t now, struct err *e)
{
    struct reading r = {.a = a, .path = path, .kind = kind};
    int status;

    memset(a, 0, sizeof *a);
    r.line.kinds = kinds;
    r.line.archives = archives;
    r.line.arena = &a->arena;
    status = open_file(&r, now, e);
    if (status == 0)
        status = read_lines(&r, e);
    gzin_close(r.g);
    idmap_release(&r.seen);
    return status;
}

void actions_release(struct actions *a)
{
    free(a->action);
    free(a->batch);
    arena_release(&a->arena);
    memset(a, 0, sizeof *a);
}
