#include "inflater.h"

#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#define CALL_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */

struct inflater {
    z_stream z;
};

struct inflater *inflater_new(void)
{
    struct inflater *f = calloc(1, sizeof *f);

    if (f && inflateInit2(&f->z, -MAX_WBITS) != Z_OK) {
        free(f);
        return NULL;
    }
    return f;
}

void inflater_free(struct inflater *f)
{
    if (!f)
        return;
    (void)inflateEnd(&f->z);
    free(f);
}

void inflater_reset(struct inflater *f)
{
    (void)inflateReset(&f->z);
}

enum inflater_state inflater_run(struct inflater *f, const unsigned char **in, size_t *in_n,
                                 unsigned char **out, size_t *out_n)
{
    size_t give = *in_n < CALL_MAX ? *in_n : CALL_MAX;
    size_t room = *out_n < CALL_MAX ? *out_n : CALL_MAX;
    size_t taken, made;
    int state;

    f->z.next_in = (z_const Bytef *)(uintptr_t)*in; /* not const unless ZLIB_CONST is set */
    f->z.avail_in = (uInt)give;
    f->z.next_out = *out;
    f->z.avail_out = (uInt)room;
    state = inflate(&f->z, Z_NO_FLUSH);
    taken = give - f->z.avail_in;
    made = room - f->z.avail_out;
    *in += taken;
    *in_n -= taken;
    *out += made;
    *out_n -= made;
    switch (state) {
    case Z_OK:
    case Z_BUF_ERROR: /* no progress was possible */
        return INFLATER_MORE;
    case Z_STREAM_END:
        return INFLATER_END;
    case Z_MEM_ERROR:
        return INFLATER_NOMEM;
    default:
        return INFLATER_BAD;
    }
}

uint32_t inflater_crc(uint32_t crc, const unsigned char *p, size_t n)
{
    return (uint32_t)crc32_z(crc, p, n);
}

const char *inflater_library(void)
{
    static char text[64];

    (void)snprintf(text, sizeof text, "zlib %s", zlibVersion());
    return text;
}
