/* secret.h - a secret struck from text that somebody else wrote.
 *
 * A server may repeat what it was sent, as it came or as a URL or JSON would
 * write it. Strike before the text is cut: of a secret cut in two, neither half
 * is known for what it is.
 */
#ifndef RECONCILE_SECRET_H
#define RECONCILE_SECRET_H

#include "slice.h"

#define SECRET_MIN 4 /* bytes; a shorter one would be found anywhere, and is not struck */

/* Overwrites the secret with '*' wherever it is in the n bytes of the text: as it
 * is, percent-encoded (any of its bytes, either case), or escaped as in a string of
 * JSON. What is left of an escape is overwritten too; the length stays. */
void secret_strike(char *text, size_t n, struct slice secret);

#endif
