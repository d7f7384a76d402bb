/* inflater_isal.h - ISA-L's inflate, for inflater.c alone. Only in builds that
 * define HAVE_ISAL. The functions are those of inflater.h.
 */
#ifndef RECONCILE_INFLATER_ISAL_H
#define RECONCILE_INFLATER_ISAL_H

#include "inflater.h"

struct inflate_state;

struct inflate_state *inflater_isal_new(void);
void inflater_isal_free(struct inflate_state *s);
void inflater_isal_reset(struct inflate_state *s);
enum inflater_state inflater_isal_run(struct inflate_state *s, const unsigned char **in,
                                      size_t *in_n, unsigned char **out, size_t *out_n);
uint32_t inflater_isal_crc(uint32_t crc, const unsigned char *p, size_t n);
const char *inflater_isal_version(void); /* of the headers: the library tells none */

#endif
