"""Runs of the programs, watched: status, peak memory, open descriptors, files that stay."""

import json
import os
import pathlib
import shutil
import time

import tool

DESCRIPTORS = 64  # more than a run's threads, connections and files ever need


class Finding(AssertionError):
    """Something that must not be."""


def expect(condition, what, *about):
    if not condition:
        raise Finding(" ".join([what] + [str(a) for a in about]))


class Ended:
    """How a run ended."""

    def __init__(self, run, status, peak, descriptors):
        self.command = " ".join(str(a) for a in run.arguments)
        self.status = status
        self.peak = peak  # bytes
        self.descriptors = descriptors
        self.said = (run.directory / "stderr").read_text(errors="replace")
        report = run.directory / "report.json"
        self.report = json.loads(report.read_text()) if report.exists() else None

    def __repr__(self):
        return "%s: status %d\n%s" % (self.command, self.status, self.said[-3000:])

    def corrections(self):
        return self.report["messages"]["updated"] if self.report else 0


class Run:
    """A run under way."""

    def __init__(self, programs, program, arguments, options):
        self.programs = programs
        self.number = programs.number = programs.number + 1
        self.directory = programs.home / "runs" / str(self.number)
        self.directory.mkdir(parents=True)
        self.spill = self.directory / "spill"
        self.spill.mkdir()
        self.arguments = [program] + list(arguments) + list(options)
        measure, prefix = tool.measured(program, self.directory / "measured")
        with open(self.directory / "stdout", "wb") as out, open(
                self.directory / "stderr", "wb") as err:
            self.process = tool.start(measure, prefix + self.arguments[1:], self.directory,
                                      programs.env(self), stdout=out, stderr=err)
        self.child = None
        self.most = 0

    def pid(self):
        """That of the program, once it runs."""
        task = pathlib.Path("/proc/%d/task/%d/children" % (self.process.pid, self.process.pid))
        while self.child is None and self.process.poll() is None:
            found = task.read_text().split()
            if found and self._runs(found[0]):
                self.child = int(found[0])
            else:
                time.sleep(0.002)
        return self.child

    def _runs(self, pid):
        try:
            return "tests/measure" not in os.readlink("/proc/%s/exe" % pid)
        except OSError:
            return True  # it has ended already

    def kill(self, sign):
        pid = self.pid()
        if pid and self.process.poll() is None:
            try:
                os.kill(pid, sign)
            except ProcessLookupError:
                pass

    def finish(self, patience=600):
        """Waits for its end, and looks at what it leaves."""
        deadline = time.monotonic() + patience
        pid = self.pid()
        while self.process.poll() is None:
            if time.monotonic() > deadline:
                self.kill(9)
                self.process.wait()
                raise Finding("a run does not end: " + " ".join(map(str, self.arguments)))
            try:
                self.most = max(self.most, len(os.listdir("/proc/%d/fd" % pid)))
            except (OSError, TypeError):
                pass
            time.sleep(0.02)
        _, _, kib, status = (self.directory / "measured").read_text().split()
        ended = Ended(self, int(status), int(kib) * 1024, self.most)
        expect(self.most <= DESCRIPTORS, "%d open descriptors:" % self.most, ended)
        expect(not list(self.spill.iterdir()), "a temporary file stays:", ended)
        expect("--accept-clock" not in ended.said, "a clock that is right is called wrong:", ended)
        known = {"stdout", "stderr", "measured", "spill", "report.json", "states.gz"}
        left = {p.name for p in self.directory.iterdir()} - known
        expect(not left or ended.status == 128 + 9, "files stay: %s:" % left, ended)
        shutil.rmtree(self.directory)
        return ended


class Programs:
    """Starts runs against one database, from one home directory."""

    def __init__(self, home, db):
        self.home = home
        self.db = db
        self.number = 0
        self.url = self.key = None  # of the gateway

    def env(self, run):
        env = tool.environment(self.home, TMPDIR=str(run.spill), no_proxy="127.0.0.1")
        if self.url:
            env.update(EVOLUTION_API_URL=self.url, EVOLUTION_API_KEY=self.key)
        return env

    def start(self, program, *arguments):
        more = []
        if "--offline" not in arguments and "-n" != arguments[0]:
            more = ["--format", "json", "-o", "report.json"]
        if "--offline" not in arguments:
            more += ["-d", self.db.conninfo()]
        return Run(self, program, arguments, more)

    def run(self, program, *arguments):
        return self.start(program, *arguments).finish()

    def journals(self):
        state = self.home / "state"
        return sorted(state.glob("journal-*")) if state.exists() else []
