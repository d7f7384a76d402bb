#include "outfile.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
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
#include <zlib.h>

#define BIG 300000 /* bytes, more than is held back */

static char start[4096];
static char dir[] = "/tmp/test_outfile.XXXXXX";

/* Every test runs in an empty directory. */
static int set_up(void **state)
{
    (void)state;
    (void)signal(SIGPIPE, SIG_IGN);
    (void)umask(022);
    if (!getcwd(start, sizeof start))
        return -1;
    memcpy(dir + sizeof dir - 7, "XXXXXX", 6);
    return mkdtemp(dir) && chdir(dir) == 0 ? 0 : -1;
}

static size_t for_each_entry(int (*fn)(const char *))
{
    DIR *d = opendir(".");
    struct dirent *entry;
    size_t n = 0;

    assert_non_null(d);
    while ((entry = readdir(d))) {
        if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
            continue;
        n++;
        if (fn)
            (void)fn(entry->d_name);
    }
    (void)closedir(d);
    return n;
}

static size_t entries(void)
{
    return for_each_entry(NULL);
}

static int tear_down(void **state)
{
    (void)state;
    (void)for_each_entry(remove);
    return chdir(start) == 0 && rmdir(dir) == 0 ? 0 : -1;
}

static void put(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

static void assert_holds(const char *path, const char *text)
{
    char got[256] = "";
    FILE *f = fopen(path, "r");

    assert_non_null(f);
    got[fread(got, 1, sizeof got - 1, f)] = '\0';
    (void)fclose(f);
    assert_string_equal(got, text);
}

static struct outfile *opened(const char *path, mode_t mode, bool gzip)
{
    struct outfile *f;
    struct err e = ERR_INIT;

    if (outfile_open(&f, path, mode, gzip, &e) != 0)
        fail_msg("%s", e.text);
    return f;
}

static void say(struct outfile *f, const char *text)
{
    struct err e = ERR_INIT;

    assert_int_equal(outfile_write(f, text, strlen(text), &e), 0);
}

static void commit(struct outfile *f)
{
    struct err e = ERR_INIT;

    if (outfile_commit(f, &e) != 0)
        fail_msg("%s", e.text);
}

static void assert_refuses(const char *path, const char *message)
{
    struct outfile *f;
    struct err e = ERR_INIT;

    assert_int_equal(outfile_open(&f, path, 0600, false, &e), -1);
    assert_null(f);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, message);
}

/* ---- whole or not at all ------------------------------------------------------ */

static void test_appears_at_commit(void **state)
{
    struct outfile *f = opened("a", 0600, false);

    (void)state;
    say(f, "one ");
    assert_int_equal(access("a", F_OK), -1);
    say(f, "two");
    commit(f);
    assert_holds("a", "one two");
    assert_int_equal(entries(), 1);
}

static void test_abort_leaves_what_was_there(void **state)
{
    struct outfile *f;

    (void)state;
    put("a", "old");
    f = opened("a", 0600, false);
    say(f, "new");
    outfile_abort(f);
    assert_holds("a", "old");
    assert_int_equal(entries(), 1);
    outfile_abort(NULL);
}

static void test_commit_replaces(void **state)
{
    struct outfile *f;

    (void)state;
    put("a", "an older and longer text");
    f = opened("a", 0600, false);
    say(f, "new");
    commit(f);
    assert_holds("a", "new");
    assert_int_equal(entries(), 1);
}

static void test_mode_is_what_was_asked_for_less_the_mask(void **state)
{
    static const struct {
        mode_t asked, mask, got;
    } cases[] = {{0600, 022, 0600}, {0666, 022, 0644}, {0666, 077, 0600}};
    struct stat st;

    (void)state;
    put("a", "");
    assert_int_equal(chmod("a", 0777), 0);
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        (void)umask(cases[i].mask);
        commit(opened("a", cases[i].asked, false));
        assert_int_equal(stat("a", &st), 0);
        assert_int_equal(st.st_mode & 07777, cases[i].got);
    }
}

static void test_long_name(void **state)
{
    char name[256];

    (void)state;
    memset(name, 'n', sizeof name);
    name[255] = '\0';
    commit(opened(name, 0600, false));
    assert_int_equal(access(name, F_OK), 0);
}

static void test_disk_full_leaves_nothing(void **state)
{
    static char block[BIG];
    struct rlimit before, little;
    struct outfile *f = opened("a", 0600, false);
    struct err e = ERR_INIT;
    int wrote, committed;

    (void)state;
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    little = before;
    little.rlim_cur = BIG / 2;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    wrote = outfile_write(f, block, sizeof block, &e);
    (void)setrlimit(RLIMIT_FSIZE, &before);
    assert_int_equal(wrote, -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "could not write \"a\": File too large");

    /* A caller who goes on all the same does not get a file with a hole. */
    e = (struct err)ERR_INIT;
    committed = outfile_commit(f, &e);
    assert_int_equal(committed, -1);
    assert_string_equal(e.text, "could not write \"a\": File too large");
    assert_int_equal(entries(), 0);
}

/* ---- where it cannot be ------------------------------------------------------- */

static void test_names_the_reason(void **state)
{
    (void)state;
    assert_int_equal(mkdir("d", 0700), 0);
    assert_refuses("d", "could not write \"d\": Is a directory");
    assert_refuses("new/", "could not write \"new/\": Is a directory");
    assert_refuses("none/a", "could not write \"none/a\": No such file or directory");
    assert_refuses("", "could not write \"\": No such file or directory");
    assert_int_equal(symlink("loop", "loop"), 0);
    assert_refuses("loop", "could not write \"loop\": Too many levels of symbolic links");
    assert_int_equal(rmdir("d"), 0);
}

/* ---- links ---------------------------------------------------------------------- */

static void assert_is_link(const char *path)
{
    struct stat st;

    assert_int_equal(lstat(path, &st), 0);
    assert_true(S_ISLNK(st.st_mode));
}

static void test_link_survives(void **state)
{
    struct outfile *f;

    (void)state;
    assert_int_equal(mkdir("d", 0700), 0);
    put("d/a", "old");
    assert_int_equal(symlink("d/b", "link"), 0);
    assert_int_equal(symlink("a", "d/b"), 0);
    f = opened("link", 0600, false);
    say(f, "new");
    commit(f);
    assert_is_link("link");
    assert_is_link("d/b");
    assert_holds("d/a", "new");
    (void)unlink("d/a");
    (void)unlink("d/b");
    assert_int_equal(rmdir("d"), 0);
}

static void test_link_to_a_file_that_is_not_there_yet(void **state)
{
    char target[64];
    struct outfile *f;

    (void)state;
    (void)snprintf(target, sizeof target, "%s/a", dir);
    assert_int_equal(symlink(target, "link"), 0);
    f = opened("link", 0600, false);
    say(f, "new");
    commit(f);
    assert_is_link("link");
    assert_holds("a", "new");
    assert_int_equal(entries(), 2);
}

/* ---- no regular file ---------------------------------------------------------- */

static void test_device_is_written_as_it_is(void **state)
{
    struct outfile *f = opened("/dev/null", 0600, false);
    struct stat st;

    (void)state;
    say(f, "gone");
    commit(f);
    assert_int_equal(stat("/dev/null", &st), 0);
    assert_true(S_ISCHR(st.st_mode));
}

static void test_full_device_is_named(void **state)
{
    struct err e = ERR_INIT;
    struct outfile *f = opened("/dev/full", 0600, false);

    (void)state;
    say(f, "text");
    assert_int_equal(outfile_commit(f, &e), -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "could not write \"/dev/full\": No space left on device");
}

static void test_fifo_is_written_as_it_is(void **state)
{
    pid_t child;
    int status;

    (void)state;
    assert_int_equal(mkfifo("p", 0600), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct err e = ERR_INIT;
        struct outfile *f;

        (void)alarm(30);
        _exit(outfile_open(&f, "p", 0600, false, &e) == 0 && outfile_write(f, "text", 4, &e) == 0 &&
                      outfile_commit(f, &e) == 0
                  ? 0
                  : 1);
    }
    assert_holds("p", "text");
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(entries(), 1);
}

/* ---- stdout, with another file put in its place -------------------------------- */

static int swap_stdout(int fd)
{
    int saved;

    (void)fflush(stdout);
    saved = dup(STDOUT_FILENO);
    assert_true(fd >= 0 && saved >= 0);
    assert_int_equal(dup2(fd, STDOUT_FILENO), STDOUT_FILENO);
    (void)close(fd);
    return saved;
}

static void restore_stdout(int saved)
{
    (void)fflush(stdout);
    (void)dup2(saved, STDOUT_FILENO);
    (void)close(saved);
}

static void test_dash_is_stdout_and_stays_open(void **state)
{
    int saved = swap_stdout(open("a", O_WRONLY | O_CREAT, 0600));
    struct outfile *f;
    int open_still;

    (void)state;
    (void)printf("before, ");
    f = opened("-", 0600, false);
    say(f, "text");
    commit(f);
    (void)printf(", after");
    open_still = fcntl(STDOUT_FILENO, F_GETFD);
    restore_stdout(saved);
    assert_int_not_equal(open_still, -1);
    assert_holds("a", "before, text, after");
    assert_int_equal(entries(), 1);
}

/* `tool -o a >>a` and `tool -o /dev/stdout >a`: the shell's own description of
 * the file goes on to be the file of that name. */
static void test_a_file_that_stdout_is_open_on(void **state)
{
    static const char *const names[] = {"a", "/dev/stdout"};
    int saved = swap_stdout(open("a", O_WRONLY | O_CREAT | O_APPEND, 0600));

    (void)state;
    for (size_t i = 0; i < 2; i++) {
        struct outfile *f = opened(names[i], 0600, false);

        say(f, "text ");
        commit(f);
    }
    (void)printf("after");
    restore_stdout(saved);
    assert_holds("a", "text text after");
    assert_int_equal(entries(), 1);
}

static void test_closed_pipe_is_an_error(void **state)
{
    struct err e = ERR_INIT;
    int ends[2], saved, done;
    struct outfile *f;

    (void)state;
    assert_int_equal(pipe(ends), 0);
    (void)close(ends[0]);
    saved = swap_stdout(ends[1]);
    f = opened("-", 0600, false);
    say(f, "text");
    done = outfile_commit(f, &e);
    restore_stdout(saved);
    assert_int_equal(done, -1);
    assert_int_equal(e.status, EXIT_FAILED);
    assert_string_equal(e.text, "could not write to standard output: Broken pipe");
}

/* ---- gzip, and sizes ------------------------------------------------------------ */

static void fill(char *p, size_t n)
{
    uint32_t x = 1;

    for (size_t i = 0; i < n; i++) {
        x = x * 1664525u + 1013904223u;
        p[i] = (char)(x >> 28);
    }
}

/* Writes BIG bytes in pieces of `piece`. */
static void write_pieces(const char *path, const char *p, size_t piece, bool gzip)
{
    struct outfile *f = opened(path, 0600, gzip);
    struct err e = ERR_INIT;

    for (size_t i = 0; i < BIG; i += piece)
        assert_int_equal(outfile_write(f, p + i, BIG - i < piece ? BIG - i : piece, &e), 0);
    commit(f);
}

static const size_t pieces[] = {1, 1000, 65535, 65536, 65537, BIG};

#define PIECES (sizeof pieces / sizeof pieces[0])

static void test_plain_is_whole_in_pieces_of_any_size(void **state)
{
    static char p[BIG], got[BIG + 1];

    (void)state;
    fill(p, BIG);
    for (size_t i = 0; i < PIECES; i++) {
        FILE *f;

        write_pieces("a", p, pieces[i], false);
        f = fopen("a", "r");
        assert_non_null(f);
        assert_int_equal(fread(got, 1, sizeof got, f), BIG);
        (void)fclose(f);
        assert_memory_equal(got, p, BIG);
    }
}

static void test_gzip_is_whole(void **state)
{
    static char p[BIG], got[BIG + 1];

    (void)state;
    fill(p, BIG);
    for (size_t i = 0; i < PIECES; i++) {
        gzFile f;

        write_pieces("a.gz", p, pieces[i], true);
        f = gzopen("a.gz", "r");
        assert_non_null(f);
        assert_int_equal(gzread(f, got, sizeof got), BIG);
        assert_int_equal(gzdirect(f), 0);
        assert_int_equal(gzclose(f), Z_OK);
        assert_memory_equal(got, p, BIG);
    }
}

static void test_gzip_depends_on_the_content_alone(void **state)
{
    static const unsigned char header[8] = {0x1f, 0x8b, 8, 0, 0, 0, 0, 0}; /* no name, no time */
    static char p[BIG], first[BIG], second[BIG];
    size_t n;
    FILE *f;

    (void)state;
    fill(p, BIG);
    write_pieces("one", p, 777, true);
    write_pieces("two", p, BIG, true);
    f = fopen("one", "r");
    assert_non_null(f);
    n = fread(first, 1, sizeof first, f);
    (void)fclose(f);
    f = fopen("two", "r");
    assert_non_null(f);
    assert_int_equal(fread(second, 1, sizeof second, f), n);
    (void)fclose(f);
    assert_memory_equal(first, second, n);
    assert_memory_equal(first, header, sizeof header);
}

static void test_empty_gzip_is_a_member(void **state)
{
    char c;
    gzFile f;

    (void)state;
    commit(opened("a", 0600, true));
    f = gzopen("a", "r");
    assert_non_null(f);
    assert_int_equal(gzread(f, &c, 1), 0);
    assert_int_equal(gzdirect(f), 0);
    assert_int_equal(gzclose(f), Z_OK);
}

#define IN_DIRECTORY(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        IN_DIRECTORY(test_appears_at_commit),
        IN_DIRECTORY(test_abort_leaves_what_was_there),
        IN_DIRECTORY(test_commit_replaces),
        IN_DIRECTORY(test_mode_is_what_was_asked_for_less_the_mask),
        IN_DIRECTORY(test_long_name),
        IN_DIRECTORY(test_disk_full_leaves_nothing),
        IN_DIRECTORY(test_names_the_reason),
        IN_DIRECTORY(test_link_survives),
        IN_DIRECTORY(test_link_to_a_file_that_is_not_there_yet),
        IN_DIRECTORY(test_device_is_written_as_it_is),
        IN_DIRECTORY(test_full_device_is_named),
        IN_DIRECTORY(test_fifo_is_written_as_it_is),
        IN_DIRECTORY(test_dash_is_stdout_and_stays_open),
        IN_DIRECTORY(test_a_file_that_stdout_is_open_on),
        IN_DIRECTORY(test_closed_pipe_is_an_error),
        IN_DIRECTORY(test_plain_is_whole_in_pieces_of_any_size),
        IN_DIRECTORY(test_gzip_is_whole),
        IN_DIRECTORY(test_gzip_depends_on_the_content_alone),
        IN_DIRECTORY(test_empty_gzip_is_a_member),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
