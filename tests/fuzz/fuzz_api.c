/* An answer of Evolution has the shape and the members that jansson's tree of it has,
 * whatever bytes it is. */
#include "fuzz.h"

#include "api_answers.h"
#include "clock.h"
#include "jsonscan.h"
#include "jwalk.h"

#include <jansson.h>

#define JSON_FLAGS (JSON_DECODE_INT_AS_REAL | JSON_ALLOW_NUL)

static bool same_text(struct slice s, const json_t *v)
{
    return v ? s.p && s.n == json_string_length(v) && memcmp(s.p, json_string_value(v), s.n) == 0
             : !s.p;
}

/* The first that is a text of at least one character; NULL: none is. */
static const json_t *first_text(const json_t *const *v, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (json_string_length(v[i]) > 0)
            return v[i];
    return NULL;
}

static const json_t *id_in(const json_t *v)
{
    return json_object_get(json_object_get(v, "key"), "id");
}

/* The array, or NULL. */
static const json_t *array_at(const json_t *v, const char *key)
{
    const json_t *array = json_object_get(v, key);

    return json_is_array(array) ? array : NULL;
}

static bool has_status(const json_t *v)
{
    const json_t *status = json_object_get(v, "status");

    return status && !json_is_null(status);
}

static void check_updates(struct slice updates, const json_t *tree)
{
    struct slice update;
    size_t pos = 0, i = 0;

    FUZZ_EXPECT((updates.p != NULL) == (tree != NULL));
    for (; updates.p && jwalk_next(updates, &pos, &update); i++)
        FUZZ_EXPECT((api_update_status(update).p != NULL) == has_status(json_array_get(tree, i)));
    FUZZ_EXPECT(i == json_array_size(tree));
}

static void check_element(struct slice element, const json_t *tree)
{
    const json_t *ids[] = {id_in(tree), json_object_get(tree, "keyId"),
                           json_object_get(tree, "id")};
    struct buf id = BUF_INIT, tmp = BUF_INIT;
    struct api_record record;
    struct api_row row;

    FUZZ_EXPECT(api_record_read(element, &id, &record));
    FUZZ_EXPECT(same_text(record.message_id, first_text(ids, 1)));
    FUZZ_EXPECT((record.row_id.p != NULL) == (first_text(ids + 2, 1) != NULL));
    check_updates(record.updates, array_at(tree, "MessageUpdate"));
    FUZZ_EXPECT(api_row_read(element, &id, &tmp, &row));
    FUZZ_EXPECT(same_text(row.message_id, first_text(ids, COUNT_OF(ids))));
    FUZZ_EXPECT((row.status.p != NULL) == has_status(tree));
    FUZZ_EXPECT(row.time == TIME_NONE ||
                (row.time >= TIME_EVENT_MIN && row.time <= TIME_EVENT_MAX));
    buf_release(&id);
    buf_release(&tmp);
}

static void check_error(struct slice body, const json_t *tree)
{
    const json_t *said = json_object_get(json_object_get(tree, "response"), "message");
    const json_t *words[] = {said, json_array_get(said, 0), json_object_get(tree, "message"),
                             json_object_get(tree, "error")};
    const json_t *text = first_text(words, COUNT_OF(words));
    struct buf out = BUF_INIT;

    FUZZ_EXPECT(api_error_text(body, &out));
    FUZZ_EXPECT(same_text(out.len > 0 ? (struct slice){out.data, out.len} : SLICE_NONE, text));
    buf_release(&out);
}

static void check_rows(const struct api_answer *a, const json_t *tree)
{
    const json_t *rows =
        json_is_array(tree) ? tree : array_at(json_object_get(tree, "messages"), "records");
    struct slice element;
    size_t pos = 0, i = 0;

    for (; jwalk_next(a->rows, &pos, &element); i++)
        check_element(element, json_array_get(rows, i));
    FUZZ_EXPECT(i == json_array_size(rows));
}

static enum api_shape shape_of(const json_t *tree)
{
    const json_t *messages = json_object_get(tree, "messages");
    double total = json_number_value(json_object_get(messages, "total"));

    if (json_is_array(tree))
        return API_ROWS;
    if (json_is_number(json_object_get(messages, "total")) && total >= 0 && total <= 1e15 &&
        total == (double)(int64_t)total && array_at(messages, "records"))
        return API_PAGE;
    return API_STRANGE;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice body = {(const char *)data, n}, whole;
    struct api_answer a;
    enum api_shape shape = api_answer_read(body, &a);
    bool json = jsonscan_whole(body, &whole);
    json_t *tree = json ? json_loadb(whole.p, whole.n, JSON_FLAGS, NULL) : NULL;

    FUZZ_EXPECT(json == (tree != NULL)); /* and fuzz_records sees to the rest */
    FUZZ_EXPECT(shape == (tree ? shape_of(tree) : API_NO_JSON));
    check_error(body, tree);
    if (shape == API_PAGE || shape == API_ROWS)
        check_rows(&a, tree);
    else
        FUZZ_EXPECT(!a.rows.p);
    json_decref(tree);
    return 0;
}
