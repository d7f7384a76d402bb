#include "report_world.h"

#include "version.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char path[] = "/tmp/test_report.XXXXXX";

int report_set_up(void **state)
{
    int fd = mkstemp(path);

    (void)state;
    return fd < 0 ? -1 : close(fd);
}

int report_tear_down(void **state)
{
    (void)state;
    return unlink(path);
}

static void read_file(const char *name, struct buf *b)
{
    FILE *f = fopen(name, "r");
    char part[4096];
    size_t n;

    if (!f)
        fail_msg("%s cannot be read: UPDATE_GOLDEN=1 writes it", name);
    while ((n = fread(part, 1, sizeof part, f)) > 0)
        buf_add(b, part, n);
    (void)fclose(f);
    assert_false(b->failed);
}

void report_made(const struct run *r, struct report_options o, struct buf *b)
{
    struct buf raw = BUF_INIT;
    struct err e = ERR_INIT;
    struct outfile *f;
    const char *p, *version;

    assert_int_equal(outfile_open(&f, path, 0600, false, &e), 0);
    assert_int_equal(report_write(f, r, &o, &e), 0);
    assert_int_equal(outfile_commit(f, &e), 0);
    read_file(path, &raw);
    for (p = buf_str(&raw); (version = strstr(p, VERSION)); p = version + strlen(VERSION)) {
        buf_add(b, p, (size_t)(version - p));
        buf_adds(b, "VERSION");
    }
    buf_adds(b, p);
    assert_false(b->failed);
    buf_release(&raw);
}

static void write_golden(const char *name, const struct buf *b)
{
    FILE *f = fopen(name, "w");

    assert_non_null(f);
    assert_int_equal(fwrite(b->data, 1, b->len, f), b->len);
    assert_int_equal(fclose(f), 0);
}

void assert_golden(const struct run *r, struct report_options o, const char *name)
{
    struct buf got = BUF_INIT, expected = BUF_INIT;
    const char *update = getenv("UPDATE_GOLDEN");

    report_made(r, o, &got);
    if (update && strcmp(update, "1") == 0)
        write_golden(name, &got);
    read_file(name, &expected);
    assert_string_equal(buf_str(&got), buf_str(&expected));
    buf_release(&got);
    buf_release(&expected);
}
