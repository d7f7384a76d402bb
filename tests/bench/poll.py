#!/usr/bin/env python3
"""Measures reconcile poll against the stub of Evolution on the same machine; prints Markdown.

    make tests && tests/bench/poll.py [--messages 300000] [--unsettled 100000]
                                [--strategies window,message,auto,...] [--page-size N]
                                [--apply] [--runs N]

Run by hand. It starts a PostgreSQL and a stub server (tests/stub/evolution.py) of its own in
temporary directories and stops them. One instance has stored --messages messages, spread evenly
over six days; every row of the --unsettled ones, spread evenly among them, has status sent, and
Evolution knows that its message was read. A dry run asks for all of them and decides; --apply
writes too, each time into a fresh copy of the database.

Seconds are of the clock on the wall, from start to exit; the peak is the greatest resident set of
reconcile, without the server and PostgreSQL. The stub is Python and shares the processors, so that
most of the seconds are its own; the column "CPU" is of reconcile alone (user and system).
"""

import argparse
import csv
import json
import os
import pathlib
import platform
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT / "tests"))

import gateway  # noqa: E402
import pg  # noqa: E402
import tables  # noqa: E402
import tool  # noqa: E402
import world as worlds  # noqa: E402

NOW = 1780401600  # 2026-06-02 12:00 UTC
START = NOW - 6 * 86400 - 3600
SPAN = 6 * 86400
CASES = {  # name -> (version of the server, --strategy)
    "window": ("2.3", "window"),
    "message": ("2.3", "message"),
    "message-1.8": ("1.8", "message"),
    "auto": ("2.3", "auto"),
}


def say(text):
    print("bench: " + text, file=sys.stderr, flush=True)


def sent_at(number, messages):
    return START + number * SPAN // messages


def message_id(number):
    return "3EB0%016X" % (number * 0x9E3779B97F4A7C15 % 2 ** 64)


def write_state(path, messages):
    with open(path, "w", newline="", encoding="utf-8") as f:
        out = csv.writer(f)
        for n in range(messages):
            at = sent_at(n, messages) * 1000
            out.writerow(["loja", message_id(n), at // 1000, 1,
                          "SERVER_ACK@%d DELIVERY_ACK@%d READ@%d" % (at + 800, at + 5000,
                                                                     at + 90000)])


def database_sql(naming, messages, unsettled):
    """One campaign; rows are made by the server from the numbers of their messages."""
    world = worlds.single("sent", [], "deployed", sent_at=START * 1000000)
    base = world.tables.rows[0]
    sql = tables.write(naming, world.tenants, world.tables)
    numbers = sorted({n * messages // unsettled for n in range(unsettled)})
    values = ",\n".join("('%s', to_timestamp(%d))" % (message_id(n), sent_at(n, messages))
                        for n in numbers)
    return sql + """
CREATE TEMPORARY TABLE made AS
SELECT row_number() OVER () AS n, gen_random_uuid() AS id, * FROM (VALUES %s) v(message_id, at);
INSERT INTO contacts_contact (
    id, phone, name, country, total_purchases, average_ticket, lifetime_value,
    total_messages_received, total_messages_sent, total_campaigns_participated,
    total_campaigns_responded, notes, custom_fields, is_active, opted_out, source, created_at,
    updated_at, tenant_id)
SELECT m.id, 'p' || m.n, 'Pessoa', country, 0, 0, 0, 0, 0, 0, 0, '', '{}', true, false, 'x',
       c.created_at, c.updated_at, tenant_id FROM made m, contacts_contact c WHERE c.id = '%s';
INSERT INTO campaigns_contact (id, campaign_id, contact_id, instance_used_id, status,
                               whatsapp_message_id, sent_at, retry_count, created_at, updated_at)
SELECT m.id, '%s', m.id, '%s', 'sent', message_id, at, 0, at, at FROM made m;
DELETE FROM campaigns_contact WHERE id = '%s';
ANALYZE;
""" % (values, base["id"], base["campaign_id"],
       world.tables.instances[0]["id"], base["id"])


class Server(gateway.Gateway):
    """A stub whose state is already on disk."""

    def __init__(self, directory, state, version):
        super().__init__(directory, [], version=version, options=["--log-limit", "0"])
        where = self._command.index("--state") + 1
        self._command[where] = str(state)


def run(db, url, directory, strategy, arguments):
    """(seconds, CPU seconds, peak in MiB, report) of one poll."""
    env = {k: v for k, v in tool.environment(directory).items() if not k.lower().endswith("_proxy")}
    env.update(EVOLUTION_API_KEY=gateway.KEY, EVOLUTION_API_URL=url, no_proxy="127.0.0.1",
               RECONCILE_NOW="2026-06-02T12:00:00Z")
    target, line = directory / "report.json", directory / "line"
    command = [tool.BUILD / "tests/measure", line, tool.BUILD / "reconcile", "poll", "-d", db.conninfo(),
               "--strategy", strategy, "--format", "json", "-o", target] + arguments
    subprocess.run(command, env=env, check=True, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL)
    took, cpu, peak, status = line.read_text().split()
    if int(status) not in (0, 1):
        raise SystemExit("bench: status %s" % status)
    return float(took), float(cpu), int(peak) / 1024, json.loads(target.read_text())


def measure(db, case, state, directory, o, arguments):
    version, strategy = CASES[case]
    with Server(directory / case, state, version) as g:
        took, cpu, peak, report = run(db, g.url, directory, strategy, arguments)
    if report["messages"]["updated"] != o.unsettled:
        raise SystemExit("bench: %d corrections, not %d" % (report["messages"]["updated"],
                                                            o.unsettled))
    print("| %s | %s | %d | %.1f | %.1f | %.0f MiB |" % (
        strategy, version, report["input"]["requests"], took, cpu, peak), flush=True)


def processor():
    with open("/proc/cpuinfo", encoding="utf-8") as f:
        for line in f:
            if line.startswith("model name"):
                return line.split(":")[1].strip()
    return platform.processor()


def parse(arguments):
    p = argparse.ArgumentParser(description="Measures reconcile poll against the stub.")
    p.add_argument("--messages", type=int, default=300000)
    p.add_argument("--unsettled", type=int, default=100000)
    p.add_argument("--strategies", default="window,auto,message,message-1.8")
    p.add_argument("--page-size", type=int, default=500)
    p.add_argument("--apply", action="store_true")
    p.add_argument("--runs", type=int, default=1)
    return p.parse_args(arguments)


def main(arguments):
    o = parse(arguments)
    server = pg.Server()
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        try:
            server.start()
            say("making %d messages" % o.messages)
            write_state(directory / "state.csv", o.messages)
            sql = database_sql(pg.VARIANTS["deployed"], o.messages, o.unsettled)
            print("%s, %d processors, Linux %s, load %.1f; %d of %d messages, pages of %d, %s\n"
                  % (processor(), os.cpu_count(), platform.release(), os.getloadavg()[0],
                     o.unsettled, o.messages, o.page_size,
                     "applied" if o.apply else "dry runs"))
            print("| strategy | server | requests | seconds | CPU | peak |")
            print("| --- | --- | ---: | ---: | ---: | ---: |", flush=True)
            more = ["--page-size", str(o.page_size)] + ["--apply"] * o.apply
            for case in o.strategies.split(",") * o.runs:
                db = server.fresh("deployed", sql, "bench")
                measure(db, case, directory / "state.csv", directory, o, more)
                server.drop_all()
        finally:
            server.stop()


if __name__ == "__main__":
    main(sys.argv[1:])
