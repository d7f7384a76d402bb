#!/bin/sh
# usage: run.sh    (from make bench, which has built everything)
#
# Measures, and prints Markdown tables for docs/benchmarks.md: reading archives
# without a database, and 500,000 corrections among 1,000,000 rows. Archives and a
# PostgreSQL of its own live in a temporary directory, about 8 GB, and are gone at the end.
# Nothing is compared with a bar: no test depends on the machine it runs on.
#
# BENCH_RECORDS, BENCH_ROWS: other sizes. BENCH_RUNS: rounds, 5. BENCH_ONLY: offline or
# database. BENCH_TMP: where, $TMPDIR or /tmp.
set -eu

cd -- "$(dirname -- "$0")/../.."
python=$(command -v python3) || {
    echo "run.sh: python3 is needed to measure with" >&2
    exit 1
}
PYTHONDONTWRITEBYTECODE=1 exec "$python" tests/bench/bench.py "${BUILD:-build}"
