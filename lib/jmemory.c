#include "jmemory.h"

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

int jmemory_load(json_t **root, struct slice text, size_t flags)
{
    json_error_t unused;

    failed = false;
    *root = json_loadb(text.p, text.n, flags, &unused);
    if (jmemory_failed()) {
        json_decref(*root);
        *root = NULL;
        return -1;
    }
    return *root ? 1 : 0;
}
