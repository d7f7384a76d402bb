#include "jsonw.h"

#include "clock.h"
#include "jsonbytes.h"
#include "utf8.h"

#include <inttypes.h>
#include <string.h>

static void add_escape(struct buf *b, unsigned char c)
{
    static const char named[] = "\"\"\\\\\bb\ff\nn\rr\tt"; /* byte, letter */

    for (size_t i = 0; i < sizeof named - 1; i += 2)
        if ((unsigned char)named[i] == c) {
            buf_addc(b, '\\');
            buf_addc(b, named[i + 1]);
            return;
        }
    buf_addf(b, "\\u%04X", c);
}

void jsonw_string(struct buf *b, const char *p, size_t n)
{
    (void)buf_reserve(b, n + 2); /* most strings need no more */
    buf_addc(b, '"');
    while (n > 0) {
        size_t run = json_plain_run(p, n);
        unsigned char c;

        buf_add(b, p, run);
        p += run;
        n -= run;
        if (n == 0)
            break;
        c = (unsigned char)*p;
        run = 1;
        if (c < 0x80) {
            add_escape(b, c);
        } else {
            run = utf8_sequence(p, n, NULL);
            buf_add(b, run ? p : "\xef\xbf\xbd", run ? run : 3);
            run = run ? run : 1;
        }
        p += run;
        n -= run;
    }
    buf_addc(b, '"');
}

/* What stands before a value: the comma and the key. */
static void begin(struct jsonw *w, const char *key)
{
    if (!w->fresh)
        buf_addc(w->b, ',');
    w->fresh = false;
    if (key) {
        jsonw_string(w->b, key, strlen(key));
        buf_addc(w->b, ':');
    }
}

void jsonw_object(struct jsonw *w, const char *key)
{
    begin(w, key);
    buf_addc(w->b, '{');
    w->fresh = true;
}

void jsonw_object_end(struct jsonw *w)
{
    buf_addc(w->b, '}');
    w->fresh = false;
}

void jsonw_array(struct jsonw *w, const char *key)
{
    begin(w, key);
    buf_addc(w->b, '[');
    w->fresh = true;
}

void jsonw_array_end(struct jsonw *w)
{
    buf_addc(w->b, ']');
    w->fresh = false;
}

void jsonw_slice(struct jsonw *w, const char *key, struct slice s)
{
    if (!s.p) {
        jsonw_null(w, key);
        return;
    }
    begin(w, key);
    jsonw_string(w->b, s.p, s.n);
}

void jsonw_text(struct jsonw *w, const char *key, const char *s)
{
    jsonw_slice(w, key, slice_of(s));
}

void jsonw_int(struct jsonw *w, const char *key, int64_t value)
{
    begin(w, key);
    buf_addf(w->b, "%" PRId64, value);
}

void jsonw_uint(struct jsonw *w, const char *key, uint64_t value)
{
    begin(w, key);
    buf_addf(w->b, "%" PRIu64, value);
}

void jsonw_bool(struct jsonw *w, const char *key, bool value)
{
    begin(w, key);
    buf_adds(w->b, value ? "true" : "false");
}

void jsonw_null(struct jsonw *w, const char *key)
{
    begin(w, key);
    buf_adds(w->b, "null");
}

void jsonw_time(struct jsonw *w, const char *key, int64_t us)
{
    char text[TIME_TEXT_SIZE];

    jsonw_text(w, key, us == TIME_NONE ? NULL : time_format(us, text));
}

/* Not %.2f: its decimal point depends on the locale. */
void jsonw_hundredths(struct jsonw *w, const char *key, int64_t hundredths)
{
    uint64_t size = hundredths < 0 ? -(uint64_t)hundredths : (uint64_t)hundredths;

    begin(w, key);
    buf_addf(w->b, "%s%" PRIu64 ".%02" PRIu64, hundredths < 0 ? "-" : "", size / 100, size % 100);
}

void jsonw_double(struct jsonw *w, const char *key, double value)
{
    if (!(value > -1e15 && value < 1e15))
        jsonw_null(w, key);
    else
        jsonw_hundredths(w, key, (int64_t)(value * 100 + (value < 0 ? -0.5 : 0.5)));
}

void jsonw_raw(struct jsonw *w, const char *key, struct slice json)
{
    begin(w, key);
    buf_add(w->b, json.p, json.n);
}
