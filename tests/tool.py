"""Runs the programs under test as a user would."""

import os
import pathlib
import re
import shutil
import subprocess

ROOT = pathlib.Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")
CASES = ROOT / "tests" / "conformance"
UNDER = os.environ.get("RUN_UNDER", "").split()  # a command that runs a program, such as valgrind
TIMEOUT = 600 if UNDER else 120

# what an operator's own settings could change
_FOREIGN = ("PG", "EVOLUTION_", "RECONCILE_", "XDG_", "STATE_DIRECTORY", "TMPDIR", "TZ")


def find(name):
    """Where a program of the system is, the caller's PATH or root's; None if nowhere."""
    return shutil.which(name, path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/bin:/sbin:/bin")


def program(name):
    """Where a program of the system is that a test cannot do without."""
    found = find(name)
    assert found, "%s is missing; make check installs it" % name
    return found


class Done:
    """How a run ended: status, stdout and stderr (bytes), and stderr as lines of text."""

    def __init__(self, status, out, err):
        self.status = status
        self.out = out
        self.err = err
        self.said = err.decode("utf-8", "replace")
        self.lines = self.said.splitlines()

    def __repr__(self):
        return "Done(status=%d, out=%r, err=%r)" % (self.status, self.out[-2000:], self.said[-2000:])


def environment(home, **extra):
    """A clean environment whose home and state directory are `home`, without the machine's
    configuration file."""
    env = {k: v for k, v in os.environ.items() if not k.startswith(_FOREIGN)}
    env.update(HOME=str(home), STATE_DIRECTORY=str(home / "state"), LC_ALL="C.UTF-8",
               RECONCILE_CONFIG="/dev/null")
    env.update(extra)
    return env


def start(program, arguments, cwd, env=None, **popen):
    """Starts a program of the build directory."""
    path = BUILD / program
    if not path.exists():
        raise FileNotFoundError("%s is not built" % path)
    return subprocess.Popen(UNDER + [str(path)] + [str(a) for a in arguments], cwd=str(cwd),
                            env=env or environment(pathlib.Path(cwd)),
                            stdin=popen.pop("stdin", subprocess.DEVNULL),
                            stdout=popen.pop("stdout", subprocess.PIPE),
                            stderr=popen.pop("stderr", subprocess.PIPE), **popen)


def finish(process, stdin=None):
    """Waits for a started program."""
    try:
        out, err = process.communicate(stdin, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return Done(process.returncode, out or b"", err or b"")


def run(program, arguments, cwd, stdin=None, **popen):
    """Runs a program to its end."""
    if stdin is not None:
        popen["stdin"] = subprocess.PIPE
    return finish(start(program, arguments, cwd, **popen), stdin)


def measured(program, line):
    """The program and arguments that run a program of the build directory under
    tests/measure.c, which leaves in the file `line` what peak() reads."""
    return "tests/measure", [line, BUILD / program]


def peak(line):
    """Peak memory in bytes of what ran under measured(), which has to have ended with 0."""
    _, _, kib, status = pathlib.Path(line).read_text().split()
    assert status == "0"
    return int(kib) * 1024


def make(*arguments):
    """Runs make in the tree, for the build directory under test, with the caller's variables."""
    env = {k: v for k, v in os.environ.items() if k not in ("MFLAGS", "MAKELEVEL")}
    # the jobs are those of a make that is not waiting for us
    env["MAKEFLAGS"] = re.sub(r"(^| )(-j\d*|--jobserver\S*)", "", os.environ.get("MAKEFLAGS", ""))
    if BUILD.name.endswith("-werror"):
        env["WERROR"] = "1"
    done = subprocess.run(["make", "--no-print-directory", "-C", str(ROOT)] + list(arguments),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=300, env=env)
    assert done.returncode == 0, done.stdout.decode("utf-8", "replace")
    return done.stdout.decode("utf-8", "replace")
