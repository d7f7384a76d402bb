/* An archive gives the same report of damage whichever library inflates it: a regular
 * file is read by ISA-L where the build has it, a pipe by zlib. It gives the same bytes,
 * too, where one read takes it all; with more, the file may give some that zlib does not
 * (gzin.h). And a member may be whole to ISA-L, checksum and all, with codes that zlib
 * finds impossible. What a pipe finds whole is what zlib's own reading of the format gives.
 *
 * Input: an even first byte says that the rest is a file as it is, an odd one that it
 * is deflate data, to which header and trailer are added here. The second byte is the
 * size of the reads. */
#include "fuzz.h"

#include "clock.h"
#include "gzin.h"

#include <stdio.h>
#include <unistd.h>
#include <zlib.h>

/* So late that nothing is growing. */
#define NOW (INT64_C(4000000000) * US_PER_SECOND)

#define INFLATED_MAX ((size_t)8 << 20) /* more is not waited for */

struct reading {
    struct buf bytes;
    enum gzin_damage damage;
    uint64_t members;
    char reason[200];
    bool ended;
};

static void read_archive(const char *path, size_t step, struct reading *r)
{
    static char part[INFLATED_MAX];
    struct err e = ERR_INIT;
    struct gzin *g;
    ssize_t got;

    *r = (struct reading){.bytes = BUF_INIT};
    if (gzin_open(&g, path, NOW, NULL, &e) < 0)
        fuzz_found("%s", e.text);
    do {
        got = gzin_read(g, part, step);
        FUZZ_EXPECT(got >= 0 && (size_t)got <= step);
        buf_add(&r->bytes, part, (size_t)got);
        FUZZ_EXPECT(gzin_bytes_out(g) == r->bytes.len);
    } while ((size_t)got == step && r->bytes.len < INFLATED_MAX);
    r->ended = (size_t)got < step;
    FUZZ_EXPECT(!r->ended || gzin_read(g, part, step) == 0);
    r->damage = gzin_damage(g);
    r->members = gzin_members(g);
    (void)snprintf(r->reason, sizeof r->reason, "%s", gzin_reason(g));
    FUZZ_EXPECT((r->damage == GZIN_WHOLE) == (r->reason[0] == '\0'));
    gzin_close(g);
}

/* Of a regular file, and of the same as a pipe. */
static void compare(const struct reading *file, const struct reading *pipe, bool one_read)
{
    size_t n = file->bytes.len < pipe->bytes.len ? file->bytes.len : pipe->bytes.len;

    if (n > 0 && memcmp(file->bytes.data, pipe->bytes.data, n) != 0)
        fuzz_found("other bytes from a pipe");
    if (!file->ended || !pipe->ended)
        return;
    if (pipe->damage == GZIN_CORRUPT && file->members > pipe->members)
        return;
    if (one_read ? file->bytes.len != pipe->bytes.len : file->bytes.len < pipe->bytes.len)
        fuzz_found("%zu bytes from a file, %zu from a pipe", file->bytes.len, pipe->bytes.len);
    if (file->damage != pipe->damage || file->members != pipe->members ||
        strcmp(file->reason, pipe->reason) != 0)
        fuzz_found("%llu members, damage %d, \"%s\" from a file; %llu, %d, \"%s\" from a pipe",
                   (unsigned long long)file->members, (int)file->damage, file->reason,
                   (unsigned long long)pipe->members, (int)pipe->damage, pipe->reason);
}

static void read_and_compare(const char *path, size_t step, const struct reading *pipe)
{
    struct reading file;

    read_archive(path, step, &file);
    compare(&file, pipe, step == INFLATED_MAX);
    buf_release(&file.bytes);
}

/* One stream that begins at in[0 .. n), inflated by zlib alone; returns the bytes it
 * took, 0 where it is not whole. window: as inflateInit2 has it. */
static size_t zlib_inflate(const uint8_t *in, size_t n, int window, struct buf *out)
{
    z_stream z = {.next_in = (z_const Bytef *)(uintptr_t)in, .avail_in = (uInt)n};
    Bytef part[4096];
    int state = Z_OK;

    FUZZ_EXPECT(inflateInit2(&z, window) == Z_OK);
    while (state == Z_OK && out->len < 2 * INFLATED_MAX) {
        z.next_out = part;
        z.avail_out = sizeof part;
        state = inflate(&z, Z_NO_FLUSH);
        buf_add(out, part, sizeof part - z.avail_out);
    }
    n -= z.avail_in;
    (void)inflateEnd(&z);
    return state == Z_STREAM_END ? n : 0;
}

static void whole_as_zlib_reads_it(const uint8_t *p, size_t n, const struct reading *r)
{
    struct buf out = BUF_INIT;
    size_t at = 0;

    if (n < 2 || p[0] != 0x1f || p[1] != 0x8b) {
        buf_add(&out, p, n);
        at = n;
    }
    while (at < n) {
        size_t took = p[at] == 0 ? 1 : zlib_inflate(p + at, n - at, 15 + 16, &out);

        if (took == 0)
            fuzz_found("it is whole, but not to zlib at byte %zu", at);
        at += took;
    }
    if (out.len != r->bytes.len || memcmp(buf_str(&out), buf_str(&r->bytes), out.len) != 0)
        fuzz_found("zlib inflates it to other bytes");
    buf_release(&out);
}

static void add_word(struct buf *b, unsigned long word)
{
    for (int i = 0; i < 4; i++)
        buf_addc(b, (char)(word >> (8 * i)));
}

/* A member around deflate data; what follows its end follows the member. */
static void wrap(const uint8_t *p, size_t n, struct buf *file)
{
    struct buf out = BUF_INIT;
    size_t took = zlib_inflate(p, n, -15, &out);

    buf_add(file, "\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
    buf_add(file, p, took > 0 ? took : n);
    if (took > 0) {
        add_word(file, crc32(crc32(0, NULL, 0), (const Bytef *)buf_str(&out), (uInt)out.len));
        add_word(file, (unsigned long)out.len);
        buf_add(file, p + took, n - took);
    }
    buf_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf file = BUF_INIT;
    struct reading piped;
    const char *path;
    char name[32];
    int fd;

    if (n < 2 || n > FUZZ_PIPE_MAX - 64)
        return 0;
    if (data[0] & 1)
        wrap(data + 2, n - 2, &file);
    else
        buf_add(&file, data + 2, n - 2);
    fd = fuzz_pipe(buf_str(&file), file.len, name);
    read_archive(name, INFLATED_MAX, &piped);
    (void)close(fd);
    if (piped.ended && piped.damage == GZIN_WHOLE)
        whole_as_zlib_reads_it((const uint8_t *)buf_str(&file), file.len, &piped);
    path = fuzz_file(0, buf_str(&file), file.len);
    read_and_compare(path, INFLATED_MAX, &piped);
    read_and_compare(path, (size_t)1 + data[1] * 97u, &piped);
    buf_release(&piped.bytes);
    buf_release(&file);
    return 0;
}
