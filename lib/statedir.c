#include "statedir.h"

#include <errno.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *home(void)
{
    const char *dir = getenv("HOME");
    const struct passwd *who;

    if (dir && *dir)
        return dir;
    who = getpwuid(geteuid());
    return who ? who->pw_dir : NULL;
}

static int find(const char *given, struct buf *path, struct err *e)
{
    const char *state = getenv("STATE_DIRECTORY"), *xdg = getenv("XDG_STATE_HOME"), *dir;

    buf_clear(path);
    if (given) {
        buf_adds(path, given);
    } else if (state && *state) {
        buf_add(path, state, strcspn(state, ":")); /* systemd lists all that a unit has */
    } else if (xdg && *xdg == '/') {               /* a relative one is to be ignored */
        buf_adds(path, xdg);
        buf_adds(path, "/reconcile");
    } else if ((dir = home()) != NULL) {
        buf_adds(path, dir);
        buf_adds(path, "/.local/state/reconcile");
    }
    while (path->len > 1 && path->data[path->len - 1] == '/')
        path->data[--path->len] = '\0';
    if (path->failed)
        return err_oom(e);
    return path->len > 0 ? 0
                         : err_set(e, EXIT_FAILED,
                                   "there is no home directory to keep journals in: --state-dir "
                                   "names another, --no-journal keeps none");
}

/* mkdir -p */
static int make_all(char *path)
{
    struct stat st;
    int reason = 0;
    char *at;

    for (at = strchr(path + 1, '/'); at && !reason; at = strchr(at + 1, '/')) {
        *at = '\0';
        if (mkdir(path, 0700) != 0 && errno != EEXIST)
            reason = errno;
        *at = '/';
    }
    if (!reason && mkdir(path, 0700) != 0)
        reason = errno;
    if (reason != EEXIST)
        return reason;
    if (stat(path, &st) != 0)
        return errno;
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
}

int statedir_make(const char *given, struct buf *path, struct err *e)
{
    int reason;

    if (find(given, path, e) < 0)
        return -1;
    reason = make_all(path->data);
    if (reason)
        return err_set(e, EXIT_FAILED,
                       "could not make the state directory \"%s\": %s; --state-dir names another, "
                       "--no-journal keeps no journal",
                       path->data, strerror(reason));
    return 0;
}
