#include "actions.h"

#include "jsonw.h"
#include "outfile.h"
#include "pgbin.h"
#include "states.h"
#include "version.h"

#define FLUSH_AT ((size_t)256 << 10)

const char *actions_kind_name(enum actions_kind kind)
{
    return kind == ACTIONS_PLAN ? "plan" : "journal";
}

static void put_ident(struct jsonw *w, const char *key, enum ident_kind kind, struct ident id)
{
    char text[IDENT_TEXT_SIZE];

    jsonw_text(w, key, ident_format(kind, id, text));
}

void actions_put_header(struct buf *b, enum actions_kind kind, const struct actions_origin *o,
                        int64_t created_at, const struct campaign_result *campaigns, size_t n)
{
    struct jsonw w = JSONW_INIT(b);
    size_t i;

    jsonw_object(&w, NULL);
    jsonw_int(&w, "format", ACTIONS_FORMAT);
    jsonw_text(&w, "kind", actions_kind_name(kind));
    jsonw_text(&w, "run", o->run);
    /* Text: as a number it is beyond what many readers of JSON keep exact. */
    jsonw_text(&w, "system_identifier", *o->system ? o->system : NULL);
    jsonw_text(&w, "database", o->database);
    jsonw_text(&w, "version", VERSION);
    jsonw_time(&w, "created_at", created_at);
    jsonw_array(&w, "campaigns");
    for (i = 0; i < n; i++) {
        if (!campaigns[i].left_alone)
            put_ident(&w, NULL, o->kinds.campaign, campaigns[i].id);
    }
    jsonw_array_end(&w);
    jsonw_object_end(&w);
    buf_addc(b, '\n');
}

/* A database may hold times that have no date. */
static void put_time(struct jsonw *w, const char *key, int64_t us)
{
    if (us == TIME_INFINITY)
        jsonw_text(w, key, "infinity");
    else if (us == TIME_MINUS_INFINITY)
        jsonw_text(w, key, "-infinity");
    else
        jsonw_time(w, key, us);
}

/* The text as apply wrote it where the server's encoding lacks letters. */
static void put_error(struct jsonw *w, struct slice error, bool ascii)
{
    struct buf text = BUF_INIT;

    if (!ascii || !error.p) {
        jsonw_slice(w, "error_message", error);
        return;
    }
    apply_put_ascii(&text, error);
    w->b->failed = w->b->failed || text.failed;
    jsonw_slice(w, "error_message", (struct slice){buf_str(&text), text.len});
    buf_release(&text);
}

static void put_state(struct jsonw *w, const char *key, const struct row_state *s, bool ascii)
{
    jsonw_object(w, key);
    jsonw_text(w, "status", row_status_name(s->status));
    put_time(w, "sent_at", s->at[M_SENT]);
    put_time(w, "delivered_at", s->at[M_DELIVERED]);
    put_time(w, "read_at", s->at[M_READ]);
    put_time(w, "failed_at", s->at[M_FAILED]);
    put_error(w, s->error, ascii);
    jsonw_object_end(w);
}

int actions_put(struct buf *b, const struct actions_origin *o, const struct correction *c,
                struct err *e)
{
    struct jsonw w = JSONW_INIT(b);
    char id[IDENT_TEXT_SIZE];
    size_t start = b->len;

    jsonw_object(&w, NULL);
    put_ident(&w, "campaign_contact", o->kinds.contact, c->id);
    put_ident(&w, "campaign", o->kinds.campaign, c->campaign);
    jsonw_slice(&w, "message_id", c->message_id);
    put_state(&w, "before", &c->before, false);
    put_state(&w, "after", &c->after, c->ascii_error);
    jsonw_raw(&w, "approximate", slice_of(""));
    states_put_milestones(b, c->approximate);
    jsonw_text(&w, "cause", cause_name(c->cause));
    jsonw_raw(&w, "evidence", slice_of(c->evidence ? "" : "{}"));
    if (c->evidence)
        states_put_evidence(b, o->archives, c->evidence, EVIDENCE_PROVES(c->evidence));
    jsonw_object_end(&w);
    buf_addc(b, '\n');
    if (b->failed)
        return err_oom(e);
    if (b->len - start > ACTIONS_LINE_MAX)
        return err_set(e, EXIT_FAILED,
                       "the correction of row %s is longer than the %zu bytes of an action",
                       ident_format(o->kinds.contact, c->id, id), ACTIONS_LINE_MAX);
    return 0;
}

static int write_lines(struct outfile *f, const struct actions_origin *o,
                       const struct campaign_result *campaigns, size_t n_campaigns,
                       const struct correction *c, size_t n, struct err *e)
{
    struct buf b = BUF_INIT;
    int status = -1;
    size_t i;

    actions_put_header(&b, ACTIONS_PLAN, o, clock_now(), campaigns, n_campaigns);
    for (i = 0; i < n; i++) {
        if (c[i].outcome == OUTCOME_PLANNED && actions_put(&b, o, &c[i], e) < 0)
            goto out;
        if (b.len < FLUSH_AT)
            continue;
        if (outfile_write(f, b.data, b.len, e) < 0)
            goto out;
        buf_clear(&b);
    }
    if (b.failed)
        (void)err_oom(e);
    else
        status = outfile_write(f, b.data, b.len, e);
out:
    buf_release(&b);
    return status;
}

int actions_write_plan(const char *path, const struct actions_origin *o,
                       const struct campaign_result *campaigns, size_t n_campaigns,
                       const struct correction *c, size_t n, struct err *e)
{
    struct outfile *f;

    if (outfile_open(&f, path, 0600, true, e) < 0)
        return -1;
    if (write_lines(f, o, campaigns, n_campaigns, c, n, e) < 0) {
        outfile_abort(f);
        return -1;
    }
    return outfile_commit(f, e);
}
