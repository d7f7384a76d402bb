#include "states.h"

#include "gzin.h"
#include "jmemory.h"
#include "jsonw.h"
#include "records.h"

#include <jansson.h>
#include <stdio.h>

static const char *const time_keys[M_COUNT] = {"sent_at", "delivered_at", "read_at", "failed_at"};

#define FLUSH_AT ((size_t)256 << 10)

/* --- writing --- */

static const char *final_status(const struct evidence *e, bool failed_unless_delivered)
{
    if ((e->seen & M_BIT(M_FAILED)) &&
        !(failed_unless_delivered && (e->seen & (M_BIT(M_DELIVERED) | M_BIT(M_READ)))))
        return "failed";
    if (e->seen & M_BIT(M_READ))
        return "read";
    if (e->seen & M_BIT(M_DELIVERED))
        return "delivered";
    return e->seen & M_BIT(M_SENT) ? "sent" : "pending";
}

void states_put_milestones(struct buf *b, uint8_t which)
{
    const char *comma = "";
    int m;

    buf_addc(b, '[');
    for (m = 0; m < M_COUNT; m++) {
        if (which & M_BIT(m)) {
            buf_addf(b, "%s\"%s\"", comma, milestone_name((enum milestone)m));
            comma = ",";
        }
    }
    buf_addc(b, ']');
}

void states_put_evidence(struct buf *b, const struct names *archives, const struct evidence *e,
                         uint8_t which)
{
    const char *comma = "";
    int m;

    buf_addc(b, '{');
    for (m = 0; m < M_COUNT; m++) {
        struct slice archive;

        if (!(which & e->seen & M_BIT(m)))
            continue;
        archive = archives->name[e->at[m].archive];
        buf_addf(b, "%s\"%s\":[", comma, milestone_name((enum milestone)m));
        jsonw_string(b, archive.p, archive.n);
        buf_addf(b, ",%llu]", (unsigned long long)e->at[m].record);
        comma = ",";
    }
    buf_addc(b, '}');
}

static uint8_t approximate_of(const struct evidence *e)
{
    uint8_t bits = 0;
    int m;

    for (m = 0; m < M_COUNT; m++) {
        if ((e->seen & M_BIT(m)) && e->at[m].approximate)
            bits |= M_BIT(m);
    }
    return bits;
}

static void put_line(struct buf *b, const struct fold *f, const struct fold_entry *x,
                     bool failed_unless_delivered)
{
    const struct evidence *e = &x->evidence;
    struct slice instance = f->names.name[x->instance];
    char time[TIME_TEXT_SIZE];
    int m;

    buf_adds(b, "{\"instance\":");
    jsonw_string(b, instance.p, instance.n);
    buf_adds(b, ",\"message_id\":");
    jsonw_string(b, x->message_id.p, x->message_id.n);
    buf_addf(b, ",\"status\":\"%s\"", final_status(e, failed_unless_delivered));
    for (m = 0; m < M_COUNT; m++) {
        if (e->seen & M_BIT(m))
            buf_addf(b, ",\"%s\":\"%s\"", time_keys[m], time_format(e->at[m].time, time));
        else
            buf_addf(b, ",\"%s\":null", time_keys[m]);
    }
    buf_adds(b, ",\"error\":");
    if ((e->seen & M_BIT(M_FAILED)) && e->error.p)
        jsonw_string(b, e->error.p, e->error.n);
    else
        buf_adds(b, "null");
    buf_adds(b, ",\"seen\":");
    states_put_milestones(b, e->seen);
    buf_adds(b, ",\"approximate\":");
    states_put_milestones(b, approximate_of(e));
    buf_adds(b, ",\"evidence\":");
    states_put_evidence(b, f->archives, e, EVIDENCE_PROVES(e));
    buf_adds(b, "}\n");
}

struct writing {
    struct outfile *out;
    const struct fold *f;
    bool failed_unless_delivered;
    states_keep_fn *keep;
    void *ctx;
    struct buf b;
};

static int write_entry(void *ctx, const struct fold_entry *x, struct err *e)
{
    struct writing *w = ctx;

    if (w->keep && !w->keep(w->ctx, x))
        return 0;
    put_line(&w->b, w->f, x, w->failed_unless_delivered);
    if (w->b.failed)
        return err_oom(e);
    if (w->b.len >= FLUSH_AT) {
        if (outfile_write(w->out, w->b.data, w->b.len, e) < 0)
            return -1;
        buf_clear(&w->b);
    }
    return 0;
}

int states_write(struct outfile *out, struct fold *f, bool failed_unless_delivered,
                 states_keep_fn *keep, void *ctx, struct err *e)
{
    struct writing w = {out, f, failed_unless_delivered, keep, ctx, BUF_INIT};
    int status = fold_walk(f, true, write_entry, &w, e);

    if (status == 0 && w.b.len > 0)
        status = outfile_write(out, w.b.data, w.b.len, e);
    buf_release(&w.b);
    return status;
}

/* --- reading --- */

/* A line on its way to the fold. what: the first thing wrong with it. */
struct line {
    json_t *root;
    struct evidence evidence;
    const char *what;
};

static struct slice text_of(const json_t *v)
{
    if (!json_is_string(v))
        return SLICE_NONE;
    return (struct slice){json_string_value(v), json_string_length(v)};
}

/* The bits of an array of milestone names. */
static bool read_milestones(const json_t *array, uint8_t *bits)
{
    size_t i;
    int m;

    *bits = 0;
    if (!json_is_array(array))
        return false;
    for (i = 0; i < json_array_size(array); i++) {
        struct slice name = text_of(json_array_get(array, i));

        for (m = 0; m < M_COUNT && !slice_is(name, milestone_name((enum milestone)m)); m++)
            ;
        if (m == M_COUNT)
            return false;
        *bits |= M_BIT(m);
    }
    return true;
}

static bool read_sighting(struct line *l, int m, bool approximate, struct names *archives)
{
    struct slice time = text_of(json_object_get(l->root, time_keys[m]));
    const json_t *place =
        json_object_get(json_object_get(l->root, "evidence"), milestone_name((enum milestone)m));
    struct slice archive = text_of(json_array_get(place, 0));
    const json_t *record = json_array_get(place, 1);
    struct sighting *s = &l->evidence.at[m];
    enum time_offset offset;

    if (!time.p || !time_read(time.p, time.n, &s->time, &offset) || offset == TIME_OFFSET_NONE) {
        l->what = "a milestone was seen, but its time cannot be read";
        return false;
    }
    if (!archive.p || !json_is_integer(record) || json_integer_value(record) < 1) {
        l->what = "a milestone was seen, but \"evidence\" does not say where";
        return false;
    }
    s->record = (uint64_t)json_integer_value(record);
    s->approximate = approximate;
    s->archive = names_add(archives, archive);
    return true;
}

/* Reads a line's evidence. False: l->what says what is wrong, or no memory for
 * a name (NAMES_NONE in a sighting), which the caller tells apart. */
static bool read_line(struct line *l, struct names *archives)
{
    struct slice id = text_of(json_object_get(l->root, "message_id"));
    uint8_t approximate;
    int m;

    memset(&l->evidence, 0, sizeof l->evidence);
    if (!json_is_string(json_object_get(l->root, "instance"))) {
        l->what = "\"instance\" is no string";
        return false;
    }
    if (!id.p || id.n == 0 || id.n > EVENT_ID_MAX || memchr(id.p, '\0', id.n)) {
        l->what = "\"message_id\" is no string of 1 to 255 bytes";
        return false;
    }
    if (!read_milestones(json_object_get(l->root, "seen"), &l->evidence.seen) ||
        !read_milestones(json_object_get(l->root, "approximate"), &approximate) ||
        (approximate & ~l->evidence.seen)) {
        l->what = "\"seen\" or \"approximate\" is no list of milestones";
        return false;
    }
    for (m = 0; m < M_COUNT; m++) {
        if ((l->evidence.seen & M_BIT(m)) &&
            !read_sighting(l, m, (approximate & M_BIT(m)) != 0, archives))
            return false;
    }
    if (l->evidence.seen & M_BIT(M_FAILED))
        l->evidence.error = text_of(json_object_get(l->root, "error"));
    if (!l->evidence.seen)
        l->evidence.seen = M_PENDING_BIT;
    return true;
}

static int add_line(struct fold *f, struct names *archives, const struct record *rec,
                    const char **what, struct err *e)
{
    struct line l = {.root = NULL, .what = NULL};
    int status, m;

    *what = "it is not JSON";
    if (rec->kind != RECORD_TEXT && rec->kind != RECORD_UNREAD)
        return 1;
    status = jmemory_load(&l.root, (struct slice){rec->text, rec->len},
                          JSON_ALLOW_NUL | JSON_REJECT_DUPLICATES);
    if (status <= 0)
        return status < 0 ? err_oom(e) : 1;
    if (!read_line(&l, archives)) {
        *what = l.what;
        status = 1;
        goto out;
    }
    for (m = 0; m < M_COUNT; m++) {
        if ((l.evidence.seen & M_BIT(m)) && l.evidence.at[m].archive == NAMES_NONE) {
            status = err_oom(e);
            goto out;
        }
    }
    status = fold_add_evidence(f, text_of(json_object_get(l.root, "instance")),
                               text_of(json_object_get(l.root, "message_id")), &l.evidence, e);
out:
    json_decref(l.root);
    return status;
}

static ssize_t read_bytes(void *ctx, void *p, size_t n)
{
    return gzin_read(ctx, p, n);
}

int states_read(struct fold *f, struct names *archives, const char *path, int64_t now,
                const volatile sig_atomic_t *interrupted, char *problem, size_t problem_size,
                struct err *e)
{
    struct records *r = NULL;
    struct gzin *g = NULL;
    struct record rec;
    const char *what;
    int status;

    if (gzin_open(&g, path, now, interrupted, e) < 0) {
        (void)snprintf(problem, problem_size, "%s", e->text);
        return e->status == EXIT_FAILED ? -1 : 1;
    }
    r = records_new(read_bytes, g, (size_t)64 << 20);
    if (!r) {
        status = err_oom(e);
        goto out;
    }
    while ((status = records_next(r, &rec, e)) > 0) {
        status = add_line(f, archives, &rec, &what, e);
        if (status > 0)
            (void)snprintf(problem, problem_size,
                           "could not read states file \"%s\": line %llu: %s", path,
                           (unsigned long long)rec.number, what);
        if (status != 0)
            goto out;
    }
    if (status == 0 && gzin_damage(g) != GZIN_WHOLE) {
        (void)snprintf(problem, problem_size, "could not read states file \"%s\": %s", path,
                       gzin_reason(g));
        status = 1;
    }
out:
    records_free(r);
    gzin_close(g);
    return status;
}
