"""The text report on a terminal: colour where it is wanted, and 80 columns."""

import os
import pty
import re
import subprocess

import pytest

import tool
import world as worlds
from runs import OPEN

SGR = re.compile(rb"\x1b\[[0-9]+m")


@pytest.fixture
def drifting(server, tmp_path):
    """A database whose counters are wrong, the archive of a webhook that it lacks, and a damaged one."""
    world = worlds.campaign_of(["sent"], count=3)
    world.archives = {"a": worlds.line("loja", "M0", "READ", "2025-10-20T11:00:00Z"),
                      "b.gz": b"\x1f\x8b damaged"}
    world.save(tmp_path)
    return world.create(server, "deployed")


def on_terminal(runs, db, *arguments, drop=(), **environment):
    """What a run writes to a terminal that is its stdout. Ends of lines are the terminal's."""
    env = tool.environment(runs.directory, **dict({"TERM": "xterm-256color"}, **environment))
    for name in drop:
        env.pop(name, None)
    mine, its = pty.openpty()
    process = runs.start(db, *OPEN, *arguments, env=env, stdout=its, stderr=subprocess.DEVNULL)
    os.close(its)
    said = b""
    try:
        while part := os.read(mine, 65536):
            said += part
    except OSError:  # Linux says so where the other end is closed
        pass
    os.close(mine)
    assert process.wait(tool.TIMEOUT) in (0, 1, 3)
    return said.replace(b"\r\n", b"\n")


def without_run(report):
    """Without what differs from run to run."""
    return re.sub(rb"20\d\d-?\d\d-?\d\dT[\w:.-]+", b"TIME", report)


def test_a_terminal_gets_colour_and_nothing_else_of_its_own(drifting, runs):
    said = on_terminal(runs, drifting, "a", "b.gz", drop=["NO_COLOR"])
    assert b"\x1b[33m          +3\x1b[0m" in said
    assert b"\n\x1b[33mWarnings\x1b[0m\n" in said
    piped = runs.run(drifting, *OPEN, "a", "b.gz", env=tool.environment(runs.directory, TERM="xterm"))
    assert b"\x1b" not in piped.out
    assert without_run(SGR.sub(b"", said)) == without_run(piped.out)


@pytest.mark.parametrize("environment", [
    {"NO_COLOR": "1"}, {"NO_COLOR": "0"}, {"TERM": "dumb"}, {"TERM": ""}], ids=str)
def test_nobody_who_said_no_gets_colour(drifting, runs, environment):
    assert b"\x1b" not in on_terminal(runs, drifting, "a", "b.gz", **environment)


def test_an_empty_no_color_says_nothing(drifting, runs):
    assert b"\x1b[33m" in on_terminal(runs, drifting, "a", "b.gz", NO_COLOR="")


def test_without_a_kind_of_terminal_there_is_no_colour(drifting, runs):
    assert b"\x1b" not in on_terminal(runs, drifting, "a", "b.gz", drop=["TERM"])


@pytest.mark.parametrize("form", ["json", "csv", "html"])
def test_the_other_formats_have_no_colour(drifting, runs, form):
    assert b"\x1b" not in on_terminal(runs, drifting, "--format", form, "a", "b.gz")


def test_a_file_has_no_colour_though_stdout_is_a_terminal(drifting, runs):
    on_terminal(runs, drifting, "-o", "report", "a", "b.gz")
    assert b"\x1b" not in (runs.directory / "report").read_bytes()


def test_lines_fit_80_columns_but_for_commands(drifting, runs):
    said = on_terminal(runs, drifting, "--details", "--explain", "M0", "-v", "a", "b.gz")
    lines = SGR.sub(b"", said).decode().splitlines()
    assert len(lines) > 60
    assert [line for line in lines if len(line) > 80 and "--apply" not in line] == []
