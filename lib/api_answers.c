#include "api_answers.h"

#include "event_time.h"
#include "jsonscan.h"
#include "jwalk.h"

#include <math.h>

#define COUNT_MAX 1e15

static bool is_object(struct slice v)
{
    return v.p && v.p[0] == '{';
}

static bool is_array(struct slice v)
{
    return v.p && v.p[0] == '[';
}

static struct slice member(struct slice object, const char *key)
{
    const char *const keys[] = {key};
    struct slice found = SLICE_NONE;

    if (is_object(object))
        jwalk_find(object, keys, 1, &found);
    return found;
}

/* A count of something; -1: it is none. */
static int64_t count_of(struct slice v)
{
    double n;

    if (!v.p || jwalk_type_of(v) != JWALK_NUMBER)
        return -1;
    n = jwalk_number(v);
    return n >= 0 && n <= COUNT_MAX && n == floor(n) ? (int64_t)n : -1;
}

static bool is_crowded(struct slice rows)
{
    struct slice row, update;
    size_t n = 0, pos = 0;

    while (jwalk_next(rows, &pos, &row)) {
        struct slice updates = member(row, "MessageUpdate");
        size_t at = 0;

        if (++n > API_ELEMENTS_MAX)
            return true;
        while (is_array(updates) && jwalk_next(updates, &at, &update)) {
            if (++n > API_ELEMENTS_MAX)
                return true;
        }
    }
    return false;
}

static enum api_shape take_rows(struct api_answer *a, struct slice rows, enum api_shape shape)
{
    if (is_crowded(rows))
        return API_CROWDED;
    a->rows = rows;
    return shape;
}

enum api_shape api_answer_read(struct slice body, struct api_answer *a)
{
    static const char *const keys[] = {"total", "pages", "records"};
    struct slice whole, found[3];

    *a = (struct api_answer){.rows = SLICE_NONE, .pages = -1};
    if (!jsonscan_whole(body, &whole))
        return API_NO_JSON;
    if (is_array(whole))
        return take_rows(a, whole, API_ROWS);
    whole = member(whole, "messages");
    if (!is_object(whole))
        return API_STRANGE;
    jwalk_find(whole, keys, 3, found);
    a->total = count_of(found[0]);
    a->pages = count_of(found[1]);
    if (a->total < 0 || !is_array(found[2]))
        return API_STRANGE;
    return take_rows(a, found[2], API_PAGE);
}

const char *api_shape_problem(enum api_shape shape, enum api_shape wanted)
{
    if (shape == wanted)
        return NULL;
    if (shape == API_NO_JSON)
        return "it is no whole JSON";
    if (shape == API_CROWDED)
        return "it has more than a million rows";
    return wanted == API_ROWS ? "it is no array of rows"
                              : "it has no messages.total and messages.records";
}

/* The first of n values that is a non-empty string. */
static bool first_text(const struct slice *v, size_t n, struct buf *tmp, struct slice *out)
{
    size_t i;

    *out = SLICE_NONE;
    for (i = 0; i < n; i++) {
        if (jwalk_is_text(v[i]))
            return jwalk_string(v[i], tmp, out);
    }
    return true;
}

bool api_record_read(struct slice element, struct buf *id, struct api_record *r)
{
    static const char *const keys[] = {"id", "key", "MessageUpdate"};
    struct slice found[3], key_id;

    *r = (struct api_record){SLICE_NONE, SLICE_NONE, SLICE_NONE};
    if (!is_object(element))
        return true;
    jwalk_find(element, keys, 3, found);
    r->row_id = jwalk_is_text(found[0]) ? found[0] : SLICE_NONE;
    r->updates = is_array(found[2]) ? found[2] : SLICE_NONE;
    key_id = member(found[1], "id");
    return first_text(&key_id, 1, id, &r->message_id);
}

static struct slice unless_null(struct slice v)
{
    return v.p && v.p[0] == 'n' ? SLICE_NONE : v;
}

bool api_row_read(struct slice element, struct buf *id, struct buf *tmp, struct api_row *r)
{
    static const char *const keys[] = {"keyId", "id", "key", "status", "datetime"};
    struct slice found[5], ids[3];

    *r = (struct api_row){SLICE_NONE, SLICE_NONE, TIME_NONE};
    if (!is_object(element))
        return true;
    jwalk_find(element, keys, 5, found);
    r->status = unless_null(found[3]);
    r->time = event_datetime(found[4], tmp);
    /* Beside keyId, id is Evolution's own: the same order as in a webhook. */
    ids[0] = member(found[2], "id");
    ids[1] = found[0];
    ids[2] = found[1];
    return first_text(ids, 3, id, &r->message_id);
}

struct slice api_update_status(struct slice element)
{
    return unless_null(member(element, "status"));
}

bool api_error_text(struct slice body, struct buf *out)
{
    struct slice whole, words, text, first[4];
    struct buf tmp = BUF_INIT;
    size_t pos = 0;
    bool ok;

    if (!jsonscan_whole(body, &whole) || !is_object(whole))
        return true;
    words = member(member(whole, "response"), "message");
    first[0] = words;
    first[1] = SLICE_NONE;
    if (is_array(words) && !jwalk_next(words, &pos, &first[1]))
        first[1] = SLICE_NONE;
    first[2] = member(whole, "message");
    first[3] = member(whole, "error");
    ok = first_text(first, 4, &tmp, &text);
    if (ok && text.p) {
        buf_add(out, text.p, text.n);
        ok = !out->failed;
    }
    buf_release(&tmp);
    return ok;
}
