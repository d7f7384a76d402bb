#include "inflater_isal.h"

#ifdef HAVE_ISAL

#include <stdlib.h>

#include <isa-l.h>
#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#define CALL_MAX ((size_t)1 << 30) /* ISA-L counts in uint32_t */

#define TEXT_OF(x) #x
#define TEXT(x) TEXT_OF(x)

struct inflate_state *inflater_isal_new(void)
{
    struct inflate_state *s = malloc(sizeof *s);

    if (s)
        inflater_isal_reset(s);
    return s;
}

void inflater_isal_free(struct inflate_state *s)
{
    free(s);
}

void inflater_isal_reset(struct inflate_state *s)
{
    isal_inflate_init(s); /* raw deflate data without a checksum */
}

enum inflater_state inflater_isal_run(struct inflate_state *s, const unsigned char **in,
                                      size_t *in_n, unsigned char **out, size_t *out_n)
{
    size_t give = *in_n < CALL_MAX ? *in_n : CALL_MAX;
    size_t room = *out_n < CALL_MAX ? *out_n : CALL_MAX;
    size_t ahead;
    int state;

    s->next_in = (uint8_t *)(uintptr_t)*in; /* only read */
    s->avail_in = (uint32_t)give;
    s->next_out = *out;
    s->avail_out = (uint32_t)room;
    state = isal_inflate(s);
    /* Of impossible data it may have counted below 0, and nothing that it says counts. */
    if (state < 0 || s->avail_in > give || s->avail_out > room)
        return INFLATER_BAD;
    *in += give - s->avail_in;
    *in_n -= give - s->avail_in;
    *out += room - s->avail_out;
    *out_n -= room - s->avail_out;
    if (s->block_state != ISAL_BLOCK_FINISH)
        return INFLATER_MORE;
    ahead = s->read_in_length > 0 ? (size_t)s->read_in_length / 8 : 0;
    *in -= ahead;
    *in_n += ahead;
    return INFLATER_END;
}

uint32_t inflater_isal_crc(uint32_t crc, const unsigned char *p, size_t n)
{
    return crc32_gzip_refl(crc, p, n);
}

const char *inflater_isal_version(void)
{
    return TEXT(ISAL_MAJOR_VERSION) "." TEXT(ISAL_MINOR_VERSION) "." TEXT(ISAL_PATCH_VERSION);
}

#else

typedef int inflater_isal_is_not_built; /* ISO C wants a declaration in each source */

#endif
