#!/bin/sh
# usage: check.sh    (from make check, which has seen to the dependencies, and
# sets BUILD to the directory of a build with warnings as errors)
#
# Builds with warnings as errors, runs every test and says in the end what
# passed and what did not. A step that fails does not keep the next from
# running; a build that fails does.
set -u

make=${MAKE_CMD:-make WERROR=1}
build=${BUILD:-build-werror}
export BUILD="$build"
tmp=$(mktemp -d) || exit 1
trap 'rm -rf "$tmp"' EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

started=$(date +%s)
failed=

# step NAME COMMAND ...: the command's last line is its result in the summary.
step() {
    name=$1
    shift
    echo "== $name"
    since=$(date +%s)
    echo 1 >"$tmp/status" # a step that is killed says nothing
    {
        "$@"
        echo $? >"$tmp/status"
    } 2>&1 | tee "$tmp/output"
    status=$(cat "$tmp/status")
    took=$(($(date +%s) - since))
    if [ "$status" -eq 0 ]; then
        result="passed"
    else
        result="FAILED"
        failed="$failed${failed:+, }$name"
    fi
    printf '%-8s %-6s %4ds  %s\n' "$name" "$result" "$took" \
        "$(tail -n 1 "$tmp/output")" >>"$tmp/summary"
    return "$status"
}

build_all() {
    # shellcheck disable=SC2086 # make and its options
    if ! $make tests; then
        echo "it does not build"
        return 1
    fi
    echo "no warnings"
}

# A sanitizer multiplies what everything takes; a limit is for what hangs.
slower=1
[ -z "${SANITIZE-}" ] || slower=4

# Each prints nothing unless it fails; cmocka counts on stderr.
unit_tests() {
    programs=0
    tests=0
    bad=
    for program in "$build"/tests/unit/test_*; do
        case $program in
        *.[od] | *'*') continue ;;
        esac
        [ -e "tests/unit/${program##*/}.c" ] || continue
        programs=$((programs + 1))
        timeout $((300 * slower)) "$program" >"$tmp/unit" 2>&1
        status=$?
        n=$(sed -n 's/.*\[==========\].* \([0-9][0-9]*\) test(s) run.*/\1/p' "$tmp/unit")
        tests=$((tests + ${n:-0}))
        if [ "$status" -ne 0 ]; then
            cat "$tmp/unit"
            echo "${program##*/}: status $status"
            bad="$bad ${program##*/}"
        fi
    done
    if [ -n "$bad" ]; then
        echo "failed:$bad"
        return 1
    fi
    echo "$programs programs, $tests tests"
}

# Each fuzz target reads the inputs that are kept for it.
fuzz_inputs() {
    targets=0
    inputs=0
    bad=
    for source in tests/fuzz/fuzz_*.c; do
        name=${source#tests/fuzz/fuzz_}
        name=${name%.c}
        set -- "tests/fuzz/corpus/$name"/*
        targets=$((targets + 1))
        inputs=$((inputs + $#))
        timeout $((120 * slower)) "$build/tests/fuzz/fuzz_$name" "$@" >"$tmp/fuzz" 2>&1
        status=$?
        if [ "$status" -ne 0 ]; then
            tail -n 50 "$tmp/fuzz"
            echo "fuzz_$name: status $status"
            bad="$bad $name"
        fi
    done
    if [ -n "$bad" ]; then
        echo "failed:$bad"
        return 1
    fi
    echo "$targets targets, $inputs inputs"
}

# Plugins that happen to be installed are left out: they reorder, or worse. But
# for xdist, by which a file of tests runs on each processor.
system_tests() {
    set --
    for dir in tests/cli tests/db tests/ops; do
        if [ -n "$(find "$dir" -name 'test_*.py' 2>/dev/null)" ]; then
            set -- "$@" "$dir"
        fi
    done
    if [ $# -eq 0 ]; then
        echo "there are none yet"
        return 0
    fi
    python=$(sh tools/find-python.sh) || return 1
    if "$python" -c 'import xdist.plugin' 2>/dev/null; then
        set -- -p xdist.plugin -n "$(nproc)" --dist loadfile "$@"
    fi
    PYTEST_DISABLE_PLUGIN_AUTOLOAD=1 PYTHONDONTWRITEBYTECODE=1 \
        timeout --foreground $((1800 * slower)) "$python" -m pytest -q -p no:cacheprovider \
        --basetemp "$tmp/pytest" "$@"
}

step build build_all
if [ -z "$failed" ]; then
    step unit unit_tests
    step fuzz fuzz_inputs
    step layers sh tools/check-layers.sh "$build"
    step system system_tests
fi

echo "== summary, $(($(date +%s) - started)) s"
cat "$tmp/summary"
if [ -n "$failed" ]; then
    echo "check: FAILED: $failed"
    exit 1
fi
echo "check: passed"
