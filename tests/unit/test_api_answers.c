#include "api_answers.h"

#include "clock.h"
#include "helpers.h"
#include "jsonscan.h"
#include "jwalk.h"

#include <jansson.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static enum api_shape shape_of(const char *body)
{
    struct api_answer a;

    return api_answer_read(slice_of(body), &a);
}

static void answers_are_told_apart_by_shape(void **state)
{
    static const struct {
        const char *body;
        enum api_shape shape;
    } cases[] = {
        {"", API_NO_JSON},
        {" \n", API_NO_JSON},
        {"<html></html>", API_NO_JSON},
        {"null", API_NO_JSON},
        {"[{\"id\":1}", API_NO_JSON},
        {"[]x", API_NO_JSON},
        {"[]", API_ROWS},
        {" [ {} ]\r\n", API_ROWS},
        {"{}", API_STRANGE},
        {"{\"messages\":null}", API_STRANGE},
        {"{\"messages\":[]}", API_STRANGE},
        {"{\"messages\":{\"total\":1,\"pages\":1}}", API_STRANGE},
        {"{\"messages\":{\"records\":[]}}", API_STRANGE},
        {"{\"messages\":{\"total\":\"1\",\"records\":[]}}", API_STRANGE},
        {"{\"messages\":{\"total\":-1,\"records\":[]}}", API_STRANGE},
        {"{\"messages\":{\"total\":1.5,\"records\":[]}}", API_STRANGE},
        {"{\"messages\":{\"total\":1e300,\"records\":[]}}", API_STRANGE},
        {"{\"messages\":{\"total\":1,\"records\":{}}}", API_STRANGE},
        {"{\"messages\":{\"total\":0,\"records\":[]}}", API_PAGE},
        {"{\"messages\":{\"total\":1,\"pages\":1,\"currentPage\":1,\"records\":[{}]},\"x\":1}",
         API_PAGE},
    };
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++)
        assert_int_equal(shape_of(cases[i].body), cases[i].shape);
    assert_null(api_shape_problem(API_ROWS, API_ROWS));
    assert_null(api_shape_problem(API_PAGE, API_PAGE));
    assert_non_null(api_shape_problem(API_ROWS, API_PAGE));
    assert_non_null(api_shape_problem(API_PAGE, API_ROWS));
    assert_non_null(api_shape_problem(API_STRANGE, API_ROWS));
    assert_non_null(api_shape_problem(API_NO_JSON, API_PAGE));
}

/* An answer with n elements between two texts. */
static enum api_shape shape_of_many(const char *before, size_t n, const char *after)
{
    struct buf b = BUF_INIT;
    enum api_shape shape;

    buf_adds(&b, before);
    for (size_t i = 0; i < n; i++)
        buf_adds(&b, i > 0 ? ",{}" : "{}");
    buf_adds(&b, after);
    shape = shape_of(buf_str(&b));
    buf_release(&b);
    return shape;
}

static void an_answer_of_endless_rows_is_none(void **state)
{
    static const char page[] = "{\"messages\":{\"total\":1,\"records\":[";
    static const char record[] = "{\"messages\":{\"total\":1,\"records\":[{\"MessageUpdate\":[";

    (void)state;
    assert_int_equal(shape_of_many("[", API_ELEMENTS_MAX, "]"), API_ROWS);
    assert_int_equal(shape_of_many("[", API_ELEMENTS_MAX + 1, "]"), API_CROWDED);
    assert_int_equal(shape_of_many(page, API_ELEMENTS_MAX, "]}}"), API_PAGE);
    assert_int_equal(shape_of_many(page, API_ELEMENTS_MAX + 1, "]}}"), API_CROWDED);
    assert_int_equal(shape_of_many(record, API_ELEMENTS_MAX - 1, "]}]}}"), API_PAGE);
    assert_int_equal(shape_of_many(record, API_ELEMENTS_MAX, "]}]}}"), API_CROWDED);
    assert_non_null(api_shape_problem(API_CROWDED, API_ROWS));
}

static void a_page_tells_how_much_there_is(void **state)
{
    struct api_answer a;

    (void)state;
    assert_int_equal(api_answer_read(slice_of("{\"messages\":{\"total\":1001,\"pages\":3,"
                                              "\"records\":[1,2]}}"),
                                     &a),
                     API_PAGE);
    assert_int_equal(a.total, 1001);
    assert_int_equal(a.pages, 3);
    assert_true(slice_is(a.rows, "[1,2]"));
    assert_int_equal(api_answer_read(slice_of("{\"messages\":{\"total\":1,\"records\":[]}}"), &a),
                     API_PAGE);
    assert_int_equal(a.pages, -1);
}

/* --- rows --- */

static struct api_row row_of(const char *json, struct buf *id, struct buf *tmp)
{
    struct api_row r;
    struct slice whole;

    assert_true(jsonscan_whole(slice_of(json), &whole));
    assert_true(api_row_read(whole, id, tmp, &r));
    return r;
}

static void a_row_of_each_version_is_read(void **state)
{
    struct buf id = BUF_INIT, tmp = BUF_INIT;
    struct api_row r;

    (void)state;
    r = row_of("{\"id\":\"cm9x\",\"keyId\":\"3EB0\",\"remoteJid\":\"5511@s.whatsapp.net\","
               "\"fromMe\":true,\"participant\":null,\"pollUpdates\":null,\"status\":\"READ\","
               "\"messageId\":\"cm8y\",\"instanceId\":\"x\"}",
               &id, &tmp);
    assert_true(slice_is(r.message_id, "3EB0"));
    assert_true(slice_is(r.status, "\"READ\""));
    assert_true(r.time == TIME_NONE);
    r = row_of("{\"remoteJid\":\"5511\",\"fromMe\":true,\"id\":\"BAE5\\u0041\",\"participant\":"
               "\"\",\"datetime\":1780401600123,\"status\":3,\"owner\":\"x\"}",
               &id, &tmp);
    assert_true(slice_is(r.message_id, "BAE5A"));
    assert_true(slice_is(r.status, "3"));
    assert_true(r.time == INT64_C(1780401600123000));
    r = row_of(
        "{\"key\":{\"id\":\"K\"},\"keyId\":\"L\",\"id\":\"M\",\"datetime\":\"1780401600123\","
        "\"status\":null}",
        &id, &tmp);
    assert_true(slice_is(r.message_id, "K"));
    assert_null(r.status.p);
    assert_true(r.time == INT64_C(1780401600123000));
    buf_release(&id);
    buf_release(&tmp);
}

static void what_is_no_row_proves_nothing(void **state)
{
    struct buf id = BUF_INIT, tmp = BUF_INIT;
    struct slice element;
    struct api_row r;
    struct api_record rec;
    size_t pos = 0;

    (void)state;
    r = row_of("{\"keyId\":\"\",\"id\":7,\"key\":[],\"datetime\":\"soon\"}", &id, &tmp);
    assert_null(r.message_id.p);
    assert_null(r.status.p);
    assert_true(r.time == TIME_NONE);
    while (jwalk_next(slice_of("[null,1,\"x\",[],true,{}]"), &pos, &element)) {
        assert_true(api_row_read(element, &id, &tmp, &r));
        assert_null(r.message_id.p);
        assert_null(r.status.p);
        assert_true(api_record_read(element, &id, &rec));
        assert_null(rec.message_id.p);
        assert_null(rec.updates.p);
        assert_null(api_update_status(element).p);
    }
    buf_release(&id);
    buf_release(&tmp);
}

static void a_record_is_read(void **state)
{
    struct buf id = BUF_INIT;
    struct api_record r;
    struct slice update;
    size_t pos = 0;

    (void)state;
    assert_true(api_record_read(
        slice_of("{\"id\":\"cm1\",\"key\":{\"id\":\"3EB0\",\"fromMe\":true},\"message\":{\"key\":"
                 "{\"id\":\"not this\"}},\"MessageUpdate\":[{\"status\":\"DELIVERY_ACK\"},{}]}"),
        &id, &r));
    assert_true(slice_is(r.message_id, "3EB0"));
    assert_true(slice_is(r.row_id, "\"cm1\""));
    assert_true(jwalk_next(r.updates, &pos, &update));
    assert_true(slice_is(api_update_status(update), "\"DELIVERY_ACK\""));
    assert_true(jwalk_next(r.updates, &pos, &update));
    assert_null(api_update_status(update).p);
    assert_true(api_record_read(
        slice_of("{\"key\":\"3EB0\",\"MessageUpdate\":{\"status\":\"READ\"}}"), &id, &r));
    assert_null(r.message_id.p);
    assert_null(r.row_id.p);
    assert_null(r.updates.p);
    buf_release(&id);
}

/* --- errors --- */

static void the_servers_own_words_are_found(void **state)
{
    static const char *const cases[][2] = {
        {"{\"status\":404,\"error\":\"Not Found\",\"response\":{\"message\":[\"The \\\"x\\\" "
         "instance does not exist\"]}}",
         "The \"x\" instance does not exist"},
        {"{\"status\":401,\"error\":\"Unauthorized\",\"response\":{\"message\":\"No\"}}", "No"},
        {"{\"status\":400,\"error\":\"Bad Request\",\"response\":{\"message\":[]}}", "Bad Request"},
        {"{\"status\":400,\"error\":\"Bad\",\"response\":{\"message\":[[\"x\"]]}}", "Bad"},
        {"{\"message\":\"hello\",\"error\":\"Bad\"}", "hello"},
        {"{\"error\":{}}", ""},
        {"<html>", ""},
        {"[\"x\"]", ""},
        {"", ""},
    };
    struct buf b = BUF_INIT;
    size_t i;

    (void)state;
    for (i = 0; i < COUNT_OF(cases); i++) {
        buf_clear(&b);
        assert_true(api_error_text(slice_of(cases[i][0]), &b));
        assert_string_equal(buf_str(&b), cases[i][1]);
    }
    buf_release(&b);
}

/* --- anything at all --- */

/* What jansson makes of the same answer. It overlooks a raw NUL in some places,
 * but that is nowhere JSON. */
static enum api_shape shape_by_jansson(const struct buf *body, json_int_t *rows)
{
    json_t *v = memchr(body->data, '\0', body->len)
                    ? NULL
                    : json_loadb(body->data, body->len, JSON_READ_FLAGS, NULL);
    enum api_shape shape = API_NO_JSON;
    json_t *messages, *total;

    *rows = 0;
    if (json_is_array(v)) {
        shape = API_ROWS;
        *rows = (json_int_t)json_array_size(v);
    } else if (v) {
        messages = json_object_get(v, "messages");
        total = json_object_get(messages, "total");
        shape = API_STRANGE;
        if (json_is_number(total) && json_is_array(json_object_get(messages, "records"))) {
            shape = API_PAGE;
            *rows = (json_int_t)json_array_size(json_object_get(messages, "records"));
        }
    }
    json_decref(v);
    return shape;
}

/* Reads all there is in an answer. */
static json_int_t read_all(const struct api_answer *a)
{
    struct buf id = BUF_INIT, tmp = BUF_INIT;
    struct slice element;
    struct api_record rec;
    struct api_row row;
    json_int_t n = 0;
    size_t pos = 0;

    while (a->rows.p && jwalk_next(a->rows, &pos, &element)) {
        assert_true(api_record_read(element, &id, &rec));
        assert_true(api_row_read(element, &id, &tmp, &row));
        (void)api_update_status(element);
        n++;
    }
    buf_release(&id);
    buf_release(&tmp);
    return n;
}

static void any_text_is_read_as_jansson_reads_it(void **state)
{
    static const char *const frames[][2] = {
        {"", ""},
        {"{\"messages\":", "}"},
        {"{\"messages\":{\"total\":12,\"pages\":2,\"records\":", "}}"},
        {"[{\"keyId\":\"x\",\"status\":", "}]"},
        {"[{\"id\":\"x\",\"datetime\":1,\"key\":", "}]"},
    };
    struct buf b = BUF_INIT, error = BUF_INIT;
    struct rng r = {20260602};
    struct api_answer a;
    json_int_t rows;
    int i;

    (void)state;
    for (i = 0; i < CASES(100000); i++) {
        size_t frame = rng_below(&r, COUNT_OF(frames));

        buf_clear(&b);
        buf_adds(&b, frames[frame][0]);
        gen_document(&r, &b);
        buf_adds(&b, frames[frame][1]);
        while (rng_one_in(&r, 2))
            gen_damage(&r, &b);
        assert_int_equal(api_answer_read((struct slice){b.data, b.len}, &a),
                         shape_by_jansson(&b, &rows));
        assert_int_equal(read_all(&a), rows);
        buf_clear(&error);
        assert_true(api_error_text((struct slice){b.data, b.len}, &error));
    }
    buf_release(&b);
    buf_release(&error);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_are_told_apart_by_shape),
        cmocka_unit_test(an_answer_of_endless_rows_is_none),
        cmocka_unit_test(a_page_tells_how_much_there_is),
        cmocka_unit_test(a_row_of_each_version_is_read),
        cmocka_unit_test(what_is_no_row_proves_nothing),
        cmocka_unit_test(a_record_is_read),
        cmocka_unit_test(the_servers_own_words_are_found),
        cmocka_unit_test(any_text_is_read_as_jansson_reads_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
