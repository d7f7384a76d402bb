#include "inflater.h"

#include <stdio.h>
#include <stdlib.h>

#include <zlib.h>

#ifdef HAVE_ISAL
#include "inflater_isal.h"
#endif

#define CALL_MAX ((size_t)1 << 30) /* zlib counts in unsigned int */

struct inflater {
#ifdef HAVE_ISAL
    struct inflate_state *isal; /* NULL: zlib */
#endif
    z_stream z;
};

#ifdef HAVE_ISAL
#define ISAL_OF(f) ((f)->isal)
#else
#define ISAL_OF(f) ((void)(f), NULL)
#endif

static int begin(struct inflater *f, bool exact)
{
#ifdef HAVE_ISAL
    if (!exact) {
        f->isal = inflater_isal_new();
        return f->isal ? 0 : -1;
    }
#endif
    (void)exact;
    return inflateInit2(&f->z, -MAX_WBITS) == Z_OK ? 0 : -1;
}

struct inflater *inflater_new(bool exact)
{
    struct inflater *f = calloc(1, sizeof *f);

    if (f && begin(f, exact) < 0) {
        free(f);
        return NULL;
    }
    return f;
}

void inflater_free(struct inflater *f)
{
    if (!f)
        return;
    if (inflater_is_exact(f))
        (void)inflateEnd(&f->z);
#ifdef HAVE_ISAL
    inflater_isal_free(f->isal);
#endif
    free(f);
}

void inflater_reset(struct inflater *f)
{
#ifdef HAVE_ISAL
    if (f->isal) {
        inflater_isal_reset(f->isal);
        return;
    }
#endif
    (void)inflateReset(&f->z);
}

bool inflater_is_exact(const struct inflater *f)
{
    return ISAL_OF(f) == NULL;
}

enum inflater_state inflater_run(struct inflater *f, const unsigned char **in, size_t *in_n,
                                 unsigned char **out, size_t *out_n)
{
    size_t give = *in_n < CALL_MAX ? *in_n : CALL_MAX;
    size_t room = *out_n < CALL_MAX ? *out_n : CALL_MAX;
    size_t taken, made;
    int state;

#ifdef HAVE_ISAL
    if (f->isal)
        return inflater_isal_run(f->isal, in, in_n, out, out_n);
#endif
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
#ifdef HAVE_ISAL
    return inflater_isal_crc(crc, p, n);
#else
    return (uint32_t)crc32_z(crc, p, n);
#endif
}

const char *inflater_library(void)
{
    static char text[64];

#ifdef HAVE_ISAL
    (void)snprintf(text, sizeof text, "ISA-L %s, zlib %s", inflater_isal_version(), zlibVersion());
#else
    (void)snprintf(text, sizeof text, "zlib %s", zlibVersion());
#endif
    return text;
}
