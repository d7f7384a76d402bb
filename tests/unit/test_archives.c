#include "archives.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

static char root[] = "/tmp/test_archives.XXXXXX";

static int set_up(void **state)
{
    (void)state;
    return mkdtemp(root) && chdir(root) == 0 ? 0 : -1;
}

static int tear_down(void **state)
{
    char command[128];

    (void)state;
    (void)snprintf(command, sizeof command, "chmod -R u+rwx %s; rm -rf %s", root, root);
    return chdir("/") == 0 ? system(command) : -1;
}

static void touch(const char *name)
{
    int fd = open(name, O_WRONLY | O_CREAT, 0644);

    assert_true(fd >= 0);
    assert_int_equal(close(fd), 0);
}

/* The names that args, up to NULL, expand to, one a line; static. */
static const char *expand(const char *const *args)
{
    static char text[4096];
    struct archive_list l = ARCHIVE_LIST_INIT;
    struct err e = ERR_INIT;
    char *copies[8] = {NULL};
    size_t n = 0;
    int at = 0;

    for (; args[n]; n++) {
        copies[n] = strdup(args[n]);
        assert_non_null(copies[n]);
    }
    assert_int_equal(archives_expand(&l, copies, n, &e), 0);
    text[0] = '\0';
    for (size_t i = 0; i < l.n; i++)
        at +=
            snprintf(text + at, sizeof text - (size_t)at, "%s%s%s\n", l.archive[i].name,
                     l.archive[i].error ? ": " : "", l.archive[i].error ? l.archive[i].error : "");
    archives_release(&l);
    while (n > 0)
        free(copies[--n]);
    return text;
}

#define EXPAND(...) expand((const char *const[]){__VA_ARGS__, NULL})

static void names_are_sorted_as_bytes_and_kept_once(void **state)
{
    (void)state;
    assert_string_equal(EXPAND("b", "a", "B", "\xc3\xa9", "-", "a", "a.gz", "b"),
                        "-\nB\na\na.gz\nb\n\xc3\xa9\n");
    assert_string_equal(EXPAND(""), "\n");
}

static void a_directory_stands_for_the_files_below_it(void **state)
{
    (void)state;
    assert_int_equal(mkdir("logs", 0755), 0);
    assert_int_equal(mkdir("logs/a", 0755), 0);
    assert_int_equal(mkdir("logs/a/deep", 0755), 0);
    assert_int_equal(mkdir("logs/empty", 0755), 0);
    touch("logs/w-2.gz");
    touch("logs/w-10.gz");
    touch("logs/a.gz");
    touch("logs/a/deep/x");
    touch("logs/.hidden");
    assert_int_equal(symlink("../logs", "logs/loop"), 0);
    assert_int_equal(symlink("w-2.gz", "logs/link.gz"), 0);
    assert_int_equal(mkfifo("logs/fifo", 0644), 0);
    assert_int_equal(symlink("logs", "link"), 0);
    assert_string_equal(EXPAND("logs"), "logs/.hidden\nlogs/a.gz\nlogs/a/deep/x\n"
                                        "logs/w-10.gz\nlogs/w-2.gz\n");
    assert_string_equal(EXPAND("logs//", "logs/a"), "logs/.hidden\nlogs/a.gz\nlogs/a/deep/x\n"
                                                    "logs/w-10.gz\nlogs/w-2.gz\n");
    assert_string_equal(EXPAND("link/a/"), "link/a/deep/x\n");
    assert_string_equal(EXPAND("link"), "link/.hidden\nlink/a.gz\nlink/a/deep/x\n"
                                        "link/w-10.gz\nlink/w-2.gz\n");
    assert_string_equal(EXPAND("./logs/a/."), "./logs/a/./deep/x\n");
    assert_string_equal(EXPAND("logs/empty"), "");
    assert_string_equal(EXPAND("logs/link.gz", "logs/fifo"), "logs/fifo\nlogs/link.gz\n");
    assert_int_equal(chdir("logs/a"), 0);
    assert_string_equal(EXPAND("."), "./deep/x\n");
    assert_string_equal(EXPAND(".."), "../.hidden\n../a.gz\n../a/deep/x\n../w-10.gz\n../w-2.gz\n");
    assert_int_equal(chdir(root), 0);
}

static void what_cannot_be_read_stays_in_the_list(void **state)
{
    (void)state;
    assert_string_equal(EXPAND("missing", "also/missing"), "also/missing\nmissing\n");
    if (geteuid() == 0)
        return; /* root may read everything */
    assert_int_equal(mkdir("locked", 0755), 0);
    assert_int_equal(mkdir("locked/in", 0), 0);
    touch("locked/x");
    assert_string_equal(EXPAND("locked"), "locked/in: could not read directory \"locked/in\": "
                                          "Permission denied\nlocked/x\n");
    assert_string_equal(EXPAND("locked/in"), "locked/in: could not read directory \"locked/in\": "
                                             "Permission denied\n");
}

/* Deeper than a path may be long: the part that has no name is an error. */
static void a_very_deep_tree_ends(void **state)
{
    char step[201];
    struct archive_list l = ARCHIVE_LIST_INIT;
    struct err e = ERR_INIT;
    char arg[] = "deep";
    char *args[] = {arg};

    (void)state;
    memset(step, 'd', sizeof step - 1);
    step[sizeof step - 1] = '\0';
    assert_int_equal(mkdir("deep", 0755), 0);
    assert_int_equal(chdir("deep"), 0);
    for (int i = 0; i < 30; i++) {
        assert_int_equal(mkdir(step, 0755), 0);
        assert_int_equal(chdir(step), 0);
        touch("f");
    }
    assert_int_equal(chdir(root), 0);
    assert_int_equal(archives_expand(&l, args, 1, &e), 0);
    assert_true(l.n > 15 && l.n < 30);
    assert_non_null(strstr(l.archive[0].error, "File name too long"));
    for (size_t i = 1; i < l.n; i++)
        assert_null(l.archive[i].error);
    archives_release(&l);
}

static void the_root_directory_comes_out_right(void **state)
{
    int status;
    pid_t child;

    (void)state;
    if (geteuid() != 0)
        return; /* only root may make a small one */
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        if (chroot("logs") != 0)
            _exit(2);
        _exit(strcmp(EXPAND("/"), "/.hidden\n/a.gz\n/a/deep/x\n/w-10.gz\n/w-2.gz\n") != 0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
}

/* What is left out for it would be missed by nobody. */
static void a_want_of_descriptors_is_no_fault_of_the_directory(void **state)
{
    struct archive_list l = ARCHIVE_LIST_INIT;
    struct err e = ERR_INIT;
    struct rlimit limit, none;
    char name[] = "logs", *args[] = {name};
    int result;

    (void)state;
    assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
    none = limit;
    none.rlim_cur = 0;
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
    result = archives_expand(&l, args, 1, &e);
    assert_int_equal(setrlimit(RLIMIT_NOFILE, &limit), 0);
    assert_int_equal(result, -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "could not read directory \"logs\": Too many open files");
    archives_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names_are_sorted_as_bytes_and_kept_once),
        cmocka_unit_test(a_directory_stands_for_the_files_below_it),
        cmocka_unit_test(what_cannot_be_read_stays_in_the_list),
        cmocka_unit_test(a_very_deep_tree_ends),
        cmocka_unit_test(the_root_directory_comes_out_right),
        cmocka_unit_test(a_want_of_descriptors_is_no_fault_of_the_directory),
    };

    return cmocka_run_group_tests(tests, set_up, tear_down);
}
