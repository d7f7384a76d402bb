/* A message is one line of text, or one line that is a JSON object, whatever is in it,
 * and shows what a terminal can be shown.
 *
 * Input: a byte that chooses level and format; then the message. */
#include "fuzz.h"

#include "log.h"
#include "textw.h"

#include <jansson.h>
#include <stdlib.h>
#include <unistd.h>

#define WHOLE_MAX ((size_t)10000) /* bytes of a message that is never cut */

static void say(unsigned level, const char *text)
{
    switch (level) {
    case 0:
        log_error("%s", text);
        return;
    case 1:
        log_warning("%s", text);
        return;
    case 2:
        log_note("%s", text);
        return;
    default:
        log_detail("%s", text);
    }
}

static void check_json(const struct buf *line, const char *level, const char *want)
{
    json_error_t e;
    json_t *root = json_loadb(line->data, line->len, JSON_REJECT_DUPLICATES, &e);
    const char *said;

    if (!root)
        fuzz_found("%s at byte %d: %s", e.text, e.position, buf_str(line));
    said = json_string_value(json_object_get(root, "message"));
    FUZZ_EXPECT(json_object_size(root) == 5 && said && json_object_get(root, "time"));
    FUZZ_EXPECT(strcmp(json_string_value(json_object_get(root, "level")), level) == 0);
    FUZZ_EXPECT(strcmp(json_string_value(json_object_get(root, "program")), "replay") == 0);
    FUZZ_EXPECT(json_object_get(root, "run") != NULL);
    FUZZ_EXPECT(fuzz_is_safe(slice_of(said), ""));
    FUZZ_EXPECT(strlen(want) > WHOLE_MAX || strcmp(said, want) == 0);
    json_decref(root);
}

static void check_text(const struct buf *line, const char *level, const char *want)
{
    struct buf whole = BUF_INIT;

    buf_addf(&whole, "replay: %s: %s\n", level, want);
    FUZZ_EXPECT(strlen(want) > WHOLE_MAX || strcmp(buf_str(&whole), buf_str(line)) == 0);
    buf_release(&whole);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char *const levels[] = {"error", "warning", "note", "detail"};
    struct buf line = BUF_INIT, want = BUF_INIT;
    enum log_format format;
    char *text;

    if (n == 0)
        return 0;
    text = strndup((const char *)data + 1, n - 1);
    FUZZ_EXPECT(text != NULL);
    format = data[0] & 4 ? LOG_JSON : LOG_TEXT;
    textw_name(&want, slice_of(text), SIZE_MAX);
    log_open("replay", LOG_LEVEL_DETAIL);
    log_set_format(format);
    log_set_run(data[0] & 8 ? "20261101T121500.000Z-4711" : NULL);
    fuzz_catch_begin(STDERR_FILENO);
    say(data[0] & 3, text);
    fuzz_catch_end(STDERR_FILENO, &line);
    FUZZ_EXPECT(line.len > 0 && memchr(line.data, '\n', line.len) == line.data + line.len - 1);
    FUZZ_EXPECT(fuzz_is_safe((struct slice){line.data, line.len}, "\n"));
    if (format == LOG_JSON)
        check_json(&line, levels[data[0] & 3], buf_str(&want));
    else
        check_text(&line, levels[data[0] & 3], buf_str(&want));
    buf_release(&line);
    buf_release(&want);
    free(text);
    return 0;
}
