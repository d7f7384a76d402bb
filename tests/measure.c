/*
 * usage: measure FILE COMMAND ARGUMENT...
 *
 * Runs the command and writes one line to FILE: wall seconds, CPU seconds, peak memory in KiB,
 * exit status. A process inherits the peak of the one that forked it, across exec too, so a
 * large one such as Python cannot measure a small one.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t)
{
    return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

int main(int argc, char **argv)
{
    struct timespec from, to;
    struct rusage used;
    int status;

    if (argc < 3) {
        fputs("usage: measure FILE COMMAND ARGUMENT...\n", stderr);
        return 2;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &from);
    pid_t child = fork();
    if (child == 0) {
        execvp(argv[2], argv + 2);
        perror(argv[2]);
        _exit(127);
    }
    if (child < 0 || wait4(child, &status, 0, &used) < 0) {
        perror("measure");
        return 4;
    }
    (void)clock_gettime(CLOCK_MONOTONIC, &to);

    FILE *out = fopen(argv[1], "w");
    if (!out) {
        perror(argv[1]);
        return 4;
    }
    fprintf(out, "%.6f %.6f %ld %d\n",
            (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
            seconds(used.ru_utime) + seconds(used.ru_stime), used.ru_maxrss,
            WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
    return fclose(out) == 0 ? 0 : 4;
}
