#!/usr/bin/env python3
"""usage: large.py    (after make)

Measures the transactions of replay --apply in one campaign of 1,000,000 rows, by the log of the
server: how long each takes, and how long it holds the locks that webhook handlers wait for.
Prints a Markdown table for docs/benchmarks.md. The server, as durable as an installation, and
its database (3 GB) live in a temporary directory. No test depends on it.

BENCH_ROWS, BENCH_CORRECTIONS: other sizes. BENCH_TMP: where, $TMPDIR or /tmp.
"""

import os
import pathlib
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import pg  # noqa: E402
import serverlog  # noqa: E402
import tool  # noqa: E402

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
CORRECTIONS = int(os.environ.get("BENCH_CORRECTIONS", "100000"))
SETTINGS = dict(serverlog.SETTINGS, fsync="on", synchronous_commit="on", full_page_writes="on",
                autovacuum="on", wal_level="replica", shared_buffers="1GB", max_wal_size="4GB")


def load(server, directory):
    subprocess.run([tool.BUILD / "generate", "--seed", "1", "--messages", str(CORRECTIONS), "--rows",
                    str(ROWS), "--lost", "100", "--foreign", "0", "--noise", "0", "--archives",
                    "8", "--campaigns", "1", "--tenants", "1", "--start", "2025-03-03T12:00:00Z",
                    "--fast-load", directory], check=True)
    db = server.fresh("deployed")
    subprocess.run(db.psql() + ["-o", "/dev/null", "-f", directory / "database.sql",
                                "-c", "VACUUM ANALYZE", "-c", "CHECKPOINT"], check=True)
    (directory / "database.sql").unlink()
    return db


def measure(server, db, directory):
    logged = serverlog.Log(server)
    env = tool.environment(directory, PGOPTIONS=serverlog.STATEMENTS)
    subprocess.run([tool.BUILD / "replay", "-q", "-o", "/dev/null", "-d", db.conninfo(), "--apply",
                    "--recheck", "1"] + sorted((directory / "archives").iterdir()), check=True, env=env)
    return [t for t in logged.transactions("replay") if campaign(t)]


def rows(transaction):
    """Seconds from locking rows to the end; 0: it locks none."""
    lock = transaction.first("SKIP LOCKED")
    return transaction.end - lock.begin if lock else 0


def campaign(transaction):
    """Seconds from locking the campaign to the end."""
    lock = [s for s in transaction.statements
            if "FOR NO KEY UPDATE" in s.text and "ORDER BY id" in s.text]
    return transaction.end - lock[0].end if lock else 0


def table(done):
    counts = [t for t in done if not rows(t)]
    batches = [t for t in done if rows(t)]
    print("%s corrections among %s rows of 1 campaign; load average %.2f %.2f %.2f\n" % (
        (format(CORRECTIONS, ","), format(ROWS, ",")) + os.getloadavg()))
    print("| transactions | number | seconds, median | longest | rows locked, longest |"
          " campaign locked, longest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, some in (("batches", batches), ("counts", counts)):
        print("| %s | %d | %.2f | %.2f | %.2f | %.2f |" % (
            name, len(some), statistics.median(t.seconds for t in some),
            max(t.seconds for t in some), max(map(rows, some)), max(map(campaign, some))))


def main():
    with tempfile.TemporaryDirectory(prefix="reconcile-bench-",
                                     dir=os.environ.get("BENCH_TMP")) as work:
        server = pg.Server(**SETTINGS)
        try:
            server.start()
            work = pathlib.Path(work)
            table(measure(server, load(server, work), work))
        finally:
            server.stop()


main()
