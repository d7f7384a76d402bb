"""Runs of replay against a database, and what they leave there."""

import json

import tables
import tool
from oracle import decide, fold, times

# these safety catches have tests of their own
OPEN = ["--accept-clock", "--status-codes", "app"]


def at_once(arguments):
    """A run's arguments; one that writes does not wait to count once more, unless it says so."""
    arguments = list(arguments)
    if "--apply" in arguments and "--recheck" not in arguments:
        arguments += ["--recheck", "0"]
    return arguments


class Runs:
    """Runs of replay against one database from one directory."""

    def __init__(self, directory):
        self.directory = directory

    def start(self, db, *arguments, user="postgres", env=None, **popen):
        env = env or tool.environment(self.directory)
        return tool.start("replay", ["-d", db.conninfo(user)] + at_once(arguments),
                          self.directory, env, **popen)

    def run(self, db, *arguments, **how):
        return tool.finish(self.start(db, *arguments, **how))

    def report(self, db, *arguments, **how):
        """A run and its JSON report (None where it wrote none)."""
        target = self.directory / "report.json"
        if target.exists():
            target.unlink()
        done = self.run(db, "--format", "json", "-o", target, *arguments, **how)
        return done, json.loads(target.read_text()) if target.exists() else None


def states_of(directory, names, options=None):
    """The oracle's evidence for archives in a directory."""
    states, counts = fold.fold([str(directory / name) for name in names], options)
    return states, counts


def shown(row):
    """A row's decided values as people read them."""
    return {v: times.show(row[v]) if v in decide.TIMES else row[v] for v in decide.VALUES}


def assert_rows(db, expected, what=""):
    """Every row of the database holds what is expected: row id -> row."""
    wrong = []
    for row in tables.read(db).rows:
        want = expected[row["id"]]
        if shown(row) != shown(want):
            wrong.append("row %s (%s): %r, expected %r" % (
                row["id"], row["whatsapp_message_id"], shown(row), shown(want)))
    assert not wrong, "%s: %d rows differ\n%s" % (what, len(wrong), "\n".join(wrong[:3]))


def stored_counters(db):
    return {c["id"]: {k: c[k] for k in ("sent", "delivered", "read", "failed", "total")}
            for c in tables.read(db).campaigns}
