#include "event_status.h"

#include "event_time.h"
#include "jmemory.h"
#include "jwalk.h"
#include "mask.h"

#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RAW_STATUS_MAX 4096 /* bytes */

/* Counts a raw status, which the report will show: without API keys, should
 * somebody post one in its place. */
static int count_raw(struct slice text, struct event_counts *counts)
{
    struct buf masked = BUF_INIT;
    int status;

    if (tally_again(&counts->raw_statuses, text))
        return 0;
    if (text.n > RAW_STATUS_MAX || !memchr(text.p, '"', text.n))
        return tally_add(&counts->raw_statuses, text, 1);
    if (!mask_api_keys(text, &masked).certain) {
        buf_clear(&masked);
        buf_adds(&masked, "(masked)");
    }
    status = masked.failed ? -1
                           : tally_add(&counts->raw_statuses,
                                       (struct slice){buf_str(&masked), masked.len}, 1);
    buf_release(&masked);
    return status;
}

/* A status that is neither text nor number, as compact JSON. */
static int tally_json(struct slice value, struct event_counts *counts)
{
    json_t *v = NULL;
    char *text = NULL;
    int status = 0;

    if (value.n <= RAW_STATUS_MAX)
        status = jmemory_load(&v, value, JSON_DECODE_ANY | JSON_ALLOW_NUL);
    if (v && !(text = json_dumps(v, JSON_COMPACT | JSON_ENCODE_ANY)) && jmemory_failed())
        status = -1;
    json_decref(v);
    /* Too long to be worth a tree, or an integer it cannot hold: the bytes as they are. */
    if (status >= 0)
        status = count_raw(text ? slice_of(text) : value, counts);
    free(text);
    return status;
}

static enum status_meaning read_code(int64_t code, const struct event_options *o,
                                     struct event_counts *counts)
{
    if (!o->codes_named) {
        counts->unnamed_numbers++;
        counts->unnamed_codes += code == 4 || code == 5;
    }
    return status_of_code(code, o->codes);
}

static int read_number(struct slice value, const struct event_options *o,
                       struct event_counts *counts, enum status_meaning *what)
{
    double v = jwalk_number(value);
    char digits[32];
    struct slice text = value; /* how the report names it */

    if (v == floor(v) && fabs(v) < 1e15) {
        (void)snprintf(digits, sizeof digits, "%lld", (long long)v);
        text = slice_of(digits);
        *what = read_code((int64_t)v, o, counts);
    }
    return tally_add(&counts->raw_statuses, text, 1);
}

int event_status_read(struct slice value, const struct event_options *o,
                      struct event_counts *counts, struct buf *tmp, enum status_meaning *what)
{
    struct slice s;

    *what = MEANS_UNKNOWN;
    if (!value.p)
        return 0;
    switch (jwalk_type_of(value)) {
    case JWALK_STRING:
        if (!jwalk_string(value, tmp, &s))
            return -1;
        *what =
            event_is_digits(s) ? read_code(event_digits_value(s), o, counts) : status_of_word(s);
        return count_raw(s, counts);
    case JWALK_NUMBER:
        return read_number(value, o, counts, what);
    case JWALK_OBJECT:
    case JWALK_ARRAY:
    case JWALK_LITERAL:
        break;
    }
    return tally_json(value, counts);
}
