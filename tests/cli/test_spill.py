"""Evidence beyond --memory goes to a file and comes back the same."""

import gzip
import os
import resource
import signal
import time

import pytest

import tool
import world as worlds

MESSAGES = 40000


@pytest.fixture(scope="module")
def archives(tmp_path_factory):
    """Two archives with the same messages, so that every run of one meets those of the other."""
    directory = tmp_path_factory.mktemp("archives")
    for name, status in ("a.gz", "SENT"), ("b.gz", "READ"):
        with gzip.open(directory / name, "wb", 1) as out:
            for i in range(MESSAGES):
                out.write(worlds.line("i%d" % (i % 3), "3EB0%09d" % (i * 7919 % MESSAGES), status,
                                      "2025-10-20T10:00:00Z"))
    return [directory / "a.gz", directory / "b.gz"]


def fold(tmp_path, archives, *arguments, **popen):
    return tool.finish(tool.start("replay", ["--offline", "-q", "--states-out", "states", "-o", "report"]
                                  + list(arguments) + archives, tmp_path, **popen))


@pytest.mark.parametrize("jobs", ["1", "2"])
def test_spilling_changes_no_byte(tmp_path, archives, jobs):
    assert fold(tmp_path, archives).status == 0
    expected = (tmp_path / "states").read_bytes()
    assert expected.count(b"\n") == MESSAGES
    spills = tmp_path / "spills"
    spills.mkdir()
    done = fold(tmp_path, archives, "--memory", "1M", "--tmpdir", spills, "-j", jobs)
    assert done.status == 0, done
    assert (tmp_path / "states").read_bytes() == expected
    assert not list(spills.iterdir())


def test_states_are_spilled_too(tmp_path, archives):
    assert fold(tmp_path, archives).status == 0
    (tmp_path / "states").rename(tmp_path / "whole")
    done = tool.finish(tool.start("replay", ["--offline", "-q", "--states-in", "whole", "--memory", "1M",
                                             "--states-out", "again", "-o", "report"], tmp_path))
    assert done.status == 0, done
    assert (tmp_path / "again").read_bytes() == (tmp_path / "whole").read_bytes()
    assert b"distinct%26d" % MESSAGES in (tmp_path / "report").read_bytes()


def test_a_directory_that_is_not_there_is_named(tmp_path, archives):
    done = fold(tmp_path, archives, "--memory", "1M", "--tmpdir", "/nonexistent")
    assert done.status == 4
    assert 'could not create a temporary file in "/nonexistent": No such file' in done.said
    assert not (tmp_path / "states").exists()


def test_a_full_disk_is_named(tmp_path, archives):
    def little_room():
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 20, 1 << 20))
    done = fold(tmp_path, archives, "--memory", "1M", "--tmpdir", tmp_path, preexec_fn=little_room,
                restore_signals=False)
    assert done.status == 4
    assert 'could not write to a temporary file in "%s": File too large' % tmp_path in done.said
    assert not (tmp_path / "states").exists()


def test_nothing_is_left_by_a_killed_run(tmp_path, archives):
    spills = tmp_path / "spills"
    spills.mkdir()
    run = tool.start("replay", ["--offline", "-q", "--memory", "1M", "--tmpdir", spills, "-o", "report",
                                "-"], tmp_path, stdin=-1)
    run.stdin.write(gzip.decompress(archives[0].read_bytes()))
    run.stdin.flush()
    fds = "/proc/%d/fd" % run.pid
    until = time.monotonic() + 20
    while not any(os.readlink(os.path.join(fds, fd)).startswith(str(spills)) for fd in os.listdir(fds)):
        assert time.monotonic() < until, "nothing was spilled"
        time.sleep(0.01)
    run.kill()
    run.communicate()
    assert not list(spills.iterdir())
