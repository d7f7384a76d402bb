"""What a server's log tells of the transactions, waits and errors of its sessions.

The server runs with SETTINGS. Of a session whose transactions are wanted it has to log the
statements, as it does with PGOPTIONS = STATEMENTS.
"""

import re

SETTINGS = {"log_line_prefix": "%n|%p|%a|", "log_min_messages": "error",
            "log_min_error_statement": "error"}
STATEMENTS = "-c log_min_duration_statement=0"

_ENTRY = re.compile(r"(\d+\.\d+)\|(\d+)\|([^|]*)\|(\w+):  (.*)")
_DURATION = re.compile(r"duration: ([\d.]+) ms  (?:statement|execute [^:]*): (.*)", re.DOTALL)
_WAITED = re.compile(r"process \d+ acquired \w+ on .* after ([\d.]+) ms")


class Entry:
    """One message: when (s since 1970), of which session, its severity and its text."""

    def __init__(self, at, pid, application, severity, text):
        self.at = float(at)
        self.pid = int(pid)
        self.application = application
        self.severity = severity
        self.text = text

    def __repr__(self):
        return "%.3f %s %s: %s" % (self.at, self.application, self.severity, self.text)


class Statement:
    """One statement that succeeded; begin and end in s since 1970."""

    def __init__(self, entry, milliseconds, text):
        self.end = entry.at
        self.begin = entry.at - float(milliseconds) / 1000
        self.text = text


class Transaction:
    """The statements of an explicit transaction, its COMMIT or ROLLBACK included."""

    def __init__(self, statements):
        self.statements = statements
        self.begin = statements[0].begin
        self.end = statements[-1].end
        self.seconds = self.end - self.begin

    def first(self, words):
        """Its first statement that holds these words; None: it has none."""
        return next((s for s in self.statements if words in s.text), None)


class Log:
    """What a server writes to its log from now on."""

    def __init__(self, server):
        self.path = server.home / "log"
        self.start = self.path.stat().st_size

    def entries(self):
        found = []
        with open(self.path, encoding="utf-8", errors="replace") as f:
            f.seek(self.start)
            for line in f:
                match = _ENTRY.match(line)
                if match:
                    found.append(Entry(*match.groups()))
                elif found and line.startswith("\t"):
                    found[-1].text += "\n" + line[1:].rstrip("\n")
        return found

    def errors(self):
        return [e for e in self.entries() if e.severity in ("ERROR", "FATAL", "PANIC")]

    def waits(self, application):
        """How long sessions of this name waited for locks, in s, where it was longer than
        deadlock_timeout; the server logs that with log_lock_waits."""
        return [float(m.group(1)) / 1000 for e in self.entries()
                if e.application.startswith(application) for m in [_WAITED.match(e.text)] if m]

    def transactions(self, application):
        """Those of sessions of this name, in the order of their ends."""
        under_way, ended = {}, []
        for entry in self.entries():
            match = _DURATION.match(entry.text)
            if not match or not entry.application.startswith(application):
                continue
            statement = Statement(entry, *match.groups())
            if re.search(r"^BEGIN\b", statement.text, re.MULTILINE):
                under_way[entry.pid] = [statement]
            elif entry.pid in under_way:
                under_way[entry.pid].append(statement)
                if re.match(r"COMMIT|ROLLBACK", statement.text):
                    ended.append(Transaction(under_way.pop(entry.pid)))
        return ended
