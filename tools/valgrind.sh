#!/bin/sh
# usage: valgrind.sh    (from make check-valgrind, which has built the tests and
# sets BUILD)
#
# Runs the unit tests, and tests of the command line that read and write much of
# what there is, under valgrind. What is read or written where nothing is, what
# depends on bytes that nobody wrote, and what is lost for good are failures.
set -u

build=${BUILD:-build}
under="valgrind -q --error-exitcode=99 --leak-check=full --errors-for-leak-kinds=definite"
under="$under --show-leak-kinds=definite --child-silent-after-fork=yes"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

bad=
programs=0
for source in tests/unit/test_*.c; do
    program=$build/tests/unit/$(basename "$source" .c)
    programs=$((programs + 1))
    # shellcheck disable=SC2086 # a command and its options
    if ! timeout 1800 $under "$program" >"$tmp/output" 2>&1; then
        cat "$tmp/output"
        bad="$bad ${program##*/}"
    fi
done
echo "$programs programs${bad:+, failed:$bad}"

python=$(sh tools/find-python.sh) || exit 1
# What is about memory, time or descriptors is about the program alone.
RUN_UNDER=$under PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
    "$python" -m pytest -q -p no:cacheprovider --basetemp "$tmp/pytest" \
    tests/cli/test_damaged_archives.py tests/cli/test_rejects.py tests/cli/test_report_csv.py \
    tests/cli/test_config.py tests/cli/test_usage.py "tests/cli/test_hostile_archives.py" \
    -k "not in_every_place" || bad="$bad cli"
[ -z "$bad" ]
