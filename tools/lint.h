/*
 * For clang's analyzer, which looks at one source at a time: it cannot see
 * that these return -1, and would go down the path on which they do not. Not
 * for err.c, which defines them.
 */
#include "err.h"

#define err_set(...)    (err_set(__VA_ARGS__), -1)
#define err_prefix(...) (err_prefix(__VA_ARGS__), -1)
#define err_oom(e)      (err_oom(e), -1)
