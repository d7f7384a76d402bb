#!/bin/sh
# usage: fuzz.sh BUILD_DIRECTORY SECONDS TARGET ...    (from make fuzz, which builds them)
#
# Runs each target for so many seconds, from the inputs in tests/fuzz/corpus/TARGET and
# those that earlier runs left in BUILD_DIRECTORY/corpus/TARGET. Status 1 where
# something was found; the input is in BUILD_DIRECTORY/findings.
set -u

build=$1
seconds=$2
shift 2
case $seconds in
'' | *[!0-9]* | 0*)
    echo "fuzz: SECONDS=$seconds is no number of seconds" >&2
    exit 2
    ;;
esac
for target in "$@"; do
    if ! [ -e "tests/fuzz/fuzz_$target.c" ]; then
        echo "fuzz: there is no target \"$target\" in tests/fuzz" >&2
        exit 2
    fi
done

mkdir -p "$build/findings"
trap 'exit 130' INT
trap 'exit 143' TERM

# number NAME: of libFuzzer's final statistics.
number() {
    sed -n "s/^stat::$1: *//p" "$log" | tail -n 1
}

# latest NAME: of its last line that tells of coverage.
latest() {
    sed -n "s/^#.* $1: \([0-9]*\).*/\1/p" "$log" | tail -n 1
}

status=0
printf '%-9s %8s %12s %8s %7s %9s %9s\n' \
    target seconds executions exec/s edges features findings
for target in "$@"; do
    corpus=$build/corpus/$target
    log=$build/$target.log
    mkdir -p "$corpus" "tests/fuzz/corpus/$target"
    dict=tests/fuzz/$target.dict
    [ -e "$dict" ] || dict=tests/fuzz/json.dict
    since=$(date +%s)
    # LeakSanitizer looks in the end; -detect_leaks would look after each input.
    "$build/tests/fuzz/fuzz_$target" -max_total_time="$seconds" -max_len=4096 -timeout=20 \
        -rss_limit_mb=2048 -print_final_stats=1 -artifact_prefix="$build/findings/$target-" \
        -dict="$dict" "$corpus" "tests/fuzz/corpus/$target" >"$log" 2>&1 && found=0 || found=1
    [ "$found" -eq 0 ] || status=1
    printf '%-9s %8s %12s %8s %7s %9s %9s\n' "$target" "$(($(date +%s) - since))" \
        "$(number number_of_executed_units)" "$(number average_exec_per_sec)" \
        "$(latest cov)" "$(latest ft)" "$found"
    if [ "$found" -ne 0 ]; then
        grep -E '^(fuzz: |==.*ERROR|SUMMARY|.*runtime error|Test unit written)' "$log"
        sed -n 's/^artifact_prefix.*Test unit written to /  input: /p' "$log"
        echo "  log: $log"
    fi
done
exit "$status"
