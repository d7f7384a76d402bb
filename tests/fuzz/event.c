/* libFuzzer: the fast way through a record agrees with the careful one, on any
 * bytes. "make fuzz" builds and runs it with clang. */
#include "look_alike.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct buf why = BUF_INIT;

    if (n == 0 || data[0] != '{')
        return -1;
    (void)look_alike((const char *)data, n, &why);
    if (why.len > 0) {
        (void)fprintf(stderr, "%s", buf_str(&why));
        abort();
    }
    buf_release(&why);
    return 0;
}
