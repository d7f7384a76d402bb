#!/bin/sh
# usage: lint.sh    (from make lint, which has seen to the dependencies)
#
# Static analysis: clang-tidy (.clang-tidy says which checks, and why not the
# others), cppcheck, shellcheck, the layers. What clang-format would change is
# counted but nothing is refused for it: its versions do not agree.
set -u

make=${MAKE_CMD:-make}
build=${BUILD:-build}
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

failed=
lint() {
    name=$1
    shift
    echo "== $name"
    "$@" || failed="$failed $name"
}

# The objects for check-layers.sh, and the generated header.
echo "== build"
# shellcheck disable=SC2086 # make and its options
$make all || exit 1
flags=$(make -s --no-print-directory lint-flags) || exit 1

sources=$(find lib replay reconcile fixtures completions -maxdepth 1 -name '*.c' 2>/dev/null | sort)

# clang-tidy on each of the sources in $1, a list, with the flags in $2.
tidy_each() {
    # shellcheck disable=SC2086 # split on purpose
    printf '%s\n' $1 |
        xargs -P "$(nproc)" -I '{}' clang-tidy --quiet '{}' -- $2 2>"$tmp/tidy.err"
    status=$?
    if [ "$status" -ne 0 ]; then
        # "N warnings generated" counts what is suppressed in system headers.
        grep -v 'warnings\{0,1\} generated' "$tmp/tidy.err" >&2
    fi
    return "$status"
}

tidy() {
    bare=$(printf '%s\n' "$sources" | grep -E '^lib/err\.c$|^fixtures/')
    rest=$(printf '%s\n' "$sources" | grep -Ev '^lib/err\.c$|^fixtures/')
    tidy_each "$rest" "$flags -include tools/lint.h"
    first=$?
    tidy_each "$bare" "$flags" && [ "$first" -eq 0 ]
}

# missingIncludeSystem: cppcheck is not given the system's headers, it knows
#   the C library from a table of its own.
# unusedFunction is not asked for: tests use what the tools do not.
# constParameter*: a callback's type is given, const or not.
# memleak: lost track of what a struct's initialiser stores; clang's analyzer
#   does not.
# checkersReport, normalCheckLevelMaxBranches: cppcheck talks about itself.
check_c() {
    # shellcheck disable=SC2086 # a list, split on purpose
    cppcheck --quiet --std=c11 --error-exitcode=1 --inline-suppr -j "$(nproc)" \
        --enable=warning,performance,portability \
        --suppress=missingIncludeSystem \
        --suppress=constParameter --suppress=constParameterCallback --suppress=constParameterPointer \
        --suppress=memleak --suppress=checkersReport --suppress=normalCheckLevelMaxBranches \
        -D_GNU_SOURCE -D__linux__ -D__SSE2__ -Ilib -I"$build/gen" $sources
}

check_sh() {
    find . -path './build*' -prune -o -name '*.sh' -print >"$tmp/scripts"
    [ ! -e .ci/run ] || echo ./.ci/run >>"$tmp/scripts"
    xargs shellcheck <"$tmp/scripts"
}

count_format() {
    wrong=0
    for file in $sources $(find lib fixtures -maxdepth 1 -name '*.h'); do
        clang-format --dry-run --Werror "$file" 2>/dev/null || wrong=$((wrong + 1))
    done
    echo "clang-format would change $wrong files"
}

lint clang-tidy tidy
lint cppcheck check_c
lint shellcheck check_sh
lint layers sh tools/check-layers.sh "$build"
lint format count_format

if [ -n "$failed" ]; then
    echo "lint: FAILED:$failed"
    exit 1
fi
echo "lint: clean"
