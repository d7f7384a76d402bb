/* The JSON report is JSON to jansson, has the members that formats.md names, and gives
 * each name back, with U+FFFD for what is no UTF-8. The text report shows nothing that
 * a terminal would act on. */
#include "shown.h"

#include "utf8.h"

#include <jansson.h>

static const char *const members[] = {"run",     "input",     "messages",    "instance_mismatches",
                                      "causes",  "campaigns", "corrections", "gaps",
                                      "explain", "warnings"};

static void check_text(const json_t *v, struct slice name)
{
    struct buf want = BUF_INIT;

    FUZZ_EXPECT(name.p ? json_is_string(v) : json_is_null(v));
    for (size_t i = 0; i < name.n;) {
        size_t n = utf8_sequence(name.p + i, name.n - i, NULL);

        buf_add(&want, n > 0 ? name.p + i : "\xef\xbf\xbd", n > 0 ? n : 3);
        i += n > 0 ? n : 1;
    }
    FUZZ_EXPECT(!name.p || (json_string_length(v) == want.len &&
                            memcmp(json_string_value(v), buf_str(&want), want.len) == 0));
    buf_release(&want);
}

static const struct campaign_result *campaign_of(const struct world *w, const json_t *v)
{
    char id[IDENT_TEXT_SIZE];

    for (size_t i = 0; i < w->run.campaigns; i++) {
        (void)ident_format(w->run.kinds.campaign, w->campaign[i].id, id);
        if (strcmp(id, json_string_value(json_object_get(v, "id"))) == 0)
            return &w->campaign[i];
    }
    fuzz_found("a campaign that there is not");
}

static void check_names(const struct world *w, const json_t *root)
{
    const json_t *v;
    size_t i;

    json_array_foreach(json_object_get(root, "campaigns"), i, v)
        check_text(json_object_get(v, "name"), campaign_of(w, v)->name);
    json_array_foreach(json_object_get(root, "warnings"), i, v) check_text(v, w->warning[i]);
    json_array_foreach(json_object_get(root, "gaps"), i, v)
    {
        check_text(json_object_get(v, "instance"), w->gap[i].instance);
        check_text(json_object_get(v, "command"), w->gap[i].command);
    }
    json_array_foreach(json_object_get(root, "instance_mismatches"), i, v)
        check_text(json_object_get(v, "instance"), w->mismatch[i].instance);
}

static void check_report(const struct shown *s, struct slice text)
{
    json_error_t e;
    json_t *root = json_loadb(text.p, text.n, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);

    if (!root)
        fuzz_found("%s at byte %d", e.text, e.position);
    FUZZ_EXPECT(json_object_size(root) == COUNT_OF(members));
    for (size_t i = 0; i < COUNT_OF(members); i++)
        FUZZ_EXPECT(json_object_get(root, members[i]) != NULL);
    FUZZ_EXPECT(json_array_size(json_object_get(root, "warnings")) == s->w.run.warnings);
    FUZZ_EXPECT(json_array_size(json_object_get(root, "gaps")) == s->w.run.gaps);
    check_names(&s->w, root);
    json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf json = BUF_INIT, text = BUF_INIT;
    struct shown s;

    if (n == 0)
        return 0;
    shown_init(&s, data, n, false);
    shown_put(&s, REPORT_JSON, &json);
    check_report(&s, (struct slice){buf_str(&json), json.len});
    shown_put(&s, REPORT_TEXT, &text);
    FUZZ_EXPECT(text.len > 0 && fuzz_is_safe((struct slice){text.data, text.len}, "\n"));
    buf_release(&json);
    buf_release(&text);
    shown_release(&s);
    return 0;
}
