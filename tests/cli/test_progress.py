"""--progress: a status line on a terminal, lines where they are asked for, else nothing."""

import gzip
import json
import os
import pty
import re
import select
import subprocess
import time

import pytest

import archives
import tool

LINE = (b'{"event":"messages.update","instance":"i","data":{"keyId":"K%07d","status":"READ"},'
        b'"date_time":"2025-10-20T10:00:00Z"}\n')
RECORDS = 5000
ERASE = "\r\x1b[K"


@pytest.fixture
def archive(tmp_path):
    archives.save(tmp_path / "a", gzip.compress(b"".join(LINE % n for n in range(RECORDS))),
                  1760900000)
    return "a"


class Terminal:
    """A run whose stderr is a terminal, and whose stdin is a pipe that we fill."""

    def __init__(self, tmp_path, *arguments, term="xterm", **more):
        self.ours, theirs = pty.openpty()
        self.process = tool.start("replay", ["--offline", "-o", "r", *arguments], tmp_path,
                                  env=tool.environment(tmp_path, TERM=term), stderr=theirs,
                                  stdin=subprocess.PIPE, **more)
        os.close(theirs)
        self.seen = ""

    def feed(self, data):
        self.process.stdin.write(data)
        self.process.stdin.flush()

    def watch(self, seconds, until=None):
        """What has been shown after so long, or once it holds a text."""
        end = time.monotonic() + seconds
        while until is None or until not in self.seen:
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.ours], [], [], left)[0]:
                break
            try:
                data = os.read(self.ours, 65536)
            except OSError:  # nobody has the other end any more
                break
            self.seen += data.decode()
        return self.seen

    def end(self):
        self.process.stdin.close()
        self.watch(20)
        status = self.process.wait(tool.TIMEOUT)
        os.close(self.ours)
        return status


def test_a_terminal_shows_a_line_that_goes_away(tmp_path):
    t = Terminal(tmp_path, "-")
    for n in range(4):
        t.feed(b"".join(LINE % k for k in range(n * 100000, n * 100000 + 20000)))
        t.watch(0.3)
    assert t.end() == 0
    shown = [s for s in t.seen.split(ERASE) if s]
    assert shown and all(re.match(r"reading \d+(\.\d)? [KM]?i?B, [\d,]+ records", s) for s in shown)
    assert t.seen.endswith(ERASE) and "\n" not in t.seen


def test_the_line_is_narrower_than_the_terminal(tmp_path):
    t = Terminal(tmp_path, "-")
    subprocess.run(["stty", "cols", "21"], stdin=t.ours, check=True)
    t.feed(LINE % 1)
    t.watch(2, until="reading")
    t.watch(0.3)
    assert t.end() == 0
    assert max(len(s) for s in t.seen.split(ERASE)) == 20


def test_a_message_takes_the_place_of_the_line(tmp_path):
    t = Terminal(tmp_path, "-")
    t.feed(LINE % 1)
    t.watch(5, until="reading")
    t.feed(b'{"broken\n' + b"".join(LINE % n for n in range(40000)))
    t.watch(5, until="warning")
    assert t.end() == 0
    assert re.search(r"\r\x1b\[Kreplay: warning: archive .*\r\n", t.seen)


@pytest.mark.parametrize("arguments,term", [
    (["-q"], "xterm"), (["-q", "--progress", "always"], "xterm"), (["--progress=never"], "xterm"),
    ([], "dumb"), (["--log-format", "json"], "xterm")], ids=str)
def test_nothing_is_shown_where_nothing_should_be(tmp_path, arguments, term):
    t = Terminal(tmp_path, *arguments, "-", term=term)
    t.feed(b"".join(LINE % n for n in range(20000)))
    t.watch(0.7)
    assert t.end() == 0
    assert t.seen == ""


def test_a_pipe_gets_nothing_unless_it_is_asked_for(replay, archive):
    assert replay("--offline", archive).err == b""
    assert replay("--offline", "--progress", "auto", archive).err == b""
    assert replay("--offline", "--progress", "always", "-q", archive).err == b""
    done = replay("--offline", "--progress", "always", archive)
    assert done.status == 0 and len(done.lines) == 1, done
    assert re.match(r"replay: progress: reading ([\d.]+) of \1 KiB \(100%\), 5,000 records$",
                    done.lines[0]), done.said


def test_as_json_lines_are_objects_of_level_progress(replay, archive):
    done = replay("--offline", "--progress", "always", "--log-format", "json", archive)
    said = [json.loads(line) for line in done.lines]
    assert [s["level"] for s in said] == ["progress"]
    assert "5,000 records" in said[0]["message"]


def test_all_records_are_counted_whatever_the_number_of_threads(replay, tmp_path):
    for n in range(7):
        archives.save(tmp_path / ("w%d" % n), b"".join(LINE % k for k in range(n * 1000)), 1760900000)
    for jobs in "1", "4":
        done = replay("--offline", "--progress", "always", "-j", jobs, *("w%d" % n for n in range(7)))
        assert "(100%), 21,000 records" in done.said, done
