/* A record says what the rules make of jansson's tree of it, wrapped as often as one
 * likes, and the fast way through it says the same.
 *
 * Input: a line of letters, which are wrappers from the inside out, and digits, which
 * choose the options; then what is wrapped. */
#include "fuzz.h"

#include "event_tree.h"
#include "jsonscan.h"
#include "jsonw.h"
#include "look_alike.h"

#define WRAPPERS_MAX 8

static const struct wrapper {
    char letter;
    bool quoted; /* what is inside becomes a string */
    const char *before, *after;
} wrappers[] = {
    {'a', false, "[", "]"},
    {'b', false, "{\"body\":", "}"},
    {'e', false, "{\"received_at\":\"2026-11-01T12:00:00Z\",\"body\":", "}"},
    {'m', false, "{\"ts\":1793534400.25,\"message\":", ",\"msec\":\"1793534401.5\"}"},
    {'n', false, "[{\"headers\":{},\"params\":{},\"query\":{},\"body\":", "}]"},
    {'p', false, "{\"event\":null,\"payload\":", ",\"message\":{}}"},
    {'q', true, "{\"time_iso8601\":\"2026-11-01T09:00:00-03:00\",\"request_body\":", "}"},
    {'s', true, "{\"payload\":0,\"body\":", "}"},
};

static void wrap(struct buf *b, const struct wrapper *w)
{
    struct buf out = BUF_INIT;

    buf_adds(&out, w->before);
    if (w->quoted)
        jsonw_string(&out, buf_str(b), b->len);
    else
        buf_add(&out, buf_str(b), b->len);
    buf_adds(&out, w->after);
    buf_release(b);
    *b = out;
}

static void check(unsigned variant, const char *p, size_t n)
{
    const struct event_options o = {.codes = variant & 1 ? CODES_BAILEYS : CODES_APP,
                                    .codes_named = (variant & 2) != 0};
    struct event_reader *reader = event_reader_new(&o);
    struct buf why = BUF_INIT;

    FUZZ_EXPECT(reader != NULL);
    (void)event_by_tree(reader, &o, p, n, &why);
    if (why.len == 0)
        (void)look_alike(p, n, &why);
    if (why.len > 0)
        fuzz_found("%.*s\n%s", (int)n, p, buf_str(&why));
    buf_release(&why);
    event_reader_free(reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice rest = {(const char *)data, n}, recipe, whole;
    unsigned variant = 0, wrapped = 0;
    struct buf b = BUF_INIT;

    if (!data || !fuzz_part(&rest, '\n', &recipe) || !rest.p)
        return 0;
    buf_add(&b, rest.p, rest.n);
    for (size_t i = 0; i < recipe.n && wrapped < WRAPPERS_MAX; i++) {
        if (recipe.p[i] >= '0' && recipe.p[i] <= '9')
            variant = (unsigned)(recipe.p[i] - '0');
        for (size_t k = 0; k < COUNT_OF(wrappers); k++) {
            if (wrappers[k].letter == recipe.p[i]) {
                wrap(&b, &wrappers[k]);
                wrapped++;
            }
        }
    }
    if (jsonscan_whole((struct slice){buf_str(&b), b.len}, &whole) && whole.p[0] == '{')
        check(variant, whole.p, whole.n);
    buf_release(&b);
    return 0;
}
