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
sys.path[:0] = [str(ROOT / "tests")]

import pg  # noqa: E402
import serverlog  # noqa: E402

ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
CORRECTIONS = int(os.environ.get("BENCH_CORRECTIONS", "100000"))
BUILD = ROOT / os.environ.get("BUILD", "build")
SETTINGS = dict(serverlog.SETTINGS, fsync="on", synchronous_commit="on", full_page_writes="on",
                autovacuum="on", shared_buffers="1GB", max_wal_size="4GB", wal_level="replica")
CONTACTS, CAMPAIGN = "SKIP LOCKED", "FOR NO KEY UPDATE"


def load(server, directory):
    subprocess.run([BUILD / "generate", "--seed", "1", "--messages", str(CORRECTIONS), "--rows",
                    str(ROWS), "--lost", "100", "--foreign", "0", "--noise", "0", "--archives",
                    "8", "--campaigns", "1", "--tenants", "1", "--start", "2025-03-03T12:00:00Z",
                    "--fast-load", directory], check=True)
    db = server.fresh("deployed")
    subprocess.run(db.psql() + ["-o", "/dev/null", "-f", directory / "database.sql",
                                "-c", "VACUUM ANALYZE", "-c", "CHECKPOINT"], check=True)
    (directory / "database.sql").unlink()
    return db


def held(transaction, words):
    """Seconds from the statement that locks to the end; the campaign's are locked at its end."""
    statement = transaction.first(words)
    if statement is None:
        return 0
    return transaction.end - (statement.begin if words == CONTACTS else statement.end)


def campaign_held(transaction):
    for statement in transaction.statements:
        if CAMPAIGN in statement.text and CONTACTS not in statement.text:
            return transaction.end - statement.end
    return 0


def measure(log, db, archives):
    env = dict(os.environ, PGOPTIONS=serverlog.STATEMENTS)
    subprocess.run([BUILD / "replay", "-q", "-o", "/dev/null", "-d", db.conninfo(), "--apply",
                    "--recheck", "1"] + archives, check=True, env=env)
    return [t for t in log.transactions("replay") if campaign_held(t)]


def main():
    for name in [n for n in os.environ if n.startswith("PG")]:
        del os.environ[name]
    with tempfile.TemporaryDirectory(prefix="reconcile-bench-",
                                     dir=os.environ.get("BENCH_TMP")) as work:
        work = pathlib.Path(work)
        server = pg.Server(**SETTINGS)
        try:
            server.start()
            db = load(server, work)
            done = measure(serverlog.Log(server), db, sorted((work / "archives").iterdir()))
        finally:
            server.stop()
    columns = (("whole", lambda t: t.seconds), ("its rows locked", lambda t: held(t, CONTACTS)),
               ("its campaign locked", campaign_held))
    print("%s corrections among %s rows in 1 campaign, %d transactions\n" % (
        format(CORRECTIONS, ","), format(ROWS, ","), len(done)))
    print("| transaction | seconds, median | first | last | recheck | longest |")
    print("| --- | ---: | ---: | ---: | ---: | ---: |")
    for name, seconds in columns:
        values = [seconds(t) for t in done]
        print("| %s | %.2f | %.2f | %.2f | %.2f | %.2f |" % (
            name, statistics.median(values), values[0], values[-2], values[-1], max(values)))
    for n, t in enumerate(done):
        print(n, " ".join("%s=%.0f" % (s.text.split("\n", 1)[0][:20].replace(" ", "_"),
                          (s.end - s.begin) * 1000) for s in t.statements), file=sys.stderr)


main()
