#!/usr/bin/env python3
"""Hours of everything at once: make soak SOAK_SECONDS=3600 SOAK_SEED=1

On one PostgreSQL and one stub of Evolution, in rounds: a worker sends messages and saves stale
copies, handlers of webhooks write what they are told (or lose it, get it twice or in another
order), a capture writes archives and rotates them, and `replay --apply`, `reconcile poll --apply`,
`reconcile audit --apply` and `reconcile revert` run, one after the other or at the same time, while
the gateway answers badly, backends are terminated, runs are killed, the server restarts and
somebody holds locks.

Every few rounds the application rests, and checks.py holds the database to what the oracle computes
of all archives, to what was really told, and to its own rows, and the runs to the memory,
descriptors and files that they had at first. Every now and then a fresh world begins, so that
rounds do not become slower. One line per round tells what was done; a finding ends it with status
1, what differs, the seed, and the directory where the archives are kept.

It takes a fifth of one processor: it rests after each round. What it draws is given by the
seed; what meets what is not, as clocks and threads have a say.

    soak.py         the rounds
    ledger.py       what was sent, and what became of it
    application.py  the worker and the handlers
    captures.py     the archives
    faults.py       what goes wrong
    programs.py     runs, and what they use and leave
    checks.py       what has to hold
"""

import collections
import os
import pathlib
import random
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "db")]

# pylint: disable=wrong-import-position
import checks  # noqa: E402
import faults  # noqa: E402
import gateway  # noqa: E402
import pg  # noqa: E402
import serverlog  # noqa: E402
import tables  # noqa: E402
from application import Application  # noqa: E402
from captures import Capture  # noqa: E402
from ledger import Ledger  # noqa: E402
from programs import Finding, Programs, expect  # noqa: E402

SHARE = 0.2  # of one processor
CHECK = 3  # rounds from check to check
WORLD = 12  # rounds of a world
MIB = 1 << 20


def given_up(done):
    """A poll whose instances all fail says so, and ends with 4."""
    return (4,) if "every instance was given up" in done.said else ()


class Soak:
    """The server, the world of the moment, and the rounds."""

    small = "1M"

    def __init__(self, seed, home):
        self.seed = seed
        self.home = home
        self.rng = random.Random("soak %s" % seed)
        self.began = time.monotonic()
        self.server = pg.Server(**dict(
            serverlog.SETTINGS, synchronous_commit="on", autovacuum="on", log_lock_waits="on",
            track_commit_timestamp="on"))
        self.server.start()
        self.maintenance = self.server.database("postgres")
        self.round = 0
        self.worlds = 0
        self.app = self.gate = None
        self.version = None  # of the gateway
        self.waits = []  # of the application for locks, in seconds
        self.age = 0  # rounds of this world
        self.most = {}  # what runs of the first world, and of this one, took at most
        self.first_peaks = {}
        self.same_input = []
        self.peaks = []  # the largest of each round
        self.largest = None  # the run of this world that took most
        self.struck = collections.Counter()
        self.total = collections.Counter()

    # ---- the world ----

    def new_world(self):
        """A fresh database, with a capture and an application of its own."""
        self.end_world()
        self.worlds += 1
        seed = "%s %d" % (self.seed, self.worlds)
        self.age = 0
        self.first_peaks.pop("replay", None)
        self.db = self.server.fresh("deployed" if self.worlds % 2 else "design")
        directory = self.home / ("world-%d" % self.worlds)
        self.ledger = Ledger(seed, forged=self.worlds % 3 == 2)
        self.capture = Capture(directory / "archives", seed)
        self.programs = Programs(directory, self.db)
        self.app = Application(self.db, self.ledger, self.capture, seed)

    def end_world(self):
        """Each world is as large as the first, and so is what its runs need."""
        if self.app:
            peak, descriptors = self.most[self.worlds]
            expect(peak <= self.most[1][0] * 1.25 + checks.SLACK and
                   descriptors <= self.most[1][1] + 8, "runs need more and more:", self.most,
                   "the largest of this world:", self.largest)
            self.app.stop()
            self.server.drop_all()
            shutil.rmtree(self.programs.home)
            self.app = None

    def grow(self):
        made, rows = self.ledger.grow(self.age)
        first = (self.age + 1) * 100000
        self.db.sql(tables.write(self.db.naming, [] if self.age else self.ledger.tenants, made,
                                 first))
        self.app.wake()
        self.app.send(rows)

    def serve(self, rules):
        """The gateway, with what it knows by now."""
        self.close_gate()
        self.version = self.rng.choice(["1.8", "2.3", "2.3"])
        self.gate = gateway.Gateway(
            self.programs.home / "gateway", list(self.ledger.stored), self.ledger.url_names(),
            rules, version=self.version, seed=self.round)
        self.gate.__enter__()
        self.programs.url, self.programs.key = self.gate.url, self.gate.key

    def close_gate(self):
        if self.gate:
            self.gate.stop()
            self.gate = None

    # ---- runs ----

    def some(self, *choices):
        return list(self.rng.choice(choices))

    def replay(self):
        options = self.some([], ["--memory", self.small], ["--jobs", "1"]) + \
            self.some([], ["--batch", "7"], ["--single-transaction"],
                      ["--batch", "2", "--pause", "40"], ["--batch", "1", "--pause", "100"]) + \
            self.some(["--settle", "0"], ["--settle", "0"], ["--settle", "15m"]) + \
            self.some([], [], ["--instance-health"]) + \
            self.some(["--recheck", "0"], ["--recheck", "0"], ["--recheck", "1"])
        inputs = [self.capture.directory]
        states = self.programs.home / "states.gz"
        if self.rng.random() < 0.3:
            done = self.programs.run("replay", "--offline", "--status-codes", "app",
                                     "--states-out", states, self.capture.directory)
            expect(done.status in (0, 3), "a fold:", done)
        if states.exists() and self.rng.random() < 0.4:
            options += ["--states-in", states]
        return ["replay", "--apply", "--status-codes", "app"] + options + inputs

    def poll(self):
        return ["reconcile", "poll", "--apply", "--status-codes", "app", "--connections", "4",
                "--request-timeout", "2", "--retry-time", "20", "--recheck", "0"] + \
            self.some([], ["--strategy", "window"] if self.version != "1.8" else [],
                      ["--strategy", "message"]) + \
            self.some([], ["--page-size", "20"]) + self.some(["--settle", "0"], []) + \
            self.some([], ["--batch", "7"])

    def audit(self):
        return ["reconcile", "audit", "--apply", "--recheck", "0"] + \
            self.some(["--settle", "0"], []) + self.some([], ["--batch", "7"], ["--fix-total"])

    def revert(self):
        journals = self.programs.journals()
        return ["reconcile", "revert", "--recheck", "0", self.rng.choice(journals)] \
            if journals else self.audit()

    def under_fault(self, arguments):
        """One run, and maybe something that goes wrong meanwhile."""
        fault = self.rng.choice(faults.ALL)(self, self.rng) if self.rng.random() < 0.5 else None
        run = None
        allowed = faults.DONE + ((1, 4) if "revert" in arguments else ())
        if fault:
            if fault.name == "lock held":
                fault.begin(None)
            run = self.programs.start(*arguments)
            if fault.name != "lock held":
                fault.begin(run)
            allowed += fault.statuses
            self.struck[fault.name] += 1
        else:
            run = self.programs.start(*arguments)
        try:
            done = run.finish()
        finally:
            if fault:
                fault.end()
        allowed = sorted(set(allowed + given_up(done)))
        expect(done.status in allowed, "status not among %s:" % allowed, done)
        return [done]

    def together(self, kinds):
        """Runs at the same time: the lock lets one of them write, or has the others wait."""
        wait = self.rng.choice(["0", "600s"])
        runs = [self.programs.start(*(kind() + ["--lock-wait", wait])) for kind in kinds]
        ended = [run.finish() for run in runs]
        for done in ended:
            turned_away = (5,) if wait == "0" else ()
            allowed = faults.DONE + turned_away + given_up(done)
            expect(done.status in allowed, "at the same time:", done)
        expect(any(e.status != 5 for e in ended), "each run says that another has the lock:", ended)
        self.struck["turned away"] += sum(e.status == 5 for e in ended)
        return ended

    def runs(self):
        kinds = [self.replay, self.poll, self.audit]
        self.rng.shuffle(kinds)
        if self.rng.random() < 0.3:
            kinds.append(self.revert)
        if self.rng.random() < 0.35:
            time.sleep(self.rng.random() * 3)
            return self.together(kinds[:self.rng.choice([2, 3])])
        ended = []
        for kind in kinds:
            time.sleep(self.rng.random() * 1.5)  # the application goes on
            ended += self.under_fault(kind())
            checks.nobody_left(self)
            if self.rng.random() < 0.3:
                self.capture.rotate()
        return ended

    # ---- rounds ----

    def one_round(self):
        began = time.monotonic()
        if self.app is None or self.age == WORLD:
            self.new_world()
        before = self.struck.copy()
        self.capture.uncut()
        self.grow()
        self.age += 1
        self.round += 1
        self.serve(faults.gateway_rules(self.rng) if self.rng.random() < 0.6 else [])
        ended = self.runs()
        self.gate.stop()
        hits = sum(bool(r.get("fault")) for r in self.gate.log["list"])
        self.gate = None
        self.struck["gateway"] += hits
        self.app.check()
        if self.age == 1:  # the first archive holds nothing of later rounds
            self.app.quiet()
            self.capture.rotate()
        corrections = sum(e.corrections() for e in ended)
        checked = ""
        if self.age % CHECK == 0:
            self.app.quiet()
            corrections += checks.quiet(self)
            checked = "  all equal"
        largest = max(ended, key=lambda e: e.peak)
        self.peaks.append(largest.peak)
        peak, descriptors = self.most.get(self.worlds, (0, 0))
        if largest.peak > peak:
            self.largest = largest
        self.most[self.worlds] = (max(peak, self.peaks[-1]),
                                  max(descriptors, *[e.descriptors for e in ended], 0))
        self.tell(began, ended, corrections, self.struck - before, checked)
        self.rest()

    def tell(self, began, ended, corrections, struck, checked):
        rows = len(self.ledger.rows)
        self.total.update(rounds=1, corrections=corrections, runs=len(ended),
                          checks=1 if checked else 0, faults=sum(struck.values()))
        print("round %3d  %5.1f s  world %d  %5d rows  %4d corrections  peak %5.1f MiB  %2d fds"
              "  faults: %s%s" % (
                  self.round, time.monotonic() - began, self.worlds, rows, corrections,
                  self.peaks[-1] / MIB, max(e.descriptors for e in ended),
                  ", ".join("%d %s" % (n, name) for name, n in sorted(struck.items())) or "none",
                  checked), flush=True)

    def cpu(self):
        """Processor seconds of all that this started. The server's are those of its backends
        that have ended, too; a server that ended is a child that did."""
        used = 0.0
        for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN):
            usage = resource.getrusage(who)
            used += usage.ru_utime + usage.ru_stime
        fields = pathlib.Path("/proc/%d/stat" % self.server.process.pid).read_text()
        ticks = fields.rpartition(")")[2].split()[11:15]
        return used + sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")

    def rest(self):
        time.sleep(max(0, self.cpu() / SHARE - (time.monotonic() - self.began)))

    def summary(self, finding):
        seconds = time.monotonic() - self.began
        same = [p / MIB for p in self.same_input] or [0]
        print("%d rounds, %d worlds, %d runs, %d corrections, %d faults, %d times all was equal,"
              " %.0f s, %.0f s of processor time" % (
                  self.total["rounds"], self.worlds, self.total["runs"],
                  self.total["corrections"], self.total["faults"], self.total["checks"], seconds,
                  self.cpu()))
        print("faults: " + ", ".join("%d %s" % (n, k) for k, n in sorted(self.struck.items())))
        print("peak of a round: first %.1f, last %.1f, largest %.1f MiB; of the same input: first"
              " %.1f, last %.1f, largest %.1f MiB" % (
                  self.peaks[0] / MIB if self.peaks else 0,
                  self.peaks[-1] / MIB if self.peaks else 0,
                  max(self.peaks, default=0) / MIB, same[0], same[-1], max(same)))
        if self.app:
            print("the application met: %s; %d waits of more than a second for a lock, the longest"
                  " %.1f s" % (self.app.problems, len(self.waits), max(self.waits, default=0)))
        print("findings: %s" % ("1" if finding else "none"), flush=True)

    def note_waits(self):
        """Before the server, which begins its log anew, starts again; and in the end."""
        log = serverlog.Log(self.server)
        log.start = 0
        self.waits += log.waits("psql")

    def close(self):
        self.close_gate()
        if self.app:
            self.app.stop()
        self.server.stop()


def main():
    seconds = float(os.environ.get("SOAK_SECONDS") or 3600)
    seed = os.environ.get("SOAK_SEED") or "1"
    os.nice(19 - os.nice(0))
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    home = pathlib.Path(tempfile.mkdtemp(prefix="soak-"))
    print("SOAK_SECONDS=%g SOAK_SEED=%s" % (seconds, seed), flush=True)
    soak = Soak(seed, home)
    finding = None
    try:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            soak.one_round()
        soak.app.quiet()
        checks.quiet(soak)
        soak.total["checks"] += 1
    except Exception as e:  # pylint: disable=broad-except
        finding = e
        print("FINDING in round %d, SOAK_SEED=%s: %s" % (soak.round, seed, e))
        if not isinstance(e, Finding):
            traceback.print_exc()
    finally:
        soak.note_waits()
        soak.summary(finding)
        soak.close()
        if finding:
            print("the archives are in " + str(home), flush=True)
        else:
            shutil.rmtree(home)
    return 1 if finding else 0


if __name__ == "__main__":
    sys.exit(main())
