#include "event_scan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "helpers.h"
#include "look_alike.h"

/* What archives are made of: the fast way has to take each of these. */
static const char *const simple[] = {
    "{}",
    "{\"event\":\"messages.update\",\"instance\":\"one\",\"data\":{\"key\":{\"remoteJid\":\"55@s\","
    "\"fromMe\":true,\"id\":\"3EB0A1\"},\"update\":{\"status\":3}},\"date_time\":"
    "\"2026-11-01T12:09:07.784Z\",\"apikey\":\"B343\"}",
    "{\"event\":\"MESSAGES_UPDATE\",\"data\":{\"keyId\":\"3EB0A2\",\"remoteJid\":\"55@s\","
    "\"fromMe\":"
    "true,\"status\":\"DELIVERY_ACK\",\"messageId\":\"cm1\"},\"instance\":\"two\"}",
    "{\"data\":{\"id\":\"3EB0A3\",\"datetime\":1793534947784,\"status\":\"read\",\"owner\":"
    "\"three\"},"
    "\"event\":\"messages-update\"}",
    "{\"event\":\"messages.update\",\"instance\":{\"instanceName\":\"four\"},\"data\":[{\"key\":{"
    "\"id\":"
    "\"a\"},\"update\":{\"message\":null}},{\"keyId\":\"b\",\"status\":\"FAILED\",\"error\":{"
    "\"message\":"
    "\"n\xC3\xA3o\"}},{}],\"error\":\"x\"}",
    "{\"received_at\":\"2026-11-02T03:59:47.760072Z\",\"path\":\"\\/api\\/\",\"body\":{\"event\":"
    "\"messages.update\",\"instance\":\"five\",\"data\":{\"keyId\":\"c\",\"status\":\"SENT\"}}}",
    "{\"msec\":\"1793647406.023\",\"time_iso8601\":\"2026-11-02T19:23:26+00:00\",\"request_body\":"
    "\"{\\\"event\\\":\\\"messages.update\\\",\\\"instance\\\":\\\"six\\\",\\\"data\\\":{"
    "\\\"keyId\\\":"
    "\\\"d\\\",\\\"status\\\":\\\"READ\\\"}}\",\"status\":\"200\"}",
    "{\n  \"event\": \"messages.update\",\n  \"data\": {\n    \"keyId\": \"e\",\n    \"status\": "
    "\"ERROR\",\n    \"error\": \"\\u00e3\\ud83d\\ude00\"\n  },\n  \"instance\": \"seven\"\n}",
    "{\"headers\":{\"a\":[1,-2.5,true,false,null,{}]},\"payload\":{\"message\":{\"event\":"
    "\"messages.update\",\"data\":{\"keyId\":\"f\",\"status\":4}}},\"ts\":1793647406.5}",
    "{\"event\":\"messages.upsert\",\"data\":{\"key\":{\"id\":\"g\"},\"message\":{\"text\":"
    "\"uma mensagem com acentua\xC3\xA7\xC3\xA3o e mais de trinta e dois bytes \\n\"}}}",
    "{\"body\":[{\"event\":\"messages.update\",\"data\":{\"keyId\":\"h\",\"status\":\"READ\"}}]}",
    "{\"body\":\"[]\",\"payload\":7,\"event\":1,\"data\":\"x\",\"message\":\"no JSON\"}",
};

/* Whole, but left to the careful way. */
static const char *const odd[] = {
    "{\"ev\\u0065nt\":\"messages.update\",\"data\":{}}",
    "{\"event\":\"messages.update\",\"data\":{},\"data\":{\"keyId\":\"x\",\"status\":\"READ\"}}",
    "{\"event\":\"messages.update\",\"data\":{\"keyId\":\"x\",\"keyId\":\"y\",\"status\":\"READ\"}"
    "}",
    "{\"event\":\"messages.update\",\"data\":{\"key\":{\"id\":\"x\",\"id\":\"y\"},\"status\":"
    "\"READ\"}}",
    "{\"event\":\"messages.update\",\"data\":[{},7]}",
    "{\"a\":1e2,\"event\":\"messages.update\",\"data\":{}}",
};

static const char *const broken[] = {
    "{",
    "{\"a\":\"\x80\"}",
    "{\"a\":\"\xC3\"}",
    "{\"a\":\"\xED\xA0\x80\"}",
    "{\"a\":\"\xF4\x90\x80\x80\"}",
    "{\"a\":\"\\ud800\"}",
    "{\"a\":\"\\ud800\\u0041\"}",
    "{\"a\":\"\\udc00\"}",
    "{\"a\":\"\\x\"}",
    "{\"a\":\"\t\"}",
    "{\"a\":01}",
    "{\"a\":1.}",
    "{\"a\":-}",
    "{\"a\":+1}",
    "{\"a\":tru}",
    "{\"a\":nulll}",
    "{\"a\" \"b\"}",
    "{\"a\":1,}",
    "{\"a\":[1,]}",
    "{\"a\":[1}",
    "{\"a\":{]}",
    "{,}",
    "{a:1}",
};

static size_t look(const char *text, size_t n)
{
    struct buf why = BUF_INIT;
    size_t length = look_alike(text, n, &why);

    if (why.len > 0)
        fail_msg("%.*s\n%s", (int)n, text, buf_str(&why));
    buf_release(&why);
    return length;
}

static void common_records_are_read_in_passing(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(simple); i++) {
        size_t n = strlen(simple[i]);

        if (look(simple[i], n) != n)
            fail_msg("not read in passing: %s", simple[i]);
    }
}

static void a_record_ends_where_its_brace_closes(void **state)
{
    (void)state;
    assert_int_equal(look("{}{}", 4), 2);
    assert_int_equal(look("{\"a\":1}\n{\"b\":", 13), 7);
    assert_int_equal(look("{\"a\":\"}\"}]", 10), 9);
}

static void what_is_odd_is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(odd); i++)
        assert_int_equal(look(odd[i], strlen(odd[i])), 0);
    for (size_t i = 0; i < COUNT_OF(broken); i++)
        assert_int_equal(look(broken[i], strlen(broken[i])), 0);
}

static void a_cut_record_is_left_alone(void **state)
{
    (void)state;
    for (size_t i = 0; i < COUNT_OF(simple); i++)
        for (size_t n = 1; n < strlen(simple[i]); n++)
            assert_int_equal(look(simple[i], n), 0);
}

static void nesting_has_an_end(void **state)
{
    (void)state;
    for (size_t depth = 1; depth < 600; depth += depth < 55 || depth > 70 ? 13 : 1) {
        struct buf b = BUF_INIT;
        size_t n;

        buf_adds(&b, "{\"a\":");
        for (size_t i = 0; i < depth; i++)
            buf_adds(&b, i % 2 ? "[" : "{\"b\":");
        buf_adds(&b, "1");
        for (size_t i = depth; i-- > 0;)
            buf_addc(&b, i % 2 ? ']' : '}');
        buf_addc(&b, '}');
        n = look(b.data, b.len);
        assert_true(depth > 60 ? n == 0 : n == b.len);
        buf_release(&b);
    }
}

/* Each place where a string may stand in a block, with each odd byte in it. */
static void strings_may_end_anywhere(void **state)
{
    static const char *const ends[] = {"\"",         "\\\"\"",     "\\\\\"",
                                       "\\u00e9\"",  "\xC3\xA9\"", "\\/\"",
                                       "\\\\\\\"\"", "\\\\\\\\\"", "\xF0\x9F\x98\x80\\\"\""};

    (void)state;
    for (size_t n = 0; n < 100; n++)
        for (size_t i = 0; i < COUNT_OF(ends); i++) {
            struct buf b = BUF_INIT;

            buf_adds(&b, "{\"instance\":\"");
            for (size_t k = 0; k < n; k++)
                buf_addc(&b, (char)('a' + k % 26));
            buf_adds(&b, ends[i]);
            buf_adds(&b, ",\"event\":\"messages.update\",\"data\":{\"keyId\":\"x\",\"status\":3}}");
            assert_int_equal(look(b.data, b.len), b.len);
            buf_release(&b);
        }
}

/* Whole, broken by a byte or cut, and with another string behind. */
static void long_strings_are_read_alike(void **state)
{
    struct rng r = {17};
    struct buf b = BUF_INIT;

    (void)state;
    for (int i = 0; i < CASES(60000); i++) {
        buf_clear(&b);
        buf_adds(&b, "{\"event\":\"messages.update\",\"instance\":");
        gen_long_string(&r, &b);
        buf_adds(&b, rng_one_in(&r, 2) ? ",\"error\":" : ", \"error\": ");
        gen_long_string(&r, &b);
        buf_adds(&b, ",\"data\":{\"keyId\":\"x\",\"status\":3}}");
        assert_int_equal(look(b.data, b.len), b.len);
        if (rng_one_in(&r, 2))
            b.data[rng_below(&r, (unsigned)b.len)] = "\"\\n/u\x01\x80}"[rng_below(&r, 8)];
        else
            b.len = rng_below(&r, (unsigned)b.len);
        if (b.len > 0 && b.data[0] == '{')
            (void)look(b.data, b.len);
    }
    buf_release(&b);
}

static void change(struct rng *r, struct buf *b)
{
    static const char bytes[] = "\"\\{}[]:,0e.-ntfu \n\x01\x80\xC3\xA3\xED\xF0";
    static const char *const pieces[] = {
        "\"event\":",  "\"data\":",    "\"body\":", "\"key\":", "\"id\":",      "\"status\":",
        "\"update\":", "\"message\":", "{}",        "[]",       "null",         "\"READ\"",
        "\\\"",        "\\u0000",      "\\ud83d",   "1e400",    "\"payload\":", ",\"ts\":1",
    };
    size_t at = rng_below(r, (unsigned)b->len);
    size_t n;

    switch (rng_below(r, 4)) {
    case 0:
        b->data[at] = bytes[rng_below(r, sizeof bytes - 1)];
        break;
    case 1: /* without some bytes */
        n = 1 + rng_below(r, 8);
        n = n < b->len - at ? n : b->len - at;
        memmove(b->data + at, b->data + at + n, b->len - at - n);
        b->len -= n;
        break;
    default: { /* with something put in: a piece, or bytes of its own */
        struct buf with = BUF_INIT;
        size_t from = rng_below(r, (unsigned)b->len);

        buf_add(&with, b->data, at);
        n = 1 + rng_below(r, 40);
        if (rng_one_in(r, 2))
            buf_adds(&with, RNG_PICK(r, pieces));
        else
            buf_add(&with, b->data + from, n < b->len - from ? n : b->len - from);
        buf_add(&with, b->data + at, b->len - at);
        buf_release(b);
        *b = with;
        break;
    }
    }
}

static void changed_records_are_read_alike(void **state)
{
    struct rng r = {7};
    unsigned taken = 0;
    int i;

    (void)state;
    for (i = 0; i < CASES(300000); i++) {
        struct buf b = BUF_INIT;
        unsigned changes = 1 + rng_below(&r, 3);

        buf_adds(&b, RNG_PICK(&r, simple));
        while (changes-- > 0 && b.len > 1)
            change(&r, &b);
        if (b.len > 0 && b.data[0] == '{')
            taken += look(b.data, b.len) > 0;
        buf_release(&b);
    }
    assert_true(taken > (unsigned)i / 20); /* or nothing was compared */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(common_records_are_read_in_passing),
        cmocka_unit_test(a_record_ends_where_its_brace_closes),
        cmocka_unit_test(what_is_odd_is_left_alone),
        cmocka_unit_test(a_cut_record_is_left_alone),
        cmocka_unit_test(nesting_has_an_end),
        cmocka_unit_test(strings_may_end_anywhere),
        cmocka_unit_test(long_strings_are_read_alike),
        cmocka_unit_test(changed_records_are_read_alike),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
