/* The HTML report has the elements and attributes that it has with harmless names:
 * no name is markup, in no place. What is escaped for the eye, a span of class "x", is
 * left out of the comparison. */
#include "shown.h"

#define MARK "<span class=\"x\">"

static bool is_name(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-';
}

static const char *skip_name(const char *p)
{
    FUZZ_EXPECT(is_name(*p));
    while (is_name(*p))
        p++;
    return p;
}

/* A reference to a character, from its '&' on. */
static const char *read_reference(const char *p)
{
    static const char *const known[] = {"&amp;", "&lt;", "&gt;", "&quot;", "&#39;", "&nbsp;"};

    for (size_t i = 0; i < COUNT_OF(known); i++)
        if (strncmp(p, known[i], strlen(known[i])) == 0)
            return p + strlen(known[i]);
    fuzz_found("a bare &: %.40s", p);
}

/* Bytes between tags, or between the quotes of an attribute. */
static const char *read_text(const char *p, char end)
{
    while (*p && *p != end) {
        FUZZ_EXPECT(*p != '<' && *p != '>');
        p = *p == '&' ? read_reference(p) : p + 1;
    }
    return p;
}

/* A tag, from its '<' on; returns what follows its '>'. */
static const char *read_tag(const char *p)
{
    if (strncmp(p, "<!DOCTYPE html>", 15) == 0)
        return p + 15;
    p++;
    if (*p == '/') {
        p = skip_name(p + 1);
        FUZZ_EXPECT(*p == '>');
        return p + 1;
    }
    for (p = skip_name(p); *p == ' ';) {
        p = skip_name(p + 1);
        if (*p != '=')
            continue;
        FUZZ_EXPECT(p[1] == '"');
        p = read_text(p + 2, '"');
        FUZZ_EXPECT(*p == '"');
        p++;
    }
    if (*p == '/')
        p++;
    FUZZ_EXPECT(*p == '>');
    return p + 1;
}

/* Appends all tags as they are, for the skeleton, and checks what lies between. */
static void read_document(const char *p, struct buf *skeleton)
{
    bool marked = false; /* within what is escaped for the eye */

    while (*p) {
        const char *tag = read_text(p, '<'), *next;

        if (!*tag)
            break;
        next = read_tag(tag);
        if (strncmp(tag, MARK, strlen(MARK)) == 0) {
            marked = true;
        } else if (marked) {
            FUZZ_EXPECT(strncmp(tag, "</span>", 7) == 0);
            marked = false;
        } else {
            buf_add(skeleton, tag, (size_t)(next - tag));
            buf_addc(skeleton, '\n');
        }
        if (strncmp(tag, "<style>", 7) == 0) { /* which is raw, up to its end */
            const char *end = strstr(next, "</style>");

            FUZZ_EXPECT(end != NULL);
            buf_add(skeleton, next, (size_t)(end - next));
            next = end;
        }
        p = next;
    }
    FUZZ_EXPECT(!marked && !skeleton->failed);
}

static void put_skeleton(const uint8_t *data, size_t n, bool harmless, struct buf *skeleton)
{
    struct buf html = BUF_INIT;
    struct shown s;

    shown_init(&s, data, n, harmless);
    shown_put(&s, REPORT_HTML, &html);
    FUZZ_EXPECT(strlen(buf_str(&html)) == html.len);
    FUZZ_EXPECT(fuzz_is_safe((struct slice){html.data, html.len}, "\n"));
    read_document(buf_str(&html), skeleton);
    buf_release(&html);
    shown_release(&s);
}

static void tell_difference(const char *a, const char *b)
{
    size_t line = 0;

    for (size_t i = 0; a[i] && a[i] == b[i]; i++)
        if (a[i] == '\n')
            line = i + 1;
    fuzz_found("other markup than with harmless names: %.200s\n... not %.200s", a + line, b + line);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf hostile = BUF_INIT, harmless = BUF_INIT;

    if (n == 0)
        return 0;
    put_skeleton(data, n, false, &hostile);
    put_skeleton(data, n, true, &harmless);
    if (strcmp(buf_str(&hostile), buf_str(&harmless)) != 0)
        tell_difference(buf_str(&hostile), buf_str(&harmless));
    buf_release(&hostile);
    buf_release(&harmless);
    return 0;
}
