#include "jmemory.h"

#include <jansson.h>
#include <stdlib.h>

static _Thread_local bool failed;

static void *get(size_t n)
{
    void *p = malloc(n);

    if (!p)
        failed = true;
    return p;
}

void jmemory_watch(void)
{
    json_set_alloc_funcs(get, free);
}

bool jmemory_failed(void)
{
    bool was = failed;

    failed = false;
    return was;
}
