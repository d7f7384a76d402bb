"""Measures replay and prints Markdown (see run.sh)."""

import contextlib
import csv
import ctypes
import gzip
import io
import json
import os
import pathlib
import platform
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import pg  # noqa: E402  finds PostgreSQL's programs

RUNS = int(os.environ.get("BENCH_RUNS", "5"))
RECORDS = int(os.environ.get("BENCH_RECORDS", "1000000"))
ROWS = int(os.environ.get("BENCH_ROWS", "1000000"))
SETTINGS = {"shared_buffers": "1GB", "max_wal_size": "4GB", "autovacuum": "off"}


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


class Measured:
    """One command, run many times."""

    measure = None  # the program of tests/measure.c
    line = None  # the file it writes

    def __init__(self, name, command, ends=(0,)):
        self.name = name
        self.command = [str(c) for c in command]
        self.ends = ends
        self.seconds = []
        self.cpu = []
        self.peak = []

    def run(self):
        done = subprocess.run([self.measure, self.line] + self.command, stdin=subprocess.DEVNULL,
                              stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                              check=False)
        if done.returncode != 0:
            raise SystemExit("bench: measure: " + done.stderr)
        seconds, cpu, peak, status = self.line.read_text().split()
        if int(status) not in self.ends:
            raise SystemExit("bench: %s: status %s\n%s" % (
                " ".join(self.command), status, done.stderr))
        self.seconds.append(float(seconds))
        self.cpu.append(float(cpu))
        self.peak.append(int(peak) / 1024)

    def median(self):
        return statistics.median(self.seconds)

    def spread(self):
        return "%.2f … %.2f" % (min(self.seconds), max(self.seconds))


def in_turn(commands, runs=RUNS):
    """Every command once to warm up, then each once a round."""
    for command in commands:
        command.run()
        for values in (command.seconds, command.cpu, command.peak):
            values.clear()
    for _ in range(runs):
        for command in commands:
            command.run()


def table(head, rows):
    print("| " + " | ".join(head) + " |")
    print("| " + " | ".join(["---"] + ["---:"] * (len(head) - 1)) + " |")
    for row in rows:
        print("| " + " | ".join(str(cell) for cell in row) + " |")
    print()


def per(amount, seconds):
    return format(round(amount / seconds), ",")


def first_line(command):
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        return None
    return (done.stdout or done.stderr).strip().splitlines()[0]


def machine(build):
    cpu = "unknown"
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    versions = subprocess.run([build / "replay", "--version"], capture_output=True, text=True,
                              check=True).stdout.split("\n")
    print("### Machine\n")
    table(["", "of the measurement"], [
        ["processor", "%s, %d cores" % (cpu, len(os.sched_getaffinity(0)))],
        ["memory", "%.0f GiB" % memory],
        ["system", "%s, Linux %s" % (release(), platform.release())],
        ["compiler", first_line(["cc", "--version"])],
        ["tool", ", ".join(v for v in versions if v)],
        ["server", first_line([pg.find_bin("postgres"), "--version"])],
        ["load average before", "%.2f %.2f %.2f" % os.getloadavg()],
    ])


def release():
    try:
        return platform.freedesktop_os_release()["PRETTY_NAME"]
    except (OSError, KeyError, AttributeError):
        return platform.system()


# ---- the document ----------------------------------------------------------------

DOCUMENT = ROOT / "docs/benchmarks.md"


@contextlib.contextmanager
def published(name):
    """What is printed goes to stdout, and to the document between the marks of that name."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        yield
    print(text.getvalue(), end="", flush=True)
    before = "<!-- measured: %s -->\n" % name
    after = "<!-- end: %s -->" % name
    document = DOCUMENT.read_text(encoding="utf-8")
    if os.environ.get("BENCH_DRY") or before not in document:
        return
    head, rest = document.split(before)
    DOCUMENT.write_text(head + before + "\n" + text.getvalue() + after + rest.split(after)[1],
                        encoding="utf-8")


# ---- reading archives ------------------------------------------------------------

NOISE = ["--noise", "0.5", "--media", "12000"]
SETS = [
    ("A", "status updates only", ["--noise", "0"]),
    ("B", "one third other events, some with media", NOISE),
    ("A1", "as A, one body a line, of one shape", ["--noise", "0", "--shapes", "simple"]),
    ("A2", "as A1, of 64 instances of 20 tenants",
     ["--noise", "0", "--shapes", "simple", "--instances", "64", "--tenants", "20"]),
    ("B1", "as B, one body a line, of one shape", NOISE + ["--shapes", "simple"]),
]


def one_a_line(name):
    return name[1:] != ""


def shell(script, archives):
    return ["sh", "-c", script, "sh"] + archives


def peers(name, archives):
    """Whatever is installed that does a part of the work, or less of it."""
    two = ('(while [ $# -gt 0 ]; do igzip -dc "$1" >/dev/null; shift $(($# > 1 ? 2 : 1)); done) & '
           'shift; while [ $# -gt 0 ]; do igzip -dc "$1" >/dev/null; shift $(($# > 1 ? 2 : 1)); done; wait')
    found = []
    if shutil.which("igzip"):
        found.append(Measured("igzip -dc, two processes", shell(two, archives)))
    found.append(Measured("zcat", shell('zcat -- "$@" >/dev/null', archives)))
    if shutil.which("pigz"):
        found.append(Measured("pigz -dc", shell('pigz -dc -- "$@" >/dev/null', archives)))
    if one_a_line(name) and shutil.which("jq"):
        found.append(Measured("zcat \\| jq, the events counted", shell(
            'zcat -- "$@" | jq -n "reduce (inputs | .event?) as \\$e ({}; .[\\$e // \\"\\"] += 1)"', archives)))
    found.append(Measured("python3, gzip + json", [sys.executable, ROOT / "tests/bench/peer.py"] + archives))
    duckdb = ["node", ROOT / "tests/bench/peer_duckdb.js", "2"]
    if one_a_line(name) and shutil.which("node") and subprocess.run(
            duckdb, stderr=subprocess.DEVNULL, check=False).returncode == 0:
        found.append(Measured("DuckDB, read_json + GROUP BY, 2 threads", duckdb + archives))
    return found


def gzipped(archive):
    """An archive's bytes as gzip, to be one member of a larger one."""
    data = archive.read_bytes()
    return data if data[:2] == b"\x1f\x8b" else gzip.compress(data, 6)


def decompressed(archives, work):
    """The same bytes without gzip: what is left of the time is the scan and the fold."""
    target = work / "plain"
    target.mkdir()
    for archive in archives:
        with open(target / archive.name, "wb") as out:
            subprocess.run(["zcat", "-f", "--", archive], stdout=out, check=True)
    return sorted(target.iterdir())


def ratios(commands):
    """Columns: the median over that of igzip's two processes, and of DuckDB, where they ran."""
    found = []
    for head, start in (("ratio to igzip, two processes", "igzip"), ("ratio to DuckDB", "DuckDB")):
        peer = next((c for c in commands if c.name.startswith(start)), None)
        if peer:
            found.append((head, [c.median() / peer.median() for c in commands]))
    return found


def zlib_bar(commands):
    """What the build without ISA-L takes, against the time of its parts."""
    by = {c.name: c.median() for c in commands}
    parts = by.get("pigz -dc"), by.get("replay -j 1, decompressed before")
    if None not in parts:
        print("With zlib `replay -j 1` takes %.2f times as long as `pigz -dc` and `replay -j 1` of the "
              "decompressed archives together.\n" % (by["replay -j 1, zlib in place of ISA-L"] / sum(parts)))


def report_of(build, archives, work):
    path = work / "report.json"
    subprocess.run([build / "replay", "--offline", "-q", "--format", "json", "-o", path] + archives,
                   check=True)
    return json.loads(path.read_text())


def offline_set(build, work, name, what, options):
    target = work / name
    say("generating %d records for set %s" % (RECORDS, name))
    command = [build / "generate", "--seed", "1", "--records", str(RECORDS), "--archives", "8",
               "--no-database"] + options + [target]
    subprocess.run(command, check=True)
    archives = sorted((target / "archives").iterdir())
    report = report_of(build, archives, work)
    replay = [build / "replay", "--offline", "-q", "-o", "/dev/null"]
    commands = [
        Measured("replay -j 1", replay + ["-j", "1"] + archives),
        Measured("replay -j 2", replay + ["-j", "2"] + archives),
    ]
    if name in ("A", "B"):
        zlib = build.with_name(build.name + "-zlib") / "replay"
        plain = decompressed(archives, work)
        commands += [Measured("replay -j 1, zlib in place of ISA-L", [zlib] + replay[1:] + ["-j", "1"]
                              + archives),
                     Measured("replay -j 1, decompressed before", replay + ["-j", "1"] + plain)]
        one = work / "one.gz"
        with open(one, "wb") as out:
            for archive in archives:
                out.write(gzipped(archive))
        commands += [Measured("replay -j 1, one file", replay + ["-j", "1", one]),
                     Measured("replay -j 2, one file", replay + ["-j", "2", one])]
    commands += peers(name, archives)
    say("measuring set %s, %d rounds" % (name, RUNS))
    in_turn(commands)
    source = report["input"]
    print("### Set %s: %s\n" % (name, what))
    print("%s records, %s distinct messages, %.0f MB from %.0f MB gzip in 8 files: `generate %s`\n" % (
        format(source["records"], ","), format(report["messages"]["distinct"], ","),
        source["bytes"] / 1e6, source["bytes_compressed"] / 1e6,
        " ".join(str(c) for c in command[1:-1])))
    columns = ratios(commands)
    table(["command", "seconds, median", "from … to"] + [head for head, _ in columns]
          + ["records/s", "MB/s", "CPU seconds, median", "peak memory, MiB"],
          [[c.name, "%.2f" % c.median(), c.spread()] + ["%.2f" % values[i] for _, values in columns]
           + [per(source["records"], c.median()), per(source["bytes"] / 1e6, c.median()),
              "%.2f" % statistics.median(c.cpu), "%.0f" % max(c.peak)]
           for i, c in enumerate(commands)])
    if name in ("A", "B"):
        zlib_bar(commands)
        shutil.rmtree(work / "plain")
    empty = work / "empty"
    empty.write_bytes(b"")
    least = Measured("empty", replay + ["-j", "1", empty])
    in_turn([least])
    (work / "one.gz").unlink(missing_ok=True)
    grown = (max(commands[0].peak) - max(least.peak)) * 2**20 / report["messages"]["distinct"]
    print("`replay -j 1` of an empty file: %.0f MiB; the rest is %.0f bytes per distinct message.\n" % (
        max(least.peak), grown))
    shutil.rmtree(target)


def generated(build, work, name, *size):
    target = work / name
    say("generating " + " ".join(size))
    subprocess.run([build / "generate", "--seed", "1", *size, "--archives", "8", "--no-database",
                    "--noise", "0", target], check=True)
    return target, sorted((target / "archives").iterdir())


def row(command, report):
    return [command.name, "%.2f" % command.median(), command.spread(),
            "%.2f" % statistics.median(command.cpu), "%.0f" % max(command.peak),
            format(report["messages"]["distinct"], ",")]


HEAD = ["command", "seconds, median", "from … to", "CPU seconds, median", "peak memory, MiB",
        "distinct messages"]


def memory(build, work):
    """--memory: ten times as many messages, and their states, in less of it."""
    target, archives = generated(build, work, "memory", "--messages", str(10 * RECORDS))
    report = report_of(build, archives, work)
    states = work / "states"
    replay = [build / "replay", "--offline", "-q", "-o", "/dev/null", "--tmpdir", work]
    commands = [Measured("replay --memory %s%s" % (size, what), replay + ["--memory", size] + out + archives)
                for what, out in (("", []), (" --states-out", ["--states-out", states]))
                for size in ("16G", "64M")]
    in_turn(commands, min(RUNS, 3))
    print("### Spilling\n")
    table(HEAD, [row(c, report) for c in commands])
    shutil.rmtree(target)


def growth(build, work):
    rows = []
    for records in (RECORDS // 10, RECORDS, 10 * RECORDS):
        target, archives = generated(build, work, "growth", "--records", str(records))
        report = report_of(build, archives, work)
        command = Measured("replay -j 2, %s records" % format(records, ","),
                           [build / "replay", "--offline", "-q", "-o", "/dev/null", "-j", "2",
                            "--memory", "16G"] + archives)
        in_turn([command], min(RUNS, 3))
        rows.append(row(command, report))
        shutil.rmtree(target)
    print("### Growth\n")
    table(HEAD, rows)


# ---- correcting rows -------------------------------------------------------------

class Server(pg.Server):
    """As the tests', but as durable as an installation: only SETTINGS differ from initdb's."""

    def start(self):
        if self.user is not None:
            os.chown(self.home, self.user.pw_uid, self.user.pw_gid)
        self.home.chmod(0o755)
        data = self.home / "data"
        subprocess.run([pg.find_bin("initdb"), "-D", data, "-U", pg.SUPERUSER, "-A", "trust", "-E",
                        "UTF8", "--locale", "C.UTF-8"], check=True, stdout=subprocess.DEVNULL,
                       cwd=self.home, **self._as_user())
        command = [pg.find_bin("postgres"), "-D", str(data), "-c", "listen_addresses=", "-c",
                   "unix_socket_directories=%s" % self.home]
        for name, value in SETTINGS.items():
            command += ["-c", "%s=%s" % (name, value)]
        prctl = ctypes.CDLL(None).prctl
        with open(self.home / "log", "w", encoding="utf-8") as log:
            self.process = subprocess.Popen(
                command, stdout=log, stderr=log, stdin=subprocess.DEVNULL, cwd=self.home,
                preexec_fn=lambda: prctl(pg.PR_SET_PDEATHSIG, signal.SIGQUIT), **self._as_user())
        self._wait()
        return self


def psql(server, database, *arguments):
    subprocess.run([pg.find_bin("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.home,
                    "-U", pg.SUPERUSER, "-d", database, "-o", "/dev/null"] + list(arguments),
                   check=True)


def corrections(build, work):
    target = work / "database"
    say("generating %d rows, half of them stale" % ROWS)
    command = [build / "generate", "--seed", "1", "--messages", str(ROWS // 2), "--rows", str(ROWS),
               "--lost", "100", "--foreign", "0", "--noise", "0", "--archives", "8",
               "--campaigns", "20", "--in-turn", "--no-drift", "--start", "2025-03-03T12:00:00Z", "--fast-load", target]
    subprocess.run(command, check=True)
    server = Server().start()
    try:
        say("loading them")
        psql(server, "postgres", "-c", "CREATE DATABASE template")
        psql(server, "template", "-f", ROOT / "fixtures/schema/deployed.sql",
             "-f", target / "database.sql", "-c", "VACUUM ANALYZE", "-c", "CHECKPOINT")
        rows = correct(build, work, server, sorted((target / "archives").iterdir()))
    finally:
        server.stop()
    print("### Corrections\n")
    print("%s corrections among %s rows in 20 campaigns, deployed schema: `generate %s`. The server has\n"
          "initdb's settings but for %s. Each run finds the database as it was, but for the last.\n" % (
              format(rows[0], ","), format(ROWS, ","), " ".join(str(c) for c in command[1:-1]),
              ", ".join("`%s = %s`" % s for s in SETTINGS.items())))
    script = next(c for c in rows[1] if c.name.startswith("psql"))
    table(["run", "seconds, median", "from … to", "ratio to the script", "CPU seconds",
           "peak memory, MiB", "both tables after it, MB"],
          [[c.name, "%.2f" % c.median(), c.spread(), "%.2f" % (c.median() / script.median()),
            "%.2f" % statistics.median(c.cpu), "%.0f" % max(c.peak), rows[2].get(c, "")]
           for c in rows[1]])


COLUMNS = ("id, campaign_id, instance_used_id, whatsapp_message_id, status, sent_at, delivered_at,"
           " read_at, failed_at, error_message")


def write_csv(plan, path):
    """What script.sql reads, from a plan."""
    with gzip.open(plan, "rt", encoding="utf-8") as f, open(path, "w", encoding="utf-8",
                                                            newline="") as to:
        out = csv.writer(to)
        f.readline()
        for line in f:
            action = json.loads(line)
            after = action["after"]
            out.writerow([action["campaign_contact"], after["status"], after["sent_at"],
                          after["delivered_at"], after["read_at"], after["failed_at"],
                          after["error_message"], action["cause"], json.dumps(action["evidence"]),
                          "read" not in action["approximate"]])


def psql_command(server, *arguments):
    return [pg.find_bin("psql"), "-X", "-q", "-v", "ON_ERROR_STOP=1", "-h", server.home, "-U",
            pg.SUPERUSER, "-d", "bench", "-o", "/dev/null"] + list(arguments)


def ask(server, sql):
    done = subprocess.run(psql_command(server)[:-2] + ["-At", "-c", sql], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


# What is in the tables, as one figure each; of a log row all but its id, its time and the run.
WRITTEN = """
SELECT count(*), sum(hashtextextended(row(campaign_id, campaign_contact_id, contact_id, instance_id,
    tenant_id, log_type, severity, message, details - 'run')::text, 0))
FROM campaigns_log WHERE log_type <> 'message_sent';
SELECT sum(hashtextextended(row(id, status, sent_at, delivered_at, read_at, failed_at,
    error_message)::text, 0)) FROM campaigns_contact;
SELECT sum(hashtextextended(row(id, last_interaction_date)::text, 0)) FROM contacts_contact;
SELECT sum(hashtextextended(row(id, messages_sent, messages_delivered, messages_read,
    messages_failed)::text, 0)) FROM campaigns_campaign"""
SIZES = ("SELECT round((pg_table_size('campaigns_contact') + pg_table_size('contacts_contact')) / 1e6)")


def correct(build, work, server, archives):
    """Each command on the database as it was: the same rows, log rows and counters at the end."""
    conninfo = "dbname=bench host=%s user=%s" % (server.home, pg.SUPERUSER)
    plan, rows = work / "plan.gz", work / "rows.csv"
    to = ["-q", "-d", conninfo, "-o", "/dev/null"]
    writes = to + ["--recheck", "0", "--state-dir", work / "state"]
    dry = Measured("`replay --plan-out`, a dry run", [build / "replay"] + to + ["--plan-out", plan]
                   + archives, ends=(1,))
    script = Measured("psql, a script that has the corrections",
                      psql_command(server, "-v", "csv=%s" % rows, "-f", ROOT / "tests/bench/script.sql"))
    act = Measured("`reconcile apply`, which has the plan", [build / "reconcile", "apply"] + writes
                   + [plan])
    write = Measured("`replay --apply`, from the archives", [build / "replay"] + writes + ["--apply"]
                     + archives)
    whole = Measured("`replay --apply --single-transaction`", [build / "replay"] + writes
                     + ["--apply", "--single-transaction"] + archives)
    copy = Measured("psql, `\\copy` of the rows to /dev/null", psql_command(
        server, "-c", "\\copy (SELECT %s FROM campaigns_contact) TO /dev/null" % COLUMNS))
    audit = Measured("`reconcile audit`, nothing to correct", [build / "reconcile", "audit"] + to)
    found, sizes = set(), {}
    for i in range(RUNS):
        for command in (dry, script, whole, act, write):
            say("corrections, round %d of %d: %s" % (i + 1, RUNS, command.name))
            psql(server, "postgres", "-c", "SET client_min_messages = warning",
                 "-c", "DROP DATABASE IF EXISTS bench", "-c", "CREATE DATABASE bench TEMPLATE template",
                 "-c", "CHECKPOINT")
            command.run()
            if command is dry:
                write_csv(plan, rows)
            else:
                found.add(ask(server, WRITTEN))
            sizes[command] = ask(server, SIZES)
        psql(server, "bench", "-c", "VACUUM ANALYZE")
        for command in (copy, audit):
            command.run()
    if len(found) != 1:
        raise SystemExit("bench: the commands do not leave the same in the tables: %r" % found)
    with open(rows, encoding="utf-8") as f:
        return sum(1 for _ in csv.reader(f)), (dry, script, whole, act, write, copy, audit), sizes


def main():
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    signal.signal(signal.SIGHUP, lambda number, frame: sys.exit(128 + number))
    build = pathlib.Path(sys.argv[1]).resolve()
    only = os.environ.get("BENCH_ONLY", "")
    for name in [n for n in os.environ if n.startswith("PG")]:
        del os.environ[name]
    os.environ["RECONCILE_CONFIG"] = "/dev/null"
    work = pathlib.Path(tempfile.mkdtemp(prefix="reconcile-bench-",
                                         dir=os.environ.get("BENCH_TMP")))
    try:
        Measured.measure = build / "tests" / "measure"
        Measured.line = work / "measured"
        with published("machine"):
            machine(build)
        for name, what, options in SETS:
            if only in ("", "offline", name):
                with published(name):
                    offline_set(build, work, name, what, options)
        if only in ("", "offline", "memory"):
            with published("memory"):
                memory(build, work)
        if only in ("", "offline", "growth"):
            with published("growth"):
                growth(build, work)
        if only in ("", "database"):
            with published("corrections"):
                corrections(build, work)
    finally:
        shutil.rmtree(work, ignore_errors=True)


if __name__ == "__main__":
    main()
