#!/bin/sh
# usage: valgrind.sh    (from make check-valgrind, which has built the tests and
# sets BUILD)
#
# Runs the unit tests, and those tests of the programs that read, fold, write, poll
# and revert much of what there is, under valgrind. What is read or written where
# nothing is, what depends on bytes that nobody wrote, and what is lost for good are
# failures.
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
    # As under a sanitizer, one case in 20 of the many: each costs thirty times as much.
    # shellcheck disable=SC2086 # a command and its options
    if ! TEST_STRIDE=20 timeout 1800 $under "$program" >"$tmp/output" 2>&1; then
        cat "$tmp/output"
        bad="$bad ${program##*/}"
    fi
done
echo "$programs programs${bad:+, failed:$bad}"

python=$(sh tools/find-python.sh) || exit 1
set -- tests/cli/test_damaged_archives.py tests/cli/test_hostile_archives.py \
    tests/cli/test_rejects.py tests/cli/test_report_csv.py tests/cli/test_spill.py \
    tests/db/test_report_formats.py tests/db/test_explain.py \
    "tests/db/test_actions.py::test_revert_restores_the_rows_to_the_byte[1]" \
    tests/db/test_actions.py::test_odd_texts_and_times_come_back \
    tests/db/test_actions.py::test_a_poll_that_writes_in_parts_keeps_one_journal \
    tests/db/test_audit.py::test_random_databases_are_decided_as_the_rules_say \
    "tests/db/test_poll.py::test_rows_settle_as_the_server_says[1.8-auto-deployed]" \
    "tests/db/test_poll.py::test_rows_settle_as_the_server_says[2.3-auto-design]" \
    "tests/db/test_poll.py::test_rows_settle_as_the_server_says[2.3-window-bigint]"
# Each file of tests on a processor, as make check has it.
if "$python" -c 'import xdist.plugin' 2>/dev/null; then
    set -- -p xdist.plugin -n "$(nproc)" --dist loadfile "$@"
fi
# What takes a hundred thousand levels or every place of a number takes as long here.
RUN_UNDER=$under PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
    "$python" -m pytest -q -p no:cacheprovider --basetemp "$tmp/pytest" \
    -k "not in_every_place and not 100000" "$@" || bad="$bad system"
[ -z "$bad" ]
