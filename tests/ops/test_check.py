"""make check itself: what it says of a step that does not come to its end."""

import os
import stat
import subprocess

import tool

# its parent is timeout, whose parent runs the step
PROGRAM = """#!/bin/sh
kill -9 $(ps -o ppid= -p $PPID)
"""


def test_a_step_that_is_killed_has_not_passed(tmp_path):
    program = tmp_path / "b" / "tests" / "unit" / "test_x"
    program.parent.mkdir(parents=True)
    program.write_text(PROGRAM)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    (tmp_path / "tests" / "unit").mkdir(parents=True)
    (tmp_path / "tests" / "unit" / "test_x.c").touch()
    done = subprocess.run(["sh", str(tool.ROOT / "tools" / "check.sh")], cwd=str(tmp_path),
                          env=dict(os.environ, MAKE_CMD="true", BUILD="b"), timeout=tool.TIMEOUT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, check=False)
    said = done.stdout.partition("== summary")[2]
    assert done.returncode == 1, done.stdout
    assert [line.split()[1] for line in said.splitlines() if line.startswith("build ")] == ["passed"]
    assert [line.split()[1] for line in said.splitlines() if line.startswith("unit ")] == ["FAILED"]
