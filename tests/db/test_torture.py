"""Torture: each call that may fail fails once - an allocation, a file, a thread, libpq, libcurl.

tests/torture/failing.c, preloaded, counts the calls of an undisturbed run and fails one of the
next.
Whichever it is, the run ends by itself, in time, gives back what it holds, and either does all that
the undisturbed run did or ends with a status that says otherwise and a message that says why; its
files are whole, or what was there before; the database holds all or nothing of each correction; and
the run, done once more, ends as if nothing had happened.

`make check` fails a sample of the calls, each kind and place before any is failed twice;
TORTURE=places fails one call of each place, TORTURE=full (make torture) every call.
TORTURE_SEED=WORD draws other samples,
TORTURE_ONLY=SCENARIO:N,N fails just these.
"""

import gzip
import json
import os
import pathlib
import random
import re
import shutil
import subprocess

import pytest

import pg
import promtext
import tables
import tool
import world as worlds
from runs import OPEN
from test_killed import Image, NOW, SPAN, assert_whole
from test_poll import Polls, busy_shop

# a sanitizer's allocator has to come first, and so has the library's
pytestmark = pytest.mark.skipif(bool(os.environ.get("SANITIZE")),
                                reason="calls are failed without sanitizers")

LIBRARY = tool.BUILD / "tests" / "failing.so"
EXTENT = os.environ.get("TORTURE", "sample")
SEED = os.environ.get("TORTURE_SEED", "1")
ONLY = os.environ.get("TORTURE_ONLY", "")
VARIANT = "deployed"
OLD = b"what was there before\n"
# places of a scenario that make check fails a call of
SAMPLE = 10

# what stderr says of evidence that was not to be had; the rest is done
UNREAD = re.compile(r"could not (?:read|open) archive|could not poll|gave up|given up")

# what a run has of its own: who it is, when it ran, how long it took
VOLATILE = [
    (re.compile(rb"\d{8}T\d+Z-[0-9a-f]+"), b"RUN"),
    (re.compile(rb'(\["api:[^"]*"),\d+\]'), rb"\1,0]"),
    (re.compile(rb'"xid":"?\d+"?'), b'"xid":0'),
    (re.compile(rb'("(?:started_at|finished_at|snapshot_at|created_at)":)\s*"[^"]*"'), rb"\1AT"),
    (re.compile(rb"(<dt>snapshot</dt><dd><span[^>]*>)[^<]*"), rb"\1AT"),
    (re.compile(rb"(?m)^(reconcile_\w*(?:seconds|timestamp)\w*\{[^}]*\}) .*$"), rb"\1 T"),
]


def _content(path):
    """What a file of a run says, without what differs from run to run; it has to be whole."""
    data = path.read_bytes()
    if data == OLD:
        return data
    if path.name.endswith(".gz"):
        data = gzip.decompress(data)
    if path.name == "metrics":
        promtext.parse(data.decode())
    elif path.name.endswith(".json"):
        json.loads(data.decode())
    elif path.name.endswith(".html"):
        assert data.rstrip().endswith(b"</html>"), "%s is cut short" % path.name
    elif ".jsonl" in path.name:
        for line in data.decode().splitlines():
            json.loads(line)
        assert data.endswith(b"\n"), "%s is cut short" % path.name
    for pattern, text in VOLATILE:
        data = pattern.sub(text, data)
    return data


def names_reason(failed, said):
    """Whether a message says why; libpq, libcurl and zones have words of their own."""
    reasons = {"open": "Too many open files", "openat": "Too many open files",
               "fcntl": "Too many open files",
               "write": "No space left", "pwrite": "No space left", "mkdir": "No space left",
               "read": "Input/output error", "pread": "Input/output error",
               "fsync": "Input/output error", "renameat": "Input/output error",
               "ftruncate": "Input/output error", "close": "Input/output error"}
    reasons.update(dict.fromkeys(("malloc", "calloc", "realloc", "aligned_alloc", "strdup",
                                  "strndup", "asprintf", "vasprintf"), "memory"))
    return bool(said) and reasons.get(failed, "") in said


def first_difference(got, right):
    at = next((n for n, (a, b) in enumerate(zip(got, right)) if a != b), min(len(got), len(right)))
    return "%r, not %r" % (got[max(at - 60, 0):at + 60], right[max(at - 60, 0):at + 60])


class Account:
    """What the library wrote down of a run."""

    def __init__(self, path):
        self.calls, self.left, self.failed, self.ended = [], [], None, None
        for line in path.read_text().splitlines() if path.exists() else []:
            word, *rest = line.split()
            if word == "call":
                self.calls.append(tuple(rest[1:]))
            elif word == "failed":
                self.failed = rest[1:]
            elif word == "left":
                self.left.append(tuple(rest))
            elif word == "calls":
                self.ended = int(rest[0])

    def told(self):
        """The call that failed, with the functions that made it."""
        if not self.failed:
            return "no call failed"
        places = []
        for site in self.failed[1:]:
            module, offset = site.split("+")
            if module == "program":
                # a return address is behind the call
                places.append("0x%x" % (int(offset, 16) - 1))
        return self.failed[0], places


def place(program, told):
    if isinstance(told, str):
        return told
    name, places = told
    done = subprocess.run(["addr2line", "-f", "-s", "-e", str(tool.BUILD / program)] + places,
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=False)
    lines = done.stdout.decode().splitlines()
    return name + " in " + " < ".join("%s (%s)" % (f.strip(), w.strip().split(" ")[0])
                                      for f, w in zip(lines[::2], lines[1::2]))


class Outcome:
    """How a run ended, and what it left."""

    def __init__(self, done, account, files, left_over):
        self.done = done
        self.account = account
        self.files = files
        self.left_over = left_over
        self.less = False  # by less evidence than the undisturbed run


class Scenario:
    """A command, run again and again in a directory of its own."""

    name = program = None
    outputs = ()       # replaced as a whole: what was there before stays or goes
    writes = False
    ends_with = 0
    ordered = True     # rows are written in the same order, in the same batches

    def __init__(self, directory, server):
        self.directory = directory
        self.out = directory / "out"
        self.tmp = directory / "tmp"
        self.server = server
        self.db = None
        self.dirty = False
        self.prepare()

    def prepare(self):
        raise NotImplementedError

    def stop(self):
        if self.db:
            self.server.database("postgres").sql("DROP DATABASE %s WITH (FORCE)" % self.db.name)

    def arguments(self):
        raise NotImplementedError

    def environment(self):
        return tool.environment(self.directory, RECONCILE_NOW=NOW)

    # ---- the database, put back from copies of its tables

    def fill(self, sql):
        self.server.database("postgres").sql("CREATE DATABASE torture")
        self.db = self.server.database("torture", VARIANT)
        self.db.sql(pg.schema(VARIANT) + sql)
        self.keep()

    def keep(self):
        """What is there now is what each run begins with."""
        self.written = [self.db.naming.row, self.db.naming.campaign, self.db.naming.log,
                        self.db.naming.instance, "contacts_contact"]
        self.db.sql("DROP SCHEMA IF EXISTS kept CASCADE; CREATE SCHEMA kept;\n" + "".join(
            "CREATE TABLE kept.k_{0} AS TABLE {0};\n".format(t) for t in self.written))
        self.before = Image(self.db)

    def reset(self):
        if self.db and self.dirty:
            self.db.sql("BEGIN; SET LOCAL session_replication_role = replica;\n" + "".join(
                "DELETE FROM {0}; INSERT INTO {0} SELECT * FROM kept.k_{0};\n".format(t)
                for t in self.written) + "COMMIT;")
            self.dirty = False

    # ---- one run

    def clean(self):
        for d in (self.out, self.tmp):
            shutil.rmtree(d, ignore_errors=True)
            d.mkdir()
        for name in self.outputs:
            (self.out / name).write_bytes(OLD)

    def run(self, **settings):
        log = self.directory / "account"
        if log.exists():
            log.unlink()
        self.clean()
        env = dict(self.environment(), LD_PRELOAD=str(LIBRARY), TORTURE_LOG=str(log),
                   TMPDIR=str(self.tmp), STATE_DIRECTORY=str(self.out / "state"),
                   MALLOC_PERTURB_="165", **settings)
        done = tool.run(self.program, self.arguments(), self.directory, env=env)
        files, left = {}, []
        self.dirty |= self.writes
        for path in sorted(p for p in self.out.rglob("*") if p.is_file()):
            name = re.sub(r"^journal-.*", "journal.jsonl.gz", path.name)
            if path.name.startswith("."):
                left.append(path.name)
            else:
                files[name] = path
        left += [str(p.relative_to(self.tmp)) for p in self.tmp.rglob("*")]
        return Outcome(done, Account(log), files, left)

    def undisturbed(self):
        self.reset()
        first = self.run(TORTURE_TRACE="1")
        assert first.done.status == self.ends_with, first.done
        assert first.account.ended == len(first.account.calls) > 50
        self.calls = first.account.calls
        assert not first.account.left, "an undisturbed run gives everything back"
        self.content = {n: self.comparable(n, p) for n, p in first.files.items()}
        self.product = self.volatile_gone(first.done.out)
        assert set(self.outputs) <= set(self.content)
        assert OLD not in self.content.values()
        if self.db:
            self.final = Image(self.db)
            self.reset()

    def comparable(self, name, path):
        content = _content(path)
        if self.ordered or not name.startswith("journal"):
            return content
        return b"\n".join(sorted(line for line in content.split(b"\n")
                                 if line.startswith(b'{"campaign_contact"')))

    @staticmethod
    def volatile_gone(data):
        for pattern, text in VOLATILE:
            data = pattern.sub(text, data)
        return data

    # ---- what has to hold, whatever failed

    def judge(self, got):
        """What is wrong with a run one call of which failed; none: nothing."""
        found = []
        done = got.done
        why = done.said.strip()
        if done.status < 0 or done.status > 5:
            return ["ended by signal or unknown status %d: %s" % (done.status, why[-1500:])]
        if got.account.ended is None:
            found.append("did not end by exit()")
        left = sorted(set(got.account.left))
        if left:
            found.append("not given back: %s" % "; ".join(
                place(self.program, (n, ["0x%x" % (int(s.split("+")[1], 16) - 1)]))
                for n, s in left if s.startswith("program")) + " %r" % (left,))
        if done.status == 3 and UNREAD.search(done.said):
            # the rest was done, and by less evidence: another result, which says so
            got.less = True
            return found + self.judge_files(got, compare=False) + self.judge_counters()
        failed = got.account.failed[0] if got.account.failed else ""
        if got.left_over and not failed.startswith("unlink"):
            found.append("temporary files are left: %r" % got.left_over)
        found += self.judge_files(got)
        if done.status == self.ends_with:
            if self.volatile_gone(done.out) != self.product:
                found.append("stdout differs, and the status says nothing of it")
        elif not names_reason(failed, why):
            found.append("status %d without the reason" % done.status)
        elif done.status not in (2, 4) and done.status < self.ends_with:
            found.append("status %d is better than that of the undisturbed run" % done.status)
        if self.db:
            found += self.judge_database(done.status)
        return found

    def judge_files(self, got, compare=True):
        found = []
        status = got.done.status
        for name, right in self.content.items():
            if name not in got.files:
                if status == self.ends_with or name in self.outputs:
                    found.append("%s is gone" % name)
                continue
            if name.startswith("journal") and status != self.ends_with:
                continue  # it is written as the run goes; revert is asked what it holds
            try:
                content = self.comparable(name, got.files[name])
            except Exception as e:  # pylint: disable=broad-except
                found.append("%s is not whole: %r" % (name, e))
                continue
            if compare and status == self.ends_with and content != right:
                found.append("%s differs, and the status says nothing of it: %s" % (
                    name, first_difference(content, right)))
            elif status not in (self.ends_with, 3) and name.startswith("states") and \
                    content not in (OLD, right):
                found.append("%s is neither the old nor the whole" % name)
        for name in set(got.files) - set(self.content):
            found.append("%s is there, which no undisturbed run writes" % name)
        return found

    def judge_database(self, status):
        now = Image(self.db)
        if not self.writes:
            return [] if now.contents() == self.before.contents() else ["a dry run wrote"]
        try:
            assert_whole(self.before, now, self.final)
        except AssertionError as e:
            return ["half written: %s" % str(e)[:300]]
        if status == self.ends_with and now.contents() != self.final.contents():
            return ["the database differs from what was to be written, and the status says nothing"]
        return []

    def judge_counters(self):
        """Every campaign counts its rows, or nothing of it was written."""
        if not self.db:
            return []
        now = Image(self.db)
        written = now.written_since(self.before)
        return ["counters of campaign %s" % id for id in now.campaigns
                if now.counters(id) != now.counted(id) and
                (now.counters(id) != self.before.counters(id) or
                 any(now.rows[r]["campaign_id"] == id for r in written))]

    def judge_rerun(self, less):
        if not self.writes:
            return []
        done = self.run().done
        if done.status > 3:
            return ["run again: %r" % done]
        now = Image(self.db)
        if less:  # slice after slice gives the same statuses and counters; times may differ
            same = {i: r["status"] for i, r in now.rows.items()} == {
                i: r["status"] for i, r in self.final.rows.items()} and all(
                    now.counters(i) == self.final.counters(i) for i in now.campaigns)
        else:
            same = now.contents() == self.final.contents()
        if not same:
            return ["run again it does not end as if nothing had happened"]
        return []

    def torture(self, number):
        self.reset()
        try:
            got = self.run(TORTURE_FAIL=str(number))
        except subprocess.TimeoutExpired:
            self.dirty = True
            return ["call %d: hangs" % number]
        found = self.judge(got)
        if not found:
            found = self.judge_rerun(got.less)
        if not found:
            return []
        return ["%s call %d, %s: status %d: %s\n    said: %s" % (
            self.name, number, place(self.program, got.account.told()), got.done.status,
            "; ".join(found), got.done.said.strip()[-400:])]


# ---- the scenarios ---------------------------------------------------------------------------

class Offline(Scenario):
    name, program = "offline", "replay"
    outputs = ("states.jsonl.gz", "report.json", "rejects.jsonl")

    def prepare(self):
        world = worlds.Maker("torture", VARIANT, span=SPAN).make()
        self.archives = world.save(self.directory)
        (self.directory / "odd.jsonl").write_bytes(
            b'{"event":\n{"event":"messages.update","data":5}\n'
            b'[{"event":"messages.update","data":{"keyId":"Z\\u0041","status":"READ"}}]\n')
        self.archives.append("odd.jsonl")

    def arguments(self):
        return ["--offline", "--states-out", "out/states.jsonl.gz", "--rejects",
                "out/rejects.jsonl", "--format", "json", "-o", "out/report.json", "--metrics",
                "out/metrics", "-j", "1"] + OPEN + self.archives


class Spilled(Offline):
    """The fold does not fit, what was folded before is read again, and stdout is the product."""
    name = "spilled"
    outputs = ("report.html",)

    def prepare(self):
        super().prepare()
        (self.directory / "few").write_bytes(b"".join(
            worlds.line("loja", "3EB0C767D097B7C7%04X" % n, "READ", "2025-10-20T10:00:00Z")
            for n in range(8)))
        done = tool.run("replay", ["--offline", "--states-out", "before.jsonl.gz", "-o",
                                   "/dev/null", "few"] + OPEN, self.directory)
        assert done.status == 0, done
        many = worlds.Maker("spilled", VARIANT, rows=2500).make()
        (self.directory / "many").mkdir()
        many.save(self.directory / "many")

    def arguments(self):
        return ["--offline", "--states-out", "-", "--format", "html", "-o", "out/report.html",
                "--memory", "1M", "-j", "2", "--states-in", "before.jsonl.gz", "many"] + OPEN


    def undisturbed(self):
        super().undisturbed()
        assert "pwrite" in {name for name, *_ in self.calls}, "it spills"


class Database(Scenario):
    program = "replay"

    def prepare(self):
        self.world = worlds.Maker("torture", VARIANT, span=SPAN).make()
        self.archives = self.world.save(self.directory)
        self.fill(tables.write(pg.VARIANTS[VARIANT], self.world.tenants, self.world.tables))

    def usual(self):
        return ["-d", self.db.conninfo(), "--metrics", "out/metrics"]


class DryRun(Database):
    name = "dry-run"
    outputs = ("report.json", "plan.jsonl.gz")
    ends_with = 3

    def arguments(self):
        return self.usual() + ["--all", "--details", "--format", "json", "-o", "out/report.json",
                               "--plan-out", "out/plan.jsonl.gz", "-j", "1"] + OPEN + self.archives


class Applied(Database):
    name = "apply"
    outputs = ("report.html",)
    writes = True
    ends_with = 3

    def arguments(self):
        return self.usual() + ["--apply", "--all", "--settle", "0", "--instance-health",
                               "--recheck", "0", "--batch", "7", "--format", "html", "-o",
                               "out/report.html", "-j", "1"] + OPEN + self.archives


class Audit(Database):
    name, program = "audit", "reconcile"
    outputs = ("report.html",)
    ends_with = 1

    def arguments(self):
        return ["audit"] + self.usual() + ["--format", "html", "-o", "out/report.html"]


class Planned(Database):
    name, program = "plan", "reconcile"
    outputs = ("report.json",)
    writes = True

    def prepare(self):
        super().prepare()
        done = tool.run("replay", ["-d", self.db.conninfo(), "--all", "--settle", "0",
                                   "--plan-out", "plan.gz"] + OPEN + self.archives,
                        self.directory, env=self.environment())
        assert done.status in (1, 3), done

    def arguments(self):
        return ["apply"] + self.usual() + ["--recheck", "0", "--batch", "7", "--format", "json",
                                           "-o", "out/report.json", "plan.gz"]


class Reverted(Planned):
    name = "revert"

    def prepare(self):
        super().prepare()
        done = tool.run("reconcile", ["apply", "-d", self.db.conninfo(), "--recheck", "0",
                                      "--batch", "7", "--journal", "journal.gz", "plan.gz"],
                        self.directory, env=self.environment())
        assert done.status == 0, done
        self.keep()

    def arguments(self):
        return ["revert"] + self.usual() + ["--recheck", "0", "--format", "json", "-o",
                                            "out/report.json", "journal.gz"]


class Poll(Scenario):
    name, program = "poll", "reconcile"
    ordered = False
    outputs = ("report.json",)
    writes = True

    def prepare(self):
        self.polls = Polls(self.directory)
        shop = busy_shop(VARIANT, 1, rows=40)
        self.polls.serve(shop, version="2.3")
        self.fill(tables.write(pg.VARIANTS[VARIANT], shop.tenants, shop.tables) +
                  shop.more_sql(pg.VARIANTS[VARIANT]))

    def stop(self):
        super().stop()
        for g in self.polls.gateways:
            g.stop()

    def environment(self):
        return self.polls.environment()

    def arguments(self):
        return ["poll", "--apply", "-d", self.db.conninfo(), "--recheck", "0", "--metrics",
                "out/metrics", "--page-size", "10", "--retry-time", "0", "--format", "json", "-o",
                "out/report.json"]


SCENARIOS = (Offline, Spilled, DryRun, Applied, Audit, Planned, Reverted, Poll)


@pytest.fixture(scope="module")
def bench_of(postgres, tmp_path_factory):
    """A scenario, and what it does undisturbed; there is one at a time."""
    if not LIBRARY.exists():
        tool.make(str(LIBRARY.relative_to(tool.ROOT)))
    held = []

    def get(kind):
        if held and not isinstance(held[0], kind):
            held.pop().stop()
        if not held:
            held.append(kind(tmp_path_factory.mktemp(kind.name), postgres))
            held[0].undisturbed()
        return held[0]

    yield get
    for scenario in held:
        scenario.stop()


def drawn(scenario):
    """The numbers of the calls to fail."""
    if ONLY:
        name, numbers = ONLY.split(":")
        return [int(n) for n in numbers.split(",")] if name == scenario.name else []
    count = len(scenario.calls)
    if EXTENT == "full":
        return list(range(1, count + 1))
    rng = random.Random("torture %s %s" % (SEED, scenario.name))
    places = {}
    for number, call in enumerate(scenario.calls, 1):
        places.setdefault(call, []).append(number)
    chosen = sorted(places) if EXTENT == "places" else rng.sample(sorted(places), SAMPLE)
    return sorted(rng.choice(places[call]) for call in chosen)


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda k: k.name)
def test_whichever_call_fails_a_run_says_so_and_leaves_nothing_half_done(bench_of, kind):
    scenario = bench_of(kind)
    numbers = drawn(scenario)
    print("TORTURE_SEED=%s: %d of %d calls from %d places" % (
        SEED, len(numbers), len(scenario.calls), len(set(scenario.calls))))
    found = []
    for number in numbers:
        found += scenario.torture(number)
    assert not found, "%d of %d calls\n%s" % (len(found), len(numbers), "\n".join(found))


@pytest.mark.parametrize("kind", SCENARIOS, ids=lambda k: k.name)
def test_reads_and_writes_that_are_interrupted_or_cut_short_change_nothing(bench_of, kind):
    scenario = bench_of(kind)
    scenario.reset()
    got = scenario.run(TORTURE_SHORT="1")
    assert got.done.status == scenario.ends_with, got.done
    assert scenario.judge(got) == []
