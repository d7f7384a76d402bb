#include "report_world.h"

#include <stdlib.h>
#include <string.h>

static struct row_state row(enum row_status status, int64_t sent, int64_t delivered, int64_t read,
                            int64_t failed, const char *error)
{
    return (struct row_state){status, {sent, delivered, read, failed}, slice_of(error)};
}

struct counters counted(int64_t total, int64_t sent, int64_t delivered, int64_t read,
                        int64_t failed)
{
    return (struct counters){total, {sent, delivered, read, failed}};
}

static void fill_evidence(struct world *w)
{
    uint32_t near, far;

    w->archives = (struct names)NAMES_INIT;
    near = names_add(&w->archives, slice_of("logs/w-003.jsonl.gz"));
    far = names_add(&w->archives, slice_of("/srv/backup/2026/evolution/webhooks/captured/by/nginx/"
                                           "2026-11-01T00.00.00-03.00.jsonl.gz"));
    w->evidence[0] = (struct evidence){
        .at = {[M_DELIVERED] = {NOON + 5 * SECOND, 17, near, false},
               [M_READ] = {NOON + 9 * SECOND, 1187, near, true}},
        .seen = M_BIT(M_DELIVERED) | M_BIT(M_READ) | M_PENDING_BIT,
    };
    w->evidence[1] = (struct evidence){
        .at = {[M_FAILED] = {NOON + 60 * SECOND, 4000000, far, false}},
        .error = slice_of("number \"not\" on WhatsApp"),
        .seen = M_BIT(M_FAILED),
    };
    w->evidence[2] = (struct evidence){
        .at = {[M_DELIVERED] = {NOON + 3 * SECOND, 9, near, false}},
        .seen = M_BIT(M_DELIVERED),
    };
    w->run.archives = &w->archives;
}

static void fill_campaigns(struct world *w)
{
    w->campaign[0] = (struct campaign_result){
        .id = {UINT64_C(0x0f8fad5bd9cb469f), UINT64_C(0xa16570867728950e)},
        .tenant = {1, UINT64_C(0x8000000000000000)},
        .name = slice_of("Promo\xc3\xa7\xc3\xa3o de Natal 2026"),
        .stored = counted(1000, 1000, 950, 400, 12),
        .recomputed = counted(1000, 1000, 952, 401, 11),
        .corrections = 4,
    };
    w->campaign[1] = (struct campaign_result){
        .id = {UINT64_C(0x1111111111111111), 1},
        .name = slice_of("only the counters"),
        .stored = counted(29, 7, 3, -1, 0),
        .recomputed = counted(30, 32, 1, 0, 0),
    };
    w->campaign[2] = (struct campaign_result){
        .id = {UINT64_C(0x2222222222222222), 2},
        .name = slice_of("right already"),
        .stored = counted(5, 5, 5, 5, 0),
        .recomputed = counted(5, 5, 5, 5, 0),
    };
    w->campaign[3] = (struct campaign_result){
        .id = {UINT64_C(0x3333333333333333), 3},
        .name = slice_of("out of order"),
        .stored = counted(2, 0, 0, 0, 0),
        .recomputed = counted(2, 1, 2, 0, 0),
        .corrections = 2,
        .left_alone = true,
    };
    w->run.campaign = w->campaign;
    w->run.campaigns = COUNT(w->campaign);
}

static void fill_corrections(struct world *w)
{
    const int64_t none = TIME_NONE;
    struct correction *c = w->correction;

    c[0] = (struct correction){
        .message_id = slice_of("3EB0C767D097B7C76511BB"),
        .before = row(ROW_SENT, NOON, none, none, none, NULL),
        .after = row(ROW_READ, NOON, NOON + 5 * SECOND, NOON + 9 * SECOND, none, NULL),
        .evidence = &w->evidence[0],
        .cause = CAUSE_MISSED_WEBHOOK,
        .approximate = M_BIT(M_READ)};
    c[1] = (struct correction){.message_id = slice_of("3EB0C767D097B7C76511BC"),
                               .before = row(ROW_DELIVERED, NOON, NOON + SECOND, none, none, ""),
                               .after = row(ROW_FAILED, NOON, NOON + SECOND, none,
                                            NOON + 60 * SECOND, "number \"not\" on WhatsApp"),
                               .evidence = &w->evidence[1],
                               .cause = CAUSE_MISSED_WEBHOOK,
                               .regression = true};
    c[2] = (struct correction){
        .before = row(ROW_SENT, NOON, none, NOON + 7 * SECOND, none, NULL),
        .after = row(ROW_READ, NOON, NOON + 7 * SECOND, NOON + 7 * SECOND, none, NULL),
        .cause = CAUSE_OVERWRITTEN};
    c[3] = (struct correction){
        .message_id = slice_of("3EB0C767D097B7C76511BD"),
        .before = row(ROW_DELIVERED, NOON, NOON + 600 * SECOND, none, none, NULL),
        .after = row(ROW_DELIVERED, NOON, NOON + 3 * SECOND, none, none, NULL),
        .evidence = &w->evidence[2],
        .cause = CAUSE_TIMESTAMP};
    c[4] = c[0];
    c[5] = c[2];
    for (size_t i = 0; i < COUNT(w->correction); i++) {
        c[i].campaign_index = i < 4 ? 0 : 3;
        c[i].campaign = w->campaign[c[i].campaign_index].id;
        c[i].id = (struct ident){UINT64_C(0xabcdef0000000000), i};
        c[i].outcome = i < 4 ? OUTCOME_PLANNED : OUTCOME_LEFT;
    }
    w->run.correction = c;
    w->run.corrections = COUNT(w->correction);
}

static void fill_input(struct world *w)
{
    w->raw[0] = (struct tally_entry){(char *)(uintptr_t) "2", 1, 9};
    w->raw[1] = (struct tally_entry){(char *)(uintptr_t) "DELIVERY_ACK", 12, 700};
    w->raw[2] = (struct tally_entry){(char *)(uintptr_t) "READ", 4, 140};
    w->raw[3] = (struct tally_entry){(char *)(uintptr_t) "STRANGE", 7, 2};
    w->run.input = (struct run_input){
        .archives = 3,
        .archives_damaged = 1,
        .bytes_compressed = 456789,
        .bytes = 12345678,
        .events = {.records = 1160,
                   .bodies = 880,
                   .updates = 860,
                   .status_events = 849,
                   .ignored = 302,
                   .rejected = {[REJECT_INVALID_JSON] = 4,
                                [REJECT_TOO_LARGE] = 1,
                                [REJECT_MISSING_FIELD] = 2,
                                [REJECT_UNKNOWN_STATUS] = 2},
                   .raw_statuses = {w->raw, COUNT(w->raw), 3}},
    };
    w->run.messages = (struct run_messages){
        .distinct = 640,
        .used = 600,
        .not_campaign_message = 37,
        .ambiguous = 1,
        .instance_mismatch = 2,
        .matched = 600,
        .requeued = 5,
        .deferred = 7,
        .already_processed = 584,
        .updated = 4,
        .updated_without_evidence = 1,
        .regressions = 1,
    };
    w->run.causes[CAUSE_MISSED_WEBHOOK] = 2;
    w->run.causes[CAUSE_OVERWRITTEN] = 1;
    w->run.causes[CAUSE_TIMESTAMP] = 1;
}

void world_init(struct world *w)
{
    static const char id[] = "20261101T121500.000Z-4711";

    memset(w, 0, sizeof *w);
    memcpy(w->run.id, id, sizeof id);
    w->run.tool = "replay";
    w->run.started_at = NOON + 900 * SECOND;
    w->run.snapshot_at = NOON + 901 * SECOND + 123456;
    w->run.finished_at = NOON + 904 * SECOND;
    w->run.command = "replay --apply -d 'service=campaigns' logs/";
    fill_input(w);
    fill_evidence(w);
    fill_campaigns(w);
    fill_corrections(w);
    w->mismatch[0] = (struct run_mismatch){slice_of(""), 1};
    w->mismatch[1] = (struct run_mismatch){slice_of("tenant_b_inst_1"), 1};
    w->run.mismatch = w->mismatch;
    w->run.mismatches = COUNT(w->mismatch);
    w->warning[0] = slice_of("could not read archive \"logs/w-004.jsonl.gz\": unexpected end of "
                             "file at byte 1048576");
    w->warning[1] = slice_of("short");
    w->run.warning = w->warning;
    w->run.warnings = COUNT(w->warning);
}

void world_apply(struct world *w)
{
    static const enum outcome outcomes[] = {OUTCOME_WRITTEN, OUTCOME_MOOT, OUTCOME_CONFLICT,
                                            OUTCOME_BUSY,    OUTCOME_LEFT, OUTCOME_LEFT};

    w->run.apply = w->run.applied = true;
    for (size_t i = 0; i < COUNT(outcomes); i++)
        w->correction[i].outcome = outcomes[i];
    w->campaign[0].written = w->campaign[1].written = true;
    w->run.messages.updated = 1;
    w->run.messages.updated_without_evidence = 0;
    w->run.messages.already_processed++;
    w->run.messages.regressions = 0;
    w->run.messages.conflicts = w->run.messages.busy = 1;
    w->run.causes[CAUSE_MISSED_WEBHOOK] = 1;
    w->run.causes[CAUSE_OVERWRITTEN] = w->run.causes[CAUSE_TIMESTAMP] = 0;
    w->run.command = "reconcile revert /var/lib/reconcile/journal-20261101T121500.jsonl.gz";
}

static void fill_gaps(struct world *w)
{
    w->gap[0] = (struct run_gap){
        .instance = slice_of("tenant_a_inst_1"),
        .from = NOON,
        .until = NOON + 5400 * SECOND,
        .messages = 12345,
        .command = slice_of("reconcile poll -d 'service=campaigns' --evolution-url "
                            "https://evolution.example.com --instance tenant_a_inst_1 "
                            "--sent-since 2026-11-01T12:00:00.000000Z "
                            "--sent-until 2026-11-01T13:30:00.000001Z --apply"),
    };
    w->gap[1] =
        (struct run_gap){slice_of("a number of Meta's"), NOON, NOON + 60 * SECOND, 20, SLICE_NONE};
    w->run.gap = w->gap;
    w->run.gaps = COUNT(w->gap);
}

void world_explain(struct world *w)
{
    const struct correction *c = &w->correction[0];

    fill_gaps(w);
    w->event[0] = (struct explain_event){
        slice_of("tenant_a_inst_1"), SLICE_NONE, NOON + SECOND, 16, 0, MEANS_PENDING, false, true};
    w->event[1] = (struct explain_event){slice_of("tenant_a_inst_1"),
                                         SLICE_NONE,
                                         NOON + 5 * SECOND,
                                         17,
                                         0,
                                         MEANS_DELIVERED,
                                         false,
                                         true};
    w->event[2] = (struct explain_event){slice_of(""),
                                         slice_of("number \"not\" on WhatsApp"),
                                         NOON + 9 * SECOND,
                                         4000000,
                                         1,
                                         MEANS_FAILED,
                                         true,
                                         false};
    w->row[0] = (struct explain_row){.id = c->id,
                                     .campaign = c->campaign,
                                     .status = slice_of("sent"),
                                     .before = c->before,
                                     .after = c->after,
                                     .cause = c->cause,
                                     .approximate = c->approximate,
                                     .spoken_for = true,
                                     .rule = slice_of("merge: known are sent (row), delivered "
                                                      "(evidence), read (evidence); the highest "
                                                      "is read; missed_webhook")};
    w->row[1] = (struct explain_row){
        .id = w->correction[1].id,
        .campaign = c->campaign,
        .status = slice_of("bounced"),
        .before = row(ROW_UNKNOWN, NOON, TIME_NONE, TIME_NONE, TIME_NONE, NULL),
        .after = row(ROW_UNKNOWN, NOON, TIME_NONE, TIME_NONE, TIME_NONE, NULL),
        .rule = slice_of("left alone: its status is not known")};
    w->explain = (struct explain){.message_id = c->message_id,
                                  .event = w->event,
                                  .events = COUNT(w->event),
                                  .row = w->row,
                                  .rows = COUNT(w->row),
                                  .rule = w->row[0].rule};
    w->run.explain = &w->explain;
}

void world_release(struct world *w)
{
    if (w->replaced.p)
        w->archives.name[0] = w->replaced;
    names_release(&w->archives);
}

/* ---- hostile names -------------------------------------------------------------------- */

void world_make_hostile(struct world *w, size_t longest)
{
    static char huge[100000];
    static const char forged[] = "x\n\nnothing to correct\x1b[2J\x7f\xc2\x9b\xe2\x80\xae";

    if (longest > sizeof huge)
        abort();
    memset(huge, 'n', sizeof huge);
    w->campaign[0].name = slice_of(forged);
    w->campaign[1].name = slice_of("\"'\\</title></desc></svg></style></script><script>alert(1)"
                                   "</script>\xff\xfe\xc3");
    w->campaign[2].name = slice_of("=HYPERLINK(\"http://example.com/?\"&A1,\"x\")");
    w->campaign[3].name = (struct slice){huge, longest};
    w->correction[0].message_id = (struct slice){forged, sizeof forged}; /* with its NUL */
    w->correction[1].message_id = (struct slice){huge, longest};
    w->correction[1].after.error = (struct slice){huge, longest};
    w->correction[2].after.error = slice_of(forged);
    w->mismatch[0].instance = (struct slice){huge, longest};
    w->mismatch[1].instance = slice_of("\xc3\xa9\xc3\xa9\t");
    w->warning[0] = (struct slice){huge, 300};
    w->warning[1] = slice_of(forged);
    w->raw[3].text = (char *)(uintptr_t) "<i>\x01";
    w->raw[3].n = 4;
    w->run.command = "replay --apply '</code></pre><img src=x onerror=alert(1)>'";
    w->correction[3].message_id = slice_of("\"onmouseover=\"alert(1)");
    w->correction[3].before.error = slice_of("<!-- &lt; ]]> &#60;");
    /* of world_explain */
    w->gap[0].instance = slice_of("<a href=\"javascript:alert(1)\">");
    w->gap[0].command = slice_of("x;}body{display:none}<style>*{color:red}</style>");
    w->event[0].instance = slice_of(forged);
    w->event[1].instance = slice_of("\xd7\xa9\xd7\x9c\xd7\x95\xd7\x9d <"); /* from right to left */
    w->event[2].error = slice_of("\xef\xbf\xbf\xed\xa0\x80<svg/onload=alert(1)>");
    w->row[0].status = slice_of("<u>sent</u>");
    w->row[0].rule = w->explain.rule = slice_of("</p><iframe src=//example.com></iframe>");
    w->replaced = w->archives.name[0];
    w->archives.name[0] = slice_of(forged);
}
